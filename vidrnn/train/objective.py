"""The contract of an objective: what a network of class scores learns, and the score that an epoch is judged by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from numpy.typing import NDArray
from torch import Tensor

from vidrnn.nets.class_scores import Scores
from vidrnn.nets.classifier import SequenceModel
from vidrnn.nets.scoring import Features
from vidrnn.train.fit import Validation
from vidrnn.train.recipes import OF_CLIPS, Recipe, Recipes, minibatch_for
from vidrnn.train.shares.minibatches import Clips, ClipSampler, Drawn, Minibatch, Targets

if TYPE_CHECKING:
    from vidrnn.train.learner import Setting


Truth = NDArray[Any]
"""Of a clip: () its class, or (steps,) or (steps, classes) the truth at its steps."""


MemberLoss = Callable[[Scores, Minibatch, Targets], Tensor]
"""The scores of one member, the share that they are of and the truth of the whole minibatch -> the part () of the share
in the loss."""


class Sampler(Protocol):
    """Draws the windows of a training."""

    def epoch(self, clips: Clips, epoch: int) -> Iterator[Drawn]:
        """The minibatches of an epoch; the same for the same seed and epoch."""

    def steps(self, clips: Clips) -> int:
        """Minibatches in an epoch."""


class Objective(ABC):
    """What a network of class scores learns."""

    recipes: ClassVar[Recipes] = OF_CLIPS
    """The default settings of a training."""

    def minibatch(self, recipe: Recipe, clips: Clips) -> int:
        """Windows in a minibatch, where nothing else is said."""
        return minibatch_for(recipe, clips)

    @abstractmethod
    def loss(self, setting: Setting, clips: Clips) -> MemberLoss:
        """The loss of minibatches of these clips. Unknown truth counts in none."""

    def sampler(self, setting: Setting, minibatch: int, *, phases: int, stretch: float, shuffled: bool) -> Sampler:
        """What draws the windows: by default a random one of each clip in each epoch.

        Args:
            setting: of the training.
            minibatch: windows in a minibatch.
            phases: steps of the clips' grid for each step of a window.
            stretch: how much faster or slower windows may play, by a factor between exp(-stretch) and exp(stretch).
            shuffled: whether the frames of each window are in random order, for the control without order.
        """
        config = setting.config
        return ClipSampler(
            frames=setting.sampling.frames,
            minibatch=minibatch,
            seed=config.seed,
            shuffled=shuffled,
            cut=config.label_holds == "always",
            phases=phases,
            stretch=stretch,
        )

    @abstractmethod
    def validate(
        self, setting: Setting, sequence: SequenceModel, features: Sequence[Features], targets: Sequence[Truth]
    ) -> Validation:
        """The validation of a network on the features (steps, width) of clips, with the truth of each."""
