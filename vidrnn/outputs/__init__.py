"""Formats of an answer, by the name that `--format` takes."""

OUTPUTS = {
    "jsonl": "vidrnn.outputs.jsonl:Jsonl",
    "csv": "vidrnn.outputs.csv:Csv",
    "steps": "vidrnn.outputs.steps:Steps",
    "parquet": "vidrnn.outputs.parquet:Parquet",
    "srt": "vidrnn.outputs.srt:Srt",
    "vtt": "vidrnn.outputs.vtt:Vtt",
    "labelstudio": "vidrnn.outputs.labelstudio:LabelStudio",
    "boris": "vidrnn.outputs.boris:Boris",
    "elan": "vidrnn.outputs.elan:Elan",
    "audacity": "vidrnn.outputs.audacity:Audacity",
    "budget": "vidrnn.outputs.budget:TimeBudget",
    "video": "vidrnn.outputs.video:AnnotatedWebm",
    "mp4": "vidrnn.outputs.video:AnnotatedMp4",
}
