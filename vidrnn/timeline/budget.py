"""The time budget of a film: how often and how long each behaviour was shown. It needs numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from vidrnn.values import Budget, Floats, Segment, Timeline


def budget_of(
    segments: Sequence[Segment], timeline: Timeline, duration_seconds: float, leave_out: str | None = None
) -> dict[str, Budget]:
    """The time budget of each class of a film, in the order of the classes, also of those that are never shown.

    Args:
        segments: the answer. Segments of a label that is no class, such as `unknown`, count nowhere.
        timeline: the probabilities. A moment lasts until the next one, the last one until the end.
        duration_seconds: the observed duration, from the first moment on.
        leave_out: a class without a budget: the background.
    """
    lasting = _lasting(timeline.seconds, duration_seconds)
    expected = np.nan_to_num(timeline.probabilities.astype(np.float64)).T @ lasting
    return {
        name: _budget([one for one in segments if one.label == name], duration_seconds, float(expected[place]))
        for place, name in enumerate(timeline.classes)
        if name != leave_out
    }


def _lasting(seconds: Floats, duration_seconds: float) -> Floats:
    """(steps,) how long each moment lasts."""
    if not len(seconds):
        return np.empty(0)
    lasting: Floats = np.maximum(np.diff(seconds, append=seconds[0] + duration_seconds), 0.0)
    return lasting


def _budget(bouts: Sequence[Segment], duration_seconds: float, expected_seconds: float) -> Budget:
    ordered = sorted(bouts, key=lambda bout: bout.start_seconds)
    lengths = [bout.end_seconds - bout.start_seconds for bout in ordered]
    intervals = [after.start_seconds - before.end_seconds for before, after in pairwise(ordered)]
    total = float(sum(lengths))
    return Budget(
        occurrences=len(lengths),
        total_seconds=total,
        mean_seconds=_mean(lengths),
        std_seconds=_deviation(lengths),
        interval_mean_seconds=_mean(intervals),
        interval_std_seconds=_deviation(intervals),
        share=total / duration_seconds if duration_seconds > 0 else 0.0,
        expected_seconds=expected_seconds,
    )


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _deviation(values: Sequence[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
