"""Whether more clips would help: a learning curve of a linear model of small pictures, scored on unseen groups.

It learns from a quarter, a half and all of the groups of the other folds. The curve is of this plain model, so it is a
guess for any other one; where its interval says nothing, nothing is said.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrnn.check.shortcuts import FOLDS, Interval, gain_interval, held_out_majority, is_enough
from vidrnn.data.dataset import Dataset
from vidrnn.data.splits import hold_out_groups
from vidrnn.events import Progress, RunEvent
from vidrnn.values import FilmScan, Floats

_SHARES = (0.25, 0.5, 1.0)
_FEWEST_GROUPS = 8
"""So that a quarter of the groups of a class is some."""
_MOST_CLIPS = 3000
"""More clips only take longer."""
_REPEATS = 3
"""Draws of a part of the groups in each fold."""
_WORTH, _HARDLY = 0.01, 0.02
"""A gain that is surely above the first is worth the work; one that is surely below the second hardly is."""
_PENALTY = 300.0


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """How accurate a linear model of small pictures is with a part of the clips."""

    clips: tuple[int, ...]
    """Clips learnt from, in the mean over folds: about a quarter, a half, and all but a fold."""
    accuracy: tuple[float, ...]
    majority: float
    doubling: Interval
    """What the last doubling of the clips added."""
    over_majority: Interval

    @property
    def sentence(self) -> str:
        """What the curve says of more clips; empty where it says nothing that is sure."""
        first, *rest = zip(self.accuracy, self.clips, strict=True)
        more = ", ".join(f"{value:.2f} after {clips}" for value, clips in rest)
        curve = (
            f"A linear model of small pictures that learnt from {first[1]} clips is right on {first[0]:.2f} of the "
            f"clips of other groups, {more}"
        )
        gain = (
            f"{100 * self.doubling.value:.0f} points ({100 * self.doubling.low:.0f} to {100 * self.doubling.high:.0f})"
        )
        if self.over_majority.low <= 0:
            return ""
        if self.doubling.low >= _WORTH:
            return (
                f"{curve}. The last doubling added {gain}, so more clips of new groups are likely to help; the next "
                "doubling seldom adds more than the last one did."
            )
        if self.doubling.high < _HARDLY:
            return f"{curve}. The last doubling added {gain}: more clips like these would hardly help such a model."
        return ""


def learning_curve(dataset: Dataset) -> Generator[RunEvent, None, LearningCurve | None]:
    """The learning curve; None where clips are too few, have no classes or have no pictures."""
    if not is_enough(dataset) or not any(scan.thumbnails.any() for scan in dataset.scans):
        return None
    if len(set(dataset.groups)) < _FEWEST_GROUPS:
        return None
    if len(dataset.films) > _MOST_CLIPS:
        order = np.random.default_rng(0).permutation(len(dataset.films))[:_MOST_CLIPS]
        dataset = dataset.at(sorted(order.tolist()))
    features = np.stack([_features(scan) for scan in dataset.scans])
    labels, groups = dataset.labels, np.asarray(dataset.groups)
    folds = hold_out_groups(dataset.films, dataset.groups, FOLDS)
    hits = np.zeros((len(_SHARES), _REPEATS, len(labels)))
    clips = np.zeros((len(_SHARES), _REPEATS, len(folds)))
    for number, held in enumerate(folds):
        yield Progress("learning curve", number, len(folds))
        draw = np.random.default_rng(number)
        for repeat in range(_REPEATS):
            order = draw.permutation(np.unique(groups[~held]))
            for place, share in enumerate(_SHARES):
                chosen = ~held & np.isin(groups, order[: max(1, round(share * len(order)))])
                clips[place, repeat, number] = chosen.sum()
                if share == 1.0 and repeat:
                    hits[place, repeat, held] = hits[place, 0, held]
                else:
                    hits[place, repeat, held] = _answers(features, labels, chosen, held) == labels[held]
    yield Progress("learning curve", len(folds), len(folds))
    mean = hits.mean(axis=1)
    majority = held_out_majority(labels, folds)
    return LearningCurve(
        tuple(round(float(count)) for count in clips.mean(axis=(1, 2))),
        tuple(float(value) for value in mean.mean(axis=1)),
        float(majority.mean()),
        gain_interval(mean[-1], mean[-2], dataset.groups),
        gain_interval(mean[-1], majority, dataset.groups),
    )


def _features(scan: FilmScan) -> Floats:
    """(576,) the mean of the thumbnails, how much each place varies, and how it changes from the first half on."""
    pictures = scan.thumbnails.reshape(len(scan.thumbnails), -1).astype(np.float64)
    half = max(1, len(pictures) // 2)
    return np.concatenate(
        [pictures.mean(axis=0), pictures.std(axis=0), pictures[-half:].mean(0) - pictures[:half].mean(0)]
    )


def _answers(
    features: Floats, labels: NDArray[np.int64], chosen: NDArray[np.bool_], held: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """The class of each held clip, by a ridge classifier that learns from the chosen ones."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(np.unique(labels[chosen])) < 2:
        return np.full(int(held.sum()), labels[chosen][0])
    model = make_pipeline(StandardScaler(), RidgeClassifier(alpha=_PENALTY))
    model.fit(features[chosen], labels[chosen])
    answers: NDArray[np.int64] = model.predict(features[held])
    return answers


def sentences(curve: LearningCurve | None) -> Sequence[str]:
    """What the curve says, if it says something."""
    return (curve.sentence,) if curve is not None and curve.sentence else ()
