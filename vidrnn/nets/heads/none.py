"""No recurrence: the control that shows the score of the frames alone, without their order."""

from __future__ import annotations

from torch import Tensor, nn
from typing_extensions import override

from vidrnn.config import HeadConfig
from vidrnn.nets.heads.base import Head, Inlet
from vidrnn.nets.state import State


class NoHead(Head):
    """Two layers of `size` units for each step by itself; the state is empty."""

    def __init__(self, width: int, config: HeadConfig) -> None:
        super().__init__()
        self.size = config.units
        dropout = config.dropout or 0.0
        self.inlet = Inlet(width, config.units, dropout)
        self.layer = nn.Sequential(nn.Linear(config.units, config.units), nn.ReLU(), nn.Dropout(dropout))

    @override
    def forward(self, features: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Tensor, State]:
        return self.layer(self.inlet(features)), {}
