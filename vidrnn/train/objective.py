"""The contract of an objective: what a network of class scores learns, and the score that an epoch is judged by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from vidrnn.nets.class_scores import Scores
from vidrnn.nets.classifier import SequenceModel
from vidrnn.nets.scoring import Features
from vidrnn.train.fit import Validation
from vidrnn.train.minibatches import Clips
from vidrnn.values import Kind

if TYPE_CHECKING:
    from vidrnn.train.learner import Setting


class Objective(ABC):
    """What a network of class scores learns."""

    kind: ClassVar[Kind] = "one"
    """Of the answer, which decides how the scores of several members are joined."""

    @abstractmethod
    def loss(self, setting: Setting, clips: Clips) -> Callable[[Scores, Tensor, Tensor], Tensor]:
        """The loss of a minibatch of these clips, from the scores of one member, target and mask.

        Unknown truth counts in no loss.
        """

    @abstractmethod
    def validate(
        self, setting: Setting, sequence: SequenceModel, features: Sequence[Features], places: Sequence[int]
    ) -> Validation:
        """The validation of a network on the features (steps, width) of the clips at `places`."""
