"""Readouts, by the name that `--readout` takes."""

READOUTS = {
    "attention": "vidrnn.nets.readouts.attention:AttentionReadout",
    "mean": "vidrnn.nets.readouts.mean:MeanReadout",
    "last": "vidrnn.nets.readouts.last:LastReadout",
    "statistics": "vidrnn.nets.readouts.statistics:StatisticsReadout",
}
