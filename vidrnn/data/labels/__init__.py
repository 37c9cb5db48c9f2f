"""Formats of label files, by the name that `--labels-as` takes, in the order in which they are tried."""

LABEL_FORMATS: dict[str, str] = {
    "frames": "vidrnn.data.labels.frames:FrameRows",
    "csv": "vidrnn.data.labels.csv:Intervals",
    "boris": "vidrnn.data.labels.boris:Boris",
    "deepethogram": "vidrnn.data.labels.deepethogram:DeepEthogram",
    "feral": "vidrnn.data.labels.feral:Feral",
    "bento": "vidrnn.data.labels.bento:Bento",
    "solomon": "vidrnn.data.labels.solomon:Solomon",
    "groundtruth": "vidrnn.data.labels.groundtruth:GroundTruth",
    "labelstudio": "vidrnn.data.labels.labelstudio:LabelStudio",
    "elan": "vidrnn.data.labels.elan:Elan",
    "anvil": "vidrnn.data.labels.anvil:Anvil",
    "cvat": "vidrnn.data.labels.cvat:Cvat",
    "via": "vidrnn.data.labels.via:Via",
    "observer": "vidrnn.data.labels.observer:Observer",
    "ethovision": "vidrnn.data.labels.ethovision:EthoVision",
    "activitynet": "vidrnn.data.labels.activitynet:ActivityNet",
    "captions": "vidrnn.data.labels.captions:Captions",
    "audacity": "vidrnn.data.labels.audacity:Audacity",
    "matlab": "vidrnn.data.labels.matlab:Matlab",
}
