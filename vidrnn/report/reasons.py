"""The worst clips are explained: *when* each was decided. Each film is read once more, up to its last mistake."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import cv2

from vidrnn.errors import FilmError, ModelError
from vidrnn.events import Note, Progress, RunEvent
from vidrnn.explain.base import Curve
from vidrnn.explain.moments import film_question, find_curve, segment_question
from vidrnn.explain.reading import EncodedFilm, Judge, encode_film
from vidrnn.predict.predictor import open_model
from vidrnn.report.worst import Mistake
from vidrnn.runtimes.base import Runtime
from vidrnn.tasks.base import Task, task_named
from vidrnn.values import Segment

_SECONDS = 120.0
"""The longest time for all curves, where none is given."""
_ROUNDED = 0.001
"""Seconds by which a stored time may lie beside that of its frame."""
Result = TypeVar("Result")


def with_curves(
    worst: Sequence[Mistake], run: Path, folder: Path, until: float | None
) -> Generator[RunEvent, None, list[Mistake]]:
    """The mistakes with their curves of *when*; those whose film cannot be read, or for which time is short, have none.

    Args:
        worst: mistakes with a `label`; others stay as they are.
        run: the folder of the run or of the model.
        folder: that of DATA.
        until: the time of `time.monotonic` at which to end.
    """
    until = time.monotonic() + _SECONDS if until is None else until
    if not any(one.label for one in worst) or until <= time.monotonic():
        return list(worst)
    found: dict[Mistake, Curve] = {}
    try:
        model, _ = open_model(run)
        asker = _Asker(model, task_named(model.handling.answer.task))
        by_film: dict[tuple[str, float | None], list[Mistake]] = {}
        for one in worst:
            if one.label in model.handling.answer.classes:
                by_film.setdefault((one.stretch.film.path, one.stretch.film.rate), []).append(one)
        left = sum(map(len, by_film.values()))
        for (name, _), some in by_film.items():
            now = time.monotonic()
            found |= asker.ask(folder / name, some, now + max(0.0, until - now) * len(some) / left)
            left -= len(some)
            yield Progress("curves of when", len(found), len(found) + left)
    except ModelError as error:
        yield Note(f"The page does not show when a clip was decided. {error}")
    return [replace(one, curve=found[one]) if one in found else one for one in worst]


@dataclass(frozen=True)
class _Asker:
    """Asks a model when it saw something."""

    model: Runtime
    task: Task

    def ask(self, path: Path, mistakes: Sequence[Mistake], until: float) -> dict[Mistake, Curve]:
        """The curves of mistakes in one film, as far as time and the film allow."""
        handling, found = self.model.handling, dict[Mistake, Curve]()
        parts = [self._part(one) for one in mistakes]
        try:
            reading = encode_film(
                self.model,
                self.task,
                handling.decision,
                path,
                mistakes[0].stretch.film.rate,
                () if None in parts else [part for part in parts if part is not None],
            )
            film = _in_time(reading, until)
            if film is None or not len(film.seconds):
                return found
            for number, (one, part) in enumerate(zip(mistakes, parts, strict=True)):
                piece = film if part is None else film.between(*part)
                if len(piece.seconds):
                    now = time.monotonic()
                    share = now + max(0.0, until - now) / (len(mistakes) - number)
                    curve = _in_time(self._curve(one, film, piece), share)
                    if curve is not None:
                        found[one] = curve
        except (FilmError, OSError, cv2.error):
            pass  # the film was moved or is damaged: its rows stay without curves
        return found

    def _part(self, mistake: Mistake) -> tuple[float, float] | None:
        """The seconds that the answer is read from; None: all of the film."""
        stretch, handling = mistake.stretch, self.model.handling
        if handling.answer.resolution == "clip":
            return (stretch.start_seconds - _ROUNDED, stretch.end_seconds) if stretch.film.excerpt else None
        around = handling.sampling.frames * handling.sampling.spacing_seconds
        return stretch.start_seconds - around, stretch.end_seconds + around

    def _curve(self, mistake: Mistake, film: EncodedFilm, piece: EncodedFilm) -> Generator[Progress, None, Curve]:
        handling, stretch = self.model.handling, mistake.stretch
        judge, window = Judge(self.model, self.task, handling.decision), handling.sampling.frames
        if handling.answer.resolution == "clip":
            question = film_question(judge, piece, mistake.label)
        else:
            segment = Segment(stretch.start_seconds, stretch.end_seconds, mistake.label, 0.0)
            question = segment_question(judge, piece, segment, window)
        return find_curve(question, film.features.mean(0), window)


def _in_time(steps: Generator[Progress, None, Result], until: float) -> Result | None:
    """The result of some work; None where it does not end in time."""
    with closing(steps):
        while time.monotonic() < until:
            try:
                next(steps)
            except StopIteration as end:
                result: Result = end.value
                return result
    return None
