"""The mean of the sequence over time."""

from __future__ import annotations

from torch import Tensor

from vidrnn.nets.readouts.base import Readout, real_steps
from vidrnn.nets.state import State


class MeanReadout(Readout):
    """Every step counts the same."""

    def __init__(self, size: int) -> None:
        super().__init__()

    def forward(self, sequence: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Tensor, State]:
        """As the contract says; the state is a sum and a count."""
        real = real_steps(sequence, mask)
        total, count = (sequence * real).sum(1), real.sum(1)
        if state:
            total, count = total + state["total"], count + state["count"]
        return total / count.clamp(min=1), {"total": total, "count": count}
