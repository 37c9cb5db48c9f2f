"""*When*: stretches of a film are hidden from the head one after another, and the answer is asked for again.

A stretch is hidden by putting the mean feature of the film in the place of its features, so the frames are encoded once
and only the head is run. The method is occlusion: Zeiler and Fergus, "Visualizing and understanding convolutional
networks", ECCV 2014.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from vidrnn.events import Progress
from vidrnn.explain.base import Curve
from vidrnn.explain.reading import EncodedFilm, Judge, encode_film
from vidrnn.runtimes.base import Features, Runtime
from vidrnn.tasks.base import task_named
from vidrnn.values import DecisionRule, Floats, Segment

MOST_STRETCHES = 64
"""So many stretches are hidden at most; in a long film they are longer."""
_STRETCHES_OF_A_WINDOW = 8
STAGE = "when"
Result = TypeVar("Result")


def clip_curve(
    model: Runtime, path: Path, label: str, rule: DecisionRule | None = None, rate: float | None = None
) -> Curve:
    """The curve of *when* for the answer of a film as a whole. It reads the film once.

    Args:
        model: a model of classes that answers for whole clips.
        path: of the film.
        label: the class whose odds are asked for; any class of the model.
        rule: how outputs become answers; None for the rule that is stored in the model.
        rate: frames per second, in place of the film's own time stamps.

    Raises:
        FilmError: the film cannot be read.
        ModelError: the model does not give scores of classes.
    """
    task, rule = task_named(model.handling.answer.task), rule or model.handling.decision
    film = _outcome(encode_film(model, task, rule, path, rate))
    question = film_question(Judge(model, task, rule), film, label)
    return _outcome(find_curve(question, film.features.mean(0), model.handling.sampling.frames))


def _outcome(steps: Generator[Progress, None, Result]) -> Result:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


@dataclass(frozen=True, eq=False)
class Question:
    """An answer that is asked for again and again, with parts of the film hidden."""

    film: EncodedFilm
    """The film, or the piece of it that the model reads, from a fresh start, to answer."""
    first: int
    """The step of the whole film that the piece begins with."""
    ask: Callable[[Features], float]
    """From features in place of those of the piece to the logarithm of the odds of the answer."""


def film_question(judge: Judge, film: EncodedFilm, label: str) -> Question:
    """The answer for the film as a whole."""
    return Question(film, 0, lambda features: judge.of_film(features, film.cuts, label))


def segment_question(judge: Judge, film: EncodedFilm, segment: Segment, window: int) -> Question:
    """The answer of a segment: the model reads it with one window of `window` steps before and after it."""
    inside = np.flatnonzero((film.seconds >= segment.start_seconds) & (film.seconds < segment.end_seconds))
    if not len(inside):
        inside = np.array([int(np.abs(film.seconds - segment.start_seconds).argmin())])
    first, last = max(0, int(inside[0]) - window), min(len(film.seconds), int(inside[-1]) + 1 + window)
    piece, steps = film.piece(first, last), slice(int(inside[0]) - first, int(inside[-1]) + 1 - first)
    return Question(piece, first, lambda features: judge.of_steps(features, piece.cuts, segment.label, steps))


def find_curve(question: Question, hidden: Features, window: int) -> Generator[Progress, None, Curve]:
    """Hide each stretch, and ask again. A step's value is the mean over the stretches that hold it.

    Args:
        question: what is asked.
        hidden: (width,) the features in place of those that are hidden: the mean of the film.
        window: the steps of the model's windows.
    """
    film = question.film
    steps, whole = len(film.seconds), question.ask(film.features)
    stretches = stretches_of(steps, window)
    total, count = np.zeros(steps), np.zeros(steps)
    for number, stretch in enumerate(stretches, 1):
        features = film.features.copy()
        features[stretch] = hidden
        total[stretch] += whole - question.ask(features)
        count[stretch] += 1
        yield Progress(STAGE, number, len(stretches))
    length = stretches[0].stop - stretches[0].start
    return Curve(film.seconds, total / count, length * _spacing(film.seconds), whole)


def stretches_of(steps: int, window: int) -> list[slice]:
    """Stretches of equal length that hold every step; each overlaps the next one by half.

    A stretch is an eighth of a window, or of a shorter film. A long film has longer ones, so that there are
    `MOST_STRETCHES` at most.
    """
    length = max(1, min(steps, window) // _STRETCHES_OF_A_WINDOW, -(-2 * steps // MOST_STRETCHES))
    apart = max(1, length // 2)
    starts = sorted({*range(0, max(1, steps - length + 1), apart), max(0, steps - length)})
    return [slice(start, min(steps, start + length)) for start in starts]


def _spacing(seconds: Floats) -> float:
    return float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0
