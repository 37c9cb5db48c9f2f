"""The contract of a readout: a sequence becomes one vector, and what it has summed so far can be carried on."""

from __future__ import annotations

from torch import Tensor, nn

from vidrnn.nets.state import State


class Readout(nn.Module):
    """Sequence (batch, time, size) -> one vector (batch, size) for all that was read since the fresh start.

    Law: cut the time axis anywhere, hand the state on, and nothing changes. Steps that the mask hides change nothing.
    """

    def forward(self, sequence: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Tensor, State]:
        """Read on from `state`; None is a fresh start.

        Args:
            sequence: (batch, time, size) float.
            state: what the same readout returned for the steps before.
            mask: (batch, time) bool, True for real steps, which come before the padding; None if all are real.

        Returns:
            the vector (batch, size), and the state after the last real step.
        """
        raise TypeError(f"{type(self).__name__} must say how it reads a sequence")


def real_steps(sequence: Tensor, mask: Tensor | None) -> Tensor:
    """The mask as numbers (batch, time, 1): 1 for a real step, 0 for padding."""
    if mask is None:
        return sequence.new_ones(sequence.shape[:2]).unsqueeze(-1)
    return mask.unsqueeze(-1).to(sequence.dtype)
