"""Tasks, by the name that `--task` takes."""

TASKS = {
    "classify": "vidrnn.tasks.classify:Classify",
    "label": "vidrnn.tasks.label:Label",
    "next-frame": "vidrnn.tasks.next_frame:NextFrame",
}
