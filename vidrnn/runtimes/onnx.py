"""onnxruntime on a processor. It starts at once, and needs neither torch nor the weights file beside the .onnx."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as refusals
from typing_extensions import override

from vidrnn.errors import ModelError
from vidrnn.model.header import HEADER_KEY
from vidrnn.model.whole import check_partner, check_whole
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


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """A session of a .onnx file that vidrnn wrote.

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
    """A .onnx file that vidrnn wrote. It computes on the thread that calls it."""

    name = "onnx"

    def __init__(self, session: onnxruntime.InferenceSession, source: str) -> None:
        self._session = session
        (frames,) = (each for each in session.get_inputs() if each.name in ("frames", "features"))
        metadata = session.get_modelmeta().custom_metadata_map
        super().__init__(metadata, source, step_by_step=frames.shape[1] == 1)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a .onnx file.

        Raises:
            ModelError: it is damaged, foreign, of another version of vidrnn, or not of the weights beside it.
        """
        check_whole(path)
        runtime = cls(open_session(path), str(path))
        check_partner(path, runtime.metadata)
        return runtime

    @override
    def run_whole(self, wanted: Sequence[str], given: dict[str, Array]) -> Sequence[Array]:
        outputs: Sequence[Array] = self._session.run(list(wanted), given)
        return outputs

    @override
    def run_head(self, wanted: Sequence[str], given: dict[str, Array]) -> Sequence[Array]:
        outputs: Sequence[Array] = self._head.run(list(wanted), given)
        return outputs

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
