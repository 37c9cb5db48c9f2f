"""Pre-norm residual blocks around a gated linear recurrence: what the heads made of them share. Time comes first.

    x = x + projection(cell(norm(x)))          cell: a short causal convolution over time, then the recurrence
    x = x + out(silu(gate(n)) * value(n))      n = norm(x)

The order of norm and sum is of Xiong et al., "On layer normalization in the transformer architecture", ICML 2020; the
second line of Shazeer, "GLU variants improve transformer", 2020.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from vidrnn.nets.recurrence import recur
from vidrnn.nets.state import State

REACH = 4
"""Steps that the convolution sees, its own included."""
_WIDER = 2
"""Units of the gated perceptron for each unit of the block."""


class Cell(nn.Module):
    """One direction of a block: a depthwise causal convolution, then h_t = keep_t h_(t-1) + entering_t.

    Members say what keeps and what enters, and what stands around the two.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.taps = nn.Parameter(torch.empty(REACH, size).uniform_(-(REACH**-0.5), REACH**-0.5))
        """The convolution: one weight for each step it sees, the oldest first, and unit."""

    def enter(self, normal: Tensor) -> Tensor:
        """What is convolved, (time, batch, size)."""
        return normal

    def gates(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """What keeps and what enters, of what was convolved; each (time, batch, size), at least float32."""
        raise TypeError(f"{type(self).__name__} must say what keeps and what enters")

    def remember(self, inputs: Tensor, start: Tensor) -> Tensor:
        """The state at every step (time, batch, size), from the one before the first (batch, size)."""
        return recur(*self.gates(inputs), start)

    def leave(self, hidden: Tensor, normal: Tensor) -> Tensor:
        """What the block is told of the state."""
        return hidden

    def forward(self, normal: Tensor, state: State | None, lengths: Tensor | None) -> tuple[Tensor, State]:
        """(time, batch, size) -> the same, and the state: `tail`, the last inputs of the convolution, and `hidden`.

        `lengths` (batch,) counts the real steps of each clip; None if all are real.
        """
        entered = self.enter(normal)
        fresh = entered.new_zeros(REACH - 1, *entered.shape[1:])
        inputs = torch.cat([state["tail"].transpose(0, 1) if state else fresh, entered])
        start = state["hidden"] if state else torch.zeros_like(entered[0], dtype=_precise(entered))
        hidden = self.remember(self._convolved(inputs, entered.shape[0]), start)
        after = {
            "tail": _last(inputs, REACH - 1, lengths).transpose(0, 1),
            "hidden": _last(torch.cat([start[None], hidden]) if lengths is not None else hidden, 1, lengths)[0],
        }
        return self.leave(hidden.to(entered.dtype), normal), after

    def _convolved(self, inputs: Tensor, time: int) -> Tensor:
        made = inputs[:time] * self.taps[0]
        for back in range(1, REACH):
            made = torch.addcmul(made, inputs[back : back + time], self.taps[back])
        return made


class Block(nn.Module):
    """A cell, or one for each direction, and a gated perceptron, each beside a residual path."""

    def __init__(self, size: int, cell: Callable[[int], Cell], directions: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.cells = nn.ModuleList(cell(size) for _ in range(directions))
        self.projection = nn.Linear(directions * size, size)
        self.step_norm = nn.LayerNorm(size)
        self.gate_and_value = nn.Linear(size, 2 * _WIDER * size)
        self.out = nn.Linear(_WIDER * size, size)

    def forward(self, inputs: Tensor, state: State | None, lengths: Tensor | None) -> tuple[Tensor, State]:
        """(time, batch, size) -> the same, and the state of the direction that reads forwards."""
        normal = self.norm(inputs)
        forwards, *backwards = self.cells
        mixed, after = forwards(normal, state, lengths)
        for cell in backwards:
            back, _ = cell(reverse(normal, lengths), None, lengths)
            mixed = torch.cat([mixed, reverse(back, lengths)], -1)
        outputs = inputs + self.projection(mixed)
        gate, value = self.gate_and_value(self.step_norm(outputs)).chunk(2, -1)
        return outputs + self.out(nn.functional.silu(gate) * value), after


def reverse(clips: Tensor, lengths: Tensor | None) -> Tensor:
    """(time, batch, size) -> each clip from its last real step to its first, the padding left where it is."""
    if lengths is None:
        return clips.flip(0)
    steps = torch.arange(clips.shape[0], device=clips.device)[:, None]
    sources = torch.where(steps < lengths, lengths - 1 - steps, steps)
    return clips.gather(0, sources[..., None].expand_as(clips))


def _precise(tensor: Tensor) -> torch.dtype:
    """What a state is kept in."""
    return torch.promote_types(torch.float32, tensor.dtype)


def _last(steps: Tensor, count: int, lengths: Tensor | None) -> Tensor:
    """The last `count` real ones of (time, batch, size), which begin with `count` steps of the time before."""
    if lengths is None:
        return steps[-count:]
    places = lengths + torch.arange(count, device=steps.device)[:, None]
    return steps.gather(0, places[..., None].expand(-1, -1, steps.shape[2]))
