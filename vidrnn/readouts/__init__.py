"""Readouts, by the name that `--readout` takes."""

READOUTS = {
    "attention": "vidrnn.readouts.attention:AttentionReadout",
    "mean": "vidrnn.readouts.mean:MeanReadout",
    "last": "vidrnn.readouts.last:LastReadout",
}
