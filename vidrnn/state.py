"""All that a model remembers between two frames: named tensors that go in and come out."""

from __future__ import annotations

from torch import Tensor

State = dict[str, Tensor]
"""The minibatch is the first axis of each tensor. An empty state, or None, is a fresh start."""


def join(**parts: State) -> State:
    """One state of several rooms' states, each name led by its room's: `head.hidden`."""
    return {f"{room}.{name}": tensor for room, part in parts.items() for name, tensor in part.items()}


def part_of(state: State | None, room: str) -> State | None:
    """The part of a joined state that belongs to one room; None for a fresh start."""
    if not state:
        return None
    lead = f"{room}."
    return {name.removeprefix(lead): tensor for name, tensor in state.items() if name.startswith(lead)}
