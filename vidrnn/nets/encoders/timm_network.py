"""The networks of timm without their last layer: an extra, pip install "vidrnn[timm]".

A name must be one of timm's own list. timm would also take names that make it download or open files, such as
`hf-hub:...`, and a stored model must not do so.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Self

import torch
from torch import Tensor, nn
from typing_extensions import override

from vidrnn.errors import UsageError, WeightsError, first_line
from vidrnn.nets.encoders.base import PictureEncoder
from vidrnn.nets.spec import EncoderConfig, PixelRecord
from vidrnn.values import Size


@dataclass(frozen=True)
class TimmFacts:
    """What timm states of a network."""

    pixels: PixelRecord
    size: Size
    """Of the pictures that it was trained with."""
    fixed: bool
    """Whether it takes no other size."""


class TimmEncoder(PictureEncoder):
    """The pooled features of timm's network `timm:NAME`."""

    def __init__(self, config: EncoderConfig, size: Size) -> None:
        """Build it with fresh weights, for pictures of `size`.

        Raises:
            UsageError: timm is not installed, has no such network, or the network takes no such pictures.
        """
        assert config.pixels is not None
        super().__init__(config.pixels.mean, config.pixels.deviation)
        self.config = config
        self.network = _network(config.name)
        self.view_width = self._width_for(size)
        self.views = ("appearance", *config.motion)

    def _width_for(self, size: Size) -> int:
        training = self.network.training
        try:
            with torch.no_grad():
                features = self.network.eval()(torch.zeros(1, 3, size.height, size.width))
        except (AssertionError, RuntimeError, ValueError) as error:
            raise UsageError(
                f"--encoder {self.config.name}: takes no pictures of {size} pixels ({first_line(error)}). Leave "
                "--size out."
            ) from None
        finally:
            self.network.train(training)
        if not isinstance(features, Tensor) or features.ndim != 2:
            raise UsageError(f"--encoder {self.config.name}: gives no vector for a picture. Choose another network.")
        return features.shape[1]

    @property
    @override
    def identity(self) -> str:
        assert self.config.pixels is not None
        return self.config.name + self.config.pixels.model_dump_json()

    @override
    def folded(self) -> Self:
        try:
            return super().folded()
        except Exception:  # torch.fx cannot trace some networks, and says so in many ways; they stay unfolded
            reader = copy.deepcopy(self).eval().requires_grad_(False)
            reader.network = reader.network.to(memory_format=torch.channels_last)
            return reader

    @override
    def encode_pictures(self, pictures: Tensor) -> Tensor:
        features: Tensor = self.network(pictures)
        return features


def timm_facts(name: str) -> TimmFacts:
    """The pixels and the size that `timm:NAME` was trained with.

    Raises:
        UsageError: timm is not installed, has no such network, or the network does not take coloured pictures.
    """
    network: Any = _network(name)
    stated = _timm().data.resolve_model_data_config(network)
    channels, height, width = stated["input_size"]
    if channels != 3:
        raise UsageError(f"--encoder {name}: takes pictures of {channels} channels. Choose a network of coloured ones.")
    pixels = PixelRecord(channels="rgb", mean=tuple(stated["mean"]), deviation=tuple(stated["std"]))
    return TimmFacts(pixels, Size(height, width), bool(network.pretrained_cfg.get("fixed_input_size")))


def timm_weights(name: str) -> dict[str, Tensor]:
    """The weights that timm has for `timm:NAME`, from its cache of downloads, or from the internet if that lacks them.

    Raises:
        WeightsError: timm has none, or they are not on this machine and cannot be downloaded.
    """
    try:
        weights: dict[str, Tensor] = _network(name, pretrained=True).state_dict()
    except UsageError:
        raise
    except Exception as error:  # timm downloads with whatever is installed, and each has errors of its own
        raise WeightsError(
            f"{name}: its weights are not on this machine and could not be downloaded ({first_line(error)}). Go "
            "online once, or name a file of them with --weights, or train without them: --weights none --fine-tune."
        ) from None
    return weights


def _network(name: str, *, pretrained: bool = False) -> nn.Module:
    """timm's network without its last layer. With `pretrained`, timm may use the internet."""
    timm, own = _timm(), name.partition(":")[2]
    known = [*timm.list_models(), *timm.list_models(pretrained=True)]
    if own not in known:
        close = get_close_matches(own, known, 5)
        advice = f"Similar are {', '.join(close)}." if close else "timm.list_models() lists them."
        raise UsageError(f"--encoder {name}: timm {timm.__version__} has no network of that name. {advice}")
    network: nn.Module = timm.create_model(own, pretrained=pretrained, num_classes=0)
    return network


def _timm() -> Any:
    try:
        import timm
        import timm.data
    except ImportError:
        raise UsageError(
            '--encoder timm:NAME: timm is not installed. Install it: pip install "vidrnn[timm]".'
        ) from None
    return timm
