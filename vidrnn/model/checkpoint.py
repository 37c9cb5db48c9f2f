"""One folder <-> a model and everything that must travel with it. Runs no code from the files it reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from vidrnn.atomic import write_file, write_folder
from vidrnn.errors import ModelError, RunError, TrainingError, UsageError, first_line
from vidrnn.model.header import HEADER_KEY, TRAINING_NAME, WEIGHTS_NAME, find_weights, read_header
from vidrnn.model.metadata import ModelHeader
from vidrnn.model.picture_graph import ENCODER_NAME, give_graph
from vidrnn.model.whole import seal_of, with_seal
from vidrnn.nets.encoders.onnx_file import OnnxEncoder
from vidrnn.nets.network import Network, build_network
from vidrnn.nets.spec import ModelSpec
from vidrnn.plain_json import json_text
from vidrnn.sums import SEAL_KEY, is_whole, seal
from vidrnn.values import Size

CARD_NAME = "README.md"
CHECKPOINT_FORMAT = 3
"""Of the files from which a stopped training goes on. A reader refuses a higher one, and says so."""
_PORTABLE_FILES = tuple(
    f"model{precision}.{suffix}" for suffix in ("onnx", "xml", "bin", "pt2") for precision in ("", "-fp16", "-int8")
)
"""Portable files, which an export writes beside the weights."""


@dataclass(frozen=True)
class LoadedModel:
    """A network in evaluation mode, and its header."""

    network: Network
    header: ModelHeader
    folder: Path
    seal: str = ""
    """The digits of the seal of its weights file; empty where it has none."""

    @property
    def spec(self) -> ModelSpec:
        """The specification of the network."""
        return self.header.spec

    def on(self, device: str) -> Self:
        """The same model, computing on `device`."""
        return replace(self, network=self.network.to(device))


def save_model(folder: Path, network: nn.Module, header: ModelHeader, card: str) -> None:
    """Write a model folder, whole or not at all.

    A model that is there is replaced: its weights in one step, after its portable files were removed. Files that
    vidrnn did not write stay.

    Raises:
        TrainingError: a weight is not finite.
        OutputError: the folder cannot be written.
    """
    if not all_finite(network.state_dict()):
        raise TrainingError(f"{folder}: not written, since some weights of the model are not finite numbers.")
    advice = "Free some space, or choose another place with --out."
    graph = next((part for part in network.modules() if isinstance(part, OnnxEncoder)), None)
    with write_folder(folder, main=WEIGHTS_NAME, own=_PORTABLE_FILES, needed=(ENCODER_NAME,), advice=advice) as beside:
        if graph is not None:
            (beside / ENCODER_NAME).write_bytes(graph.content)
        _save_tensors(network.state_dict(), beside / WEIGHTS_NAME, header.to_json())
        (beside / CARD_NAME).write_text(card, encoding="utf-8")


def load_model(path: Path) -> LoadedModel:
    """Read a model from a run folder, a model folder or its weights file; in evaluation mode, on the CPU.

    Raises:
        ModelError: there is none, or it is damaged, foreign or newer than this vidrnn.
    """
    file = find_weights(path)
    header = read_header(file)
    try:
        with safe_open(file, framework="pt") as tensors:
            stored = _in_memory(tensors)
        if _may_be_large(header.spec, file.stat().st_size):
            with torch.device("meta"):  # which holds no numbers
                _check_tensors(_built(header, path), stored)
        network = _built(header, path)
        _check_tensors(network, stored)
        network.load_state_dict(stored)
    except (SafetensorError, RuntimeError, OSError, ValueError) as error:
        raise ModelError(
            f"{path}: its weights do not fit what its header describes ({first_line(error)}). Copy the model again."
        ) from None
    if not all_finite(stored):
        raise ModelError(
            f"{path}: some of its weights are not finite numbers, so it cannot answer. Copy the model again, or train "
            "it anew."
        )
    for part in network.modules():
        if isinstance(part, OnnxEncoder):
            _load_graph(part, file.parent / ENCODER_NAME, header.spec.size)
    return LoadedModel(network.eval().requires_grad_(False), header, file.parent, seal_of(file))


def _in_memory(opened: Any) -> dict[str, torch.Tensor]:
    """Copies of the tensors of an opened file. The tensors that it gives lie in the mapped file itself, and Windows
    replaces no file that is mapped: the next checkpoint could not be written."""
    return {name: opened.get_tensor(name).clone() for name in opened.keys()}  # noqa: SIM118 - not a dict


def _built(header: ModelHeader, path: Path) -> Network:
    """The network of a header, with fresh weights.

    Raises:
        ModelError: this vidrnn lacks a part of it.
    """
    try:
        return build_network(header.spec, header.answer)
    except UsageError as error:
        raise ModelError(f"{path}: made of parts that this vidrnn lacks. {error} Update vidrnn.") from None


_SPARE_BYTES = 2**28


def _may_be_large(spec: ModelSpec, stored_bytes: int) -> bool:
    """Whether a network may need far more memory than its stored weights, so that its spec may be damaged.

    The estimate is of the head: four gates of square matrices, 3x3 of them where the head keeps pictures.
    """
    head, width = spec.head, spec.encoder.features.width if spec.encoder.features else 4096
    matrices = spec.members * (head.depth + 1) * 2 * 4 * (9 if spec.forecast else 1)
    return 4 * matrices * head.units * max(head.units, width) > 8 * stored_bytes + _SPARE_BYTES


def _check_tensors(network: nn.Module, stored: Mapping[str, torch.Tensor]) -> None:
    """Compare the tensors of a network with the stored ones.

    Raises:
        ValueError: one is missing, or of another shape or type.
    """
    needed = network.state_dict()
    for name in (*needed, *stored):
        if name not in stored or name not in needed:
            raise ValueError(f"{name} is {'missing' if name in needed else 'of no part'}")
        if stored[name].shape != needed[name].shape or stored[name].dtype != needed[name].dtype:
            shapes = ("x".join(map(str, one[name].shape)) or "one number" for one in (stored, needed))
            raise ValueError(f"{name} is {' and not '.join(shapes)}, or of another type")


def _load_graph(encoder: OnnxEncoder, file: Path, size: Size) -> None:
    """Give an encoder the graph that lies beside the weights.

    Raises:
        ModelError: it is missing, damaged or another one.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{file}: cannot be read ({error.strerror or error}), and the model's encoder is in it. Copy the whole "
            "folder again."
        ) from None
    try:
        give_graph(encoder, content, size)
    except ModelError as error:
        raise ModelError(f"{file}: {str(error).rstrip('.')}. Copy the whole folder again.") from None


def stored_tensor(path: Path, name: str) -> NDArray[np.float32]:
    """One tensor of the weights of a model.

    Raises:
        ModelError: there are no weights, or none of that name.
    """
    file = find_weights(path)
    try:
        with safe_open(file, framework="np") as tensors:
            tensor: NDArray[np.float32] = tensors.get_tensor(name)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: has no {name} ({first_line(error)}).") from None
    return tensor


@dataclass(frozen=True)
class TrainingState:
    """The state of a stopped training. Resumed from it, the training gives the results of an unbroken one."""

    tensors: dict[str, torch.Tensor]
    """Weights now, best weights and optimiser moments, by name."""
    facts: dict[str, object]
    """Plain numbers and words: epochs done, the best score, the history."""


def save_training(folder: Path, state: TrainingState, name: str = TRAINING_NAME) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        OutputError: the disk refuses.
    """
    with write_file(folder / name, advice="Free some space, then --resume.") as beside:
        _save_tensors(state.tensors, beside, json_text({"format": CHECKPOINT_FORMAT, **state.facts}, ascii_only=True))


def load_training(folder: Path, name: str = TRAINING_NAME) -> TrainingState | None:
    """Read a checkpoint; None where there is none.

    Raises:
        RunError: the checkpoint is damaged, or from another version of vidrnn.
    """
    file = folder / name
    if not file.exists():
        return None
    try:
        with safe_open(file, framework="pt") as stored:
            tensors = _in_memory(stored)
            facts = json.loads((stored.metadata() or {})[HEADER_KEY])
        if not is_whole(file):
            raise ValueError("its checksum is another one")
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise RunError(f"{file}: damaged ({first_line(error)}). Start anew with --overwrite.") from None
    facts.pop(SEAL_KEY, None)
    check_format(facts.pop("format", CHECKPOINT_FORMAT), CHECKPOINT_FORMAT, file)
    return TrainingState(tensors, facts)


def check_format(number: int, known: int, file: Path) -> None:
    """Refuse a file from which work is to go on, unless its format is the one that is known.

    Raises:
        RunError: it is another one.
    """
    if number != known:
        advice = "Update vidrnn: pip install --upgrade vidrnn." if number > known else "Start anew with another --out."
        raise RunError(f"{file}: has format {number}, and this vidrnn continues format {known}. {advice}")


def _save_tensors(tensors: Mapping[str, torch.Tensor], file: Path, text: str) -> None:
    """Write tensors of any device and layout, and `text`, a JSON object, under the header's key; and seal the file.

    Raises:
        OSError: the disk refuses.
    """
    stored = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    try:
        save_file(stored, file, metadata={HEADER_KEY: with_seal(text)})
    except SafetensorError as error:  # it has words of its own for a full disk
        raise OSError(first_line(error)) from error
    file.chmod(0o644)
    seal(file)


def all_finite(tensors: Mapping[str, torch.Tensor]) -> bool:
    """Whether every number in the tensors is finite."""
    numbers = (tensor for tensor in tensors.values() if tensor.is_floating_point() and tensor.numel())
    return all(bool(torch.isfinite(torch.stack(torch.aminmax(tensor))).all()) for tensor in numbers)
