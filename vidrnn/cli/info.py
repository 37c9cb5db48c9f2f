"""vidrnn info MODEL_OR_FILM"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidrnn.cli.options import Json, Rate

if TYPE_CHECKING:
    from vidrnn.config import ModelHeader


def info(
    path: Annotated[Path, typer.Argument(help="A film, a run, a model folder or a .onnx file.")],
    rate: Rate = None,
    json: Json = False,
) -> None:
    """Show what a film or a model is; a film is read to its end, so that nothing is the container's claim."""
    from vidrnn.cli.views.facts import show_film, show_model

    if _is_model(path):
        show_model(_header_of(path), str(path), as_json=json)
        return
    from vidrnn.video.reader import open_film

    with open_film(path, rate=rate) as film:
        show_film(film.facts(), as_json=json)


def _header_of(path: Path) -> ModelHeader:
    from vidrnn.model.header import find_weights, foretells_frames, read_header

    if path.suffix == ".onnx":
        from vidrnn.predict.predictor import open_frames, open_model

        return (open_frames if foretells_frames(path) else open_model)(path, "onnx")[0].header

    return read_header(find_weights(path))


def _is_model(path: Path) -> bool:
    return path.suffix in (".safetensors", ".onnx") or any(
        (path / place).is_file() for place in ("model.safetensors", "model/model.safetensors", "config.toml")
    )
