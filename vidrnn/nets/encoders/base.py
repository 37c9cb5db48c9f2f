"""The contract of an encoder."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

_CHANGE_DEVIATION = 0.1
"""Between neighbouring frames pixels in [0, 1] change by about this much where something moves."""
_LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in what an eye calls bright: ITU-R BT.601."""


class Encoder(nn.Module):
    """Frames (batch, time, height, width, 3) uint8 RGB -> features (batch, time, width) float.

    Each frame by itself, or beside it what changed since the frame before, if `differences`. Normalisation of pixels is
    done here, so that training, streaming and an exported file cannot differ in it. A member gives `pictures`; the rest
    is the same for all.
    """

    width: int
    """Numbers per frame."""
    grey: bool = False
    """Whether it sees brightness only."""
    differences: bool = False
    """Whether it sees the change since the frame before as further channels."""
    network: nn.Module
    """Convolutions and their normalisation: the costly part."""

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(-1, 1, 1), persistent=False)

    @property
    def channels(self) -> int:
        """Of the pictures that the network sees."""
        return (1 if self.grey else 3) * (2 if self.differences else 1)

    def forward(self, frames: Tensor, before: Tensor | None = None) -> Tensor:
        """Read frames.

        Args:
            frames: (batch, time, height, width, 3) uint8.
            before: (batch, height, width, 3) uint8, the frame before the first, where `differences` are seen; None if
                there is none, and then nothing changed at the first.

        Returns:
            features (batch, time, width).
        """
        batch, time = frames.shape[:2]
        features = self.encode_pictures(self.network_input(frames, before).flatten(0, 1))
        return features.reshape(batch, time, self.width)

    def network_input(self, frames: Tensor, before: Tensor | None = None) -> Tensor:
        """What the network sees of frames, normalised: (batch, time, channels, height, width); arguments as above."""
        pixels = self._pixels(frames)
        first = pixels[:, :1] if before is None else self._pixels(before.unsqueeze(1))
        return self.normalised(pixels, torch.cat([first, pixels[:, :-1]], 1))

    def normalised(self, pixels: Tensor, before: Tensor) -> Tensor:
        """Pixels (..., 3 or 1, height, width) in [0, 1] as the network sees them.

        Beside them stands the change since `before`, of the same shape, if `differences` are seen. An encoder of
        colours sees brightness in all three of them.
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
        return frames.permute(0, 1, 4, 2, 3).float() / 255  # in memory still channels_last

    def folded(self) -> Self:
        """A copy for reading only, twice as fast: batch normalisation is folded into the convolutions."""
        reader = copy.deepcopy(self).eval().requires_grad_(False)
        reader.network = fuse(reader.network).to(memory_format=torch.channels_last)
        return reader

    def encode_pictures(self, pictures: Tensor) -> Tensor:
        """Normalised pictures (count, channels, height, width) -> (count, width)."""
        raise TypeError(f"{type(self).__name__} must say how it reads pictures")


def luma(frames: Tensor) -> Tensor:
    """The brightness of frames (..., 3) uint8, in [0, 1]."""
    red, green, blue = frames.unbind(-1)
    return red * (_LUMA[0] / 255) + green * (_LUMA[1] / 255) + blue * (_LUMA[2] / 255)
