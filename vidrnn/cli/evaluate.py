"""vidrnn evaluate MODEL DATA"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vidrnn.cli.flags import Settings, with_flags
from vidrnn.cli.options import Json, device_named
from vidrnn.settings import PredictConfig
from vidrnn.threads import available_cores

Split = Literal["train", "val", "test", "all"]


@with_flags("evaluate", PredictConfig)
def evaluate(
    model: Annotated[Path, typer.Argument(help="A run, a model folder or a .onnx file.")],
    data: Annotated[
        Path, typer.Argument(help="Labelled videos, as for vidrnn train; next-frame: any videos, or path,frame,label.")
    ],
    split: Annotated[
        Split | None,
        typer.Option(help="The videos to score [all but those that the model learnt from or was chosen on]."),
    ] = None,
    json: Json = False,
    *,
    settings: Settings,
) -> None:
    """Score a model on labelled videos that it has not seen."""
    from vidrnn.model.header import foretells_frames

    config = PredictConfig(**settings)
    scored = _frames_failed if foretells_frames(model) else _clips_failed
    if scored(model, data, split, config, as_json=json):
        raise typer.Exit(1)


def _clips_failed(model: Path, data: Path, split: Split | None, config: PredictConfig, *, as_json: bool) -> bool:
    """Score a model that names classes; whether some videos could not be scored."""
    from vidrnn.cli.views.scores import EvaluationView
    from vidrnn.evaluate.evaluator import evaluate as score
    from vidrnn.predict.predictor import Predictor, open_model

    opened, remark = open_model(model, config.runtime, device_named(config.device))
    cores = config.jobs or available_cores()
    predictor = Predictor(opened, rate=config.rate, threads=cores, per_film=config.threads, reset=config.reset)
    with EvaluationView(str(model), as_json=as_json) as view:
        view.remark(remark)
        found = view.follow(score(predictor, data, split))
    return bool(found.failures)


def _frames_failed(model: Path, data: Path, split: Split | None, config: PredictConfig, *, as_json: bool) -> bool:
    """Score a model of the next frames; whether some videos could not be scored."""
    from vidrnn.cli.views.scores import FramesEvaluationView
    from vidrnn.evaluate.frames_evaluate import evaluate_frames
    from vidrnn.predict.predictor import open_frames

    opened, remark = open_frames(model, config.runtime, device_named(config.device))
    cores = config.jobs or available_cores()
    with FramesEvaluationView(str(model), as_json=as_json) as view:
        view.remark(remark)
        found = view.follow(evaluate_frames(opened, model, data, split, rate=config.rate, jobs=cores))
    return bool(found.failures)
