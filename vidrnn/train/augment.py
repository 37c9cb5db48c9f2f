"""Small changes to whole clips that leave their meaning, by torchvision v2: one change for all frames of a clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2 import functional as change

_SHIFT_ACROSS, _SHIFT_DOWN = 0.1, 0.06
"""Of the picture's width and height, at most."""
_SCALE = 0.08
_LIGHT = 0.25
"""For each of red, green and blue by itself, so that clothes and lamps change colour."""


@dataclass(frozen=True)
class Augmentation:
    """One change for each clip of a minibatch, drawn beforehand: applying them is the same in whatever thread."""

    drawn: NDArray[np.float64]
    """(batch, 8) from -1 to 1: shift across and down, scale, contrast, light of each colour, mirroring."""
    flip: bool
    strength: float = 1.0
    """Of all but the mirroring: 0 leaves clips as they are."""

    def __call__(self, clips: Tensor, first: int) -> Tensor:
        """Clips (count, time, height, width, 3) uint8, the first of them at `first` in the minibatch -> the same."""
        rows = self.drawn[first : first + len(clips)]
        changed = [self._changed(clip, row.tolist()) for clip, row in zip(clips, rows, strict=True)]
        return torch.stack(changed)

    def _changed(self, clip: Tensor, drawn: list[float]) -> Tensor:
        *amounts, mirror = drawn
        across, down, scale, contrast, *light = (self.strength * amount for amount in amounts)
        pictures = clip.permute(0, 3, 1, 2)
        height, width = pictures.shape[-2:]
        moved = change.affine(
            pictures,
            angle=0.0,
            translate=[_SHIFT_ACROSS * across * width, _SHIFT_DOWN * down * height],
            scale=1 + _SCALE * scale,
            shear=[0.0, 0.0],
        )
        colours = [
            change.adjust_brightness(moved[:, place : place + 1], 1 + _LIGHT * amount)
            for place, amount in enumerate(light)
        ]
        lit = change.adjust_contrast(torch.cat(colours, 1), 1 + _LIGHT * contrast)
        if self.flip and mirror > 0:
            lit = change.horizontal_flip(lit)
        changed: Tensor = lit.permute(0, 2, 3, 1).contiguous()
        return changed


def draw_augmentation(count: int, flip: bool, strength: float = 1.0) -> Augmentation:
    """Changes for `count` clips, from torch's random numbers."""
    return Augmentation(2 * torch.rand(count, 8, dtype=torch.float64).numpy() - 1, flip, strength)
