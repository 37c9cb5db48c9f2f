"""The laws of a head, over every member of the family, and the weights before training."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from vidrnn.compare.gradients import classifier_flow
from vidrnn.config import HeadConfig
from vidrnn.nets.blocks import Cell
from vidrnn.nets.classifier import build_sequence
from vidrnn.nets.heads import HEADS
from vidrnn.nets.heads.base import DEFAULT_MEMORY_FRAMES, CellHead, Head
from vidrnn.nets.heads.linear import LinearHead
from vidrnn.nets.recurrence import recur
from vidrnn.nets.state import State

WIDTH, SIZE, TIME, BATCH = 6, 5, 41, 3
CHUNKS = (1, 3, 4, 7, 20)
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
GARBAGE = (0.0, -7.0, 1e6)
"""Values of the padding."""

STREAMING = [HeadConfig(name=name, size=SIZE, layers=layers) for name in HEADS for layers in (1, 2)]
MEMORYLESS = ("none", "linear")
RECURRENT = [config for config in STREAMING if config.name not in MEMORYLESS]
GATED = [name for name in HEADS if name not in (*MEMORYLESS, "rnn")]
CELLS = [config for config in RECURRENT if config.name in ("rnn", "lstm", "gru")]
BOTH_CELLS = [config.model_copy(update={"bidirectional": True}) for config in CELLS]
BIDIRECTIONAL = [config.model_copy(update={"bidirectional": True}) for config in RECURRENT]


def label(value: object) -> str | None:
    """A head's name in the name of a test."""
    if not isinstance(value, HeadConfig):
        return None
    return f"{value.name}-{value.layers}{'-both' if value.bidirectional else ''}"


def make_head(config: HeadConfig, seed: int = 0) -> Head:
    torch.manual_seed(seed)
    return build_sequence(WIDTH, config, "mean", 2).head.eval()


def clips(time: int = TIME, batch: int = BATCH) -> Tensor:
    return torch.randn(batch, time, WIDTH, generator=torch.Generator().manual_seed(time))


def mask_of(lengths: list[int], time: int) -> Tensor:
    """(clips, time), True for the real steps of each clip."""
    return torch.arange(time) < torch.tensor(lengths)[:, None]


def padded(inputs: Tensor, lengths: list[int], garbage: float) -> Tensor:
    """The same clips, with garbage in the padding after the real steps."""
    return torch.where(mask_of(lengths, inputs.shape[1])[..., None], inputs, torch.tensor(garbage))


def pieces(inputs: Tensor, length: int) -> Iterator[Tensor]:
    yield from inputs.split(length, dim=1)


def assert_same(found: State, expected: State) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, **CLOSE)


def clip_of(state: State, index: int) -> State:
    """The part of a minibatch's state that belongs to one clip."""
    return {name: tensor[index : index + 1] for name, tensor in state.items()}


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("config", STREAMING, ids=label)
def test_cutting_the_time_axis_changes_nothing(config: HeadConfig, chunk: int) -> None:
    head, inputs = make_head(config), clips()
    whole, end = head(inputs)
    state: State | None = None
    parts = []
    for piece in pieces(inputs, chunk):
        sequence, state = head(piece, state)
        parts.append(sequence)
    torch.testing.assert_close(torch.cat(parts, 1), whole, **CLOSE)
    assert_same(state or {}, end)


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("config", [*STREAMING, *BIDIRECTIONAL], ids=label)
def test_padding_and_neighbours_change_nothing(config: HeadConfig, garbage: float) -> None:
    head, inputs, lengths = make_head(config), clips(), [9, TIME, 1]
    together, end = head(padded(inputs, lengths, garbage), None, mask_of(lengths, TIME))
    for i, length in enumerate(lengths):
        alone, state = head(inputs[i : i + 1, :length])
        torch.testing.assert_close(together[i : i + 1, :length], alone, **CLOSE)
        assert_same(clip_of(end, i), state)


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("config", STREAMING, ids=label)
def test_a_chunk_of_padding_does_not_change_the_state_of_a_clip(config: HeadConfig, chunk: int) -> None:
    head, inputs, lengths = make_head(config), clips(), [9, TIME, 1]
    mask, state = mask_of(lengths, TIME), None
    for piece, real in zip(pieces(padded(inputs, lengths, 1e6), chunk), mask.split(chunk, dim=1), strict=True):
        _, state = head(piece, state, real)
    for i, length in enumerate(lengths):
        assert_same(clip_of(state or {}, i), head(inputs[i : i + 1, :length])[1])


@pytest.mark.parametrize("config", STREAMING, ids=label)
def test_each_clip_of_a_minibatch_continues_from_its_own_state(config: HeadConfig) -> None:
    head, inputs = make_head(config), clips()
    _, state = head(inputs[:, :20])
    assert all(len(tensor) == BATCH for tensor in state.values())
    together, _ = head(inputs[:, 20:], state)
    alone, _ = head(inputs[1:2, 20:], clip_of(state, 1))
    torch.testing.assert_close(together[1:2], alone, **CLOSE)


@pytest.mark.parametrize("config", RECURRENT, ids=label)
def test_a_recurrent_head_remembers_its_first_frame(config: HeadConfig) -> None:
    head, inputs = make_head(config), clips(time=6)
    other = inputs.clone()
    other[:, 0] = other[:, 0].flip(-1)
    assert (head(inputs)[0][:, -1] - head(other)[0][:, -1]).abs().max() > 1e-4


@pytest.mark.parametrize("name", MEMORYLESS)
def test_a_head_without_recurrence_reads_each_frame_by_itself(name: str) -> None:
    head, inputs = make_head(HeadConfig(name=name, size=SIZE)), clips(time=6)
    whole, state = head(inputs)
    torch.testing.assert_close(head(inputs.flip(1))[0], whole.flip(1), **CLOSE)
    assert not state


@pytest.mark.parametrize("config", [*STREAMING, *BIDIRECTIONAL], ids=label)
def test_size_and_streams_of_a_head_are_right(config: HeadConfig) -> None:
    head = make_head(config)
    assert head(clips())[0].shape == (BATCH, TIME, head.size)
    assert head.streams is not config.bidirectional


@pytest.mark.parametrize("config", BIDIRECTIONAL, ids=label)
def test_a_bidirectional_head_refuses_a_state(config: HeadConfig) -> None:
    head = make_head(config)
    _, state = head(clips())
    assert not state
    with pytest.raises(ValueError, match="whole clips"):
        head(clips(), {"hidden": torch.zeros(BATCH, 2, SIZE)})


@pytest.mark.parametrize("config", BIDIRECTIONAL, ids=label)
def test_a_bidirectional_head_sees_later_frames(config: HeadConfig) -> None:
    head, inputs = make_head(config), clips(time=6)
    other = inputs.clone()
    other[:, -1] = other[:, -1].flip(-1)
    assert (head(inputs)[0][:, 0] - head(other)[0][:, 0]).abs().max() > 1e-4


@pytest.mark.parametrize("config", STREAMING, ids=label)
def test_dropout_acts_in_training_only(config: HeadConfig) -> None:
    head, inputs = make_head(config.model_copy(update={"dropout": 0.5})), clips()
    assert torch.equal(head(inputs)[0], head(inputs)[0])
    head.train()
    assert not torch.equal(head(inputs)[0], head(inputs)[0])


@pytest.mark.parametrize("config", STREAMING, ids=label)
def test_dropout_removes_the_same_features_at_every_step_of_a_clip(config: HeadConfig) -> None:
    head = make_head(config.model_copy(update={"dropout": 0.5})).train()
    still = clips(time=1, batch=4).repeat(1, 8, 1)
    projected = head(still)[0] if isinstance(head, LinearHead) else head.inlet(still)
    torch.testing.assert_close(projected, projected[:, :1].expand_as(projected), **CLOSE)


def test_the_linear_head_passes_features_through_and_the_size_of_their_change() -> None:
    still, moving = (make_head(HeadConfig(name="linear", motion=motion)) for motion in (False, True))
    torch.testing.assert_close(still(clips())[0], clips(), **CLOSE)
    both = torch.cat([clips(), -clips()], -1)
    sequence, state = moving(both)
    assert moving.size == 2 * WIDTH and not state
    torch.testing.assert_close(sequence, torch.cat([clips(), clips().abs()], -1), **CLOSE)


def test_the_linear_head_learns_the_mean_and_the_deviation_of_real_steps() -> None:
    head, lengths = make_head(HeadConfig(name="linear")), [9, TIME, 1]
    inputs, mask = 5 + 3 * clips(), mask_of(lengths, TIME)
    head.train()
    for _ in range(200):
        head(padded(inputs, lengths, 1e6), None, mask)
    real = head.eval()(inputs)[0][mask]
    torch.testing.assert_close(real.mean(0), torch.zeros(WIDTH), rtol=0, atol=1e-3)
    torch.testing.assert_close(real.std(0), torch.ones(WIDTH), rtol=1e-2, atol=0)


@pytest.mark.parametrize("config", [*CELLS, *BOTH_CELLS], ids=label)
def test_recurrent_matrices_are_orthogonal_gate_by_gate_before_training(config: HeadConfig) -> None:
    head = cells_of(config)
    matrices = [weight for name, weight in head.layer.named_parameters() if name.startswith("weight_hh")]
    assert len(matrices) == config.depth * (2 if config.bidirectional else 1)
    for matrix in matrices:
        for gate in matrix.chunk(head.gates):
            torch.testing.assert_close(gate @ gate.T, torch.eye(SIZE), **CLOSE)


@pytest.mark.parametrize(("name", "gate"), [("lstm", 1), ("gru", 1)])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_default_memory_sets_the_keeping_gate_and_the_others_stay_0(name: str, gate: int, layers: int) -> None:
    for gates in biases(HeadConfig(name=name, size=SIZE, layers=layers, bidirectional=True)):
        for index, bias in enumerate(gates):
            wanted = torch.full((SIZE,), 1 - 1 / DEFAULT_MEMORY_FRAMES if index == gate else 0.5)
            torch.testing.assert_close(bias.sigmoid(), wanted)


@pytest.mark.parametrize("memory_frames", [2, 3, 100])
def test_a_stated_memory_sets_the_biases_of_the_gates(memory_frames: int) -> None:
    longest = math.log(max(1, memory_frames - 1)) + 1e-6
    config = HeadConfig(name="lstm", size=64, memory_frames=memory_frames)
    [(enter, forget, cell, output)] = biases(config)
    [(reset, update, new)] = biases(config.model_copy(update={"name": "gru"}))
    for keep in (forget, update):
        assert keep.min() >= 0 and keep.max() <= longest
        assert keep.max() > 0.9 * longest or memory_frames == 2
    torch.testing.assert_close(enter, -forget)
    assert not any(bias.any() for bias in (cell, output, reset, new))


@pytest.mark.parametrize("both", [False, True], ids=["", "both"])
@pytest.mark.parametrize("memory_frames", [None, 2, 3, 100])
@pytest.mark.parametrize("name", ["mingru", "rglru"])
def test_blocks_keep_the_state_for_as_long_as_the_memory_says(name: str, memory_frames: int | None, both: bool) -> None:
    head = make_head(HeadConfig(name=name, size=64, memory_frames=memory_frames, bidirectional=both))
    cells = [module for module in head.modules() if isinstance(module, Cell)]
    assert len(cells) == (4 if both else 2)
    for cell in cells:
        keep, entering = cell.gates(torch.zeros(1, 1, 64))
        memory = 1 / (1 - keep)
        assert not entering.any()
        if memory_frames is None:
            torch.testing.assert_close(memory, torch.full_like(memory, DEFAULT_MEMORY_FRAMES), rtol=1e-3, atol=0)
        else:
            assert memory.min() >= 1.999 and memory.max() <= memory_frames * 1.001
            assert memory.max() > 0.9 * memory_frames


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", GATED)
def test_before_training_the_gradient_of_the_last_of_100_steps_reaches_the_first(name: str, seed: int) -> None:
    torch.manual_seed(seed)
    network = build_sequence(128, HeadConfig(name=name), "attention", 6)
    flow = classifier_flow(network, torch.randn(4, 100, 128), torch.randint(6, (4,)).numpy())
    assert 0.93 < flow.factor < 1.05
    per_step = (flow.norms[0] / flow.norms[-1]) ** (1 / (len(flow.norms) - 1))
    assert 0.93 < per_step < 1.05


def test_each_head_has_a_default_number_of_layers_and_the_config_overrides_it() -> None:
    assert {name: HeadConfig(name=name).depth for name in HEADS} == {
        **dict.fromkeys(HEADS, 1),
        **dict.fromkeys(("mingru", "rglru"), 2),
    }
    for name in ("mingru", "rglru"):
        one, usual = (make_head(HeadConfig(name=name, size=SIZE, layers=layers)) for layers in (1, None))
        assert len(one(clips())[1]) == 2 and len(usual(clips())[1]) == 4


@pytest.mark.parametrize("name", ["mingru", "rglru"])
def test_a_cell_runs_the_recurrence_of_its_gates(name: str) -> None:
    head = make_head(HeadConfig(name=name, size=SIZE))
    cell = next(module for module in head.modules() if isinstance(module, Cell))
    steps, start = torch.randn(20, BATCH, SIZE), torch.randn(BATCH, SIZE)
    torch.testing.assert_close(cell.run(steps, start), recur(*cell.gates(steps), start), **CLOSE)


@pytest.mark.parametrize("name", ["mingru", "rglru"])
@pytest.mark.parametrize("loudness", [1e-3, 1.0, 1e3])
def test_extreme_gates_give_finite_states_and_gradients(name: str, loudness: float) -> None:
    head = make_head(HeadConfig(name=name, size=SIZE))
    cell = next(module for module in head.modules() if isinstance(module, Cell))
    steps = (loudness * torch.randn(100, 2, SIZE)).requires_grad_()
    sequence, _ = cell(steps, None, None)
    sequence.sum().backward()
    assert sequence.isfinite().all() and steps.grad is not None and steps.grad.isfinite().all()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in cell.parameters())


@pytest.mark.parametrize("contract", [Head, Cell])
def test_a_contract_cannot_be_created(contract: type) -> None:
    with pytest.raises(TypeError, match="abstract"):
        contract()


def cells_of(config: HeadConfig) -> CellHead:
    head = make_head(config)
    assert isinstance(head, CellHead)
    return head


def biases(config: HeadConfig) -> list[tuple[Tensor, ...]]:
    """For each layer and direction, the total bias of each gate: the sum of the two biases of torch."""
    head = cells_of(config)
    named = dict(head.layer.named_parameters())
    sums = [named[name] + named[name.replace("_ih", "_hh")] for name in named if name.startswith("bias_ih")]
    return [one.detach().chunk(head.gates) for one in sums]
