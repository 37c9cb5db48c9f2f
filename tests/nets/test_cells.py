"""torch's recurrent layers, and our heads on them, do what docs/heads.md says: a plain loop, step by step, to 1e-12.

The loop here has the symbols of that page: W for what multiplies the input, U for what multiplies the old state, b and
c for their biases, one of each for every gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from vidrnn.config import HeadConfig
from vidrnn.nets.classifier import build_sequence
from vidrnn.nets.heads.base import CellHead
from vidrnn.nets.state import State

WIDTH, SIZE, BATCH, TIME = 4, 5, 3, 12
LENGTHS = [7, TIME, 1]
EXACT = {"rtol": 0.0, "atol": 1e-12}

Carried = tuple[Tensor, ...]
"""The state of one layer in one direction, for one clip: (h,), or (h, c) for an LSTM."""


@dataclass(frozen=True)
class Gate:
    """What one gate adds up: W x + b from the input, U h + c from the old state."""

    W: Tensor
    U: Tensor
    b: Tensor
    c: Tensor

    def of_input(self, x: Tensor) -> Tensor:
        return self.W @ x + self.b

    def of_state(self, h: Tensor) -> Tensor:
        return self.U @ h + self.c

    def __call__(self, x: Tensor, h: Tensor) -> Tensor:
        return self.of_input(x) + self.of_state(h)

    def negated(self) -> Gate:
        return Gate(-self.W, -self.U, -self.b, -self.c)


def rnn_step(gates: list[Gate], x: Tensor, state: Carried) -> Carried:
    (h,), (n,) = state, gates
    return (torch.tanh(n(x, h)),)


def lstm_step(gates: list[Gate], x: Tensor, state: Carried) -> Carried:
    h, c = state
    i, f, g, o = gates
    cell = torch.sigmoid(f(x, h)) * c + torch.sigmoid(i(x, h)) * torch.tanh(g(x, h))
    return torch.sigmoid(o(x, h)) * torch.tanh(cell), cell


def gru_step(gates: list[Gate], x: Tensor, state: Carried) -> Carried:
    (h,), (r, z, n) = state, gates
    new = torch.tanh(n.of_input(x) + torch.sigmoid(r(x, h)) * n.of_state(h))
    keep = torch.sigmoid(z(x, h))
    return (keep * h + (1 - keep) * new,)


def gru_step_that_updates(gates: list[Gate], x: Tensor, state: Carried) -> Carried:
    """The other convention of the update gate: open, it takes the new."""
    (h,), (r, z, n) = state, gates
    new = torch.tanh(n.of_input(x) + torch.sigmoid(r(x, h)) * n.of_state(h))
    take = torch.sigmoid(z(x, h))
    return ((1 - take) * h + take * new,)


def gru_step_that_resets_before(gates: list[Gate], x: Tensor, state: Carried) -> Carried:
    """The reset gate acts on the state before the recurrent product, as in Cho et al. 2014."""
    (h,), (r, z, n) = state, gates
    new = torch.tanh(n.of_input(x) + n.of_state(torch.sigmoid(r(x, h)) * h))
    keep = torch.sigmoid(z(x, h))
    return (keep * h + (1 - keep) * new,)


Step = Callable[[list[Gate], Tensor, Carried], Carried]


@dataclass(frozen=True)
class Cell:
    """One of torch's recurrent layers, its equations, its gates and the tensors of its state."""

    layer: type[nn.RNNBase]
    step: Step
    gates: int
    state: tuple[str, ...]


CELLS = {
    "rnn": Cell(nn.RNN, rnn_step, 1, ("hidden",)),
    "lstm": Cell(nn.LSTM, lstm_step, 4, ("hidden", "cell")),
    "gru": Cell(nn.GRU, gru_step, 3, ("hidden",)),
}
SHAPES = [(1, False), (2, False), (1, True), (2, True)]
"""Layers, and whether both directions."""


def gates_of(layer: nn.RNNBase, depth: int, backward: bool, count: int) -> list[Gate]:
    """The gates of one layer in one direction, cut out of torch's stacked weights in torch's order."""
    end = f"_l{depth}{'_reverse' if backward else ''}"
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    stacked = [getattr(layer, name + end).detach().chunk(count) for name in names]
    return [Gate(*parts) for parts in zip(*stacked, strict=True)]


def walk(step: Step, gates: list[Gate], inputs: list[Tensor], state: Carried) -> tuple[list[Tensor], Carried]:
    """One layer in one direction over one clip."""
    said = []
    for x in inputs:
        state = step(gates, x, state)
        said.append(state[0])
    return said, state


def loop(cell: Cell, layer: nn.RNNBase, clip: Tensor, carried: Carried) -> tuple[Tensor, Carried]:
    """All layers and directions over one clip (time, width).

    `carried` is (layers * directions, size) for each tensor of the state; the backward direction begins at the clip's
    last step, and its end is at the first.
    """
    said, ends, ways = list(clip), [], (False, True) if layer.bidirectional else (False,)
    for depth in range(layer.num_layers):
        heard = []
        for backward in ways:
            state = tuple(part[len(ends)] for part in carried)
            gates = gates_of(layer, depth, backward, cell.gates)
            outputs, end = walk(cell.step, gates, said[::-1] if backward else said, state)
            heard.append(outputs[::-1] if backward else outputs)
            ends.append(end)
        said = [torch.cat(both) for both in zip(*heard, strict=True)]
    return torch.stack(said), tuple(torch.stack(part) for part in zip(*ends, strict=True))


def make_layer(cell: Cell, layers: int, both: bool) -> nn.RNNBase:
    """Random weights of unit scale, so that every gate is somewhere between open and shut."""
    torch.manual_seed(layers + 10 * both)
    layer = cell.layer(WIDTH, SIZE, num_layers=layers, bidirectional=both, batch_first=True, dtype=torch.float64)
    for weight in layer.parameters():
        nn.init.normal_(weight, std=0.7)
    return layer.eval()


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def draw_state(cell: Cell, rows: int) -> Carried:
    """A state from somewhere in the middle of a film: (rows, batch, size) for each of its tensors."""
    return tuple(draw(rows, BATCH, SIZE, seed=7 + i).tanh() for i, _ in enumerate(cell.state))


def as_torch(state: Carried) -> Carried | Tensor:
    return state if len(state) > 1 else state[0]


def as_tuple(state: Carried | Tensor) -> Carried:
    return state if isinstance(state, tuple) else (state,)


def assert_exact(found: Carried, expected: Carried) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **EXACT)


# torch


@pytest.mark.parametrize("carried", [False, True], ids=["fresh", "carried"])
@pytest.mark.parametrize(("layers", "both"), SHAPES)
@pytest.mark.parametrize("name", CELLS)
def test_torch_does_what_the_equations_say(name: str, layers: int, both: bool, carried: bool) -> None:
    cell, inputs = CELLS[name], draw(BATCH, TIME, WIDTH)
    layer = make_layer(cell, layers, both)
    before = tuple(part * carried for part in draw_state(cell, layers * (1 + both)))
    sequence, end = layer(inputs, as_torch(before) if carried else None)
    for i, clip in enumerate(inputs):
        said, state = loop(cell, layer, clip, tuple(part[:, i] for part in before))
        torch.testing.assert_close(sequence[i], said, **EXACT)
        assert_exact(tuple(part[:, i] for part in as_tuple(end)), state)


@pytest.mark.parametrize("carried", [False, True], ids=["fresh", "carried"])
@pytest.mark.parametrize(("layers", "both"), SHAPES)
@pytest.mark.parametrize("name", CELLS)
def test_torch_reads_clips_of_several_lengths_as_if_each_were_alone(
    name: str, layers: int, both: bool, carried: bool
) -> None:
    cell, inputs = CELLS[name], draw(BATCH, TIME, WIDTH)
    layer = make_layer(cell, layers, both)
    before = tuple(part * carried for part in draw_state(cell, layers * (1 + both)))
    packed = pack_padded_sequence(inputs, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    sequence, end = layer(packed, as_torch(before) if carried else None)
    padded, _ = pad_packed_sequence(sequence, batch_first=True)
    for i, length in enumerate(LENGTHS):
        said, state = loop(cell, layer, inputs[i, :length], tuple(part[:, i] for part in before))
        torch.testing.assert_close(padded[i, :length], said, **EXACT)
        assert_exact(tuple(part[:, i] for part in as_tuple(end)), state)


# our heads


def make_head(name: str, layers: int, both: bool) -> CellHead:
    torch.manual_seed(layers)
    config = HeadConfig(name=name, size=SIZE, layers=layers, bidirectional=both)
    head = build_sequence(WIDTH, config, "mean", 2).head.double().eval()
    assert isinstance(head, CellHead)
    for weight in head.parameters():
        nn.init.normal_(weight, std=0.7)
    return head


def inlet(head: CellHead, clip: Tensor) -> Tensor:
    """Normalise each frame's features, project them, and cut off what is below 0."""
    gain, shift, matrix, bias = (weight.detach() for weight in head.inlet.parameters())
    centred = clip - clip.mean(-1, keepdim=True)
    normal = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return ((normal * gain + shift) @ matrix.T + bias).clamp(min=0)


def named(cell: Cell, state: Carried) -> State:
    """Torch's (layers, batch, size) as the head carries it: (batch, layers, size), by name."""
    return {name: part.transpose(0, 1) for name, part in zip(cell.state, state, strict=True)}


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("carried", [False, True], ids=["fresh", "carried"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", CELLS)
def test_a_head_is_its_inlet_and_its_equations(name: str, layers: int, carried: bool, masked: bool) -> None:
    cell, head, features = CELLS[name], make_head(name, layers, both=False), draw(BATCH, TIME, WIDTH)
    before = tuple(part * carried for part in draw_state(cell, layers))
    lengths = LENGTHS if masked else [TIME] * BATCH
    mask = torch.arange(TIME) < torch.tensor(lengths)[:, None] if masked else None
    sequence, end = head(features, named(cell, before) if carried else None, mask)
    for i, length in enumerate(lengths):
        inputs = inlet(head, features[i, :length])
        said, state = loop(cell, head.layer, inputs, tuple(part[:, i] for part in before))
        torch.testing.assert_close(sequence[i, :length], said, **EXACT)
        assert_exact(tuple(end[part][i] for part in cell.state), state)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", CELLS)
def test_a_bidirectional_head_reads_each_clip_from_its_own_end(name: str, layers: int) -> None:
    cell, head, features = CELLS[name], make_head(name, layers, both=True), draw(BATCH, TIME, WIDTH)
    sequence, _ = head(features, None, torch.arange(TIME) < torch.tensor(LENGTHS)[:, None])
    nothing = tuple(torch.zeros(2 * layers, SIZE, dtype=torch.float64) for _ in cell.state)
    for i, length in enumerate(LENGTHS):
        said, _ = loop(cell, head.layer, inlet(head, features[i, :length]), nothing)
        torch.testing.assert_close(sequence[i, :length], said, **EXACT)


# the conventions of the GRU


def draw_gates(size: int, width: int = WIDTH, seed: int = 0) -> list[Gate]:
    """The three gates of a GRU with random weights."""
    shapes = ((size, width), (size, size), (size,), (size,))
    return [Gate(*(draw(*shape, seed=1000 * seed + 10 * g + i) for i, shape in enumerate(shapes))) for g in range(3)]


def run(step: Step, gates: list[Gate], size: int, width: int = WIDTH) -> Tensor:
    """What a cell says over a clip, from a state in the middle of a film."""
    said, _ = walk(step, gates, list(draw(TIME, width, seed=3)), (draw(size, seed=4).tanh(),))
    return torch.stack(said)


@pytest.mark.parametrize("seed", range(3))
def test_an_update_gate_that_takes_is_one_that_keeps_with_its_weights_negated(seed: int) -> None:
    r, z, n = draw_gates(SIZE, seed=seed)
    keeps = run(gru_step, [r, z, n], SIZE)
    torch.testing.assert_close(run(gru_step_that_updates, [r, z.negated(), n], SIZE), keeps, **EXACT)
    assert (run(gru_step_that_updates, [r, z, n], SIZE) - keeps).abs().max() > 0.1


def test_torch_becomes_the_other_convention_by_negating_a_third_of_its_weights() -> None:
    layer, inputs = make_layer(CELLS["gru"], 1, both=False), draw(TIME, WIDTH)
    gates = gates_of(layer, 0, False, 3)
    expected, _ = walk(gru_step_that_updates, gates, list(inputs), (torch.zeros(SIZE, dtype=torch.float64),))
    with torch.no_grad():
        for weight in layer.parameters():
            weight.chunk(3)[1].neg_()
    torch.testing.assert_close(layer(inputs)[0], torch.stack(expected), **EXACT)


def test_resetting_before_and_after_differ_with_the_same_weights() -> None:
    gates = draw_gates(SIZE)
    difference = run(gru_step, gates, SIZE) - run(gru_step_that_resets_before, gates, SIZE)
    assert difference.abs().max() > 0.1


def test_with_one_unit_and_no_recurrent_bias_resetting_before_and_after_are_the_same() -> None:
    r, z, n = draw_gates(1)
    gates = [r, z, replace(n, c=torch.zeros_like(n.c))]
    torch.testing.assert_close(run(gru_step, gates, 1), run(gru_step_that_resets_before, gates, 1), **EXACT)


# No weights of the one family can give what the other gives. The witness is a row of inputs x and one state h whose
# first unit is 0, so that the new first unit is (1 - z) tanh(s), whose sign is the sign of s, whatever z is:
#
#     reset after:   s(x) = w x + b + r_1(x) (U h + c)_1        a line and one sigmoid of x
#     reset before:  s(x) = w x + b + c + sum_j U_1j r_j(x) h_j    a line and a sigmoid for each unit with h_j != 0
#
# The second derivative of a sigmoid changes its sign once, so a line and one sigmoid have at most three zeros (Rolle),
# and a line at most one. A row of inputs at which the sign changes more often than that cannot be had.

STEEP, STRIDE = 40.0, 1.0


def number(value: float, rows: int, columns: int | None = None) -> Tensor:
    return torch.full((rows,) if columns is None else (rows, columns), value, dtype=torch.float64)


def plain_gate(size: int) -> Gate:
    return Gate(number(0, size, 1), number(0, size, size), number(0, size), number(0, size))


def sign_changes(step: Step, gates: list[Gate], h: Tensor, inputs: Tensor) -> int:
    """How often the new first unit changes its sign along the inputs."""
    news = torch.stack([step(gates, x[None], (h,))[0][0] for x in inputs])
    return int((news[1:].sign() * news[:-1].sign() < 0).sum())


def after_with_three_changes() -> list[Gate]:
    """One unit, from nothing: s(x) = x + 1/2 - sigmoid(40 x)."""
    r, z, n = (plain_gate(1) for _ in range(3))
    r = replace(r, W=number(STEEP, 1, 1))
    return [r, z, replace(n, W=number(1, 1, 1), b=number(STRIDE / 2, 1), c=number(-STRIDE, 1))]


def before_with_five_changes() -> list[Gate]:
    """Three units, the others at 1/2: s(x) = x + 1 - sigmoid(40 (x + 1/2)) - sigmoid(40 (x - 1/2))."""
    r, z, n = (plain_gate(3) for _ in range(3))
    r = replace(r, W=number(STEEP, 3, 1), b=STEEP * STRIDE / 2 * torch.tensor([0, 1, -1], dtype=torch.float64))
    return [r, z, replace(n, W=number(1, 3, 1), b=number(STRIDE, 3), U=number(-2 * STRIDE, 3, 3))]


FOUR = STRIDE * torch.tensor([-0.75, -0.25, 0.25, 0.75], dtype=torch.float64)
SIX = STRIDE * torch.tensor([-1.25, -0.75, -0.25, 0.25, 0.75, 1.25], dtype=torch.float64)
NOTHING, HALVES = number(0, 1), torch.tensor([0, 0.5, 0.5], dtype=torch.float64)


def wild_gates(size: int) -> Iterator[list[Gate]]:
    """Gates with weights of many sizes, among them those of the two witnesses with small changes."""
    witness = after_with_three_changes() if size == 1 else before_with_five_changes()
    for seed in range(300):
        scale = 10.0 ** (seed % 3)
        random = draw_gates(size, width=1, seed=seed)
        yield [Gate(*(scale * getattr(gate, field.name) for field in fields(gate))) for gate in random]
        yield [
            Gate(*(getattr(a, f.name) + 0.1 * getattr(b, f.name) for f in fields(a)))
            for a, b in zip(witness, random, strict=True)
        ]


def test_resetting_after_gives_what_no_weights_of_resetting_before_can() -> None:
    assert sign_changes(gru_step, after_with_three_changes(), NOTHING, FOUR) == 3
    found = [sign_changes(gru_step_that_resets_before, gates, NOTHING, FOUR) for gates in wild_gates(1)]
    assert max(found) == 1


def test_resetting_before_gives_what_no_weights_of_resetting_after_can() -> None:
    assert sign_changes(gru_step_that_resets_before, before_with_five_changes(), HALVES, SIX) == 5
    found = [sign_changes(gru_step, gates, HALVES, SIX) for gates in wild_gates(3)]
    assert 1 <= max(found) <= 3
