"""The contract of an output: it writes the answer for one film to a file. It does not know the model or its task."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from typing_extensions import override

from vidrnn.atomic import write_text
from vidrnn.data.annotations import UNLABELLED
from vidrnn.errors import OutputError
from vidrnn.text import one_line
from vidrnn.values import Budget, Candidate, FilmPrediction, Segment

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
    """The package that this format needs and that may not be installed, if any."""

    @abstractmethod
    def write(self, answered: Answered, file: Path) -> None:
        """Write the answer to `file`, whole or not at all. The same answer gives the same bytes.

        Raises:
            FilmError: the film cannot be read once more.
            OutputError: the file cannot be written, or the answer holds nothing for this format.
        """


@dataclass(frozen=True, slots=True)
class Event:
    """A stretch of a film with a label, said by a model or by a person."""

    start_seconds: float
    end_seconds: float
    """Half open. A point event ends where it starts."""
    label: str
    subject: str = ""
    """The one who shows it; empty where that is not known."""
    probability: float | None = None
    """None for what a person said."""


@dataclass(frozen=True, slots=True)
class FilmEvents:
    """What happens in a film, for programs that people label with."""

    name: str
    """Its path below the folder of films, with slashes."""
    events: tuple[Event, ...]
    """By their start."""
    behaviours: tuple[str, ...]
    """All labels that may occur."""
    first_seconds: float = 0.0
    """The time of the first frame."""
    duration_seconds: float = 0.0
    frames: int = 0
    model: str | None = None
    """That said it; None for what people said."""
    label: Candidate | None = None
    """Of the film as a whole."""

    @property
    def fps(self) -> float:
        """Frames per second, to six decimal places."""
        return rounded(self.frames / self.duration_seconds)


class EventOutput(Output):
    """A format of labels: predictions and what people said are written in the same way."""

    joins: ClassVar[bool] = False
    """Whether one file holds several films."""
    counts_frames: ClassVar[bool] = False
    """Whether the text needs the film's duration and frames."""
    subjects: ClassVar[bool] = False
    """Whether the format holds the subjects of events."""
    silence: ClassVar[Literal["none", "ignore"]] = "none"
    """What moments without an event mean where the file is read as labels: no behaviour, or not known."""

    @abstractmethod
    def text(self, films: Sequence[FilmEvents]) -> str:
        """The content of the file; of one film, unless the format joins them."""

    @override
    def write(self, answered: Answered, file: Path) -> None:
        film = events_of(answered, file)
        if self.silence == "none":  # a gap says the same
            events = tuple(event for event in film.events if event.label != UNLABELLED)
            film = replace(
                film, events=events, behaviours=tuple(name for name in film.behaviours if name != UNLABELLED)
            )
        write_text(file, self.text([film]))


def events_of(answered: Answered, file: Path) -> FilmEvents:
    """The segments of an answer as events, for a file.

    Raises:
        OutputError: see `segments_of`.
    """
    prediction = answered.prediction
    segments = segments_of(prediction, file)
    classes = prediction.timeline.classes if prediction.timeline is not None else ()
    behaviours = prediction.budget or classes  # the background has no budget
    whole = prediction.label is not None and prediction.probability is not None
    return FilmEvents(
        answered.name,
        tuple(Event(one.start_seconds, one.end_seconds, one.label, "", one.probability) for one in segments),
        tuple(dict.fromkeys([*behaviours, *(one.label for one in segments)])),
        first_seconds(prediction),
        prediction.duration_seconds,
        prediction.frames,
        answered.model,
        Candidate(str(prediction.label), float(prediction.probability or 0.0)) if whole else None,
    )


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


def captions(film: FilmEvents) -> Iterator[tuple[int, int, str, str]]:
    """The start, end, subject and text of a caption for each event, in whole milliseconds; it lasts for one at least.

    The probability, where there is one, stands after the label and two spaces. Markup in labels is still in the text.
    """
    for event in film.events:
        start, end = round(1000 * event.start_seconds), round(1000 * event.end_seconds)
        probability = "" if event.probability is None else f"  {event.probability:.2f}"
        yield start, max(end, start + 1), event.subject, one_line(event.label) + probability


def clock(milliseconds: int, point: str) -> str:
    """A time in the form of subtitles, with the given decimal point: 01:02:03.456."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{rest:03d}"
