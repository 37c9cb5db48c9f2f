"""Anomaly scores look back only, keep the order of errors, and never reach a ceiling."""

from __future__ import annotations

import numpy as np
import pytest

from vidrnn.timeline.anomaly import (
    Calibration,
    TrailingMean,
    decibels,
    frame_error,
    normalised_in_film,
    smoothed,
    spread_in_film,
    worst_block,
)

NAN = float("nan")
NORMAL = np.exp(np.random.default_rng(0).normal(-7, 0.3, 500))
"""Squared errors of frames without anomalies."""


def test_the_error_of_a_frame_and_of_its_worst_block() -> None:
    true = np.zeros((32, 48, 1), np.float32)
    given = true.copy()
    given[16:32, 16:32] = 0.5
    error = frame_error(given, true)
    assert (error.mse, error.worst_block) == pytest.approx((0.25 / 6, 0.25))
    assert error.psnr == pytest.approx(10 * np.log10(6 / 0.25))
    assert frame_error(true, true).psnr == 100
    with pytest.raises(ValueError, match="wanted two frames"):
        frame_error(given, true[:16])


@pytest.mark.parametrize("shape", [(40, 50), (16, 16), (5, 60), (7, 3), (33, 17)])
def test_the_worst_block_is_the_largest_mean_and_reaches_the_borders(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(1).random(shape)
    height, width = (min(16, side) for side in shape)
    tops, lefts = ({*range(0, side - 16, 16), max(0, side - 16)} for side in shape)
    expected = max(values[y : y + height, x : x + width].mean() for y in tops for x in lefts)
    assert worst_block(values) == pytest.approx(expected)
    corner = np.zeros(shape)
    corner[-1, -1] = 1
    assert worst_block(corner) == pytest.approx(1 / (height * width)), "no pixel is left out"


def test_scores_rise_with_the_error_and_none_are_alike_however_large() -> None:
    calibration = Calibration.of(NORMAL)
    errors = np.concatenate([[0.0], np.geomspace(1e-9, 1.0, 400)])
    scores = calibration.scores(errors)
    assert (np.diff(scores) > 1e-7).all(), "no ties, even when six digits are written"
    assert scores.min() > 0 and scores.max() < 1


def test_half_is_what_one_normal_frame_in_a_hundred_exceeds() -> None:
    scores = Calibration.of(NORMAL).scores(NORMAL)
    assert (scores > 0.5).mean() == pytest.approx(0.01)
    assert np.median(scores) == pytest.approx(0.1, abs=0.01)


def test_a_calibration_is_two_numbers_that_can_be_kept() -> None:
    calibration = Calibration.of(np.append(NORMAL, NAN))
    again = Calibration(middle=calibration.middle, high=calibration.high)
    assert (again.scores(NORMAL) == Calibration.of(NORMAL).scores(NORMAL)).all(), "frames without count for nothing"


@pytest.mark.parametrize("errors", [np.zeros(50), np.full(50, 1e-3), np.full(1, 0.2)])
def test_films_whose_errors_are_all_alike_leave_room_above(errors: np.ndarray) -> None:
    calibration = Calibration.of(errors)
    scores = calibration.scores(np.array([errors[0], errors[0] * 1.01 + 1e-9, errors[0] * 2 + 1e-7, 0.5, 1.0]))
    assert (np.diff(scores) > 0).all() and scores[0] < 0.5 < scores[2]


@pytest.mark.parametrize("errors", [[], [NAN], [-1.0, 1.0], [np.inf]])
def test_nothing_to_calibrate_on_is_refused(errors: list[float]) -> None:
    with pytest.raises(ValueError, match="wanted errors of 0 or more"):
        Calibration.of(np.asarray(errors))


def test_smoothing_looks_back_only() -> None:
    scores = np.random.default_rng(2).random(30)
    before = smoothed(scores, 5)
    assert before[4] == pytest.approx(scores[:5].mean()) and before[29] == pytest.approx(scores[25:].mean())
    assert before[1] == pytest.approx(scores[:2].mean()), "at the beginning of those there are"
    changed = np.concatenate([scores[:20], 1 - scores[20:]])
    assert (smoothed(changed, 5)[:20] == before[:20]).all()
    mean = TrailingMean(5)
    assert [mean.push(score) for score in scores] == before.tolist(), "frame by frame is the same"
    assert (smoothed(scores, 1) == scores).all()
    with pytest.raises(ValueError, match="1 frame or more"):
        TrailingMean(0)


def test_frames_without_a_score_have_no_part_in_the_mean() -> None:
    assert smoothed(np.array([NAN, 1.0, 3.0]), 3).tolist()[1:] == [1.0, 2.0]
    assert np.isnan(smoothed(np.array([NAN, 1.0]), 3)[0])


def test_per_film_scores_are_the_papers_and_say_nothing_of_other_films() -> None:
    errors = np.array([NAN, 1e-4, 1e-3, 1e-2])
    assert normalised_in_film(errors)[1:] == pytest.approx([0, 0.5, 1])
    assert normalised_in_film(errors * 50)[1:] == pytest.approx([0, 0.5, 1]), "a video that is bad all through too"
    assert np.isnan(normalised_in_film(errors)[0])


@pytest.mark.parametrize("errors", [np.zeros(4), np.full(4, 0.01), np.array([NAN, 0.2])])
def test_a_film_in_which_nothing_differs_has_only_noughts(errors: np.ndarray) -> None:
    known = normalised_in_film(errors)
    assert (known[~np.isnan(errors)] == 0).all()
    assert np.isnan(spread_in_film(np.array([NAN]))).all()


def test_decibels_end_at_a_hundred() -> None:
    assert decibels(np.array([0.0, 1e-12, 1e-2, 1.0])).tolist() == pytest.approx([100, 100, 20, 0])
