"""The parts of a picture that shows reasons: a frame whose decisive places are lit, and the curve of *when*."""

from __future__ import annotations

import cv2
import numpy as np

from vidrnn.explain.base import Curve, Places
from vidrnn.values import Floats, Pixels

PAPER, INK, DIM = (24, 24, 24), (240, 240, 240), (150, 150, 150)
FOR, AGAINST = (242, 142, 43), (78, 121, 167)
"""The colours of what speaks for an answer and against it."""
_GROUND, _SPAN = (40, 40, 40), (58, 58, 58)
_DARKEST = 0.3
"""How bright a place is that decides nothing, beside the most decisive place."""


def lit(picture: Pixels, heat: Floats, high: float | None = None) -> Pixels:
    """A picture (height, width, 3) that is dark but where `heat` (height, width) is high.

    `high`: the heat of a place that is fully bright; None for the highest one of the picture.
    """
    high = float(heat.max()) if high is None else high
    share = np.clip(heat / high, 0, 1) if high > 0 else np.zeros_like(heat)
    smooth = cv2.GaussianBlur(share, (0, 0), max(1.0, min(heat.shape) / 40))
    light = (_DARKEST + (1 - _DARKEST) * smooth)[..., None]
    shown = picture * light
    edge = np.clip(1 - np.abs(smooth - 0.5) / 0.06, 0, 1)[..., None] * 0.8
    return np.asarray(np.rint(shown * (1 - edge) + np.asarray(FOR) * edge), dtype=np.uint8)


def lit_places(places: Places) -> Pixels:
    """The frame of a moment with its decisive places lit."""
    height, width = places.picture.shape[:2]
    return lit(places.picture, places.heat(height, width))


class Chart:
    """The curve of *when*, a column for each moment; above its middle line is what speaks for the answer."""

    def __init__(self, curve: Curve, span: tuple[float, float], width: int, height: int) -> None:
        """`span`: the seconds of the answer, which stand out."""
        self._curve = curve
        seconds = curve.seconds
        spacing = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 1.0
        self._first, self._last = float(seconds[0]), float(seconds[-1]) + spacing
        self._width, self._height = width, height
        self._picture = self._drawn(span)

    @property
    def picture(self) -> Pixels:
        """(height, width, 3)."""
        return self._picture.copy()

    def at(self, seconds: float) -> Pixels:
        """The chart with a line at a time."""
        picture = self.picture
        column = min(self._width - 1, max(0, self.column(seconds)))
        picture[:, max(0, column - 1) : column + 1] = INK
        return picture

    def holds(self, seconds: float) -> bool:
        """Whether a time is on the curve."""
        return self._first <= seconds < self._last

    def column(self, seconds: float) -> int:
        """The column of a time."""
        return round(self._width * (seconds - self._first) / (self._last - self._first))

    def _drawn(self, span: tuple[float, float]) -> Pixels:
        picture = np.full((self._height, self._width, 3), _GROUND, dtype=np.uint8)
        picture[:, max(0, self.column(span[0])) : max(0, self.column(span[1]))] = _SPAN
        values = np.nan_to_num(self._curve.values)
        high, low = max(float(values.max(initial=0)), 1e-9), min(float(values.min(initial=0)), 0.0)
        zero = round((self._height - 1) * high / (high - low))
        edges = [*map(self.column, self._curve.seconds), self._width]
        for value, left, right in zip(values, edges, edges[1:], strict=False):
            row = round((self._height - 1) * (high - value) / (high - low))
            picture[min(row, zero) : max(row, zero), left : max(right - (right - left > 3), left + 1)] = (
                FOR if value > 0 else AGAINST
            )
        picture[zero : zero + 1] = DIM
        return picture
