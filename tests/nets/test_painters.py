"""What painters paint before and after they have learnt, by hand-set weights; the laws are tested with whole models."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vidrnn.nets.flow import backward_flow
from vidrnn.nets.painters import PAINTERS, PATCH, DirectPainter, FlowPainter, KernelPainter, Motion, Painter

WIDTH, ROWS, COLUMNS = 6, 24, 32
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def moving(time: int, across: float = 1.5, down: float = 0.5, rows: int = ROWS, columns: int = COLUMNS) -> Tensor:
    """(1, time, 1, rows, columns): smooth waves that move so many pixels a frame."""
    t = torch.arange(time).view(-1, 1, 1)
    y = torch.arange(rows).view(1, -1, 1) - down * t
    x = torch.arange(columns).view(1, 1, -1) - across * t
    waves = torch.sin(0.5 * x + 0.2 * y) + torch.sin(0.45 * y - 0.25 * x + 1)
    return (0.5 + waves / 5).view(1, time, 1, rows, columns)


def motion_of(pictures: Tensor) -> Motion:
    """How the pictures came to be where they are, as an encoder finds it."""
    before = torch.cat([pictures[:, :1], pictures[:, :-1]], 1)
    flow = backward_flow(pictures.flatten(0, 1), before.flatten(0, 1)).unflatten(0, pictures.shape[:2])
    known = torch.ones(pictures.shape[:2])
    known[:, 0] = 0
    return Motion(flow, known)


def imagined(time: int, rows: int = ROWS, columns: int = COLUMNS) -> Tensor:
    random = torch.Generator().manual_seed(0)
    return torch.randn(1, time, WIDTH, rows // PATCH, columns // PATCH, generator=random)


def painter_of(kind: type[Painter], channels: int = 1) -> Painter:
    torch.manual_seed(0)
    return kind(WIDTH, channels).eval()


def error(painted: Tensor, true: Tensor) -> float:
    """Squared, of a pixel, but for the edges, over which unknown things come in."""
    return float((painted - true)[..., 6:-6, 6:-6].square().mean())


@torch.no_grad()
def test_a_flow_that_has_learnt_nothing_has_a_film_go_on_as_it_went() -> None:
    film, painter = moving(8), painter_of(FlowPainter)
    painted, _ = painter(imagined(7), film[:, :7], motion_of(film[:, :7]), None)
    assert error(painted[:, 2:], film[:, 3:]) < error(film[:, 2:7], film[:, 3:]) / 20


@torch.no_grad()
def test_a_flow_before_which_there_was_nothing_leaves_the_picture_as_it_is() -> None:
    film, painter = moving(1), painter_of(FlowPainter)
    painted, _ = painter(imagined(1), film, motion_of(film), None)
    torch.testing.assert_close(painted, film, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_flow_that_is_held_forgets_no_motion_in_a_frame_that_repeats() -> None:
    film = moving(6)
    stutters = torch.cat([film, film[:, -1:]], 1)
    _, state = painter_of(FlowPainter)(imagined(7), stutters, motion_of(stutters), None)
    held = state["flow"] / state["weight"]
    assert held[0, 1, 8:-8, 8:-8].mean() < -0.3, "it moved to the right until then"


@torch.no_grad()
def test_an_unlearnt_kernel_leaves_the_picture_nearly_as_it_is() -> None:
    film, painter = moving(3), painter_of(KernelPainter)
    nn.init.zeros_(painter.kernels.weight)  # type: ignore[arg-type]
    painted, state = painter(imagined(3), film, motion_of(film), None)
    assert error(painted, film) < 0.01 and not state


@pytest.mark.parametrize(("down", "across"), [(0, 0), (2, 0), (0, -3), (-5, 5)])
@torch.no_grad()
def test_kernels_set_by_hand_move_patches(down: int, across: int) -> None:
    painter, film = painter_of(KernelPainter, channels=3), torch.rand(1, 2, 3, ROWS, COLUMNS)
    assert isinstance(painter, KernelPainter) and painter.kernels.bias is not None
    nn.init.zeros_(painter.kernels.weight)
    nn.init.zeros_(painter.kernels.bias)
    taps = len(painter.kernels.bias) // 2
    middle = taps // 2
    painter.kernels.bias[middle - down] = 50.0  # a patch that has moved down comes from above
    painter.kernels.bias[taps + middle - across] = 50.0
    painted, _ = painter(imagined(2), film, motion_of(film), None)
    wanted = torch.roll(film, (down, across), (3, 4))
    torch.testing.assert_close(painted[..., 6:-6, 6:-6], wanted[..., 6:-6, 6:-6], **CLOSE)


@torch.no_grad()
def test_each_patch_has_kernels_of_its_own() -> None:
    painter, film = painter_of(KernelPainter), torch.rand(1, 1, 1, ROWS, COLUMNS)
    assert isinstance(painter, KernelPainter) and painter.kernels.bias is not None
    nn.init.zeros_(painter.kernels.weight)
    nn.init.zeros_(painter.kernels.bias)
    taps = len(painter.kernels.bias) // 2
    painter.kernels.bias[[taps // 2, taps + taps // 2]] = 50.0
    painter.kernels.weight[taps // 2 + 1, 0] = 100.0  # where the map says so, from a pixel below
    told = torch.zeros(1, 1, WIDTH, ROWS // PATCH, COLUMNS // PATCH)
    told[0, 0, 0, 2, 3] = 1.0
    painted, _ = painter(told, film, motion_of(film), None)
    wanted = film.clone()
    rows, columns = slice(2 * PATCH, 3 * PATCH), slice(3 * PATCH, 4 * PATCH)
    wanted[0, 0, 0, rows, columns] = film[0, 0, 0, 2 * PATCH + 1 : 3 * PATCH + 1, columns]
    torch.testing.assert_close(painted, wanted, **CLOSE)


@pytest.mark.parametrize("channels", [1, 3])
@torch.no_grad()
def test_what_is_painted_anew_stays_between_black_and_white_and_does_not_look_at_the_last(channels: int) -> None:
    painter = painter_of(DirectPainter, channels)
    film = torch.rand(1, 3, channels, ROWS, COLUMNS)
    painted, _ = painter(100 * imagined(3), film, motion_of(film), None)
    assert painted.shape == film.shape and painted.min() >= 0 and painted.max() <= 1
    assert painted.std() > 0.1
    torch.testing.assert_close(painter(100 * imagined(3), 1 - film, motion_of(film), None)[0], painted)
    assert painter(0 * imagined(3), film, motion_of(film), None)[0].max() < 0.2, "dark before it has learnt"


@pytest.mark.parametrize("name", PAINTERS)
def test_every_painter_can_learn_all_of_itself(name: str) -> None:
    painter = PAINTERS[name](WIDTH, 1)
    film = moving(4)
    painted, _ = painter(imagined(3), film[:, :3], motion_of(film[:, :3]), None)
    (painted - film[:, 1:]).square().mean().backward()  # type: ignore[no-untyped-call]
    for what, weight in painter.named_parameters():
        assert weight.grad is not None and weight.grad.abs().max() > 0, f"{what} has no gradient"
