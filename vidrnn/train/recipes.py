"""The default settings of each kind of training, by what learns and by the number of clips."""

from __future__ import annotations

from dataclasses import dataclass

from vidrnn.config import HeadConfig, RunConfig
from vidrnn.train.minibatches import Clips


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


FROZEN = Recipe(steps=200, fewest_epochs=12, minibatch=64, learning_rate=2e-3, dropout=0.5)
TRAINED = Recipe(steps=405, fewest_epochs=25, minibatch=16, learning_rate=2e-3, dropout=0.1)
FINE_TUNED = Recipe(steps=300, fewest_epochs=12, minibatch=16, learning_rate=3e-4, dropout=0.3)
_MOST_EPOCHS = 60


def head_for(config: RunConfig, recipe: Recipe, *, motion: bool = False) -> HeadConfig:
    """The head of the settings, with the recipe's dropout if they name none.

    `motion`: whether the head also sees how features change.
    """
    dropout = recipe.dropout if config.head.dropout is None else config.head.dropout
    return config.head.model_copy(update={"dropout": dropout, "motion": motion})


def minibatch_for(recipe: Recipe, clips: Clips) -> int:
    """Clips in a minibatch: as in the recipe, fewer if there were less than twelve minibatches."""
    return min(recipe.minibatch, max(8, len(clips) // 12))


def epochs_for(recipe: Recipe, steps_per_epoch: int) -> int:
    """The number of epochs that take about as many steps as the recipe says."""
    return min(_MOST_EPOCHS, max(recipe.fewest_epochs, round(recipe.steps / max(1, steps_per_epoch))))
