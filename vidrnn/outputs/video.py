"""An annotated video: below the picture is a strip with what happens now, and when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from typing_extensions import override

from vidrnn.data.listing.own_results import MARK
from vidrnn.errors import FilmError
from vidrnn.outputs.base import Answered, Output, segments_of
from vidrnn.outputs.forecast_video import write_forecast
from vidrnn.outputs.strips import strip_for
from vidrnn.values import FilmPrediction, Frame, Pixels, Size
from vidrnn.video.features import holds_features
from vidrnn.video.film import Film
from vidrnn.video.reader import open_film
from vidrnn.video.resizing import resized
from vidrnn.video.writer import write_film

NARROWEST, _TALLEST_ENLARGED, _LARGEST = 320, 1440, 8192
"""Pixels. A film narrower than the first is enlarged by a whole factor, as far as its height allows, and centred, so
that the text can be read. A film larger than the last is shrunk, since a side of VP8 has at most 16383 pixels."""
_LONGEST_GAP_SECONDS = 60.0
"""Longer gaps are not filled, since their timestamps are probably wrong."""
_SLOWEST_FPS, _FASTEST_FPS = 1.0, 120.0
_BACKGROUND = (24, 24, 24)


class AnnotatedWebm(Output):
    """VP8, which browsers play."""

    needs = "av"
    suffix = ".video.webm"

    @override
    def write(self, answered: Answered, file: Path) -> None:
        _write(answered, file)


class AnnotatedMp4(Output):
    """H.264, which other programs play."""

    needs = "av"
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
    fps = even_rate(prediction)
    write_film(file, _annotated(answered, fps), fps, MARK)


def _annotated(answered: Answered, fps: float) -> Iterator[Pixels]:
    """The film's frames (height, width, 3) RGB at an even rate, each above its strip."""
    with open_film(answered.film, rate=answered.rate) as film:
        size = shown_size(film.size)
        strip = strip_for(answered.prediction, max(NARROWEST, size.width))
        for pixels, seconds in even_frames(film, fps):
            yield above(pixels, size, strip.at(seconds))


def even_rate(prediction: FilmPrediction) -> float:
    """Frames per second of a video that shows a film with its answers."""
    return float(np.clip(prediction.frames / prediction.duration_seconds, _SLOWEST_FPS, _FASTEST_FPS))


def even_frames(film: Film, fps: float) -> Iterator[tuple[Pixels, float]]:
    """The frames of a film at an even rate, each with its time in seconds; a gap is filled with the frame before it."""
    last: Frame | None = None
    for frame in film.sampled(1 / fps):
        gap = 0.0 if last is None else frame.seconds - last.seconds
        missing = round(gap * fps) - 1 if gap <= _LONGEST_GAP_SECONDS else 0
        for number in range(1, missing + 1):
            assert last is not None
            yield last.pixels, last.seconds + number / fps
        yield frame.pixels, frame.seconds
        last = frame


def shown_size(film: Size) -> Size:
    """The size of the picture above the strip."""
    enlarged = max(1, min(-(-NARROWEST // film.width), _TALLEST_ENLARGED // film.height))
    scale = min(enlarged, _LARGEST / max(film.height, film.width))
    return Size(max(1, round(scale * film.height)), max(1, round(scale * film.width)))


def above(pixels: Pixels, size: Size, strip: Pixels) -> Pixels:
    """The picture centred above a strip that may be wider."""
    left = (strip.shape[1] - size.width) // 2
    sides = (left, strip.shape[1] - size.width - left)
    margins = [np.full((size.height, width, 3), _BACKGROUND, dtype=np.uint8) for width in sides]
    return np.concatenate([np.concatenate([margins[0], resized(pixels, size), margins[1]], axis=1), strip])
