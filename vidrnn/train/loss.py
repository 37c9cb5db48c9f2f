"""The losses of training. A truth that is not known (-1, not a number) counts in none of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vidrnn.nets.class_scores import Scores

_UNEVEN = 3.0
"""The classes are weighted if the largest has more than this many times the clips of the smallest."""
_STEPS_SHARE = 0.5


class ClassifyLoss(nn.Module):
    """Cross-entropy of the clip's scores with its class, plus half the cross-entropy of the scores of its real steps.

    The loss of the steps trains scores that are right at each moment. Timelines need them.
    """

    def __init__(self, counts: Sequence[int], label_smoothing: float) -> None:
        """Choose the weight of each class.

        Args:
            counts: training clips of each class. If they are uneven, the weight of a class is inverse to its count.
            label_smoothing: the share of the target probability that is spread evenly over all classes, 0 to 1.
        """
        super().__init__()
        clips = torch.tensor(counts, dtype=torch.float)
        uneven = bool(clips.min() > 0 and clips.max() > _UNEVEN * clips.min())
        weights = clips.mean() / clips if uneven else None
        self.entropy = nn.CrossEntropyLoss(weights, label_smoothing=label_smoothing, ignore_index=-1)

    def forward(self, scores: Scores, target: Tensor, mask: Tensor) -> Tensor:
        """The loss () of a minibatch, from its scores, its classes (batch,) and its mask (batch, time)."""
        steps, classes = scores["steps"][mask], target.unsqueeze(1).expand_as(mask)[mask]
        return self._mean(scores["clip"], target) + _STEPS_SHARE * self._mean(steps, classes)

    def _mean(self, scores: Tensor, target: Tensor) -> Tensor:
        """The mean cross-entropy of the scores with a known class; 0 if there are none."""
        loss: Tensor = self.entropy(scores, target) if (target >= 0).any() else 0 * scores.sum()
        return loss
