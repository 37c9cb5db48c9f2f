"""Scores become answers for people: names, probabilities, seconds. numpy only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrnn.values import Answer, Candidate, FilmPrediction, Floats, Segment, Timeline

UNKNOWN = "unknown"
_TOP = 5

_MOMENTS_AT_ONCE = 4096

Scores = NDArray[np.float32]
"""Of the many moments of a film: twice as many digits would be kept for nothing."""


@dataclass(frozen=True)
class FilmScores:
    """What the network says of one film, before softmax, and the film's own clock."""

    path: Path
    film_scores: Floats
    """(classes,) of the film as a whole."""
    steps: Scores
    """(steps, classes) of each moment that the model looked at."""
    seconds: Floats
    """(steps,) the time of each."""
    end_seconds: float
    frames: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """How scores are read: the classes' names, the temperature, when to say unknown, and how firm an answer stands."""

    classes: tuple[str, ...]
    temperature: float
    threshold: float = 0.0
    """Answers less probable than this are called unknown."""
    hysteresis: float = 0.0
    """How much more probable than the answer that stands another one must be to take its place."""
    shortest_seconds: float = 0.0
    """A stretch shorter than this goes to the neighbour that is the more probable in it."""


def probabilities(scores: Floats, temperature: float) -> Floats:
    """Softmax over the last axis of scores divided by the temperature."""
    scaled = scores / temperature
    powers = np.exp(scaled - scaled.max(-1, keepdims=True))
    shares: Floats = powers / powers.sum(-1, keepdims=True)
    return shares


class Segmenter:
    """Probabilities of moments go in, in order; stretches of one answer come out as soon as they are certain.

    What it remembers does not grow: the stretch that stands, one that may take its place, and an ended one that is
    unknown, since neighbours of one name are one stretch.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._standing: _Stretch | None = None
        self._young: _Stretch | None = None
        self._unknown: Segment | None = None

    def push(self, seconds: Sequence[float] | Floats, along: Floats) -> tuple[Segment, ...]:
        """The stretches that have ended and are certain after these moments: times, and probabilities (steps, classes).

        A moment lasts until the next one.
        """
        ended: list[Segment] = []
        for at, shares in zip(seconds, along, strict=True):
            ended += self._moment(float(at), shares)
        return tuple(ended)

    def finish(self, end_seconds: float) -> tuple[Segment, ...]:
        """The stretches that were not certain yet, to the end of the last moment."""
        ended: list[Segment] = []
        if self._standing and self._young:
            if end_seconds - self._young.start >= self._reading.shortest_seconds:
                ended += self._succeed(self._young)
            else:
                self._standing.take(self._young)
        if self._standing:
            ended += self._name(self._standing, end_seconds)
        ended += [self._unknown] if self._unknown else []
        self._standing = self._young = self._unknown = None
        return tuple(ended)

    def _moment(self, at: float, shares: Floats) -> list[Segment]:
        newest = self._young or self._standing
        best = int(shares.argmax())
        if newest is None:
            self._standing = _Stretch(best, at, shares.copy())
            return []
        if shares[best] <= shares[newest.answer] + self._reading.hysteresis:
            best = newest.answer
        if best == newest.answer:
            newest.last(shares)
            return self._grown_up(at)
        return self._turned(best, at, shares)

    def _grown_up(self, at: float) -> list[Segment]:
        """Whether the young stretch has lasted long enough to stand, at a moment that belongs to it."""
        if self._young and at - self._young.start >= self._reading.shortest_seconds:
            return self._succeed(self._young)
        return []

    def _turned(self, answer: int, at: float, shares: Floats) -> list[Segment]:
        """Another answer begins, before or after the young stretch had grown up."""
        ended: list[Segment] = []
        assert self._standing is not None
        begun = _Stretch(answer, at, shares.copy())
        if self._young and at - self._young.start >= self._reading.shortest_seconds:
            ended += self._succeed(self._young)
        if self._young is None and at - self._standing.start < self._reading.shortest_seconds:
            begun.precede(self._standing)  # only the film's first stretch can stand and be too short
            self._standing = begun
            return ended
        if self._young:
            self._standing, begun = self._shared_out(self._young, begun)
        self._young = None if begun is self._standing else begun
        return ended + (self._grown_up(at) if self._young else [])

    def _shared_out(self, short: _Stretch, begun: _Stretch) -> tuple[_Stretch, _Stretch]:
        """A stretch too short to stand goes to one of its neighbours: the standing one, and the one to go on with."""
        standing = self._standing
        assert standing is not None
        if begun.answer == standing.answer:
            standing.take(short)
            standing.take(begun)
            return standing, standing
        if short.sums[standing.answer] >= short.sums[begun.answer]:
            standing.take(short)
        else:
            begun.precede(short)
        return standing, begun

    def _succeed(self, young: _Stretch) -> list[Segment]:
        assert self._standing is not None
        ended = self._name(self._standing, young.start)
        self._standing, self._young = young, None
        return ended

    def _name(self, stretch: _Stretch, end: float) -> list[Segment]:
        """Give a stretch its name. One that is unknown waits, since the next one may be unknown too."""
        probability = float(stretch.sums[stretch.answer] / stretch.count)
        named = Segment(stretch.start, end, _named(self._reading, stretch.answer, probability), probability)
        waiting, self._unknown = self._unknown, None
        if named.label == UNKNOWN:
            self._unknown = _as_one(waiting, named) if waiting else named
            return []
        return [waiting, named] if waiting else [named]


@dataclass
class _Stretch:
    """Moments with one answer: when they began, and the sum of the probabilities (classes,) over them."""

    answer: int
    start: float
    sums: Floats
    count: int = 1

    def last(self, shares: Floats) -> None:
        """Go on by one moment."""
        self.sums += shares
        self.count += 1

    def take(self, later: _Stretch) -> None:
        """Go on by all moments of a stretch that follows."""
        self.sums, self.count = self.sums + later.sums, self.count + later.count

    def precede(self, earlier: _Stretch) -> None:
        """Begin with all moments of the stretch before."""
        self.start = earlier.start
        self.take(earlier)


def segments(timeline: Timeline, end_seconds: float, reading: Reading) -> tuple[Segment, ...]:
    """Stretches of one answer, from the film's first frame to its end; each stretch's mean probability."""
    cut, ended = Segmenter(reading), list[Segment]()
    for some in _pieces(len(timeline.seconds)):
        ended += cut.push(timeline.seconds[some], timeline.probabilities[some].astype(np.float64))
    return (*ended, *cut.finish(end_seconds))


def prediction(film: FilmScores, reading: Reading) -> FilmPrediction:
    """The answer for one film."""
    given = probabilities(film.film_scores, reading.temperature)
    order = np.argsort(-given, kind="stable")[:_TOP]
    best = int(order[0])
    along = np.empty(film.steps.shape, np.float32)
    for some in _pieces(len(along)):
        along[some] = probabilities(film.steps[some].astype(np.float64), reading.temperature)
    timeline = Timeline(reading.classes, film.seconds, along)
    return FilmPrediction(
        path=film.path,
        label=_named(reading, best, float(given[best])),
        probability=float(given[best]),
        top=tuple(Candidate(reading.classes[i], float(given[i])) for i in order),
        segments=segments(timeline, film.end_seconds, reading),
        duration_seconds=float(film.end_seconds - film.seconds[0]),
        frames=film.frames,
        notes=film.notes,
        timeline=timeline,
    )


def answer(scores: Floats, seconds: float, reading: Reading, ended: tuple[Segment, ...] = ()) -> Answer:
    """What scores (classes,) say at a moment."""
    given = probabilities(scores, reading.temperature)
    best = int(given.argmax())
    label = _named(reading, best, float(given[best]))
    return Answer(seconds, label, float(given[best]), reading.classes, tuple(given.tolist()), ended)


def _pieces(count: int) -> Iterator[slice]:
    """Of many moments so few at a time that what is reckoned with them takes no memory to speak of."""
    return (slice(start, start + _MOMENTS_AT_ONCE) for start in range(0, count, _MOMENTS_AT_ONCE))


def _named(reading: Reading, index: int, probability: float) -> str:
    return reading.classes[index] if probability >= reading.threshold else UNKNOWN


def _as_one(before: Segment, after: Segment) -> Segment:
    """Two neighbours of one name; only `unknown` can stand beside itself."""
    shares = before.end_seconds - before.start_seconds, after.end_seconds - after.start_seconds
    mean = float(np.average([before.probability, after.probability], weights=shares))
    return Segment(before.start_seconds, after.end_seconds, after.label, mean)
