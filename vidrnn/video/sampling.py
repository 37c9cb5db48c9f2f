"""Which frames make which window: arithmetic only. A step is one place on a film's grid of sampled frames."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

HALVES = 2
"""Training draws from a grid this many times finer than the windows' own, so that windows start anywhere."""

_CUT_SHARE = 0.5


def default_spacing(durations_seconds: Sequence[float], frames: int) -> float:
    """Seconds between frames with which a window of `frames` covers the median clip; at least 2 milliseconds."""
    return max(round(median(durations_seconds) / frames, 3), 0.002)


def window_starts(steps: int, frames: int, hop: int) -> tuple[int, ...]:
    """First steps of the windows that cover a film of `steps`: `hop` apart, the last one ending where the film ends.

    A film no longer than a window has one, at 0.
    """
    if steps <= frames:
        return (0,)
    starts = list(range(0, steps - frames, hop))
    return (*starts, steps - frames)


def default_hop(frames: int) -> int:
    """Steps between windows: a quarter of a window, so that every moment is seen near a window's middle."""
    return max(1, frames // 4)


def random_window(fine_steps: int, frames: int, rng: np.random.Generator, *, cut: bool = True) -> NDArray[np.int64]:
    """Indices into a grid of `fine_steps` (`HALVES` per step) of one training window; fewer than `frames` if short.

    If `cut`, half of the windows are cut shorter, down to half their length: in a long film windows begin and end
    anywhere, and a model that has only seen whole clips does not know the middle of one.
    """
    phase = int(rng.integers(min(HALVES, fine_steps)))
    grid = np.arange(phase, fine_steps, HALVES)
    length = min(frames, len(grid))
    if cut and rng.random() < _CUT_SHARE:
        length = int(rng.integers((length + 1) // 2, length + 1))
    start = int(rng.integers(len(grid) - length + 1))
    return grid[start : start + length]


def step_before(fine_place: int) -> int:
    """Where on a fine grid the frame stands that comes before the one at `fine_place`; itself if there is none."""
    return fine_place - HALVES if fine_place >= HALVES else fine_place
