"""Tasks, by the name that `--task` takes."""

TASKS = {"classify": "vidrnn.tasks.classify:Classify"}
