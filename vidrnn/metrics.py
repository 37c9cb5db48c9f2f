"""How good answers are, and how sure one can be of it. The measures are torchmetrics'; chance is reckoned by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional import classification as measures

_DRAWS = 10_000
_BINS = 15
_MOST_ELEMENTS = 20_000_000

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


def interval95(correct: NDArray[np.bool_], groups: Sequence[str], seed: int = 0) -> tuple[float, float]:
    """95 % interval of the share that is right, by drawing whole groups anew: clips of a group are not independent."""
    right, clips = _by_group(correct.astype(float), groups), _by_group(np.ones(len(correct)), groups)
    rng, count = np.random.default_rng(seed), len(clips)
    shares = [
        right[drawn].sum(1) / clips[drawn].sum(1)
        for drawn in (rng.integers(count, size=(rows, count)) for rows in _portions(count))
    ]
    low, high = np.quantile(np.concatenate(shares), [0.025, 0.975])
    return float(low), float(high)


def paired_p(correct: NDArray[np.bool_], other: NDArray[np.bool_], groups: Sequence[str], seed: int = 0) -> float:
    """How often chance alone would set two answers to the same clips this far apart, either way.

    A sign-flip test over groups: under the null each group's difference could as well have been the other way round.
    """
    differences = _by_group(correct.astype(float) - other.astype(float), groups)
    observed = abs(differences.sum())
    rng = np.random.default_rng(seed)
    extreme = sum(
        int((abs(rng.choice([-1.0, 1.0], size=(rows, len(differences))) @ differences) >= observed - 1e-9).sum())
        for rows in _portions(len(differences))
    )
    return (extreme + 1) / (_DRAWS + 1)


def fit_temperature(scores: Floats, truth: NDArray[np.int64]) -> float:
    """The number to divide scores (clips, classes) by that makes the truth most likely; between 0.2 and 5.

    Temperature scaling: Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    candidates = np.geomspace(0.2, 5.0, 201)
    scaled = torch.from_numpy(scores[None] / candidates[:, None, None])
    target = torch.from_numpy(truth)
    losses = [float(torch.nn.functional.cross_entropy(one, target)) for one in scaled]
    return float(candidates[int(np.argmin(losses))])


def _by_group(values: Floats, groups: Sequence[str]) -> Floats:
    """The sum of `values` in each group."""
    _, places = np.unique(np.asarray(groups), return_inverse=True)
    return np.bincount(places, weights=values).astype(np.float64)


def _portions(width: int) -> list[int]:
    """`_DRAWS` rows in portions that fit into memory whatever the width."""
    rows = max(1, min(_DRAWS, _MOST_ELEMENTS // max(1, width)))
    full, rest = divmod(_DRAWS, rows)
    return [rows] * full + ([rest] if rest else [])
