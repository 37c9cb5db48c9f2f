"""ONNX: one file that onnxruntime, OpenVINO and many others read, on most systems and in most languages."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from vidrnn.checkpoint import LoadedModel
from vidrnn.errors import ExportError
from vidrnn.export.base import Export, HeadGraph, Precision, WholeGraph, examples, fresh_state, quietly
from vidrnn.header import HEADER_KEY, PORTABLE_NAME
from vidrnn.runtimes.base import Runtime, StateTensor
from vidrnn.runtimes.onnx import HEAD_KEY, STATE_KEY, STREAMS_KEY, OnnxRuntime, next_of
from vidrnn.values import Pixels

Graph = TypeVar("Graph", bound=nn.Module)


class OnnxExport(Export):
    """The whole network; in its metadata the header, what the state is, and the network from the features on."""

    file_name = PORTABLE_NAME

    def write(self, model: LoadedModel, file: Path, precision: Precision, calibration: Sequence[Pixels]) -> None:
        """As the contract says."""
        tensors = fresh_state(model)
        whole = _whole(model, tensors)
        metadata = {
            HEADER_KEY: model.header.to_json(),
            STATE_KEY: json.dumps({name: asdict(tensor) for name, tensor in tensors.items()}),
            STREAMS_KEY: "yes" if model.network.streams else "no",
            HEAD_KEY: base64.b64encode(_head(model).SerializeToString()).decode("ascii"),
        }
        onnx.helper.set_model_props(whole, metadata)
        file.write_bytes(whole.SerializeToString())

    def read(self, file: Path) -> Runtime:
        """As the contract says."""
        return OnnxRuntime.open(file)


def _whole(model: LoadedModel, tensors: dict[str, StateTensor]) -> onnx.ModelProto:
    names = list(tensors)
    outputs = ["clip", "steps", "features", *map(next_of, names)]
    graph = _with_onnx_layers(WholeGraph(model.network, names))
    return _traced(graph, examples(model.spec, tensors), ["frames", *names], outputs)


def _head(model: LoadedModel) -> onnx.ModelProto:
    features = torch.zeros(2, 3, model.network.encoder.width)
    return _traced(_with_onnx_layers(HeadGraph(model.network.sequence)), (features,), ["features"], ["clip", "steps"])


Hidden = Tensor | tuple[Tensor, ...]
_OPSET = 20
_OPERATORS: dict[type[nn.Module], tuple[str, tuple[int, ...]]] = {
    nn.RNN: ("RNN", (0,)),
    nn.GRU: ("GRU", (1, 0, 2)),
    nn.LSTM: ("LSTM", (0, 3, 1, 2)),
}
"""ONNX's name, and where its gates stand among torch's."""
_STATES = {"RNN": ("hidden",), "GRU": ("hidden",), "LSTM": ("hidden", "cell")}
_MORE: dict[str, dict[str, int]] = {"GRU": {"linear_before_reset": 1}}
"""torch's reset gate acts after the recurrent matrix."""
_DIRECTIONS = {1: "forward", 2: "bidirectional"}
_OVER_TIME = ("frames", "features", "steps")
"""Inputs and outputs that have a second axis of any length."""


def _traced(graph: nn.Module, inputs: tuple[Tensor, ...], names: list[str], outputs: list[str]) -> onnx.ModelProto:
    """The graph as ONNX, batch and time of any size.

    Raises:
        ExportError: it holds something that has no portable form.
    """
    free = [{0: Dim.DYNAMIC, 1: Dim.DYNAMIC} if name in _OVER_TIME else {0: Dim.DYNAMIC} for name in names]
    shapes = (free[0], tuple(free[1:])) if isinstance(graph, WholeGraph) else (free[0],)
    try:
        with quietly():
            program = torch.onnx.export(
                graph.eval(),
                inputs,
                input_names=names,
                output_names=outputs,
                dynamic_shapes=shapes,
                dynamo=True,
                opset_version=_OPSET,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise ExportError(f"The model cannot be written as ONNX: {str(error).strip().splitlines()[0]}") from None
    assert program is not None
    return _bare(program.model_proto)


def _bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph without what its making left in it: source lines with paths of this machine, and traced sizes."""
    graph = model.graph
    for proto in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        del proto.metadata_props[:]
        proto.ClearField("doc_string")
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        shape = value.type.tensor_type.shape.dim
        shape[0].dim_param = "batch"
        if value.name in _OVER_TIME:
            shape[1].dim_param = "time"
    return model


def _with_onnx_layers(graph: Graph) -> Graph:
    """A copy of the graph with ONNX's recurrent operators in place of torch's."""
    made = copy.deepcopy(graph)
    for name, layer in list(made.named_modules()):
        if type(layer) in _OPERATORS and isinstance(layer, nn.RNNBase):
            made.set_submodule(name, _OnnxLayer(layer))
    return made


def _weights(layer: nn.RNNBase, depth: int, order: Sequence[int]) -> dict[str, Tensor]:
    """The matrices and biases of one depth, gates in ONNX's order, directions stacked."""
    ends = [f"_l{depth}", f"_l{depth}_reverse"][: 2 if layer.bidirectional else 1]

    def stacked(*names: str) -> Tensor:
        parts = [[_gates(getattr(layer, name + end).detach(), order) for name in names] for end in ends]
        return torch.stack([torch.cat(part) for part in parts])

    return {
        "input": stacked("weight_ih"),
        "recurrent": stacked("weight_hh"),
        "bias": stacked("bias_ih", "bias_hh"),
    }


def _gates(tensor: Tensor, order: Sequence[int]) -> Tensor:
    parts = tensor.chunk(len(order))
    return torch.cat([parts[place] for place in order])


class _OnnxLayer(nn.Module):
    """A recurrent layer of torch.nn as ONNX's own operators; torch's tracer would unroll it to the length it sees."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.operator, order = _OPERATORS[type(layer)]
        self.size, self.layers = layer.hidden_size, layer.num_layers
        self.directions = 2 if layer.bidirectional else 1
        for depth in range(layer.num_layers):
            for kind, tensor in _weights(layer, depth, order).items():
                self.register_buffer(f"{kind}{depth}", tensor)

    def forward(self, inputs: Tensor, hidden: Hidden | None = None) -> tuple[Tensor, Hidden]:
        """As torch.nn's: (batch, time, width) -> (batch, time, directions * size), and the hidden state."""
        batch, time = inputs.shape[:2]
        parts = len(_STATES[self.operator])
        first = (hidden if isinstance(hidden, tuple) else (hidden,)) if hidden is not None else ()
        steps, ends = inputs.transpose(0, 1), []
        for depth in range(self.layers):
            mine = slice(depth * self.directions, (depth + 1) * self.directions)
            weights = [self.get_buffer(f"{kind}{depth}") for kind in ("input", "recurrent", "bias")]
            end = (self.directions, batch, self.size)
            along, *after = torch.onnx.ops.symbolic_multi_out(
                self.operator,
                (steps, *weights, None, *(part[mine] for part in first)),
                {"hidden_size": self.size, "direction": _DIRECTIONS[self.directions], **_MORE.get(self.operator, {})},
                dtypes=(inputs.dtype,) * (1 + parts),
                shapes=((time, self.directions, batch, self.size), *[end] * parts),
                version=_OPSET,
            )
            steps = along.permute(0, 2, 1, 3).reshape(time, batch, self.directions * self.size)
            ends.append(after)
        joined = tuple(torch.cat(part) for part in zip(*ends, strict=True))
        return steps.transpose(0, 1), joined if parts > 1 else joined[0]
