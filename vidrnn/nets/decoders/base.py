"""The contract of class scores: what the sequence is turned into."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from vidrnn.nets.state import State

Outputs = dict[str, Tensor]
"""`clip` (batch, classes) for all that was read since the fresh start; `steps` (batch, time, classes) for each step, in
the light of all before it. Both before softmax."""


class Task(nn.Module, ABC):
    """Sequence (batch, time, size) -> outputs. What being wrong costs is the member's own, since targets differ."""

    @abstractmethod
    def forward(
        self, sequence: Tensor, state: State | None = None, mask: Tensor | None = None
    ) -> tuple[Outputs, State]:
        """Outputs, and the state to read on from."""
