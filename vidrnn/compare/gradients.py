"""The gradient of the last step's loss at each earlier frame, which shows how far back a head can learn.

The last step's loss reaches frame t through d loss / d x_t, where x_t are the features of frame t. If the norm of that
gradient shrinks by the same factor with each frame, frames further back than -1 / ln(factor) have almost no effect on
training: Bengio, Simard and Frasconi, "Learning long-term dependencies with gradient
descent is difficult", IEEE Transactions on Neural Networks 5, 1994.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vidrnn.nets.classifier import SequenceModel

Loss = Callable[[Tensor], Tensor]
"""Features (batch, time, width) -> the loss of the last step, for each clip (batch,) or as a sum ()."""

_SMALLEST = 1e-290
"""Smaller norms count as vanished, because float64 loses its digits there."""


@dataclass(frozen=True)
class GradientFlow:
    """The gradient of the last step's loss at each step of the clips."""

    norms: NDArray[np.float64]
    """(time,): the norm of d loss / d x_t over the features, as a mean over clips. The last one is of the last step."""
    factor: float
    """The growth of the norm from a step to the step before it, from the median slope of its logarithm. The median
    ignores the few steps that residual paths and convolutions raise. 0: no gradient passes one step."""

    @property
    def memory_frames(self) -> float:
        """The number of steps over which the norm falls to 1/e; infinite if it does not fall."""
        if self.factor >= 1:
            return math.inf
        return -1 / math.log(self.factor) if self.factor > 0 else 0.0


def gradient_flow(loss: Loss, features: Tensor) -> GradientFlow:
    """The gradient flow of a loss.

    Args:
        loss: from features to the loss of the last step. The loss of a clip must depend on that clip alone.
        features: (batch, time >= 2, width), in the precision of the measurement.

    Raises:
        ValueError: there are fewer than two steps, or a norm is not finite.
    """
    inputs = features.detach().clone().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(loss(inputs).sum(), inputs)
    return flow_from_norms(gradient.double().norm(dim=-1).mean(0).cpu().numpy())


def classifier_flow(sequence: SequenceModel, features: Tensor, targets: NDArray[Any]) -> GradientFlow:
    """The gradient flow of the cross-entropy of the last step's scores with the truth there.

    The measurement uses a copy of the network, without dropout and in float64 on the CPU, so that norms down to 1e-290
    can be measured.

    Args:
        sequence: the network from features to scores.
        features: (batch, time >= 2, width) of whole clips, without padding.
        targets: (batch,) classes, -1 unknown; or (batch, classes) 0 or 1 where several may hold, NaN unknown.

    Raises:
        ValueError: there are fewer than two steps, or a norm is not finite.
    """
    network = deepcopy(sequence).cpu().double().eval().requires_grad_(False)
    truth = torch.from_numpy(targets)
    known = ~truth.isnan()

    def loss(inputs: Tensor) -> Tensor:
        outputs, _ = network(inputs)
        last = outputs["steps"][:, -1]
        if not truth.is_floating_point():
            return nn.functional.cross_entropy(last, truth, reduction="none", ignore_index=-1)
        several = nn.functional.binary_cross_entropy_with_logits(last, truth.nan_to_num().double(), reduction="none")
        return (several * known).sum(-1)

    return gradient_flow(loss, features.cpu().double())


def flow_from_norms(norms: NDArray[np.float64]) -> GradientFlow:
    """The gradient flow with the norms (time,).

    Raises:
        ValueError: there are fewer than two steps, or a norm is not finite.
    """
    if len(norms) < 2 or not np.isfinite(norms).all():
        raise ValueError(f"wanted finite gradient norms of 2 or more steps, found {len(norms)}: {norms}")
    return GradientFlow(norms, _factor(norms))


def _factor(norms: NDArray[np.float64]) -> float:
    """The exponential of the median slope between all pairs of steps: the estimator of Theil and Sen.

    Only the last steps count, back to the first one with a vanished norm.
    """
    backwards = norms[::-1]
    vanished = np.flatnonzero(backwards < _SMALLEST)
    logs = np.log(backwards[: vanished[0]] if len(vanished) else backwards)
    if len(logs) < 2:
        return 0.0
    near, far = np.triu_indices(len(logs), k=1)
    return float(np.exp(np.median((logs[far] - logs[near]) / (far - near))))
