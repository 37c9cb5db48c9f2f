"""A decoder that moves patches by learnt kernels.

Separable kernels for each place: Niklaus et al., "Video frame interpolation via adaptive separable convolution", ICCV
2017. Kernels that are probabilities: Finn et al., "Unsupervised learning for physical interaction through video
prediction", NeurIPS 2016.
"""

from __future__ import annotations

from torch import Tensor, nn
from typing_extensions import override

from vidrnn.nets.decoders.base import PATCH, StatelessDecoder, zero_weights

_REACH = 5
"""The largest movement of a patch from one frame to the next, in pixels, in each direction."""
_STAY = 3.0
"""The logit of no movement before training; the logit of every other movement is 0."""


class KernelDecoder(StatelessDecoder):
    """Each patch is a weighted mean of the places that it may come from, plus a learnt correction.

    The weights are probabilities, so a kernel can express doubt between several movements. A flow cannot.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__(width, channels)
        zero_weights(self.pixels[0])
        taps = 2 * _REACH + 1
        self.kernels = nn.Conv2d(width, 2 * taps, 1)
        assert self.kernels.bias is not None
        nn.init.zeros_(self.kernels.bias)
        self.kernels.bias.data[_REACH::taps] = _STAY

    @override
    def decode(self, maps: Tensor, last: Tensor) -> Tensor:
        """Move down, then across. Beyond the edge, the picture repeats its edge pixels."""
        down, across = self.kernels(maps).chunk(2, 1)
        moved = _filtered(_filtered(last, down.softmax(1), 2), across.softmax(1), 3)
        predicted: Tensor = moved + self.pixels(maps)
        return predicted


def _filtered(pictures: Tensor, kernels: Tensor, axis: int) -> Tensor:
    """The mean of the pictures shifted along an axis by -_REACH to _REACH pixels, weighted by the kernel of each patch.

    Args:
        pictures: (count, channels, height, width) float.
        kernels: (count, 2 _REACH + 1, height / 4, width / 4), the weights of the shifts; their sum is 1.
        axis: 2 for down, 3 for across.
    """
    count, channels, rows, columns = pictures.shape
    edges = (0, 0, _REACH, _REACH) if axis == 2 else (_REACH, _REACH, 0, 0)
    wide = nn.functional.pad(pictures, edges, mode="replicate")
    patches = (count, channels, rows // PATCH, PATCH, columns // PATCH, PATCH)
    total = pictures.new_zeros(())
    for shift, weight in enumerate(kernels.unbind(1)):
        shifted = wide.narrow(axis, shift, pictures.shape[axis]).reshape(patches)
        total = total + shifted * weight[:, None, :, None, :, None]
    return total.reshape(pictures.shape)
