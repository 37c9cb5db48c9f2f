"""What a run and a model are told, validated. Knows no networks and opens no films.

`RunConfig` holds the settings of `vidrnn train` and travels as `config.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vidrnn.errors import UsageError
from vidrnn.values import Size

USUAL_LAYERS = {"mingru": 2, "rglru": 2}
"""Of heads that are made of blocks; every other head has one."""

TaskName = Literal["classify", "next-frame"]
DecoderName = Literal["direct", "flow", "kernel"]
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
    decoder: DecoderName | None = None
    """How the next frame is made; None: chosen by the simple guess that is best on the videos."""
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

    def with_defaults(self, defaults: Mapping[str, Any]) -> RunConfig:
        """These settings, with a task's own defaults where nothing was said; `head.size` names a field of the head.

        A run that is resumed finds its settings in a file, which no longer tells what was said; there all fields count
        as said.
        """
        update: dict[str, Any] = {}
        for name, value in defaults.items():
            owner, _, inner = name.partition(".")
            if not inner:
                update |= {} if name in self.model_fields_set else {name: value}
            else:
                record = update.get(owner, getattr(self, owner))
                if inner not in record.model_fields_set:
                    update[owner] = record.model_copy(update={inner: value})
        return self.model_copy(update=update)

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
            raise UsageError(f"{source}: {in_words(error)}") from None


def in_words(error: ValidationError) -> str:
    """Pydantic's findings as one sentence."""
    found = error.errors()
    parts = [f"{'.'.join(map(str, one['loc'])) or 'settings'}: {one['msg'].lower()}" for one in found[:3]]
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return "; ".join(parts) + more
