"""ONNX: one file that onnxruntime, OpenVINO and many others read, on most systems and in most languages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from vidrnn.export.base import Export, Precision
from vidrnn.export.graphs import fresh_state, head_as_onnx, metadata_of, quietly, whole_as_onnx
from vidrnn.model.checkpoint import LoadedModel
from vidrnn.model.header import PORTABLE_NAME
from vidrnn.model.portable import StateTensor
from vidrnn.runtimes.base import Runtime
from vidrnn.runtimes.onnx import OnnxRuntime
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.sums import EMPTY_SEAL, SEAL_KEY, seal
from vidrnn.values import Window
from vidrnn.video.motion import motion_inputs

_FEWEST = 64
"""Tensors of fewer numbers stay in 32 bits, because there is little to save."""


class OnnxExport(Export):
    """The whole network. Its metadata hold the header, the shapes of the state and the network from the features on."""

    file_name = PORTABLE_NAME
    precisions = ("fp32", "fp16", "int8")

    def write(self, model: LoadedModel, file: Path, precision: Precision, calibration: Sequence[Window]) -> None:
        """As the contract says."""
        tensors = fresh_state(model)
        whole, head = whole_as_onnx(model, tensors), head_as_onnx(model, tensors)
        if precision == "fp16":
            whole, head = _stored_in_halves(whole), head and _stored_in_halves(head)
        elif precision == "int8":
            whole = _in_bytes(whole, _inputs(model, tensors, calibration))
        metadata = metadata_of(model, tensors, head and head.SerializeToString())
        onnx.helper.set_model_props(whole, {**metadata, SEAL_KEY: EMPTY_SEAL})
        file.write_bytes(whole.SerializeToString())
        seal(file)

    def read(self, file: Path) -> Runtime:
        """As the contract says."""
        return OnnxRuntime.open(file)


def _stored_in_halves(model: onnx.ModelProto) -> onnx.ModelProto:
    """Half the size: the file holds weights as 16-bit numbers, and loading makes them 32 bits wide.

    The computation stays in 32 bits: few processors compute in 16, and a running maximum starts beyond their range.
    """
    graph = model.graph
    for weights in list(graph.initializer):
        numbers = onnx.numpy_helper.to_array(weights)
        if numbers.dtype != np.float32 or numbers.size < _FEWEST or np.abs(numbers).max() > np.finfo(np.float16).max:
            continue
        name = f"{weights.name}.half"
        weights.CopyFrom(onnx.numpy_helper.from_array(numbers.astype(np.float16), name))
        wide = onnx.helper.make_node("Cast", [name], [name.removesuffix(".half")], to=onnx.TensorProto.FLOAT)
        graph.node.insert(0, wide)
    return model


def _inputs(
    model: LoadedModel, tensors: dict[str, StateTensor], windows: Sequence[Window]
) -> Iterator[dict[str, NDArray[Any]]]:
    """The inputs of the graph for windows, one window or one frame at a time."""
    runtime, fresh = TorchRuntime(model), {name: tensor.fresh_batch(1) for name, tensor in tensors.items()}
    for window in windows:
        frames, before = window.frames[None], None if window.before is None else window.before[None]
        further = motion_inputs(model.spec.inputs, frames, before)
        pieces = np.split(frames, frames.shape[1], 1) if model.network.step_by_step else [frames]
        state = fresh
        for piece in pieces:
            yield {"frames": piece, **further, **state}
            if len(pieces) > 1:
                _, state = runtime.read(piece, state)


def _in_bytes(model: onnx.ModelProto, inputs: Iterator[dict[str, NDArray[Any]]]) -> onnx.ModelProto:
    """The convolutions in 8 bits; they are most of the work and of the size. The inputs show the range of each layer.

    The head stays as it is, because a recurrent state adds up what rounding loses.
    """
    with TemporaryDirectory() as folder, quietly():
        quantized = Path(folder) / "model.onnx"
        quantize_static(
            model,
            quantized,
            _Inputs(inputs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(quantized)


class _Inputs(CalibrationDataReader):  # type: ignore[misc]
    """Inputs in the form that onnxruntime's calibration reads."""

    def __init__(self, inputs: Iterator[dict[str, NDArray[Any]]]) -> None:
        self._inputs = inputs

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next inputs, or None after the last."""
        return next(self._inputs, None)
