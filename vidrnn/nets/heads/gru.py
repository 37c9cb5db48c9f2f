"""Gated recurrent unit. Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014."""

from torch import Tensor, nn
from typing_extensions import override

from vidrnn.nets.heads.base import CellHead, memory_of_units


class GruHead(CellHead):
    """torch.nn.GRU. Its update gate keeps the old state when it is open, as the forget gate of an LSTM does."""

    cell = nn.GRU
    gates = 3

    @override
    def set_memory(self, biases: tuple[Tensor, ...], memory_frames: int | None) -> None:
        """Set the bias of the update gate. Torch's order of gates is: reset, update, new."""
        _, update, _ = biases
        update.data.copy_((memory_of_units(len(update), memory_frames) - 1).log())
