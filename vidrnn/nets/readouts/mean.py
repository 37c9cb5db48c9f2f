"""The readout that takes the mean of the sequence over time."""

from __future__ import annotations

from torch import Tensor
from typing_extensions import override

from vidrnn.nets.readouts.base import Readout, real_steps
from vidrnn.nets.state import State


class MeanReadout(Readout):
    """The mean of all real steps."""

    @override
    def forward(self, sequence: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Tensor, State]:
        """The state is the sum of the steps and their count."""
        real = real_steps(sequence, mask)
        total, count = (sequence * real).sum(1), real.sum(1)
        if state:
            total, count = total + state["total"], count + state["count"]
        return total / count.clamp(min=1), {"total": total, "count": count}
