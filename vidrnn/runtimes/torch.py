"""torch itself: the network that was trained, on a processor or a GPU."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from vidrnn.errors import ModelError, UsageError, first_line, is_memory_shortage
from vidrnn.model.checkpoint import LoadedModel, load_model
from vidrnn.model.header import WEIGHTS_NAME
from vidrnn.model.metadata import ModelHeader
from vidrnn.nets.classifier import Encode, encoding_of
from vidrnn.runtimes.base import Array, Features, Outputs, Runtime, State, checked_outputs
from vidrnn.values import Pixels
from vidrnn.video.motion import motion_inputs


class TorchRuntime(Runtime):
    """A loaded model; its device computes."""

    name = "torch"

    def __init__(self, model: LoadedModel) -> None:
        self.network = model.network
        self.handling = model.header.handling
        self._header = model.header

    @classmethod
    def open(cls, path: Path, device: str = "cpu") -> Self:
        """Read a model from a run folder, a model folder or its weights file.

        Raises:
            ModelError: there is none, or it is damaged, foreign or newer than this vidrnn.
            UsageError: torch does not compute on that device here.
        """
        if path.suffix in (".onnx", ".xml"):
            raise ModelError(f"{path}: torch reads {WEIGHTS_NAME}. Name the model's folder, or say another --runtime.")
        model = load_model(path)
        try:
            return cls(model.on(device))
        except (RuntimeError, AssertionError) as error:  # what torch raises for a device that is not there
            if is_memory_shortage(error):
                raise MemoryError(first_line(error)) from None
            raise UsageError(f"device {device}: torch cannot compute on it ({first_line(error)}). Use cpu.") from None

    @property
    @override
    def header(self) -> ModelHeader:
        return self._header

    @property
    @override
    def streams(self) -> bool:
        return self.network.streams

    @property
    @override
    def splits(self) -> bool:
        return self.network.split is not None

    @override
    def read(self, frames: Pixels, state: State | None = None, before: Pixels | None = None) -> tuple[Outputs, State]:
        return self._ask(self.network, frames, state, motion_inputs(self.handling.inputs, frames, before))

    @override
    def encode(self, pixels: Pixels, before: Pixels | None = None) -> Features:
        if not self.splits:
            return super().encode(pixels, before)
        with self._computing():
            return self._encode(pixels, before)

    @override
    def follow(self, features: Features, state: State | None = None) -> tuple[Outputs, State]:
        if self.network.split is None:
            return super().follow(features, state)
        return self._ask(self.network.split[1], features, state, {})

    def _ask(
        self, network: nn.Module, inputs: Array, state: State | None, further: Mapping[str, Pixels]
    ) -> tuple[Outputs, State]:
        if threading.current_thread() is not threading.main_thread():
            torch.set_num_threads(1)  # of this thread: the threads beside it use the other cores
        device = next(self.network.parameters()).device

        def tensor_of(array: Array) -> Tensor:
            owned = np.require(array, requirements=["C", "W"])  # a read-only array cannot become a tensor
            return torch.from_numpy(owned).to(device)

        given = {name: torch.from_numpy(tensor).to(device) for name, tensor in (state or {}).items()}
        pictures = {name: tensor_of(each) for name, each in further.items()}
        with self._computing(), torch.inference_mode():
            outputs, after = network(tensor_of(inputs), given or None, **pictures)
        state = {name: np.asarray(tensor.cpu()) for name, tensor in after.items()} if self.streams else {}
        return checked_outputs({name: np.asarray(tensor.cpu()) for name, tensor in outputs.items()}), state

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Turn torch's errors into sentences.

        Raises:
            ModelError: torch cannot compute the model.
            MemoryError: there is too little memory.
        """
        try:
            yield
        except RuntimeError as error:
            if is_memory_shortage(error):
                raise MemoryError(first_line(error)) from None
            raise ModelError(
                f"{self.name} cannot compute the model for pictures of {self.handling.size} ({first_line(error)}). "
                "Copy the model again."
            ) from error

    @cached_property
    def _encode(self) -> Encode:
        assert self.network.split is not None
        return encoding_of(self.network.split[0])
