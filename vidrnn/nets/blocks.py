"""Pre-norm residual blocks around a gated linear recurrence, which several heads share. Time is the first axis.

    x = x + projection(cell(norm(x)))          cell: a short causal convolution over time, then the recurrence
    x = x + out(silu(gate(n)) * value(n))      n = norm(x)

Norm before the residual sum: Xiong et al., "On layer normalization in the transformer architecture", ICML 2020. The
second line: Shazeer, "GLU variants improve transformer", 2020.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from vidrnn.nets.recurrence import recur
from vidrnn.nets.state import State

REACH = 4
"""Steps in the window of the convolution, with the current step as the last one."""
_EXPANSION = 2
"""Units of the gated perceptron per unit of the block."""


class Cell(nn.Module, ABC):
    """One direction of a block: a depthwise causal convolution, then h_t = keep_t h_(t-1) + input_t.

    A member gives the gates. It may also replace the layers before and after the recurrence.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.taps = nn.Parameter(torch.empty(REACH, size).uniform_(-(REACH**-0.5), REACH**-0.5))
        """(REACH, size): the weights of the convolution, oldest step first."""

    def conv_input(self, normal: Tensor) -> Tensor:
        """The input of the convolution, (time, batch, size), from the normalised input of the block, shaped alike."""
        return normal

    @abstractmethod
    def gates(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The two sides of the recurrence.

        Args:
            inputs: (time, batch, size), the output of the convolution.

        Returns:
            the share of the state that stays, and the numbers that are added to the state; each (time, batch, size),
            at least float32.
        """

    def run(self, inputs: Tensor, start: Tensor) -> Tensor:
        """The state at every step (time, batch, size), from the state before the first step (batch, size)."""
        return recur(*self.gates(inputs), start)

    def output(self, hidden: Tensor, normal: Tensor) -> Tensor:
        """The output of the cell, (time, batch, size), from its states and the normalised input, shaped alike."""
        return hidden

    def forward(self, normal: Tensor, state: State | None, lengths: Tensor | None) -> tuple[Tensor, State]:
        """Read on from `state`.

        Args:
            normal: (time, batch, size), the normalised input of the block.
            state: the state that this cell returned for the steps before; None is a fresh start.
            lengths: (batch,), the number of real steps of each clip; None if all are real.

        Returns:
            (time, batch, size), and the state: `tail` (batch, REACH - 1, size), the last inputs of the convolution, and
            `hidden` (batch, size).
        """
        entering = self.conv_input(normal)
        fresh = entering.new_zeros(REACH - 1, *entering.shape[1:])
        inputs = torch.cat([state["tail"].transpose(0, 1) if state else fresh, entering])
        start = state["hidden"] if state else torch.zeros_like(entering[0], dtype=_precise(entering))
        hidden = self.run(self._convolved(inputs, entering.shape[0]), start)
        after = {
            "tail": _last(inputs, REACH - 1, lengths).transpose(0, 1),
            "hidden": _last(torch.cat([start[None], hidden]) if lengths is not None else hidden, 1, lengths)[0],
        }
        return self.output(hidden.to(entering.dtype), normal), after

    def _convolved(self, inputs: Tensor, time: int) -> Tensor:
        total = inputs[:time] * self.taps[0]
        for back in range(1, REACH):
            total = torch.addcmul(total, inputs[back : back + time], self.taps[back])
        return total


class Block(nn.Module):
    """One cell for each direction, then a gated perceptron; each has a residual connection."""

    def __init__(self, size: int, cell: Callable[[int], Cell], directions: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.cells = nn.ModuleList(cell(size) for _ in range(directions))
        self.projection = nn.Linear(directions * size, size)
        self.step_norm = nn.LayerNorm(size)
        self.gate_and_value = nn.Linear(size, 2 * _EXPANSION * size)
        self.out = nn.Linear(_EXPANSION * size, size)

    def forward(self, inputs: Tensor, state: State | None, lengths: Tensor | None) -> tuple[Tensor, State]:
        """(time, batch, size) -> the same shape, and the state of the forward direction; arguments as `Cell`."""
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
    """Clips (time, batch, size) with their real steps in reversed order; the padding stays in place."""
    if lengths is None:
        return clips.flip(0)
    steps = torch.arange(clips.shape[0], device=clips.device)[:, None]
    sources = torch.where(steps < lengths, lengths - 1 - steps, steps)
    return clips.gather(0, sources[..., None].expand_as(clips))


def _precise(tensor: Tensor) -> torch.dtype:
    """The type of a state: float32, or float64 if the tensor is float64."""
    return torch.promote_types(torch.float32, tensor.dtype)


def _last(steps: Tensor, count: int, lengths: Tensor | None) -> Tensor:
    """The last `count` real steps of (time, batch, size), whose first `count` steps are older than the clip."""
    if lengths is None:
        return steps[-count:]
    places = lengths + torch.arange(count, device=steps.device)[:, None]
    return steps.gather(0, places[..., None].expand(-1, -1, steps.shape[2]))
