"""Small changes to whole clips that leave their meaning: torchvision v2, the same change for every frame of a clip."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.transforms import v2


class Augment(nn.Module):
    """Clips (batch, time, height, width, 3) uint8 -> the same, each shifted, scaled and lit a little differently."""

    def __init__(self, flip: bool) -> None:
        super().__init__()
        changes: list[nn.Module] = [
            v2.RandomAffine(degrees=0, translate=(0.08, 0.08), scale=(0.92, 1.08)),
            v2.ColorJitter(brightness=0.25, contrast=0.25),
        ]
        if flip:
            changes.append(v2.RandomHorizontalFlip())
        self.changes = v2.Compose(changes)

    def forward(self, clips: Tensor) -> Tensor:
        """As above."""
        changed = [self.changes(clip.permute(0, 3, 1, 2)).permute(0, 2, 3, 1) for clip in clips]
        return torch.stack(changed).contiguous()
