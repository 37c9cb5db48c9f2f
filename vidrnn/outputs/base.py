"""The contract of an output: an answer and the file it goes to. The network is known to nobody here."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from vidrnn.values import FilmPrediction, Segment

SEGMENT_COLUMNS = ("path", "start_seconds", "end_seconds", "label", "probability")
"""Of a timeline as a table."""

_DIGITS = 6
"""After the point: finer than a microsecond and than what two processors agree on."""


@dataclass(frozen=True)
class Answered:
    """One film, and what the model says of it."""

    film: Path
    """Where it can be read once more."""
    name: str
    """What results call it: its path below the folder that was read, with slashes."""
    prediction: FilmPrediction
    model: str
    rate: float | None = None
    """Frames per second, where the film is a folder of pictures."""


class Output(ABC):
    """One form of an answer."""

    suffix: ClassVar[str]
    """What the file's name ends with, after the whole name of the film."""
    needs: ClassVar[str] = ""
    """The package that it needs beside what vidrnn needs, if any."""

    @abstractmethod
    def write(self, answered: Answered, file: Path) -> None:
        """Write the answer to `file`, whole or not at all, and the same bytes for the same answer.

        Raises:
            OutputError: it cannot be written there, or the answer holds nothing that this form could show.
        """


def prediction_json(name: str, prediction: FilmPrediction) -> dict[str, Any]:
    """An answer as one JSON object, as `vidrnn predict --json` has it; what the answer does not hold is left out."""
    record: dict[str, Any] = {"path": name}
    if prediction.label is not None and prediction.probability is not None:
        top = [{"label": one.label, "probability": rounded(one.probability)} for one in prediction.top]
        record |= {"label": prediction.label, "probability": rounded(prediction.probability), "top": top}
    record |= {name: significant(value) for name, value in prediction.measures.items()}
    return record | {
        "segments": [segment_json(segment) for segment in prediction.segments],
        "duration_seconds": rounded(prediction.duration_seconds),
        "frames": prediction.frames,
        "notes": list(prediction.notes),
    }


def segment_json(segment: Segment) -> dict[str, Any]:
    """A stretch of film as one JSON object."""
    return {
        "start_seconds": rounded(segment.start_seconds),
        "end_seconds": rounded(segment.end_seconds),
        "label": segment.label,
        "probability": rounded(segment.probability),
    }


def segment_rows(answered: Answered) -> Iterator[dict[str, Any]]:
    """The timeline as a table with the columns `SEGMENT_COLUMNS`."""
    for segment in answered.prediction.segments:
        yield {"path": answered.name, **segment_json(segment)}


def rounded(number: float) -> float:
    """The number to six places, so that a result does not depend on the last bits of a processor."""
    return round(float(number), _DIGITS)


def significant(number: float) -> float | None:
    """The number to four significant digits; None for what is not a number."""
    return float(f"{number:.4g}") if math.isfinite(number) else None


def captions(found: FilmPrediction) -> Iterator[tuple[int, int, str]]:
    """What to show from when to when, in whole milliseconds; each stands for one at least."""
    for segment in found.segments:
        start, end = round(1000 * segment.start_seconds), round(1000 * segment.end_seconds)
        yield start, max(end, start + 1), f"{' '.join(segment.label.split())}  {segment.probability:.2f}"


def clock(milliseconds: int, point: str) -> str:
    """A time as subtitles have it: 01:02:03.456, with the decimal point asked for."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{rest:03d}"
