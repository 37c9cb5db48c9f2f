"""The laws of heads on feature maps, over every member, and the weights before training."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vidrnn.config import HeadConfig
from vidrnn.nets.heads import PICTURE_HEADS
from vidrnn.nets.heads.base import PictureCell, PictureHead, gate_bias
from vidrnn.nets.state import State
from vidrnn.registry import load_member

WIDTH, SIZE, TIME, BATCH, ROWS, COLUMNS = 5, 4, 21, 3, 3, 5
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
CONFIGS = [HeadConfig(name=name, size=SIZE, layers=layers) for name in PICTURE_HEADS for layers in (1, 2)]


def label(config: HeadConfig) -> str:
    return f"{config.name}-{config.layers}"


def make_head(config: HeadConfig) -> PictureHead:
    torch.manual_seed(0)
    head: PictureHead = load_member(PICTURE_HEADS, "--head", config.name)(WIDTH, config)
    return head.eval().requires_grad_(False)


def maps(time: int = TIME) -> Tensor:
    return torch.randn(BATCH, time, WIDTH, ROWS, COLUMNS, generator=torch.Generator().manual_seed(time))


@pytest.mark.parametrize("chunk", [1, 3, 4, 7, 20])
@pytest.mark.parametrize("config", CONFIGS, ids=label)
def test_cutting_the_time_axis_changes_nothing(config: HeadConfig, chunk: int) -> None:
    head, inputs = make_head(config), maps()
    whole, end = head(inputs)
    assert whole.shape == (BATCH, TIME, SIZE, ROWS, COLUMNS) and head.size == SIZE
    state: State | None = None
    parts = []
    for piece in inputs.split(chunk, dim=1):
        sequence, state = head(piece, state)
        parts.append(sequence)
    torch.testing.assert_close(torch.cat(parts, 1), whole, **CLOSE)
    assert state is not None and state.keys() == end.keys()
    for name, tensor in end.items():
        torch.testing.assert_close(state[name], tensor, **CLOSE)


@pytest.mark.parametrize("config", CONFIGS, ids=label)
def test_a_film_continues_from_its_own_state_with_any_neighbours(config: HeadConfig) -> None:
    head, inputs = make_head(config), maps()
    whole, state = head(inputs[:, :9])
    alone, mine = head(inputs[1:2, :9])
    torch.testing.assert_close(alone, whole[1:2], **CLOSE)
    following, _ = head(inputs[1:2, 9:], mine)
    torch.testing.assert_close(following, head(inputs[:, 9:], state)[0][1:2], **CLOSE)


@pytest.mark.parametrize("config", CONFIGS, ids=label)
def test_the_memory_of_the_first_map_stays_in_its_neighbourhood(config: HeadConfig) -> None:
    head, inputs = make_head(config), maps(time=2).repeat(1, 1, 1, 5, 5)
    other = inputs.clone()
    other[:, 0, :, 0, 0] += 1
    apart = (head(inputs)[0][:, -1] - head(other)[0][:, -1]).abs().amax((0, 1))
    assert apart[0, 0] > 1e-3
    assert apart[-1].max() == 0 and apart[:, -1].max() == 0


@pytest.mark.parametrize("name", PICTURE_HEADS)
def test_gates_keep_three_quarters_of_the_state_before_training(name: str) -> None:
    assert 1 / (1 + math.exp(-gate_bias())) == pytest.approx(0.75)
    [cell] = make_head(HeadConfig(name=name, size=SIZE)).layers
    assert isinstance(cell, PictureCell)
    state = {each: torch.ones(1, SIZE, ROWS, COLUMNS) for each in cell.state_names}
    for weight in cell.parameters():
        if weight.ndim > 1:
            torch.nn.init.zeros_(weight)
    nothing = torch.zeros(1, 1, WIDTH, ROWS, COLUMNS)
    _, after = cell.step(cell.input_conv(nothing[0]), state)
    memory = after[cell.state_names[-1]]
    torch.testing.assert_close(memory, torch.full_like(memory, 0.75))
