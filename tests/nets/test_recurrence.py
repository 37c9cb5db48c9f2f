"""Three forms of one recurrence give the same numbers, and the right gradient."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from vidrnn.nets import recurrence
from vidrnn.nets.recurrence import Form, blend, exportable_scan, parallel_scan, recur, sequential_scan

BATCH, SIZE = 3, 5
TIMES = (1, 2, 3, 4, 7, 20, 33)
FORMS = [sequential_scan, parallel_scan, exportable_scan]
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def parts(time: int, dtype: torch.dtype = torch.float64, batch: int = BATCH) -> tuple[Tensor, Tensor, Tensor]:
    """keep between 0 and 1, inputs and start."""
    random = torch.Generator().manual_seed(time)
    keep, inputs = torch.randn(2, time, batch, SIZE, generator=random, dtype=torch.float64)
    start = torch.randn(batch, SIZE, generator=random, dtype=torch.float64)
    return keep.sigmoid().to(dtype), inputs.to(dtype), start.to(dtype)


def reference(keep: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    """The recurrence in plain operations of autograd."""
    states = [start]
    for share, entering in zip(keep, inputs, strict=True):
        states.append(share * states[-1] + entering)
    return torch.stack(states[1:])


def needing_gradients(*tensors: Tensor) -> list[Tensor]:
    return [tensor.clone().requires_grad_() for tensor in tensors]


@pytest.fixture(params=[sequential_scan, parallel_scan], ids=lambda form: form.__name__)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Form]:
    """Each form in turn, as the one that `recur` uses on a CPU."""
    monkeypatch.setattr(recurrence, "sequential_scan", request.param)
    return request.param


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_form_gives_the_numbers_of_the_recurrence(form: Form, time: int) -> None:
    torch.testing.assert_close(form(*parts(time)), reference(*parts(time)), **CLOSE)


@pytest.mark.parametrize("time", [1, 2, 5])
def test_the_gradient_agrees_with_finite_differences(form: Form, time: int) -> None:
    assert torch.autograd.gradcheck(recur, needing_gradients(*parts(time, batch=2)))


@pytest.mark.parametrize("time", TIMES)
def test_the_gradient_agrees_with_autograd(form: Form, time: int) -> None:
    mine, its = needing_gradients(*parts(time)), needing_gradients(*parts(time))
    weights = torch.randn(time, BATCH, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    (recur(*mine) * weights).sum().backward()
    (reference(*its) * weights).sum().backward()
    for left, right in zip(mine, its, strict=True):
        torch.testing.assert_close(left.grad, right.grad, **CLOSE)


def test_the_graph_has_one_node_for_any_number_of_steps() -> None:
    states = recur(*needing_gradients(*parts(33)))
    assert states.grad_fn is not None
    assert {type(node).__name__ for node, _ in states.grad_fn.next_functions} == {"AccumulateGrad"}


@pytest.mark.parametrize("cut", [1, 3, 19])
def test_a_carried_state_changes_nothing(form: Form, cut: int) -> None:
    keep, inputs, start = parts(20)
    first = recur(keep[:cut], inputs[:cut], start)
    second = recur(keep[cut:], inputs[cut:], first[-1])
    torch.testing.assert_close(torch.cat([first, second]), recur(keep, inputs, start), **CLOSE)


def test_under_autocast_and_in_half_precision_it_is_computed_in_float32(form: Form) -> None:
    half = parts(33, torch.bfloat16)
    expected = reference(*(part.float() for part in half))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mine = needing_gradients(*half)
        states = recur(*mine)
    assert states.dtype == torch.float32
    torch.testing.assert_close(states, expected, rtol=1e-5, atol=1e-5)
    states.sum().backward()
    assert all(tensor.grad is not None and tensor.grad.dtype == torch.bfloat16 for tensor in mine)


def test_a_share_of_one_keeps_the_state_over_a_thousand_steps(form: Form) -> None:
    start = torch.randn(BATCH, SIZE, generator=torch.Generator().manual_seed(0))
    still = torch.zeros(1000, BATCH, SIZE)
    assert torch.equal(recur(torch.ones_like(still), still, start)[-1], start)


def test_the_parallel_form_needs_one_pass_for_each_doubling_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    for time in (64, 128, 256):
        calls: list[int] = []
        real = torch.addcmul
        monkeypatch.setattr(torch, "addcmul", lambda *args, real=real, calls=calls: calls.append(1) or real(*args))
        parallel_scan(*parts(time))
        monkeypatch.undo()
        counts.append(len(calls))
    assert [later - earlier for earlier, later in pairwise(counts)] == [1, 1]


@pytest.mark.parametrize(("device", "form"), [("cpu", "sequential_scan"), ("meta", "parallel_scan")])
def test_the_form_is_chosen_by_the_device(monkeypatch: pytest.MonkeyPatch, device: str, form: str) -> None:
    forms = []
    for name in ("sequential_scan", "parallel_scan"):
        real = getattr(recurrence, name)
        monkeypatch.setattr(recurrence, name, lambda *args, name=name, real=real: forms.append(name) or real(*args))
    recur(*(part.to(device) for part in parts(4, torch.float32)))
    assert forms == [form]


def reference_blend(gate: Tensor, new: Tensor, start: Tensor) -> Tensor:
    """`blend` in plain operations of autograd."""
    z = gate.sigmoid()
    return reference(1 - z, z * new, start)


@pytest.mark.parametrize("time", TIMES)
def test_a_blend_and_its_gradient_agree_with_the_recurrence(time: int) -> None:
    mine, its = needing_gradients(*parts(time)), needing_gradients(*parts(time))
    weights = torch.randn(time, BATCH, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    states, expected = blend(*mine), reference_blend(*its)
    torch.testing.assert_close(states, expected, **CLOSE)
    (states * weights).sum().backward()
    (expected * weights).sum().backward()
    for left, right in zip(mine, its, strict=True):
        torch.testing.assert_close(left.grad, right.grad, **CLOSE)


@pytest.mark.parametrize("time", [1, 2, 5])
def test_the_gradient_of_a_blend_agrees_with_finite_differences(time: int) -> None:
    assert torch.autograd.gradcheck(blend, needing_gradients(*parts(time, batch=2)))


def test_a_blend_under_autocast_is_computed_in_float32() -> None:
    half = parts(33, torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states = blend(*half)
    assert states.dtype == torch.float32
    torch.testing.assert_close(states, reference_blend(*(part.float() for part in half)), rtol=1e-5, atol=1e-5)


def test_a_blend_on_another_device_uses_the_parallel_form(monkeypatch: pytest.MonkeyPatch) -> None:
    forms = []
    monkeypatch.setattr(recurrence, "parallel_scan", lambda *args: forms.append(1) or parallel_scan(*args))
    blend(*(part.to("meta") for part in parts(4, torch.float32)))
    assert forms
