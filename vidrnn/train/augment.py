"""Random changes of clips that keep their class, with torchvision v2. All frames of a clip change alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

_SHIFT_ACROSS, _SHIFT_DOWN = 0.1, 0.06
"""The largest shifts, as shares of the width and the height of the picture."""
_SCALE = 0.08
_LIGHT = 0.25
"""The largest change of brightness. Red, green and blue change separately, so that colours change too."""


@dataclass(frozen=True)
class Augmentation:
    """One random change for each clip of a share of a minibatch."""

    amounts: NDArray[np.float64]
    """(batch, 8) from -1 to 1: shift across and down, scale, contrast, brightness of each colour, mirroring."""
    flip: bool
    """Whether clips with a positive last number are mirrored."""
    strength: float = 1.0
    """A factor of all changes except mirroring. 0 changes nothing."""

    def __call__(self, clips: Tensor, first: int) -> Tensor:
        """The changed clips, shaped as `clips`.

        Args:
            clips: (count, time, height, width, channels), neighbours in the share: pictures of 8 bits, or pixels in
                [0, 1], of three colours or of brightness alone.
            first: the place of the first of them in the share.
        """
        rows = self.amounts[first : first + len(clips)]
        changed = [self._changed(clip, row.tolist()) for clip, row in zip(clips, rows, strict=True)]
        return torch.stack(changed)

    def _changed(self, clip: Tensor, numbers: list[float]) -> Tensor:
        *amounts, mirror = numbers
        across, down, scale, contrast, *light = (self.strength * amount for amount in amounts)
        pictures = clip.permute(0, 3, 1, 2)
        height, width = pictures.shape[-2:]
        moved = transforms.affine(
            pictures,
            angle=0.0,
            translate=[_SHIFT_ACROSS * across * width, _SHIFT_DOWN * down * height],
            scale=1 + _SCALE * scale,
            shear=[0.0, 0.0],
        )
        colours = [
            transforms.adjust_brightness(moved[:, place : place + 1], 1 + _LIGHT * amount)
            for place, amount in enumerate(light[: moved.shape[1]])
        ]
        lit = transforms.adjust_contrast(torch.cat(colours, 1), 1 + _LIGHT * contrast)
        if self.flip and mirror > 0:
            lit = transforms.horizontal_flip(lit)
        changed: Tensor = lit.permute(0, 2, 3, 1).contiguous()
        return changed


def draw_augmentation(count: int, flip: bool, strength: float, generator: torch.Generator) -> Augmentation:
    """A random augmentation of `count` clips."""
    return Augmentation(2 * torch.rand(count, 8, dtype=torch.float64, generator=generator).numpy() - 1, flip, strength)
