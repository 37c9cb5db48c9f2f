"""OpenVINO's own pair of files, for Intel's processors and graphics. It is converted from the ONNX form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidrnn.export.base import Export, Precision
from vidrnn.export.graphs import fresh_state, head_as_onnx, metadata_of, whole_as_onnx
from vidrnn.model.checkpoint import LoadedModel
from vidrnn.model.header import OPENVINO_NAME
from vidrnn.runtimes.base import Runtime
from vidrnn.runtimes.openvino import SECTION, OpenvinoRuntime, openvino
from vidrnn.sums import EMPTY_SEAL, SEAL_KEY, seal
from vidrnn.values import Window


class OpenvinoExport(Export):
    """model.xml, and model.bin beside it. fp16 stores the weights in 16 bits; the computation stays in 32."""

    file_name = OPENVINO_NAME
    precisions = ("fp32", "fp16")

    def write(self, model: LoadedModel, file: Path, precision: Precision, calibration: Sequence[Window]) -> None:
        """As the contract says.

        Raises:
            UsageError: OpenVINO is not installed.
        """
        package = openvino()
        core = package.Core()
        tensors = fresh_state(model)
        head = head_as_onnx(model, tensors)
        whole = core.read_model(whole_as_onnx(model, tensors).SerializeToString())
        metadata = metadata_of(model, tensors, head and head.SerializeToString())
        for key, value in {**metadata, SEAL_KEY: EMPTY_SEAL}.items():
            whole.set_rt_info(value, [SECTION, key])
        package.save_model(whole, file, compress_to_fp16=precision == "fp16")
        seal(file, [file.with_suffix(".bin")])

    def read(self, file: Path) -> Runtime:
        """As the contract says."""
        return OpenvinoRuntime.open(file)

    def companions(self, file: Path) -> tuple[Path, ...]:
        """As the contract says."""
        return file, file.with_suffix(".bin")
