"""Anomaly scores of the frames of a film, from the errors of their predictions.

It needs numpy only. All but `normalised_in_film` and `spread_in_film` depend on a frame and those before it only. The
score of a frame without a prediction is NaN.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from vidrnn.values import AnomalyCalibration

Floats = NDArray[np.float64]

BLOCK = 16
"""Height and width of a block, in pixels."""
_APART = 8
"""Pixels between the beginnings of neighbouring blocks."""
_LEAST_ROOT_ERROR, _LEAST_SPEED = 0.003, 0.03
"""An error in brightness and a speed in pixels a frame that are normal in any video."""
_LEAST_ERROR = 1e-8
"""Squared error: less than a step of 1/255 in one pixel of a block."""
_HIGH_SHARE = 0.99
"""The share of validation frames below the error that scores 0.5."""
_LEAST_REACH = 0.1
"""The least distance between the middle and the high error, in natural logarithms: 10 %."""
_STEEPNESS = 4.0
"""So the middle error scores 0.1, and an error as far above the high one scores 0.9."""


@dataclass(frozen=True, slots=True)
class FrameError:
    """The distance of a predicted frame from the true one, in brightness from 0 to 1."""

    mse: float
    """Squared error, mean over the frame."""
    worst_block: float
    """Squared error, mean over the worst block of 16x16 pixels."""

    @property
    def psnr(self) -> float:
        """The peak signal-to-noise ratio in decibels, at most 100."""
        return float(decibels(np.asarray(self.mse)))


def frame_error(predicted: NDArray[np.floating], true: NDArray[np.floating]) -> FrameError:
    """The error of one frame; both (height, width, channels), in [0, 1].

    Raises:
        ValueError: they differ in shape.
    """
    if predicted.shape != true.shape or true.ndim != 3:
        raise ValueError(f"wanted two frames (height, width, channels), found {predicted.shape} and {true.shape}")
    squared = ((predicted.astype(np.float64) - true) ** 2).mean(2)
    return FrameError(float(squared.mean()), worst_block(squared))


def worst_block(values: NDArray[np.floating]) -> float:
    """The largest mean of a block of 16x16 of (height, width); the last blocks end where the picture ends.

    A picture that is smaller than a block is one block.
    """
    return float(_block_means(values, BLOCK).max())


def decibels(mse: Floats) -> Floats:
    """The peak signal-to-noise ratio for squared errors of numbers in [0, 1]; 100 at most."""
    psnr: Floats = np.minimum(-10 * np.log10(np.maximum(mse, 1e-10)), 100.0)
    return psnr


@dataclass(frozen=True, slots=True)
class Calibration:
    """Turns errors into scores, by the errors of the frames of validation films."""

    middle: float
    """Natural logarithm of the median error."""
    high: float
    """Natural logarithm of the error that one frame in a hundred exceeds."""

    @classmethod
    def of(cls, errors: Floats) -> Calibration:
        """The calibration for squared errors (frames,) of frames without anomalies.

        Raises:
            ValueError: there is no error, or one is negative or infinite.
        """
        known = errors[~np.isnan(errors)]
        if not len(known) or not (np.isfinite(known) & (known >= 0)).all():
            raise ValueError(f"wanted errors of 0 or more of some frames, found {len(known)} frames: {known[:3]}")
        middle, high = np.quantile(np.log(known + _LEAST_ERROR), [0.5, _HIGH_SHARE])
        return cls(float(middle), float(max(high, middle + _LEAST_REACH)))

    def scores(self, errors: Floats) -> Floats:
        """Anomaly scores in (0, 1) of squared errors: 0.5 where one normal frame in a hundred is worse.

        A larger error always has a larger score, and the score never reaches 1. A logistic curve would round the scores
        of two very large errors to the same 1.
        """
        far = _STEEPNESS * (np.log(errors + _LEAST_ERROR) - self.high) / (self.high - self.middle)
        scores: Floats = (1 + far / (1 + np.abs(far))) / 2
        return scores


def block_map(values: NDArray[np.floating]) -> Floats:
    """The mean of each block of 16x16 of (height, width). Blocks begin every 8 pixels; the last end at the borders."""
    return _block_means(values, _APART)


class Surprise:
    """How far a frame is from normal, at its most surprising place.

    A place is surprising if its prediction is bad, and if things move fast there: a car that passes at an even speed is
    predicted well, and may be an anomaly all the same.
    """

    def __init__(self, normal: AnomalyCalibration) -> None:
        self._normal = normal
        self._calibration = Calibration(normal.middle, normal.high)

    def of(self, squared: NDArray[np.floating], speed: NDArray[np.floating] | None) -> float:
        """The surprise of a frame; one normal frame in a hundred has about 1 or more.

        Args:
            squared: (height, width) the squared error of each pixel.
            speed: (height, width) the speed of each pixel in pixels a frame; None for a model without a flow.
        """
        motion = None if speed is None else block_map(speed)
        return surprise(block_map(squared), motion, self._normal.error, self._normal.motion)

    def places(self, squared: NDArray[np.floating], speed: NDArray[np.floating] | None) -> Floats:
        """(rows, columns) the surprise of each block of a frame; arguments as `of`."""
        motion = None if speed is None else block_map(speed)
        return surprises(block_map(squared), motion, self._normal.error, self._normal.motion)

    def score(self, surprise: float) -> float:
        """The anomaly score of a surprise, in (0, 1)."""
        return float(self._calibration.scores(np.asarray(surprise)))


def surprise(error: Floats, motion: Floats | None, normal_error: float, normal_motion: float | None) -> float:
    """The largest surprise over the places of a frame, from the maps of its squared error and of its motion."""
    return float(surprises(error, motion, normal_error, normal_motion).max())


def surprises(error: Floats, motion: Floats | None, normal_error: float, normal_motion: float | None) -> Floats:
    """The surprise of each place of a frame, shaped as the maps of its squared error and of its motion."""
    places: Floats = np.sqrt(error) / normal_error
    if motion is not None and normal_motion is not None:
        places = (places + motion / normal_motion) / 2
    return places


def block_spans(length: int) -> list[tuple[int, int]]:
    """Where the blocks of `block_map` begin and end along a side of so many pixels."""
    begins, ends = _edges(length, _APART)
    return list(zip(begins.tolist(), ends.tolist(), strict=True))


def calibrate(errors: Sequence[Floats], motions: Sequence[Floats], smoothing_frames: int) -> AnomalyCalibration:
    """The errors and speeds of normal frames, from the maps of squared errors and of motion of such frames.

    `motions` is empty for a model without a flow.

    Raises:
        ValueError: there are no frames.
    """
    if not len(errors):
        raise ValueError("there are no frames to calibrate on")
    error = float(np.quantile([np.sqrt(each.max()) for each in errors], _HIGH_SHARE)) + _LEAST_ROOT_ERROR
    motion = float(np.quantile([each.max() for each in motions], _HIGH_SHARE)) + _LEAST_SPEED if motions else None
    moves: Sequence[Floats | None] = motions or [None] * len(errors)
    surprises = [surprise(each, move, error, motion) for each, move in zip(errors, moves, strict=True)]
    scale = Calibration.of(np.asarray(surprises))
    return AnomalyCalibration(scale.middle, scale.high, smoothing_frames, error, motion)


class TrailingMean:
    """The mean of a film's last scores. At the beginning there are fewer; frames without a score do not count."""

    def __init__(self, frames: int) -> None:
        if frames < 1:
            raise ValueError(f"a mean is of 1 frame or more, not {frames}")
        self._last: deque[float] = deque(maxlen=frames)

    def push(self, score: float) -> float:
        """The mean with `score` as the newest one."""
        self._last.append(score)
        known = [each for each in self._last if not isnan(each)]
        return sum(known) / len(known) if known else float("nan")


def smoothed(scores: Floats, frames: int) -> Floats:
    """Each score of a film (frames,) as the mean of the last `frames` scores up to it."""
    mean = TrailingMean(frames)
    return np.asarray([mean.push(float(score)) for score in scores], dtype=np.float64)


def normalised_in_film(errors: Floats) -> Floats:
    """Scores in [0, 1] from squared errors (frames,) of one film: 1 where its PSNR is lowest, 0 where it is highest.

    Use it for comparison with papers only. It needs the whole film, and every film has a frame with score 1, even if
    nothing happens in it. Where all errors are equal, it is 0. Liu, Luo, Lian and Gao, "Future frame prediction for
    anomaly detection", CVPR 2018.
    """
    return spread_in_film(-decibels(errors))


def spread_in_film(scores: Floats) -> Floats:
    """The scores of one film (frames,) scaled so that they go from 0 to 1; 0 where all are equal."""
    known = scores[~np.isnan(scores)]
    if not len(known) or known.max() == known.min():
        return np.where(np.isnan(scores), np.nan, 0.0)
    stretched: Floats = (scores - known.min()) / (known.max() - known.min())
    return stretched


def _block_means(values: NDArray[np.floating], apart: int) -> Floats:
    """The mean of each block of (height, width); a block begins every `apart` pixels."""
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    sums[1:, 1:] = values.cumsum(0, dtype=np.float64).cumsum(1)
    (tops, bottoms), (lefts, rights) = (_edges(length, apart) for length in values.shape)
    blocks = sums[np.ix_(bottoms, rights)] + sums[np.ix_(tops, lefts)]
    blocks -= sums[np.ix_(bottoms, lefts)] + sums[np.ix_(tops, rights)]
    means: Floats = (blocks / ((bottoms - tops)[:, None] * (rights - lefts))).clip(min=0.0)
    return means


def _edges(length: int, apart: int = BLOCK) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where blocks begin and end along a side."""
    last = max(0, length - BLOCK)
    begins = np.unique([*range(0, last, apart), last])
    return begins, np.minimum(begins + BLOCK, length)
