"""torch itself: the network that was trained, on a processor or a GPU."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from vidrnn.config import ModelHeader
from vidrnn.errors import ModelError
from vidrnn.model.checkpoint import LoadedForecaster, LoadedModel, load_forecaster, load_model
from vidrnn.model.header import WEIGHTS_NAME
from vidrnn.nets.classifier import Encode, Model, SequenceModel, encoding_of
from vidrnn.nets.scoring import score_windows
from vidrnn.runtimes.base import Array, Features, FrameRuntime, Runtime, State
from vidrnn.values import Pixels, WindowScores


class TorchRuntime(Runtime):
    """A loaded model; where it lies decides what computes."""

    name = "torch"

    def __init__(self, model: LoadedModel) -> None:
        self.network: Model = model.network
        self.handling = model.header.handling
        self._header = model.header

    @classmethod
    def open(cls, path: Path, device: str = "cpu") -> Self:
        """Read a model from a run folder, a model folder or its weights file.

        Raises:
            ModelError: there is none, or it is damaged, foreign or newer than this vidrnn.
        """
        _refuse_portable(path)
        return cls(load_model(path).on(device))

    @property
    def header(self) -> ModelHeader:
        """All that it says of itself."""
        return self._header

    @property
    def streams(self) -> bool:
        """Whether a film can be read in pieces with the state handed on."""
        return self.network.streams

    def read(self, frames: Pixels, state: State | None = None) -> tuple[WindowScores, State]:
        """As the contract says."""
        return self._asked(self.network, frames, state)

    def encode(self, pixels: Pixels, before: Pixels | None = None) -> Features:
        """As the contract says."""
        return self._encode(pixels, before)

    def follow(self, features: Features, state: State | None = None) -> tuple[WindowScores, State]:
        """As the contract says."""
        if threading.current_thread() is not threading.main_thread():
            torch.set_num_threads(1)
        return self._asked(self.network.sequence, features, state)

    def _asked(self, network: Model | SequenceModel, told: Array, state: State | None) -> tuple[WindowScores, State]:
        device = next(self.network.parameters()).device
        given = {name: torch.from_numpy(tensor).to(device) for name, tensor in (state or {}).items()}
        with torch.inference_mode():
            scores, after = network(torch.from_numpy(told).to(device), given or None)
        kept = {name: np.asarray(tensor.cpu()) for name, tensor in after.items()} if self.streams else {}
        return WindowScores(np.asarray(scores.clip.double().cpu()), np.asarray(scores.steps.double().cpu())), kept

    def score(self, windows: Sequence[Features]) -> WindowScores:
        """As the contract says."""
        if threading.current_thread() is not threading.main_thread():
            torch.set_num_threads(1)  # of this thread: those beside it use the other cores
        return score_windows(self.network.sequence, windows)

    @cached_property
    def _encode(self) -> Encode:
        return encoding_of(self.network.encoder)


class TorchFrames(FrameRuntime):
    """A loaded model of the next frames."""

    name = "torch"

    def __init__(self, model: LoadedForecaster) -> None:
        self.network = model.network.eval()
        self.handling = model.header.frames_handling
        self._header = model.header

    @classmethod
    def open(cls, path: Path, device: str = "cpu") -> Self:
        """Read a model from a run folder, a model folder or its weights file.

        Raises:
            ModelError: there is none, or it is damaged, foreign, newer than this vidrnn, or of another task.
        """
        _refuse_portable(path)
        return cls(load_forecaster(path).on(device))

    @property
    def header(self) -> ModelHeader:
        """As the contract says."""
        return self._header

    def foretell(self, frames: Pixels, state: State | None = None) -> tuple[NDArray[np.float32], State]:
        """As the contract says."""
        device = next(self.network.parameters()).device
        given = {name: torch.from_numpy(tensor).to(device) for name, tensor in (state or {}).items()}
        with torch.inference_mode():
            told = torch.from_numpy(np.require(frames, requirements=["C", "W"])).to(device).unsqueeze(1)
            predicted, after = self.network(told, given or None)
        return np.asarray(predicted[:, 0].cpu()), {name: np.asarray(tensor.cpu()) for name, tensor in after.items()}


def _refuse_portable(path: Path) -> None:
    if path.suffix in (".onnx", ".xml"):
        raise ModelError(f"{path}: torch reads {WEIGHTS_NAME}. Name the model's folder, or say another --runtime.")
