"""The readout that takes the mean, the standard deviation and the maximum of the sequence over time.

The sums of two pieces are joined as in Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for
computing sample variances", 1979. The mean of squares minus the square of the mean would lose its digits.
"""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import override

from vidrnn.nets.readouts.base import Readout, real_steps
from vidrnn.nets.state import State

_NO_STEP = -1e30
"""The running maximum before the first step. It is finite, as every number of a state."""
_LEAST_VARIANCE = 1e-8
"""Added to the variance. The slope of the square root stays finite, and the rounding of features that do not change
does not show in their deviation."""


class StatisticsReadout(Readout):
    """The means, deviations and maxima of all units, in this order: a vector of three times the size.

    They do not depend on the order of the steps. A single step has the deviation 0.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.width = 3 * size

    @override
    def forward(self, sequence: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Tensor, State]:
        """The state is the count of steps, their mean, the sum of the squares of their differences from it, and their
        maximum."""
        real = real_steps(sequence, mask)
        count = real.sum(1)
        mean = (sequence * real).sum(1) / count.clamp(min=1)
        squares = ((sequence - mean.unsqueeze(1)) * real).square().sum(1)
        largest = torch.where(real > 0, sequence, _NO_STEP).amax(1)
        if state:
            before, here = state["count"], count
            count = before + here
            share, apart = here / count.clamp(min=1), mean - state["mean"]
            mean = state["mean"] + share * apart
            squares = state["squares"] + squares + before * share * apart.square()
            largest = torch.maximum(state["largest"], largest)
        deviation = (squares / count.clamp(min=1) + _LEAST_VARIANCE).sqrt()
        pooled = torch.cat([mean, deviation, torch.where(count > 0, largest, 0.0)], -1)
        return pooled, {"count": count, "mean": mean, "squares": squares, "largest": largest}

    @override
    def of_still(self, numbers: Tensor) -> Tensor:
        mean, _, _ = numbers.chunk(3, -1)
        return mean

    @override
    def for_step(self, weights: Tensor) -> Tensor:
        """A step is the mean and the maximum of a clip that holds only this step, and leaves its deviation as it is."""
        mean, _, largest = weights.chunk(3, -1)
        return mean + largest
