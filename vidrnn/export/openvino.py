"""OpenVINO's own pair of files, for Intel's processors and graphics, made of the ONNX form."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from vidrnn.export.base import Export, Precision
from vidrnn.export.graphs import fresh_state, head_as_onnx, whole_as_onnx
from vidrnn.model.checkpoint import LoadedModel
from vidrnn.model.header import HEADER_KEY, OPENVINO_NAME
from vidrnn.runtimes.base import CARRIES_KEY, HEAD_KEY, STATE_KEY, STREAMS_KEY, Runtime
from vidrnn.runtimes.openvino import SECTION, OpenvinoRuntime, openvino
from vidrnn.values import Pixels


class OpenvinoExport(Export):
    """model.xml, and model.bin beside it. fp16 stores the weights in 16 bits; what is computed stays in 32."""

    file_name = OPENVINO_NAME
    precisions = ("fp32", "fp16")

    def write(self, model: LoadedModel, file: Path, precision: Precision, calibration: Sequence[Pixels]) -> None:
        """As the contract says.

        Raises:
            UsageError: OpenVINO is not installed.
        """
        package = openvino()
        core = package.Core()
        tensors = fresh_state(model)
        head = head_as_onnx(model, tensors)
        whole = core.read_model(whole_as_onnx(model, tensors).SerializeToString())
        metadata = {
            HEADER_KEY: model.header.to_json(),
            STATE_KEY: json.dumps({name: asdict(tensor) for name, tensor in tensors.items()}),
            STREAMS_KEY: "yes" if model.network.streams else "no",
            CARRIES_KEY: "yes" if model.network.streams else "no",
            HEAD_KEY: base64.b64encode(head.SerializeToString()).decode("ascii"),
        }
        for key, value in metadata.items():
            whole.set_rt_info(value, [SECTION, key])
        package.save_model(whole, file, compress_to_fp16=precision == "fp16")

    def read(self, file: Path) -> Runtime:
        """As the contract says."""
        return OpenvinoRuntime.open(file)

    def companions(self, file: Path) -> tuple[Path, ...]:
        """As the contract says."""
        return file, file.with_suffix(".bin")
