"""Programs that record trainings, by the name that `--track` takes."""

TRACKERS = {
    "tensorboard": "vidrnn.tracking.tensorboard:TensorboardTracker",
    "mlflow": "vidrnn.tracking.mlflow:MlflowTracker",
    "wandb": "vidrnn.tracking.wandb:WandbTracker",
}
