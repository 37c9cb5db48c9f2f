"""vidrnn info MODEL_OR_FILM"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidrnn.cli.flags import Settings, with_flags
from vidrnn.cli.options import Json, fetched
from vidrnn.settings import PredictConfig

if TYPE_CHECKING:
    from vidrnn.model.metadata import ModelHeader


@with_flags("info", PredictConfig)
def info(
    path: Annotated[Path, typer.Argument(help="A video, a run, a model folder or a .onnx file.")],
    json: Json = False,
    *,
    settings: Settings,
) -> None:
    """Show the facts of a video or a model. A video is read to its end, so the facts are measured."""
    from vidrnn.cli.views.facts import show_film, show_model

    path = fetched(path)
    if _is_model(path):
        show_model(_header_of(path), str(path), as_json=json)
        return
    from vidrnn.cli.views.base import View
    from vidrnn.video.reader import open_film

    with View(to_stderr=json) as view, open_film(path, rate=settings.get("rate")) as film:
        facts = film.facts(lambda seconds, whole: view.step("seconds of the video", int(seconds), int(whole) or None))
    show_film(facts, as_json=json)


def _header_of(path: Path) -> ModelHeader:
    from vidrnn.model.header import find_weights, read_header

    if path.suffix in (".onnx", ".xml"):
        from vidrnn.predict.predictor import open_model

        return open_model(path)[0].header
    return read_header(find_weights(path))


def _is_model(path: Path) -> bool:
    return path.suffix in (".safetensors", ".onnx") or any(
        (path / place).is_file() for place in ("model.safetensors", "model/model.safetensors", "config.toml")
    )
