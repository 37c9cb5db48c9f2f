"""The header of a model, and the places of its files. Reads no weights and loads no network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidrnn.errors import ModelError
from vidrnn.model.whole import check_whole
from vidrnn.values import (
    FORMAT_VERSION,
    INPUT_OF,
    AnswerSpec,
    DecisionRule,
    FeatureSpec,
    Forecast,
    Handling,
    Sampling,
    Size,
)

if TYPE_CHECKING:
    from vidrnn.model.metadata import ModelHeader

WEIGHTS_NAME = "model.safetensors"
PORTABLE_NAME = "model.onnx"
OPENVINO_NAME = "model.xml"
HEADER_KEY = "vidrnn"
"""The key of the header in the metadata of a file."""


def shipped_models() -> Path:
    """The folder of the models that come with vidrnn."""
    package = Path(__file__).parent.parent
    installed = package / "shipped"
    return installed if installed.is_dir() else package.parent / "models"


def find_weights(path: Path) -> Path:
    """The weights file of `path`, which is a run folder, a model folder or the file itself.

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
    """The portable file of `path`, which is a run folder, a model folder or a file of it; None if there is none.

    `name` is its name in a model folder. Elsewhere the file may have any name with the same suffix.
    """
    if path.is_file():
        beside = path if path.suffix == Path(name).suffix else path.with_name(name)
        return beside if beside.is_file() else None
    return next((file for file in (path / "model" / name, path / name) if file.is_file()), None)


def read_header(file: Path) -> ModelHeader:
    """The header of a weights file, whose checksum is verified; no network is loaded.

    Raises:
        ModelError: the file is damaged, is not vidrnn's, or is of another version of vidrnn.
    """
    from vidrnn.model.metadata import ModelHeader

    text = _metadata(file)[HEADER_KEY]
    check_whole(file)
    return ModelHeader.from_json(text, source=str(file))


def _metadata(file: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as tensors:
            metadata: dict[str, str] = tensors.metadata() or {}
    except (SafetensorError, OSError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".:")
        raise ModelError(f"{file}: not a whole safetensors file ({reason}). Copy the model again.") from None
    if HEADER_KEY not in metadata:
        raise ModelError(f"{file}: a safetensors file, but not a model that vidrnn made. Name the folder of one.")
    return metadata


def read_handling(text: str, source: str) -> Handling:
    """How a model is fed and its outputs are read, from the JSON of its header.

    The rest of the header is not checked, because that takes longer than a short film.

    Raises:
        ModelError: the text is damaged, or from another version of vidrnn.
    """
    try:
        header = json.loads(text)
        if header["format_version"] == FORMAT_VERSION and not header["spec"]["encoder"].get("differences"):
            return _handling(header)
    except (ValueError, KeyError, TypeError):
        pass  # reading the whole header gives the right error
    from vidrnn.model.metadata import ModelHeader

    return ModelHeader.from_json(text, source).handling


def _handling(header: dict[str, Any]) -> Handling:
    spec, answer = header["spec"], header["answer"]
    known = {name: answer.get(name) for name in ("task", "kind", "resolution", "background", "unit")}
    forecast, encoder = spec.get("forecast"), spec["encoder"]
    features, motion = encoder.get("features"), encoder.get("motion", ()) if spec["network"] == "scores" else ()
    return Handling(
        answer=AnswerSpec(**known, classes=tuple(answer["classes"])),
        decision=DecisionRule.of(header["decision"]),
        size=Size(spec["height"], spec["width"]),
        sampling=Sampling(spec["frames"], spec["spacing_seconds"]),
        forecast=forecast and Forecast(forecast["context"], forecast["horizon"], 1 if forecast["grey"] else 3),
        inputs=tuple(INPUT_OF[name] for name in motion),
        motion_seconds=encoder["motion_seconds"] if motion else None,
        features=features and FeatureSpec(int(features["width"]), float(features["rate"])),
    )


def read_weights_handling(file: Path) -> Handling:
    """How a model is fed and its outputs are read, from its weights file; the weights are not read.

    Raises:
        ModelError: the file is damaged, is not vidrnn's, or is of another version.
    """
    return read_handling(_metadata(file)[HEADER_KEY], str(file))
