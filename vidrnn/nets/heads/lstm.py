"""Long short-term memory. Hochreiter and Schmidhuber, Neural Computation 9, 1997; forget gate: Gers et al. 2000."""

from torch import Tensor, nn
from typing_extensions import override

from vidrnn.nets.heads.base import CellHead, memory_of_units


class LstmHead(CellHead):
    """torch.nn.LSTM. Before training, its forget gate is open according to the memory: Jozefowicz et al., ICML 2015."""

    cell = nn.LSTM
    gates = 4
    state_names = ("hidden", "cell")

    @override
    def set_memory(self, biases: tuple[Tensor, ...], memory_frames: int | None) -> None:
        """Set the bias of the forget gate. Torch's order of gates is: input, forget, cell, output."""
        enter, forget, _, _ = biases
        forget.data.copy_((memory_of_units(len(forget), memory_frames) - 1).log())
        if memory_frames is not None:
            enter.data.copy_(-forget.data)
