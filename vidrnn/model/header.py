"""The header of a model, and the places of its files. Reads no weights and loads no network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from vidrnn.errors import ModelError, first_line
from vidrnn.model.whole import check_whole
from vidrnn.values import (
    FORMAT_VERSION,
    INPUT_OF,
    LONGEST_MOTION_SECONDS,
    AnswerSpec,
    DecisionRule,
    FeatureSpec,
    Forecast,
    Handling,
    Kind,
    Reset,
    Resolution,
    Sampling,
    Size,
)

if TYPE_CHECKING:
    from vidrnn.model.metadata import ModelHeader

WEIGHTS_NAME = "model.safetensors"
TRAINING_NAME = "training.safetensors"
PIECES = "pieces"
"""The checkpoint of a training, and the folder beside it of the pieces that are done."""
PORTABLE_NAME = "model.onnx"
OPENVINO_NAME = "model.xml"
HEADER_KEY = "vidrnn"
"""The key of the header in the metadata of a file."""


def shipped_models() -> Path:
    """The folder of the models that come with vidrnn."""
    package = Path(__file__).parent.parent
    installed = package / "shipped"
    return installed if installed.is_dir() else package.parent / "models"


def located_model(path: Path) -> Path:
    """The path itself, or the model that comes with vidrnn where there is no such file: `moves`, or `models/moves`.

    An installed vidrnn thus knows its models by name, and the commands of the documentation work in any folder.
    """
    if path.exists() or path.is_absolute() or path.parts[:-1] not in ((), ("models",)):
        return path
    shipped = shipped_models() / path.name
    return shipped if path.name and (shipped / WEIGHTS_NAME).is_file() else path


def find_weights(path: Path) -> Path:
    """The weights file of `path`, which is a run folder, a model folder or the file itself.

    Raises:
        ModelError: there is none.
    """
    for file in (path / "model" / WEIGHTS_NAME, path / WEIGHTS_NAME, path):
        if file.is_file():
            return file
    if not path.exists():
        known = ", ".join(sorted(folder.name for folder in shipped_models().glob("*/") if folder.is_dir()))
        raise ModelError(
            f"{path}: no such model. Name a run, a model folder, or a model that comes with vidrnn ({known}); or train "
            "one: vidrnn train DATA."
        )
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
        reason = first_line(error)
        raise ModelError(f"{file}: not a whole safetensors file ({reason}). Copy the model again.") from None
    if HEADER_KEY not in metadata:
        raise ModelError(f"{file}: a safetensors file, but not a model that vidrnn made. Name the folder of one.")
    return metadata


def read_handling(text: str, source: str) -> Handling:
    """How a model is fed and its outputs are read, from the JSON of its header.

    These parts are checked as `ModelHeader` checks them. The rest of the header is not, because that takes longer than
    a short film.

    Raises:
        ModelError: the text is damaged, or from another version of vidrnn.
    """
    try:
        header = json.loads(text)
        if header["format_version"] == FORMAT_VERSION and not header["spec"]["encoder"].get("differences"):
            return _handling(header)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        pass  # reading the whole header gives the right error
    from vidrnn.model.metadata import ModelHeader

    return ModelHeader.from_json(text, source).handling


def _handling(header: dict[str, Any]) -> Handling:
    """The handling that a header states.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, OverflowError: a part is missing, of a wrong type, or does not
            fit the others.
    """
    spec, answer = header["spec"], header["answer"]
    forecast, encoder = spec.get("forecast"), spec["encoder"]
    features, motion = encoder.get("features"), encoder.get("motion", ()) if spec["network"] == "scores" else ()
    if spec["network"] != ("scores" if forecast is None else "frames"):
        raise ValueError("network")
    return Handling(
        answer=_answer(answer),
        decision=_decision(header["decision"]),
        size=Size(_whole(spec["height"]), _whole(spec["width"])),
        sampling=Sampling(_whole(spec["frames"]), _number(spec["spacing_seconds"])),
        forecast=None if forecast is None else _forecast(forecast),
        inputs=tuple(INPUT_OF[name] for name in motion),
        motion_seconds=_of_motion(_number(encoder["motion_seconds"])) if motion else None,
        features=None if features is None else FeatureSpec(_whole(features["width"]), _number(features["rate"])),
    )


def _answer(record: dict[str, Any]) -> AnswerSpec:
    kind, resolution, classes = record["kind"], record["resolution"], record["classes"]
    if kind not in get_args(Kind) or resolution not in get_args(Resolution) or type(classes) is not list:
        raise ValueError("answer")
    background, unit = record.get("background"), record.get("unit")
    _texts(record["task"], *classes, *({background, unit} - {None}))
    return AnswerSpec(record["task"], kind, resolution, tuple(classes), background, unit)


def _decision(record: dict[str, Any]) -> DecisionRule:
    for name in ("temperature", "threshold", "hysteresis", "shortest_seconds", "smoothing_seconds"):
        setting = record.get(name, 1.0)
        for number in setting.values() if isinstance(setting, dict) and name != "smoothing_seconds" else (setting,):
            _number(number)
    if record.get("reset", "cut") not in get_args(Reset) or record.get("direction", "both") not in ("causal", "both"):
        raise ValueError("decision")
    if (anomaly := record.get("anomaly")) is not None:
        _whole(anomaly["smoothing_frames"])
        for name, value in anomaly.items():
            _number(0 if value is None and name == "motion" else value)
    return DecisionRule.of(record)


def _forecast(record: dict[str, Any]) -> Forecast:
    if type(record["grey"]) is not bool:
        raise TypeError("grey")
    return Forecast(_whole(record["context"]), _whole(record["horizon"]), 1 if record["grey"] else 3)


def _of_motion(seconds: float) -> float:
    if not 0 < seconds <= LONGEST_MOTION_SECONDS:
        raise ValueError("motion_seconds")
    return seconds


def _whole(value: object) -> int:
    if type(value) is not int:  # True is an int, too
        raise TypeError("no whole number")
    return value


def _number(value: object) -> float:
    if type(value) not in (int, float):
        raise TypeError("no number")
    return float(value)  # type: ignore[arg-type]


def _texts(*values: object) -> None:
    if not all(isinstance(value, str) for value in values):
        raise TypeError("no text")


def read_weights_handling(file: Path) -> Handling:
    """How a model is fed and its outputs are read, from its weights file; the weights are not read.

    Raises:
        ModelError: the file is damaged, is not vidrnn's, or is of another version.
    """
    return read_handling(_metadata(file)[HEADER_KEY], str(file))
