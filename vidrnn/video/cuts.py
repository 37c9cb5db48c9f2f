"""Cuts in a film are detected by comparing very small pictures of its frames. No network is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vidrnn.values import Pixels, Size
from vidrnn.video.resizing import resized

_SMALL = Size(12, 16)
_LEAST_CHANGE = 6.0
"""Mean difference of two small pictures, of 255, from which on there may be a cut. Each part of a picture may move by
one pixel without counting."""
_LEAST_RATIO = 3.0
"""A cut also changes the picture so many times as much as the median of the last changes, so that steady motion is no
cut."""
_RECENT_CHANGES = 8
_SHIFTS = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]


SmallPictures = NDArray[np.int16]
"""(count, 12, 16, 3), values 0 to 255; signed, so that they can be subtracted."""


def small_pictures(frames: Iterable[Pixels]) -> SmallPictures:
    """The frames (height, width, 3) at 12 x 16 pixels, as `CutFinder` compares them."""
    return np.stack([resized(frame, _SMALL) for frame in frames]).astype(np.int16)


class CutFinder:
    """Detects cuts in small pictures that come in order, in pieces of any length.

    The thresholds were chosen on sample films and UCF-101 clips that were joined (benchmarks/long_films.py).
    """

    def __init__(self) -> None:
        self._last: SmallPictures | None = None
        self._recent: deque[float] = deque(maxlen=_RECENT_CHANGES)

    def find(self, small: SmallPictures) -> tuple[int, ...]:
        """The indices in this piece of the frames that begin a shot. The first two frames of a film never do."""
        joined = small if self._last is None else np.concatenate([self._last, small])
        first = len(small) - len(joined) + 1
        self._last = small[-1:]
        return tuple(index for index, change in enumerate(_changes(joined), first) if self._is_cut(change))

    def _is_cut(self, change: float) -> bool:
        cut = bool(self._recent) and change > _LEAST_CHANGE and change > _LEAST_RATIO * float(np.median(self._recent))
        self._recent.append(change)
        return cut


def _changes(small: SmallPictures) -> list[float]:
    """The mean difference of each picture (count, height, width, 3) from the one before it, without the first."""
    height, width = small.shape[1] - 1, small.shape[2] - 1
    inside = small[1:, 1:height, 1:width]
    differences = [
        np.abs(inside - small[:-1, 1 + down : height + down, 1 + right : width + right]).sum(-1)
        for down, right in _SHIFTS
    ]
    changes: list[float] = (np.min(differences, axis=0).mean((1, 2)) / 3).tolist()
    return changes
