"""The contract of an encoder."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse


class Encoder(nn.Module):
    """Frames (batch, time, height, width, 3) uint8 RGB -> features (batch, time, width) float.

    Each frame by itself. Normalisation of pixels is done here, so that training, streaming and an exported file cannot
    differ in it. A member gives `pictures`; the rest is the same for all.
    """

    width: int
    """Numbers per frame."""
    network: nn.Module
    """Convolutions and their normalisation: the costly part."""

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(3, 1, 1), persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """(batch, time, height, width, 3) uint8 -> (batch, time, width)."""
        batch, time = frames.shape[:2]
        pixels = frames.flatten(0, 1).permute(0, 3, 1, 2)  # a view whose memory is already channels_last
        features = self.pictures((pixels.float() / 255 - self.mean) / self.deviation)
        return features.reshape(batch, time, self.width)

    def folded(self) -> Self:
        """A copy for reading only, twice as fast: batch normalisation is folded into the convolutions."""
        reader = copy.deepcopy(self).eval().requires_grad_(False)
        reader.network = fuse(reader.network).to(memory_format=torch.channels_last)
        return reader

    def pictures(self, pictures: Tensor) -> Tensor:
        """Normalised pictures (count, 3, height, width) -> (count, width)."""
        raise TypeError(f"{type(self).__name__} must say how it reads pictures")
