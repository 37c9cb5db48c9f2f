"""torchvision's classification networks without their last layer, and where their ImageNet weights are found."""

from __future__ import annotations

import pickle
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torchvision.models import WeightsEnum, get_model, get_model_weights

from vidrnn.errors import WeightsError
from vidrnn.nets.encoders.base import Encoder

Weights = dict[str, Tensor]

UNREADABLE = (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, LookupError)
"""What torch raises on a file that is not one of weights."""

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


class TorchvisionEncoder(Encoder):
    """The numbers that torchvision's network `name` would hand to its last linear layer."""

    def __init__(self, name: str) -> None:
        super().__init__(_IMAGENET_MEAN, _IMAGENET_DEVIATION)
        self.network = get_model(name, weights=None)
        self.width = _without_last_layer(self.network)

    def encode_pictures(self, pictures: Tensor) -> Tensor:
        """As the contract says."""
        features: Tensor = self.network(pictures)
        return features


def imagenet_file(name: str) -> Path:
    """Where torch keeps the ImageNet weights of torchvision's network `name` once they are downloaded."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(_entry(name).url).name


def imagenet_weights(name: str) -> Weights:
    """ImageNet (IMAGENET1K_V1) weights of torchvision's network `name`, under its own names.

    From torch's own cache of downloads, else from the network.

    Raises:
        WeightsError: they are not on this machine and cannot be downloaded, or what is there is damaged.
    """
    file = imagenet_file(name)
    try:
        loaded: Weights = _entry(name).get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (*UNREADABLE, URLError, OSError) as error:
        if file.exists():
            raise WeightsError(f"{file}: damaged. Delete it, and it is downloaded again.") from None
        raise WeightsError(
            f"{name}: its ImageNet weights are not on this machine and could not be downloaded ({error}). "
            f"Go online once, or bring {file.name} to {file.parent}, or train without them: --weights none."
        ) from None
    return loaded


def _entry(name: str) -> WeightsEnum:
    return get_model_weights(name)["IMAGENET1K_V1"]


def _without_last_layer(network: nn.Module) -> int:
    """Replace the last linear layer by nothing; how many numbers it took."""
    name, layer = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Linear)][-1]
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Identity())
    return layer.in_features
