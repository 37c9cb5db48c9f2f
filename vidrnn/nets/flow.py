"""Optical flow between two pictures, from their gradients. It learns nothing, and no gradient passes through it.

Lucas and Kanade, "An iterative image registration technique with an application to stereo vision", IJCAI 1981; from
coarse to fine as in Bouguet, "Pyramidal implementation of the Lucas Kanade feature tracker", 2000.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

_LEVELS = 3
"""The sides of the coarsest picture are a quarter of the sides of the finest."""
_WINDOW = 7
"""Pixels per side of the window in which the motion is constant."""
_STILLNESS = 1e-3
"""A mean squared gradient, of pixels in [0, 1]. Places with a smaller one are treated as still."""


@torch.no_grad()
def backward_flow(now: Tensor, before: Tensor) -> Tensor:
    """The place of each pixel in the picture before.

    Args:
        now: (count, channels, height, width) in [0, 1]; both sides are multiples of 4.
        before: the picture before, shaped as `now`.

    Returns:
        (count, 2, height, width): the distance down and the distance across, in pixels.
    """
    levels = [(now.mean(1, keepdim=True), before.mean(1, keepdim=True))]
    for _ in range(_LEVELS - 1):
        levels.append((functional.avg_pool2d(levels[-1][0], 2), functional.avg_pool2d(levels[-1][1], 2)))
    flow = torch.zeros_like(levels[-1][0]).expand(-1, 2, -1, -1)
    for level, (one, other) in enumerate(reversed(levels)):
        if level:
            flow = 2 * functional.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=False)
        flow = flow + _step(one, warped(other, flow))
    return flow


def warped(picture: Tensor, flow: Tensor, mode: Literal["bilinear", "bicubic"] = "bilinear") -> Tensor:
    """The picture with each pixel taken from the place that the flow gives.

    Args:
        picture: (count, channels, height, width).
        flow: (count, 2, height, width), down and across, in pixels.
        mode: the interpolation between pixels.

    Returns:
        a picture shaped as `picture`. Places beyond the edge take the value of the edge.
    """
    rows, columns = picture.shape[-2:]
    down, across = flow.unbind(1)
    y = torch.arange(rows, device=flow.device, dtype=flow.dtype).view(1, -1, 1)
    x = torch.arange(columns, device=flow.device, dtype=flow.dtype).view(1, 1, -1)
    places = torch.stack([(2 * (x + across) + 1) / columns - 1, (2 * (y + down) + 1) / rows - 1], -1)
    return functional.grid_sample(picture, places, mode=mode, padding_mode="border", align_corners=False)


def _step(now: Tensor, before: Tensor) -> Tensor:
    """The least-squares shift between two pictures around each place, at most one pixel: (count, 2, height, width)."""
    mean = functional.pad((now + before) / 2, (1, 1, 1, 1), mode="replicate")
    down = (mean[..., 2:, 1:-1] - mean[..., :-2, 1:-1]) / 2
    across = (mean[..., 1:-1, 2:] - mean[..., 1:-1, :-2]) / 2
    change = now - before
    products = torch.cat([down * down, down * across, across * across, down * change, across * change], 1)
    around = _mean_along(_mean_along(products, 2), 3)
    dd, da, aa, dc, ac = around.unbind(1)
    dd, aa = dd + _STILLNESS, aa + _STILLNESS
    return (torch.stack([aa * dc - da * ac, dd * ac - da * dc], 1) / (dd * aa - da * da).unsqueeze(1)).clamp(-1, 1)


def _mean_along(values: Tensor, axis: int) -> Tensor:
    """The mean over a window along one axis; at the borders, over the part of the window inside the picture.

    Two means along one axis cost less than one mean over a square.
    """
    window, reach = [1, 1], [0, 0]
    window[axis - 2], reach[axis - 2] = _WINDOW, _WINDOW // 2
    return functional.avg_pool2d(values, window, 1, reach, count_include_pad=False)
