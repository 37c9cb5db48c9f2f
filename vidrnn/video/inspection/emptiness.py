"""The stretches of a film that show nothing: no change for a second, or pictures of one colour.

They are seen on small pictures, a few a second. A camera's own noise changes such pictures a little all the time, so a
picture that does not change at all comes from no camera: a frozen recording, a screen or a drawing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidrnn.values import Frame, Span

_SHORTEST_SECONDS = 1.0
"""Shorter stretches are usual: pauses and fades."""
_SAME_SHARE = 0.005
"""Numbers of a small picture that may differ by 1 where nothing changes, since codecs round. Noise changes more."""
_BLACK, _FLAT = 20, 6
"""A picture is blank if all its numbers (of 255) are this low, or if none of its colours varies by more than this."""


class EmptyStretches:
    """Finds the stretches while a film is read, in memory that grows with their number only."""

    def __init__(self) -> None:
        self._before: Frame | None = None
        self._first = 0.0
        self._was_blank = False
        self._still: list[Span] = []
        self._blank: list[Span] = []

    def add(self, frame: Frame) -> None:
        """Look at the next small picture (height, width, 3). A frame that comes again counts once."""
        before, blank = self._before, _is_blank(frame.pixels)
        if before is None:
            self._first = frame.seconds
        elif before.index == frame.index:
            return
        else:
            if _is_same(before.pixels, frame.pixels):
                _extend(self._still, before.seconds, frame.seconds)
            if blank and self._was_blank:
                _extend(self._blank, before.seconds, frame.seconds)
        self._before, self._was_blank = frame, blank

    @property
    def still(self) -> tuple[Span, ...]:
        """The stretches of a second or more without change, in seconds; all of a film without change."""
        return self._long_enough(self._still)

    @property
    def blank(self) -> tuple[Span, ...]:
        """The stretches of a second or more of blank pictures, in seconds; all of a film of such pictures."""
        return self._long_enough(self._blank)

    def _long_enough(self, stretches: list[Span]) -> tuple[Span, ...]:
        last = self._first if self._before is None else self._before.seconds
        return tuple(
            (start, end)
            for start, end in stretches
            if end - start >= _SHORTEST_SECONDS or (start, end) == (self._first, last)
        )


def _is_same(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    change = np.abs(one.astype(np.int16) - other)
    return bool(change.max() <= 1 and change.mean() <= _SAME_SHARE)


def _is_blank(picture: NDArray[np.uint8]) -> bool:
    low, high = picture.min(axis=(0, 1)), picture.max(axis=(0, 1))
    return bool(high.max() <= _BLACK or int((high - low).max()) <= _FLAT)


def _extend(stretches: list[Span], start: float, end: float) -> None:
    """Add a stretch, or make the last one longer that ends where it begins."""
    if stretches and stretches[-1][1] == start:
        stretches[-1] = stretches[-1][0], end
    else:
        stretches.append((start, end))
