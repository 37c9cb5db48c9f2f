"""Probabilities of moments become segments in seconds. It needs numpy only."""

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
"""A segment may be this much shorter than the shortest one, since times are rounded."""


def softmax(scores: Floats, temperature: float) -> Floats:
    """Softmax over the last axis of scores divided by the temperature."""
    scaled = scores / temperature
    powers = np.exp(scaled - scaled.max(-1, keepdims=True))
    shares: Floats = powers / powers.sum(-1, keepdims=True)
    return shares


class Segmenter(ABC):
    """Takes probabilities of moments in order, and gives segments as soon as they are certain.

    Its memory does not grow.
    """

    @abstractmethod
    def push(self, seconds: Sequence[float] | Floats, along: Floats) -> tuple[Segment, ...]:
        """The segments that have ended and are certain after these moments.

        Args:
            seconds: (steps,) the time of each moment; a moment lasts until the next one.
            along: (steps, classes) probabilities; NaN where there is none.
        """

    @abstractmethod
    def finish(self, end_seconds: float) -> tuple[Segment, ...]:
        """The segments that were not certain yet; the last one ends at `end_seconds`."""

    @abstractmethod
    def answer(self, now: Floats) -> tuple[str, float]:
        """The label of the newest moment and its probability, from its probabilities (classes,)."""

    @abstractmethod
    def holding(self, now: Floats) -> tuple[str, ...]:
        """The labels that hold at the newest moment, from its probabilities (classes,)."""


def segmenter_for(answer: AnswerSpec, rule: DecisionRule, classes: Sequence[str]) -> Segmenter:
    """The segmenter for a kind of answer: by margin for one of the classes, otherwise by thresholds."""
    if answer.kind == "one":
        return MarginSegmenter(classes, rule)
    return ThresholdSegmenter(classes, rule, answer.background)


def for_class(value: PerClass, name: str, default: float) -> float:
    """The number of a rule for one class."""
    return value.get(name, default) if isinstance(value, dict) else value


class MarginSegmenter(Segmenter):
    """One class at each moment: the most probable one, if its lead is large enough for long enough.

    It keeps the current stretch, a young stretch that may replace it, and an ended segment that is unknown, since two
    neighbours that are unknown become one segment.
    """

    def __init__(self, classes: Sequence[str], rule: DecisionRule) -> None:
        self._classes = tuple(classes)
        self._threshold = [for_class(rule.threshold, name, 0.0) for name in classes]
        self._hysteresis = [for_class(rule.hysteresis, name, 0.0) for name in classes]
        self._shortest = [for_class(rule.shortest_seconds, name, 0.0) for name in classes]
        self._current: _Stretch | None = None
        self._young: _Stretch | None = None
        self._unknown: Segment | None = None

    @override
    def answer(self, now: Floats) -> tuple[str, float]:
        best = int(now.argmax())
        return self._name_of(best, float(now[best])), float(now[best])

    @override
    def holding(self, now: Floats) -> tuple[str, ...]:
        label = self.answer(now)[0]
        return () if label == UNKNOWN else (label,)

    def _name_of(self, index: int, probability: float) -> str:
        return self._classes[index] if probability >= self._threshold[index] else UNKNOWN

    def _long_enough(self, young: _Stretch, at: float) -> bool:
        """Whether a stretch has lasted long enough to be a segment."""
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
        if self._current and self._young:
            if self._long_enough(self._young, end_seconds):
                ended += self._replace(self._young)
            else:
                self._current.take(self._young)
        if self._current:
            ended += self._name(self._current, end_seconds)
        ended += [self._unknown] if self._unknown else []
        self._current = self._young = self._unknown = None
        return tuple(ended)

    def _moment(self, at: float, shares: Floats) -> list[Segment]:
        newest = self._young or self._current
        best = int(shares.argmax())
        if newest is None:
            self._current = _Stretch(best, at, shares.copy())
            return []
        if shares[best] <= shares[newest.answer] + self._hysteresis[best]:
            best = newest.answer
        if best == newest.answer:
            newest.add(shares)
            return self._promote(at)
        return self._change(best, at, shares)

    def _promote(self, at: float) -> list[Segment]:
        """End the current stretch if the young one, to which this moment belongs, has lasted long enough."""
        if self._young and self._long_enough(self._young, at):
            return self._replace(self._young)
        return []

    def _change(self, answer: int, at: float, shares: Floats) -> list[Segment]:
        """Another answer begins; the young stretch may or may not have lasted long enough by then."""
        ended: list[Segment] = []
        assert self._current is not None
        begun = _Stretch(answer, at, shares.copy())
        if self._young and self._long_enough(self._young, at):
            ended += self._replace(self._young)
        if self._young is None and not self._long_enough(self._current, at):
            begun.precede(self._current)  # only the first stretch of a film can be current and too short
            self._current = begun
            return ended
        if self._young:
            self._current, begun = self._share_out(self._young, begun)
        self._young = None if begun is self._current else begun
        return ended + (self._promote(at) if self._young else [])

    def _share_out(self, short: _Stretch, begun: _Stretch) -> tuple[_Stretch, _Stretch]:
        """Give a stretch that is too short to one of its neighbours. Gives the current stretch and the newest one."""
        current = self._current
        assert current is not None
        if begun.answer == current.answer:
            current.take(short)
            current.take(begun)
            return current, current
        if short.sums[current.answer] >= short.sums[begun.answer]:
            current.take(short)
        else:
            begun.precede(short)
        return current, begun

    def _replace(self, young: _Stretch) -> list[Segment]:
        assert self._current is not None
        ended = self._name(self._current, young.start)
        self._current, self._young = young, None
        return ended

    def _name(self, stretch: _Stretch, end: float) -> list[Segment]:
        """End a stretch as a segment with a label. An unknown one waits, since the next may be unknown too."""
        probability = float(stretch.sums[stretch.answer] / stretch.count)
        named = Segment(stretch.start, end, self._name_of(stretch.answer, probability), probability)
        waiting, self._unknown = self._unknown, None
        if named.label == UNKNOWN:
            self._unknown = _as_one(waiting, named) if waiting else named
            return []
        return [waiting, named] if waiting else [named]


@dataclass
class _Stretch:
    """Successive moments with one answer: their start, and the sum of their probabilities (classes,)."""

    answer: int
    start: float
    sums: Floats
    count: int = 1

    def add(self, shares: Floats) -> None:
        """Add one moment at the end."""
        self.sums += shares
        self.count += 1

    def take(self, later: _Stretch) -> None:
        """Add the moments of the stretch that follows."""
        self.sums, self.count = self.sums + later.sums, self.count + later.count

    def precede(self, earlier: _Stretch) -> None:
        """Add the moments of the stretch before."""
        self.start = earlier.start
        self.take(earlier)


class ThresholdSegmenter(Segmenter):
    """Each class by itself: a segment begins at its threshold, and ends below the threshold minus the hysteresis.

    The probability of a segment is its highest. The background class has no segments: it is the answer where no
    other class has one. A segment goes on over moments without probabilities, and ends at the fifth of them in a row.
    """

    def __init__(self, classes: Sequence[str], rule: DecisionRule, background: str | None = None) -> None:
        """`background`: the background class, if there is one."""
        self._classes, self._background = tuple(classes), background
        self._active = [place for place, name in enumerate(classes) if name != background]
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
        if not self._since and self._background in self._classes:
            return self._background, float(now[self._classes.index(self._background)])
        best = max(self._since or self._active, key=lambda place: float(now[place]))
        return self._classes[best] if self._since else UNKNOWN, float(now[best])

    @override
    def holding(self, now: Floats) -> tuple[str, ...]:
        return tuple(self._classes[place] for place in sorted(self._since))

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
    """Two neighbours with the same label as one segment; only `unknown` can have itself as a neighbour."""
    shares = before.end_seconds - before.start_seconds, after.end_seconds - after.start_seconds
    mean = float(np.average([before.probability, after.probability], weights=shares))
    return Segment(before.start_seconds, after.end_seconds, after.label, mean)
