"""A decoder that draws each picture from the feature map alone."""

from __future__ import annotations

from torch import Tensor, nn
from typing_extensions import override

from vidrnn.nets.decoders.base import StatelessDecoder

_DARK = -3.0
"""The bias of each pixel before training, a logit: most of a sparse picture is dark."""


class DirectDecoder(StatelessDecoder):
    """Every pixel comes from the feature map, always in [0, 1].

    It suits sparse pictures, where the last picture is a worse prediction than a black one.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__(width, channels)
        conv = self.pixels[0]
        assert isinstance(conv, nn.Conv2d) and conv.bias is not None
        nn.init.constant_(conv.bias, _DARK)

    @override
    def decode(self, maps: Tensor, last: Tensor) -> Tensor:
        predicted: Tensor = self.pixels(maps).sigmoid()
        return predicted
