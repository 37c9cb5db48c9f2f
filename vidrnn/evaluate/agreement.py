"""Agreement between people, and between a model and each of them: Cohen's kappa of frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sklearn.metrics import cohen_kappa_score

from vidrnn.evaluate.tracks import FilmTracks, Track, known_truth


@dataclass(frozen=True)
class Agreement:
    """How well people agree with each other, and the model with each of them: Cohen's kappa."""

    people: float | None
    """The mean over pairs of annotators; None if no kappa is defined."""
    model: tuple[float | None, ...]
    """The model with each annotator, the one whose labels are the truth first."""
    films: int
    """The number of films with more than one annotator."""
    frames: int
    """The number of their frames that all annotators of the film know."""


def agreement_of(films: Sequence[FilmTracks], places: Sequence[int] | None) -> Agreement | None:
    """The agreement of annotators and model, on frames that all annotators of a film know.

    `places`: the behaviours over which kappa is averaged; None for classes that exclude each other.
    """
    shared = [film for film in films if film.others]
    if not shared:
        return None
    people = [(film.truth, *film.others) for film in shared]
    known = [np.logical_and.reduce([known_truth(track) for track in tracks]) for tracks in people]
    annotators: list[list[Track | None]] = [
        [tracks[number] if number < len(tracks) else None for tracks in people]
        for number in range(max(map(len, people)))
    ]
    model: list[Track | None] = [film.answer for film in shared]

    def kappa(one: Sequence[Track | None], other: Sequence[Track | None]) -> float | None:
        both = [(a, b, where) for a, b, where in zip(one, other, known, strict=True) if a is not None and b is not None]
        if not both:
            return None
        if places is None:
            return kappa_of(*(np.concatenate([pair[side][pair[2]] for pair in both]) for side in (0, 1)))
        columns = [[(a[where[:, p], p] == 1, b[where[:, p], p] == 1) for a, b, where in both] for p in places]
        return mean_of(
            kappa_of(*(np.concatenate([pair[side] for pair in each]) for side in (0, 1))) for each in columns
        )

    return Agreement(
        people=mean_of(kappa(one, other) for one, other in combinations(annotators, 2)),
        model=tuple(kappa(model, one) for one in annotators),
        films=len(shared),
        frames=sum(int(where.any(1).sum() if where.ndim == 2 else where.sum()) for where in known),
    )


def kappa_of(one: Track, other: Track) -> float | None:
    """Cohen, Educational and Psychological Measurement 20, 1960; None if both are one and the same throughout."""
    if not len(one) or ((one == one[0]).all() and (other == one[0]).all()):
        return None
    return float(cohen_kappa_score(one, other))


def mean_of(values: Iterable[float | None]) -> float | None:
    """The mean of the values that are there."""
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None
