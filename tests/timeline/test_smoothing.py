"""Means of scores over time: the same in pieces and as a whole, and no delay that the reach does not ask for."""

from __future__ import annotations

import numpy as np
import pytest

from vidrnn.timeline.smoothing import Smoother, reach_of, smoothed

SCORES = np.random.default_rng(0).normal(size=(40, 3))


@pytest.mark.parametrize("piece", [1, 3, 4, 7, 20, 40])
@pytest.mark.parametrize("reach", [0, 1, 5, 60])
def test_how_steps_are_cut_into_pieces_changes_nothing(piece: int, reach: int) -> None:
    smoother, found = Smoother(reach), []
    for start in range(0, len(SCORES), piece):
        found.append(smoother.read(SCORES[start : start + piece]))
        assert sum(map(len, found)) == max(0, min(len(SCORES), start + piece) - reach)
    found.append(smoother.finish(SCORES[:0]))
    np.testing.assert_array_equal(np.concatenate(found), smoothed(SCORES, reach))


def test_a_step_is_the_weighted_mean_of_those_around_it() -> None:
    line = np.asarray([[0.0], [0.0], [4.0], [0.0], [0.0]])
    assert smoothed(line, 1).ravel().tolist() == pytest.approx([0.0, 1.0, 2.0, 1.0, 0.0])
    assert smoothed(np.ones((7, 2)), 3) == pytest.approx(np.ones((7, 2))), "also at the ends of a film"
    assert smoothed(SCORES, 0) is SCORES


def test_to_finish_leaves_the_smoother_as_it_is() -> None:
    smoother = Smoother(4)
    smoother.read(SCORES[:10])
    first = smoother.finish(SCORES[10:12])
    np.testing.assert_array_equal(smoother.finish(SCORES[10:12]), first)


@pytest.mark.parametrize(("seconds", "reach"), [(0.0, 0), (0.1, 0), (0.11, 1), (0.3, 2), (1.0, 9)])
def test_the_reach_is_the_number_of_steps_that_are_nearer_than_the_time(seconds: float, reach: int) -> None:
    assert reach_of(seconds, 0.1) == reach
