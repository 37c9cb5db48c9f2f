"""Recurrent heads, by the name that `--head` takes."""

HEADS = {
    "none": "vidrnn.heads.none:NoHead",
    "rnn": "vidrnn.heads.rnn:RnnHead",
    "lstm": "vidrnn.heads.lstm:LstmHead",
    "gru": "vidrnn.heads.gru:GruHead",
    "mingru": "vidrnn.heads.mingru:MinGruHead",
    "rglru": "vidrnn.heads.rglru:RgLruHead",
}

PICTURE_HEADS = {
    "convgru": "vidrnn.heads.convgru:ConvGruHead",
    "convlstm": "vidrnn.heads.convlstm:ConvLstmHead",
}
"""Heads that keep the picture, for the prediction of frames."""
