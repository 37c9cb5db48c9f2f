"""onnxruntime on a processor: starts at once, and needs neither torch nor the weights file beside the .onnx."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as refusals

from vidrnn.errors import ModelError
from vidrnn.model.header import HEADER_KEY, read_frames_handling
from vidrnn.runtimes.base import HEAD_KEY, STATE_KEY, Array, FrameRuntime, GraphRuntime, State, StateTensor, next_of
from vidrnn.values import FramesHandling, Pixels

if TYPE_CHECKING:
    from vidrnn.config import ModelHeader

_REFUSALS = (
    refusals.Fail,
    refusals.InvalidProtobuf,
    refusals.InvalidGraph,
    refusals.InvalidArgument,
    refusals.NoSuchFile,
    refusals.NotImplemented,
    refusals.RuntimeException,
)


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """A .onnx file that vidrnn made.

    Raises:
        ModelError: it is damaged, foreign or newer than this onnxruntime.
    """
    try:
        session = _session(str(path))
    except _REFUSALS as error:
        raise ModelError(
            f"{path}: not a whole ONNX file, or newer than this onnxruntime ({_first_line(error)}). Copy it again."
        ) from None
    if HEADER_KEY not in session.get_modelmeta().custom_metadata_map:
        raise ModelError(f"{path}: an ONNX file, but not a model that vidrnn made. Name one, or its folder.")
    return session


class OnnxRuntime(GraphRuntime):
    """A .onnx file that vidrnn made; computes on one thread for each that asks."""

    name = "onnx"

    def __init__(self, session: onnxruntime.InferenceSession, source: str) -> None:
        self._session = session
        super().__init__(session.get_modelmeta().custom_metadata_map, source)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a .onnx file.

        Raises:
            ModelError: it is damaged, foreign, newer than this vidrnn, or of another task.
        """
        session = open_session(path)
        if read_frames_handling(session.get_modelmeta().custom_metadata_map[HEADER_KEY], str(path)):
            raise ModelError(f"{path}: foretells frames; what was asked needs a model of classes.")
        return cls(session, str(path))

    def run_whole(self, wanted: Sequence[str], given: dict[str, Array]) -> Sequence[Array]:
        """As the contract says."""
        found: Sequence[Array] = self._session.run(list(wanted), given)
        return found

    def run_head(self, wanted: Sequence[str], given: dict[str, Array]) -> Sequence[Array]:
        """As the contract says."""
        found: Sequence[Array] = self._head.run(list(wanted), given)
        return found

    @cached_property
    def _head(self) -> onnxruntime.InferenceSession:
        return _session(base64.b64decode(self.metadata[HEAD_KEY]))


class OnnxFrames(FrameRuntime):
    """A .onnx file of a model of the next frames: one frame of each film goes in at a time."""

    name = "onnx"

    def __init__(self, session: onnxruntime.InferenceSession, handling: FramesHandling, source: str) -> None:
        self._session, self.handling, self._source = session, handling, source
        self._metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
        told = json.loads(self._metadata[STATE_KEY])
        self._tensors = {name: StateTensor(**tensor) for name, tensor in told.items()}

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a .onnx file.

        Raises:
            ModelError: it is damaged, foreign, newer than this vidrnn, or of another task.
        """
        session = open_session(path)
        handling = read_frames_handling(session.get_modelmeta().custom_metadata_map[HEADER_KEY], str(path))
        if handling is None:
            raise ModelError(f"{path}: classifies films; what was asked needs a model of the next frames.")
        return cls(session, handling, str(path))

    @property
    def header(self) -> ModelHeader:
        """As the contract says."""
        from vidrnn.config import ModelHeader

        return ModelHeader.from_json(self._metadata[HEADER_KEY], self._source)

    def foretell(self, frames: Pixels, state: State | None = None) -> tuple[NDArray[np.float32], State]:
        """As the contract says."""
        held = state or {}
        given = {name: held[name] if held else tensor.made(len(frames)) for name, tensor in self._tensors.items()}
        wanted = ["next", *map(next_of, self._tensors)]
        found, *after = self._session.run(wanted, {"frame": np.ascontiguousarray(frames), **given})
        return found, dict(zip(self._tensors, after, strict=True))


def _session(model: str | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".:") if lines else type(error).__name__
