"""An annotated video: below the picture are the label, its probability, and the timeline with the current time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from typing_extensions import override

from vidrnn.errors import FilmError
from vidrnn.outputs.base import Answered, Output, first_seconds, segments_of
from vidrnn.outputs.forecast_video import write_forecast
from vidrnn.timeline.segments import UNKNOWN
from vidrnn.values import FilmPrediction, Frame, Pixels, Segment, Size
from vidrnn.video.features import holds_features
from vidrnn.video.reader import open_film, resized
from vidrnn.video.writer import write_film

Colour = tuple[int, int, int]

_NARROWEST, _TALLEST_ENLARGED, _LARGEST = 320, 1440, 8192
"""Pixels. A film narrower than the first is enlarged by a whole factor, as far as its height allows, and centred, so
that the text can be read. A film larger than the last is shrunk, since a side of VP8 has at most 16383 pixels."""
_LONGEST_GAP_SECONDS = 60.0
"""Longer gaps are not filled, since their timestamps are probably wrong."""
_LETTERS, _SMALLEST_LETTERS, _LARGEST_LETTERS = 1 / 26, 12, 48
"""Height of the letters: as a share of the width, and its limits in pixels."""
_WEIGHT = 500
"""Of the letters: a little bolder than regular (400), since video compression blurs."""
_SLOWEST_FPS, _FASTEST_FPS = 1.0, 120.0
_SLACK_SECONDS = 1e-6
"""A segment that ends within this of the film's end lasts to the last frame."""
_BACKGROUND, _TEXT, _BAR_BACKGROUND = (24, 24, 24), (240, 240, 240), (70, 70, 70)
_UNKNOWN_COLOUR: Colour = (128, 128, 128)
_COLOURS: tuple[Colour, ...] = (
    *((78, 121, 167), (242, 142, 43), (89, 161, 79), (225, 87, 89), (176, 122, 161)),
    *((237, 201, 72), (118, 183, 178), (255, 157, 167), (156, 117, 95), (160, 203, 232)),
)
"""RGB, easy to tell apart on a dark background. The labels of a film get them in the order in which they occur."""


class AnnotatedWebm(Output):
    """VP8, which browsers play."""

    suffix = ".video.webm"

    @override
    def write(self, answered: Answered, file: Path) -> None:
        _write(answered, file)


class AnnotatedMp4(Output):
    """H.264, which other programs play."""

    suffix = ".video.mp4"

    @override
    def write(self, answered: Answered, file: Path) -> None:
        _write(answered, file)


def _write(answered: Answered, file: Path) -> None:
    prediction = answered.prediction
    if holds_features(answered.film) and not answered.film.is_dir():
        raise FilmError(f"{answered.film}: holds features and no pictures to show. Use another --format.")
    if prediction.pictures is not None:
        write_forecast(prediction, file)
        return
    segments_of(prediction, file)
    fps = float(np.clip(prediction.frames / prediction.duration_seconds, _SLOWEST_FPS, _FASTEST_FPS))
    write_film(file, _annotated(answered, fps), fps)


def _annotated(answered: Answered, fps: float) -> Iterator[Pixels]:
    """The film's frames (height, width, 3) RGB at an even rate, each above its strip.

    The rate of the film may vary, so gaps are filled with the frame before them.
    """
    with open_film(answered.film, rate=answered.rate if answered.film.is_dir() else None) as film:
        size = shown_size(film.size)
        strip = Strip(answered.prediction, max(_NARROWEST, size.width))
        last: Frame | None = None
        for frame in film.sampled(1 / fps):
            gap = 0.0 if last is None else frame.seconds - last.seconds
            missing = round(gap * fps) - 1 if gap <= _LONGEST_GAP_SECONDS else 0
            for number in range(1, missing + 1):
                assert last is not None
                yield _above(last.pixels, size, strip.at(last.seconds + number / fps))
            yield _above(frame.pixels, size, strip.at(frame.seconds))
            last = frame


def shown_size(film: Size) -> Size:
    """The size of the picture above the strip."""
    enlarged = max(1, min(-(-_NARROWEST // film.width), _TALLEST_ENLARGED // film.height))
    scale = min(enlarged, _LARGEST / max(film.height, film.width))
    return Size(max(1, round(scale * film.height)), max(1, round(scale * film.width)))


def _above(pixels: Pixels, size: Size, strip: Pixels) -> Pixels:
    """The picture centred above a strip that may be wider."""
    left = (strip.shape[1] - size.width) // 2
    sides = (left, strip.shape[1] - size.width - left)
    margins = [np.full((size.height, width, 3), _BACKGROUND, dtype=np.uint8) for width in sides]
    return np.concatenate([np.concatenate([margins[0], resized(pixels, size), margins[1]], axis=1), strip])


@dataclass(frozen=True)
class _Layout:
    """The layout of the strip below a picture, in pixels."""

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
        return self.width * 5 // 8, self.width - 2 * self.margin - _text_width("0.00", self.letters)

    @property
    def height(self) -> int:
        """Height of the line, the timeline and the margin below it; even."""
        even = self.line + self.letters + self.margin
        return even + even % 2


class Strip:
    """The strip below a picture of a given width, at any time of a film; empty where no segment is."""

    def __init__(self, prediction: FilmPrediction, width: int) -> None:
        self._prediction = prediction
        self._starts = [segment.start_seconds for segment in prediction.segments]
        self._first = first_seconds(prediction)
        self._end = self._first + prediction.duration_seconds
        self._layout = _Layout(width)
        self._colours = colours(prediction)
        self._backgrounds = [self._background(segment) for segment in (*prediction.segments, None)]

    def at(self, seconds: float) -> Pixels:
        """The strip (height, width, 3) RGB: the segment at this time, its probability, and the time on the timeline."""
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
            end = self._prediction.segments[number].end_seconds
            if seconds < end or end >= self._end - _SLACK_SECONDS:
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
        _write_text(strip, f"{share:.2f}", (last + layout.margin, layout.baseline), layout.letters)

    def _draw_label(self, strip: Pixels, segment: Segment) -> None:
        layout = self._layout
        text, letters = _fitting(segment.label, layout.letters, layout.bar[0] - 2 * layout.margin)
        _write_text(strip, text, (layout.margin, layout.baseline), letters)

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
        share = (seconds - self._first) / (self._end - self._first) if self._end > self._first else 0.0
        return self._layout.margin + round(inner * min(1.0, max(0.0, share)))


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
    text = " ".join(text.split())
    smaller = max(_SMALLEST_LETTERS, letters * 2 // 3)
    for size in (letters, smaller):
        if _text_width(text, size) <= width:
            return text, size
    while text and _text_width(text + "…", smaller) > width:
        text = text[:-1]
    return text + "…", smaller


def _font() -> cv2.FontFace:
    return cv2.FontFace("sans")


def _text_width(text: str, letters: int) -> int:
    """The width of a text in pixels."""
    _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), _font(), letters, _WEIGHT)
    return int(width)


def _write_text(picture: Pixels, text: str, place: tuple[int, int], letters: int) -> None:
    cv2.putText(picture, text, place, _TEXT, _font(), letters, _WEIGHT)
