"""Formats of label files, by the name that `--labels-as` takes, in the order in which they are tried."""

LABEL_FORMATS: dict[str, str] = {
    "frames": "vidrnn.data.labels.frames:FrameRows",
    "csv": "vidrnn.data.labels.csv:Intervals",
}
