"""What a run and a model are told, validated. Knows no networks and opens no films.

`RunConfig` is what `vidrnn train` was asked for and travels as `config.toml`; `ModelHeader` is what a model must know
of itself and travels as JSON inside `model.safetensors`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vidrnn.atomic import write_text
from vidrnn.errors import ModelError, UsageError
from vidrnn.values import FORMAT_VERSION, FramesHandling, Handling, Part, Reset, Sampling, Size, Usual

USUAL_LAYERS = {"mingru": 2, "rglru": 2}
"""Of heads that are made of blocks; every other head has one."""

TaskName = Literal["classify", "next-frame"]
PaintName = Literal["direct", "flow", "kernel"]
ReadoutName = Literal["attention", "mean", "last"]
LabelHolds = Literal["always", "somewhere"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HeadConfig(_Frozen):
    """A recurrent head: which, how wide, how deep, and how far back it should remember at the start."""

    name: str = "gru"
    size: int = Field(128, ge=1, le=4096)
    layers: int | None = Field(None, ge=1, le=8)
    """Cells above each other, or residual blocks; None: as many as is usual for the head, see `depth`."""
    bidirectional: bool = False
    dropout: float | None = Field(None, ge=0, lt=1)
    """On the features that go in and on the sequence that comes out; None: chosen by how the encoder is trained."""
    motion: bool = False
    """Whether the head sees beside each frame's features how they changed since the frame before."""
    memory_frames: int | None = Field(None, ge=2)
    """Gate biases are drawn so that units remember from 2 up to this many frames before they have learnt anything;
    None: as many frames as is usual, the same for all."""

    @property
    def depth(self) -> int:
        """How many layers the head has."""
        return self.layers or USUAL_LAYERS.get(self.name, 1)


class ForecastConfig(_Frozen):
    """What a model is that predicts frames."""

    context: int = Field(10, ge=1, le=1000)
    """Frames that it was shown in training before it went on by itself."""
    horizon: int = Field(10, ge=1, le=1000)
    """Frames that it went on for."""
    paint: PaintName
    grey: bool = False
    """Whether it sees and paints brightness only."""
    faint: float = Field(0.0, ge=0, lt=1)
    """What is darker than this is painted black, where films are mostly black: a haze over a frame is no guess."""
    chosen: str = ""
    """Why it paints as it does, in a sentence."""

    @property
    def channels(self) -> int:
        """Of the pictures that it sees and paints."""
        return 1 if self.grey else 3


class RunConfig(_Frozen):
    """Everything `vidrnn train` can be told, with the defaults it uses when it is not."""

    data: str | None = None
    """The folder or manifest, as the run's own config.toml remembers it."""
    task: TaskName = "classify"
    encoder: str = "auto"
    weights: str | None = None
    """`imagenet`, `none` or a file; None: imagenet where the encoder has such weights."""
    fine_tune: bool = False
    grey: bool = False
    """Let the encoder see brightness only."""
    motion: bool = False
    """Show what changed since the frame before: an encoder in training sees it in the pixels, a head behind a known
    encoder in the features."""
    head: HeadConfig = HeadConfig()
    readout: ReadoutName = "attention"
    context: int = Field(10, ge=1, le=1000)
    """Frames that a model of the next frames is shown before it goes on by itself."""
    horizon: int = Field(10, ge=1, le=1000)
    """Frames that it goes on for."""
    paint: PaintName | None = None
    """How it paints; None: chosen by what guesses the films' next frames best."""
    label_holds: LabelHolds = "always"
    """Whether a clip's class shows at every moment of it, as walking does, or only somewhere in it, as a word does.
    Then windows in training are not cut shorter, which would cut the word out of some."""

    frames: int = Field(16, ge=1, le=4096)
    spacing_seconds: float | None = Field(None, ge=0.002, allow_inf_nan=False)
    """None: a window covers the median training clip."""
    height: int | None = Field(None, ge=8, le=4096)
    width: int | None = Field(None, ge=8, le=4096)
    """None for both: chosen by the encoder and the films."""
    rate: float | None = Field(None, gt=0)
    """Frames per second of films that are folders of numbered pictures."""
    flip: bool | None = None
    """None: mirrored films count as the same class unless a class name has the word left or right."""
    augment: float = Field(1.0, ge=0, le=2)
    """How far an encoder in training is shown clips shifted, scaled and lit otherwise than they are; 0: not at all."""

    epochs: int | None = Field(None, ge=1)
    """None: chosen by the encoder and the number of clips."""
    minutes: float | None = Field(None, gt=0)
    minibatch: int | None = Field(None, ge=2)
    learning_rate: float | None = Field(None, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    patience: int | None = Field(None, ge=1)
    """Epochs without a better validation macro-F1 before training stops."""
    seed: int = Field(0, ge=0)
    jobs: int | None = Field(None, ge=1)
    """Films, and shares of a minibatch, worked on at once. Part of what decides the weights; None: one per core."""

    test: bool = True
    folds: int | None = Field(None, ge=2, le=50)

    @model_validator(mode="after")
    def _both_sides_of_the_size(self) -> RunConfig:
        if (self.height is None) != (self.width is None):
            raise ValueError("give both height and width, or neither")
        return self

    @property
    def size(self) -> Size | None:
        """The picture's size where it was given."""
        return Size(self.height, self.width) if self.height and self.width else None

    def write(self, path: Path) -> None:
        """Write as TOML; what is None is left out, which reads back as None."""
        write_text(path, tomli_w.dumps(self.model_dump(mode="json", exclude_none=True)))

    @classmethod
    def read(cls, path: Path) -> RunConfig:
        """Read TOML written by `write` or by a person.

        Raises:
            UsageError: the file is missing, is not TOML, or names what does not exist.
        """
        try:
            told = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UsageError(f"{path}: no such configuration file.") from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"{path}: wanted a TOML file of settings, found: {error}.") from None
        return cls.of(told, source=str(path))

    @classmethod
    def of(cls, told: dict[str, Any], source: str) -> RunConfig:
        """Check settings from `source`, a name for the error message.

        Raises:
            UsageError: a setting does not exist or has a value it cannot have.
        """
        try:
            return cls.model_validate(told)
        except ValidationError as error:
            raise UsageError(f"{source}: {_in_words(error)}") from None


class EncoderConfig(_Frozen):
    """Which encoder a model has, and whether training left it as it was."""

    name: str
    frozen: bool
    origin: str
    """Where its first weights came from: `imagenet`, `none` or the name of a file."""
    grey: bool = False
    differences: bool = False
    """Whether it sees beside each frame how its pixels changed since the frame before."""

    @property
    def sees(self) -> str:
        """What it sees other than colours: `, grey, change of pixels`, or nothing."""
        return ", grey" * self.grey + ", change of pixels" * self.differences


class ModelSpec(_Frozen):
    """What is needed to build the network and to feed it; together with the weights, the whole model."""

    task: TaskName
    classes: tuple[str, ...] = ()
    """Two or more of what a film can be, for classify; none for next-frame."""
    forecast: ForecastConfig | None = None
    """For next-frame."""
    encoder: EncoderConfig
    head: HeadConfig
    readout: ReadoutName
    height: int = Field(ge=1)
    width: int = Field(ge=1)
    frames: int = Field(ge=1)
    spacing_seconds: float = Field(gt=0)
    reset: Reset = "cut"
    """When the state starts anew as a film is read: with each window, as in training, and at each cut."""

    @model_validator(mode="after")
    def _fit_for_the_task(self) -> ModelSpec:
        if self.task == "classify" and len(self.classes) < 2:
            raise ValueError("a classifier has at least two classes")
        if (self.task == "next-frame") != (self.forecast is not None):
            raise ValueError("a model of the next frames, and no other, says what it forecasts")
        return self

    @property
    def size(self) -> Size:
        """Of the pictures that the encoder sees."""
        return Size(self.height, self.width)

    @property
    def sampling(self) -> Sampling:
        """Which frames a window holds."""
        return Sampling(self.frames, self.spacing_seconds)


class CalibrationConfig(_Frozen):
    """What is usual in films like those that a model of the next frames learnt from; see `Usual`."""

    middle: float
    high: float
    smoothing_frames: int = Field(1, ge=1)
    error: float = Field(gt=0)
    motion: float | None = Field(None, gt=0)


class ModelHeader(_Frozen):
    """The JSON that travels inside the weights file: names, numbers and hashes, no paths of anyone's machine."""

    format_version: int = FORMAT_VERSION
    vidrnn_version: str
    spec: ModelSpec
    temperature: float = Field(1.0, gt=0)
    """Scores are divided by it before softmax, so that a probability of 0.8 is right about 8 times in 10."""
    calibration: CalibrationConfig | None = None
    """For next-frame: what errors are unusual."""
    seed: int
    seen: dict[str, Part]
    """Content hash of every clip of the training data, with its part."""
    scores: dict[str, Any]
    """What evaluation found at the end of training, as the model card shows it."""
    facts: dict[str, Any]
    """How the model came to be: data, split, encoder trial, command, seconds."""

    @property
    def frames_handling(self) -> FramesHandling:
        """How a model of the next frames is fed and read."""
        spec, found = self.spec, self.calibration
        assert spec.forecast is not None
        known = None if found is None else Usual(**found.model_dump())
        forecast = spec.forecast
        return FramesHandling(
            spec.size, spec.spacing_seconds, forecast.channels, forecast.context, forecast.horizon, known
        )

    @property
    def handling(self) -> Handling:
        """How the model is fed, and how its scores are read."""
        spec = self.spec
        return Handling(spec.classes, spec.size, spec.sampling, self.temperature, spec.reset)

    def to_json(self) -> str:
        """One line of JSON."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str, source: str) -> ModelHeader:
        """Read a header; `source` names the model in errors.

        Raises:
            ModelError: the text is damaged, or from a newer vidrnn.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            newer = _newer_version(text)
            if newer is not None:
                raise ModelError(
                    f"{source}: made with model format {newer}, and this vidrnn reads up to {FORMAT_VERSION}. "
                    "Update vidrnn: pip install --upgrade vidrnn."
                ) from None
            raise ModelError(f"{source}: its header is damaged ({_in_words(error)}). Copy the model again.") from None

    @model_validator(mode="after")
    def _known_format(self) -> ModelHeader:
        if self.format_version > FORMAT_VERSION:
            raise ValueError("newer format")
        return self


def _newer_version(text: str) -> int | None:
    """The format version of a header that is newer than ours, else None."""
    import json

    try:
        version = json.loads(text)["format_version"]
    except (ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, int) and version > FORMAT_VERSION else None


def _in_words(error: ValidationError) -> str:
    """Pydantic's findings as one sentence."""
    found = error.errors()
    parts = [f"{'.'.join(map(str, one['loc'])) or 'settings'}: {one['msg'].lower()}" for one in found[:3]]
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return "; ".join(parts) + more
