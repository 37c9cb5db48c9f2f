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
from vidrnn.runtimes.base import Runtime, StateTensor
from vidrnn.runtimes.onnx import OnnxRuntime
from vidrnn.values import Pixels

_FEWEST = 64
"""Numbers below which it is not worth storing a tensor otherwise."""


class OnnxExport(Export):
    """The whole network; in its metadata the header, what the state is, and the network from the features on."""

    file_name = PORTABLE_NAME
    precisions = ("fp32", "fp16", "int8")

    def write(self, model: LoadedModel, file: Path, precision: Precision, calibration: Sequence[Pixels]) -> None:
        """As the contract says."""
        tensors = fresh_state(model)
        whole, head = whole_as_onnx(model, tensors), head_as_onnx(model, tensors)
        if precision == "fp16":
            whole, head = _stored_in_halves(whole), head and _stored_in_halves(head)
        elif precision == "int8":
            whole = _in_bytes(whole, tensors, calibration)
        metadata = metadata_of(model, tensors, head and head.SerializeToString())
        onnx.helper.set_model_props(whole, metadata)
        file.write_bytes(whole.SerializeToString())

    def read(self, file: Path) -> Runtime:
        """As the contract says."""
        return OnnxRuntime.open(file)


def _stored_in_halves(model: onnx.ModelProto) -> onnx.ModelProto:
    """Half the size: weights as 16-bit numbers, which are made 32 bits wide when the file is loaded.

    What is computed stays in 32 bits: few processors reckon in 16, and a running maximum starts beyond what they hold.
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


def _in_bytes(
    model: onnx.ModelProto, tensors: dict[str, StateTensor], calibration: Sequence[Pixels]
) -> onnx.ModelProto:
    """Convolutions, which are most of the work and of the size, in 8 bits, their ranges learnt from the clips.

    The head stays as it is: a recurrent state would read_dataset what rounding loses.
    """
    clips = iter([{"frames": clip[None], **{n: t.fresh_batch(1) for n, t in tensors.items()}} for clip in calibration])
    with TemporaryDirectory() as folder, quietly():
        made = Path(folder) / "model.onnx"
        quantize_static(
            model,
            made,
            _Clips(clips),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(made)


class _Clips(CalibrationDataReader):  # type: ignore[misc]
    """Clips in the form that calibration takes them."""

    def __init__(self, clips: Iterator[dict[str, NDArray[Any]]]) -> None:
        self._clips = clips

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """One clip, or None after the last."""
        return next(self._clips, None)
