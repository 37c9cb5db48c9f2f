"""vidrnn info MODEL_OR_FILM"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidrnn.cli.options import Json, Rate


def info(
    path: Annotated[Path, typer.Argument(help="A film, a run or a model folder.")],
    rate: Rate = None,
    json: Json = False,
) -> None:
    """Show what a film or a model is; a film is read to its end, so that nothing is the container's claim."""
    from vidrnn.console import show_film, show_model

    if _is_model(path):
        from vidrnn.checkpoint import find_weights, read_header

        show_model(read_header(find_weights(path)), str(path), as_json=json)
        return
    from vidrnn.video import open_film

    with open_film(path, rate=rate) as film:
        show_film(film.facts(), as_json=json)


def _is_model(path: Path) -> bool:
    return path.suffix == ".safetensors" or any(
        (path / place).is_file() for place in ("model.safetensors", "model/model.safetensors", "config.toml")
    )
