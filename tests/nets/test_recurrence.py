"""Three forms of one recurrence give the same numbers, and a gradient that is the right one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from vidrnn.nets import recurrence
from vidrnn.nets.recurrence import Form, blend, exportable, in_parallel, recur, step_by_step

BATCH, SIZE = 3, 5
TIMES = (1, 2, 3, 4, 7, 20, 33)
FORMS = [step_by_step, in_parallel, exportable]
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def parts(time: int, dtype: torch.dtype = torch.float64, batch: int = BATCH) -> tuple[Tensor, Tensor, Tensor]:
    """keep between 0 and 1, entering and start."""
    random = torch.Generator().manual_seed(time)
    keep, entering = torch.randn(2, time, batch, SIZE, generator=random, dtype=torch.float64)
    start = torch.randn(batch, SIZE, generator=random, dtype=torch.float64)
    return keep.sigmoid().to(dtype), entering.to(dtype), start.to(dtype)


def as_written(keep: Tensor, entering: Tensor, start: Tensor) -> Tensor:
    """The recurrence in autograd's own operations."""
    states = [start]
    for kept, entered in zip(keep, entering, strict=True):
        states.append(kept * states[-1] + entered)
    return torch.stack(states[1:])


def needing_gradients(*tensors: Tensor) -> list[Tensor]:
    return [tensor.clone().requires_grad_() for tensor in tensors]


@pytest.fixture(params=[step_by_step, in_parallel], ids=lambda form: form.__name__)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Form]:
    """Each form in turn is what `recur` takes on a processor."""
    monkeypatch.setattr(recurrence, "step_by_step", request.param)
    return request.param


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_form_is_the_recurrence_as_it_is_written(form: Form, time: int) -> None:
    torch.testing.assert_close(form(*parts(time)), as_written(*parts(time)), **CLOSE)


@pytest.mark.parametrize("time", [1, 2, 5])
def test_the_gradient_is_that_of_small_changes(form: Form, time: int) -> None:
    assert torch.autograd.gradcheck(recur, needing_gradients(*parts(time, batch=2)))


@pytest.mark.parametrize("time", TIMES)
def test_the_gradient_is_autograds_own(form: Form, time: int) -> None:
    mine, its = needing_gradients(*parts(time)), needing_gradients(*parts(time))
    weights = torch.randn(time, BATCH, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    (recur(*mine) * weights).sum().backward()
    (as_written(*its) * weights).sum().backward()
    for left, right in zip(mine, its, strict=True):
        torch.testing.assert_close(left.grad, right.grad, **CLOSE)


def test_the_graph_has_one_node_however_long_the_time() -> None:
    made = recur(*needing_gradients(*parts(33)))
    assert made.grad_fn is not None
    assert {type(node).__name__ for node, _ in made.grad_fn.next_functions} == {"AccumulateGrad"}


@pytest.mark.parametrize("cut", [1, 3, 19])
def test_a_state_carried_on_changes_nothing(form: Form, cut: int) -> None:
    keep, entering, start = parts(20)
    first = recur(keep[:cut], entering[:cut], start)
    second = recur(keep[cut:], entering[cut:], first[-1])
    torch.testing.assert_close(torch.cat([first, second]), recur(keep, entering, start), **CLOSE)


def test_under_autocast_and_in_half_precision_it_is_computed_in_float32(form: Form) -> None:
    half = parts(33, torch.bfloat16)
    expected = as_written(*(part.float() for part in half))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mine = needing_gradients(*half)
        made = recur(*mine)
    assert made.dtype == torch.float32
    torch.testing.assert_close(made, expected, rtol=1e-5, atol=1e-5)
    made.sum().backward()
    assert all(tensor.grad is not None and tensor.grad.dtype == torch.bfloat16 for tensor in mine)


def test_what_is_kept_whole_is_kept_over_a_thousand_steps(form: Form) -> None:
    start = torch.randn(BATCH, SIZE, generator=torch.Generator().manual_seed(0))
    still = torch.zeros(1000, BATCH, SIZE)
    assert torch.equal(recur(torch.ones_like(still), still, start)[-1], start)


def test_the_parallel_form_needs_one_pass_for_each_doubling_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    for time in (64, 128, 256):
        calls: list[int] = []
        real = torch.addcmul
        monkeypatch.setattr(torch, "addcmul", lambda *args, real=real, calls=calls: calls.append(1) or real(*args))
        in_parallel(*parts(time))
        monkeypatch.undo()
        counts.append(len(calls))
    assert [later - earlier for earlier, later in pairwise(counts)] == [1, 1]


@pytest.mark.parametrize(("device", "form"), [("cpu", "step_by_step"), ("meta", "in_parallel")])
def test_the_form_is_chosen_by_the_device(monkeypatch: pytest.MonkeyPatch, device: str, form: str) -> None:
    taken = []
    for name in ("step_by_step", "in_parallel"):
        real = getattr(recurrence, name)
        monkeypatch.setattr(recurrence, name, lambda *args, name=name, real=real: taken.append(name) or real(*args))
    recur(*(part.to(device) for part in parts(4, torch.float32)))
    assert taken == [form]


def as_gates(gate: Tensor, new: Tensor, start: Tensor) -> Tensor:
    """What `blend` is, in autograd's own operations."""
    z = gate.sigmoid()
    return as_written(1 - z, z * new, start)


@pytest.mark.parametrize("time", TIMES)
def test_a_blend_is_the_recurrence_of_its_gate_and_so_is_its_gradient(time: int) -> None:
    mine, its = needing_gradients(*parts(time)), needing_gradients(*parts(time))
    weights = torch.randn(time, BATCH, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    made, expected = blend(*mine), as_gates(*its)
    torch.testing.assert_close(made, expected, **CLOSE)
    (made * weights).sum().backward()
    (expected * weights).sum().backward()
    for left, right in zip(mine, its, strict=True):
        torch.testing.assert_close(left.grad, right.grad, **CLOSE)


@pytest.mark.parametrize("time", [1, 2, 5])
def test_the_gradient_of_a_blend_is_that_of_small_changes(time: int) -> None:
    assert torch.autograd.gradcheck(blend, needing_gradients(*parts(time, batch=2)))


def test_a_blend_under_autocast_is_computed_in_float32() -> None:
    half = parts(33, torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = blend(*half)
    assert made.dtype == torch.float32
    torch.testing.assert_close(made, as_gates(*(part.float() for part in half)), rtol=1e-5, atol=1e-5)


def test_where_the_processor_is_not_the_device_a_blend_is_the_parallel_form(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr(recurrence, "in_parallel", lambda *args: taken.append(1) or in_parallel(*args))
    blend(*(part.to("meta") for part in parts(4, torch.float32)))
    assert taken
