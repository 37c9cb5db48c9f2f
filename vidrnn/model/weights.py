"""The first weights of an encoder: from ImageNet, from a file, from another model of vidrnn, or random."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vidrnn.errors import ModelError, WeightsError, first_line
from vidrnn.model.checkpoint import load_model
from vidrnn.model.header import find_weights, read_header, shipped_models
from vidrnn.model.picture_graph import hash_of
from vidrnn.nets.encoders.base import Encoder
from vidrnn.nets.encoders.onnx_file import OnnxEncoder
from vidrnn.nets.encoders.pretrained import (
    TORCHVISION_WEIGHTS,
    UNREADABLE,
    TorchvisionEncoder,
    imagenet_file,
    imagenet_weights,
)
from vidrnn.nets.encoders.timm_network import TimmEncoder, timm_weights

Weights = dict[str, Tensor]

PRETRAINED = "pretrained"
"""The origin of the weights that timm has for its networks."""


def give_weights(encoder: Encoder, name: str, origin: str) -> None:
    """Fill the encoder `name` from `origin`: `imagenet`, `imagenet_v2`, `none`, a file of weights or a model of vidrnn.

    Raises:
        WeightsError: there are no such weights, or they are another network's.
    """
    if origin == "none":
        return
    if isinstance(encoder, OnnxEncoder):
        _give_graph(encoder, Path(origin))
        return
    if isinstance(encoder, TimmEncoder) and origin == PRETRAINED:
        _fill(encoder, {f"network.{key}": tensor for key, tensor in timm_weights(name).items()}, origin)
        return
    if origin not in TORCHVISION_WEIGHTS:
        _fill(encoder, _from_path(Path(origin)), origin)
    elif not isinstance(encoder, TorchvisionEncoder):
        raise WeightsError(f"--weights {origin}: the encoder {name} has no such weights. Use --weights none.")
    elif origin == "imagenet" and not imagenet_file(name).exists() and (weights := _shipped_imagenet(name)) is not None:
        encoder.load_state_dict(weights)
    else:
        _fill(encoder, {f"network.{key}": tensor for key, tensor in imagenet_weights(name, origin).items()}, origin)


def _give_graph(encoder: OnnxEncoder, file: Path) -> None:
    """Give an encoder the graph that its record was made from.

    Raises:
        WeightsError: the file is not there any more, or it has changed.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise WeightsError(f"--encoder {file}: cannot be read any more: {error.strerror or error}.") from None
    if hash_of(content) != encoder.graph.hash:
        raise WeightsError(f"--encoder {file}: was changed while training ran. Start anew.")
    encoder.take_graph(content)


def _shipped_imagenet(name: str) -> Weights | None:
    """The encoder of a shipped model, if that is this encoder with its ImageNet weights untouched."""
    for folder in sorted(shipped_models().glob("*/")):
        try:
            encoder = read_header(find_weights(folder)).spec.encoder
        except ModelError:
            continue
        if (encoder.name, encoder.frozen, encoder.origin) == (name, True, "imagenet"):
            network = load_model(folder).network
            return None if network.split is None else network.split[0].state_dict()
    return None


def _from_path(path: Path) -> Weights:
    """Weights under the names of our encoders, from a model of vidrnn, a .safetensors or a torch file."""
    if path.is_dir():
        try:
            path = find_weights(path)
        except ModelError as error:
            raise WeightsError(f"--weights {error}") from None
    if not path.is_file():
        raise WeightsError(f"--weights {path}: no such file. Say imagenet, none, or name a file or a model.")
    try:
        stored = _safetensors(path) if path.suffix == ".safetensors" else _torch_file(path)
    except (*UNREADABLE, SafetensorError, OSError) as error:
        raise WeightsError(
            f"--weights {path}: not a file of weights that can be read safely ({_reason(error)}). "
            "Bring a .safetensors file, or a .pth of tensors only."
        ) from None
    ours = {key.removeprefix("encoder."): tensor for key, tensor in stored.items() if key.startswith("encoder.")}
    return ours or {f"network.{key}": tensor for key, tensor in stored.items()}


def _reason(error: Exception) -> str:
    """The reason of an error in few words; torch's own words are long, and for programmers."""
    if isinstance(error, RuntimeError | pickle.UnpicklingError | EOFError | LookupError):
        return "it is damaged, or holds more than tensors"
    return first_line(error)


def _safetensors(path: Path) -> Weights:
    with safe_open(path, framework="pt") as stored:
        return {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dict


def _torch_file(path: Path) -> Weights:
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise ValueError("it holds something other than named tensors")
    return loaded


def _fill(encoder: Encoder, weights: Weights, origin: str) -> None:
    """Load the weights that the encoder needs. Weights of other layers, such as a last layer, are ignored."""
    needed = encoder.state_dict()
    missing = [key for key in needed if key not in weights and not key.endswith("num_batches_tracked")]
    odd = [key for key in needed if key in weights and weights[key].shape != needed[key].shape]
    if missing or odd:
        problem = f"{len(missing)} of {len(needed)} tensors are missing" if missing else f"{odd[0]} has another shape"
        raise WeightsError(f"--weights {origin}: these are another network's weights: {problem}. Check --encoder.")
    encoder.load_state_dict({key: weights.get(key, tensor) for key, tensor in needed.items()})
