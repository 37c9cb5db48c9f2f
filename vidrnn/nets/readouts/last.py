"""The readout that takes the sequence at its last real step."""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import override

from vidrnn.nets.readouts.base import Readout
from vidrnn.nets.state import State


class LastReadout(Readout):
    """The output of the head at the last real step."""

    @override
    def forward(self, sequence: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Tensor, State]:
        """The state is the last vector. A chunk that holds only padding does not change it."""
        if mask is None:
            last = sequence[:, -1]
            return last, {"last": last}
        count = mask.sum(1)
        last = sequence[torch.arange(len(sequence), device=sequence.device), (count - 1).clamp(min=0)]
        before = state["last"] if state else torch.zeros_like(last)
        last = torch.where((count > 0).unsqueeze(-1), last, before)
        return last, {"last": last}
