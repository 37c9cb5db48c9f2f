"""No encoder: the features come from elsewhere, and the head reads them as they are."""

from __future__ import annotations

import copy
from typing import Self

from torch import Tensor, nn
from typing_extensions import override

from vidrnn.nets.encoders.base import Encoder
from vidrnn.nets.spec import EncoderConfig
from vidrnn.values import Size


class GivenFeatures(Encoder):
    """Features (batch, time, width) in place of frames. They come out unchanged."""

    def __init__(self, config: EncoderConfig, size: Size) -> None:
        assert config.features is not None
        super().__init__((0.0,), (1.0,))
        self.view_width, self.network = config.features.width, nn.Identity()

    @override
    def forward(self, frames: Tensor, before: Tensor | None = None, flow: Tensor | None = None) -> Tensor:
        return frames.float()

    @override
    def folded(self) -> Self:
        return copy.deepcopy(self).eval()

    @override
    def encode_pictures(self, pictures: Tensor) -> Tensor:
        return pictures
