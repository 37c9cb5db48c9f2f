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
    RuntimeOption,
    Threads,
    device_named,
    jobs_or_cores,
)


def evaluate(
    model: Annotated[Path, typer.Argument(help="A run, a model folder or a .onnx file.")],
    data: Annotated[Path, typer.Argument(help="Labelled films, as for vidrnn train.")],
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
    from vidrnn.console import EvaluationView
    from vidrnn.evaluate import evaluate as score
    from vidrnn.predict import Predictor, open_model

    opened, remark = open_model(model, runtime, device_named(device))
    predictor = Predictor(opened, rate=rate, threads=jobs_or_cores(jobs), per_film=threads, reset=reset)
    with EvaluationView(str(model), as_json=json) as view:
        view.remark(remark)
        found = view.follow(score(predictor, data, split))
    if found.failures:
        raise typer.Exit(1)
