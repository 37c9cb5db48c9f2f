"""Recurrent heads, by the name that `--head` takes."""

HEADS = {
    "none": "vidrnn.nets.heads.none:NoHead",
    "linear": "vidrnn.nets.heads.linear:LinearHead",
    "rnn": "vidrnn.nets.heads.rnn:RnnHead",
    "lstm": "vidrnn.nets.heads.lstm:LstmHead",
    "gru": "vidrnn.nets.heads.gru:GruHead",
    "mingru": "vidrnn.nets.heads.mingru:MinGruHead",
    "rglru": "vidrnn.nets.heads.rglru:RgLruHead",
}
"""Heads on feature vectors."""

PICTURE_HEADS = {
    "convgru": "vidrnn.nets.heads.convgru:ConvGruHead",
    "convlstm": "vidrnn.nets.heads.convlstm:ConvLstmHead",
}
"""Heads on feature maps, for next-frame prediction."""
