"""vidrnn predict SOURCE..."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    model_named,
)
from vidrnn.errors import UsageError

if TYPE_CHECKING:
    from vidrnn.values import FilmFailure


def predict(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE...", help="Films, folders of films, or patterns.")],
    model: Annotated[
        Path | None,
        typer.Option(help="A run, a model folder or a .onnx [the newest run in runs/, else actions]."),
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Answers less probable than this are called unknown.")
    ] = 0.0,
    hysteresis: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="How much more probable another answer must be to take over [0.1]."),
    ] = None,
    shortest: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="Stretches of the timeline last at least so long [0.5]."),
    ] = None,
    reset: ResetOption = None,
    rate: Rate = None,
    runtime: RuntimeOption = None,
    device: Device = "auto",
    jobs: Jobs = None,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Say what happens in films, and when. Each film is read to its end."""
    films, missing = _films_of(sources)
    name = model_named(model)

    from vidrnn.console import PredictionView
    from vidrnn.predict import HYSTERESIS, SHORTEST_SECONDS, Predictor, open_model

    opened, remark = open_model(name, runtime, device_named(device))
    each = threads or (None if opened.name == "torch" else 1)
    predictor = Predictor(
        opened,
        rate=rate,
        threads=jobs_or_cores(jobs),
        per_film=each,
        reset=reset,
        hysteresis=HYSTERESIS if hysteresis is None else hysteresis,
        shortest_seconds=SHORTEST_SECONDS if shortest is None else shortest,
    )
    with PredictionView(str(name), len(films) + len(missing), as_json=json) as view:
        view.remark(remark)
        for failure in missing:
            view.show(failure)
        for found in predictor.predict_all(films, threshold):
            view.show(found)
    if view.failed:
        raise typer.Exit(1)


def _films_of(sources: list[str]) -> tuple[list[Path], list[FilmFailure]]:
    """The films that the sources name, each once; a source that names none is a failure, unless it is the only one.

    Raises:
        UsageError: no source names a film.
    """
    from vidrnn.films import find_films
    from vidrnn.values import FilmFailure

    films: dict[Path, Path] = {}
    missing: list[FilmFailure] = []
    for source in sources:
        try:
            films |= {film.resolve(): film for film in find_films([source]) if film.resolve() not in films}
        except UsageError as error:
            if len(sources) == 1:
                raise
            missing.append(FilmFailure.of(Path(source), error))
    if not films:
        raise UsageError(" ".join(f"{failure.path}: {failure.reason}" for failure in missing))
    return list(films.values()), missing
