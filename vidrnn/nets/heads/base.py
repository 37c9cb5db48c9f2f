"""The contracts of heads, and the code that heads of one kind share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from typing_extensions import override

from vidrnn.config import HeadConfig
from vidrnn.nets.blocks import Block, Cell
from vidrnn.nets.state import State, join, part_of

DEFAULT_MEMORY_FRAMES = 30
"""The memory of gates before training, if the user names none: they keep 29/30 of the state at each frame.

Measured over 100 steps: with a memory of 30 frames, the gradient changes by a factor of 0.934 to 1.03 from step to step
in every gated head, so it still reaches the first step. With 20 frames the factor is 0.92. With the common forget bias
of 1, which is a memory of 4 frames, it is 0.7.
"""


class Head(nn.Module, ABC):
    """Recurrent head: features (batch, time, width) -> sequence (batch, time, size).

    Law: cut the time axis anywhere, hand the state on, and nothing changes. Steps that the mask hides change nothing.
    """

    size: int
    """Numbers per step of the sequence."""
    streams: bool = True
    """False if the head must see the whole clip."""

    @abstractmethod
    def forward(self, features: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Tensor, State]:
        """Read on from `state`.

        Args:
            features: (batch, time, width) float.
            state: the state that the same head returned for the frames before; None is a fresh start.
            mask: (batch, time) bool, True for real steps, which come before the padding; None if all are real.

        Returns:
            the sequence (batch, time, size), and the state after the last real step.

        Raises:
            ValueError: the head must see the whole clip, and `state` is not empty.
        """


class Inlet(nn.Module):
    """The first layers of a head: normalisation of each frame's features, projection to the head's size, ReLU.

    In training, dropout removes the same features at every step of a clip. Otherwise a head would find in one frame the
    feature that is missing in another: Gal and Ghahramani, "A theoretically grounded application of dropout in
    recurrent neural networks", NeurIPS 2016.
    """

    def __init__(self, width: int, size: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.projection = nn.Sequential(nn.Linear(width, size), nn.ReLU())
        self.dropout = dropout

    def forward(self, features: Tensor) -> Tensor:
        """Features (batch, time, width) -> (batch, time, size)."""
        normal = self.norm(features.to(self.norm.weight.dtype))
        if self.training:
            normal = normal * nn.functional.dropout(torch.ones_like(normal[:, :1]), self.dropout)
        projected: Tensor = self.projection(normal)
        return projected


class CellHead(Head):
    """A head of one recurrent layer of torch.nn. A member names the layer and sets the biases of its gates."""

    cell: Callable[..., nn.RNNBase]
    gates: int
    """The number of gates of a unit."""
    state_names: tuple[str, ...] = ("hidden",)
    """Names of the tensors of the state, in torch's order."""

    def __init__(self, width: int, config: HeadConfig) -> None:
        super().__init__()
        directions = 2 if config.bidirectional else 1
        self.size = config.units * directions
        self.streams = not config.bidirectional
        dropout = config.dropout or 0.0
        self.inlet = Inlet(width, config.units, dropout)
        self.layer = self.cell(
            config.units,
            config.units,
            num_layers=config.depth,
            batch_first=True,
            bidirectional=config.bidirectional,
            dropout=dropout if config.depth > 1 else 0.0,
        )
        self.outlet = nn.Dropout(dropout)
        self._initialise(config)

    def _initialise(self, config: HeadConfig) -> None:
        """Set recurrent matrices orthogonal gate by gate, input matrices by Xavier, and biases by the memory."""
        for name, weight in self.layer.named_parameters():
            if name.startswith("weight_hh"):
                for gate in weight.chunk(self.gates):
                    nn.init.orthogonal_(gate)
            elif name.startswith("weight_ih"):
                for gate in weight.chunk(self.gates):
                    nn.init.xavier_uniform_(gate)
            else:
                nn.init.zeros_(weight)
                if name.startswith("bias_ih"):
                    self.set_memory(weight.chunk(self.gates), config.memory_frames)

    def set_memory(self, biases: tuple[Tensor, ...], memory_frames: int | None) -> None:
        """Set the biases of the gates, one (size,) tensor per gate, before training. Without gates they stay 0."""

    @override
    def forward(self, features: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Tensor, State]:
        if state and not self.streams:
            raise ValueError("a bidirectional head reads whole clips only; it takes no state")
        inputs, hidden = self.inlet(features), self._unpack(state)
        if mask is None or bool(mask.all()):
            sequence, hidden = self.layer(inputs, hidden)
            return self.outlet(sequence), self._pack(hidden)
        sequence, hidden = self._masked(inputs, hidden, mask)
        return self.outlet(sequence), _where_read(mask, self._pack(hidden), state)

    def _masked(self, inputs: Tensor, hidden: object, mask: Tensor) -> tuple[Tensor, object]:
        lengths = mask.sum(1).clamp(min=1).cpu()
        packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
        sequence, hidden = self.layer(packed, hidden)
        padded, _ = pad_packed_sequence(sequence, batch_first=True, total_length=inputs.shape[1])
        return padded, hidden

    def _unpack(self, state: State | None) -> object:
        """The state in torch's form: (layers, batch, size), or a tuple of them if the state has several names."""
        if not state:
            return None
        parts = tuple(state[name].transpose(0, 1).contiguous() for name in self.state_names)
        return parts if len(parts) > 1 else parts[0]

    def _pack(self, hidden: object) -> State:
        if not self.streams:
            return {}
        parts = hidden if isinstance(hidden, tuple) else (hidden,)
        return {name: part.transpose(0, 1) for name, part in zip(self.state_names, parts, strict=True)}


def _where_read(mask: Tensor, after: State, before: State | None) -> State:
    """The state after a chunk; a clip without a real step in the chunk gets its state before the chunk."""
    read = mask[:, :1, None]
    return {
        name: torch.where(read, tensor, before[name] if before else torch.zeros_like(tensor))
        for name, tensor in after.items()
    }


class BlockHead(Head):
    """A head of residual blocks around a gated linear recurrence. A member names the recurrence.

    Dropout acts before the first block and after the last one, as in the other heads.
    """

    cell: Callable[[int], Cell]

    def __init__(self, width: int, config: HeadConfig) -> None:
        super().__init__()
        self.size = config.units
        self.streams = not config.bidirectional
        dropout = config.dropout or 0.0
        self.inlet = Inlet(width, config.units, dropout)
        directions = 2 if config.bidirectional else 1
        self.blocks = nn.ModuleList(Block(config.units, self.cell, directions) for _ in range(config.depth))
        self.outlet = nn.Sequential(nn.LayerNorm(config.units), nn.Dropout(dropout))
        for module in self.blocks.modules():
            if isinstance(module, Cell):
                self.set_memory(module, config.memory_frames)

    @abstractmethod
    def set_memory(self, cell: Cell, memory_frames: int | None) -> None:
        """Set the biases of a cell's gates before training."""

    @override
    def forward(self, features: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Tensor, State]:
        if state and not self.streams:
            raise ValueError("a bidirectional head reads whole clips only; it takes no state")
        lengths = None if mask is None else mask.sum(1)
        steps = self.inlet(features).transpose(0, 1).contiguous()
        states = {}
        for number, block in enumerate(self.blocks):
            steps, states[f"block{number}"] = block(steps, part_of(state, f"block{number}"), lengths)
        return self.outlet(steps.transpose(0, 1)), join(**states) if self.streams else {}


def memory_of_units(count: int, memory_frames: int | None) -> Tensor:
    """(count,): the memory of each unit before training, in frames.

    Without `memory_frames` all units have the default. With it, each unit has its own, from 2 to `memory_frames`:
    the chrono initialisation of Tallec and Ollivier, "Can recurrent neural networks warp time?", ICLR 2018. A gate that
    keeps 1 - 1/memory of the state at each frame has the bias log(memory - 1).
    """
    if memory_frames is None:
        return torch.full((count,), float(DEFAULT_MEMORY_FRAMES))
    return torch.empty(count).uniform_(2.0, memory_frames)


_PICTURE_MEMORY_FRAMES = 4
"""The memory of a convolutional cell before training. It is shorter, because the cell must follow moving content."""


def gate_bias() -> float:
    """The bias, before training, of a gate that keeps the state of a convolutional cell."""
    return math.log(_PICTURE_MEMORY_FRAMES - 1)


class PictureCell(nn.Module, ABC):
    """One time step of a convolutional recurrent layer.

    The convolution of the input does not depend on the state, so one call handles the frames of all steps.
    """

    gates: int
    """The number of gates of a unit."""
    state_names: tuple[str, ...]
    """Names of the tensors of the state, each (batch, size, rows, columns)."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.input_conv = nn.Conv2d(width, self.gates * size, 3, padding=1)
        assert self.input_conv.bias is not None
        nn.init.zeros_(self.input_conv.bias)

    @abstractmethod
    def step(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Take one step.

        Args:
            inputs: (batch, gates * size, rows, columns), the output of `input_conv` for this step.
            state: the state before this step.

        Returns:
            the output (batch, size, rows, columns), and the state after this step.
        """


class PictureHead(nn.Module):
    """Recurrent head on feature maps: (batch, time, width, rows, columns) -> (batch, time, size, rows, columns).

    Law: cut the time axis anywhere, hand the state on, and nothing changes.
    """

    cell: Callable[[int, int], PictureCell]

    def __init__(self, width: int, config: HeadConfig) -> None:
        super().__init__()
        self.size = config.units
        widths = (width, *[config.units] * (config.depth - 1))
        self.layers = nn.ModuleList(self.cell(entering, config.units) for entering in widths)

    def forward(self, features: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read on from `state`.

        Args:
            features: (batch, time, width, rows, columns) float.
            state: the state that the same head returned for the frames before; None is a fresh start.

        Returns:
            the sequence (batch, time, size, rows, columns), and the state after the last step.
        """
        states = {}
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, PictureCell)
            features, states[f"layer{number}"] = _run(layer, features, part_of(state, f"layer{number}"))
        return features, join(**states)


def _run(cell: PictureCell, features: Tensor, state: State | None) -> tuple[Tensor, State]:
    """The outputs (batch, time, size, rows, columns) of a cell for all steps, and its state after the last step."""
    batch, time, _, rows, columns = features.shape
    if state is None:
        state = {name: features.new_zeros(batch, cell.size, rows, columns) for name in cell.state_names}
    inputs = cell.input_conv(features.flatten(0, 1)).unflatten(0, (batch, time))
    steps = []
    for now in inputs.unbind(1):
        step, state = cell.step(now, state)
        steps.append(step)
    return torch.stack(steps, 1), state
