"""Optical flow: it measures known shifts to a part of a pixel, and warping follows it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vidrnn.nets.flow import backward_flow, warped

ROWS, COLUMNS = 32, 40


def texture(down: float = 0.0, across: float = 0.0, rows: int = ROWS, columns: int = COLUMNS) -> Tensor:
    """(1, 1, rows, columns) smooth waves, moved by a number of pixels down and across."""
    y = torch.arange(rows).view(-1, 1) - down
    x = torch.arange(columns).view(1, -1) - across
    waves = torch.sin(0.5 * x + 0.2 * y) + torch.sin(0.45 * y - 0.25 * x + 1) + 0.5 * torch.sin(0.3 * (x + y))
    return (0.5 + waves / 6).view(1, 1, rows, columns)


@pytest.mark.parametrize(("down", "across"), [(0.0, 0.4), (-0.7, 0.0), (0.3, -0.6), (1.5, 1.0), (-2.0, 2.5)])
def test_the_flow_measures_a_known_shift_to_a_part_of_a_pixel(down: float, across: float) -> None:
    flow = backward_flow(texture(down, across), texture())
    inner = flow[0, :, 6:-6, 6:-6]
    assert inner[0].mean() == pytest.approx(-down, abs=0.1)
    assert inner[1].mean() == pytest.approx(-across, abs=0.1)


def test_still_and_empty_pictures_have_no_flow() -> None:
    still, black = texture(), torch.zeros(1, 1, ROWS, COLUMNS)
    assert backward_flow(still, still).abs().max() < 1e-5
    assert not backward_flow(black, black).any()
    assert backward_flow(black + 1, black).isfinite().all()


def test_pictures_of_a_minibatch_have_separate_flows_and_colours_share_one() -> None:
    now, before = torch.cat([texture(0, 1), texture(1, 0)]), torch.cat([texture(), texture()])
    together = backward_flow(now, before)
    torch.testing.assert_close(together[1:], backward_flow(now[1:], before[1:]))
    coloured = backward_flow(now.expand(-1, 3, -1, -1), before.expand(-1, 3, -1, -1))
    torch.testing.assert_close(coloured, together, rtol=1e-3, atol=1e-4)


def test_no_gradient_passes_through_a_flow() -> None:
    assert not backward_flow(texture(0, 1).requires_grad_(), texture()).requires_grad


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_warping_takes_pixels_from_the_place_of_the_flow_and_repeats_the_edge(mode: str) -> None:
    picture = torch.arange(6 * 8, dtype=torch.float32).view(1, 1, 6, 8)
    flow = torch.tensor([1.0, -2.0]).view(1, 2, 1, 1).expand(-1, -1, 6, 8)
    result = warped(picture, flow, mode)  # type: ignore[arg-type]
    torch.testing.assert_close(result[0, 0, :5, 2:], picture[0, 0, 1:, :6])
    torch.testing.assert_close(result[0, 0, :5, 0], picture[0, 0, 1:, 0])
    torch.testing.assert_close(result[0, 0, 5, 2:], picture[0, 0, 5, :6])


def test_warping_by_the_measured_flow_maps_the_picture_before_to_the_picture_now() -> None:
    now, before = texture(0.5, -1.2), texture()
    apart = (warped(before, backward_flow(now, before), "bicubic") - now)[..., 4:-4, 4:-4].abs().mean()
    assert apart < (before - now)[..., 4:-4, 4:-4].abs().mean() / 10
