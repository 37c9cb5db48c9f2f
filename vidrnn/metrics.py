"""How good answers are, and how sure one can be of it. The measures are torchmetrics'; chance is reckoned by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional import classification as measures

_DRAWS = 10_000
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""Student's t for 95 % by degrees of freedom from 1; further on it falls to 1.96 so slowly that the last one serves."""
_BINS = 15
_MOST_ELEMENTS = 20_000_000
_ENOUGH_GROUPS = 10
"""From here on groups, not clips, are what chance draws."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClassScore:
    """How one class fared."""

    label: str
    clips: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class ClassifyScores:
    """How a classifier fared on some clips."""

    clips: int
    accuracy: float
    macro_f1: float
    ece: float
    """Expected calibration error, 15 bins: how far probabilities are from how often they are right, on average."""
    confusion: tuple[tuple[int, ...], ...]
    """Rows are the truth, columns the answers, in the order of the classes."""
    per_class: tuple[ClassScore, ...]


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
    """95 % interval of the share that is right: Wilson's, on as many clips as the groups are worth.

    Clips of a group are alike, so that they count for less than clips that know nothing of each other: by the design
    effect of Kish, "Survey sampling", 1965, reckoned where there are groups enough to tell. Wilson, JASA 22, 1927.
    """
    share, worth = float(correct.mean()), len(correct) / _design_effect(correct, groups)
    z = 1.959964
    middle = (share + z * z / (2 * worth)) / (1 + z * z / worth)
    reach = z * np.sqrt(share * (1 - share) / worth + (z / (2 * worth)) ** 2) / (1 + z * z / worth)
    return float(max(0.0, middle - reach)), float(min(1.0, middle + reach))


def mean_interval95(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean of shares that differ by chance, such as the accuracies of several seeds: Student's.

    One value tells nothing of the others, so that its interval is all there is.
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
    """How often chance alone would set two answers to the same clips this far apart, either way.

    An answer is right or wrong, or by a share of its seeds right.

    A sign-flip test: under the null each difference could as well have been the other way round. The differences are
    those of groups where there are enough of them, of clips otherwise.
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
    """The number to divide scores (clips, classes) by that makes the truth most likely; between 0.2 and 5.

    One clip more than were seen is taken to be wrong, by the rule of succession: few clips that are all right are no
    proof of certainty. Temperature scaling: Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    doubt = 1 / (len(truth) + 2)
    candidates = np.geomspace(0.2, 5.0, 201)
    scaled = torch.from_numpy(scores[None] / candidates[:, None, None])
    target = torch.from_numpy(truth)
    losses = [float(torch.nn.functional.cross_entropy(one, target, label_smoothing=doubt)) for one in scaled]
    return float(candidates[int(np.argmin(losses))])


def _design_effect(correct: NDArray[np.bool_], groups: Sequence[str]) -> float:
    """How many clips of these groups tell as much as one clip by itself; at least 1."""
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
