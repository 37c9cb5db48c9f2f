"""A video beside its predictions: video, predicted frame, difference, and below them the anomaly score."""

from __future__ import annotations

from collections import deque
from itertools import chain
from math import ceil, isnan
from pathlib import Path

import cv2
import numpy as np

from vidrnn.data.listing.own_results import MARK
from vidrnn.values import FilmPrediction, ForecastFrame, Pixels, Size
from vidrnn.video.writer import write_film

_PANEL = 176
"""Pixels of a panel's shorter side, at least: smaller pictures are enlarged by a whole factor."""
_LONGEST = 720
"""Pixels of a panel's longer side, at most, after it was enlarged."""
_BAND, _CHART, _GAP = 26, 56, 4
"""Pixels: the height of the line of words above the panels, of the curve below them, and of the gaps."""
_PAPER, _INK, _DIM, _GROOVE = (24, 24, 24), (235, 235, 235), (140, 140, 140), (48, 48, 48)
_NORMAL, _ANOMALY = (89, 161, 79), (225, 87, 89)
_DIFFERENCE = 4.0
"""Differences are shown so many times larger than they are."""
_PANELS = ("video", "predicted", "difference")
_SLOWEST_FPS, _FASTEST_FPS = 1.0, 60.0


def write_forecast(prediction: FilmPrediction, file: Path) -> None:
    """Write a film beside its predictions, at the pace of the model's frames.

    Raises:
        FilmError: the film cannot be read once more.
        OutputError: the file cannot be written.
    """
    assert prediction.pictures is not None
    seconds = () if prediction.timeline is None else prediction.timeline.seconds
    spacing = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 1.0
    fps = float(np.clip(1 / spacing, _SLOWEST_FPS, _FASTEST_FPS))
    frames = prediction.pictures()
    first = next(frames)
    strip = ForecastStrip(Size(*first.shown.shape[:2]), prediction.threshold)
    write_film(file, (strip.paint(frame) for frame in chain([first], frames)), fps, MARK)


class ForecastStrip:
    """Paints the pictures of a film in order; it keeps the last scores for the curve."""

    def __init__(self, size: Size, threshold: float) -> None:
        self._size, self._threshold = size, threshold
        self._scale = max(1, min(ceil(_PANEL / min(size.height, size.width)), _LONGEST // max(size.height, size.width)))
        self._panel = Size(size.height * self._scale, size.width * self._scale)
        self._width = 3 * self._panel.width + 2 * _GAP
        self._scores: deque[float] = deque(maxlen=self._width)

    def paint(self, frame: ForecastFrame) -> Pixels:
        """The picture of a frame and its prediction."""
        self._scores.append(frame.score)
        nothing = np.full((self._size.height, self._size.width, 3), _GROOVE, dtype=np.uint8)
        predicted = nothing if frame.predicted is None else frame.predicted
        if frame.beyond:
            return self._picture([nothing, predicted, nothing], "ended", f"going on: {frame.beyond}", frame.score)
        difference = nothing
        if frame.predicted is not None:
            apart = np.abs(frame.shown.astype(np.float32) - frame.predicted) * _DIFFERENCE
            difference = np.clip(apart, 0, 255).astype(np.uint8)
        words = "" if isnan(frame.score) else f"anomaly {frame.score:.2f}"
        return self._picture([frame.shown, predicted, difference], f"{frame.seconds:.1f} s", words, frame.score)

    def _picture(self, panels: list[Pixels], left: str, right: str, score: float) -> Pixels:
        height = _BAND + self._panel.height + _GAP + _CHART
        picture = np.full((height, self._width, 3), _PAPER, dtype=np.uint8)
        for place, (panel, name) in enumerate(zip(panels, _PANELS, strict=True)):
            x = place * (self._panel.width + _GAP)
            large = np.kron(panel, np.ones((self._scale, self._scale, 1), dtype=np.uint8))
            picture[_BAND : _BAND + self._panel.height, x : x + self._panel.width] = large
            _write(picture, name, x + 4, _DIM)
        _write(picture, left, self._panel.width - 6, _INK, right_aligned=True)
        colour = _ANOMALY if score >= self._threshold else _NORMAL
        _write(picture, right, self._width - 6, _INK if isnan(score) else colour, right_aligned=True)
        self._curve(picture[height - _CHART :])
        return picture

    def _curve(self, chart: Pixels) -> None:
        """The scores up to now, a column each, and the threshold of an anomaly."""
        chart[:] = _GROOVE
        for column, score in enumerate(self._scores):
            if not isnan(score):
                top = min(_CHART - 1, round((1 - score) * (_CHART - 1)))
                chart[top:, column] = _ANOMALY if score >= self._threshold else _NORMAL
        line = round((1 - self._threshold) * (_CHART - 1))
        chart[line, ::4] = _INK


def _write(picture: Pixels, words: str, x: int, colour: tuple[int, int, int], *, right_aligned: bool = False) -> None:
    """Words in the line above the panels."""
    face, scale, weight = cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1
    if right_aligned:
        x -= cv2.getTextSize(words, face, scale, weight)[0][0]
    cv2.putText(picture, words, (x, _BAND - 9), face, scale, colour, weight, cv2.LINE_AA)
