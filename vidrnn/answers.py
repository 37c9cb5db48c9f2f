"""Scores become answers for people: names, probabilities, seconds. numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrnn.values import Candidate, FilmPrediction, Segment

UNKNOWN = "unknown"
_TOP = 5

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WindowScores:
    """What the network says of windows, before softmax."""

    clip: Floats
    """(windows, classes) of each window as a whole."""
    steps: Floats
    """(windows, steps, classes) of each of its steps."""


@dataclass(frozen=True)
class FilmScores:
    """What the network says of one film, and the film's own clock."""

    path: Path
    windows: WindowScores
    starts: tuple[int, ...]
    """The first step of each window."""
    seconds: Floats
    """(steps,) the time of each step."""
    end_seconds: float
    frames: int
    notes: tuple[str, ...] = ()

    @property
    def film_scores(self) -> Floats:
        """The mean over windows (classes,), before softmax: the film's overall answer."""
        mean: Floats = self.windows.clip.mean(0)
        return mean


@dataclass(frozen=True)
class Reading:
    """How scores are read: the classes' names, the temperature, and when to say unknown."""

    classes: tuple[str, ...]
    temperature: float
    threshold: float = 0.0


def probabilities(scores: Floats, temperature: float) -> Floats:
    """Softmax over the last axis of scores divided by the temperature."""
    scaled = scores / temperature
    powers = np.exp(scaled - scaled.max(-1, keepdims=True))
    shares: Floats = powers / powers.sum(-1, keepdims=True)
    return shares


def timeline(film: FilmScores, reading: Reading) -> Floats:
    """Probabilities at each step (steps, classes).

    A step's own scores tell what is to be seen then, and keep boundaries sharp; the scores of the windows that hold it
    tell what it is part of, and know of order. Both count the same; a window counts the more, the nearer its middle.
    """
    steps, length = len(film.seconds), film.windows.steps.shape[1]
    near = (np.minimum(np.arange(length), np.arange(length)[::-1]) + 1.0)[:, None]
    own, shared, weight, count = (np.zeros((steps, width)) for width in (len(reading.classes),) * 2 + (1, 1))
    for start, clip, each in zip(film.starts, film.windows.clip, film.windows.steps, strict=True):
        place = slice(start, start + length)
        own[place] += each
        count[place] += 1
        shared[place] += near * clip
        weight[place] += near
    return probabilities((own / count + shared / weight) / 2, reading.temperature)


def segments(film: FilmScores, reading: Reading) -> tuple[Segment, ...]:
    """Stretches of one answer, from the film's first frame to its end; each stretch's mean probability."""
    along = timeline(film, reading)
    best = along.argmax(1)
    edges = [0, *(np.flatnonzero(np.diff(best)) + 1).tolist(), len(best)]
    times = np.append(film.seconds, film.end_seconds)
    found = []
    for first, after in pairwise(edges):
        probability = float(along[first:after, best[first]].mean())
        label = _named(reading, int(best[first]), probability)
        found.append(Segment(float(times[first]), float(times[after]), label, probability))
    return _joined(found)


def prediction(film: FilmScores, reading: Reading) -> FilmPrediction:
    """The answer for one film."""
    given = probabilities(film.film_scores, reading.temperature)
    order = np.argsort(-given, kind="stable")[:_TOP]
    best = int(order[0])
    return FilmPrediction(
        path=film.path,
        label=_named(reading, best, float(given[best])),
        probability=float(given[best]),
        top=tuple(Candidate(reading.classes[i], float(given[i])) for i in order),
        segments=segments(film, reading),
        duration_seconds=float(film.end_seconds - film.seconds[0]),
        frames=film.frames,
        notes=film.notes,
    )


def _named(reading: Reading, index: int, probability: float) -> str:
    return reading.classes[index] if probability >= reading.threshold else UNKNOWN


def _joined(found: Sequence[Segment]) -> tuple[Segment, ...]:
    """Neighbours of one name as one; only `unknown` can stand beside itself."""
    joined: list[Segment] = []
    for segment in found:
        if joined and joined[-1].label == segment.label:
            before = joined.pop()
            shares = before.end_seconds - before.start_seconds, segment.end_seconds - segment.start_seconds
            mean = float(np.average([before.probability, segment.probability], weights=shares))
            joined.append(Segment(before.start_seconds, segment.end_seconds, segment.label, mean))
        else:
            joined.append(segment)
    return tuple(joined)
