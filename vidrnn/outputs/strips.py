"""The strip below a picture: the label of the moment, or a lane for each behaviour where several hold at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import cv2
import numpy as np
from typing_extensions import override

from vidrnn.outputs.base import first_seconds
from vidrnn.text import one_line
from vidrnn.timeline.segments import UNKNOWN
from vidrnn.values import FilmPrediction, Pixels, Segment

Colour = tuple[int, int, int]

_LETTERS, _SMALLEST_LETTERS, _LARGEST_LETTERS = 1 / 26, 12, 48
"""Height of the letters: as a share of the width, and its limits in pixels."""
_WEIGHT = 500
"""Of the letters: a little bolder than regular (400), since video compression blurs."""
_SLACK_SECONDS = 1e-6
"""A segment that ends within this of the film's end lasts to the last frame, and so little is no overlap."""
_BACKGROUND, _TEXT, _DIM_TEXT, _BAR_BACKGROUND = (24, 24, 24), (240, 240, 240), (140, 140, 140), (70, 70, 70)
_EMPTY_LANE = (48, 48, 48)
_UNKNOWN_COLOUR: Colour = (128, 128, 128)
_COLOURS: tuple[Colour, ...] = (
    *((78, 121, 167), (242, 142, 43), (89, 161, 79), (225, 87, 89), (176, 122, 161)),
    *((237, 201, 72), (118, 183, 178), (255, 157, 167), (156, 117, 95), (160, 203, 232)),
)
"""RGB, easy to tell apart on a dark background. The labels of a film get them in the order in which they occur."""


def strip_for(prediction: FilmPrediction, width: int) -> Strip:
    """The strip of a film below a picture of `width` pixels: lanes, if segments overlap."""
    return Lanes(prediction, width) if _overlap(prediction.segments) else LabelStrip(prediction, width)


def _overlap(segments: Sequence[Segment]) -> bool:
    """Whether two segments hold at once. They are in the order of their starts."""
    return any(after.start_seconds < before.end_seconds - _SLACK_SECONDS for before, after in pairwise(segments))


class Strip(ABC):
    """What stands below a picture at any time of a film."""

    def __init__(self, prediction: FilmPrediction) -> None:
        self._prediction = prediction
        self._first = first_seconds(prediction)
        self._end = self._first + prediction.duration_seconds
        self._colours = colours(prediction)

    @abstractmethod
    def at(self, seconds: float) -> Pixels:
        """(height, width, 3) RGB, of even height: the segments at this time, and the time on the timeline."""

    def _share(self, seconds: float) -> float:
        """How much of the film has passed at a time."""
        share = (seconds - self._first) / (self._end - self._first) if self._end > self._first else 0.0
        return min(1.0, max(0.0, share))

    def _holds(self, segment: Segment, seconds: float) -> bool:
        """Whether a segment that has begun still holds."""
        return seconds < segment.end_seconds or segment.end_seconds >= self._end - _SLACK_SECONDS


@dataclass(frozen=True)
class _Layout:
    """The layout of a strip with one label, in pixels."""

    width: int

    @property
    def letters(self) -> int:
        return int(np.clip(self.width * _LETTERS, _SMALLEST_LETTERS, _LARGEST_LETTERS))

    @property
    def margin(self) -> int:
        return max(4, self.letters // 2)

    @property
    def line(self) -> int:
        """Height of the line with the label and the bar."""
        return self.letters * 2

    @property
    def baseline(self) -> int:
        """The row of the baseline of the text."""
        return self.line // 2 + self.letters // 3

    @property
    def bar(self) -> tuple[int, int]:
        """The first column of the bar, and the first column after it."""
        return self.width * 5 // 8, self.width - 2 * self.margin - text_width("0.00", self.letters)

    @property
    def height(self) -> int:
        """Height of the line, the timeline and the margin below it; even."""
        even = self.line + self.letters + self.margin
        return even + even % 2


class LabelStrip(Strip):
    """The label of the moment, its probability, and one timeline; empty where no segment is."""

    def __init__(self, prediction: FilmPrediction, width: int) -> None:
        super().__init__(prediction)
        self._starts = [segment.start_seconds for segment in prediction.segments]
        self._layout = _Layout(width)
        self._backgrounds = [self._background(segment) for segment in (*prediction.segments, None)]

    @override
    def at(self, seconds: float) -> Pixels:
        number = self._segment_at(seconds)
        strip = self._backgrounds[-1 if number is None else number].copy()
        if number is not None:
            self._draw_bar(strip, self._prediction.segments[number], seconds)
        layout, column = self._layout, self._column(seconds)
        half = max(1, layout.letters // 12)
        strip[layout.line - half * 2 : layout.line + layout.letters + half, column - half : column + half] = _TEXT
        return strip

    def _segment_at(self, seconds: float) -> int | None:
        """The number of the segment at a time, of several the one that began last; None where there is none."""
        for number in reversed(range(bisect_right(self._starts, seconds))):
            if self._holds(self._prediction.segments[number], seconds):
                return number
        return None

    def _background(self, segment: Segment | None) -> Pixels:
        """The part of the strip that stays the same during a segment, or where there is none."""
        strip = np.full((self._layout.height, self._layout.width, 3), _BACKGROUND, dtype=np.uint8)
        if segment is not None:
            self._draw_label(strip, segment)
        self._draw_timeline(strip)
        return strip

    def _draw_bar(self, strip: Pixels, segment: Segment, seconds: float) -> None:
        layout = self._layout
        share = probability_at(self._prediction, segment, seconds)
        first, last = layout.bar
        top, bottom = layout.line // 2 - layout.letters // 3, layout.line // 2 + layout.letters // 3
        strip[top:bottom, first:last] = _BAR_BACKGROUND
        strip[top:bottom, first : first + round((last - first) * min(1.0, share))] = self._colours[segment.label]
        draw_text(strip, f"{share:.2f}", (last + layout.margin, layout.baseline), layout.letters)

    def _draw_label(self, strip: Pixels, segment: Segment) -> None:
        layout = self._layout
        text, letters = _fitting(segment.label, layout.letters, layout.bar[0] - 2 * layout.margin)
        draw_text(strip, text, (layout.margin, layout.baseline), letters)

    def _draw_timeline(self, strip: Pixels) -> None:
        layout = self._layout
        for segment in self._prediction.segments:
            first, last = self._column(segment.start_seconds), self._column(segment.end_seconds)
            strip[layout.line : layout.line + layout.letters, first : max(last, first + 1)] = self._colours[
                segment.label
            ]

    def _column(self, seconds: float) -> int:
        """The column of a time on the timeline."""
        inner = self._layout.width - 2 * self._layout.margin
        return self._layout.margin + round(inner * self._share(seconds))


@dataclass(frozen=True)
class _LaneLayout:
    """The layout of lanes, in pixels."""

    width: int
    labels: tuple[str, ...]

    @property
    def letters(self) -> int:
        """A little smaller than those of a strip with one label, since there are several lines."""
        return int(np.clip(self.width * _LETTERS * 3 / 4, _SMALLEST_LETTERS, _LARGEST_LETTERS))

    @property
    def margin(self) -> int:
        return max(4, self.letters // 2)

    @property
    def lane(self) -> int:
        """Height of a lane with the gap to the next one."""
        return self.letters * 5 // 3

    @property
    def gap(self) -> int:
        """Between two bars."""
        return max(2, self.lane // 6)

    @property
    def baseline(self) -> int:
        """The row of the baseline of the text in a lane."""
        return self.lane // 2 + self.letters // 3

    @property
    def bar(self) -> tuple[int, int]:
        """The first column of the bars, and the first column after them."""
        names = min(max(text_width(label, self.letters) for label in self.labels), self.width * 3 // 8)
        return names + 2 * self.margin, self.width - 2 * self.margin - text_width("0.00", self.letters)

    @property
    def height(self) -> int:
        """Height of all lanes and the margins around them; even."""
        height = len(self.labels) * self.lane + 2 * self.margin
        return height + height % 2


class Lanes(Strip):
    """A lane for each behaviour that the film shows: its name, its timeline, and its probability while it holds.

    The name of a behaviour is bright while it holds, and dim while it does not.
    """

    def __init__(self, prediction: FilmPrediction, width: int) -> None:
        super().__init__(prediction)
        shown = dict.fromkeys(segment.label for segment in prediction.segments)
        classes = prediction.timeline.classes if prediction.timeline is not None else ()
        self._labels = sorted(shown, key=[*classes, *shown].index)
        self._layout = _LaneLayout(width, tuple(map(one_line, self._labels)))
        self._bar = self._layout.bar

    @override
    def at(self, seconds: float) -> Pixels:
        strip, layout = self._background.copy(), self._layout
        holding = {
            segment.label: segment
            for segment in self._prediction.segments
            if segment.start_seconds <= seconds and self._holds(segment, seconds)
        }
        for number, label in enumerate(self._labels):
            text = self._names[label, label in holding]
            top = layout.margin + number * layout.lane
            strip[top : top + layout.lane, : text.shape[1]] = text
            if label in holding:
                share = probability_at(self._prediction, holding[label], seconds)
                place = (self._bar[1] + layout.margin, top + layout.baseline)
                draw_text(strip, f"{share:.2f}", place, layout.letters)
        column, half = self._column(seconds), max(1, layout.letters // 12)
        strip[layout.margin // 2 : layout.height - layout.margin // 2, column - half : column + half] = _TEXT
        return strip

    @cached_property
    def _background(self) -> Pixels:
        """The bars of all behaviours."""
        layout = self._layout
        strip = np.full((layout.height, layout.width, 3), _BACKGROUND, dtype=np.uint8)
        rows = {
            label: slice(top + layout.gap // 2, top + layout.lane - (layout.gap - layout.gap // 2))
            for label, top in zip(self._labels, range(layout.margin, layout.height, layout.lane), strict=False)
        }
        for row in rows.values():
            strip[row, slice(*self._bar)] = _EMPTY_LANE
        for segment in self._prediction.segments:
            first, last = self._column(segment.start_seconds), self._column(segment.end_seconds)
            strip[rows[segment.label], first : max(last, first + 1)] = self._colours[segment.label]
        return strip

    @cached_property
    def _names(self) -> dict[tuple[str, bool], Pixels]:
        """The name of each behaviour, bright and dim."""
        layout = self._layout
        names = {}
        first = self._bar[0]
        for label, line in zip(self._labels, layout.labels, strict=True):
            text = shortened(line, layout.letters, first - 2 * layout.margin)
            for holds, colour in ((True, _TEXT), (False, _DIM_TEXT)):
                picture = np.full((layout.lane, first, 3), _BACKGROUND, dtype=np.uint8)
                draw_text(picture, text, (layout.margin, layout.baseline), layout.letters, colour)
                names[label, holds] = picture
        return names

    def _column(self, seconds: float) -> int:
        """The column of a time on the bars."""
        first, last = self._bar
        return first + round((last - first) * self._share(seconds))


def probability_at(prediction: FilmPrediction, segment: Segment, seconds: float) -> float:
    """The probability of a segment's label at a time in it; that of the segment where moments have none."""
    timeline = prediction.timeline
    if timeline is None or not len(timeline.seconds):
        return segment.probability
    shares = timeline.probabilities[max(0, bisect_right(timeline.seconds, seconds) - 1)]
    known = segment.label in timeline.classes
    share = float(shares[timeline.classes.index(segment.label)] if known else shares.max())
    return segment.probability if np.isnan(share) else share


def colours(prediction: FilmPrediction) -> dict[str, Colour]:
    """A colour for each label of a film, in the order in which they occur; grey for unknown."""
    labels = [label for label in dict.fromkeys(segment.label for segment in prediction.segments) if label != UNKNOWN]
    assigned = {label: _COLOURS[number % len(_COLOURS)] for number, label in enumerate(labels)}
    return assigned | {UNKNOWN: _UNKNOWN_COLOUR}


def _fitting(text: str, letters: int, width: int) -> tuple[str, int]:
    """The text and its letter height so that it fits into `width` pixels: smaller letters first, then fewer."""
    text, smaller = one_line(text), max(_SMALLEST_LETTERS, letters * 2 // 3)
    if text_width(text, letters) <= width:
        return text, letters
    return shortened(text, smaller, width), smaller


def shortened(text: str, letters: int, width: int) -> str:
    """The text, or its beginning and three points, so that it fits into `width` pixels."""
    if text_width(text, letters) <= width:
        return text
    while text and text_width(text + "…", letters) > width:
        text = text[:-1]
    return text + "…"


def _font() -> cv2.FontFace:
    return cv2.FontFace("sans")


def text_width(text: str, letters: int) -> int:
    """The width of a text in pixels."""
    _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), _font(), letters, _WEIGHT)
    return int(width)


def draw_text(picture: Pixels, text: str, place: tuple[int, int], letters: int, colour: Colour = _TEXT) -> None:
    """Write a text into a picture; `place` is the column and the row where its baseline begins."""
    cv2.putText(picture, text, place, colour, _font(), letters, _WEIGHT)
