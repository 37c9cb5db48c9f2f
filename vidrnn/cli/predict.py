"""vidrnn predict SOURCE..."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidrnn.cli.options import Device, Jobs, Json, Rate, device_named, jobs_or_cores, model_named


def predict(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE...", help="Films, folders of films, or patterns.")],
    model: Annotated[
        Path | None, typer.Option(help="A run or a model folder [the newest run in runs/, else the shipped actions].")
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Answers less probable than this are called unknown.")
    ] = 0.0,
    rate: Rate = None,
    device: Device = "auto",
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Say what happens in films, and when. Each film is read to its end."""
    from vidrnn.films import find_films

    films = find_films(sources)
    name = model_named(model)

    from vidrnn.checkpoint import load_model
    from vidrnn.console import PredictionView
    from vidrnn.predict import Predictor

    loaded = load_model(name).on(device_named(device))
    predictor = Predictor(loaded, rate=rate, threads=jobs_or_cores(jobs))
    with PredictionView(str(name), len(films), as_json=json) as view:
        for found in predictor.predict_all(films, threshold):
            view.show(found)
    if view.failed:
        raise typer.Exit(1)
