"""The gated linear recurrence h_t = keep_t h_(t-1) + input_t, in three forms that give the same numbers.

- Sequential, for a CPU: a step is two operations on a small slice, which stays in the cache of the CPU.
- Parallel, for a GPU: log2(time) passes over all steps, because starting an operation costs more than the operation.
  Hillis and Steele, "Data parallel algorithms", Communications of the ACM 29, 1986.
- Exported: one node with a body, so that an exported network accepts any number of steps.

Time is the first axis of all tensors, so that a step is contiguous in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._higher_order_ops.scan import scan

Form = Callable[[Tensor, Tensor, Tensor], Tensor]
"""keep and inputs (time, batch, size), start (batch, size) -> every h_t (time, batch, size), without gradients."""


def recur(keep: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    """Every h_t (time, batch, size), in float32 also under autocast, or in float64 if `inputs` are float64.

    Half precision is too coarse for a product over many steps: 0.999 rounds to 1.

    Args:
        keep: (time, batch, size), the share of the state that stays.
        inputs: (time, batch, size), the numbers that are added to the state.
        start: (batch, size), the state before the first step.
    """
    precise = torch.promote_types(torch.float32, inputs.dtype)
    keep, inputs, start = keep.to(precise), inputs.to(precise), start.to(precise)
    if torch.compiler.is_exporting():
        return exportable_scan(keep, inputs, start)
    form = sequential_scan if keep.device.type == "cpu" else parallel_scan
    states: Tensor = _Recurrence.apply(keep, inputs, start, form)
    return states


def blend(gate: Tensor, new: Tensor, start: Tensor) -> Tensor:
    """Every h_t = (1 - z) h_(t-1) + z new_t, where z = sigmoid(gate_t): `recur` of 1 - z and z new.

    On a CPU, gate and recurrence are one operation with one gradient. Training is about a sixth faster with it.

    Args:
        gate: (time, batch, size) float.
        new: (time, batch, size) float.
        start: (batch, size), the state before the first step.
    """
    precise = torch.promote_types(torch.float32, new.dtype)
    gate, new, start = gate.to(precise), new.to(precise), start.to(precise)
    if torch.compiler.is_exporting() or gate.device.type != "cpu":
        z = gate.sigmoid()
        return recur(1 - z, z * new, start)
    states: Tensor = _Blend.apply(gate, new, start)
    return states


def sequential_scan(keep: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    """The recurrence, one step after the other; arguments and result as `Form`."""
    states = torch.empty_like(inputs)
    before = start
    for share, entering, now in zip(keep.unbind(0), inputs.unbind(0), states.unbind(0), strict=True):
        before = torch.addcmul(entering, share, before, out=now)
    return states


def parallel_scan(keep: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    """The recurrence in log2(time) passes; arguments and result as `Form`.

    After each pass, a step includes twice as many of the steps before it.
    """
    states = torch.cat([torch.addcmul(inputs[:1], keep[:1], start), inputs[1:]])
    reach = 1
    while reach < len(states):
        states = torch.cat([states[:reach], torch.addcmul(states[reach:], keep[reach:], states[:-reach])])
        keep = torch.cat([keep[:reach], keep[reach:] * keep[:-reach]])
        reach *= 2
    return states


def exportable_scan(keep: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    """The recurrence as one operation over any number of steps, which becomes ONNX's Scan; arguments as `Form`."""
    states: Tensor = scan(_step, start, (keep, inputs))[1]
    return states


def _step(before: Tensor, step: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    keep, entering = step
    now = torch.addcmul(entering, keep, before)
    return now, now.clone()  # torch's scan refuses one tensor as both state and output


class _Recurrence(torch.autograd.Function):
    """A form with its gradient, which is the same recurrence from the last step to the first.

    Let g_t be the total gradient d loss / d h_t, and given_t the gradient that arrives at h_t from outside. Then
    g_t = given_t + keep_(t+1) g_(t+1), d input_t = g_t, d keep_t = g_t h_(t-1) and d start = keep_0 g_0.
    """

    @staticmethod
    def forward(ctx: Any, keep: Tensor, inputs: Tensor, start: Tensor, form: Form) -> Tensor:
        states = form(keep, inputs, start)
        ctx.save_for_backward(keep, states, start)
        ctx.form = form
        return states

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        keep, states, start = ctx.saved_tensors
        total = _sequential_back(keep, given) if ctx.form is sequential_scan else _reversed(ctx.form, keep, given)
        to_keep = torch.empty_like(total)
        torch.mul(total[1:], states[:-1], out=to_keep[1:])
        torch.mul(total[0], start, out=to_keep[0])
        return to_keep, total, keep[0] * total[0], None


class _Blend(torch.autograd.Function):
    """`blend` with its gradient: d new_t = z g_t and d gate_t = z (1 - z) (new_t - h_(t-1)) g_t.

    g_t is the total gradient, as in `_Recurrence`.
    """

    @staticmethod
    def forward(ctx: Any, gate: Tensor, new: Tensor, start: Tensor) -> Tensor:
        z = gate.sigmoid()
        states = torch.empty_like(z)
        before = start
        for share, entering, now in zip(z.unbind(0), new.unbind(0), states.unbind(0), strict=True):
            before = torch.lerp(before, entering, share, out=now)
        ctx.save_for_backward(z, new, states, start)
        return states

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z, new, states, start = ctx.saved_tensors
        keep = 1 - z
        total = _sequential_back(keep, given)
        to_new = total * z
        to_gate = torch.empty_like(total)
        torch.sub(new[1:], states[:-1], out=to_gate[1:])
        torch.sub(new[0], start, out=to_gate[0])
        return to_gate.mul_(keep).mul_(to_new), to_new, keep[0] * total[0]


def _sequential_back(keep: Tensor, given: Tensor) -> Tensor:
    """g_t = given_t + keep_(t+1) g_(t+1), one step after the other: (time, batch, size)."""
    total = torch.empty_like(given)
    after = total[-1].copy_(given[-1])
    steps = zip(keep[1:].unbind(0), given[:-1].unbind(0), total[:-1].unbind(0), strict=True)
    for share, here, now in reversed(list(steps)):
        after = torch.addcmul(here, share, after, out=now)
    return total


def _reversed(form: Form, keep: Tensor, given: Tensor) -> Tensor:
    """The same numbers from a form that reads forwards, on reversed time."""
    later = torch.cat([keep[1:], torch.zeros_like(keep[:1])])
    return form(later.flip(0), given.flip(0), torch.zeros_like(given[0])).flip(0)
