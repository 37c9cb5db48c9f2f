"""Events of a long command, for the screen and for metrics.jsonl."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any, TypeAlias, TypeVar

from vidrnn.tables import Report
from vidrnn.values import FilmFailure


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for the user."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage has come."""

    stage: str
    done: int
    total: int
    frames: int = 0


class Pace:
    """Says when progress is due again, so that the events of a million films cost nothing beside the films."""

    def __init__(self, seconds: float = 0.05) -> None:
        self._seconds, self._last = seconds, 0.0

    def is_due(self) -> bool:
        """Whether the time has passed since it was due before. Then it begins again."""
        now = monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Films that could not be used, with the reasons."""

    failures: tuple[FilmFailure, ...]


@dataclass(frozen=True, slots=True)
class EpochDone:
    """One epoch of a training."""

    training: str
    """The name of the training: `model`."""
    number: int
    of: int | None
    """None where the clock decides."""
    train_loss: float
    loss: float
    """On validation."""
    measures: Mapping[str, float]
    """On validation, by the names that people see."""
    best: int
    """The number of the best epoch so far."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Done:
    """Training has ended and the model stands in its folder."""

    model: Path
    sentences: tuple[str, ...]
    seconds: float
    stopped: bool


RunEvent: TypeAlias = Note | Progress | LeftOut | EpochDone | Report | Done


Heard = TypeVar("Heard")
Passed = TypeVar("Passed")
Result = TypeVar("Result")


def through(
    events: Generator[Heard, None, Result], change: Callable[[Heard], Iterable[Passed]]
) -> Generator[Passed, None, Result]:
    """The result of work that has events, which `change` turns into none, one or several others on their way."""
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            result: Result = end.value
            return result
        yield from change(event)


def as_json(event: RunEvent) -> dict[str, Any]:
    """An event as plain values, under its own name."""
    if isinstance(event, Report):
        return {"event": "Report", "title": event.title, **_plain(event.numbers), "sentences": list(event.sentences)}
    return {"event": type(event).__name__, **_plain(asdict(event))}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value
