"""The laws of a readout, over every member of the family."""

from __future__ import annotations

import pytest
import torch
from nets.test_heads import BATCH, CHUNKS, GARBAGE, TIME, clip_of, mask_of, padded, pieces
from torch import Tensor

from vidrnn.config import HeadConfig
from vidrnn.nets.classifier import build_sequence
from vidrnn.nets.readouts import READOUTS
from vidrnn.nets.readouts.base import Readout
from vidrnn.nets.state import State

SIZE = 5
TIGHT = {"rtol": 1e-12, "atol": 1e-12}
LENGTHS = [9, TIME, 1]

every_readout = pytest.mark.parametrize("name", READOUTS)


def make_readout(name: str) -> Readout:
    torch.manual_seed(0)
    return build_sequence(3, HeadConfig(size=SIZE), name, 2).task.readout.double().eval()


def sequences(loud: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return loud * torch.randn(BATCH, TIME, SIZE, dtype=torch.float64, generator=generator)


def read_in_pieces(readout: Readout, inputs: Tensor, mask: Tensor | None, length: int) -> tuple[Tensor, State]:
    state: State | None = None
    for start, piece in zip(range(0, inputs.shape[1], length), pieces(inputs, length), strict=True):
        pooled, state = readout(piece, state, None if mask is None else mask[:, start : start + length])
    assert state is not None
    return pooled, state


def assert_same(found: tuple[Tensor, State], expected: tuple[Tensor, State]) -> None:
    torch.testing.assert_close(found[0], expected[0], **TIGHT)
    torch.testing.assert_close(found[1], expected[1], **TIGHT)


@pytest.mark.parametrize("chunk", CHUNKS)
@every_readout
def test_cutting_the_time_axis_changes_nothing(name: str, chunk: int) -> None:
    readout, inputs = make_readout(name), sequences()
    assert_same(read_in_pieces(readout, inputs, None, chunk), readout(inputs))


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("chunk", [*CHUNKS, TIME])
@every_readout
def test_padding_and_neighbours_change_nothing_in_chunks_of_any_length(name: str, chunk: int, garbage: float) -> None:
    readout, inputs = make_readout(name), sequences()
    pooled, state = read_in_pieces(readout, padded(inputs, LENGTHS, garbage), mask_of(LENGTHS, TIME), chunk)
    for i, length in enumerate(LENGTHS):
        assert_same((pooled[i : i + 1], clip_of(state, i)), readout(inputs[i : i + 1, :length]))


@every_readout
def test_the_state_has_the_minibatch_first(name: str) -> None:
    _, state = make_readout(name)(sequences())
    assert state and all(len(tensor) == BATCH for tensor in state.values())


@every_readout
def test_a_single_step_is_its_own_readout(name: str) -> None:
    step, readout = sequences()[:, :1], make_readout(name)
    pooled = readout(step)[0]
    assert pooled.shape == (BATCH, readout.width)
    torch.testing.assert_close(readout.of_still(pooled), step[:, 0], **TIGHT)


@every_readout
def test_large_features_over_a_long_stream_stay_finite(name: str) -> None:
    readout, inputs = make_readout(name), sequences(loud=1e4)
    pooled, state = read_in_pieces(readout, inputs.repeat(1, 5, 1), None, 3)
    assert pooled.isfinite().all() and all(tensor.isfinite().all() for tensor in state.values())


@every_readout
def test_padding_gives_no_gradient(name: str) -> None:
    inputs = sequences().requires_grad_()
    pooled, _ = make_readout(name)(inputs, None, mask_of(LENGTHS, TIME))
    pooled.sum().backward()
    assert inputs.grad is not None
    assert not inputs.grad[~mask_of(LENGTHS, TIME)].any() and inputs.grad[0, 8].any()


def test_mean_is_the_mean_of_the_real_steps() -> None:
    inputs = sequences()
    pooled, _ = make_readout("mean")(inputs, None, mask_of(LENGTHS, TIME))
    expected = torch.stack([one[:length].mean(0) for one, length in zip(inputs, LENGTHS, strict=True)])
    torch.testing.assert_close(pooled, expected, **TIGHT)


def test_last_is_the_last_real_step() -> None:
    inputs = sequences()
    pooled, _ = make_readout("last")(inputs, None, mask_of(LENGTHS, TIME))
    expected = torch.stack([one[length - 1] for one, length in zip(inputs, LENGTHS, strict=True)])
    assert torch.equal(pooled, expected)


def test_statistics_are_the_mean_the_deviation_and_the_maximum_of_the_real_steps() -> None:
    inputs = sequences() - 3  # all below 0, so that padding with zeros would be the maximum
    pooled, _ = make_readout("statistics")(inputs, None, mask_of(LENGTHS, TIME))
    for vector, one, length in zip(pooled, inputs, LENGTHS, strict=True):
        mean, deviation, largest = vector.chunk(3)
        real = one[:length]
        torch.testing.assert_close(mean, real.mean(0), **TIGHT)
        torch.testing.assert_close(deviation, real.std(0, correction=0), rtol=1e-6, atol=2e-4)
        assert torch.equal(largest, real.amax(0))


def test_the_deviation_of_a_long_stream_keeps_its_digits_far_from_0() -> None:
    readout = make_readout("statistics").float()
    inputs = (1000 + torch.randn(1, 20_000, SIZE, generator=torch.Generator().manual_seed(2))).float()
    pooled, _ = read_in_pieces(readout, inputs, None, 7)
    expected = inputs.double().std(1, correction=0).float()
    torch.testing.assert_close(pooled[:, SIZE : 2 * SIZE], expected, rtol=1e-3, atol=0)


def test_the_deviation_of_a_still_clip_has_a_finite_gradient() -> None:
    inputs = torch.ones(2, TIME, SIZE, dtype=torch.float64, requires_grad=True)
    make_readout("statistics")(inputs)[0].sum().backward()
    assert inputs.grad is not None and inputs.grad.isfinite().all()


def test_statistics_have_a_vector_before_the_first_step() -> None:
    pooled, state = make_readout("statistics")(sequences(), None, mask_of([0, 0, 0], TIME))
    assert pooled.abs().max() < 1e-3 and not state["count"].any()


def test_attention_is_the_mean_weighted_by_a_softmax_over_the_real_steps() -> None:
    readout, inputs = make_readout("attention"), sequences()
    pooled, _ = readout(inputs, None, mask_of(LENGTHS, TIME))
    scores = readout.score(inputs).masked_fill(~mask_of(LENGTHS, TIME)[..., None], -torch.inf)
    torch.testing.assert_close(pooled, (scores.softmax(1) * inputs).sum(1), **TIGHT)


def test_the_contract_cannot_be_created() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Readout()
