"""Pictures of more than 8 bits become pictures of 8, by the range that the film uses.

Cameras write 10, 12 or 14 bits into numbers of 16. Their highest 8 bits would be nearly black.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.values import Pixels

_DEPTHS = (8, 10, 12, 14, 16)
"""Bits of a number that cameras write."""
LOOKED_AT = 32
"""How many pictures decide the depth."""


class Depth:
    """Scales numbers of 16 bits to 8: all pictures of a film by the same factor."""

    def __init__(self, pictures: Iterable[NDArray[Any]]) -> None:
        """`pictures`: some of the film's, of any shape; those of 8 bits count as they are."""
        largest = max((int(picture.max()) for picture in pictures if picture.dtype == np.uint16), default=-1)
        self.is_deep = largest >= 0
        """Whether any of the pictures has 16 bits."""
        self.bits = next(bits for bits in _DEPTHS if largest < 1 << bits)
        self._beyond = 0

    def shown(self, picture: NDArray[Any]) -> Pixels:
        """The picture in 8 bits; brighter numbers than the depth holds become white."""
        if picture.dtype == np.uint8:
            return picture
        most = (1 << self.bits) - 1
        if self.bits < _DEPTHS[-1] and picture.max() > most:
            self._beyond += 1
        scaled = np.minimum(picture, most).astype(np.float32) * np.float32(255 / most)
        return np.asarray(np.rint(scaled), np.uint8)

    def notes(self) -> Iterator[str]:
        """A sentence if pictures were brighter than the depth."""
        if self._beyond:
            yield (
                f"{self._beyond} frames hold brighter numbers than the {self.bits} bits that the first frames use: "
                "these numbers became white."
            )

    def oddities(self) -> Iterator[str]:
        """A sentence if not all bits are used."""
        if self.bits < _DEPTHS[-1]:
            yield f"The pictures use {self.bits} bits of 16: they are scaled by this range."
