"""The contract of a head, what the classical cells of torch.nn share, and what the heads made of blocks share."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from vidrnn.config import HeadConfig
from vidrnn.nets.blocks import Block, Cell
from vidrnn.nets.state import State, join, part_of

DEFAULT_MEMORY_FRAMES = 30
"""How far back gates remember at the start if nothing is said: they keep 29/30 of the state at each frame.

Found so that in every gated head the gradient of the last of 100 steps is still felt at the first: by factors of 0.934
to 1.03 from step to step, where a memory of 20 leaves 0.92 and the usual forget bias of 1, a memory of 4, 0.7.
"""


class Head(nn.Module):
    """Recurrent head: features (batch, time, width) -> sequence (batch, time, size).

    Law: cut the time axis anywhere, hand the state on, and nothing changes. Steps that the mask hides change nothing.
    """

    size: int
    """Numbers per step of the sequence."""
    streams: bool = True
    """False if it must see the whole clip."""

    def forward(self, features: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Tensor, State]:
        """Read on from `state`; None is a fresh start.

        Args:
            features: (batch, time, width) float.
            state: what the same head returned for the frames before.
            mask: (batch, time) bool, True for real steps, which come before the padding; None if all are real.

        Returns:
            the sequence (batch, time, size), and the state after the last real step.
        """
        raise TypeError(f"{type(self).__name__} must say how it reads features")


class Inlet(nn.Module):
    """Features made fit for a head: each frame's normalised, projected to the head's size and rectified.

    In training the same features are dropped at every step of a clip, so that a head cannot find in one frame what it
    was denied in another: Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural
    networks", NeurIPS 2016.
    """

    def __init__(self, width: int, size: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.projection = nn.Sequential(nn.Linear(width, size), nn.ReLU())
        self.dropout = dropout

    def forward(self, features: Tensor) -> Tensor:
        """(batch, time, width) -> (batch, time, size)."""
        normal = self.norm(features.to(self.norm.weight.dtype))
        if self.training:
            normal = normal * nn.functional.dropout(torch.ones_like(normal[:, :1]), self.dropout)
        projected: Tensor = self.projection(normal)
        return projected


class CellHead(Head):
    """A head made of one of torch.nn's recurrent layers; members say which, and how its gates begin."""

    cell: Callable[..., nn.RNNBase]
    gates: int
    state_names: tuple[str, ...] = ("hidden",)

    def __init__(self, width: int, config: HeadConfig) -> None:
        super().__init__()
        directions = 2 if config.bidirectional else 1
        self.size = config.size * directions
        self.streams = not config.bidirectional
        dropout = config.dropout or 0.0
        self.inlet = Inlet(width, config.size, dropout)
        self.layer = self.cell(
            config.size,
            config.size,
            num_layers=config.depth,
            batch_first=True,
            bidirectional=config.bidirectional,
            dropout=dropout if config.depth > 1 else 0.0,
        )
        self.outlet = nn.Dropout(dropout)
        self._initialise(config)

    def _initialise(self, config: HeadConfig) -> None:
        """Orthogonal recurrent matrices gate by gate, Xavier input matrices, biases from the memory asked for."""
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
        """Set the gates' first biases, one (size,) tensor per gate; a cell without gates leaves them at 0."""

    def forward(self, features: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Tensor, State]:
        """As the contract says. A bidirectional head takes no state, since it must see the whole clip."""
        if state and not self.streams:
            raise ValueError("a bidirectional head sees whole clips only, it takes no state")
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
        """The state as torch wants it: (layers, batch, size), a pair of them for two names."""
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
    """The state after a chunk, but the one before it for clips of which the chunk holds only padding."""
    read = mask[:, :1, None]
    return {
        name: torch.where(read, tensor, before[name] if before else torch.zeros_like(tensor))
        for name, tensor in after.items()
    }


class BlockHead(Head):
    """A head made of residual blocks around a gated linear recurrence; members say which.

    Dropout acts on what enters the first block and on what leaves the last one, as in the other heads.
    """

    cell: Callable[[int], Cell]

    def __init__(self, width: int, config: HeadConfig) -> None:
        super().__init__()
        self.size = config.size
        self.streams = not config.bidirectional
        dropout = config.dropout or 0.0
        self.inlet = Inlet(width, config.size, dropout)
        directions = 2 if config.bidirectional else 1
        self.blocks = nn.ModuleList(Block(config.size, self.cell, directions) for _ in range(config.depth))
        self.outlet = nn.Sequential(nn.LayerNorm(config.size), nn.Dropout(dropout))
        for module in self.blocks.modules():
            if isinstance(module, Cell):
                self.set_memory(module, config.memory_frames)

    def set_memory(self, cell: Cell, memory_frames: int | None) -> None:
        """Set the biases of a cell's gates."""
        raise TypeError(f"{type(self).__name__} must say how its gates begin")

    def forward(self, features: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Tensor, State]:
        """As the contract says. A bidirectional head takes no state, since it must see the whole clip."""
        if state and not self.streams:
            raise ValueError("a bidirectional head sees whole clips only, it takes no state")
        lengths = None if mask is None else mask.sum(1)
        steps = self.inlet(features).transpose(0, 1).contiguous()
        states = {}
        for number, block in enumerate(self.blocks):
            steps, states[f"block{number}"] = block(steps, part_of(state, f"block{number}"), lengths)
        return self.outlet(steps.transpose(0, 1)), join(**states) if self.streams else {}


def units_memory(count: int, memory_frames: int | None) -> Tensor:
    """(count,) how many frames each unit should remember at the start.

    Without a stated memory the same for all. With one, between 2 and that many: the chrono initialisation of Tallec and
    Ollivier, "Can recurrent neural networks warp time?", ICLR 2018. A gate that keeps 1 - 1/memory at each frame has
    the bias log(memory - 1).
    """
    if memory_frames is None:
        return torch.full((count,), float(DEFAULT_MEMORY_FRAMES))
    return torch.empty(count).uniform_(2.0, memory_frames)


_PICTURE_MEMORY_FRAMES = 4
"""What keeps the picture has to follow what moves through it: it begins with a shorter memory than a vector's."""


def gate_bias() -> float:
    """The first bias of a gate that keeps a map's memory."""
    return math.log(_PICTURE_MEMORY_FRAMES - 1)


class PictureCell(nn.Module):
    """One time step on maps. What enters does not depend on the state, so that all frames' is convolved at once."""

    gates: int
    state_names: tuple[str, ...]

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.entering = nn.Conv2d(width, self.gates * size, 3, padding=1)
        assert self.entering.bias is not None
        nn.init.zeros_(self.entering.bias)

    def step(self, entering: Tensor, state: State) -> tuple[Tensor, State]:
        """What enters (batch, gates * size, rows, columns) -> (batch, size, rows, columns), and the state after it."""
        raise TypeError(f"{type(self).__name__} must say how it steps")


class PictureHead(nn.Module):
    """Recurrent head that keeps the picture: (batch, time, width, height, width) -> (batch, time, size, ...).

    Law: cut the time axis anywhere, hand the state on, and nothing changes.
    """

    cell: Callable[[int, int], PictureCell]

    def __init__(self, width: int, config: HeadConfig) -> None:
        super().__init__()
        self.size = config.size
        widths = (width, *[config.size] * (config.depth - 1))
        self.layers = nn.ModuleList(self.cell(entering, config.size) for entering in widths)

    def forward(self, features: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read on from `state`, None for a fresh start.

        Args:
            features: (batch, time, width, rows, columns) float.
            state: what the same head returned for the frames before.

        Returns:
            the sequence (batch, time, size, rows, columns), and the state after the last step.
        """
        states = {}
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, PictureCell)
            features, states[f"layer{number}"] = _along(layer, features, part_of(state, f"layer{number}"))
        return features, join(**states)


def _along(cell: PictureCell, features: Tensor, state: State | None) -> tuple[Tensor, State]:
    """A cell at each step in turn."""
    batch, time, _, rows, columns = features.shape
    if state is None:
        state = {name: features.new_zeros(batch, cell.size, rows, columns) for name in cell.state_names}
    entering = cell.entering(features.flatten(0, 1)).unflatten(0, (batch, time))
    steps = []
    for now in entering.unbind(1):
        step, state = cell.step(now, state)
        steps.append(step)
    return torch.stack(steps, 1), state
