"""vidrnn evaluate MODEL DATA"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from vidrnn.cli.flags import PREDICT_ALWAYS, Settings, refuse, refuse_foreign, with_flags
from vidrnn.cli.options import Json, device_named, fetched
from vidrnn.config import LabelsConfig
from vidrnn.settings import PredictConfig
from vidrnn.threads import available_cores

Split = Literal["train", "val", "test", "all"]


@with_flags("evaluate", PredictConfig, LabelsConfig)
def evaluate(
    model: Annotated[
        Path,
        typer.Argument(help="A run, a model folder or a .onnx file; or a model of vidrnn by its name, such as moves."),
    ],
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
    from vidrnn.cli.views.scores import EvaluationView
    from vidrnn.evaluate.evaluator import evaluate as score
    from vidrnn.model.header import located_model
    from vidrnn.predict.predictor import Predictor, open_model

    model = located_model(model)
    reading = {name: settings.pop(name) for name in list(settings) if name in LabelsConfig.model_fields}
    config = PredictConfig(**settings)
    opened, remark = open_model(fetched(model), config.runtime, device_named(config.device))
    rule = opened.handling.decision
    predictor = Predictor(
        opened,
        replace(rule, reset=config.reset) if config.reset else rule,
        rate=config.rate,
        threads=config.jobs or available_cores(),
        per_film=config.threads,
    )
    refuse_foreign(predictor.task.name, PredictConfig, settings, predictor.task.settings | PREDICT_ALWAYS)
    if reading and "labels" not in predictor.task.settings:
        refuse(f"for --task {predictor.task.name}", LabelsConfig, reading, reading)
    with EvaluationView(str(model), as_json=json) as view:
        view.remark(remark)
        evaluation = view.follow(score(predictor, model, data, split, LabelsConfig(**reading)))
    if evaluation.failures:
        raise typer.Exit(1)
