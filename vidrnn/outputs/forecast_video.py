"""A film beside what was foretold of it, as pictures: film, foretold, difference, and below them how unusual it is."""

from __future__ import annotations

from collections import deque
from math import ceil, isnan

import cv2
import numpy as np

from vidrnn.tasks.next_frame import Judgement, Painted, as_painted, as_shown
from vidrnn.values import Pixels, Size

_PANEL = 176
"""Pixels of a panel's shorter side, at least: smaller pictures are enlarged by a whole factor."""
_LONGEST = 720
"""... and as long as its longer side stays below this."""
_BAND, _CHART, _GAP = 26, 56, 4
"""Pixels: the line of words above the panels, the curve below them, and between them."""
_PAPER, _INK, _DIM, _GROOVE = (24, 24, 24), (235, 235, 235), (140, 140, 140), (48, 48, 48)
_USUAL, _UNUSUAL = (89, 161, 79), (225, 87, 89)
_DIFFERENCE = 4.0
"""Times which differences are shown larger than they are."""
_PANELS = ("film", "foretold", "difference")


class Filmstrip:
    """Paints one picture after another of a film that is being watched; remembers the last scores for the curve."""

    def __init__(self, size: Size, channels: int, threshold: float) -> None:
        self._channels, self._threshold = channels, threshold
        self._scale = max(1, min(ceil(_PANEL / min(size.height, size.width)), _LONGEST // max(size.height, size.width)))
        self._panel = Size(size.height * self._scale, size.width * self._scale)
        self._width = 3 * self._panel.width + 2 * _GAP
        self._scores: deque[float] = deque(maxlen=self._width)

    def watched(self, pixels: Pixels, judged: Judgement | None, seconds: float) -> Pixels:
        """The picture of a frame that came."""
        score = judged.score if judged else float("nan")
        self._scores.append(score)
        truth = as_shown(as_painted(pixels, self._channels))
        panels = [truth, *self._beside(truth, judged)]
        return self._picture(panels, f"{seconds:.1f} s", "" if isnan(score) else f"unusual {score:.2f}", score)

    def beyond(self, painted: Painted, step: int) -> Pixels:
        """The picture of a frame that the model has the film go on with beyond its end."""
        self._scores.append(float("nan"))
        nothing = np.full((*painted.shape[:2], 3), _GROOVE, dtype=np.uint8)
        return self._picture([nothing, as_shown(painted), nothing], "ended", f"going on: {step}", float("nan"))

    def _beside(self, truth: Pixels, judged: Judgement | None) -> list[Pixels]:
        if judged is None:
            nothing = np.full(truth.shape, _GROOVE, dtype=np.uint8)
            return [nothing, nothing]
        foretold = as_shown(judged.foretold)
        apart = np.abs(truth.astype(np.float32) - foretold) * _DIFFERENCE
        return [foretold, np.clip(apart, 0, 255).astype(np.uint8)]

    def _picture(self, panels: list[Pixels], left: str, right: str, score: float) -> Pixels:
        height = _BAND + self._panel.height + _GAP + _CHART
        picture = np.full((height, self._width, 3), _PAPER, dtype=np.uint8)
        for place, (panel, name) in enumerate(zip(panels, _PANELS, strict=True)):
            x = place * (self._panel.width + _GAP)
            large = np.kron(panel, np.ones((self._scale, self._scale, 1), dtype=np.uint8))
            picture[_BAND : _BAND + self._panel.height, x : x + self._panel.width] = large
            _write(picture, name, x + 4, _DIM)
        _write(picture, left, self._panel.width - 6, _INK, right_aligned=True)
        colour = _UNUSUAL if score >= self._threshold else _USUAL
        _write(picture, right, self._width - 6, _INK if isnan(score) else colour, right_aligned=True)
        self._curve(picture[height - _CHART :])
        return picture

    def _curve(self, chart: Pixels) -> None:
        """The scores up to now, a column each, and where unusual begins."""
        chart[:] = _GROOVE
        for column, score in enumerate(self._scores):
            if not isnan(score):
                top = min(_CHART - 1, round((1 - score) * (_CHART - 1)))
                chart[top:, column] = _UNUSUAL if score >= self._threshold else _USUAL
        line = round((1 - self._threshold) * (_CHART - 1))
        chart[line, ::4] = _INK


def _write(picture: Pixels, words: str, x: int, colour: tuple[int, int, int], *, right_aligned: bool = False) -> None:
    """Words in the line above the panels."""
    face, scale, weight = cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1
    if right_aligned:
        x -= cv2.getTextSize(words, face, scale, weight)[0][0]
    cv2.putText(picture, words, (x, _BAND - 9), face, scale, colour, weight, cv2.LINE_AA)
