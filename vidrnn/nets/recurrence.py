"""The gated linear recurrence h_t = keep_t h_(t-1) + entering_t, in three forms that give the same numbers.

Step by step on a processor, where a step is two operations on a small slice that stays in its caches; in log2(time)
passes over the whole on a GPU, where starting an operation costs more than the operation: Hillis and Steele, "Data
parallel algorithms", Communications of the ACM 29, 1986; and as one node with a body, which an exported network needs
for its time to stay free. Everything is time-major, so that a step is one stretch of memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._higher_order_ops.scan import scan

Form = Callable[[Tensor, Tensor, Tensor], Tensor]
"""keep and entering (time, batch, size), start (batch, size) -> every h_t (time, batch, size), without gradients."""


def recur(keep: Tensor, entering: Tensor, start: Tensor) -> Tensor:
    """Every h_t (time, batch, size), in float32 whatever autocast says, or in float64 if that is what comes in.

    A product over many steps has no digits left in half precision: 0.999 is 1 there.

    Args:
        keep: (time, batch, size) how much of the state stays.
        entering: (time, batch, size) what is added to it.
        start: (batch, size) the state before the first step.
    """
    precise = torch.promote_types(torch.float32, entering.dtype)
    keep, entering, start = keep.to(precise), entering.to(precise), start.to(precise)
    if torch.compiler.is_exporting():
        return exportable(keep, entering, start)
    made: Tensor = _Recurrence.apply(keep, entering, start, step_by_step if keep.device.type == "cpu" else in_parallel)
    return made


def blend(gate: Tensor, new: Tensor, start: Tensor) -> Tensor:
    """Every h_t = (1 - z) h_(t-1) + z new_t with z = sigmoid(gate_t): `recur` of 1 - z and z new, in fewer operations.

    On a processor gate and recurrence are one operation with one gradient, which trains about a sixth faster.
    """
    precise = torch.promote_types(torch.float32, new.dtype)
    gate, new, start = gate.to(precise), new.to(precise), start.to(precise)
    if torch.compiler.is_exporting() or gate.device.type != "cpu":
        z = gate.sigmoid()
        return recur(1 - z, z * new, start)
    made: Tensor = _Blend.apply(gate, new, start)
    return made


def step_by_step(keep: Tensor, entering: Tensor, start: Tensor) -> Tensor:
    """The recurrence as it is written, a step after the other."""
    made = torch.empty_like(entering)
    before = start
    for kept, entered, now in zip(keep.unbind(0), entering.unbind(0), made.unbind(0), strict=True):
        before = torch.addcmul(entered, kept, before, out=now)
    return made


def in_parallel(keep: Tensor, entering: Tensor, start: Tensor) -> Tensor:
    """The recurrence in log2(time) passes: after each, a step knows twice as many of the steps before it."""
    made = torch.cat([torch.addcmul(entering[:1], keep[:1], start), entering[1:]])
    reach = 1
    while reach < len(made):
        made = torch.cat([made[:reach], torch.addcmul(made[reach:], keep[reach:], made[:-reach])])
        keep = torch.cat([keep[:reach], keep[reach:] * keep[:-reach]])
        reach *= 2
    return made


def exportable(keep: Tensor, entering: Tensor, start: Tensor) -> Tensor:
    """The recurrence as one operation over a time of any length, which becomes ONNX's Scan."""
    made: Tensor = scan(_step, start, (keep, entering))[1]
    return made


def _step(before: Tensor, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    keep, entering = inputs
    now = torch.addcmul(entering, keep, before)
    return now, now.clone()  # the state and the output may not be the same tensor


class _Recurrence(torch.autograd.Function):
    """A form with its gradient, which is the same recurrence from the last step to the first.

    With g_t = d loss / d h_t, by all ways: g_t = given_t + keep_(t+1) g_(t+1), and then d entering_t = g_t,
    d keep_t = g_t h_(t-1) and d start = keep_0 g_0.
    """

    @staticmethod
    def forward(ctx: Any, keep: Tensor, entering: Tensor, start: Tensor, form: Form) -> Tensor:
        made = form(keep, entering, start)
        ctx.save_for_backward(keep, made, start)
        ctx.form = form
        return made

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        keep, made, start = ctx.saved_tensors
        flow = _steps_back(keep, given) if ctx.form is step_by_step else _reversed(ctx.form, keep, given)
        to_keep = torch.empty_like(flow)
        torch.mul(flow[1:], made[:-1], out=to_keep[1:])
        torch.mul(flow[0], start, out=to_keep[0])
        return to_keep, flow, keep[0] * flow[0], None


class _Blend(torch.autograd.Function):
    """`blend`, with g_t as in the recurrence: d new_t = z g_t, d gate_t = z (1 - z) (new_t - h_(t-1)) g_t."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, new: Tensor, start: Tensor) -> Tensor:
        z = gate.sigmoid()
        made = torch.empty_like(z)
        before = start
        for opened, entered, now in zip(z.unbind(0), new.unbind(0), made.unbind(0), strict=True):
            before = torch.lerp(before, entered, opened, out=now)
        ctx.save_for_backward(z, new, made, start)
        return made

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z, new, made, start = ctx.saved_tensors
        keep = 1 - z
        flow = _steps_back(keep, given)
        to_new = flow * z
        to_gate = torch.empty_like(flow)
        torch.sub(new[1:], made[:-1], out=to_gate[1:])
        torch.sub(new[0], start, out=to_gate[0])
        return to_gate.mul_(keep).mul_(to_new), to_new, keep[0] * flow[0]


def _steps_back(keep: Tensor, given: Tensor) -> Tensor:
    """g_t = given_t + keep_(t+1) g_(t+1), a step after the other, each where it belongs."""
    flow = torch.empty_like(given)
    after = flow[-1].copy_(given[-1])
    steps = zip(keep[1:].unbind(0), given[:-1].unbind(0), flow[:-1].unbind(0), strict=True)
    for kept, here, now in reversed(list(steps)):
        after = torch.addcmul(here, kept, after, out=now)
    return flow


def _reversed(form: Form, keep: Tensor, given: Tensor) -> Tensor:
    """The same by a form that reads forwards, on reversed time."""
    later = torch.cat([keep[1:], torch.zeros_like(keep[:1])])
    return form(later.flip(0), given.flip(0), torch.zeros_like(given[0])).flip(0)
