"""Measures of answers, of predicted frames and of anomaly scores, with intervals and p-values.

The measures come from torchmetrics. Intervals and p-values take into account that clips of a group are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import erfc
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.functional import classification as measures
from torchmetrics.functional import mean_absolute_error, mean_squared_error
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

_DRAWS = 10_000
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""Student's t for 95 %, for 1, 2, ... degrees of freedom. The last value stands for all further ones."""
_BINS = 15
_MOST_ELEMENTS = 20_000_000
_FEWEST_GROUPS = 3
"""Of a bootstrap over groups."""
_ENOUGH_GROUPS = 10
"""With at least this many groups, statistics are over groups, otherwise over clips."""
SSIM_WINDOW = 11
"""Height and width of the window of SSIM, in pixels."""
_SSIM_SIGMA = 1.5
"""Pixels. The window ends at 3.5 times as many."""
_MOST_DECIBELS = 100.0
_AT_ONCE = 16
"""Frames that are measured together: few enough for a processor's cache, since most frames are small."""

Floats = NDArray[np.float64]
Frames: TypeAlias = NDArray[np.float32] | NDArray[np.float64] | NDArray[np.uint8] | Tensor
"""(clips, steps, height, width, channels): numbers in [0, 1], or uint8 in 0 to 255."""


@dataclass(frozen=True)
class ClassScore:
    """The scores of one class."""

    label: str
    clips: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class ClassifyScores:
    """The scores of a classifier on some clips."""

    clips: int
    accuracy: float
    macro_f1: float
    ece: float
    """Expected calibration error, 15 bins: the mean difference of a probability and the share of right answers."""
    confusion: tuple[tuple[int, ...], ...]
    """Rows are the truth, columns the answers, in the order of the classes."""
    per_class: tuple[ClassScore, ...]


@dataclass(frozen=True)
class StepScores:
    """Errors of predicted frames, at one step ahead or over several steps."""

    mse_sum: float
    """Squared error summed over a frame, mean over frames."""
    mae_sum: float
    mse: float
    """Squared error of a pixel: `mse_sum` divided by the count of numbers in a frame."""
    mae: float
    psnr: float
    """Decibels of each frame, mean over frames."""
    ssim: float | None
    """None if a frame is smaller than the window of SSIM."""


@dataclass(frozen=True)
class FrameScores:
    """Errors of predicted frames, over all steps and at each step."""

    clips: int
    shape: tuple[int, int, int]
    """Height, width and channels of a frame."""
    overall: StepScores
    """Mean over the steps."""
    per_step: tuple[StepScores, ...]
    """From one step ahead on."""

    @property
    def definitions(self) -> tuple[str, ...]:
        """A sentence with the definition of each number, to be printed beside the numbers."""
        height, width, channels = self.shape
        what = f"{width}x{height} pixels" + (f" in {channels} colours" if channels > 1 else "")
        ssim = (
            f"SSIM: gaussian window of {SSIM_WINDOW}x{SSIM_WINDOW} pixels (sigma {_SSIM_SIGMA}), data range 1, "
            "colours apart, where the window fits into the frame; mean over frames (Wang et al. 2004)."
            if min(height, width) >= SSIM_WINDOW
            else f"SSIM: not computed, since its window of {SSIM_WINDOW}x{SSIM_WINDOW} pixels does not fit into {what}."
        )
        return (
            f"MSE, MAE: squared and absolute error, brightness from 0 to 1, summed over a frame ({what}), mean over "
            "frames: the convention of the Moving MNIST tables.",
            f"MSE of a pixel: the same, divided by the {height * width * channels:,} numbers of a frame.",
            "PSNR: 10 log10(1 / MSE of a pixel), data range 1, of each frame by itself, at most "
            f"{_MOST_DECIBELS:.0f} dB (a frame without error), mean over frames.",
            ssim,
        )


class FrameMeter:
    """Takes predicted and true frames in portions and gives their scores at each step. It stores sums, not frames."""

    def __init__(self) -> None:
        self._sums: Floats | None = None
        self._clips = 0
        self._shape = (0, 0, 0)

    def add(self, predicted: Frames, truth: Frames) -> None:
        """Measure frames (clips, steps, height, width, channels), floats in [0, 1] or uint8.

        Predicted numbers below 0 count as 0, and those above 1 as 1, as on a screen.

        Raises:
            ValueError: the shapes differ, from each other or from those before, or a number is not a brightness.
        """
        given, true = _brightness(predicted, "predicted").clamp(0, 1), _brightness(truth, "true")
        if given.shape != true.shape or given.ndim != 5:
            raise ValueError(
                f"wanted predicted and true frames of one shape (clips, steps, height, width, channels), "
                f"found {tuple(given.shape)} and {tuple(true.shape)}"
            )
        if true.numel() and not (true.min() >= 0 and true.max() <= 1):
            raise ValueError(f"true frames are in [0, 1], not in [{true.min():.3g}, {true.max():.3g}]")
        clips, steps, height, width, channels = true.shape
        sums = np.zeros((steps, 4)) if self._sums is None else self._sums
        if self._sums is not None and (len(sums) != steps or self._shape != (height, width, channels)):
            raise ValueError(f"frames of {steps} steps and {height}x{width}x{channels} after others of another shape")
        self._shape, self._clips, self._sums = (height, width, channels), self._clips + clips, sums
        flat = given.flatten(0, 1), true.flatten(0, 1)
        places = [slice(first, first + _AT_ONCE) for first in range(0, clips * steps, _AT_ONCE)]
        measured = [_measured(flat[0][some], flat[1][some]) for some in places]
        sums += np.concatenate([np.empty((0, len(sums.T))), *measured]).reshape(clips, *sums.shape).sum(0)

    def scores(self) -> FrameScores:
        """The scores of all frames so far.

        Raises:
            ValueError: there is no frame yet.
        """
        if self._sums is None or not self._clips:
            raise ValueError("no frames were measured")
        means = self._sums / self._clips
        per_step = tuple(_step_scores(row, self._shape) for row in means)
        return FrameScores(self._clips, self._shape, _step_scores(means.mean(0), self._shape), per_step)


def roc_auc(scores: Floats, anomalies: NDArray[np.bool_]) -> float | None:
    """The share of pairs of an anomaly and a normal frame in which the anomaly has the higher score.

    A tie counts half. None if there are frames of one kind only.

    Args:
        scores: (frames,), the higher the more likely an anomaly.
        anomalies: (frames,), the truth.

    Raises:
        ValueError: a score is NaN.
    """
    if not _both_kinds(anomalies):
        return None
    return float(measures.binary_auroc(_ranks(scores), torch.from_numpy(anomalies.astype(np.int64))))


def equal_error_rate(scores: Floats, anomalies: NDArray[np.bool_]) -> float | None:
    """The share of errors at the threshold where normal frames and anomalies have the same share of errors.

    Between two thresholds it is interpolated. None if there are frames of one kind only.

    Args:
        scores: (frames,), the higher the more likely an anomaly.
        anomalies: (frames,), the truth.

    Raises:
        ValueError: a score is NaN.
    """
    if not _both_kinds(anomalies):
        return None
    target = torch.from_numpy(anomalies.astype(np.int64))
    false, true, _ = (each.double().numpy() for each in measures.binary_roc(_ranks(scores), target))
    gap = false + true - 1  # from -1 to 1, never falling
    after = int(np.argmax(gap >= 0))
    share = gap[after] / (gap[after] - gap[after - 1])
    return float(false[after] - share * (false[after] - false[after - 1]))


def classify_scores(probabilities: Floats, truth: NDArray[np.int64], classes: Sequence[str]) -> ClassifyScores:
    """Score probabilities (clips, classes) against the true class indices (clips,)."""
    given, target, count = torch.from_numpy(probabilities).float(), torch.from_numpy(truth), len(classes)
    confusion = measures.multiclass_confusion_matrix(given, target, count)
    precision = measures.multiclass_precision(given, target, count, average="none")
    recall = measures.multiclass_recall(given, target, count, average="none")
    f1 = measures.multiclass_f1_score(given, target, count, average="none")
    present = confusion.sum(1)
    per_class = tuple(
        ClassScore(label, int(present[i]), float(precision[i]), float(recall[i]), float(f1[i]))
        for i, label in enumerate(classes)
    )
    return ClassifyScores(
        clips=len(truth),
        accuracy=float(measures.multiclass_accuracy(given, target, count, average="micro")),
        macro_f1=float(measures.multiclass_f1_score(given, target, count, average="macro")),
        ece=float(measures.multiclass_calibration_error(given, target, count, n_bins=_BINS, norm="l1")),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        per_class=per_class,
    )


def interval95(correct: NDArray[np.bool_], groups: Sequence[str]) -> tuple[float, float]:
    """The 95 % interval of the share of right answers: Wilson, JASA 22, 1927.

    Clips of a group are alike, so they count less than independent clips. With enough groups, the number of clips is
    divided by the design effect of Kish, "Survey sampling", 1965.

    Args:
        correct: (clips,), whether each answer is right.
        groups: (clips,), the group of each clip.
    """
    share, clips = float(correct.mean()), len(correct) / _design_effect(correct, groups)
    z = 1.959964
    middle = (share + z * z / (2 * clips)) / (1 + z * z / clips)
    reach = z * np.sqrt(share * (1 - share) / clips + (z / (2 * clips)) ** 2) / (1 + z * z / clips)
    return float(max(0.0, middle - reach)), float(min(1.0, middle + reach))


def grouped_interval95(
    counts: Floats, groups: Sequence[str], score: Callable[[Floats], Floats], seed: int = 0
) -> tuple[float, float] | None:
    """The 95 % interval of a score of sums over films, such as a share of frames: a bootstrap over groups of films.

    Frames of a film and films of a group are alike, so groups are drawn, not frames. With few groups the quantiles of
    the bootstrap give too small an interval. They are replaced by those of the expanded percentile interval, which
    has Student's t in it: Hesterberg, "What teachers should know about the bootstrap", The American Statistician 69,
    2015. With three groups it is nearly the range from the worst group to the best.

    Args:
        counts: (films, numbers) the numbers that are summed over films, such as right frames and all frames.
        groups: (films,) the group of each film.
        score: from sums (draws, numbers) to scores (draws,); NaN where there is none.
        seed: the seed of the bootstrap.

    Returns:
        The interval; None with fewer than three groups, which cannot tell how much groups differ.
    """
    _, places = np.unique(np.asarray(groups), return_inverse=True)
    number = int(places.max(initial=-1)) + 1
    if number < _FEWEST_GROUPS:
        return None
    sums = np.zeros((number, counts.shape[1]))
    np.add.at(sums, places, counts)
    drawn = np.random.default_rng(seed).multinomial(number, np.full(number, 1 / number), size=_DRAWS)
    scores = score(drawn.astype(np.float64) @ sums)
    scores = scores[~np.isnan(scores)]
    if not len(scores):
        return None
    freedom = number - 1
    reach = _STUDENT[freedom - 1] if freedom <= len(_STUDENT) else 1.959964 * (1 + 1.2 / freedom)
    tail = erfc(reach * (number / freedom) ** 0.5 / 2**0.5) / 2
    low, high = np.quantile(scores, [tail, 1 - tail])
    return float(low), float(high)


def mean_interval95(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean of shares that differ by chance, such as accuracies of several seeds: Student's t.

    With one value the interval is from 0 to 1.
    """
    if len(values) < 2:
        return 0.0, 1.0
    middle, error = float(np.mean(values)), float(np.std(values, ddof=1)) / len(values) ** 0.5
    freedom = len(values) - 1
    reach = error * (_STUDENT[freedom - 1] if freedom <= len(_STUDENT) else _STUDENT[-1])
    return max(0.0, middle - reach), min(1.0, middle + reach)


def paired_p(
    correct: NDArray[np.bool_] | Floats, other: NDArray[np.bool_] | Floats, groups: Sequence[str], seed: int = 0
) -> float:
    """The two-sided p-value of the difference between two answers to the same clips.

    It is a sign-flip test: under the null hypothesis, each difference is as likely with the other sign. The differences
    are those of groups if there are enough groups, otherwise those of clips.

    Args:
        correct: (clips,), whether each answer is right, or the share of seeds with the right answer.
        other: (clips,), the same for the other answer.
        groups: (clips,), the group of each clip.
        seed: the seed of the test.
    """
    differences = correct.astype(np.float64) - other.astype(np.float64)
    if len(set(groups)) >= _ENOUGH_GROUPS:
        differences = _by_group(differences, groups)
    observed = abs(differences.sum())
    rng = np.random.default_rng(seed)
    extreme = sum(
        int((abs(rng.choice([-1.0, 1.0], size=(rows, len(differences))) @ differences) >= observed - 1e-9).sum())
        for rows in _portions(len(differences))
    )
    return (extreme + 1) / (_DRAWS + 1)


def fit_temperature(scores: Floats, truth: NDArray[np.int64]) -> float:
    """The temperature, between 0.2 and 5, with which the scores (clips, classes) make the truth most likely.

    The loss counts one further clip as wrong, by the rule of succession, so that a few right answers are not taken as
    certain. Temperature scaling: Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    doubt = 1 / (len(truth) + 2)
    candidates = np.geomspace(0.2, 5.0, 201)
    target = torch.from_numpy(truth)
    scaled = (torch.from_numpy(scores / candidate) for candidate in candidates)  # one after the other: they are large
    losses = [float(torch.nn.functional.cross_entropy(one, target, label_smoothing=doubt)) for one in scaled]
    return float(candidates[int(np.argmin(losses))])


def _brightness(frames: Frames, which: str) -> Tensor:
    """Frames as float tensors on the CPU, in [0, 1]."""
    tensor = frames.detach().cpu() if isinstance(frames, Tensor) else torch.from_numpy(np.ascontiguousarray(frames))
    if tensor.dtype == torch.uint8:
        return tensor.float() / 255
    if not tensor.is_floating_point():
        raise ValueError(f"{which} frames are floats or uint8, not {tensor.dtype}")
    if not tensor.isfinite().all():
        raise ValueError(f"{which} frames hold numbers that are NaN or infinite")
    return tensor.float()


def _measured(given: Tensor, true: Tensor) -> Floats:
    """(frames, 4) squared and absolute error of a pixel, PSNR and SSIM, of (frames, height, width, channels)."""
    frames = len(true)
    given, true = given.movedim(-1, 1), true.movedim(-1, 1)
    exact = given.double(), true.double()
    columns = exact[0].reshape(frames, -1).T, exact[1].reshape(frames, -1).T
    squared = mean_squared_error(*columns, num_outputs=frames).reshape(frames)
    absolute = mean_absolute_error(*columns, num_outputs=frames).reshape(frames)
    decibels = peak_signal_noise_ratio(exact[0], exact[1], data_range=1.0, reduction="none", dim=(1, 2, 3))
    measured = squared, absolute, decibels.clamp(max=_MOST_DECIBELS), _similarity(given.contiguous(), true.contiguous())
    return torch.stack([each.double() for each in measured], 1).numpy()


def _similarity(given: Tensor, true: Tensor) -> Tensor:
    """(frames,) SSIM of (frames, channels, height, width); NaN if the window does not fit into a frame.

    At the borders torchmetrics mirrors the frame. Only places with the whole window inside the frame count here, as in
    the paper: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment", IEEE TIP 13, 2004.
    """
    if min(true.shape[-2:]) < SSIM_WINDOW:
        return torch.full((len(true),), torch.nan)
    _, everywhere = structural_similarity_index_measure(
        given, true, sigma=_SSIM_SIGMA, reduction="none", data_range=1.0, return_full_image=True
    )
    border = SSIM_WINDOW // 2
    height, width = true.shape[-2:]
    inside: Tensor = everywhere[..., border : height - border, border : width - border]
    return inside.mean((1, 2, 3))


def _step_scores(means: Floats, shape: tuple[int, int, int]) -> StepScores:
    mse, mae, psnr, ssim = (float(each) for each in means)
    numbers = int(np.prod(shape))
    return StepScores(mse * numbers, mae * numbers, mse, mae, psnr, None if np.isnan(ssim) else ssim)


def _both_kinds(anomalies: NDArray[np.bool_]) -> bool:
    return 0 < int(anomalies.sum()) < len(anomalies)


def _ranks(scores: Floats) -> Tensor:
    """The rank of each score, in [0, 1], equal for ties. From other numbers torchmetrics takes a sigmoid and rounds."""
    if np.isnan(scores).any():
        raise ValueError(f"{int(np.isnan(scores).sum())} of {len(scores)} scores are NaN")
    values, places = np.unique(scores, return_inverse=True)
    return torch.from_numpy(places.astype(np.float64) / max(1, len(values) - 1))


def _design_effect(correct: NDArray[np.bool_], groups: Sequence[str]) -> float:
    """The number of clips of these groups that tell as much as one independent clip; at least 1."""
    share, clips = float(correct.mean()), len(correct)
    alone = share * (1 - share) / clips
    if len(set(groups)) < _ENOUGH_GROUPS or alone == 0:
        return 1.0
    residuals = _by_group(correct.astype(np.float64) - share, groups)
    together = float((residuals**2).sum()) / clips**2 * len(residuals) / (len(residuals) - 1)
    return max(1.0, together / alone)


def _by_group(values: Floats, groups: Sequence[str]) -> Floats:
    """The sum of `values` in each group."""
    _, places = np.unique(np.asarray(groups), return_inverse=True)
    return np.bincount(places, weights=values).astype(np.float64)


def _portions(width: int) -> list[int]:
    """`_DRAWS` rows in portions that fit into memory whatever the width."""
    rows = max(1, min(_DRAWS, _MOST_ELEMENTS // max(1, width)))
    full, rest = divmod(_DRAWS, rows)
    return [rows] * full + ([rest] if rest else [])
