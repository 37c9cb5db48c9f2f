"""How unusual each frame of a film is, from how badly it was foretold: errors, scores in [0, 1], stretches in seconds.

numpy only. All but `normalised_in_film` looks back only: what comes later changes nothing. A frame that had nothing
before it to be foretold from has no score: it is not a number here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from vidrnn.values import Segment, Usual

Floats = NDArray[np.float64]

BLOCK = 16
"""Pixels, high and wide, of the blocks of which the worst is sought."""
UNUSUAL = "unusual"
_APART = 8  # pixels between the blocks that surprise is sought in
_LEAST_ROOT_ERROR, _LEAST_SPEED = 0.01, 0.1  # what is usual anywhere: in brightness, and in pixels a frame
_LEAST_ERROR = 1e-8  # squared, of a pixel: less than one pixel's step of 1/255 comes to in a block
_HIGH_SHARE = 0.99  # of validation frames are below the error that scores 0.5
_LEAST_REACH = 0.1  # between the middle and the high error, in natural logarithms: 10 %
_STEEPNESS = 4.0  # the middle error scores 0.1, and one as far above the high error 0.9


@dataclass(frozen=True, slots=True)
class FrameError:
    """How far a foretold frame is from the true one, in brightness from 0 to 1."""

    mse: float
    """Squared error, mean over the frame."""
    worst_block: float
    """Squared error, mean over the block of 16x16 pixels in which it is largest."""

    @property
    def psnr(self) -> float:
        """Decibels, at most 100."""
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

    Where the picture is smaller than a block, its own size is that of the block.
    """
    return float(_block_means(values, BLOCK).max())


def decibels(mse: Floats) -> Floats:
    """PSNR for numbers in [0, 1]; at most 100, for no error."""
    found: Floats = np.minimum(-10 * np.log10(np.maximum(mse, 1e-10)), 100.0)
    return found


@dataclass(frozen=True, slots=True)
class Calibration:
    """Turns errors into scores by what errors frames of validation films had; kept with a model."""

    middle: float
    """Natural logarithm of the median error."""
    high: float
    """... of the error that one frame in a hundred exceeds."""

    @classmethod
    def of(cls, errors: Floats) -> Calibration:
        """The calibration for squared errors (frames,) of frames in which nothing is unusual.

        Raises:
            ValueError: there is no error to go by, or one that is below 0 or infinite.
        """
        known = errors[~np.isnan(errors)]
        if not len(known) or not (np.isfinite(known) & (known >= 0)).all():
            raise ValueError(f"wanted errors of 0 or more of some frames, found {len(known)} frames: {known[:3]}")
        middle, high = np.quantile(np.log(known + _LEAST_ERROR), [0.5, _HIGH_SHARE])
        return cls(float(middle), float(max(high, middle + _LEAST_REACH)))

    def scores(self, errors: Floats) -> Floats:
        """Unusual-scores in (0, 1) of squared errors: 0.5 where one usual frame in a hundred is worse.

        The larger the error, the larger the score, and it never reaches 1: of two frames far out, the farther one can
        be told. A logistic curve would call both 1.
        """
        far = _STEEPNESS * (np.log(errors + _LEAST_ERROR) - self.high) / (self.high - self.middle)
        scores: Floats = (1 + far / (1 + np.abs(far))) / 2
        return scores


def surprise_map(values: NDArray[np.floating]) -> Floats:
    """The mean of each block of 16x16 of (height, width), a block every 8 pixels; the last ones end at the borders."""
    return _block_means(values, _APART)


class Surprise:
    """How far a frame is from what is usual, at the place where it is farthest.

    A place is surprising if it was foretold worse than is usual there, or if things move faster there than they do;
    a street has lanes and a far end, so that what is usual differs from place to place.
    """

    def __init__(self, usual: Usual) -> None:
        self._errors = np.asarray(usual.errors)
        self._motions = np.asarray(usual.motions) if usual.motions else None
        self._calibration = Calibration(usual.middle, usual.high)

    def of(self, squared: NDArray[np.floating], speed: NDArray[np.floating] | None) -> float:
        """From the squared error of each pixel and, if the model holds a flow, its speed in pixels a frame.

        Both (height, width); in multiples of what one usual frame in a hundred exceeds, from 0 on.
        """
        return surprise(surprise_map(squared), self._errors, _map_or_none(speed), self._motions)

    def score(self, surprise: float) -> float:
        """The unusual-score of a surprise, in (0, 1)."""
        return float(self._calibration.scores(np.asarray(surprise)))


def surprise(error: Floats, usual_error: Floats, motion: Floats | None, usual_motion: Floats | None) -> float:
    """The largest surprise over the places of a frame, from the maps of its squared error and of its motion."""
    found = np.sqrt(error) / usual_error
    if motion is not None and usual_motion is not None:
        found = (found + motion / usual_motion) / 2
    return float(found.max())


def usual_of(errors: Sequence[Floats], motions: Sequence[Floats], smoothing_frames: int) -> Usual:
    """What is usual, from the maps of frames in which nothing is unusual.

    Raises:
        ValueError: there is no frame to go by.
    """
    if not len(errors):
        raise ValueError("no frames to tell by what is usual")
    usual_errors = _high_map(np.sqrt(np.stack(errors)), _LEAST_ROOT_ERROR)
    usual_motions = _high_map(np.stack(motions), _LEAST_SPEED) if len(motions) else None
    moves: Sequence[Floats | None] = motions or [None] * len(errors)
    pairs = zip(errors, moves, strict=True)
    known = Calibration.of(np.asarray([surprise(error, usual_errors, move, usual_motions) for error, move in pairs]))
    moving = () if usual_motions is None else _table(usual_motions)
    return Usual(known.middle, known.high, smoothing_frames, _table(usual_errors), moving)


def _high_map(maps: Floats, least: float) -> Floats:
    """What one frame in a hundred exceeds at each place, evened out over neighbours and never nothing."""
    high = np.quantile(maps, _HIGH_SHARE, axis=0)
    wide = np.pad(high, 1, mode="edge")
    rows, columns = high.shape
    around = np.stack([wide[y : y + rows, x : x + columns] for y in range(3) for x in range(3)])
    found: Floats = around.mean(0) + least
    return found


def _table(values: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in values.round(5).tolist())


def _map_or_none(speed: NDArray[np.floating] | None) -> Floats | None:
    return None if speed is None else surprise_map(speed)


class TrailingMean:
    """The mean of a film's last scores, this one included; fewer at its beginning. Frames without are passed over."""

    def __init__(self, frames: int) -> None:
        if frames < 1:
            raise ValueError(f"a mean is of 1 frame or more, not {frames}")
        self._last: deque[float] = deque(maxlen=frames)

    def push(self, score: float) -> float:
        """The mean when `score` has come."""
        self._last.append(score)
        known = [each for each in self._last if not isnan(each)]
        return sum(known) / len(known) if known else float("nan")


def smoothed(scores: Floats, frames: int) -> Floats:
    """Each score of a film (frames,) as the mean of the last `frames` scores up to it."""
    mean = TrailingMean(frames)
    return np.asarray([mean.push(float(score)) for score in scores], dtype=np.float64)


def normalised_in_film(errors: Floats) -> Floats:
    """Scores in [0, 1] from squared errors (frames,) of one film: 1 where its PSNR is lowest, 0 where it is highest.

    For comparison with papers only. It has to know the whole film, and calls a frame of every film unusual, of one in
    which nothing happens too; where all errors are alike it is 0. Liu, Luo, Lian and Gao, "Future frame prediction for
    anomaly detection", CVPR 2018.
    """
    return spread_in_film(-decibels(errors))


def spread_in_film(scores: Floats) -> Floats:
    """The scores of one film (frames,) stretched so that they go from 0 to 1; 0 where all are alike."""
    known = scores[~np.isnan(scores)]
    if not len(known) or known.max() == known.min():
        return np.where(np.isnan(scores), np.nan, 0.0)
    stretched: Floats = (scores - known.min()) / (known.max() - known.min())
    return stretched


@dataclass(frozen=True, slots=True)
class Alarm:
    """When a stretch of film is called unusual."""

    threshold: float = 0.5
    """A score from which a stretch begins."""
    until: float = 0.4
    """A score below which it ends: lower, so that one that flickers about the threshold is one stretch."""
    least_seconds: float = 0.2
    """Shorter stretches are left out."""

    def __post_init__(self) -> None:
        if not 0 <= self.until <= self.threshold <= 1:
            raise ValueError(f"wanted 0 <= until <= threshold <= 1, found {self.until} and {self.threshold}")


def unusual_segments(scores: Floats, seconds: Sequence[float], end_seconds: float, alarm: Alarm) -> tuple[Segment, ...]:
    """Stretches in which frames are unusual, each with its highest score, from scores (frames,) and their times.

    Frame and stretch end where the next frame begins, the last one at `end_seconds`. A frame without a score is usual.
    """
    times = [*map(float, seconds), float(end_seconds)]
    found = []
    first: int | None = None
    for place, score in enumerate([*map(float, scores), float("nan")]):
        if first is None and score >= alarm.threshold:
            first = place
        elif first is not None and not score >= alarm.until:
            found.append(Segment(times[first], times[place], UNUSUAL, float(scores[first:place].max())))
            first = None
    return tuple(each for each in found if each.end_seconds - each.start_seconds >= alarm.least_seconds - 1e-9)


def _block_means(values: NDArray[np.floating], apart: int) -> Floats:
    """The mean of each block of (height, width), one beginning every `apart` pixels."""
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    sums[1:, 1:] = values.cumsum(0, dtype=np.float64).cumsum(1)
    (tops, bottoms), (lefts, rights) = (_edges(length, apart) for length in values.shape)
    blocks = sums[np.ix_(bottoms, rights)] + sums[np.ix_(tops, lefts)]
    blocks -= sums[np.ix_(bottoms, lefts)] + sums[np.ix_(tops, rights)]
    found: Floats = (blocks / ((bottoms - tops)[:, None] * (rights - lefts))).clip(min=0.0)
    return found


def _edges(length: int, apart: int = BLOCK) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where blocks begin and end along a side."""
    last = max(0, length - BLOCK)
    begins = np.unique([*range(0, last, apart), last])
    return begins, np.minimum(begins + BLOCK, length)
