"""The contract of a task: what the sequence is turned into."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from vidrnn.nets.state import State


class Scores(NamedTuple):
    """What a task says, before softmax."""

    clip: Tensor
    """(batch, classes) for all that was read since the fresh start."""
    steps: Tensor
    """(batch, time, classes) for each step, in the light of all before it."""


class Task(nn.Module):
    """Sequence (batch, time, size) -> scores. What being wrong costs is the member's own, since targets differ."""

    def forward(self, sequence: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Scores, State]:
        """Scores, and the state to read on from."""
        raise TypeError(f"{type(self).__name__} must say how it makes scores")
