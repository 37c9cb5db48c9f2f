"""Tasks, by the name that `--task` takes."""

TASKS = {"classify": "vidrnn.nets.decoders.classify:Classify"}
