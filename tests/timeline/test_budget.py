"""The time budget of a film has the numbers of BORIS, and expected seconds beside them."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from vidrnn.timeline.budget import budget_of
from vidrnn.values import Segment, Timeline

CLASSES = ("other", "dig", "rear")


def timeline(seconds: list[float], dig: list[float]) -> Timeline:
    shares = np.zeros((len(seconds), 3), dtype=np.float32)
    shares[:, 1] = dig
    return Timeline(CLASSES, np.asarray(seconds), shares)


def segments(*spans: tuple[float, float], label: str = "dig") -> list[Segment]:
    return [Segment(start, end, label, 0.9) for start, end in spans]


def test_a_budget_worked_by_hand() -> None:
    given = segments((5.0, 8.0), (0.5, 1.5), (10.0, 12.0)) + segments((1.5, 5.0), label="other")
    dig = budget_of(given, timeline([0.0], [0.0]), 20.0)["dig"]
    assert (dig.occurrences, dig.total_seconds, dig.share) == (3, 6.0, 0.3)
    assert (dig.mean_seconds, dig.std_seconds) == pytest.approx((2.0, statistics.stdev([3.0, 1.0, 2.0])))
    assert dig.interval_mean_seconds == pytest.approx(2.75)
    assert dig.interval_std_seconds == pytest.approx(statistics.stdev([3.5, 2.0]))


def test_few_bouts_have_no_deviations() -> None:
    moments = timeline([0.0], [0.0])
    one = budget_of(segments((1.0, 2.0)), moments, 4.0)["dig"]
    assert (one.mean_seconds, one.std_seconds, one.interval_mean_seconds) == (1.0, None, None)
    two = budget_of(segments((1.0, 2.0), (3.0, 4.0)), moments, 4.0)["dig"]
    assert (two.interval_mean_seconds, two.interval_std_seconds) == (1.0, None)


def test_every_behaviour_has_a_budget_but_the_background() -> None:
    budgets = budget_of(segments((0.0, 1.0), label="unknown"), timeline([0.0], [0.0]), 2.0, leave_out="other")
    assert list(budgets) == ["dig", "rear"]
    assert (budgets["dig"].occurrences, budgets["dig"].total_seconds, budgets["dig"].mean_seconds) == (0, 0.0, None)


def test_expected_seconds_weigh_each_moment_by_its_duration() -> None:
    moments = timeline([2.0, 2.5, 4.5], [0.4, 0.2, 0.6])  # 0.5 s, 2 s, and 0.5 s until the end at 5 s
    dig = budget_of((), moments, 3.0)["dig"]
    assert dig.expected_seconds == pytest.approx(0.4 * 0.5 + 0.2 * 2.0 + 0.6 * 0.5)


def test_moments_without_probabilities_and_films_without_moments_are_no_time() -> None:
    assert budget_of((), timeline([0.0, 1.0], [float("nan"), 0.5]), 2.0)["dig"].expected_seconds == pytest.approx(0.5)
    nothing = budget_of((), timeline([], []), 0.0)["dig"]
    assert (nothing.expected_seconds, nothing.share) == (0.0, 0.0)
