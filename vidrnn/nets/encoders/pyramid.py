"""An encoder that keeps the picture, for heads that do: maps at a quarter and an eighth of its size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidrnn.nets.decoders.base import PATCH
from vidrnn.nets.flow import backward_flow, warped

SHRINKS = 8
"""Height and width of what it reads are multiples of this."""


class Pyramid(nn.Module):
    """A picture and how it moved -> a fine map, to lead past the head, and a coarse one, to go through it."""

    def __init__(self, channels: int, fine: int, coarse: int) -> None:
        super().__init__()
        self.patches = nn.PixelUnshuffle(PATCH)
        self.fine = nn.Sequential(
            nn.Conv2d(2 * channels * PATCH**2 + 2, fine, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(fine, fine, 3, padding=1),
            nn.LeakyReLU(0.1),
        )
        self.coarse = nn.Sequential(nn.Conv2d(fine, coarse, 2, stride=2), nn.LeakyReLU(0.1))

    def forward(self, pictures: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Read pictures.

        Args:
            pictures: (count, channels, height, width) in [0, 1], sides multiples of `SHRINKS`.
            before: the picture before each.

        Returns:
            (count, fine, height / 4, width / 4), (count, coarse, height / 8, width / 8), and where each pixel was in
            the picture before, down and across, in pixels: (count, 2, height, width).
        """
        flow = backward_flow(pictures, before)
        unforeseen = pictures - warped(before, flow)
        patches = self.patches(torch.cat([pictures, unforeseen], 1))
        fine: Tensor = self.fine(torch.cat([patches, nn.functional.avg_pool2d(flow, PATCH)], 1))
        return fine, self.coarse(fine), flow
