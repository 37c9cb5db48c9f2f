"""onnxruntime on a processor: starts at once, and needs neither torch nor the weights file beside the .onnx."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as refusals

from vidrnn.errors import ModelError
from vidrnn.header import HEADER_KEY
from vidrnn.runtimes.base import HEAD_KEY, Array, GraphRuntime

_REFUSALS = (
    refusals.Fail,
    refusals.InvalidProtobuf,
    refusals.InvalidGraph,
    refusals.InvalidArgument,
    refusals.NoSuchFile,
    refusals.NotImplemented,
    refusals.RuntimeException,
)


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
            ModelError: it is damaged, foreign or newer than this vidrnn.
        """
        try:
            session = _session(str(path))
        except _REFUSALS as error:
            raise ModelError(
                f"{path}: not a whole ONNX file, or newer than this onnxruntime ({_first_line(error)}). Copy it again."
            ) from None
        if HEADER_KEY not in session.get_modelmeta().custom_metadata_map:
            raise ModelError(f"{path}: an ONNX file, but not a model that vidrnn made. Name one, or its folder.")
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


def _session(model: str | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".:") if lines else type(error).__name__
