"""What a model says of itself, and where its files are. Reads no weights and loads no network."""

from __future__ import annotations

import json
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING

from vidrnn.errors import ModelError
from vidrnn.values import FORMAT_VERSION, FramesHandling, Handling, Sampling, Size

if TYPE_CHECKING:
    from vidrnn.config import ModelHeader

WEIGHTS_NAME = "model.safetensors"
PORTABLE_NAME = "model.onnx"
OPENVINO_NAME = "model.xml"
HEADER_KEY = "vidrnn"
"""Under which a file's metadata hold the header."""


_FORETELLS = (b'"task":"next-frame"', rb"\"task\":\"next-frame\"")
"""How the header of a model of the next frames says so: as it is, and as a string in JSON."""


def shipped_models() -> Path:
    """The folder of the models that come with vidrnn."""
    package = Path(__file__).parent.parent
    installed = package / "shipped"
    return installed if installed.is_dir() else package.parent / "models"


def find_weights(path: Path) -> Path:
    """The weights file that `path`, a run folder, a model folder or the file itself, stands for.

    Raises:
        ModelError: there is none.
    """
    for file in (path / "model" / WEIGHTS_NAME, path / WEIGHTS_NAME, path):
        if file.is_file():
            return file
    if not path.exists():
        raise ModelError(f"{path}: no such model. Name a run, a model folder, or train one: vidrnn train DATA.")
    raise ModelError(f"{path}: no {WEIGHTS_NAME} in it, so it is not a model. Name a run or a model folder.")


def find_portable(path: Path, name: str = PORTABLE_NAME) -> Path | None:
    """The portable file that `path`, a run folder, a model folder or a file of it, stands for; None if there is none.

    `name` is what such a file is called in a model folder; by itself it may be called anything that ends alike.
    """
    if path.is_file():
        beside = path if path.suffix == Path(name).suffix else path.with_name(name)
        return beside if beside.is_file() else None
    return next((file for file in (path / "model" / name, path / name) if file.is_file()), None)


def foretells_frames(path: Path) -> bool:
    """Whether `path` stands for a model of the next frames, by what its file says; a missing one is none."""
    places = (path / "model" / WEIGHTS_NAME, path / WEIGHTS_NAME, path)
    file = find_portable(path) or next((one for one in places if one.is_file()), None)
    if file is None or not file.stat().st_size:
        return False
    with file.open("rb") as bytes_of, mmap(bytes_of.fileno(), 0, access=ACCESS_READ) as told:
        return any(told.find(mark) >= 0 for mark in _FORETELLS)


def read_header(file: Path) -> ModelHeader:
    """The header of a weights file, without reading its weights.

    Raises:
        ModelError: the file is damaged, is not vidrnn's, or is newer than this vidrnn.
    """
    from safetensors import SafetensorError, safe_open

    from vidrnn.config import ModelHeader

    try:
        with safe_open(file, framework="np") as tensors:
            metadata = tensors.metadata() or {}
    except (SafetensorError, OSError) as error:
        found = str(error).strip().splitlines()[0].rstrip(".:")
        raise ModelError(f"{file}: not a whole safetensors file ({found}). Copy the model again.") from None
    if HEADER_KEY not in metadata:
        raise ModelError(f"{file}: a safetensors file, but not a model that vidrnn made. Name the folder of one.")
    return ModelHeader.from_json(metadata[HEADER_KEY], source=str(file))


def read_frames_handling(text: str, source: str) -> FramesHandling | None:
    """How a model of the next frames is fed and read, from the JSON of its header; None if it is of another task.

    Raises:
        ModelError: the text is damaged, or from a newer vidrnn.
    """
    if _FORETELLS[0].decode() not in text:
        return None
    from vidrnn.config import ModelHeader

    return ModelHeader.from_json(text, source).frames_handling


def read_handling(text: str, source: str) -> Handling:
    """How a model is fed and read, from the JSON of its header; the rest of it is left alone, since checking it all
    takes longer than reading a short film.

    Raises:
        ModelError: the text is damaged, or from a newer vidrnn.
    """
    try:
        told = json.loads(text)
        spec = told["spec"]
        if told["format_version"] <= FORMAT_VERSION:
            size, sampling = Size(spec["height"], spec["width"]), Sampling(spec["frames"], spec["spacing_seconds"])
            reset = spec.get("reset", "window")
            return Handling(tuple(spec["classes"]), size, sampling, told["temperature"], reset)
    except (ValueError, KeyError, TypeError):
        pass  # what is wrong with it is told by who reads all of it
    from vidrnn.config import ModelHeader

    return ModelHeader.from_json(text, source).handling
