"""The gradient flow of linear recurrences with a known factor, and of heads; vanished gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from vidrnn.compare.gradients import Loss, classifier_flow, flow_from_norms, gradient_flow
from vidrnn.config import HeadConfig
from vidrnn.nets.classifier import build_sequence

TIME, WIDTH, BATCH = 100, 6, 3
CLASSES = np.array([0, 1, 2])


def features(time: int = TIME) -> Tensor:
    return torch.randn(BATCH, time, WIDTH, generator=torch.Generator().manual_seed(time))


def linear(factor: float, beside: float = 0.0) -> Loss:
    """The squared last state of h = factor h + x, one loss for each clip; `beside` lets the last x in directly too."""

    def loss(inputs: Tensor) -> Tensor:
        hidden = torch.zeros_like(inputs[:, 0])
        for now in inputs.unbind(1):
            hidden = factor * hidden + now
        return (hidden + beside * inputs[:, -1]).square().sum(-1)

    return loss


@pytest.mark.parametrize("factor", [0.5, 0.9, 0.99, 1.0])
def test_a_linear_recurrence_reports_its_factor_and_its_memory(factor: float) -> None:
    flow = gradient_flow(linear(factor), features())
    assert flow.norms.shape == (TIME,) and flow.norms.dtype == np.float64
    assert flow.factor == pytest.approx(factor, abs=1e-3)
    if factor < 1:
        assert flow.memory_frames == pytest.approx(-1 / math.log(factor), rel=0.02)
    else:
        assert flow.memory_frames == math.inf


def test_growing_gradients_have_an_infinite_memory() -> None:
    flow = gradient_flow(linear(1.1), features())
    assert flow.factor == pytest.approx(1.1, abs=1e-3) and flow.memory_frames == math.inf


@pytest.mark.parametrize("factor", [0.5, 0.95])
def test_a_path_beside_the_recurrence_does_not_decide_the_factor(factor: float) -> None:
    flow = gradient_flow(linear(factor, beside=1e4), features())
    assert flow.norms[-1] > 1e3 * flow.norms[-2]
    assert flow.factor == pytest.approx(factor, abs=1e-3)


def test_neighbours_do_not_change_the_norms_of_a_clip() -> None:
    alone = [gradient_flow(linear(0.9), features()[i : i + 1]).norms for i in range(BATCH)]
    np.testing.assert_allclose(gradient_flow(linear(0.9), features()).norms, np.mean(alone, 0), rtol=1e-5)


def test_the_factor_comes_from_the_norms_before_they_underflow() -> None:
    flow = gradient_flow(linear(1e-3), features())
    assert flow.norms[0] == 0
    assert flow.factor == pytest.approx(1e-3, rel=0.1)


def test_a_loss_of_the_last_step_alone_has_factor_and_memory_0() -> None:
    flow = gradient_flow(lambda inputs: inputs[:, -1].square().sum(-1), features())
    assert flow.factor == 0 and flow.memory_frames == 0


@pytest.mark.parametrize("norms", [[1.0], [], [1.0, math.nan], [math.inf, 1.0]])
def test_too_few_or_infinite_norms_are_an_error(norms: list[float]) -> None:
    with pytest.raises(ValueError, match="2 or more steps"):
        flow_from_norms(np.array(norms))


@pytest.mark.parametrize("both", [False, True], ids=["", "both"])
@pytest.mark.parametrize("name", ["rnn", "gru"])
def test_a_classifier_is_measured_at_its_last_step(name: str, both: bool) -> None:
    torch.manual_seed(0)
    network = build_sequence(WIDTH, HeadConfig(name=name, size=8, bidirectional=both, dropout=0.5), "attention", 3)
    network.train()
    inputs = features(12)
    flow, again = classifier_flow(network, inputs, CLASSES), classifier_flow(network, inputs, CLASSES)
    assert (flow.norms == again.norms).all() and (flow.norms > 0).all()
    assert network.training and next(network.parameters()).dtype == torch.float32
    assert all(weight.grad is None and weight.requires_grad for weight in network.parameters())
    network.eval()
    inputs.requires_grad_()
    torch.nn.functional.cross_entropy(
        network(inputs)[0]["steps"][:, -1], torch.from_numpy(CLASSES), reduction="sum"
    ).backward()
    assert inputs.grad is not None
    np.testing.assert_allclose(flow.norms, inputs.grad.norm(dim=-1).mean(0), rtol=1e-3)


def test_without_recurrence_only_the_last_frame_has_a_gradient() -> None:
    network = build_sequence(WIDTH, HeadConfig(name="none", size=8), "attention", 3)
    flow = classifier_flow(network, features(12), CLASSES)
    assert flow.norms[-1] > 0 and not flow.norms[:-1].any() and flow.factor == 0
