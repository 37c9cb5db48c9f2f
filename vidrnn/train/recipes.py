"""The default settings of each kind of training, by what learns and by the number of clips."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vidrnn.config import FEW_CLIPS, HeadConfig, RunConfig
from vidrnn.train.shares.minibatches import Clips
from vidrnn.values import WHOLE


@dataclass(frozen=True)
class Recipe:
    """The default settings of a kind of training. They were chosen on validation parts, see benchmarks/."""

    steps: int
    fewest_epochs: int
    """Training takes about `steps` minibatches, but at least so many passes over the clips."""
    minibatch: int
    """The largest one; a twelfth of the clips, but at least 8, if that is less."""
    learning_rate: float
    dropout: float
    weight_decay: float = 0.05
    units: int = HeadConfig().units
    """The size of the head."""
    last_weights: bool = False
    """Whether training ends with its last weights, and not with those of the epoch that validates best. A validation
    part of few clips chooses by chance."""


@dataclass(frozen=True)
class Recipes:
    """The default settings by what learns: the head, an encoder from nothing, a pretrained encoder."""

    frozen: Recipe
    trained: Recipe
    fine_tuned: Recipe
    frozen_few: Recipe | None = None
    """Of a head behind a frozen encoder with fewer than `FEW_CLIPS` training clips; None: as with many."""

    def behind_frozen(self, count: int) -> Recipe:
        """Of a head behind a frozen encoder, with so many training clips."""
        return self.frozen_few if self.frozen_few is not None and count < FEW_CLIPS else self.frozen


FROZEN = Recipe(steps=200, fewest_epochs=12, minibatch=64, learning_rate=2e-3, dropout=0.5)
TRAINED = Recipe(steps=405, fewest_epochs=25, minibatch=16, learning_rate=2e-3, dropout=0.1)
FINE_TUNED = Recipe(steps=300, fewest_epochs=12, minibatch=16, learning_rate=3e-4, dropout=0.3)
FROZEN_FEW = replace(FROZEN, dropout=0.6, weight_decay=0.1, units=64, last_weights=True)
OF_CLIPS = Recipes(FROZEN, TRAINED, FINE_TUNED, FROZEN_FEW)
OF_MOMENTS = Recipes(
    frozen=Recipe(steps=320, fewest_epochs=8, minibatch=16, learning_rate=2e-3, dropout=0.5),
    trained=Recipe(steps=1000, fewest_epochs=25, minibatch=8, learning_rate=2e-3, dropout=0.2),
    fine_tuned=Recipe(steps=320, fewest_epochs=8, minibatch=8, learning_rate=3e-4, dropout=0.3),
)
"""For a class of each clip, and for labels at each frame."""
_MOST_EPOCHS = 60
_PROJECTION = 128
"""Numbers that the features of several cells become before the head."""


def head_for(config: RunConfig, recipe: Recipe, *, motion: bool = False) -> HeadConfig:
    """The head of the settings, with the recipe's size and dropout if they name none.

    `motion`: whether the head also sees how features change.
    """
    dropout = recipe.dropout if config.head.dropout is None else config.head.dropout
    projection = config.head.projection or (None if config.grid == WHOLE else _PROJECTION)
    size = recipe.units if config.head.size is None else config.head.size
    changed = {"size": size, "dropout": dropout, "motion": motion, "projection": projection}
    return config.head.model_copy(update=changed)


def weight_decay_for(config: RunConfig, recipe: Recipe) -> float:
    """The weight decay of the settings, or that of the recipe if they name none."""
    return recipe.weight_decay if config.weight_decay is None else config.weight_decay


def ends_with_last(config: RunConfig, recipe: Recipe, *, timed: bool) -> bool:
    """Whether a training ends with its last weights. Where `--patience` or `--minutes` may end it, the best ones count.

    A patience that is longer than the training ends nothing.
    """
    longest = config.epochs or _MOST_EPOCHS
    return recipe.last_weights and not timed and (config.patience is None or config.patience >= longest)


def minibatch_for(recipe: Recipe, clips: Clips) -> int:
    """Clips in a minibatch: as in the recipe, fewer if there were less than twelve minibatches."""
    return min(recipe.minibatch, max(8, len(clips) // 12))


def epochs_for(recipe: Recipe, steps_per_epoch: int) -> int:
    """The number of epochs that take about as many steps as the recipe says."""
    return min(_MOST_EPOCHS, max(recipe.fewest_epochs, round(recipe.steps / max(1, steps_per_epoch))))
