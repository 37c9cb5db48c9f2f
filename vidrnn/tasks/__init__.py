"""Tasks, by the name that `--task` takes: what a model is asked."""

TASKS = {
    "classify": "vidrnn.tasks.classify:Classify",
    "next-frame": "vidrnn.tasks.next_frame:NextFrame",
}
