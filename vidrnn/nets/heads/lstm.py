"""Long short-term memory. Hochreiter and Schmidhuber, Neural Computation 9, 1997; forget gate: Gers et al. 2000."""

from torch import Tensor, nn

from vidrnn.nets.heads.base import CellHead, units_memory


class LstmHead(CellHead):
    """torch.nn.LSTM, whose forget gate begins open (Jozefowicz et al., ICML 2015), as wide as its memory is to be."""

    cell = nn.LSTM
    gates = 4
    state_names = ("hidden", "cell")

    def set_memory(self, biases: tuple[Tensor, ...], memory_frames: int | None) -> None:
        """The gates stand in torch's order: input, forget, cell, output."""
        enter, forget, _, _ = biases
        forget.data.copy_((units_memory(len(forget), memory_frames) - 1).log())
        if memory_frames is not None:
            enter.data.copy_(-forget.data)
