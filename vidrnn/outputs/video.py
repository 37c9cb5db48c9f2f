"""The film once more with its answers below the picture: label, how probable it is, and where in the timeline it is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vidrnn.outputs.base import Answered, Output
from vidrnn.timeline.segments import UNKNOWN
from vidrnn.values import FilmPrediction, Frame, Pixels, Segment, Size
from vidrnn.video.reader import open_film, resized
from vidrnn.video.writer import write_film

Colour = tuple[int, int, int]

_NARROWEST, _TALLEST_ENLARGED, _LARGEST = 320, 1440, 8192
"""Pixels. No word could be read below a narrower film: it is enlarged by a whole factor as far as its height allows,
and stands in the middle. A larger one is shrunk, since VP8 takes but twice as much."""
_LONGEST_GAP_SECONDS = 60.0
"""A longer one is not filled: there the time stamps are more likely wrong than the film is that long."""
_LETTERS, _SMALLEST_LETTERS, _LARGEST_LETTERS = 1 / 26, 12, 48
"""Height of the letters: as a share of the width; in pixels."""
_WEIGHT = 500
"""Of the letters: a little bolder than text on paper, since films blur."""
_SLOWEST_FPS, _FASTEST_FPS = 1.0, 120.0
_PAPER, _INK, _GROOVE = (24, 24, 24), (240, 240, 240), (70, 70, 70)
_UNKNOWN_COLOUR: Colour = (128, 128, 128)
_COLOURS: tuple[Colour, ...] = (
    *((78, 121, 167), (242, 142, 43), (89, 161, 79), (225, 87, 89), (176, 122, 161)),
    *((237, 201, 72), (118, 183, 178), (255, 157, 167), (156, 117, 95), (160, 203, 232)),
)
"""RGB, told apart on dark ground; the classes of a film get them in the order in which they come."""


class AnnotatedWebm(Output):
    """VP8, which browsers play."""

    suffix = ".video.webm"

    def write(self, answered: Answered, file: Path) -> None:
        """As the contract says."""
        _write(answered, file)


class AnnotatedMp4(Output):
    """H.264, which other programs play."""

    suffix = ".video.mp4"

    def write(self, answered: Answered, file: Path) -> None:
        """As the contract says."""
        _write(answered, file)


def _write(answered: Answered, file: Path) -> None:
    found = answered.found
    fps = float(np.clip(found.frames / found.duration_seconds, _SLOWEST_FPS, _FASTEST_FPS))
    write_film(file, _annotated(answered, fps), fps)


def _annotated(answered: Answered, fps: float) -> Iterator[Pixels]:
    """Every frame at an even pace, so that the film stays in time whatever its own rate does; a gap shows what was
    before it.
    """
    with open_film(answered.film, rate=answered.rate if answered.film.is_dir() else None) as film:
        size = shown_size(film.size)
        strip = Strip(answered.found, max(_NARROWEST, size.width))
        before: Frame | None = None
        for frame in film.sampled(1 / fps):
            gap = 0.0 if before is None else frame.seconds - before.seconds
            missing = round(gap * fps) - 1 if gap <= _LONGEST_GAP_SECONDS else 0
            for number in range(1, missing + 1):
                assert before is not None
                yield _above(before.pixels, size, strip.at(before.seconds + number / fps))
            yield _above(frame.pixels, size, strip.at(frame.seconds))
            before = frame


def shown_size(film: Size) -> Size:
    """Of the picture above the strip."""
    enlarged = max(1, min(-(-_NARROWEST // film.width), _TALLEST_ENLARGED // film.height))
    scale = min(enlarged, _LARGEST / max(film.height, film.width))
    return Size(max(1, round(scale * film.height)), max(1, round(scale * film.width)))


def _above(pixels: Pixels, size: Size, strip: Pixels) -> Pixels:
    """A picture in the middle above a strip that may be wider."""
    left = (strip.shape[1] - size.width) // 2
    sides = (left, strip.shape[1] - size.width - left)
    grounds = [np.full((size.height, width, 3), _PAPER, dtype=np.uint8) for width in sides]
    return np.concatenate([np.concatenate([grounds[0], resized(pixels, size), grounds[1]], axis=1), strip])


@dataclass(frozen=True)
class _Measures:
    """Of the strip below a picture, in pixels."""

    width: int

    @property
    def letters(self) -> int:
        return int(np.clip(self.width * _LETTERS, _SMALLEST_LETTERS, _LARGEST_LETTERS))

    @property
    def margin(self) -> int:
        return max(4, self.letters // 2)

    @property
    def line(self) -> int:
        """Height of the line with the words and the bar."""
        return self.letters * 2

    @property
    def base(self) -> int:
        """The row on which the letters stand."""
        return self.line // 2 + self.letters // 3

    @property
    def bar(self) -> tuple[int, int]:
        """The first column of the bar, and the first after it."""
        return self.width * 5 // 8, self.width - 2 * self.margin - _width("0.00", self.letters)

    @property
    def height(self) -> int:
        """Of it all: the line, the timeline and the margin below it."""
        even = self.line + self.letters + self.margin
        return even + even % 2


class Strip:
    """What stands below a picture of some width, at each time of a film."""

    def __init__(self, found: FilmPrediction, width: int) -> None:
        self._found = found
        self._starts = [segment.start_seconds for segment in found.segments]
        self._measures = _Measures(width)
        self._colours = colours(found)
        self._still = [self._segment(segment) for segment in found.segments]

    def at(self, seconds: float) -> Pixels:
        """The strip (height, width, 3) at a time: its segment, how probable it is just then, and where the time is."""
        number = max(0, bisect_right(self._starts, seconds) - 1)
        strip = self._still[number].copy()
        self._bar(strip, self._found.segments[number], seconds)
        measures, place = self._measures, self._place(seconds)
        half = max(1, measures.letters // 12)
        strip[measures.line - half * 2 : measures.line + measures.letters + half, place - half : place + half] = _INK
        return strip

    def _segment(self, segment: Segment) -> Pixels:
        """What stays the same as long as a segment lasts."""
        strip = np.full((self._measures.height, self._measures.width, 3), _PAPER, dtype=np.uint8)
        self._words(strip, segment)
        self._timeline(strip)
        return strip

    def _bar(self, strip: Pixels, segment: Segment, seconds: float) -> None:
        measures = self._measures
        share = probability_at(self._found, segment, seconds)
        first, last = measures.bar
        top, bottom = measures.line // 2 - measures.letters // 3, measures.line // 2 + measures.letters // 3
        strip[top:bottom, first:last] = _GROOVE
        strip[top:bottom, first : first + round((last - first) * min(1.0, share))] = self._colours[segment.label]
        _write_text(strip, f"{share:.2f}", (last + measures.margin, measures.base), measures.letters)

    def _words(self, strip: Pixels, segment: Segment) -> None:
        measures = self._measures
        text, letters = _fitting(segment.label, measures.letters, measures.bar[0] - 2 * measures.margin)
        _write_text(strip, text, (measures.margin, measures.base), letters)

    def _timeline(self, strip: Pixels) -> None:
        measures = self._measures
        for segment in self._found.segments:
            first, last = self._place(segment.start_seconds), self._place(segment.end_seconds)
            strip[measures.line : measures.line + measures.letters, first : max(last, first + 1)] = self._colours[
                segment.label
            ]

    def _place(self, seconds: float) -> int:
        """The column of the timeline that a time stands in."""
        first, last = self._found.segments[0].start_seconds, self._found.segments[-1].end_seconds
        inner = self._measures.width - 2 * self._measures.margin
        share = (seconds - first) / (last - first) if last > first else 0.0
        return self._measures.margin + round(inner * min(1.0, max(0.0, share)))


def probability_at(found: FilmPrediction, segment: Segment, seconds: float) -> float:
    """How probable the answer of a segment is at a moment in it; where that is not known, in the mean."""
    timeline = found.timeline
    if timeline is None or not len(timeline.seconds):
        return segment.probability
    shares = timeline.probabilities[max(0, bisect_right(timeline.seconds, seconds) - 1)]
    known = segment.label in timeline.classes
    return float(shares[timeline.classes.index(segment.label)] if known else shares.max())


def colours(found: FilmPrediction) -> dict[str, Colour]:
    """A colour for each label of a film, in the order in which they come; grey for what is unknown."""
    labels = [label for label in dict.fromkeys(segment.label for segment in found.segments) if label != UNKNOWN]
    chosen = {label: _COLOURS[number % len(_COLOURS)] for number, label in enumerate(labels)}
    return chosen | {UNKNOWN: _UNKNOWN_COLOUR}


def _fitting(text: str, letters: int, width: int) -> tuple[str, int]:
    """The text in letters that fit into so many pixels: smaller ones, then fewer."""
    text = " ".join(text.split())
    smaller = max(_SMALLEST_LETTERS, letters * 2 // 3)
    for size in (letters, smaller):
        if _width(text, size) <= width:
            return text, size
    while text and _width(text + "…", smaller) > width:
        text = text[:-1]
    return text + "…", smaller


def _font() -> cv2.FontFace:
    return cv2.FontFace("sans")


def _width(text: str, letters: int) -> int:
    """Of a text, in pixels."""
    _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), _font(), letters, _WEIGHT)
    return int(width)


def _write_text(picture: Pixels, text: str, place: tuple[int, int], letters: int) -> None:
    cv2.putText(picture, text, place, _INK, _font(), letters, _WEIGHT)
