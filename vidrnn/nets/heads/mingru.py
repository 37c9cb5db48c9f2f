"""minGRU: a gated recurrent unit whose gate does not look at its state, which makes it a linear recurrence.

Feng et al., "Were RNNs all we needed?", 2024, in real space: z = sigmoid(W x + b), h = (1 - z) h + z (V x + c).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidrnn.nets.blocks import Cell
from vidrnn.nets.heads.base import BlockHead, units_memory
from vidrnn.nets.recurrence import blend


class MinGru(Cell):
    """The recurrence of a block of the head."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.update_and_new = nn.Linear(size, 2 * size)

    def gates(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """1 - z and z times the new."""
        update, new = self._update_and_new(inputs)
        entering = update.sigmoid()
        return 1 - entering, entering * new

    def remember(self, inputs: Tensor, start: Tensor) -> Tensor:
        """The recurrence of these gates, in one operation."""
        update, new = self._update_and_new(inputs)
        return blend(update, new, start)

    def _update_and_new(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        both = self.update_and_new(inputs)
        update, new = both.to(torch.promote_types(torch.float32, both.dtype)).chunk(2, -1)
        return update, new


class MinGruHead(BlockHead):
    """Two blocks around a minGRU, unless told otherwise."""

    cell = MinGru

    def set_memory(self, cell: Cell, memory_frames: int | None) -> None:
        """The update gate lets the new in where it is open, so that its bias is the keep gate's, turned round."""
        assert isinstance(cell, MinGru)
        nn.init.zeros_(cell.update_and_new.bias)
        cell.update_and_new.bias.data[: cell.size] = -(units_memory(cell.size, memory_frames) - 1).log()
