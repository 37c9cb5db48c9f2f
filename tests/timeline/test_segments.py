"""Probabilities become segments and answers: by margin for one of the classes, by thresholds for anomalies."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from vidrnn.tasks.classify import Classify
from vidrnn.timeline.segments import (
    ANOMALY,
    NORMAL,
    UNKNOWN,
    MarginSegmenter,
    ThresholdSegmenter,
    segmenter_for,
    softmax,
)
from vidrnn.values import (
    AnswerSpec,
    DecisionRule,
    FilmMoments,
    FilmPrediction,
    Floats,
    PredictionOptions,
    Segment,
    Timeline,
)

NAN = float("nan")


def test_probabilities_are_the_softmax_of_scores_over_the_temperature() -> None:
    scores = np.array([[2.0, 0.0], [0.0, 0.0]])
    assert softmax(scores, 1.0)[0] == pytest.approx([1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))])
    assert softmax(scores, 2.0)[0] == pytest.approx([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))])
    assert softmax(scores, 0.5)[1] == pytest.approx([0.5, 0.5])


def test_large_scores_do_not_overflow() -> None:
    assert softmax(np.array([1e5, 0.0, -1e5]), 0.2) == pytest.approx([1.0, 0.0, 0.0])


# --- one of the classes, by margin ------------------------------------------------------------------------------------


def two(shares: Sequence[float]) -> Floats:
    """Probabilities (steps, 2) of which these are the first class's."""
    first = np.asarray(shares, dtype=np.float64)
    return np.stack([first, 1 - first], -1)


def segments(
    shares: Sequence[float], rule: DecisionRule | None = None, *, first: float = 0.0, spacing: float = 1.0
) -> tuple[Segment, ...]:
    """The segments of two classes, from the probability of the first at each step."""
    segmenter = MarginSegmenter(("a", "b"), rule or DecisionRule())
    times = first + spacing * np.arange(len(shares))
    return segmenter.push(times, two(shares)) + segmenter.finish(first + spacing * len(shares))


def test_segments_tile_the_film_from_its_first_frame_to_its_end() -> None:
    tiles = segments([0.9, 0.8, 0.2, 0.1, 0.7], first=3.5, spacing=0.5)
    assert [(one.start_seconds, one.end_seconds) for one in tiles] == [(3.5, 4.5), (4.5, 5.5), (5.5, 6.0)]
    assert [one.label for one in tiles] == ["a", "b", "a"]
    assert [one.probability for one in tiles] == pytest.approx([0.85, 0.85, 0.7])
    assert all(before.end_seconds == after.start_seconds for before, after in pairwise(tiles))


def test_the_same_answer_all_along_is_one_segment() -> None:
    (only,) = segments([0.9, 0.7, 0.8])
    assert (only.start_seconds, only.end_seconds, only.label) == (0.0, 3.0, "a")
    assert only.probability == pytest.approx(0.8)


def test_stretches_below_the_threshold_are_unknown_and_stand_as_one() -> None:
    sure = DecisionRule(threshold=0.75)
    assert [(one.start_seconds, one.end_seconds, one.label) for one in segments([0.9, 0.6, 0.6, 0.3, 0.1], sure)] == [
        (0.0, 3.0, UNKNOWN),
        (3.0, 5.0, "b"),
    ]
    assert [one.label for one in segments([0.6, 0.6, 0.3, 0.1, 0.1, 0.6], sure)] == [UNKNOWN, "b", UNKNOWN]


def test_unknown_stretches_of_two_classes_become_one_whose_probability_is_weighed_by_time() -> None:
    (only,) = segments([0.6, 0.6, 0.6, 0.3], DecisionRule(threshold=0.9))
    assert (only.start_seconds, only.end_seconds, only.label) == (0.0, 4.0, UNKNOWN)
    assert only.probability == pytest.approx((3 * 0.6 + 0.7) / 4)


def test_a_probability_at_the_threshold_is_named() -> None:
    segmenter = MarginSegmenter(("a", "b"), DecisionRule(threshold=0.5))
    assert segmenter.answer(np.array([0.5, 0.5])) == ("a", 0.5)


def test_each_class_may_have_a_rule_of_its_own() -> None:
    own = DecisionRule(threshold={"a": 0.9}, shortest_seconds={"b": 2.0})
    assert [(one.label, one.end_seconds) for one in segments([0.8, 0.8, 0.2, 0.8, 0.2, 0.2], own)] == [
        (UNKNOWN, 4.0),
        ("b", 6.0),
    ]


# --- the answer for a film --------------------------------------------------------------------------------------------


def classified(
    clip: Sequence[float], along: Floats, classes: tuple[str, ...], threshold: float = 0.0, first: float = 0.0
) -> FilmPrediction:
    """The answer for a film with a step each quarter of a second."""
    timeline = Timeline(classes, first + np.arange(len(along)) / 4, along.astype(np.float32))
    moments = FilmMoments(Path("film.mp4"), np.asarray(clip), timeline, (), first + len(along) / 4, 10 * len(along))
    return Classify().prediction(moments, PredictionOptions(DecisionRule(threshold=threshold)))


def test_a_film_below_the_threshold_is_unknown_and_still_has_its_candidates() -> None:
    prediction = classified([0.6, 0.4], two([0.6]), ("a", "b"), threshold=0.7)
    assert (prediction.label, prediction.probability, prediction.top[0].label) == (UNKNOWN, 0.6, "a")


def test_top_holds_the_five_most_probable_classes_from_the_best_on() -> None:
    shares = [0.01, 0.4, 0.1, 0.15, 0.04, 0.2, 0.1]
    prediction = classified(shares, np.array([shares]), tuple("abcdefg"))
    assert [one.label for one in prediction.top] == ["b", "f", "d", "c", "g"]
    assert [one.probability for one in prediction.top] == [0.4, 0.2, 0.15, 0.1, 0.1]
    assert prediction.label == "b"
    assert len(classified([0.6, 0.4], two([0.6]), ("a", "b")).top) == 2


def test_duration_is_counted_from_the_films_first_frame() -> None:
    prediction = classified([0.9, 0.1], two([0.9, 0.8]), ("a", "b"), first=7.0)
    assert (prediction.duration_seconds, prediction.frames) == (0.5, 20)
    assert prediction.timeline is not None and prediction.timeline.seconds.tolist() == [7.0, 7.25]


# --- hysteresis and short stretches -----------------------------------------------------------------------------------


def cut(shares: Sequence[float], **how: float) -> list[tuple[float, float, str]]:
    return [(one.start_seconds, one.end_seconds, one.label) for one in segments(shares, DecisionRule(**how))]  # type: ignore[arg-type]


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


def cut_three(steps: str, shortest_seconds: float) -> str:
    """Which class has each second."""
    segmenter = MarginSegmenter(("a", "b", "c"), DecisionRule(shortest_seconds=shortest_seconds))
    tiles = [*segmenter.push(range(len(steps)), three(steps)), *segmenter.finish(len(steps))]
    assert [one.start_seconds for one in tiles[1:]] == [one.end_seconds for one in tiles[:-1]]
    return "".join(one.label * round(one.end_seconds - one.start_seconds) for one in tiles)


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
    expected = segments_of(steps, len(steps))
    for chunk in (1, 2, 5):
        assert segments_of(steps, chunk) == expected
    cut = MarginSegmenter(("a", "b", "c"), DecisionRule(shortest_seconds=2))
    ended = [(at, one) for at in range(len(steps)) for one in cut.push([at], three(steps)[at : at + 1])]
    assert len(ended) >= 3
    assert all(at <= one.end_seconds + 2 for at, one in ended)


def segments_of(steps: str, chunk: int) -> list[Segment]:
    cut = MarginSegmenter(("a", "b", "c"), DecisionRule(shortest_seconds=2))
    ended: list[Segment] = []
    for start in range(0, len(steps), chunk):
        piece = steps[start : start + chunk]
        ended += cut.push(range(start, start + len(piece)), three(piece))
    return [*ended, *cut.finish(len(steps))]


# --- anomalies, by threshold ------------------------------------------------------------------------------------------


def scored(scores: Sequence[float]) -> Floats:
    """Probabilities (steps, 2) of normal and anomaly from anomaly scores."""
    return two(scores)[:, ::-1]


def anomalies(scores: Sequence[float], **how: float) -> list[tuple[float, float, float]]:
    """Start, end and probability of each anomaly, at 10 frames a second."""
    rule = DecisionRule(**{"threshold": 0.5, "hysteresis": 0.1, "shortest_seconds": 0.2, **how})  # type: ignore[arg-type]
    segmenter = ThresholdSegmenter((NORMAL, ANOMALY), rule, NORMAL)
    ended = [*segmenter.push(np.arange(len(scores)) / 10, scored(scores)), *segmenter.finish(len(scores) / 10)]
    assert all(each.label == ANOMALY for each in ended)
    return [(round(each.start_seconds, 3), round(each.end_seconds, 3), each.probability) for each in ended]


def test_an_anomaly_begins_at_the_threshold_ends_below_the_hysteresis_and_has_its_highest_score() -> None:
    scores = [0.1, 0.45, 0.6, 0.45, 0.9, 0.45, 0.39, 0.45, 0.1]
    assert anomalies(scores) == [(0.2, 0.6, 0.9)]
    assert anomalies(scores, hysteresis=0.0) == []
    assert anomalies(scores, hysteresis=0.0, shortest_seconds=0.1) == [(0.2, 0.3, 0.6), (0.4, 0.5, 0.9)]


def test_an_anomaly_lasts_to_the_end_of_the_film_and_short_ones_are_left_out() -> None:
    assert anomalies([0.1, 0.1, 0.8, 0.7]) == [(0.2, 0.4, 0.8)]
    assert anomalies([0.1, 0.1, 0.1, 0.8]) == []
    assert anomalies([0.9] * 3) == [(0.0, 0.3, 0.9)]
    assert anomalies([]) == [] and anomalies([0.1] * 5) == []


def test_an_anomaly_goes_on_over_up_to_four_frames_without_a_score() -> None:
    assert anomalies([NAN, 0.9, 0.9, NAN, NAN, NAN, NAN, 0.9, 0.1]) == [(0.1, 0.8, 0.9)]
    assert anomalies([0.9, 0.9, NAN, NAN, NAN, NAN, NAN, 0.1]) == [(0.0, 0.6, 0.9)]


def test_several_classes_have_segments_that_overlap_each_by_its_own_threshold() -> None:
    rule = DecisionRule(threshold={"dig": 0.3, "walk": 0.6})
    segmenter = ThresholdSegmenter(("dig", "walk"), rule)
    along = np.array([[0.4, 0.5], [0.4, 0.7], [0.2, 0.7], [0.2, 0.5]])
    ended = [*segmenter.push(range(4), along), *segmenter.finish(4.0)]
    assert ended == [Segment(0.0, 2.0, "dig", 0.4), Segment(1.0, 3.0, "walk", 0.7)]


def test_a_class_is_the_background_only_where_the_model_says_so() -> None:
    answer = AnswerSpec("some", "several", "frame", (NORMAL, "limp"))
    segmenter = segmenter_for(answer, DecisionRule(threshold=0.5), answer.classes)
    assert segmenter.push([0.0, 1.0], np.array([[0.9, 0.1], [0.9, 0.1]])) == ()
    assert segmenter.answer(np.array([0.9, 0.1])) == (NORMAL, 0.9)
    assert segmenter.finish(2.0) == (Segment(0.0, 2.0, NORMAL, 0.9),)


def test_a_moment_that_is_not_certain_yet_holds_what_its_own_probabilities_pass() -> None:
    segmenter = ThresholdSegmenter(("dig", "walk"), DecisionRule(threshold={"dig": 0.3, "walk": 0.6}))
    segmenter.push([0.0], np.array([[0.1, 0.9]]))
    now = np.array([0.4, 0.5])
    assert (segmenter.holding(now), segmenter.answer(now)) == (("walk",), ("walk", 0.5))
    assert segmenter.holding(now, certain=False) == ("dig",)
    assert segmenter.answer(now, certain=False) == ("dig", 0.4)
    assert segmenter.answer(np.array([0.1, 0.2]), certain=False) == ("unknown", 0.2)


def test_before_the_first_certain_moment_there_is_an_answer_too() -> None:
    segmenter = ThresholdSegmenter(("dig", "walk"), DecisionRule(threshold=0.5))
    now = np.array([0.7, 0.9])
    assert segmenter.holding(now, certain=False) == ("dig", "walk")
    assert segmenter.answer(now, certain=False) == ("walk", 0.9)
