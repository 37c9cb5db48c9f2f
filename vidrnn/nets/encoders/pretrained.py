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
from vidrnn.nets.encoders.base import PictureEncoder
from vidrnn.values import WHOLE, Grid, PictureMotion

Weights = dict[str, Tensor]

UNREADABLE = (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, LookupError)
"""The errors that torch raises for a file that holds no weights."""

TORCHVISION_WEIGHTS = {"imagenet": "IMAGENET1K_V1", "imagenet_v2": "IMAGENET1K_V2"}
"""The weights of torchvision by the name that `--weights` takes. The second come from a better recipe of training."""

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


class TorchvisionEncoder(PictureEncoder):
    """The input of the last linear layer of torchvision's network `name`.

    With a grid, the network reads each cell of the picture by itself, so the features tell where something is. All
    cells together cost about as much as the whole picture.
    """

    def __init__(self, name: str, motion: Sequence[PictureMotion] = (), grid: Grid = WHOLE) -> None:
        """Build it with fresh weights. `grid`: rows and columns of cells that are read by themselves."""
        super().__init__(_IMAGENET_MEAN, _IMAGENET_DEVIATION)
        self.network = get_model(name, weights=None)
        self.grid = grid
        self.view_width = grid[0] * grid[1] * _remove_last_layer(self.network)
        self.views = ("appearance", *motion)

    @property
    @override
    def identity(self) -> str:
        return "" if self.grid == WHOLE else f"grid {self.grid[0]}x{self.grid[1]}"

    @override
    def encode_pictures(self, pictures: Tensor) -> Tensor:
        features: Tensor
        if self.grid == WHOLE:
            features = self.network(pictures)
            return features
        rows, columns = self.grid
        height, width = pictures.shape[-2] // rows, pictures.shape[-1] // columns
        cells = [
            pictures[..., row * height : (row + 1) * height, column * width : (column + 1) * width]
            for row in range(rows)
            for column in range(columns)
        ]
        features = self.network(torch.stack(cells, 1).flatten(0, 1))
        return features.reshape(-1, self.view_width)


def imagenet_file(name: str, origin: str = "imagenet") -> Path:
    """The path where torch stores weights of torchvision's network `name` after the download.

    Raises:
        WeightsError: the network has no such weights.
    """
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(_entry(name, origin).url).name


def imagenet_weights(name: str, origin: str = "imagenet") -> Weights:
    """The weights of torchvision's network `name` that `--weights` calls `origin`, under the names of torchvision.

    They come from torch's cache of downloads, or from the internet if the cache lacks them.

    Raises:
        WeightsError: the network has no such weights, their file is damaged, or they are not on this machine and cannot
            be downloaded.
    """
    file = imagenet_file(name, origin)
    try:
        weights: Weights = _entry(name, origin).get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (*UNREADABLE, URLError, OSError) as error:
        if file.exists():
            raise WeightsError(f"{file}: the file is damaged. Delete it; vidrnn then downloads it again.") from None
        raise WeightsError(
            f"{name}: its ImageNet weights are not on this machine and could not be downloaded ({error}). "
            f"Go online once, or copy {file.name} to {file.parent}, or train without them: --weights none."
        ) from None
    return weights


def _entry(name: str, origin: str) -> WeightsEnum:
    entries = get_model_weights(name)
    if TORCHVISION_WEIGHTS[origin] not in entries.__members__:
        raise WeightsError(f"--weights {origin}: torchvision has no such weights of {name}. Use --weights imagenet.")
    return entries[TORCHVISION_WEIGHTS[origin]]


def _remove_last_layer(network: nn.Module) -> int:
    """Replace the last linear layer by the identity, and return the number of its inputs."""
    name, layer = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Linear)][-1]
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Identity())
    return layer.in_features
