"""Convolutional gated recurrent unit.

Ballas et al., "Delving deeper into convolutional networks for learning video representations", ICLR 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typing_extensions import override

from vidrnn.nets.heads.base import PictureCell, PictureHead, gate_bias
from vidrnn.nets.state import State


class ConvGruCell(PictureCell):
    """A GRU whose matrices are 3x3 convolutions: each place of the map has a memory of its neighbourhood."""

    gates = 3
    state_names = ("hidden",)

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, size)
        self.recurrent_conv = nn.Conv2d(size, 2 * size, 3, padding=1, bias=False)
        self.candidate_conv = nn.Conv2d(size, size, 3, padding=1, bias=False)
        assert self.input_conv.bias is not None
        _, update, _ = self.input_conv.bias.chunk(3)
        update.data.fill_(gate_bias())

    @override
    def step(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """r, z = sigmoid(W x + U h); n = tanh(W x + U (r h)); h' = z h + (1 - z) n."""
        hidden = state["hidden"]
        reset, update, new = inputs.chunk(3, 1)
        r, z = (torch.stack([reset, update]) + torch.stack(self.recurrent_conv(hidden).chunk(2, 1))).sigmoid()
        n = (new + self.candidate_conv(r * hidden)).tanh()
        hidden = z * hidden + (1 - z) * n
        return hidden, {"hidden": hidden}


class ConvGruHead(PictureHead):
    """Layers of convolutional GRUs."""

    cell = ConvGruCell
