"""OpenVINO, for Intel's processors: an extra, pip install "vidrnn[openvino]"."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from typing_extensions import override

from vidrnn.errors import ModelError, UsageError
from vidrnn.model.header import HEADER_KEY
from vidrnn.model.whole import WEIGHTS_SEAL_KEY, check_partner, check_whole
from vidrnn.runtimes.base import HEAD_KEY, OUTPUTS_KEY, STATE_KEY, STREAMS_KEY, Array, GraphRuntime

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
        inputs = {name: each for each in model.inputs for name in each.get_names()}
        time = (inputs.get("frames") or inputs["features"]).get_partial_shape()[1]
        metadata = {key: model.get_rt_info([SECTION, key]).astype(str) for key in keys}
        super().__init__(metadata, source, step_by_step=time.is_static and time.get_length() == 1)
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
        return self._core.compile_model(
            self._core.read_model(base64.b64decode(self.metadata[HEAD_KEY])), "CPU", _OPTIONS
        )


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
