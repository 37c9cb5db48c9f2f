"""What a long journey tells on its way: plain events, to be shown by the console and kept in metrics.jsonl."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from vidrnn.values import FilmFailure


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person should know."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage has come."""

    stage: str
    done: int
    total: int
    frames: int = 0


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Films that could not be used, and why."""

    failures: tuple[FilmFailure, ...]


@dataclass(frozen=True, slots=True)
class EpochDone:
    """One epoch of a training."""

    training: str
    """Which training: `model`, `trial of small`, `control: frames shuffled`."""
    number: int
    of: int | None
    """None where the clock decides."""
    train_loss: float
    loss: float
    accuracy: float
    macro_f1: float
    best: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ControlScore:
    """One row of the table that ends a training."""

    name: str
    val_accuracy: float
    test_accuracy: float | None
    interval: tuple[float, float]
    """95 %, of the test accuracy, or of the validation accuracy where there is no test part."""


@dataclass(frozen=True, slots=True)
class Controls:
    """The score beside what it would be without time, without training, with shuffled frames."""

    rows: tuple[ControlScore, ...]
    sentence: str
    """Whether time helped."""
    order_points: float
    """Accuracy of the model minus that of the same head on shuffled frames, in points of 100."""
    p: float
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """Training has ended and the model stands in its folder."""

    model: Path
    accuracy: float
    macro_f1: float
    ece: float
    part: str
    confused: str
    seconds: float
    stopped: bool


@dataclass(frozen=True, slots=True)
class FrameEpoch:
    """One epoch of a model that learns to foretell frames."""

    number: int
    of: int | None
    """None where the clock decides."""
    train_loss: float
    mse: float
    """Of a pixel on validation stretches, mean over the steps ahead."""
    first_mse: float
    """... one step ahead."""
    best: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StepNumbers:
    """How near predicted frames are to the true ones, at one step ahead or over several; see `FrameScores`."""

    mse_sum: float
    mae_sum: float
    mse: float
    mae: float
    psnr: float
    ssim: float | None


@dataclass(frozen=True, slots=True)
class MethodScores:
    """One way to foretell frames."""

    name: str
    overall: StepNumbers
    per_step: tuple[StepNumbers, ...]
    """One step ahead first."""


@dataclass(frozen=True, slots=True)
class ForecastScores:
    """A model's scores beside those of what needs no learning; the model is the last row."""

    part: str
    stretches: int
    rows: tuple[MethodScores, ...]
    sentence: str
    """Whether the model is worth having."""
    definitions: tuple[str, ...]
    """What each number is, a sentence each."""

    @property
    def model(self) -> MethodScores:
        """The model's."""
        return self.rows[-1]


@dataclass(frozen=True, slots=True)
class ForecasterDone:
    """Training has ended and the model of the next frames stands in its folder."""

    model: Path
    seconds: float
    stopped: bool


RunEvent: TypeAlias = (
    Note | Progress | LeftOut | EpochDone | Controls | Done | FrameEpoch | ForecastScores | ForecasterDone
)


def as_json(event: RunEvent) -> dict[str, Any]:
    """An event as plain values, under its own name."""
    return {"event": type(event).__name__, **_plain(asdict(event))}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value
