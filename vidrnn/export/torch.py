"""torch's own portable program, for C++ and for Python without vidrnn. Each step takes one frame and the state."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.export import Dim
from typing_extensions import override

from vidrnn.errors import ExportError
from vidrnn.export.base import Export, Precision
from vidrnn.export.graphs import WholeGraph, examples, foreign_graph, fresh_state, metadata_of, quietly
from vidrnn.model.checkpoint import LoadedModel
from vidrnn.model.header import HEADER_KEY
from vidrnn.model.metadata import ModelHeader
from vidrnn.model.portable import OUTPUTS_KEY, STATE_KEY, StateTensor
from vidrnn.runtimes.base import Outputs, Runtime, State, joined_steps
from vidrnn.values import Pixels, Window
from vidrnn.video.motion import motion_inputs


class TorchExport(Export):
    """A `.pt2` of the whole network for one frame at a time, any number of streams side by side.

    The file also holds the header, the names of the outputs, and the tensors of the state in the order of the inputs.
    """

    file_name = "model.pt2"

    def write(self, model: LoadedModel, file: Path, precision: Precision, calibration: Sequence[Window]) -> None:
        """As the contract says.

        Raises:
            ExportError: the model does not stream, so that it has no steps.
        """
        if not model.network.streams:
            raise ExportError(f"{model.folder}: reads whole clips, and a .pt2 goes frame by frame. Use --to onnx.")
        if foreign_graph(model) is not None:
            raise ExportError(
                f"{model.folder}: its encoder is a graph of ONNX, which a .pt2 cannot hold. Use --to onnx or openvino."
            )
        tensors = fresh_state(model)
        inputs = examples(model.spec, tensors, time=1)
        shapes = ({0: Dim.DYNAMIC}, tuple({0: Dim.DYNAMIC} for _ in inputs[1:]))
        with quietly():
            program = torch.export.export(WholeGraph(model.network, list(tensors)), inputs, dynamic_shapes=shapes)
            beside = metadata_of(model, tensors, None)
            torch.export.save(program, file, extra_files=beside)

    def read(self, file: Path) -> Runtime:
        """As the contract says."""
        return _StepProgram(file)


class _StepProgram(Runtime):
    """A program of a file. It reads frame by frame, and cannot be split behind the encoder."""

    def __init__(self, file: Path) -> None:
        beside = {HEADER_KEY: "", STATE_KEY: "", OUTPUTS_KEY: ""}
        with quietly():
            self._step = torch.export.load(file, extra_files=beside).module()
        self._header = ModelHeader.from_json(beside[HEADER_KEY], str(file))
        self.handling = self._header.handling
        self._outputs = json.loads(beside[OUTPUTS_KEY])
        self._tensors = {name: StateTensor(**known) for name, known in json.loads(beside[STATE_KEY]).items()}

    @property
    @override
    def header(self) -> ModelHeader:
        return self._header

    @property
    @override
    def streams(self) -> bool:
        return True

    @property
    @override
    def splits(self) -> bool:
        return False

    @override
    def read(self, frames: Pixels, state: State | None = None, before: Pixels | None = None) -> tuple[Outputs, State]:
        tensors = self._tensors.items()
        held = [torch.from_numpy((state or {}).get(name, tensor.fresh_batch(len(frames)))) for name, tensor in tensors]
        seen = [frames, *motion_inputs(self.handling.inputs, frames, before).values()]
        steps: list[Outputs] = []
        with torch.no_grad():
            for place in range(frames.shape[1]):
                now = (torch.from_numpy(np.ascontiguousarray(each[:, place : place + 1])) for each in seen)
                results = self._step(*now, *held)
                steps.append({name: np.asarray(one) for name, one in zip(self._outputs, results, strict=False)})
                held = list(results[len(results) - len(held) :])
        after = {name: np.asarray(tensor) for name, tensor in zip(self._tensors, held, strict=True)}
        return joined_steps(steps), after
