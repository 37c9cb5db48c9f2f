"""The contract of an output: it writes the answer for one film to a file. It does not know the model or its task."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from vidrnn.errors import OutputError
from vidrnn.values import Budget, FilmPrediction, Segment

SEGMENT_COLUMNS = ("path", "start_seconds", "end_seconds", "label", "probability")
"""Of segments as a table."""

_DIGITS = 6
"""Decimal places: the last bits of a number differ between processors."""


@dataclass(frozen=True)
class Answered:
    """One film and the answer for it."""

    film: Path
    """Where the film is; the annotated video reads it once more."""
    name: str
    """Its name in results: its path below the folder that was read, with slashes."""
    prediction: FilmPrediction
    model: str
    rate: float | None = None
    """Frames per second, where the film is a folder of pictures."""


class Output(ABC):
    """One format of an answer. It asks what the prediction holds: a label, segments, moments, pictures."""

    suffix: ClassVar[str]
    """The end of the file's name, after the whole name of the film."""
    needs: ClassVar[str] = ""
    """The package that this format needs and vidrnn does not, if any."""

    @abstractmethod
    def write(self, answered: Answered, file: Path) -> None:
        """Write the answer to `file`, whole or not at all. The same answer gives the same bytes.

        Raises:
            FilmError: the film cannot be read once more.
            OutputError: the file cannot be written, or the answer holds nothing for this format.
        """


def prediction_json(name: str, prediction: FilmPrediction) -> dict[str, Any]:
    """An answer as one JSON object, as in `vidrnn predict --json`, without the fields that the answer does not hold."""
    record: dict[str, Any] = {"path": name}
    if prediction.label is not None and prediction.probability is not None:
        top = [{"label": one.label, "probability": rounded(one.probability)} for one in prediction.top]
        record |= {"label": prediction.label, "probability": rounded(prediction.probability), "top": top}
    record |= {name: significant(value) for name, value in prediction.measures.items()}
    if prediction.budget:
        record["budget"] = {name: budget_json(budget) for name, budget in prediction.budget.items()}
    return record | {
        "segments": [segment_json(segment) for segment in prediction.segments],
        "duration_seconds": rounded(prediction.duration_seconds),
        "frames": prediction.frames,
        "notes": list(prediction.notes),
    }


def budget_json(budget: Budget) -> dict[str, Any]:
    """The time budget of a behaviour as one JSON object."""
    return {
        name: value if value is None or isinstance(value, int) else rounded(value)
        for name, value in asdict(budget).items()
    }


def segment_json(segment: Segment) -> dict[str, Any]:
    """A segment as one JSON object."""
    return {
        "start_seconds": rounded(segment.start_seconds),
        "end_seconds": rounded(segment.end_seconds),
        "label": segment.label,
        "probability": rounded(segment.probability),
    }


def segments_of(prediction: FilmPrediction, file: Path) -> tuple[Segment, ...]:
    """The segments for a file; there may be none, as in a video without anomalies.

    Raises:
        OutputError: the answer cannot have any, since it is of the video as a whole only.
    """
    if not prediction.segments and prediction.timeline is None:
        raise OutputError(
            f"{file}: the model answers for the video as a whole, so there are no segments to write. "
            "Choose another --format: jsonl."
        )
    return prediction.segments


def first_seconds(prediction: FilmPrediction) -> float:
    """The time of the film's first frame."""
    if prediction.timeline is not None and len(prediction.timeline.seconds):
        return float(prediction.timeline.seconds[0])
    return prediction.segments[0].start_seconds if prediction.segments else 0.0


def segment_rows(answered: Answered, file: Path) -> Iterator[dict[str, Any]]:
    """The segments as a table with the columns `SEGMENT_COLUMNS`.

    Raises:
        OutputError: see `segments_of`.
    """
    for segment in segments_of(answered.prediction, file):
        yield {"path": answered.name, **segment_json(segment)}


def rounded(number: float) -> float:
    """The number to six decimal places."""
    return round(float(number), _DIGITS)


def significant(number: float) -> float | None:
    """The number to four significant digits; None for NaN and infinity."""
    return float(f"{number:.4g}") if math.isfinite(number) else None


def captions(prediction: FilmPrediction, file: Path) -> Iterator[tuple[int, int, str]]:
    """The start, end and text of a caption for each segment, in whole milliseconds; it lasts for one at least.

    Raises:
        OutputError: see `segments_of`.
    """
    for segment in segments_of(prediction, file):
        start, end = round(1000 * segment.start_seconds), round(1000 * segment.end_seconds)
        yield start, max(end, start + 1), f"{' '.join(segment.label.split())}  {segment.probability:.2f}"


def clock(milliseconds: int, point: str) -> str:
    """A time in the form of subtitles, with the given decimal point: 01:02:03.456."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{rest:03d}"
