"""An encoder that gives feature maps at a quarter and at an eighth of the size of the picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidrnn.nets.decoders.base import PATCH
from vidrnn.nets.flow import backward_flow, warped

SHRINKS = 8
"""Height and width of the pictures are multiples of this number."""


class Pyramid(nn.Module):
    """Picture and motion -> a fine map, which bypasses the head, and a coarse map, which the head reads."""

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
        """Encode pictures.

        Args:
            pictures: (count, channels, height, width) in [0, 1], sides multiples of `SHRINKS`.
            before: the picture before each picture, shaped as `pictures`.

        Returns:
            the fine map (count, fine, height / 4, width / 4), the coarse map (count, coarse, height / 8, width / 8),
            and the place of each pixel in the picture before, down and across, in pixels: (count, 2, height, width).
        """
        flow = backward_flow(pictures, before)
        residual = pictures - warped(before, flow)
        patches = self.patches(torch.cat([pictures, residual], 1))
        fine: Tensor = self.fine(torch.cat([patches, nn.functional.avg_pool2d(flow, PATCH)], 1))
        return fine, self.coarse(fine), flow
