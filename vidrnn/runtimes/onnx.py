"""onnxruntime on a processor: starts at once, and needs neither torch nor the weights file beside the .onnx.

The file holds the whole network: frames and state -> scores, features and state. Windows overlap, and each frame is to
be encoded once, so the file's metadata also hold the network from the features on, as an ONNX model of its own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as refusals

from vidrnn.answers import WindowScores
from vidrnn.errors import ModelError
from vidrnn.header import HEADER_KEY, read_handling
from vidrnn.runtimes.base import Features, Runtime, State, StateTensor
from vidrnn.values import Pixels

if TYPE_CHECKING:
    from vidrnn.config import ModelHeader

STATE_KEY, STREAMS_KEY, HEAD_KEY = "vidrnn.state", "vidrnn.streams", "vidrnn.head"
"""Of the metadata: what the state's tensors are, whether the model streams (yes or no), and the network from the
features on, as base64."""
_PICTURES_AT_ONCE = 8
"""Few enough to stay in a processor's caches."""
_ENCODER = "encoder."
"""Begins the names of what an encoder remembers."""
_REFUSALS = (
    refusals.Fail,
    refusals.InvalidProtobuf,
    refusals.InvalidGraph,
    refusals.InvalidArgument,
    refusals.NoSuchFile,
    refusals.NotImplemented,
    refusals.RuntimeException,
)


class OnnxRuntime(Runtime):
    """A .onnx file that vidrnn made; computes on one thread for each that asks."""

    name = "onnx"

    def __init__(self, session: onnxruntime.InferenceSession, source: str) -> None:
        self._session = session
        self._metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
        if HEADER_KEY not in self._metadata:
            raise ModelError(f"{source}: an ONNX file, but not a model that vidrnn made. Name one, or its folder.")
        self._source = source
        self.handling = read_handling(self._metadata[HEADER_KEY], source)
        tensors = json.loads(self._metadata[STATE_KEY])
        self._tensors = {name: StateTensor(**told) for name, told in tensors.items()}

    @classmethod
    def open(cls, path: Path, device: str = "cpu") -> Self:
        """Read a .onnx file.

        Raises:
            ModelError: it is damaged, foreign or newer than this vidrnn.
        """
        try:
            return cls(_session(str(path)), str(path))
        except _REFUSALS as error:
            raise ModelError(
                f"{path}: not a whole ONNX file, or newer than this onnxruntime ({_first_line(error)}). Copy it again."
            ) from None

    @property
    def header(self) -> ModelHeader:
        """All that it says of itself."""
        from vidrnn.config import ModelHeader

        return ModelHeader.from_json(self._metadata[HEADER_KEY], self._source)

    @property
    def streams(self) -> bool:
        """Whether a film can be read in pieces with the state handed on."""
        return self._metadata[STREAMS_KEY] == "yes"

    def read(self, frames: Pixels, state: State | None = None) -> tuple[WindowScores, State]:
        """As the contract says."""
        after = self._run(["clip", "steps", *map(next_of, self._tensors)], frames, state or {})
        scores = WindowScores(after.pop("clip").astype(np.float64), after.pop("steps").astype(np.float64))
        return scores, {name: after[next_of(name)] for name in self._tensors}

    def encode(self, pixels: Pixels, before: Pixels | None = None) -> Features:
        """As the contract says."""
        state: State = {}
        remembered = [name for name in self._tensors if name.startswith(_ENCODER)]
        if remembered and before is not None:
            state = self._encoded(before[None], remembered, state)[1]
        features = []
        for start in range(0, len(pixels), _PICTURES_AT_ONCE):
            some, state = self._encoded(pixels[start : start + _PICTURES_AT_ONCE], remembered, state)
            features.append(some)
        return np.concatenate(features)

    def _encoded(self, pixels: Pixels, remembered: Sequence[str], state: State) -> tuple[Features, State]:
        after = self._run(["features", *map(next_of, remembered)], pixels[None], state)
        return after["features"][0], {name: after[next_of(name)] for name in remembered}

    def _run(self, wanted: Sequence[str], frames: Pixels, state: State) -> State:
        """The outputs wanted, by name; what `state` does not hold begins afresh."""
        given = {name: state.get(name, tensor.made(len(frames))) for name, tensor in self._tensors.items()}
        return dict(zip(wanted, self._session.run(list(wanted), {"frames": frames, **given}), strict=True))

    def score(self, windows: Sequence[Features]) -> WindowScores:
        """As the contract says."""
        clip, steps = self._head.run(["clip", "steps"], {"features": np.stack(windows)})
        return WindowScores(clip.astype(np.float64), steps.astype(np.float64))

    @cached_property
    def _head(self) -> onnxruntime.InferenceSession:
        return _session(base64.b64decode(self._metadata[HEAD_KEY]))


def _session(model: str | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def next_of(name: str) -> str:
    """The output that a state tensor's new value comes out of."""
    return f"{name}.next"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".:") if lines else type(error).__name__
