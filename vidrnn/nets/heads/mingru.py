"""minGRU: a gated recurrent unit whose gate does not depend on the state, so that it is a linear recurrence.

Feng et al., "Were RNNs all we needed?", 2024, in real space: z = sigmoid(W x + b), h = (1 - z) h + z (V x + c).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typing_extensions import override

from vidrnn.nets.blocks import Cell
from vidrnn.nets.heads.base import BlockHead, memory_of_units
from vidrnn.nets.recurrence import blend


class MinGru(Cell):
    """The recurrence of one block of the head."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.update_and_new = nn.Linear(size, 2 * size)

    @override
    def gates(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """1 - z, and z times the new value."""
        update, new = self._update_and_new(inputs)
        z = update.sigmoid()
        return 1 - z, z * new

    @override
    def run(self, inputs: Tensor, start: Tensor) -> Tensor:
        """The recurrence of these gates, in one operation."""
        update, new = self._update_and_new(inputs)
        return blend(update, new, start)

    def _update_and_new(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        both = self.update_and_new(inputs)
        update, new = both.to(torch.promote_types(torch.float32, both.dtype)).chunk(2, -1)
        return update, new


class MinGruHead(BlockHead):
    """Blocks around a minGRU; two blocks by default."""

    cell = MinGru

    @override
    def set_memory(self, cell: Cell, memory_frames: int | None) -> None:
        """Set the bias of the update gate. The gate takes the new value when it is open, so the sign is negative."""
        assert isinstance(cell, MinGru)
        nn.init.zeros_(cell.update_and_new.bias)
        cell.update_and_new.bias.data[: cell.size] = -(memory_of_units(cell.size, memory_frames) - 1).log()
