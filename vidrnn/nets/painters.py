"""What a model imagines becomes the next picture: painted anew, or moved from the last one and corrected."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vidrnn.nets.flow import warped
from vidrnn.nets.state import State

PATCH = 4
"""A painter's map has a place for each patch of so many pixels a side."""
_REACH = 5
"""How many pixels a patch can move from one frame to the next, each way, by `kernel`."""
_STAYS = 3.0
"""How much likelier a patch is to stay than to move by a pixel, before anything is learnt: a logit."""


_TRUST = 0.0
"""A logit: how much of the newest flow goes into what is held, before anything is learnt."""
_LEAST_WEIGHT = 1e-3


class Motion(NamedTuple):
    """How pictures came to be where they are."""

    flow: Tensor
    """(batch, time, 2, height, width): where each pixel was in the picture before, down and across, in pixels."""
    known: Tensor
    """(batch, time): 1, or 0 where there was no picture before."""


class Painter(nn.Module):
    """What is imagined at each step, and the picture there -> the picture after it, not yet held to [0, 1].

    Law: cut the time axis anywhere, hand the state on, and nothing changes.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.pixels = nn.Sequential(
            nn.Conv2d(width, channels * PATCH**2, 3, padding=1),
            nn.PixelShuffle(PATCH),
        )

    def forward(self, imagined: Tensor, last: Tensor, motion: Motion, state: State | None) -> tuple[Tensor, State]:
        """The next pictures.

        Args:
            imagined: (batch, time, width, height / 4, width / 4).
            last: (batch, time, channels, height, width) in [0, 1].
            motion: how the pictures came to be where they are.
            state: what the same painter returned for the steps before; None for a fresh start.
        """
        painted = self.paint(imagined.flatten(0, 1), last.flatten(0, 1))
        return painted.view_as(last), {}

    def paint(self, imagined: Tensor, last: Tensor) -> Tensor:
        """The next pictures (count, channels, height, width) of a painter that looks at each step by itself."""
        raise TypeError(f"{type(self).__name__} must say how it paints")


class DirectPainter(Painter):
    """Every pixel is painted anew: for sparse pictures, in which the last one is a worse guess than none."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__(width, channels)
        conv = self.pixels[0]
        assert isinstance(conv, nn.Conv2d) and conv.bias is not None
        nn.init.constant_(conv.bias, -_STAYS)  # dark, as most of a sparse picture is

    def paint(self, imagined: Tensor, last: Tensor) -> Tensor:
        """As the contract says; always within [0, 1]."""
        painted: Tensor = self.pixels(imagined).sigmoid()
        return painted


class KernelPainter(Painter):
    """Each patch is a mean over places it may come from, down and across, and what that cannot give is added.

    It can be in doubt, as a flow cannot. Adaptive separable convolution: Niklaus et al., "Video frame interpolation via
    adaptive separable convolution", ICCV 2017; kernels that are probabilities as in Finn et al., "Unsupervised learning
    for physical interaction through video prediction", NeurIPS 2016.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__(width, channels)
        _begin_with_nothing(self.pixels[0])
        taps = 2 * _REACH + 1
        self.kernels = nn.Conv2d(width, 2 * taps, 1)
        assert self.kernels.bias is not None
        nn.init.zeros_(self.kernels.bias)
        self.kernels.bias.data[_REACH::taps] = _STAYS

    def paint(self, imagined: Tensor, last: Tensor) -> Tensor:
        """Down, then across; beyond the edge the picture goes on as it ends there."""
        down, across = self.kernels(imagined).chunk(2, 1)
        moved = _blended(_blended(last, down.softmax(1), 2), across.softmax(1), 3)
        painted: Tensor = moved + self.pixels(imagined)
        return painted


class FlowPainter(Painter):
    """The last picture is warped on by the flow that brought it here, mended where that is known to be wrong.

    The flow between two frames is noisy; what is held of it moves along with the picture, and each frame's adds to it
    as much as the model has learnt to trust it. So a film that goes on by itself goes on as it went. Warping:
    Liu et al., "Video frame synthesis using deep voxel flow", ICCV 2017.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__(width, channels)
        _begin_with_nothing(self.pixels[0])
        self.mending = nn.Conv2d(width, 4, 3, padding=1)
        _begin_with_nothing(self.mending)

    def forward(self, imagined: Tensor, last: Tensor, motion: Motion, state: State | None) -> tuple[Tensor, State]:
        """As the contract says; the warp is bicubic, since what is warped again and again by less grows dim."""
        steps = imagined.shape[:2]
        told = self.mending(imagined.flatten(0, 1))
        told = nn.functional.interpolate(told, scale_factor=PATCH, mode="bilinear", align_corners=False)
        trust = (told[:, :1] + _TRUST).sigmoid().reshape(*steps, 1, *last.shape[-2:])
        held, state = _held(motion, trust, state)
        flow = held.flatten(0, 1) * (1 + told[:, 1:2]) + told[:, 2:]
        painted = warped(last.flatten(0, 1), flow, "bicubic") + self.pixels(imagined.flatten(0, 1))
        return painted.view_as(last), state


def _held(motion: Motion, trust: Tensor, state: State | None) -> tuple[Tensor, State]:
    """The flow that is held at each step (batch, time, 2, height, width), a mean weighted by trust, and the state."""
    flows, known = motion.flow.unbind(1), motion.known.unbind(1)
    total = state["flow"] if state else torch.zeros_like(flows[0])
    weight = state["weight"] if state else torch.zeros_like(flows[0][:, :1])
    held = []
    for flow, told, share in zip(flows, known, trust.unbind(1), strict=True):
        before = warped(torch.cat([total, weight], 1), flow) * (1 - share)
        new = share * told.view(-1, 1, 1, 1)
        total, weight = before[:, :2] + new * flow, before[:, 2:] + new
        held.append(total / weight.clamp(min=_LEAST_WEIGHT))
    return torch.stack(held, 1), {"flow": total, "weight": weight}


def _begin_with_nothing(layer: nn.Module) -> None:
    assert isinstance(layer, nn.Conv2d) and layer.bias is not None
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


def _blended(picture: Tensor, kernels: Tensor, axis: int) -> Tensor:
    """A mean of the picture shifted along an axis by -REACH to REACH pixels, weighted anew for each patch."""
    count, channels, rows, columns = picture.shape
    edges = (0, 0, _REACH, _REACH) if axis == 2 else (_REACH, _REACH, 0, 0)
    wide = nn.functional.pad(picture, edges, mode="replicate")
    patches = (count, channels, rows // PATCH, PATCH, columns // PATCH, PATCH)
    total = picture.new_zeros(())
    for shift, share in enumerate(kernels.unbind(1)):
        shifted = wide.narrow(axis, shift, picture.shape[axis]).reshape(patches)
        total = total + shifted * share[:, None, :, None, :, None]
    return total.reshape(picture.shape)


PAINTERS: dict[str, Callable[[int, int], Painter]] = {
    "direct": DirectPainter,
    "flow": FlowPainter,
    "kernel": KernelPainter,
}
"""By the name that `--decoder` takes."""
