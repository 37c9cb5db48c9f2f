"""Scores become answers: what is said of a film, of each stretch of it, and when nothing is said."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from vidrnn.answers import UNKNOWN, FilmScores, Reading, WindowScores, prediction, probabilities, segments, timeline

TWO = Reading(("a", "b"), temperature=1.0)


def film(
    windows: Sequence[Sequence[float]], starts: Sequence[int] = (0,), *, first: float = 0.0, spacing: float = 1.0
) -> FilmScores:
    """A film of two classes; `windows` hold the probability of the first class at each step of each window.

    It is what a window as a whole and its step say together; the window as a whole says the mean over its steps.
    """
    shares = np.asarray(windows, dtype=np.float64)
    together = np.log(np.stack([shares, 1 - shares], axis=-1))
    whole = together.mean(1)
    steps = 2 * together - whole[:, None]
    count = starts[-1] + steps.shape[1]
    seconds = first + spacing * np.arange(count)
    return FilmScores(
        Path("film.mp4"),
        WindowScores(whole, steps),
        tuple(starts),
        seconds,
        end_seconds=first + spacing * count,
        frames=10 * count,
    )


def test_probabilities_are_the_softmax_of_scores_over_the_temperature() -> None:
    scores = np.array([[2.0, 0.0], [0.0, 0.0]])
    assert probabilities(scores, 1.0)[0] == pytest.approx([1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))])
    assert probabilities(scores, 2.0)[0] == pytest.approx([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))])
    assert probabilities(scores, 0.5)[1] == pytest.approx([0.5, 0.5])


def test_large_scores_do_not_overflow() -> None:
    assert probabilities(np.array([1e5, 0.0, -1e5]), 0.2) == pytest.approx([1.0, 0.0, 0.0])


def scores_of(clip: Sequence[float], steps: Sequence[Sequence[float]], starts: Sequence[int]) -> FilmScores:
    """A film of two classes from the first class's scores; the second's are 0."""
    windows = WindowScores(np.stack([clip, np.zeros_like(clip)], -1), np.stack([steps, np.zeros_like(steps)], -1))
    count = starts[-1] + len(steps[0])
    return FilmScores(Path("film.mp4"), windows, tuple(starts), np.arange(count) * 1.0, float(count), count)


def odds(score: float) -> float:
    return float(1 / (1 + np.exp(-score)))


def test_a_moment_hears_its_own_score_as_much_as_that_of_the_window_it_is_part_of() -> None:
    along = timeline(scores_of([2.0], [[4.0, 0.0, -6.0]], [0]), TWO)
    assert along[:, 0] == pytest.approx([odds(3.0), odds(1.0), odds(-2.0)])
    assert along.sum(1) == pytest.approx(np.ones(3))


def test_a_moment_in_several_windows_hears_most_the_one_whose_middle_is_nearest() -> None:
    along = timeline(scores_of([3.0, -3.0], [[0.0] * 3, [0.0] * 3], [0, 1]), TWO)
    shared = [3.0, (2 * 3.0 + 1 * -3.0) / 3, (1 * 3.0 + 2 * -3.0) / 3, -3.0]
    assert along[:, 0] == pytest.approx([odds(score / 2) for score in shared])


def test_windows_far_apart_and_a_last_one_that_overlaps_cover_the_film() -> None:
    along = timeline(scores_of([0.0, 0.0], [[4.0, 2.0, 6.0], [-2.0, 8.0, -4.0]], [0, 2]), TWO)
    assert along[:, 0] == pytest.approx([odds(2), odds(1), odds((6 - 2) / 2 / 2), odds(4), odds(-2)])


def test_segments_tile_the_film_from_its_first_frame_to_its_end() -> None:
    found = segments(film([[0.9, 0.8, 0.2, 0.1, 0.7]], first=3.5, spacing=0.5), TWO)
    assert [(one.start_seconds, one.end_seconds) for one in found] == [(3.5, 4.5), (4.5, 5.5), (5.5, 6.0)]
    assert [one.label for one in found] == ["a", "b", "a"]
    assert [one.probability for one in found] == pytest.approx([0.85, 0.85, 0.7])
    assert all(before.end_seconds == after.start_seconds for before, after in pairwise(found))


def test_the_same_answer_all_along_is_one_segment() -> None:
    (only,) = segments(film([[0.9, 0.7, 0.8]]), TWO)
    assert (only.start_seconds, only.end_seconds, only.label) == (0.0, 3.0, "a")
    assert only.probability == pytest.approx(0.8)


def test_stretches_below_the_threshold_are_unknown_and_stand_as_one() -> None:
    sure = Reading(("a", "b"), temperature=1.0, threshold=0.75)
    found = segments(film([[0.9, 0.6, 0.6, 0.3, 0.1]]), sure)
    assert [(one.start_seconds, one.end_seconds, one.label) for one in found] == [
        (0.0, 3.0, UNKNOWN),
        (3.0, 5.0, "b"),
    ]
    found = segments(film([[0.6, 0.6, 0.3, 0.1, 0.1, 0.6]]), sure)
    assert [one.label for one in found] == [UNKNOWN, "b", UNKNOWN]


def test_unknown_stretches_of_two_classes_become_one_whose_probability_is_weighed_by_time() -> None:
    (only,) = segments(film([[0.6, 0.6, 0.6, 0.3]]), Reading(("a", "b"), 1.0, threshold=0.9))
    assert (only.start_seconds, only.end_seconds, only.label) == (0.0, 4.0, UNKNOWN)
    assert only.probability == pytest.approx((3 * 0.6 + 0.7) / 4)


def test_the_answer_for_a_film_is_the_mean_of_its_windows_scores() -> None:
    told = film([[0.9, 0.9], [0.4, 0.4], [0.6, 0.6]], starts=(0, 1, 2))
    given = prediction(told, TWO)
    score = np.log([0.9 / 0.1, 0.4 / 0.6, 0.6 / 0.4]).mean()
    assert given.label == "a"
    assert given.probability == pytest.approx(odds(score))


def test_a_film_below_the_threshold_is_unknown_and_still_tells_its_candidates() -> None:
    given = prediction(film([[0.6]]), Reading(("a", "b"), 1.0, threshold=0.7))
    assert given.label == UNKNOWN
    assert given.probability == pytest.approx(0.6)
    assert given.top[0].label == "a"


def test_a_probability_at_the_threshold_is_named() -> None:
    even = film([[0.5]])
    assert prediction(even, Reading(("a", "b"), 1.0, threshold=0.5)).label == "a"


def test_top_holds_the_five_most_probable_classes_from_the_best_on() -> None:
    names = tuple("abcdefg")
    scores = np.array([[1.0, 7.0, 3.0, 5.0, 2.0, 6.0, 4.0]])
    told = FilmScores(Path("x"), WindowScores(scores, scores[None]), (0,), np.zeros(1), 1.0, 1)
    given = prediction(told, Reading(names, 1.0))
    assert [one.label for one in given.top] == ["b", "f", "d", "g", "c"]
    assert [one.probability for one in given.top] == sorted((one.probability for one in given.top), reverse=True)
    assert given.label == "b"
    assert len(prediction(film([[0.6]]), TWO).top) == 2


def test_duration_is_counted_from_the_films_first_frame() -> None:
    given = prediction(film([[0.9, 0.8]], first=7.0, spacing=0.25), TWO)
    assert given.duration_seconds == pytest.approx(0.5)
    assert given.segments[0].start_seconds == 7.0
    assert given.frames == 20
