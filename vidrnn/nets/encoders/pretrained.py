"""The classification networks of torchvision without their last layer, and their ImageNet weights."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torchvision.models import WeightsEnum, get_model, get_model_weights
from typing_extensions import override

from vidrnn.errors import WeightsError
from vidrnn.nets.encoders.base import Encoder, needed
from vidrnn.values import PictureMotion, ViewName

Weights = dict[str, Tensor]

UNREADABLE = (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, LookupError)
"""The errors that torch raises for a file that holds no weights."""

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
_UNCHANGED = 128
"""The level of a pixel that did not change, in the picture of a difference."""


class TorchvisionEncoder(Encoder):
    """The input of the last linear layer of torchvision's network `name`.

    With motion the same network also sees a picture of the difference from the frame before, or of the flow.
    """

    def __init__(self, name: str, motion: Sequence[PictureMotion] = ()) -> None:
        super().__init__(_IMAGENET_MEAN, _IMAGENET_DEVIATION)
        self.network = get_model(name, weights=None)
        self.view_width = _remove_last_layer(self.network)
        self.views = ("appearance", *motion)

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

    @override
    def encode_pictures(self, pictures: Tensor) -> Tensor:
        features: Tensor = self.network(pictures)
        return features


def imagenet_file(name: str) -> Path:
    """The path where torch stores the ImageNet weights of torchvision's network `name` after the download."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(_entry(name).url).name


def imagenet_weights(name: str) -> Weights:
    """The ImageNet weights (IMAGENET1K_V1) of torchvision's network `name`, under the names of torchvision.

    They come from torch's cache of downloads, or from the internet if the cache lacks them.

    Raises:
        WeightsError: the weights are not on this machine and cannot be downloaded, or their file is damaged.
    """
    file = imagenet_file(name)
    try:
        weights: Weights = _entry(name).get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (*UNREADABLE, URLError, OSError) as error:
        if file.exists():
            raise WeightsError(f"{file}: the file is damaged. Delete it; vidrnn then downloads it again.") from None
        raise WeightsError(
            f"{name}: its ImageNet weights are not on this machine and could not be downloaded ({error}). "
            f"Go online once, or copy {file.name} to {file.parent}, or train without them: --weights none."
        ) from None
    return weights


def _entry(name: str) -> WeightsEnum:
    return get_model_weights(name)["IMAGENET1K_V1"]


def _remove_last_layer(network: nn.Module) -> int:
    """Replace the last linear layer by the identity, and return the number of its inputs."""
    name, layer = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Linear)][-1]
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Identity())
    return layer.in_features
