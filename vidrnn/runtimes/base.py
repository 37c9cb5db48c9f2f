"""The contract of a runtime: what computes a model. Frames and state go in, scores and state come out; numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.answers import WindowScores
from vidrnn.values import Handling, Pixels

if TYPE_CHECKING:
    from vidrnn.config import ModelHeader, ModelSpec

State = dict[str, NDArray[Any]]
"""All that a model remembers between two frames, by name; the minibatch is the first axis of each."""
Features = NDArray[np.float32]


@dataclass(frozen=True)
class StateTensor:
    """One tensor of a state: its shape without the minibatch, its type by numpy's name, and what a fresh one holds."""

    shape: tuple[int, ...]
    type: str
    fresh: float

    def made(self, batch: int) -> NDArray[Any]:
        """As it is at a fresh start."""
        return np.full((batch, *self.shape), self.fresh, dtype=self.type)


class Runtime:
    """A model that can be asked, whatever computes it. Several threads may ask at once."""

    name: str
    """As `--runtime` takes it."""
    handling: Handling
    """How it is fed, and how its scores are read."""

    @property
    def header(self) -> ModelHeader:
        """All that it says of itself."""
        raise TypeError(f"{type(self).__name__} must say where its header is")

    @property
    def streams(self) -> bool:
        """Whether a film can be read in pieces with the state handed on."""
        raise TypeError(f"{type(self).__name__} must say whether it streams")

    @property
    def spec(self) -> ModelSpec:
        """What the network is."""
        return self.header.spec

    def read(self, frames: Pixels, state: State | None = None) -> tuple[WindowScores, State]:
        """Read on from `state`, None for a fresh start.

        Args:
            frames: (batch, time, height, width, 3) uint8 RGB at the model's size.
            state: what this returned for the frames before.

        Returns:
            the scores for all since the fresh start and for each frame given, and the state.
        """
        raise TypeError(f"{type(self).__name__} must say how it reads frames")

    def encode(self, pixels: Pixels, before: Pixels | None = None) -> Features:
        """Successive pictures (count, height, width, 3) -> features (count, width).

        `before` is the picture before the first, None if there is none; only encoders of differences look at it.
        """
        raise TypeError(f"{type(self).__name__} must say how it encodes pictures")

    def score(self, windows: Sequence[Features]) -> WindowScores:
        """The scores of whole windows of features (steps, width) that all have the same number of steps."""
        raise TypeError(f"{type(self).__name__} must say how it scores windows")
