"""Probabilities of moments become segments in seconds. numpy only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from vidrnn.values import AnswerSpec, DecisionRule, Floats, PerClass, Segment

UNKNOWN = "unknown"
NORMAL, ANOMALY = "normal", "anomaly"
_UNJUDGED_FRAMES = 5
"""Frames after which a segment ends if none of them has a score."""
_SLACK_SECONDS = 1e-9


def softmax(scores: Floats, temperature: float) -> Floats:
    """Softmax over the last axis of scores divided by the temperature."""
    scaled = scores / temperature
    powers = np.exp(scaled - scaled.max(-1, keepdims=True))
    shares: Floats = powers / powers.sum(-1, keepdims=True)
    return shares


class Segmenter(ABC):
    """Probabilities of moments go in, in order; segments come out as soon as they are certain. Memory does not grow."""

    @abstractmethod
    def push(self, seconds: Sequence[float] | Floats, along: Floats) -> tuple[Segment, ...]:
        """The segments that have ended and are certain after these moments.

        Args:
            seconds: (steps,) the time of each moment; a moment lasts until the next one.
            along: (steps, classes) probabilities; not a number where there is none.
        """

    @abstractmethod
    def finish(self, end_seconds: float) -> tuple[Segment, ...]:
        """The segments that were not certain yet, to the end of the last moment."""

    @abstractmethod
    def answer(self, now: Floats) -> tuple[str, float]:
        """The label of the newest moment and its probability, from the probabilities (classes,) of it."""


def segmenter_for(answer: AnswerSpec, rule: DecisionRule, classes: Sequence[str]) -> Segmenter:
    """The rule of segments for a kind of answer: by margin for one of the classes, otherwise by thresholds."""
    if answer.kind == "one":
        return MarginSegmenter(classes, rule)
    return ThresholdSegmenter(classes, rule)


def for_class(value: PerClass, name: str, default: float) -> float:
    """The number of a rule for one class."""
    return value.get(name, default) if isinstance(value, dict) else value


class MarginSegmenter(Segmenter):
    """One class at each moment: the most probable one, if it leads by enough for long enough.

    It remembers the segment that stands, one that may take its place, and an ended one that is unknown, since two
    neighbours of one name are one segment.
    """

    def __init__(self, classes: Sequence[str], rule: DecisionRule) -> None:
        self._classes = tuple(classes)
        self._threshold = [for_class(rule.threshold, name, 0.0) for name in classes]
        self._hysteresis = [for_class(rule.hysteresis, name, 0.0) for name in classes]
        self._shortest = [for_class(rule.shortest_seconds, name, 0.0) for name in classes]
        self._standing: _Stretch | None = None
        self._young: _Stretch | None = None
        self._unknown: Segment | None = None

    @override
    def answer(self, now: Floats) -> tuple[str, float]:
        best = int(now.argmax())
        return self._name_of(best, float(now[best])), float(now[best])

    def _name_of(self, index: int, probability: float) -> str:
        return self._classes[index] if probability >= self._threshold[index] else UNKNOWN

    def _grown(self, young: _Stretch, at: float) -> bool:
        """Whether a segment has lasted long enough to stand."""
        return at - young.start >= self._shortest[young.answer]

    @override
    def push(self, seconds: Sequence[float] | Floats, along: Floats) -> tuple[Segment, ...]:
        ended: list[Segment] = []
        for at, shares in zip(seconds, along, strict=True):
            ended += self._moment(float(at), shares)
        return tuple(ended)

    @override
    def finish(self, end_seconds: float) -> tuple[Segment, ...]:
        ended: list[Segment] = []
        if self._standing and self._young:
            if self._grown(self._young, end_seconds):
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
        if shares[best] <= shares[newest.answer] + self._hysteresis[best]:
            best = newest.answer
        if best == newest.answer:
            newest.last(shares)
            return self._grown_up(at)
        return self._turned(best, at, shares)

    def _grown_up(self, at: float) -> list[Segment]:
        """Whether the young stretch has lasted long enough to stand, at a moment that belongs to it."""
        if self._young and self._grown(self._young, at):
            return self._succeed(self._young)
        return []

    def _turned(self, answer: int, at: float, shares: Floats) -> list[Segment]:
        """Another answer begins, before or after the young stretch had grown up."""
        ended: list[Segment] = []
        assert self._standing is not None
        begun = _Stretch(answer, at, shares.copy())
        if self._young and self._grown(self._young, at):
            ended += self._succeed(self._young)
        if self._young is None and not self._grown(self._standing, at):
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
        named = Segment(stretch.start, end, self._name_of(stretch.answer, probability), probability)
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


class ThresholdSegmenter(Segmenter):
    """Each class by itself: a segment begins at its threshold and ends below it by more than the hysteresis.

    The probability of a segment is its highest. A class called normal has no segments: it stands where no other does.
    Moments without a probability go on with what stands, up to five in a row.
    """

    def __init__(self, classes: Sequence[str], rule: DecisionRule) -> None:
        self._classes = tuple(classes)
        self._active = [place for place, name in enumerate(classes) if name != NORMAL]
        self._threshold = [for_class(rule.threshold, name, 0.5) for name in classes]
        self._until = [
            threshold - for_class(rule.hysteresis, name, 0.0)
            for threshold, name in zip(self._threshold, classes, strict=True)
        ]
        self._shortest = [for_class(rule.shortest_seconds, name, 0.0) - _SLACK_SECONDS for name in classes]
        self._since: dict[int, float] = {}
        self._highest: dict[int, float] = {}
        self._unjudged = _UNJUDGED_FRAMES
        self._judged: Floats | None = None
        """The probabilities of the newest moment that has any."""

    @override
    def push(self, seconds: Sequence[float] | Floats, along: Floats) -> tuple[Segment, ...]:
        return tuple(segment for at, shares in zip(seconds, along, strict=True) for segment in self._see(at, shares))

    @override
    def finish(self, end_seconds: float) -> tuple[Segment, ...]:
        return tuple(self._end_all(end_seconds))

    @override
    def answer(self, now: Floats) -> tuple[str, float]:
        if self._unjudged >= _UNJUDGED_FRAMES or self._judged is None:
            return UNKNOWN, 0.0
        now = self._judged if np.isnan(now).all() else now
        if not self._since and NORMAL in self._classes:
            return NORMAL, float(now[self._classes.index(NORMAL)])
        best = max(self._since or self._active, key=lambda place: float(now[place]))
        return self._classes[best] if self._since else UNKNOWN, float(now[best])

    def _see(self, at: float, shares: Floats) -> Iterator[Segment]:
        if np.isnan(shares).all():
            self._unjudged += 1
            if self._unjudged >= _UNJUDGED_FRAMES:
                yield from self._end_all(at)
            return
        self._unjudged, self._judged = 0, shares
        for place in self._active:
            share = float(shares[place])
            if place not in self._since:
                if share >= self._threshold[place]:
                    self._since[place], self._highest[place] = float(at), share
            elif not share >= self._until[place]:
                yield from self._end(place, at)
            else:
                self._highest[place] = max(self._highest[place], share)

    def _end_all(self, at: float) -> Iterator[Segment]:
        for place in sorted(self._since):
            yield from self._end(place, at)

    def _end(self, place: int, at: float) -> Iterator[Segment]:
        since, highest = self._since.pop(place), self._highest.pop(place)
        if at - since >= self._shortest[place]:
            yield Segment(since, float(at), self._classes[place], highest)


def _as_one(before: Segment, after: Segment) -> Segment:
    """Two neighbours of one name; only `unknown` can stand beside itself."""
    shares = before.end_seconds - before.start_seconds, after.end_seconds - after.start_seconds
    mean = float(np.average([before.probability, after.probability], weights=shares))
    return Segment(before.start_seconds, after.end_seconds, after.label, mean)
