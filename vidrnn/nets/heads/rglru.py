"""RG-LRU, the real-gated linear recurrent unit.

De et al., "Griffin: mixing gated linear recurrences with local attention for efficient language models", 2024; over
the frames of video: Patraucean et al., "TRecViT: a recurrent video transformer", 2024. Here every gate sees all units,
where Griffin's see those of their own group.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidrnn.nets.blocks import Cell
from vidrnn.nets.heads.base import BlockHead, units_memory

_SHARPNESS = 8.0
"""Griffin's c: with its gate wide open a unit forgets this many times as fast as with a gate at 1/c."""
_LEAST = 1e-8
"""Under the root of what may enter, so that its slope stays finite where all is kept."""


class RgLru(Cell):
    """With r and i sigmoids of the input x: a = decay ** (c r), h = a h + sqrt(1 - a^2) i x.

    The root makes the state's variance what the input's is, however long it remembers. Beside it a branch
    gelu(U x) opens or shuts each unit for the block.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.remembered = nn.Linear(size, size)
        self.beside = nn.Linear(size, size)
        self.recurrence_and_input = nn.Linear(size, 2 * size)
        self.rate = nn.Parameter(torch.empty(size))
        """softplus(rate) = -log(decay)"""

    def enter(self, normal: Tensor) -> Tensor:
        """The branch that is remembered."""
        remembered: Tensor = self.remembered(normal)
        return remembered

    def gates(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """a, and sqrt(1 - a^2) i x."""
        both = self.recurrence_and_input(inputs)
        open_to_time, open_to_input = both.to(torch.promote_types(torch.float32, both.dtype)).sigmoid().chunk(2, -1)
        log_keep = -_SHARPNESS * nn.functional.softplus(self.rate) * open_to_time
        scale = (-torch.expm1(2 * log_keep)).clamp(min=_LEAST).sqrt()
        return log_keep.exp(), scale * open_to_input * inputs

    def leave(self, hidden: Tensor, normal: Tensor) -> Tensor:
        """The state, as far as the other branch lets it."""
        return hidden * nn.functional.gelu(self.beside(normal))


class RgLruHead(BlockHead):
    """Two blocks around an RG-LRU, unless told otherwise."""

    cell = RgLru

    def set_memory(self, cell: Cell, memory_frames: int | None) -> None:
        """A gate that is half open keeps all but 1/memory: decay ** (c / 2) = 1 - 1/memory."""
        assert isinstance(cell, RgLru)
        nn.init.zeros_(cell.recurrence_and_input.bias)
        rate = -(-1 / units_memory(cell.size, memory_frames)).log1p() * 2 / _SHARPNESS
        cell.rate.data = rate.expm1().log()
