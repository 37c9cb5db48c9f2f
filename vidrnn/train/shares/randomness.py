"""The random numbers of training: each share of each minibatch has its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

import torch

from vidrnn.nets.classifier import mixed_seed

_SHARED = Lock()
"""Held while layers draw from the generator that all threads of a process share."""


@dataclass(frozen=True)
class Randomness:
    """The random numbers of one share. They depend on the seed of the training, the step and the share alone."""

    parts: tuple[int, ...]

    def generator(self) -> torch.Generator:
        """A generator of its own, on the processor."""
        return torch.Generator().manual_seed(mixed_seed(*self.parts))

    @contextmanager
    def of_layers(self, *, needed: bool = True) -> Iterator[None]:
        """For layers that draw, such as dropout: one share after the other, since they draw from one generator."""
        if not needed:
            yield
            return
        with _SHARED:
            torch.manual_seed(mixed_seed(*self.parts))
            yield
