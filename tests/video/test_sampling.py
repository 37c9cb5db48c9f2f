"""Windows cover films to the last step, and training may draw any window that predict could read."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from vidrnn.video.sampling import HALVES, default_hop, default_spacing, random_window, window_starts


@pytest.mark.parametrize("frames", [1, 2, 4, 16])
@pytest.mark.parametrize("steps", [1, 3, 4, 5, 16, 17, 31, 32, 33, 100])
def test_windows_cover_every_step_and_the_last_ends_with_the_film(steps: int, frames: int) -> None:
    for hop in {1, default_hop(frames), frames}:
        starts = window_starts(steps, frames, hop)
        covered = {step for start in starts for step in range(start, min(start + frames, steps))}
        assert covered == set(range(steps))
        assert starts[0] == 0
        assert starts[-1] == max(0, steps - frames)
        assert all(0 < later - earlier <= hop for earlier, later in pairwise(starts))


def test_a_film_no_longer_than_a_window_has_one() -> None:
    assert window_starts(3, 4, 1) == (0,)
    assert window_starts(4, 4, 1) == (0,)
    assert window_starts(5, 4, 1) == (0, 1)


def test_windows_one_step_apart_begin_at_every_step() -> None:
    assert window_starts(7, 4, 1) == (0, 1, 2, 3)


def test_the_last_window_stands_closer_where_the_hop_does_not_divide_the_film() -> None:
    assert window_starts(11, 4, 3) == (0, 3, 6, 7)


def test_windows_stand_a_quarter_of_a_window_apart_and_at_least_a_step() -> None:
    assert [default_hop(frames) for frames in (1, 3, 4, 16)] == [1, 1, 1, 4]


def test_random_windows_reach_both_ends_and_both_phases_and_stay_inside() -> None:
    rng = np.random.default_rng(0)
    drawn = {tuple(random_window(20, 4, rng).tolist()) for _ in range(2000)}
    whole = {tuple(range(first, first + 4 * HALVES, HALVES)) for first in range(20 - 3 * HALVES)}
    assert {window for window in drawn if len(window) == 4} == whole
    assert all(np.diff(window).tolist() == [HALVES] * (len(window) - 1) for window in drawn)
    assert {step for window in drawn for step in window} == set(range(20))


def test_half_of_the_random_windows_are_cut_to_no_less_than_half() -> None:
    rng = np.random.default_rng(0)
    lengths = [len(random_window(40, 8, rng)) for _ in range(2000)]
    assert set(lengths) == {4, 5, 6, 7, 8}
    assert 0.5 < np.mean(np.equal(lengths, 8)) < 0.7


def test_a_clip_shorter_than_a_window_is_drawn_in_either_phase() -> None:
    rng = np.random.default_rng(0)
    drawn = {tuple(random_window(5, 4, rng).tolist()) for _ in range(200)}
    assert {(0, 2, 4), (1, 3)} <= drawn
    assert all(len(window) >= 1 for window in drawn)


def test_a_clip_of_one_step_is_its_own_window() -> None:
    assert random_window(1, 4, np.random.default_rng(0)).tolist() == [0]


def test_the_default_spacing_lets_a_window_cover_the_median_clip() -> None:
    assert default_spacing([1.0, 3.2, 60.0], 16) == 0.2
    assert default_spacing([2.0, 4.0], 16) == 0.188


def test_the_default_spacing_is_at_least_what_a_film_can_tell_apart() -> None:
    assert default_spacing([0.001], 16) == 0.002
