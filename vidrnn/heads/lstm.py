"""Long short-term memory. Hochreiter and Schmidhuber, Neural Computation 9, 1997; forget gate: Gers et al. 2000."""

from torch import Tensor, nn

from vidrnn.heads.base import CellHead, chrono_bias


class LstmHead(CellHead):
    """torch.nn.LSTM. Forget bias 1 (Jozefowicz et al., ICML 2015), or the biases of a stated memory."""

    cell = nn.LSTM
    gates = 4
    state_names = ("hidden", "cell")

    def set_memory(self, biases: tuple[Tensor, ...], memory_frames: int | None) -> None:
        """The gates stand in torch's order: input, forget, cell, output."""
        enter, forget, _, _ = biases
        if memory_frames is None:
            forget.data.fill_(1.0)
            return
        chrono_bias(forget, memory_frames)
        enter.data.copy_(-forget.data)
