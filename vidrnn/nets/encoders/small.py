"""Small networks that learn from the films of the user, such as mouths, microscopes, drawings or conveyor belts."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from typing_extensions import override

from vidrnn.nets.encoders.base import Encoder, needed
from vidrnn.values import InputName, Size

_CHANGE_DEVIATION = 0.1
"""The typical change of a moving pixel in a tenth of a second, for pixels in [0, 1]."""
_GRID = 4
_WIDTH = 128


class SmallEncoder(Encoder):
    """Four strided convolutions, then a 4 x 4 grid of means, so that the head gets positions too.

    It has 0.45 million parameters for any picture size, and takes 33 million multiplications at 112 x 112. With
    `differences` it sees the change since the frame before as further channels.
    """

    view_width = _WIDTH
    reads_pixels = True
    convolutions: tuple[int, ...] = (32, 64, 96, 128)
    """Output channels of each convolution."""
    first_kernel, first_stride = 3, 2
    """Of the first convolution; all others have kernels of 3 and strides of 2."""
    normalisation: Callable[[int], nn.Module] = nn.LayerNorm
    """The last layer, which normalises the features."""

    def __init__(self, size: Size, *, grey: bool = False, differences: bool = False) -> None:
        colours = 1 if grey else 3
        super().__init__(mean=(0.5,) * colours, deviation=(0.25,) * colours)
        self.grey, self.differences = grey, differences
        blocks: list[nn.Module] = []
        height, width, incoming = size.height, size.width, colours * (2 if differences else 1)
        kernel, stride = self.first_kernel, self.first_stride
        for channels in self.convolutions:
            convolution = nn.Conv2d(incoming, channels, kernel, stride=stride, padding=kernel // 2, bias=False)
            blocks += [convolution, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
            height, width, incoming = -(-height // stride), -(-width // stride), channels
            kernel, stride = 3, 2
        self.network = nn.Sequential(*blocks)
        self.rows: Tensor
        self.columns: Tensor
        self.register_buffer("rows", _shares(height, _GRID), persistent=False)
        self.register_buffer("columns", _shares(width, _GRID), persistent=False)
        self.projection = nn.Sequential(nn.Linear(incoming * _GRID * _GRID, _WIDTH), self.normalisation(_WIDTH))

    @property
    @override
    def inputs(self) -> tuple[InputName, ...]:
        return ("before",) if self.differences else ()

    @override
    def normalised(self, pixels: Tensor, before: Tensor | None = None) -> Tensor:
        normal = super().normalised(pixels)
        if not self.differences:
            return normal
        change = self.coloured(pixels) - self.coloured(needed("before", before))
        return torch.cat([normal, change / _CHANGE_DEVIATION], -3)

    @override
    def encode_pictures(self, pictures: Tensor) -> Tensor:
        maps = self.network(pictures)
        grid = torch.einsum("nchw,gh,kw->ncgk", maps, self.rows.to(maps.dtype), self.columns.to(maps.dtype))
        features: Tensor = self.projection(grid.flatten(1))
        return features


class TinyEncoder(SmallEncoder):
    """Three convolutions, the first of which has a stride of 4. It trains several times as fast as `SmallEncoder`.

    It is for small pictures, such as a mouth. With a fixed camera most of a frame is the same in all films. Batch
    normalisation removes that part from the features.
    """

    convolutions = (32, 48, 64)
    first_kernel, first_stride = 7, 4
    normalisation = nn.BatchNorm1d


def _shares(length: int, cells: int) -> Tensor:
    """(cells, length): each row is the mean over the part of `length` that its cell covers.

    A pixel on the border of two cells counts in both, by its share. Adaptive pooling to a grid that does not divide the
    length cannot be exported, so this is a matrix.
    """
    edges = torch.linspace(0, length, cells + 1)
    starts, ends = edges[:-1, None], edges[1:, None]
    places = torch.arange(length)[None, :]
    overlap = (torch.minimum(ends, places + 1.0) - torch.maximum(starts, places.float())).clamp(min=0)
    return overlap / overlap.sum(1, keepdim=True)
