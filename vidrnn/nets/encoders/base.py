"""The contract of an encoder."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse
from typing_extensions import override

from vidrnn.values import INPUT_OF, InputName, ViewName

_LUMA = (0.299, 0.587, 0.114)
"""The shares of red, green and blue in the brightness: ITU-R BT.601."""
_UNCHANGED = 128
"""The level of a pixel that did not change, in the picture of a difference."""


class Encoder(nn.Module, ABC):
    """Frames (batch, time, height, width, 3) uint8 RGB -> features (batch, time, width) float.

    The encoder sees each frame by itself. With motion it also sees the difference from the frame before it, or the
    optical flow between the two. It has no state: the frame before each frame is an input. It normalises the pixels
    itself, so that training, streaming and an exported file use the same normalisation. A member gives `network` and
    `encode_pictures`.
    """

    view_width: int
    """Features per view of a frame."""
    views: tuple[ViewName, ...] = ("appearance",)
    """What each pass of `network` sees. The features of the views are one after the other."""
    grey: bool = False
    """Whether the encoder sees brightness only."""
    reads_pixels: bool = False
    """Whether its input is made of pixels alone, so that training may change pixels and not pictures of 8 bits."""
    network: nn.Module
    """The convolutions and their normalisation. They take most of the time."""

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        """Store the mean and the deviation of pixels in [0, 1], one number per colour channel."""
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(-1, 1, 1), persistent=False)

    @property
    def width(self) -> int:
        """Features per frame."""
        return len(self.views) * self.view_width

    @property
    def identity(self) -> str:
        """All that the features depend on beside the named weights, as text; empty where there is nothing else."""
        return ""

    @property
    def inputs(self) -> tuple[InputName, ...]:
        """The inputs beside frames."""
        return tuple(INPUT_OF[view] for view in self.views if view in INPUT_OF)

    def forward(self, frames: Tensor, before: Tensor | None = None, flow: Tensor | None = None) -> Tensor:
        """Encode frames.

        Args:
            frames: (batch, time, height, width, 3) uint8.
            before: the frame before each frame, shaped as `frames`; it may be None if `inputs` does not name it.
            flow: the flow picture of each frame, shaped as `frames`; it may be None if `inputs` does not name it.

        Returns:
            features (batch, time, width).
        """
        batch, time = frames.shape[:2]
        features = self.encode_input(self.network_input(frames, before, flow).flatten(0, 1))
        return features.reshape(batch, time, self.width)

    def network_input(self, frames: Tensor, before: Tensor | None = None, flow: Tensor | None = None) -> Tensor:
        """The input of `network`, (batch, time, views, channels, height, width); arguments as in `forward`."""
        pixels = self.pixels_of(frames)
        return self.normalised(pixels, None if before is None else self.pixels_of(before)).unsqueeze(2)

    def encode_input(self, inputs: Tensor) -> Tensor:
        """The features (count, width) of normalised pictures (count, views, channels, height, width).

        All views go through `network` together: batch normalisation in training then sees what it will see later.
        """
        return self.encode_pictures(inputs.flatten(0, 1)).reshape(-1, self.width)

    def normalised(self, pixels: Tensor, before: Tensor | None = None) -> Tensor:
        """Normalised pixels, and for some members the change since the frame before as further channels.

        Args:
            pixels: (..., 3 or 1, height, width) in [0, 1]. An encoder of colours copies a single channel three times.
            before: the pixels of the frame before, shaped as `pixels`.

        Returns:
            (..., channels, height, width).
        """
        return (self.coloured(pixels) - self.mean) / self.deviation

    def coloured(self, pixels: Tensor) -> Tensor:
        """Pixels (..., 3 or 1, height, width) with as many channels as the encoder sees."""
        return pixels if self.grey else pixels.expand(*pixels.shape[:-3], 3, *pixels.shape[-2:])

    def pixels_of(self, frames: Tensor) -> Tensor:
        """(..., height, width, 3) of 8 bits -> (..., 3 or 1, height, width) in [0, 1]."""
        if self.grey:
            return luma(frames).unsqueeze(-3)
        return frames.movedim(-1, -3).float() / 255  # a view: the memory stays channels_last

    def of_view(self, view: ViewName) -> Self:
        """The encoder of one of its views. It shares its weights with this one."""
        single = copy.copy(self)
        single.views = (view,)
        return single

    def folded(self) -> Self:
        """A copy for inference, twice as fast: batch normalisation is folded into the convolutions."""
        reader = copy.deepcopy(self).eval().requires_grad_(False)
        reader.network = fuse(reader.network).to(memory_format=torch.channels_last)
        return reader

    @abstractmethod
    def encode_pictures(self, pictures: Tensor) -> Tensor:
        """The features (count, width) of normalised pictures (count, channels, height, width)."""


class PictureEncoder(Encoder):
    """An encoder that knows pictures of three colours, or of brightness, and nothing of motion.

    With motion the same network also sees a picture of the difference from the frame before, or of the flow.
    """

    @override
    def network_input(self, frames: Tensor, before: Tensor | None = None, flow: Tensor | None = None) -> Tensor:
        if self.views == ("appearance",):
            return super().network_input(frames)
        pictures = [self._picture(view, frames, before, flow) for view in self.views]
        return self.normalised(self.pixels_of(torch.stack(pictures, 2)))

    def _picture(self, view: ViewName, frames: Tensor, before: Tensor | None, flow: Tensor | None) -> Tensor:
        """What a view sees, shaped as `frames`: numbers from 0 to 255."""
        if view == "difference":
            return (_UNCHANGED + frames.float() - needed("before", before).float()).clamp(0, 255)
        return (needed("flow", flow) if view == "flow" else frames).float()


def needed(name: InputName, given: Tensor | None) -> Tensor:
    """An input that the encoder cannot do without.

    Raises:
        ValueError: it is not given.
    """
    if given is None:
        raise ValueError(f"this encoder sees motion: it needs `{name}`")
    return given


def luma(frames: Tensor) -> Tensor:
    """The brightness (...) in [0, 1] of frames (..., 3) uint8 RGB."""
    red, green, blue = frames.unbind(-1)
    return red * (_LUMA[0] / 255) + green * (_LUMA[1] / 255) + blue * (_LUMA[2] / 255)
