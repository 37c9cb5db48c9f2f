"""One class for the whole clip."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vidrnn.nets.decoders.base import Outputs, Task
from vidrnn.nets.readouts.base import Readout
from vidrnn.nets.state import State

_UNEVEN = 3.0
"""Where the largest class has more than this many times the clips of the smallest, mistakes are weighted."""
_STEPS_SHARE = 0.5


class Classify(Task):
    """A readout over time, then one score per class, before softmax."""

    def __init__(self, readout: Readout, size: int, classes: int) -> None:
        super().__init__()
        self.readout = readout
        self.classifier = nn.Linear(size, classes)

    def forward(
        self, sequence: Tensor, state: State | None = None, mask: Tensor | None = None
    ) -> tuple[Outputs, State]:
        """The scores of the readout's vector and of each step's, and the readout's state.

        The classifier is linear and a readout some mean of steps, so a clip's scores are the same mean of its steps'.
        """
        pooled, state = self.readout(sequence, state, mask)
        return {"clip": self.classifier(pooled), "steps": self.classifier(sequence)}, state


class ClassifyLoss(nn.Module):
    """Cross-entropy of a clip's scores with its class, and half as much of each real step's.

    The steps' share teaches every moment to speak for itself, which timelines need.
    """

    def __init__(self, counts: Sequence[int], label_smoothing: float) -> None:
        """`counts`: training clips of each class; where they are uneven, a class weighs in inverse proportion.

        `label_smoothing`: the share of belief that is spread over all classes.
        """
        super().__init__()
        known = torch.tensor(counts, dtype=torch.float)
        uneven = bool(known.min() > 0 and known.max() > _UNEVEN * known.min())
        self.entropy = nn.CrossEntropyLoss(known.mean() / known if uneven else None, label_smoothing=label_smoothing)

    def forward(self, outputs: Outputs, target: Tensor, mask: Tensor) -> Tensor:
        """Outputs of a minibatch, its classes (batch,) and its mask (batch, time) -> a scalar."""
        steps, classes = outputs["steps"][mask], target.unsqueeze(1).expand_as(mask)[mask]
        loss: Tensor = self.entropy(outputs["clip"], target) + _STEPS_SHARE * self.entropy(steps, classes)
        return loss
