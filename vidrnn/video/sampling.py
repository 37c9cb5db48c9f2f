"""Which sampled frames make a window. This module is arithmetic only.

A step is one position on a film's grid of sampled frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

HALVES = 2
"""Training draws from a grid that is so many times finer than a window's, so that windows start between steps too."""

_SHORTENED_SHARE = 0.5
"""The share of training windows that are made shorter."""


def default_spacing(durations_seconds: Sequence[float], frames: int) -> float:
    """The seconds between frames with which a window of `frames` covers the median clip; at least 2 ms."""
    return max(round(median(durations_seconds) / frames, 3), 0.002)


def window_starts(steps: int, frames: int, hop: int) -> tuple[int, ...]:
    """The first steps of the windows that cover a film of `steps`, `hop` apart. The last window ends with the film.

    A film that is no longer than a window has one window, at 0.
    """
    if steps <= frames:
        return (0,)
    starts = list(range(0, steps - frames, hop))
    return (*starts, steps - frames)


def default_hop(frames: int) -> int:
    """The steps between windows: a quarter of a window, so that every moment is near the middle of some window."""
    return max(1, frames // 4)


def random_window(
    fine_steps: int,
    frames: int,
    rng: np.random.Generator,
    *,
    cut: bool = True,
    phases: int = HALVES,
    stretch: float = 0.0,
) -> NDArray[np.int64]:
    """The indices of one training window in a grid of `fine_steps` (`phases` per step); fewer than `frames` if short.

    Args:
        fine_steps: steps of the grid.
        frames: the largest number of steps of the window.
        rng: the source of chance.
        cut: half of the windows are made shorter, down to half their length. In a long film windows begin and end
            anywhere, and a model that was trained on whole clips alone does not know the middle of a clip.
        phases: steps of the grid for each step of a window.
        stretch: how much faster or slower a window may play: by a factor between exp(-stretch) and exp(stretch).
    """
    phase = int(rng.integers(min(phases, fine_steps)))
    pace = phases * float(np.exp(rng.uniform(-stretch, stretch))) if stretch else float(phases)
    grid = np.arange(phase, fine_steps - 1 + 1e-9, pace).round().astype(np.int64)
    length = min(frames, len(grid))
    if cut and rng.random() < _SHORTENED_SHARE:
        length = int(rng.integers((length + 1) // 2, length + 1))
    start = int(rng.integers(len(grid) - length + 1))
    return grid[start : start + length]
