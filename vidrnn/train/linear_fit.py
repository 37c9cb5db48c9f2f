"""The training of `--head linear` behind a frozen encoder: logistic regression, and no steps of gradient descent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from vidrnn.data.splits import hold_out_groups
from vidrnn.nets.classifier import Member
from vidrnn.nets.scoring import Features
from vidrnn.train.fit import Fit
from vidrnn.train.learner import Learner
from vidrnn.train.search import probes
from vidrnn.values import Floats
from vidrnn.video.sampling import default_hop, window_starts

FOLDS = 3
"""The strength of the regularisation is the one that is best by so many folds of the training clips."""


def is_linear(learner: Learner) -> bool:
    """Whether the model of a learner is a linear classifier of features that do not change."""
    return learner.frozen and learner.head.name == "linear" and learner.setting.config.members == 1


def fit_linear(learner: Learner, places: Sequence[int], val: Sequence[int]) -> Fit:
    """The linear classifier of the clips at `places`, which has ended, validated on those at `val`."""
    network, dataset = learner.network.sequence, learner.setting.dataset
    assert isinstance(network, Member)
    owners, vectors = window_vectors(network.eval(), learner.features(places), learner.setting.sampling.frames)
    labels, classes = dataset.labels[list(places)], len(dataset.classes)
    groups = [dataset.groups[place] for place in places]
    folds = hold_out_groups([dataset.films[place] for place in places], groups, FOLDS, learner.setting.config.seed)
    right = np.zeros(len(probes.STRENGTHS))
    for held in folds:
        mine = held[owners]
        answers = probes.fit_logistic(
            vectors[~mine], labels[owners[~mine]], classes, probes.STRENGTHS, _counts(owners[~mine])
        )
        right += [(answer(vectors[mine]).argmax(1) == labels[owners[mine]]).sum() for answer in answers]
    strength = probes.STRENGTHS[int(np.argmax(right))]
    (found,) = probes.fit_logistic(vectors, labels[owners], classes, [strength], _counts(owners))
    network.set_linear(found.solution)
    fit = learner.fit(places, val, None)
    fit.accept()
    return fit


def window_vectors(network: Member, clips: Sequence[Features], frames: int) -> tuple[NDArray[np.int64], Floats]:
    """The vectors (windows, width) that the class layer sees of the windows of clips, and the clip of each window."""
    owners, vectors = [], []
    for owner, clip in enumerate(clips):
        for window in _windows(clip, frames):
            owners.append(owner)
            with torch.inference_mode():
                pooled = network.pooled(
                    torch.from_numpy(np.asarray(window)).unsqueeze(0).to(next(network.parameters()).device)
                )
            vectors.append(pooled[0].double().cpu().numpy())
    return np.asarray(owners), np.stack(vectors)


def _windows(clip: Features, frames: int) -> Iterator[Features]:
    for start in window_starts(len(clip), frames, default_hop(frames)):
        yield clip[start : start + frames]


def _counts(owners: NDArray[np.int64]) -> Floats:
    """Windows of a clip count as one clip together."""
    return 1.0 / np.bincount(owners)[owners]
