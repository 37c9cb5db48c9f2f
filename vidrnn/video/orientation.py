"""How a picture is turned and mirrored before it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from vidrnn.values import Pixels

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_BY_MATRIX = {
    (1, 0, 0, 1): (False, 0),
    (0, 1, -1, 0): (False, 90),
    (-1, 0, 0, -1): (False, 180),
    (0, -1, 1, 0): (False, 270),
    (-1, 0, 0, 1): (True, 0),
    (0, -1, -1, 0): (True, 90),
    (1, 0, 0, -1): (True, 180),
    (0, 1, 1, 0): (True, 270),
}


@dataclass(frozen=True, slots=True)
class Orientation:
    """A picture is mirrored first, left to right, and then turned clockwise."""

    mirrored: bool = False
    degrees: int = 0
    """0, 90, 180 or 270."""

    @classmethod
    def of(cls, matrix: tuple[int, int, int, int]) -> Self:
        """Of a display matrix (a, b, c, d) of signs: x' = a x + c y and y' = b x + d y, with y downwards."""
        return cls(*_BY_MATRIX.get(matrix, (False, 0)))

    def shown(self, picture: Pixels) -> Pixels:
        """The picture (height, width, 3) as it is to be seen, in memory of its own unless nothing is to be done."""
        if self.mirrored:
            picture = np.asarray(cv2.flip(picture, 1), np.uint8)
        if self.degrees:
            picture = np.asarray(cv2.rotate(picture, _TURNS[self.degrees]), np.uint8)
        return picture
