"""RG-LRU, the real-gated linear recurrent unit.

De et al., "Griffin: mixing gated linear recurrences with local attention for efficient language models", 2024; over
the frames of video: Patraucean et al., "TRecViT: a recurrent video transformer", 2024. Here each gate depends on all
units. In Griffin it depends on the units of its own group.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typing_extensions import override

from vidrnn.nets.blocks import Cell
from vidrnn.nets.heads.base import BlockHead, memory_of_units

_SHARPNESS = 8.0
"""Griffin's c: the log of the decay with a fully open gate is this many times the log with a gate at 1/c."""
_LEAST = 1e-8
"""The smallest value under the square root, so that its slope stays finite if the gate keeps the whole state."""


class RgLru(Cell):
    """With r and i sigmoids of the input x: a = decay ** (c r), h = a h + sqrt(1 - a^2) i x.

    The square root gives the state the variance of the input, for any length of memory. A second branch gelu(U x) gates
    each unit of the output.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.linear_branch = nn.Linear(size, size)
        self.gate_branch = nn.Linear(size, size)
        self.recurrence_and_input = nn.Linear(size, 2 * size)
        self.rate = nn.Parameter(torch.empty(size))
        """softplus(rate) = -log(decay)"""

    @override
    def conv_input(self, normal: Tensor) -> Tensor:
        """The linear branch, which goes through the recurrence."""
        branch: Tensor = self.linear_branch(normal)
        return branch

    @override
    def gates(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """a, and sqrt(1 - a^2) i x."""
        both = self.recurrence_and_input(inputs)
        open_to_time, open_to_input = both.to(torch.promote_types(torch.float32, both.dtype)).sigmoid().chunk(2, -1)
        log_keep = -_SHARPNESS * nn.functional.softplus(self.rate) * open_to_time
        scale = (-torch.expm1(2 * log_keep)).clamp(min=_LEAST).sqrt()
        return log_keep.exp(), scale * open_to_input * inputs

    @override
    def output(self, hidden: Tensor, normal: Tensor) -> Tensor:
        """The state, multiplied by the gate branch."""
        return hidden * nn.functional.gelu(self.gate_branch(normal))


class RgLruHead(BlockHead):
    """Blocks around an RG-LRU; two blocks by default."""

    cell = RgLru

    @override
    def set_memory(self, cell: Cell, memory_frames: int | None) -> None:
        """Set the decay so that a half-open gate keeps 1 - 1/memory: decay ** (c / 2) = 1 - 1/memory."""
        assert isinstance(cell, RgLru)
        nn.init.zeros_(cell.recurrence_and_input.bias)
        rate = -(-1 / memory_of_units(cell.size, memory_frames)).log1p() * 2 / _SHARPNESS
        cell.rate.data = rate.expm1().log()
