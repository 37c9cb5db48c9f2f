"""Measures of predicted frames against scikit-image, and of anomaly scores against counting by hand."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from vidrnn.evaluate.metrics import FrameMeter, FrameScores, equal_error_rate, roc_auc

Frames = NDArray[np.float32]


def frames(clips: int = 3, steps: int = 2, height: int = 24, width: int = 32, channels: int = 1) -> Frames:
    """Blobs among noise: neither flat nor without structure."""
    rng = np.random.default_rng(clips + steps + height + width + channels)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    waves = 0.5 + 0.4 * np.sin(rows / 3)[..., None] * np.cos(columns / 4)[..., None]
    return np.clip(waves + 0.1 * rng.normal(size=(clips, steps, height, width, channels)), 0, 1).astype(np.float32)


def near(true: Frames, far: float = 0.1) -> Frames:
    """A prediction that errs the more, the further ahead it is."""
    rng = np.random.default_rng(1)
    growing = far * np.arange(1, true.shape[1] + 1)[:, None, None, None]
    return np.clip(true + growing * rng.normal(size=true.shape), 0, 1).astype(np.float32)


def frame_scores(predicted: Frames | NDArray[np.uint8], truth: Frames | NDArray[np.uint8]) -> FrameScores:
    meter = FrameMeter()
    meter.add(predicted, truth)
    return meter.scores()


@pytest.mark.parametrize("shape", [{}, {"channels": 3}, {"height": 11, "width": 40}])
def test_each_step_scores_as_scikit_image_says(shape: dict[str, int]) -> None:
    true = frames(**shape)
    given = near(true)
    found = frame_scores(given, true)
    numbers = true[0, 0].size
    assert found.clips == 3 and len(found.per_step) == 2
    for step, scores in enumerate(found.per_step):
        pairs = list(zip(given[:, step].astype(np.float64), true[:, step].astype(np.float64), strict=True))
        mse = np.mean([mean_squared_error(a, b) for a, b in pairs])
        mae = np.mean([np.abs(a - b).mean() for a, b in pairs])
        psnr = np.mean([peak_signal_noise_ratio(b, a, data_range=1) for a, b in pairs])
        how = {"data_range": 1, "channel_axis": -1, "gaussian_weights": True, "use_sample_covariance": False}
        ssim = np.mean([structural_similarity(a, b, sigma=1.5, **how) for a, b in pairs])
        assert (scores.mse, scores.mae) == pytest.approx((mse, mae), rel=1e-5)
        assert (scores.mse_sum, scores.mae_sum) == pytest.approx((mse * numbers, mae * numbers), rel=1e-5)
        assert scores.psnr == pytest.approx(psnr, abs=1e-3)
        assert scores.ssim == pytest.approx(ssim, abs=1e-4)
    assert found.per_step[0].mse < found.per_step[1].mse
    mean = {name: np.mean([asdict(step)[name] for step in found.per_step]) for name in asdict(found.overall)}
    assert asdict(found.overall) == pytest.approx(mean)


def test_portions_tensors_and_bytes_give_the_same_scores() -> None:
    true = np.round(frames(clips=70, height=12, width=12) * 255).astype(np.uint8)
    given = near(true / np.float32(255))
    whole = asdict(frame_scores(given, true))
    meter = FrameMeter()
    for first, after in ((0, 1), (1, 66), (66, 70)):
        meter.add(torch.from_numpy(given[first:after]), torch.from_numpy(true[first:after]).float() / 255)
    meter.add(given[:0], true[:0])
    parts = asdict(meter.scores())
    assert parts.pop("overall") == pytest.approx(whole.pop("overall"), rel=1e-6)
    assert parts["per_step"][1] == pytest.approx(whole["per_step"][1], rel=1e-6)
    assert parts["clips"] == 70


def test_black_against_a_known_frame_is_computed_by_hand() -> None:
    true = np.zeros((1, 1, 16, 16, 1), np.float32)
    true[0, 0, :2, :3] = 0.5
    scores = frame_scores(np.zeros_like(true), true).overall
    assert (scores.mse_sum, scores.mae_sum) == pytest.approx((6 * 0.25, 6 * 0.5))
    assert (scores.mse, scores.mae) == pytest.approx((1.5 / 256, 3 / 256))
    assert scores.psnr == pytest.approx(10 * np.log10(256 / 1.5))


def test_frames_without_error_have_a_hundred_decibels_and_not_infinity() -> None:
    true = frames()
    scores = frame_scores(true, true)
    assert (scores.overall.mse_sum, scores.overall.psnr, scores.overall.ssim) == pytest.approx((0, 100, 1))
    half = np.stack([true[0], near(true)[0]])
    both = frame_scores(half, np.stack([true[0], true[0]])).per_step[0].psnr
    alone = frame_scores(half[1:], true[:1]).per_step[0].psnr
    assert both == pytest.approx((100 + alone) / 2), "one perfect frame does not hide the others"


def test_black_frames_that_are_predicted_black_are_alike() -> None:
    black = np.zeros((2, 3, 20, 20, 1), np.uint8)
    assert frame_scores(black, black).overall.ssim == pytest.approx(1)


def test_predicted_numbers_outside_of_the_range_count_as_on_a_screen() -> None:
    true = frames()
    assert frame_scores(true + 7, true) == frame_scores(np.ones_like(true), true)


def test_frames_below_the_window_have_no_ssim_and_a_sentence_says_so() -> None:
    true = frames(height=10)
    found = frame_scores(near(true), true)
    assert found.overall.ssim is None and found.per_step[0].ssim is None
    assert found.definitions[-1] == (
        "SSIM: not computed, since its window of 11x11 pixels does not fit into 32x10 pixels."
    )
    assert found.overall.psnr > 0


def test_the_numbers_come_with_their_definitions() -> None:
    true = frames(height=20, width=30, channels=3)
    text = " ".join(frame_scores(true, true).definitions)
    for part in ("summed over a frame (30x20 pixels in 3 colours)", "the 1,800 numbers of a frame", "data range 1"):
        assert part in text


def test_frames_that_cannot_be_measured_are_refused() -> None:
    true = frames()
    meter = FrameMeter()
    with pytest.raises(ValueError, match="no frames were measured"):
        meter.scores()
    with pytest.raises(ValueError, match="of one shape"):
        meter.add(true[:, :1], true)
    with pytest.raises(ValueError, match=r"true frames are in \[0, 1\]"):
        meter.add(true, true * 255)
    with pytest.raises(ValueError, match="predicted frames hold numbers that are NaN"):
        meter.add(true * np.float32("nan"), true)
    with pytest.raises(ValueError, match="floats or uint8"):
        meter.add(true.astype(np.int64), true)
    meter.add(true, true)
    with pytest.raises(ValueError, match="after others of another shape"):
        meter.add(true[:, :1], true[:, :1])


def by_counting(scores: NDArray[np.float64], anomalies: NDArray[np.bool_]) -> float:
    pairs = scores[anomalies][:, None] - scores[~anomalies][None]
    return float((pairs > 0).mean() + (pairs == 0).mean() / 2)


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e6])
def test_auc_is_the_share_of_pairs_in_the_right_order_whatever_the_scale(scale: float) -> None:
    rng = np.random.default_rng(0)
    anomalies = rng.random(400) < 0.3
    scores = np.round(rng.normal(size=400) + anomalies, 1)
    expected = by_counting(scores, anomalies)
    assert 0.6 < expected < 0.9
    assert roc_auc(scores * scale, anomalies) == pytest.approx(expected, abs=1e-6)
    assert roc_auc(-scores * scale, anomalies) == pytest.approx(1 - expected, abs=1e-6)


def test_equal_errors_are_where_both_kinds_of_error_are_as_common() -> None:
    normal, anomalies = np.arange(10.0), np.arange(10.0) + 7
    truth = np.repeat([False, True], 10)
    assert equal_error_rate(np.concatenate([normal, anomalies]), truth) == pytest.approx(0.15)
    assert equal_error_rate(np.concatenate([normal, normal + 20]), truth) == 0
    assert equal_error_rate(np.concatenate([normal + 20, normal]), truth) == 1
    assert equal_error_rate(np.ones(20), truth) == pytest.approx(0.5), "all scores are equal"
    assert equal_error_rate(np.repeat([0.0, 1.0, 0.0, 1.0], [8, 2, 3, 7]), truth) == pytest.approx(3 / 11)


def test_one_kind_of_frame_alone_has_neither() -> None:
    for truth in (np.zeros(3, bool), np.ones(3, bool)):
        assert roc_auc(np.arange(3.0), truth) is None
        assert equal_error_rate(np.arange(3.0), truth) is None


def test_scores_that_are_nan_are_refused() -> None:
    with pytest.raises(ValueError, match="1 of 3 scores are NaN"):
        roc_auc(np.array([0.0, np.nan, 1.0]), np.array([True, False, True]))
    assert roc_auc(np.array([0.0, np.inf, 1.0]), np.array([False, True, False])) == 1
