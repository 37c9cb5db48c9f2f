"""Counts and durations of behaviours: what goes into papers, predicted beside true, film by film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidrnn.evaluate.bouts import concordance
from vidrnn.evaluate.metrics import grouped_interval95
from vidrnn.report.answers import FilmAnswers, StoredBout
from vidrnn.values import Floats


@dataclass(frozen=True)
class Agreement:
    """How well a number that is predicted for each film agrees with the true one."""

    true: Floats
    """(films,)"""
    said: Floats
    """(films,)"""

    @property
    def slope(self) -> float | None:
        """Of the line through the origin that fits the predicted numbers best; None where all true ones are 0."""
        weight = float((self.true**2).sum())
        return float((self.true * self.said).sum()) / weight if weight > 0 else None

    @property
    def concordance(self) -> float | None:
        """Lin's coefficient; None with fewer than three films, or if all numbers are the same."""
        return concordance(self.true.tolist(), self.said.tolist())


@dataclass(frozen=True)
class Behaviour:
    """One behaviour over the films that were answered."""

    label: str
    counts: Agreement
    seconds: Agreement
    true_share: float
    """Of the time whose truth is known."""
    said_share: float
    true_interval: tuple[float, float] | None
    """95 %, by a bootstrap over groups of films; None with fewer than three groups."""
    said_interval: tuple[float, float] | None
    difference_interval: tuple[float, float] | None
    """Of the predicted share minus the true one."""


def behaviours(films: Sequence[FilmAnswers], classes: Sequence[str], background: str | None) -> list[Behaviour]:
    """The counts and durations of each behaviour that occurs in the truth or in the answers.

    Only time whose truth is known counts. A bout that reaches beyond it is cut there.
    """
    films = [film for film in films if film.answer_bouts is not None and film.true_bouts is not None and film.known]
    groups = [film.group for film in films]
    known = np.asarray([sum(end - start for start, end in film.known) for film in films])
    found = []
    for place, label in enumerate(classes):
        true = [_within(film.true_bouts or (), film, place) for film in films]
        said = [_within(film.answer_bouts or (), film, place) for film in films]
        if label == background or not any((*true, *said)):
            continue
        seconds = Agreement(*(np.asarray([sum(one) for one in each]) for each in (true, said)))
        counts = Agreement(*(np.asarray([float(len(one)) for one in each]) for each in (true, said)))
        table = np.stack([seconds.true, seconds.said, known], 1)
        intervals = [
            grouped_interval95(table, groups, score)
            for score in (
                lambda sums: sums[:, 0] / np.maximum(sums[:, 2], 1e-9),
                lambda sums: sums[:, 1] / np.maximum(sums[:, 2], 1e-9),
                lambda sums: (sums[:, 1] - sums[:, 0]) / np.maximum(sums[:, 2], 1e-9),
            )
        ]
        total = max(float(known.sum()), 1e-9)
        shares = float(seconds.true.sum()) / total, float(seconds.said.sum()) / total
        found.append(Behaviour(label, counts, seconds, *shares, *intervals))
    return found


def _within(bouts: Sequence[StoredBout], film: FilmAnswers, place: int) -> list[float]:
    """The lengths of the bouts of a class in the known parts of a film."""
    return [
        min(end, last) - max(start, first)
        for label, start, end in bouts
        if label == place
        for first, last in film.known
        if min(end, last) > max(start, first)
    ]
