"""OpenVINO, for Intel's processors: an extra, pip install "vidrnn[openvino]"."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from typing_extensions import override

from vidrnn.errors import ModelError, UsageError
from vidrnn.model.header import HEADER_KEY
from vidrnn.model.portable import HEAD_KEY, OUTPUTS_KEY, STATE_KEY, STREAMS_KEY, Port, Ports
from vidrnn.model.whole import WEIGHTS_SEAL_KEY, check_partner, check_whole
from vidrnn.runtimes.base import Array, GraphRuntime

SECTION = "vidrnn"
"""The section of a model's runtime information that holds the metadata."""
_OPTIONS = {
    "INFERENCE_NUM_THREADS": 1,
    "PERFORMANCE_HINT": "LATENCY",
    "INFERENCE_PRECISION_HINT": "f32",
}


class OpenvinoRuntime(GraphRuntime):
    """A pair of files, model.xml and model.bin, that vidrnn wrote. It computes on one thread for each caller."""

    name = "openvino"

    def __init__(self, core: Any, model: Any, source: str) -> None:
        self._core = core
        keys = [
            key
            for key in (HEADER_KEY, STATE_KEY, OUTPUTS_KEY, STREAMS_KEY, HEAD_KEY, WEIGHTS_SEAL_KEY)
            if model.has_rt_info([SECTION, key])
        ]
        metadata = {key: model.get_rt_info([SECTION, key]).astype(str) for key in keys}
        super().__init__(metadata, _ports(model), source)
        self._whole = core.compile_model(model, "CPU", _OPTIONS)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a model.xml, beside which its model.bin lies.

        Raises:
            ModelError: it is damaged, foreign or newer than this vidrnn.
            UsageError: OpenVINO is not installed.
        """
        core = openvino().Core()
        if path.is_file() and (weights := path.with_suffix(".bin")).is_file():
            check_whole(path, [weights])
        try:
            model = core.read_model(path)
        except RuntimeError:
            raise ModelError(
                f"{path}: OpenVINO cannot read it, or the .bin that belongs to it. Copy both again."
            ) from None
        if not model.has_rt_info([SECTION, HEADER_KEY]):
            raise ModelError(f"{path}: OpenVINO can read it, but it is not a model that vidrnn made. Name one.")
        runtime = cls(core, model, str(path))
        check_partner(path, runtime.metadata)
        return runtime

    @override
    def run_whole(self, wanted: Sequence[str], given: dict[str, Array]) -> Sequence[Array]:
        return _infer(self._whole, wanted, given)

    @override
    def run_head(self, wanted: Sequence[str], given: dict[str, Array]) -> Sequence[Array]:
        return _infer(self._head, wanted, given)

    @cached_property
    def _head(self) -> Any:
        try:
            head = self._core.read_model(self.head_content)
        except RuntimeError:
            raise ModelError(f"{self._source}: OpenVINO cannot read its {HEAD_KEY}. Export the model again.") from None
        self._contract.check_head(_ports(head))
        return self._core.compile_model(head, "CPU", _OPTIONS)


def _ports(model: Any) -> Ports:
    """The inputs and outputs of a model, one for each name that they have."""
    inputs, outputs = (
        [Port(name, _type(each), _shape(each)) for each in ports for name in each.get_names()]
        for ports in (model.inputs, model.outputs)
    )
    return Ports(inputs, outputs)


def _type(port: Any) -> str:
    return str(port.get_element_type().to_dtype().name)


def _shape(port: Any) -> tuple[int | None, ...]:
    return tuple(side.get_length() if side.is_static else None for side in port.get_partial_shape())


def _infer(compiled: Any, wanted: Sequence[str], given: dict[str, Array]) -> Sequence[Array]:
    """Outputs by a request of its own, so that several threads may call at once."""
    request = compiled.create_infer_request()
    request.infer(given)
    return [np.array(request.get_tensor(name).data) for name in wanted]


def openvino() -> Any:
    """The package.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import openvino as package
    except ImportError:
        raise UsageError('openvino: is not installed. Install it: pip install "vidrnn[openvino]".') from None
    return package
