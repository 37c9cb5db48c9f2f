"""All that a model remembers between two frames: named tensors that go in and come out."""

from __future__ import annotations

import torch
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


def before_first(steps: Tensor, state: State | None) -> Tensor:
    """What stood before the first of these steps (batch, time, ...): (batch, ...); after a fresh start, that first."""
    first = steps[:, 0]
    if not state:
        return first
    seen = state["seen"].view(-1, *[1] * (first.ndim - 1)) > 0
    return torch.where(seen, state["last"], first)


def changes(steps: Tensor, state: State | None) -> Tensor:
    """How each step (batch, time, ...) differs from the one before; the first after a fresh start differs from none."""
    return steps - torch.cat([before_first(steps, state).unsqueeze(1), steps[:, :-1]], 1)


def last_of(steps: Tensor, state: State | None, mask: Tensor | None) -> State:
    """The state after these steps (batch, time, ...): the last real one, and whether there was one, (batch, 1)."""
    if mask is None:
        # the shape, not len(), which a tracer would take for a constant
        return {"last": steps[:, -1], "seen": torch.ones(steps.shape[0], 1, device=steps.device)}
    count = mask.sum(1)
    last = steps[torch.arange(len(steps), device=steps.device), (count - 1).clamp(min=0)]
    before = state or {"last": torch.zeros_like(last), "seen": torch.zeros(len(steps), 1, device=steps.device)}
    read = (count > 0).view(-1, *[1] * (last.ndim - 1))
    return {
        "last": torch.where(read, last, before["last"]),
        "seen": torch.maximum((count > 0).unsqueeze(1).to(before["seen"].dtype), before["seen"]),
    }
