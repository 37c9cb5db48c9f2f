"""vidrnn evaluate MODEL DATA"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vidrnn.cli.options import (
    Device,
    Jobs,
    Json,
    Rate,
    ResetOption,
    RuntimeName,
    RuntimeOption,
    Threads,
    device_named,
)
from vidrnn.model.header import foretells_frames
from vidrnn.threads import available_cores


def evaluate(
    model: Annotated[Path, typer.Argument(help="A run, a model folder or a .onnx file.")],
    data: Annotated[
        Path, typer.Argument(help="Labelled films, as for vidrnn train; next-frame: any films, or path,frame,label.")
    ],
    split: Annotated[
        Literal["train", "val", "test", "all"] | None,
        typer.Option(help="Which films [all but those the model learnt from or was chosen on]."),
    ] = None,
    reset: ResetOption = None,
    rate: Rate = None,
    runtime: RuntimeOption = None,
    device: Device = "auto",
    jobs: Jobs = None,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Score a model on labelled films that it has not seen."""
    if foretells_frames(model):
        raise typer.Exit(_frames(model, data, split, rate, runtime, device_named(device), jobs, as_json=json))
    from vidrnn.cli.views.scores import EvaluationView
    from vidrnn.evaluate.evaluator import evaluate as score
    from vidrnn.predict.predictor import Predictor, open_model

    opened, remark = open_model(model, runtime, device_named(device))
    predictor = Predictor(opened, rate=rate, threads=jobs or available_cores(), per_film=threads, reset=reset)
    with EvaluationView(str(model), as_json=json) as view:
        view.remark(remark)
        found = view.follow(score(predictor, data, split))
    if found.failures:
        raise typer.Exit(1)


def _frames(
    model: Path,
    data: Path,
    split: Literal["train", "val", "test", "all"] | None,
    rate: float | None,
    runtime: RuntimeName | None,
    device: str,
    jobs: int | None,
    *,
    as_json: bool,
) -> int:
    """A model of the next frames; the exit code."""
    from vidrnn.cli.views.scores import FramesEvaluationView
    from vidrnn.evaluate.frames_evaluate import evaluate_frames
    from vidrnn.predict.predictor import open_frames

    opened, remark = open_frames(model, runtime, device)
    with FramesEvaluationView(str(model), as_json=as_json) as view:
        view.remark(remark)
        found = view.follow(evaluate_frames(opened, model, data, split, rate=rate, jobs=jobs or available_cores()))
    return 1 if found.failures else 0
