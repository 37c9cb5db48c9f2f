"""onnxruntime, on a processor, or on an NVIDIA GPU where it is onnxruntime-gpu.

It starts at once, and needs neither torch nor the weights file beside the .onnx.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as refusals
from typing_extensions import override

from vidrnn.errors import ModelError, UsageError, first_line, is_memory_shortage
from vidrnn.model.header import HEADER_KEY
from vidrnn.model.portable import HEAD_KEY, Port, Ports
from vidrnn.model.whole import check_partner, check_whole
from vidrnn.runtimes.base import Array, GraphRuntime
from vidrnn.text import visible

_REFUSALS = (
    refusals.EPFail,
    refusals.Fail,
    refusals.InvalidArgument,
    refusals.InvalidGraph,
    refusals.InvalidProtobuf,
    refusals.NotImplemented,
    refusals.RuntimeException,
)
_TYPES = {"tensor(float)": "float32", "tensor(double)": "float64"}
"""Types of onnxruntime that numpy calls otherwise."""
_CUDA = "CUDAExecutionProvider"
_LARGEST_BYTES = 2**31
"""No ONNX file is larger."""


def open_session(path: Path, device: str = "cpu") -> onnxruntime.InferenceSession:
    """A session of a .onnx file that vidrnn wrote.

    Raises:
        UsageError: this onnxruntime does not compute on that device.
        ModelError: it is damaged, foreign or newer than this onnxruntime.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise ModelError(f"{path}: is larger than any ONNX file, which has 2 GB at most. Copy the model again.")
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}.") from None
    session = _session(content, str(path), device)
    if HEADER_KEY not in session.get_modelmeta().custom_metadata_map:
        raise ModelError(f"{path}: an ONNX file, but not a model that vidrnn made. Name one, or its folder.")
    return session


def computing_providers() -> list[str]:
    """What this onnxruntime can compute on, by its own names; vidrnn uses the processor."""
    return [str(name) for name in onnxruntime.get_available_providers()]


class OnnxRuntime(GraphRuntime):
    """A .onnx file that vidrnn wrote. On a processor it computes on the thread that calls it."""

    name = "onnx"

    def __init__(self, session: onnxruntime.InferenceSession, source: str, device: str = "cpu") -> None:
        self._session, self._device = session, device
        super().__init__(session.get_modelmeta().custom_metadata_map, _ports(session), source)

    @staticmethod
    def computes_on(device: str) -> bool:
        """Whether the onnxruntime that is installed computes on a device: onnxruntime-gpu does on NVIDIA GPUs."""
        return device == "cpu" or (device.startswith("cuda") and _CUDA in onnxruntime.get_available_providers())

    @classmethod
    def open(cls, path: Path, device: str = "cpu") -> Self:
        """Read a .onnx file.

        Raises:
            UsageError: this onnxruntime does not compute on that device.
            ModelError: it is damaged, foreign, of another version of vidrnn, or not of the weights beside it.
        """
        check_whole(path)
        runtime = cls(open_session(path, device), str(path), device)
        check_partner(path, runtime.metadata)
        return runtime

    @override
    def run_whole(self, wanted: Sequence[str], given: dict[str, Array]) -> Sequence[Array]:
        return _computed(self._session, wanted, given, self._source)

    @override
    def run_head(self, wanted: Sequence[str], given: dict[str, Array]) -> Sequence[Array]:
        return _computed(self._head, wanted, given, self._source)

    @cached_property
    def _head(self) -> onnxruntime.InferenceSession:
        head = _session(self.head_content, f"{self._source}: its {HEAD_KEY}", self._device)
        self._contract.check_head(_ports(head))
        return head


def _session(content: bytes, source: str, device: str) -> onnxruntime.InferenceSession:
    """A session of a graph. Given as bytes, a graph cannot make onnxruntime open another file.

    Raises:
        ModelError: the graph is damaged, newer than this onnxruntime, keeps weights in other files, or has operators
            that are not onnxruntime's own.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # the error says it
    try:
        return onnxruntime.InferenceSession(content, options, providers=_providers(device))
    except (*_REFUSALS, ValueError) as error:
        reason = visible(first_line(error))
    if "model_path must not be empty" in reason or "external" in reason.lower():
        raise ModelError(
            f"{source}: keeps weights in other files (external data), and vidrnn reads none that were not named. "
            "Export the model again: vidrnn export MODEL."
        )
    if "is not a registered function/op" in reason:
        raise ModelError(
            f"{source}: has operators that are not those of onnxruntime ({reason.rpartition('error: ')[2]}). "
            "Export the model again: vidrnn export MODEL."
        )
    raise ModelError(f"{source}: not a whole ONNX file, or newer than this onnxruntime ({reason}). Copy it again.")


def _providers(device: str) -> list[str | tuple[str, dict[str, str]]]:
    """The parts of onnxruntime that compute on a device, the first choice first.

    Raises:
        UsageError: it has none for that device.
    """
    if device == "cpu":
        return ["CPUExecutionProvider"]
    if not OnnxRuntime.computes_on(device):
        raise UsageError(
            f"--device {device} --runtime onnx: the onnxruntime that is installed does not compute there. Say "
            "--device cpu or --runtime torch, or, for an NVIDIA GPU, install onnxruntime-gpu in place of onnxruntime."
        )
    return [(_CUDA, {"device_id": device.partition(":")[2] or "0"}), "CPUExecutionProvider"]


def _ports(session: onnxruntime.InferenceSession) -> Ports:
    return Ports([_port(each) for each in session.get_inputs()], [_port(each) for each in session.get_outputs()])


def _port(node: onnxruntime.NodeArg) -> Port:
    kind = _TYPES.get(node.type, node.type.removeprefix("tensor(").removesuffix(")"))
    return Port(node.name, kind, tuple(side if isinstance(side, int) else None for side in node.shape))


def _computed(
    session: onnxruntime.InferenceSession, wanted: Sequence[str], given: dict[str, Array], source: str
) -> Sequence[Array]:
    """Outputs of a graph.

    Raises:
        ModelError: onnxruntime cannot compute it.
        MemoryError: there is too little memory.
    """
    try:
        outputs: Sequence[Array] = session.run(list(wanted), given)
    except (*_REFUSALS, ValueError) as error:
        reason = visible(first_line(error))
        if is_memory_shortage(error):
            raise MemoryError(reason) from None
        raise ModelError(f"{source}: onnxruntime cannot compute its graph: {reason}. Export the model again.") from None
    return outputs
