"""The worst of a model: the clips and stretches that people should look at first. No film is read here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrnn.evaluate.bouts import bouts_of
from vidrnn.explain.base import Curve
from vidrnn.report.answers import Answers, FilmAnswers, StoredBout
from vidrnn.report.strips import Stretch

MOST = 12
_STEP_SECONDS, _MOST_STEPS = 0.05, 200_000
"""Stretches are found on a grid of such steps, or of longer ones in a very long film."""
_AROUND_SECONDS = 1.0
"""A peak of the anomaly score is shown with so much of the film on both sides."""
_FEWEST_POINTS = 3
"""Of a curve of anomaly scores."""


@dataclass(frozen=True)
class Mistake:
    """A stretch, with what was said of it and what is true."""

    stretch: Stretch
    said: str
    true: str
    size: float
    """How bad it is: a lack of probability, seconds, or an anomaly score."""
    label: str = ""
    """The class that `curve` is of: the one that was said, or the true one where none was said."""
    curve: Curve | None = None
    """*When*: how much each moment speaks for `label`, or how surprising it is. None: that is not known."""


def worst_clips(answers: Answers) -> list[Mistake]:
    """The wrong clips whose true class has the lowest probability."""
    found = []
    for film in answers.films:
        if film.answer is None or film.truth is None:
            continue
        said = int(np.argmax(film.answer))
        if said != film.truth:
            names, shares = answers.classes, film.answer
            found.append(
                Mistake(
                    Stretch(film, film.start_seconds, film.end_seconds),
                    f"{names[said]} ({shares[said]:.2f})",
                    f"{names[film.truth]} ({shares[film.truth]:.2f})",
                    1 - shares[film.truth],
                    names[said],
                )
            )
    return sorted(found, key=lambda one: -one.size)[:MOST]


def worst_stretches(answers: Answers, background: str | None, *, several: bool) -> list[Mistake]:
    """The longest stretches of one true class with one wrong answer."""
    found = [
        mistake
        for film in answers.films
        if film.answer_bouts is not None
        for mistake in _wrong_in(film, answers.classes, background, several=several)
    ]
    return sorted(found, key=lambda one: -one.size)[:MOST]


def _wrong_in(film: FilmAnswers, classes: Sequence[str], background: str | None, *, several: bool) -> Iterator[Mistake]:
    length = film.end_seconds - film.start_seconds
    step = max(_STEP_SECONDS, length / _MOST_STEPS)
    times = np.asarray(film.start_seconds + step * (np.arange(max(1, int(length / step))) + 0.5), dtype=np.float64)
    known = _inside(times, film.known)
    silence = background or "none of them"
    groups = [[place] for place in range(len(classes))] if several else [list(range(len(classes)))]
    for places in groups:
        names = {-1: f"not {classes[places[0]]}" if several else silence} | {one: classes[one] for one in places}
        true, said = (_track(times, bouts or (), places) for bouts in (film.true_bouts, film.answer_bouts))
        base = len(classes) + 1
        wrong = np.where(known & (true != said), (true + 1) * base + said + 1, -1)
        for run in bouts_of(wrong):
            start, end = (film.start_seconds + step * edge for edge in (run.first, run.end))
            mine, its = run.label // base - 1, run.label % base - 1
            label = classes[its if its >= 0 else mine]
            yield Mistake(Stretch(film, start, end), names[its], names[mine], end - start, label)


def _track(times: NDArray[np.float64], bouts: Sequence[StoredBout], places: Sequence[int]) -> NDArray[np.int64]:
    track = np.full(len(times), -1, dtype=np.int64)
    for place, start, end in bouts:
        if place in places:
            track[np.searchsorted(times, start) : np.searchsorted(times, end)] = place
    return track


def _inside(times: NDArray[np.float64], spans: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
    inside = np.zeros(len(times), dtype=np.bool_)
    for start, end in spans:
        inside[np.searchsorted(times, start) : np.searchsorted(times, end)] = True
    return inside


def worst_scores(answers: Answers) -> list[Mistake]:
    """The moments with the highest anomaly scores, each a second or more from the others of its film."""
    found: list[Mistake] = []
    for film in answers.films:
        scores = np.asarray(film.curve, dtype=np.float64)
        left = scores.copy()
        times = np.asarray(film.curve_seconds)
        while len(left) and left.max() > 0 and len(found) < 100 * MOST:
            place = int(left.argmax())
            at, score = float(times[place]), float(left[place])
            start, end = max(film.start_seconds, at - _AROUND_SECONDS), min(film.end_seconds, at + _AROUND_SECONDS)
            inside = (times >= start) & (times <= end)
            curve = Curve(times[inside], scores[inside], 0.0) if inside.sum() >= _FEWEST_POINTS else None
            said = f"anomaly score {score:.2f} at {at:.1f} s"
            found.append(Mistake(Stretch(film, start, end), said, "", score, curve=curve))
            left[np.abs(times - at) < 2 * _AROUND_SECONDS] = 0
    return sorted(found, key=lambda one: -one.size)[:MOST]
