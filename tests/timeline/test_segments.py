"""Scores become answers: what is said of a film, of each stretch of it, and when nothing is said."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from vidrnn.timeline.segments import UNKNOWN, FilmScores, Reading, Segmenter, prediction, probabilities
from vidrnn.values import Floats, Segment

TWO = Reading(("a", "b"), temperature=1.0)


def film(shares: Sequence[float], whole: float = 0.6, *, first: float = 0.0, spacing: float = 1.0) -> FilmScores:
    """A film of two classes: the probability of the first at each step, and of the film as a whole."""
    count = len(shares)
    seconds = first + spacing * np.arange(count)
    return FilmScores(Path("film.mp4"), log_odds(whole), log_odds(shares), seconds, first + spacing * count, 10 * count)


def log_odds(shares: float | Sequence[float]) -> Floats:
    """Scores (..., 2) that make the first class so probable."""
    given = np.asarray(shares, dtype=np.float64)
    return np.log(np.stack([given, 1 - given], -1))


def segments(told: FilmScores, reading: Reading) -> tuple[Segment, ...]:
    return prediction(told, reading).segments


def test_probabilities_are_the_softmax_of_scores_over_the_temperature() -> None:
    scores = np.array([[2.0, 0.0], [0.0, 0.0]])
    assert probabilities(scores, 1.0)[0] == pytest.approx([1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))])
    assert probabilities(scores, 2.0)[0] == pytest.approx([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))])
    assert probabilities(scores, 0.5)[1] == pytest.approx([0.5, 0.5])


def test_large_scores_do_not_overflow() -> None:
    assert probabilities(np.array([1e5, 0.0, -1e5]), 0.2) == pytest.approx([1.0, 0.0, 0.0])


def odds(score: float) -> float:
    return float(1 / (1 + np.exp(-score)))


def test_segments_tile_the_film_from_its_first_frame_to_its_end() -> None:
    found = segments(film([0.9, 0.8, 0.2, 0.1, 0.7], first=3.5, spacing=0.5), TWO)
    assert [(one.start_seconds, one.end_seconds) for one in found] == [(3.5, 4.5), (4.5, 5.5), (5.5, 6.0)]
    assert [one.label for one in found] == ["a", "b", "a"]
    assert [one.probability for one in found] == pytest.approx([0.85, 0.85, 0.7])
    assert all(before.end_seconds == after.start_seconds for before, after in pairwise(found))


def test_the_same_answer_all_along_is_one_segment() -> None:
    (only,) = segments(film([0.9, 0.7, 0.8]), TWO)
    assert (only.start_seconds, only.end_seconds, only.label) == (0.0, 3.0, "a")
    assert only.probability == pytest.approx(0.8)


def test_stretches_below_the_threshold_are_unknown_and_stand_as_one() -> None:
    sure = Reading(("a", "b"), temperature=1.0, threshold=0.75)
    found = segments(film([0.9, 0.6, 0.6, 0.3, 0.1]), sure)
    assert [(one.start_seconds, one.end_seconds, one.label) for one in found] == [
        (0.0, 3.0, UNKNOWN),
        (3.0, 5.0, "b"),
    ]
    found = segments(film([0.6, 0.6, 0.3, 0.1, 0.1, 0.6]), sure)
    assert [one.label for one in found] == [UNKNOWN, "b", UNKNOWN]


def test_unknown_stretches_of_two_classes_become_one_whose_probability_is_weighed_by_time() -> None:
    (only,) = segments(film([0.6, 0.6, 0.6, 0.3]), Reading(("a", "b"), 1.0, threshold=0.9))
    assert (only.start_seconds, only.end_seconds, only.label) == (0.0, 4.0, UNKNOWN)
    assert only.probability == pytest.approx((3 * 0.6 + 0.7) / 4)


def test_a_film_below_the_threshold_is_unknown_and_still_tells_its_candidates() -> None:
    given = prediction(film([0.6], 0.6), Reading(("a", "b"), 1.0, threshold=0.7))
    assert given.label == UNKNOWN
    assert given.probability == pytest.approx(0.6)
    assert given.top[0].label == "a"


def test_a_probability_at_the_threshold_is_named() -> None:
    even = film([0.5], 0.5)
    assert prediction(even, Reading(("a", "b"), 1.0, threshold=0.5)).label == "a"


def test_top_holds_the_five_most_probable_classes_from_the_best_on() -> None:
    names = tuple("abcdefg")
    scores = np.array([1.0, 7.0, 3.0, 5.0, 2.0, 6.0, 4.0])
    told = FilmScores(Path("x"), scores, scores[None], np.zeros(1), 1.0, 1)
    given = prediction(told, Reading(names, 1.0))
    assert [one.label for one in given.top] == ["b", "f", "d", "g", "c"]
    assert [one.probability for one in given.top] == sorted((one.probability for one in given.top), reverse=True)
    assert given.label == "b"
    assert len(prediction(film([0.6]), TWO).top) == 2


def test_duration_is_counted_from_the_films_first_frame() -> None:
    given = prediction(film([0.9, 0.8], first=7.0, spacing=0.25), TWO)
    assert given.duration_seconds == pytest.approx(0.5)
    assert given.segments[0].start_seconds == 7.0
    assert given.frames == 20


def test_a_prediction_tells_how_probable_each_class_is_at_each_moment() -> None:
    given = prediction(film([0.9, 0.8, 0.2], first=7.0, spacing=0.25), TWO).timeline
    assert given is not None and given.classes == ("a", "b")
    assert given.seconds == pytest.approx([7.0, 7.25, 7.5])
    assert given.probabilities[:, 0] == pytest.approx([0.9, 0.8, 0.2])
    assert given.probabilities.sum(1) == pytest.approx(np.ones(3))


# --- how firm an answer stands ----------------------------------------------------------------------------------------


def cut(shares: Sequence[float], **how: float) -> list[tuple[float, float, str]]:
    found = segments(film(shares), Reading(("a", "b"), 1.0, **how))
    return [(one.start_seconds, one.end_seconds, one.label) for one in found]


def test_another_answer_takes_over_only_if_it_is_the_more_probable_by_the_hysteresis() -> None:
    shares = [0.9, 0.45, 0.9, 0.45, 0.35, 0.45, 0.55, 0.65, 0.55]
    assert len(cut(shares)) == 5
    assert cut(shares, hysteresis=0.2) == [(0, 4, "a"), (4, 7, "b"), (7, 9, "a")]


def test_a_stretch_that_is_too_short_goes_to_its_neighbours() -> None:
    assert cut([0.9, 0.9, 0.1, 0.9, 0.9], shortest_seconds=2) == [(0, 5, "a")]
    assert cut([0.9, 0.9, 0.1, 0.1, 0.9, 0.9], shortest_seconds=2) == [(0, 2, "a"), (2, 4, "b"), (4, 6, "a")]
    assert cut([0.1, 0.9, 0.9, 0.9], shortest_seconds=2) == [(0, 4, "a")]
    assert cut([0.9, 0.9, 0.9, 0.1], shortest_seconds=2) == [(0, 4, "a")]
    assert cut([0.9], shortest_seconds=2) == [(0, 1, "a")]


def three(steps: str) -> Floats:
    """Probabilities of three classes: 0.6 for the one named, 0.3 for the one after it, 0.1 for the last."""
    return np.array([np.roll([0.6, 0.3, 0.1], "abc".index(one)) for one in steps])


def cut_three(steps: str, shortest_seconds: float, ends: float | None = None) -> str:
    """Which class has each second."""
    cut = Segmenter(Reading(("a", "b", "c"), 1.0, shortest_seconds=shortest_seconds))
    found = [*cut.push(range(len(steps)), three(steps)), *cut.finish(ends or len(steps))]
    assert [one.start_seconds for one in found[1:]] == [one.end_seconds for one in found[:-1]]
    return "".join(one.label * round(one.end_seconds - one.start_seconds) for one in found)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("aaabccc", "aaacccc"),  # b's second is the next one's, for c is more probable in it than a
        ("cccbaaa", "ccccaaa"),
        ("aaabcbcbccc", "aaacccccccc"),
        ("abcabc", "bbaacc"),
        ("aaabbccc", "aaabbccc"),
        ("aaabaac", "aaaaaaa"),
        ("bcaaa", "ccaaa"),
    ],
)
def test_a_short_stretch_goes_to_the_neighbour_that_is_the_more_probable_in_it(steps: str, expected: str) -> None:
    assert cut_three(steps, 2) == expected


def test_stretches_are_certain_soon_and_however_the_moments_come() -> None:
    steps = "aabbbabcccaabbbacaccc"
    expected = prediction_of(steps, len(steps))
    for chunk in (1, 2, 5):
        assert prediction_of(steps, chunk) == expected
    cut = Segmenter(Reading(("a", "b", "c"), 1.0, shortest_seconds=2))
    ended = [(at, one) for at in range(len(steps)) for one in cut.push([at], three(steps)[at : at + 1])]
    assert len(ended) >= 3
    assert all(at <= one.end_seconds + 2 for at, one in ended)


def prediction_of(steps: str, chunk: int) -> list[Segment]:
    cut = Segmenter(Reading(("a", "b", "c"), 1.0, shortest_seconds=2))
    found: list[Segment] = []
    for start in range(0, len(steps), chunk):
        piece = steps[start : start + chunk]
        found += cut.push(range(start, start + len(piece)), three(piece))
    return [*found, *cut.finish(len(steps))]
