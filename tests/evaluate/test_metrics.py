"""Measures, intervals and p-values against numbers that are computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from vidrnn.evaluate.metrics import classify_scores, fit_temperature, interval95, mean_interval95, paired_p

CLASSES = ("cat", "dog", "owl")
TRUTH = np.array([0, 0, 0, 0, 1, 1, 2, 2])
ANSWERS = np.array([0, 0, 0, 1, 1, 0, 2, 2])


def certain(answers: NDArray[np.int64], probability: float = 0.8, count: int = 3) -> NDArray[np.float64]:
    """Probabilities that give each answer `probability` and share the rest."""
    probabilities = np.full((len(answers), count), (1 - probability) / (count - 1))
    probabilities[np.arange(len(answers)), answers] = probability
    return probabilities


def shares(right: int, of: int) -> NDArray[np.bool_]:
    return np.arange(of) < right


def alone(count: int) -> list[str]:
    """A group for each clip."""
    return [f"g{i}" for i in range(count)]


def test_scores_are_those_computed_by_hand() -> None:
    scores = classify_scores(certain(ANSWERS), TRUTH, CLASSES)
    assert scores.clips == 8
    assert scores.accuracy == pytest.approx(6 / 8)
    assert scores.confusion == ((3, 1, 0), (1, 1, 0), (0, 0, 2)), "rows are the truth"
    cat, dog, owl = scores.per_class
    assert (cat.label, cat.clips, dog.clips, owl.clips) == ("cat", 4, 2, 2)
    assert (cat.precision, cat.recall, cat.f1) == pytest.approx((3 / 4, 3 / 4, 3 / 4))
    assert (dog.precision, dog.recall, dog.f1) == pytest.approx((1 / 2, 1 / 2, 1 / 2))
    assert (owl.precision, owl.recall, owl.f1) == pytest.approx((1, 1, 1))
    assert scores.macro_f1 == pytest.approx((3 / 4 + 1 / 2 + 1) / 3)


def test_precision_and_recall_are_not_confused() -> None:
    cat, dog = classify_scores(
        certain(np.array([0, 0, 0, 1]), count=2), np.array([0, 1, 1, 1]), ("cat", "dog")
    ).per_class
    assert (cat.precision, cat.recall) == pytest.approx((1 / 3, 1))
    assert (dog.precision, dog.recall) == pytest.approx((1, 1 / 3))


def test_a_class_without_clips_or_answers_is_a_row_of_zeros_and_no_number_is_lost() -> None:
    scores = classify_scores(certain(np.array([0, 1])), np.array([0, 1]), CLASSES)
    owl = scores.per_class[2]
    assert (owl.clips, owl.precision, owl.recall, owl.f1) == (0, 0, 0, 0)
    assert scores.accuracy == 1 and scores.macro_f1 == pytest.approx(1.0), "the mean is over classes that are there"


def test_calibration_error_is_the_difference_of_probability_and_accuracy() -> None:
    assert classify_scores(certain(ANSWERS, 0.8), TRUTH, CLASSES).ece == pytest.approx(abs(0.8 - 6 / 8), abs=1e-6)
    assert classify_scores(certain(TRUTH, 1.0), TRUTH, CLASSES).ece == pytest.approx(0, abs=1e-6)
    mixed = np.concatenate([certain(ANSWERS[:4], 0.9), certain(ANSWERS[4:], 0.5)])
    assert classify_scores(mixed, TRUTH, CLASSES).ece == pytest.approx((0.9 - 0.75) / 2 + (0.75 - 0.5) / 2, abs=1e-6)


@pytest.mark.parametrize(("right", "of"), [(0, 5), (5, 5), (3, 4), (45, 50), (1, 1), (99, 100)])
def test_an_interval_is_wilsons_and_holds_the_share(right: int, of: int) -> None:
    low, high = interval95(shares(right, of), ["one video"] * of)
    share, z = right / of, 1.959964
    assert 0 <= low <= share <= high <= 1
    for edge in {low, high} - {0.0, 1.0}:
        assert (edge - share) ** 2 == pytest.approx(z * z * edge * (1 - edge) / of, rel=1e-6)


def test_more_clips_make_an_interval_narrower() -> None:
    few, many = (interval95(shares(8 * k, 10 * k), alone(10 * k)) for k in (1, 10))
    assert many[1] - many[0] < 0.5 * (few[1] - few[0])


def test_clips_of_a_group_that_stand_and_fall_together_count_for_less() -> None:
    correct = np.repeat(shares(14, 20), 5)
    together = interval95(correct, [f"g{i // 5}" for i in range(100)])
    apart = interval95(correct, alone(100))
    twenty = interval95(shares(14, 20), alone(20))
    assert together[1] - together[0] > 1.8 * (apart[1] - apart[0])
    assert together == pytest.approx(twenty, abs=0.02), "five copies of a clip count as one clip"


def test_a_few_groups_are_too_few_to_tell_how_alike_their_clips_are() -> None:
    correct = np.repeat([True, False], 20)
    assert interval95(correct, ["a"] * 20 + ["b"] * 20) == interval95(correct, ["a", "b"] * 20)


def test_groups_of_one_clip_are_worth_a_clip_each() -> None:
    correct = shares(30, 40)
    assert interval95(correct, alone(40)) == pytest.approx(interval95(correct, ["one video"] * 40), abs=0.005)


def test_chance_is_an_unlikely_reason_for_a_steady_difference_and_a_likely_one_for_none() -> None:
    good, poor = shares(90, 100), shares(60, 100)
    groups = [f"g{i % 25}" for i in range(100)]
    assert paired_p(good, poor, groups) < 0.001
    assert paired_p(good, good, groups) == 1.0
    swapped = np.roll(good, 50)
    assert paired_p(good, swapped, alone(100)) > 0.9, "as many gained as lost"


def test_neither_answer_is_the_first() -> None:
    good, poor = shares(30, 40), shares(24, 40)
    assert paired_p(good, poor, alone(40)) == pytest.approx(paired_p(poor, good, alone(40)), abs=0.01)


@pytest.mark.parametrize("gained", [1, 3, 6])
def test_the_chance_is_that_of_as_many_fair_coins(gained: int) -> None:
    better = shares(20 + gained, 40)
    assert paired_p(better, shares(20, 40), alone(40)) == pytest.approx(2 * 0.5**gained, abs=0.015)


def test_a_gain_within_one_group_is_one_groups_worth() -> None:
    better, poor = shares(30, 60), shares(24, 60)
    lumped = ["a"] * 30 + [f"g{i}" for i in range(30)]
    assert paired_p(better, poor, lumped) == 1.0, "one coin falls some way each time"
    assert paired_p(better, poor, alone(60)) < 0.06


def test_the_same_seed_draws_the_same_chance() -> None:
    one, other = shares(30, 60), shares(26, 60)
    assert paired_p(one, other, alone(60), seed=4) == paired_p(one, other, alone(60), seed=4)


def drawn(temperature: float, count: int = 4000) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Scores of three classes, and truths drawn with the probabilities that their `temperature` gives."""
    rng = np.random.default_rng(0)
    scores = 4 * rng.standard_normal((count, 3))
    weights = np.exp(scores / temperature)
    edges = (weights / weights.sum(1, keepdims=True)).cumsum(1)
    truth = (rng.random(count)[:, None] > edges).sum(1)
    return scores, truth.astype(np.int64)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_behind_the_truths_comes_out(temperature: float) -> None:
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.1)


@pytest.mark.parametrize("clips", [3, 10, 40])
def test_a_few_clips_that_are_all_right_are_no_proof_of_certainty(clips: int) -> None:
    truth = np.arange(clips) % 3
    scores = 2.0 * np.eye(3)[truth]
    probability = np.exp(2 / (temperature := fit_temperature(scores, truth)))
    probability /= probability + 2
    assert 0.2 <= temperature <= 5
    assert 1 - 1.5 / (clips + 2) <= probability <= 1 - 0.4 / (clips + 2)


def test_noise_is_believed_as_little_as_can_be() -> None:
    scores, truth = drawn(1.0, 300)
    assert fit_temperature(scores, np.roll(truth, 1)) == pytest.approx(5.0)
    assert math.isfinite(fit_temperature(1e4 * scores, truth))


def test_the_interval_of_a_mean_is_students() -> None:
    assert mean_interval95([0.4, 0.6]) == (0.0, 1.0), "12.7 standard errors of two values reach beyond all shares"
    low, high = mean_interval95([0.5, 0.6, 0.7, 0.8, 0.9])
    assert (low, high) == pytest.approx((0.7 - 2.776 * 0.158114 / 5**0.5, 0.7 + 2.776 * 0.158114 / 5**0.5), abs=1e-4)
    assert mean_interval95([0.5] * 3) == (0.5, 0.5)
    assert mean_interval95([0.9]) == (0.0, 1.0)


def test_answers_that_are_right_by_a_share_of_seeds_can_be_compared() -> None:
    groups = [str(i) for i in range(20)]
    mine, other = np.full(20, 0.8), np.full(20, 0.4)
    assert paired_p(mine, other, groups) < 0.01
    assert paired_p(mine, mine.copy(), groups) == 1.0
