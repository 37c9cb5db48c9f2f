"""Convolutional long short-term memory. Shi et al., "Convolutional LSTM network: a machine learning approach for
precipitation nowcasting", NeurIPS 2015; without its peepholes, as most use it.
"""

from __future__ import annotations

from torch import Tensor, nn

from vidrnn.nets.heads.base import PictureCell, PictureHead, gate_bias
from vidrnn.nets.state import State


class ConvLstmCell(PictureCell):
    """An LSTM whose matrices are 3x3 convolutions."""

    gates = 4
    state_names = ("hidden", "cell")

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, size)
        self.remembered = nn.Conv2d(size, 4 * size, 3, padding=1, bias=False)
        assert self.entering.bias is not None
        _, forget, _, _ = self.entering.bias.chunk(4)
        forget.data.fill_(gate_bias())

    def step(self, entering: Tensor, state: State) -> tuple[Tensor, State]:
        """As the contract says. i, f, g, o from W x + U h; c' = f c + i g; h' = o tanh(c')."""
        i, f, g, o = (entering + self.remembered(state["hidden"])).chunk(4, 1)
        cell = f.sigmoid() * state["cell"] + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        return hidden, {"hidden": hidden, "cell": cell}


class ConvLstmHead(PictureHead):
    """Layers of convolutional LSTMs."""

    cell = ConvLstmCell
