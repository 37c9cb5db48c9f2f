"""Where a film is cut: which frames show something else than the frame before, by small pictures. No networks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vidrnn.values import Pixels, Size
from vidrnn.video.reader import resized

_SMALL = Size(12, 16)
_ENOUGH = 6.0
"""Of 255: how much small pictures must differ on average, after each part of them may have moved by one pixel."""
_TIMES = 3.0
"""And how many times as much as the median of the last few changes, so that what moves all the time is not cut."""
_LATELY = 8
_NEAR = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]


SmallPictures = NDArray[np.int16]
"""(count, 12, 16, 3)"""


def small_pictures(frames: Iterable[Pixels]) -> SmallPictures:
    """What is compared: frames made very small."""
    return np.stack([resized(frame, _SMALL) for frame in frames]).astype(np.int16)


class CutFinder:
    """Small pictures of frames go in, in order, in pieces of any length; which of them begin a shot comes out.

    The numbers were found on films joined of sample films and of UCF-101 clips (benchmarks/long_films.py).
    """

    def __init__(self) -> None:
        self._last: SmallPictures | None = None
        self._lately: deque[float] = deque(maxlen=_LATELY)

    def find(self, small: SmallPictures) -> tuple[int, ...]:
        """The places of frames before which there is a cut; there is none until two frames were compared."""
        joined = small if self._last is None else np.concatenate([self._last, small])
        first = len(small) - len(joined) + 1
        self._last = small[-1:]
        return tuple(place for place, change in enumerate(_changes(joined), first) if self._is_cut(change))

    def _is_cut(self, change: float) -> bool:
        cut = bool(self._lately) and change > _ENOUGH and change > _TIMES * float(np.median(self._lately))
        self._lately.append(change)
        return cut


def _changes(small: SmallPictures) -> list[float]:
    """How much each of these pictures (count, height, width, 3) but the first differs from the one before it."""
    height, width = small.shape[1] - 1, small.shape[2] - 1
    inside = small[1:, 1:height, 1:width]
    moved = [
        np.abs(inside - small[:-1, 1 + down : height + down, 1 + right : width + right]).sum(-1)
        for down, right in _NEAR
    ]
    changes: list[float] = (np.min(moved, axis=0).mean((1, 2)) / 3).tolist()
    return changes
