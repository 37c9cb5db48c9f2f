"""The contract of an encoder."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

_CHANGE_DEVIATION = 0.1
"""The typical change of a moving pixel between neighbouring frames, for pixels in [0, 1]."""
_LUMA = (0.299, 0.587, 0.114)
"""The shares of red, green and blue in the brightness: ITU-R BT.601."""


class Encoder(nn.Module, ABC):
    """Frames (batch, time, height, width, 3) uint8 RGB -> features (batch, time, width) float.

    The encoder sees each frame by itself. With `differences` it also sees the change since the frame before. It
    normalises the pixels itself, so that training, streaming and an exported file use the same normalisation. A member
    gives `network` and `encode_pictures`.
    """

    width: int
    """Features per frame."""
    grey: bool = False
    """Whether the encoder sees brightness only."""
    differences: bool = False
    """Whether the encoder sees the change since the frame before, as further channels."""
    network: nn.Module
    """The convolutions and their normalisation. They take most of the time."""

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        """Store the mean and the deviation of pixels in [0, 1], one number per colour channel."""
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(-1, 1, 1), persistent=False)

    @property
    def identity(self) -> str:
        """All that the features depend on beside the named weights, as text; empty where there is nothing else."""
        return ""

    @property
    def channels(self) -> int:
        """The number of channels of the input of `network`."""
        return (1 if self.grey else 3) * (2 if self.differences else 1)

    def forward(self, frames: Tensor, before: Tensor | None = None) -> Tensor:
        """Encode frames.

        Args:
            frames: (batch, time, height, width, 3) uint8.
            before: (batch, height, width, 3) uint8, the frame before the first one. It matters with `differences` only.
                None means that there is none; then the change of the first frame is 0.

        Returns:
            features (batch, time, width).
        """
        batch, time = frames.shape[:2]
        features = self.encode_pictures(self.network_input(frames, before).flatten(0, 1))
        return features.reshape(batch, time, self.width)

    def network_input(self, frames: Tensor, before: Tensor | None = None) -> Tensor:
        """The input of `network`, (batch, time, channels, height, width); arguments as in `forward`."""
        pixels = self._pixels(frames)
        first = pixels[:, :1] if before is None else self._pixels(before.unsqueeze(1))
        return self.normalised(pixels, torch.cat([first, pixels[:, :-1]], 1))

    def normalised(self, pixels: Tensor, before: Tensor) -> Tensor:
        """Normalised pixels, and with `differences` the change after them, as further channels.

        Args:
            pixels: (..., 3 or 1, height, width) in [0, 1]. An encoder of colours copies a single channel three times.
            before: the pixels of the frame before, shaped as `pixels`.

        Returns:
            (..., channels, height, width).
        """
        if not self.grey:
            pixels, before = (one.expand(*one.shape[:-3], 3, *one.shape[-2:]) for one in (pixels, before))
        normal = (pixels - self.mean) / self.deviation
        if not self.differences:
            return normal
        return torch.cat([normal, (pixels - before) / _CHANGE_DEVIATION], -3)

    def _pixels(self, frames: Tensor) -> Tensor:
        """(batch, time, height, width, 3) uint8 -> (batch, time, 3 or 1, height, width) in [0, 1]."""
        if self.grey:
            return luma(frames).unsqueeze(2)
        return frames.permute(0, 1, 4, 2, 3).float() / 255  # a view: the memory stays channels_last

    def folded(self) -> Self:
        """A copy for inference, twice as fast: batch normalisation is folded into the convolutions."""
        reader = copy.deepcopy(self).eval().requires_grad_(False)
        reader.network = fuse(reader.network).to(memory_format=torch.channels_last)
        return reader

    @abstractmethod
    def encode_pictures(self, pictures: Tensor) -> Tensor:
        """The features (count, width) of normalised pictures (count, channels, height, width)."""


def luma(frames: Tensor) -> Tensor:
    """The brightness (...) in [0, 1] of frames (..., 3) uint8 RGB."""
    red, green, blue = frames.unbind(-1)
    return red * (_LUMA[0] / 255) + green * (_LUMA[1] / 255) + blue * (_LUMA[2] / 255)
