"""Gated recurrent unit. Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014."""

from torch import Tensor, nn

from vidrnn.nets.heads.base import CellHead, units_memory


class GruHead(CellHead):
    """torch.nn.GRU, whose update gate keeps the old state when it is open: its bias plays the forget bias's part."""

    cell = nn.GRU
    gates = 3

    def set_memory(self, biases: tuple[Tensor, ...], memory_frames: int | None) -> None:
        """The gates stand in torch's order: reset, update, new."""
        _, update, _ = biases
        update.data.copy_((units_memory(len(update), memory_frames) - 1).log())
