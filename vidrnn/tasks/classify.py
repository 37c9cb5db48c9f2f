"""One class for the whole clip."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vidrnn.readouts.base import Readout
from vidrnn.state import State
from vidrnn.tasks.base import Scores, Task

_UNEVEN = 3.0
"""Where the largest class has more than this many times the clips of the smallest, mistakes are weighted."""


class Classify(Task):
    """A readout over time, then one score per class, before softmax."""

    def __init__(self, readout: Readout, size: int, classes: int) -> None:
        super().__init__()
        self.readout = readout
        self.classifier = nn.Linear(size, classes)

    def forward(self, sequence: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Scores, State]:
        """The scores of the readout's vector and of each step's, and the readout's state.

        The classifier is linear and the readout a mean of steps, so a clip's scores are the same mean of its steps'.
        """
        pooled, state = self.readout(sequence, state, mask)
        return Scores(self.classifier(pooled), self.classifier(sequence)), state


def classify_loss(counts: Sequence[int], label_smoothing: float) -> nn.CrossEntropyLoss:
    """Cross-entropy of scores (batch, classes) with targets (batch,).

    Args:
        counts: training clips of each class; where they are uneven, a class weighs in inverse proportion.
        label_smoothing: the share of belief spread over all classes.
    """
    known = torch.tensor(counts, dtype=torch.float)
    weights = None
    if known.min() > 0 and known.max() > _UNEVEN * known.min():
        weights = known.mean() / known
    return nn.CrossEntropyLoss(weight=weights, label_smoothing=label_smoothing)
