"""Convolutional long short-term memory, without peepholes.

Shi et al., "Convolutional LSTM network: a machine learning approach for precipitation nowcasting", NeurIPS 2015.
"""

from __future__ import annotations

from torch import Tensor, nn
from typing_extensions import override

from vidrnn.nets.heads.base import PictureCell, PictureHead, gate_bias
from vidrnn.nets.state import State


class ConvLstmCell(PictureCell):
    """An LSTM whose matrices are 3x3 convolutions."""

    gates = 4
    state_names = ("hidden", "cell")

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, size)
        self.recurrent_conv = nn.Conv2d(size, 4 * size, 3, padding=1, bias=False)
        assert self.input_conv.bias is not None
        _, forget, _, _ = self.input_conv.bias.chunk(4)
        forget.data.fill_(gate_bias())

    @override
    def step(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """i, f, g, o from W x + U h; c' = f c + i g; h' = o tanh(c')."""
        i, f, g, o = (inputs + self.recurrent_conv(state["hidden"])).chunk(4, 1)
        cell = f.sigmoid() * state["cell"] + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        return hidden, {"hidden": hidden, "cell": cell}


class ConvLstmHead(PictureHead):
    """Layers of convolutional LSTMs."""

    cell = ConvLstmCell
