"""One folder <-> a model and everything that must travel with it. Runs no code from the files it reads."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from vidrnn.errors import ModelError, RunError, UsageError
from vidrnn.model.header import HEADER_KEY, WEIGHTS_NAME, find_weights, read_header
from vidrnn.model.metadata import ModelHeader
from vidrnn.nets.network import Network, build_network
from vidrnn.nets.spec import ModelSpec

CARD_NAME = "README.md"


@dataclass(frozen=True)
class LoadedModel:
    """A network ready to be asked, and its header."""

    network: Network
    header: ModelHeader
    folder: Path

    @property
    def spec(self) -> ModelSpec:
        """What the network is."""
        return self.header.spec

    def on(self, device: str) -> Self:
        """The same model, computing on `device`."""
        return replace(self, network=self.network.to(device))


def save_model(folder: Path, network: nn.Module, header: ModelHeader, card: str) -> None:
    """Write a model folder, whole or not at all; one that stands there is replaced.

    Raises:
        RunError: the folder cannot be written.
    """
    with whole_folder(folder) as made:
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
        save_file(tensors, made / WEIGHTS_NAME, metadata={HEADER_KEY: header.to_json()})
        (made / WEIGHTS_NAME).chmod(0o644)
        (made / CARD_NAME).write_text(card, encoding="utf-8")


def load_model(path: Path) -> LoadedModel:
    """Read a model from a run folder, a model folder or its weights file; in evaluation mode, on the CPU.

    Raises:
        ModelError: there is none, or it is damaged, foreign or newer than this vidrnn.
    """
    file = find_weights(path)
    header = read_header(file)
    try:
        network = build_network(header.spec, header.answer)
    except UsageError as error:
        raise ModelError(f"{path}: made of parts that this vidrnn lacks. {error} Update vidrnn.") from None
    try:
        with safe_open(file, framework="pt") as tensors:
            stored = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118 - not a dict
        network.load_state_dict(stored)
    except (SafetensorError, RuntimeError) as error:
        raise ModelError(
            f"{path}: its weights do not fit what its header describes ({_first_line(error)}). Copy the model again."
        ) from None
    return LoadedModel(network.eval().requires_grad_(False), header, file.parent)


def stored_tensor(path: Path, name: str) -> NDArray[np.float32]:
    """One tensor of the weights of a model.

    Raises:
        ModelError: there are no weights, or none of that name.
    """
    file = find_weights(path)
    try:
        with safe_open(file, framework="np") as tensors:
            found: NDArray[np.float32] = tensors.get_tensor(name)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: has no {name} ({_first_line(error)}).") from None
    return found


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill beside `folder`, which takes its name when all is well and goes when it is not.

    Raises:
        RunError: the disk refuses.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror}). Choose another place with --out.") from None
    try:
        yield made
        made.chmod(0o755)
        _swap(made, folder)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{folder}: cannot be written ({_reason(error)}). Free some space and try again.") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write_whole(file: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    beside = file.with_name(f".{file.name}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)


@dataclass(frozen=True)
class TrainingState:
    """What a stopped training needs to go on as if it had not stopped."""

    tensors: dict[str, torch.Tensor]
    """Weights now, best weights and optimiser moments, by name."""
    facts: dict[str, object]
    """Plain numbers and words: epochs done, the best score, the history."""


def save_training(folder: Path, state: TrainingState) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        RunError: the disk refuses.
    """
    file = folder / "training.safetensors"
    beside = file.with_name(f".{file.name}.part")
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.tensors.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, beside, metadata={HEADER_KEY: json.dumps(state.facts)})
        beside.replace(file)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{file}: cannot be written ({_reason(error)}). Free some space, then --resume.") from None


def load_training(folder: Path) -> TrainingState | None:
    """Read a checkpoint; None where training had not come to the end of an epoch.

    Raises:
        RunError: the checkpoint is damaged.
    """
    file = folder / "training.safetensors"
    if not file.exists():
        return None
    try:
        with safe_open(file, framework="pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dict
            facts = json.loads((stored.metadata() or {})[HEADER_KEY])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise RunError(f"{file}: damaged ({_first_line(error)}). Start anew with --overwrite.") from None
    return TrainingState(tensors, facts)


def _swap(made: Path, folder: Path) -> None:
    """Give `made` the name of `folder`, keeping an older one aside until the new one stands."""
    old = folder.with_name(f".{folder.name}-old-{os.getpid()}")
    if folder.exists():
        folder.replace(old)
    try:
        made.replace(folder)
    except OSError:
        if old.exists():
            old.replace(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _reason(error: Exception) -> str:
    """Why the disk refused; safetensors has its own words for it."""
    return error.strerror if isinstance(error, OSError) and error.strerror else _first_line(error)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".:") if lines else type(error).__name__
