"""The readout that takes a weighted mean of the sequence, with a learnt weight for each step.

The additive form of Bahdanau et al., "Neural machine translation by jointly learning to align and translate", ICLR
2015, with a learnt query, as in Yang et al., "Hierarchical attention networks", NAACL 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typing_extensions import override

from vidrnn.nets.readouts.base import Readout, real_steps
from vidrnn.nets.state import State

_NO_SCORE = -1e30
"""The running maximum before the first step. It is finite, so that differences of maxima are numbers."""


class AttentionReadout(Readout):
    """Softmax over time of v . tanh(W h), as running sums, so that a stream has a result after each step."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.score = nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Linear(size, 1, bias=False))

    @override
    def forward(self, sequence: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Tensor, State]:
        """The state is the largest score, the weighted sum of steps and the sum of weights."""
        real = real_steps(sequence, mask)
        scores = torch.where(real > 0, self.score(sequence), _NO_SCORE)
        largest = scores.amax(1)
        if state:
            largest = torch.maximum(largest, state["largest"])
        weights = (scores - largest.unsqueeze(1)).exp() * real
        total, weight = (weights * sequence).sum(1), weights.sum(1)
        if state:
            scale = (state["largest"] - largest).exp()
            total, weight = total + scale * state["total"], weight + scale * state["weight"]
        pooled = total / weight.clamp(min=torch.finfo(weight.dtype).tiny)
        return pooled, {"largest": largest, "total": total, "weight": weight}
