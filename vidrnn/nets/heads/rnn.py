"""The Elman network: h = tanh(W x + U h + b). Elman, "Finding structure in time", Cognitive Science 14, 1990."""

from torch import nn

from vidrnn.nets.heads.base import CellHead


class RnnHead(CellHead):
    """torch.nn.RNN. Its recurrent weights are orthogonal before training, so the state keeps its size."""

    cell = nn.RNN
    gates = 1
