"""The state of a network between two frames: named tensors, which go in and come out."""

from __future__ import annotations

import torch
from torch import Tensor

State = dict[str, Tensor]
"""The first axis of each tensor is the minibatch. An empty state, or None, is a fresh start."""


def join(**parts: State) -> State:
    """One state from the states of several parts. The name of the part leads each name: `head.hidden`."""
    return {f"{part}.{name}": tensor for part, state in parts.items() for name, tensor in state.items()}


def part_of(state: State | None, part: str) -> State | None:
    """The state of one part of a joined state; None for a fresh start."""
    if not state:
        return None
    lead = f"{part}."
    return {name.removeprefix(lead): tensor for name, tensor in state.items() if name.startswith(lead)}


def before_first(steps: Tensor, state: State | None) -> Tensor:
    """The step before the first of `steps`.

    Args:
        steps: (batch, time, ...).
        state: the state that `last_of` returned for the steps before; None is a fresh start.

    Returns:
        (batch, ...): the last step of the state, or the first of `steps` after a fresh start.
    """
    first = steps[:, 0]
    if not state:
        return first
    seen = state["seen"].view(-1, *[1] * (first.ndim - 1)) > 0
    return torch.where(seen, state["last"], first)


def changes(steps: Tensor, state: State | None) -> Tensor:
    """Each step minus the step before it, shaped as `steps` (batch, time, ...); 0 for the first after a fresh start."""
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
