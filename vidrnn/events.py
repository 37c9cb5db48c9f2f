"""Events of long commands, as plain data. The console shows them, and a training stores them in metrics.jsonl."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from vidrnn.values import FilmFailure


@dataclass(frozen=True, slots=True)
class Note:
    """A message for the user."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of one stage."""

    stage: str
    done: int
    total: int
    frames: int = 0
    """Frames that were read so far; 0 if the stage reads no frames."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Films that cannot be used, with the reasons."""

    failures: tuple[FilmFailure, ...]


@dataclass(frozen=True, slots=True)
class EpochDone:
    """One epoch of a training."""

    training: str
    """The name of the training, such as `model`, `trial of small` or `control: frames shuffled`."""
    number: int
    of: int | None
    """The number of epochs; None if a time limit ends the training."""
    train_loss: float
    loss: float
    """The loss on validation clips."""
    accuracy: float
    macro_f1: float
    best: int
    """The number of the best epoch so far."""
    seconds: float


@dataclass(frozen=True, slots=True)
class ControlScore:
    """One row of the table at the end of a training."""

    name: str
    val_accuracy: float
    test_accuracy: float | None
    interval: tuple[float, float]
    """The 95 % interval of the test accuracy, or of the validation accuracy if there is no test part."""


@dataclass(frozen=True, slots=True)
class Controls:
    """The score of the model and the scores of its controls: without time, without training, with shuffled frames."""

    rows: tuple[ControlScore, ...]
    sentence: str
    """A sentence that says whether time helped."""
    order_points: float
    """The accuracy of the model minus the accuracy of the same head on shuffled frames, in percentage points."""
    p: float
    """The p-value of this difference."""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a training of a classifier. The model is in its folder."""

    model: Path
    """The folder of the model."""
    accuracy: float
    macro_f1: float
    ece: float
    part: str
    """The part of the scores: `val` or `test`."""
    confused: str
    """The most frequent confusion, in words."""
    seconds: float
    stopped: bool
    """Whether the user stopped the training."""


@dataclass(frozen=True, slots=True)
class FrameEpoch:
    """One epoch of a training of next-frame prediction."""

    number: int
    of: int | None
    """The number of epochs; None if a time limit ends the training."""
    train_loss: float
    mse: float
    """The mean squared error of a pixel on validation stretches, as a mean over the steps ahead."""
    first_mse: float
    """The same, one step ahead only."""
    best: int
    """The number of the best epoch so far."""
    seconds: float


@dataclass(frozen=True, slots=True)
class StepNumbers:
    """The errors of predicted frames, at one step ahead or over several steps; see `FrameScores`."""

    mse_sum: float
    mae_sum: float
    mse: float
    mae: float
    psnr: float
    ssim: float | None


@dataclass(frozen=True, slots=True)
class MethodScores:
    """The scores of one method of next-frame prediction."""

    name: str
    overall: StepNumbers
    per_step: tuple[StepNumbers, ...]
    """(steps,): the first one is one step ahead."""


@dataclass(frozen=True, slots=True)
class ForecastScores:
    """The scores of a model of next frames and of baselines without learning."""

    part: str
    """The part of the scored films."""
    stretches: int
    """The number of scored stretches of frames."""
    rows: tuple[MethodScores, ...]
    """The baselines, then the model."""
    sentence: str
    """A sentence that says whether the model beats the baselines."""
    definitions: tuple[str, ...]
    """The definitions of the numbers, one sentence each."""

    @property
    def model(self) -> MethodScores:
        """The scores of the model."""
        return self.rows[-1]


@dataclass(frozen=True, slots=True)
class ForecasterDone:
    """The end of a training of next-frame prediction. The model is in its folder."""

    model: Path
    """The folder of the model."""
    seconds: float
    stopped: bool


RunEvent: TypeAlias = (
    Note | Progress | LeftOut | EpochDone | Controls | Done | FrameEpoch | ForecastScores | ForecasterDone
)


def as_json(event: RunEvent) -> dict[str, Any]:
    """An event as a JSON object. Its type is under `event`."""
    return {"event": type(event).__name__, **_plain(asdict(event))}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value
