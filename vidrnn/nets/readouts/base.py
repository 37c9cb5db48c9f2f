"""The contract of a readout: a sequence becomes one vector."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from vidrnn.nets.state import State


class Readout(nn.Module, ABC):
    """Sequence (batch, time, size) -> one vector (batch, width) for all steps since the fresh start.

    Law: cut the time axis anywhere, hand the state on, and nothing changes. Steps that the mask hides change nothing.
    """

    width: int
    """Numbers of the vector: `size`, unless a member says otherwise."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.width = size

    @abstractmethod
    def forward(self, sequence: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Tensor, State]:
        """Read on from `state`.

        Args:
            sequence: (batch, time, size) float.
            state: the state that the same readout returned for the steps before; None is a fresh start.
            mask: (batch, time) bool, True for real steps, which come before the padding; None if all are real.

        Returns:
            the vector (batch, width), and the state after the last real step.
        """

    def of_still(self, numbers: Tensor) -> Tensor:
        """Which of the vector's numbers (..., width) a step stands for: those (..., size) of its mean over time."""
        return numbers

    def for_step(self, weights: Tensor) -> Tensor:
        """Weights (..., width) of the vector -> weights (..., size) of a step.

        A clip in which every step is the same one changes its score by them when that step changes.
        """
        return weights


def real_steps(sequence: Tensor, mask: Tensor | None) -> Tensor:
    """The mask as numbers (batch, time, 1): 1 for a real step, 0 for padding."""
    if mask is None:
        return sequence.new_ones(sequence.shape[:2]).unsqueeze(-1)
    return mask.unsqueeze(-1).to(sequence.dtype)
