"""vidrnn info MODEL_OR_FILM, and vidrnn info --system"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidrnn.cli.flags import Settings, with_flags
from vidrnn.cli.options import Json, fetched, found_devices
from vidrnn.errors import UsageError
from vidrnn.settings import PredictConfig

if TYPE_CHECKING:
    from vidrnn.model.metadata import ModelHeader


@with_flags("info", PredictConfig)
def info(
    path: Annotated[Path | None, typer.Argument(help="A video, a run, a model folder or a .onnx file.")] = None,
    system: Annotated[
        bool,
        typer.Option("--system", help="Show versions, codecs, devices, cache and folders: what a bug report needs."),
    ] = False,
    json: Json = False,
    *,
    settings: Settings,
) -> None:
    """Show the facts of a video or a model. A video is read to its end, so the facts are measured."""
    from vidrnn.cli.views.facts import show_film, show_model

    if system and path is not None:
        raise UsageError(f"--system {path}: --system is of the machine, so it takes no path. Leave one of them out.")
    if system:
        _show_system(as_json=json)
        return
    if path is None:
        raise UsageError("info: name a video or a model: vidrnn info PATH. For this machine: vidrnn info --system.")
    path = fetched(path)
    if _is_model(path):
        show_model(_header_of(path), str(path), as_json=json)
        return
    from vidrnn.cli.views.base import View
    from vidrnn.video.reader import open_film

    with View(to_stderr=json) as view, open_film(path, rate=settings.get("rate")) as film:
        facts = film.facts(lambda seconds, whole: view.step("seconds of the video", int(seconds), int(whole) or None))
    show_film(facts, as_json=json)


def _show_system(*, as_json: bool) -> None:
    import tempfile

    from vidrnn.cli.views.system import show_system
    from vidrnn.data.store import cache_folder, store_at
    from vidrnn.runtimes.onnx import computing_providers
    from vidrnn.system import describe_folder, describe_machine
    from vidrnn.video.inspection.codecs import describe_decoders

    folder = cache_folder()
    contents = store_at(folder).contents() if folder else None
    cache = {"entries": contents.entries, "videos": contents.films} if contents else {}
    if contents:
        cache["bytes"] = contents.size_bytes
    computing = {"devices": list(found_devices()), "onnxruntime": computing_providers()}
    places = dict.fromkeys([*([folder] if folder else []), Path(tempfile.gettempdir())])
    show_system(
        describe_machine(),
        describe_decoders(),
        computing,
        cache,
        [describe_folder(place) for place in places],
        as_json=as_json,
    )


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
