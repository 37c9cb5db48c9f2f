"""The contract of a decoder: a feature map and the last picture become the next picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn
from typing_extensions import override

from vidrnn.nets.state import State

PATCH = 4
"""Pixels per side of the patch that one place of the feature map stands for."""


class Motion(NamedTuple):
    """The motion from each picture's predecessor to the picture."""

    flow: Tensor
    """(batch, time, 2, height, width): the place of each pixel in the picture before, down and across, in pixels."""
    known: Tensor
    """(batch, time): 1, or 0 for a picture that has no predecessor."""


class Decoder(nn.Module, ABC):
    """Feature map and picture of each step -> the next picture. Its values may lie outside [0, 1].

    Law: cut the time axis anywhere, hand the state on, and nothing changes.
    """

    def __init__(self, width: int, channels: int) -> None:
        """Create the layers that all decoders have.

        Args:
            width: channels of the feature map.
            channels: channels of a picture, 1 or 3.
        """
        super().__init__()
        self.channels = channels
        self.pixels = nn.Sequential(
            nn.Conv2d(width, channels * PATCH**2, 3, padding=1),
            nn.PixelShuffle(PATCH),
        )

    @abstractmethod
    def forward(self, maps: Tensor, last: Tensor, motion: Motion, state: State | None) -> tuple[Tensor, State]:
        """Predict the next pictures.

        Args:
            maps: (batch, time, width, height / 4, width / 4) float.
            last: (batch, time, channels, height, width) in [0, 1], the picture of each step.
            motion: the motion that led to each picture.
            state: the state that the same decoder returned for the steps before; None is a fresh start.

        Returns:
            the picture after each step, shaped as `last`, and the state after the last step.
        """


class StatelessDecoder(Decoder):
    """A decoder that treats each step by itself; its state is empty."""

    @override
    def forward(self, maps: Tensor, last: Tensor, motion: Motion, state: State | None) -> tuple[Tensor, State]:
        predicted = self.decode(maps.flatten(0, 1), last.flatten(0, 1))
        return predicted.view_as(last), {}

    @abstractmethod
    def decode(self, maps: Tensor, last: Tensor) -> Tensor:
        """Predict the next pictures.

        Args:
            maps: (count, width, height / 4, width / 4) float.
            last: (count, channels, height, width) in [0, 1].

        Returns:
            the next pictures, shaped as `last`.
        """


def zero_weights(layer: nn.Module) -> None:
    """Set the weights and the bias of a convolution to 0, so that its output is 0 before training."""
    assert isinstance(layer, nn.Conv2d) and layer.bias is not None
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
