"""What a model imagines becomes the next picture: painted anew, or moved from the last one and corrected."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from vidrnn.flow import warped

PATCH = 4
"""A painter's map has a place for each patch of so many pixels a side."""
_REACH = 5
"""How many pixels a patch can move from one frame to the next, each way, by `kernel`."""
_STAYS = 3.0
"""How much likelier a patch is to stay than to move by a pixel, before anything is learnt: a logit."""


class Painter(nn.Module):
    """A map (count, width, height / 4, width / 4) and the last picture -> the next picture, not yet held to [0, 1]."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.pixels = nn.Sequential(
            nn.Conv2d(width, channels * PATCH**2, 3, padding=1),
            nn.PixelShuffle(PATCH),
        )

    def forward(self, imagined: Tensor, last: Tensor, flow: Tensor) -> Tensor:
        """The next picture.

        Args:
            imagined: the map.
            last: (count, channels, height, width) in [0, 1].
            flow: (count, 2, height, width) where each pixel of the last picture was before, down and across, in pixels.
        """
        raise TypeError(f"{type(self).__name__} must say how it paints")


class DirectPainter(Painter):
    """Every pixel is painted anew: for sparse pictures, in which the last one is a worse guess than none."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__(width, channels)
        conv = self.pixels[0]
        assert isinstance(conv, nn.Conv2d) and conv.bias is not None
        nn.init.constant_(conv.bias, -_STAYS)  # dark, as most of a sparse picture is

    def forward(self, imagined: Tensor, last: Tensor, flow: Tensor) -> Tensor:
        """As the contract says; always within [0, 1]."""
        painted: Tensor = self.pixels(imagined).sigmoid()
        return painted


class MovingPainter(Painter):
    """The last picture is moved, and what movement cannot give is added; unlearnt, all goes on as it went."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__(width, channels)
        conv = self.pixels[0]
        assert isinstance(conv, nn.Conv2d) and conv.bias is not None
        nn.init.zeros_(conv.weight)
        nn.init.zeros_(conv.bias)

    def moved(self, imagined: Tensor, last: Tensor, flow: Tensor) -> Tensor:
        """The last picture as it will have moved."""
        raise TypeError(f"{type(self).__name__} must say how it moves")

    def forward(self, imagined: Tensor, last: Tensor, flow: Tensor) -> Tensor:
        """As the contract says."""
        corrected: Tensor = self.moved(imagined, last, flow) + self.pixels(imagined)
        return corrected


class FlowPainter(MovingPainter):
    """The last picture is warped on by the flow that brought it here, mended where that is known to be wrong.

    Liu et al., "Video frame synthesis using deep voxel flow", ICCV 2017.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__(width, channels)
        self.mending = nn.Conv2d(width, 3, 3, padding=1)
        assert self.mending.bias is not None
        nn.init.zeros_(self.mending.weight)
        nn.init.zeros_(self.mending.bias)

    def moved(self, imagined: Tensor, last: Tensor, flow: Tensor) -> Tensor:
        """The flow is scaled, and added to; bicubic, since what is warped again and again by less grows dim."""
        mending = nn.functional.interpolate(
            self.mending(imagined), scale_factor=PATCH, mode="bilinear", align_corners=False
        )
        return warped(last, flow * (1 + mending[:, :1]) + mending[:, 1:], "bicubic")


class KernelPainter(MovingPainter):
    """Each patch is a mean over places it may come from, down and across: it can be in doubt, as a flow cannot.

    Adaptive separable convolution, Niklaus et al., "Video frame interpolation via adaptive separable convolution",
    ICCV 2017; kernels that are probabilities as in Finn et al., "Unsupervised learning for physical interaction through
    video prediction", NeurIPS 2016.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__(width, channels)
        taps = 2 * _REACH + 1
        self.kernels = nn.Conv2d(width, 2 * taps, 1)
        assert self.kernels.bias is not None
        nn.init.zeros_(self.kernels.bias)
        self.kernels.bias.data[_REACH::taps] = _STAYS

    def moved(self, imagined: Tensor, last: Tensor, flow: Tensor) -> Tensor:
        """Down, then across; beyond the edge the picture goes on as it ends there."""
        down, across = self.kernels(imagined).chunk(2, 1)
        return _blended(_blended(last, down.softmax(1), 2), across.softmax(1), 3)


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
"""By the name that `--paint` takes."""
