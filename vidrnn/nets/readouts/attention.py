"""A weighted mean of the sequence, the weights learnt from each step.

The additive form of Bahdanau et al., "Neural machine translation by jointly learning to align and translate", ICLR
2015, with a learnt query, as in Yang et al., "Hierarchical attention networks", NAACL 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidrnn.nets.readouts.base import Readout, real_steps
from vidrnn.nets.state import State

_NOTHING_YET = -1e30
"""The running maximum before the first step; finite, so that differences of it are numbers."""


class AttentionReadout(Readout):
    """softmax over time of v . tanh(W h), as running sums, so that a stream of any length has an answer at once."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Linear(size, 1, bias=False))

    def forward(self, sequence: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Tensor, State]:
        """As the contract says; the state is the largest score, the weighted sum and the sum of weights."""
        real = real_steps(sequence, mask)
        scores = torch.where(real > 0, self.score(sequence), _NOTHING_YET)
        largest = scores.amax(1)
        if state:
            largest = torch.maximum(largest, state["largest"])
        weights = (scores - largest.unsqueeze(1)).exp() * real
        total, weight = (weights * sequence).sum(1), weights.sum(1)
        if state:
            faded = (state["largest"] - largest).exp()
            total, weight = total + faded * state["total"], weight + faded * state["weight"]
        pooled = total / weight.clamp(min=torch.finfo(weight.dtype).tiny)
        return pooled, {"largest": largest, "total": total, "weight": weight}
