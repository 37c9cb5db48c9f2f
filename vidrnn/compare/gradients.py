"""How far back a head can learn: the gradient of the last step's loss at each frame before it.

What a network has to learn of frame t from what is asked at the last frame arrives as d loss / d x_t, where x_t are the
features of frame t. Where its norm shrinks by the same factor with each frame, frames further back than
-1 / ln(factor) hardly teach anything: Bengio, Simard and Frasconi, "Learning long-term dependencies with gradient
descent is difficult", IEEE Transactions on Neural Networks 5, 1994.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vidrnn.nets.classifier import SequenceModel

Loss = Callable[[Tensor], Tensor]
"""Features (batch, time, width) -> the loss of the last step, one for each clip (batch,) or their sum."""

_SMALLEST = 1e-290
"""Norms below it are taken for vanished: near the end of the float64 range they lose their digits."""


@dataclass(frozen=True)
class GradientFlow:
    """The gradient of the last step's loss at each step of the clips."""

    norms: NDArray[np.float64]
    """(time,) the norm over the features of d loss / d x_t, mean over clips; the last is of the step that is asked."""
    factor: float
    """By how much the norm grows from a step to the step before it: the median slope of its logarithm, so that the
    first steps, which residual paths and convolutions lift, do not decide it. 0: nothing passes one step."""

    @property
    def memory_frames(self) -> float:
        """Steps over which the norm falls to 1/e; infinite where it does not fall."""
        if self.factor >= 1:
            return math.inf
        return -1 / math.log(self.factor) if self.factor > 0 else 0.0

    @property
    def end_to_end_factor(self) -> float:
        """The factor that, taken at every step alike, leads from the last step's norm to the first one's."""
        first, last = self.norms[0], self.norms[-1]
        return float((first / last) ** (1 / (len(self.norms) - 1))) if last > 0 else 0.0


def gradient_flow(loss: Loss, features: Tensor) -> GradientFlow:
    """Measure a function from features (batch, time >= 2, width) to the loss of the last step.

    Each clip's own loss must depend on that clip alone. Features are taken in the precision they come in.
    """
    inputs = features.detach().clone().requires_grad_()
    with torch.enable_grad():
        (found,) = torch.autograd.grad(loss(inputs).sum(), inputs)
    return flow_of(found.double().norm(dim=-1).mean(0).cpu().numpy())


def classifier_flow(sequence: SequenceModel, features: Tensor, targets: Tensor) -> GradientFlow:
    """Measure a head and its classifier: cross-entropy of the last step's scores with each clip's class.

    A copy of the network is measured, without dropout and in float64 on the CPU, so that gradients that vanish can be
    followed to 1e-290.

    Args:
        sequence: the network from features to scores.
        features: (batch, time >= 2, width) of whole clips, without padding.
        targets: (batch,) the clips' classes.
    """
    network = deepcopy(sequence).cpu().double().eval().requires_grad_(False)
    classes = targets.cpu()

    def loss(inputs: Tensor) -> Tensor:
        scores, _ = network(inputs)
        return nn.functional.cross_entropy(scores.steps[:, -1], classes, reduction="none")

    return gradient_flow(loss, features.cpu().double())


def flow_of(norms: NDArray[np.float64]) -> GradientFlow:
    """The flow that norms (time,) tell of.

    Raises:
        ValueError: there are less than two steps, or a norm is not a number.
    """
    if len(norms) < 2 or not np.isfinite(norms).all():
        raise ValueError(f"wanted finite gradient norms of 2 or more steps, found {len(norms)}: {norms}")
    return GradientFlow(norms, _factor(norms))


def _factor(norms: NDArray[np.float64]) -> float:
    """The exponential of the median slope between all pairs of steps: Theil and Sen's estimate.

    Only the unbroken stretch of steps before the last whose norms have not vanished is looked at.
    """
    backwards = norms[::-1]
    vanished = np.flatnonzero(backwards < _SMALLEST)
    logs = np.log(backwards[: vanished[0]] if len(vanished) else backwards)
    if len(logs) < 2:
        return 0.0
    near, far = np.triu_indices(len(logs), k=1)
    return float(np.exp(np.median((logs[far] - logs[near]) / (far - near))))
