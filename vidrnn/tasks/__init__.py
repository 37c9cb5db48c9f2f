"""Tasks, by the name that `--task` takes."""

TASKS = {
    "classify": "vidrnn.tasks.classify:Classify",
    "next-frame": "vidrnn.tasks.next_frame:NextFrame",
}
