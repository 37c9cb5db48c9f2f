"""The contract of a task: what the sequence is turned into."""

from __future__ import annotations

from torch import Tensor, nn

from vidrnn.state import State


class Task(nn.Module):
    """Sequence (batch, time, size) -> scores. What being wrong costs is the member's own, since targets differ."""

    def forward(self, sequence: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Tensor, State]:
        """Scores for all that was read since the fresh start, and the state to read on from."""
        raise TypeError(f"{type(self).__name__} must say how it makes scores")
