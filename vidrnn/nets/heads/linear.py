"""No layer of its own: the head of a linear classifier of the features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typing_extensions import override

from vidrnn.config import HeadConfig
from vidrnn.nets.heads.base import Head
from vidrnn.nets.state import State

_LEAST_VARIANCE = 1e-8
"""So small that features pass unchanged as long as no training has set their mean and deviation."""


class LinearHead(Head):
    """The features themselves, standardised by their means and deviations in training; the state is empty.

    With the readout `statistics` the class layer is a linear classifier of means, deviations and maxima over time. The
    second half of the features is their change if the head sees it. The head takes the absolute value of that half:
    the mean change of a clip is nearly 0, whatever moves in it.
    """

    def __init__(self, width: int, config: HeadConfig) -> None:
        super().__init__()
        self.size = width
        self.still = width // 2 if config.motion else width
        """The number of features before their change."""
        self.dropout = config.dropout or 0.0
        self.standard = nn.BatchNorm1d(width, eps=_LEAST_VARIANCE, affine=False)

    @override
    def forward(self, features: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Tensor, State]:
        assert self.standard.running_mean is not None
        steps = features.to(self.standard.running_mean.dtype)
        if self.still < self.size:
            steps = torch.cat([steps[..., : self.still], steps[..., self.still :].abs()], -1)
        steps = self._standardised(steps, mask)
        if self.training:  # the same features at every step of a clip, as in the other heads
            steps = steps * nn.functional.dropout(torch.ones_like(steps[:, :1]), self.dropout)
        return steps, {}

    def _standardised(self, steps: Tensor, mask: Tensor | None) -> Tensor:
        """Steps (batch, time, width) minus their mean, over their deviation; training learns both from real steps."""
        if self.training and mask is not None:
            return torch.zeros_like(steps).masked_scatter(mask.unsqueeze(-1), self.standard(steps[mask]))
        standard: Tensor = self.standard(steps.transpose(1, 2))
        return standard.transpose(1, 2)
