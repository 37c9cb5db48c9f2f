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
    """A film of two classes; `windows` hold the probability of the first class at each step of each window."""
    shares = np.asarray(windows, dtype=np.float64)
    steps = np.log(np.stack([shares, 1 - shares], axis=-1))
    count = starts[-1] + steps.shape[1]
    seconds = first + spacing * np.arange(count)
    return FilmScores(
        Path("film.mp4"),
        WindowScores(steps.mean(1), steps),
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


def test_a_moment_in_several_windows_gets_their_mean_probability() -> None:
    along = timeline(film([[0.9, 0.8], [0.2, 0.4], [0.6, 0.1]], starts=(0, 1, 2)), TWO)
    assert along[:, 0] == pytest.approx([0.9, (0.8 + 0.2) / 2, (0.4 + 0.6) / 2, 0.1])
    assert along.sum(1) == pytest.approx(np.ones(4))


def test_windows_far_apart_and_a_last_one_that_overlaps_cover_the_film() -> None:
    along = timeline(film([[0.9, 0.8, 0.7], [0.1, 0.2, 0.3]], starts=(0, 2)), TWO)
    assert along[:, 0] == pytest.approx([0.9, 0.8, (0.7 + 0.1) / 2, 0.2, 0.3])


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
    odds = np.exp(np.log([0.9 / 0.1, 0.4 / 0.6, 0.6 / 0.4]).mean())
    assert given.label == "a"
    assert given.probability == pytest.approx(odds / (1 + odds))


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
