"""Tasks, by the name that `--task` takes: what is asked of a model."""
