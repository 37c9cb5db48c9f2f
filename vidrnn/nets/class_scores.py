"""The classification output of the network: a sequence becomes scores of classes. The loss is in train/lessons."""

from __future__ import annotations

from torch import Tensor, nn

from vidrnn.nets.readouts.base import Readout
from vidrnn.nets.state import State

Scores = dict[str, Tensor]
"""Scores of the classes, before softmax: `clip` (batch, classes) for all steps since the fresh start, and `steps`
(batch, time, classes) for each step, which depends on the steps before it."""


class ClassOutput(nn.Module):
    """Sequence (batch, time, size) -> scores: a readout over time, then one linear layer."""

    def __init__(self, readout: Readout, size: int, classes: int) -> None:
        super().__init__()
        self.readout = readout
        self.classifier = nn.Linear(size, classes)

    def forward(self, sequence: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Scores, State]:
        """Read on from `state`; None is a fresh start.

        The linear layer scores the readout's vector and each step. Every readout is a weighted mean of steps, and the
        layer is linear, so the scores of a clip are the same weighted mean of the scores of its steps.

        Args:
            sequence: (batch, time, size) float.
            state: the state that this module returned for the steps before.
            mask: (batch, time) bool, True for real steps, which come before the padding; None if all are real.

        Returns:
            the scores, and the state of the readout.
        """
        pooled, state = self.readout(sequence, state, mask)
        return {"clip": self.classifier(pooled), "steps": self.classifier(sequence)}, state
