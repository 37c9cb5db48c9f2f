"""A model as graphs for portable files: frames, further inputs and state in; outputs, features and state out."""

from __future__ import annotations

import base64
import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from vidrnn.errors import ExportError
from vidrnn.export.foreign import GraphNode, with_graph
from vidrnn.model.checkpoint import LoadedModel
from vidrnn.model.header import HEADER_KEY
from vidrnn.model.portable import HEAD_KEY, OUTPUTS_KEY, STATE_KEY, STREAMS_KEY, StateTensor, next_of
from vidrnn.model.whole import WEIGHTS_SEAL_KEY
from vidrnn.nets.classifier import Member, Model, SequenceModel
from vidrnn.nets.encoders.onnx_file import OnnxEncoder
from vidrnn.nets.network import Network, Outputs, blank_frames
from vidrnn.nets.spec import ModelSpec
from vidrnn.nets.state import State as Tensors
from vidrnn.plain_json import json_text

Graph = TypeVar("Graph", bound=nn.Module)


class WholeGraph(nn.Module):
    """Frames, further inputs and each tensor of the state -> the outputs, the features, and the new state.

    The further inputs are those that the network names in `inputs`, such as `before`. There are no features of a
    network that cannot be split behind its encoder.
    """

    def __init__(self, network: Network, names: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.outputs, self.inputs, self.names = network.outputs, network.inputs, tuple(names)
        if network.split is not None:
            encoder, sequence = network.split
            assert isinstance(sequence, SequenceModel)
            self.network = Model(encoder.folded(), _WithFeatures(sequence)).eval()

    def forward(self, frames: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """`frames` (batch, time, height, width, 3) uint8; `others` in the order of `inputs`, then of `names`."""
        further, state = others[: len(self.inputs)], others[len(self.inputs) :]
        pictures = dict(zip(self.inputs, further, strict=True))
        outputs, after = self.network(frames, dict(zip(self.names, state, strict=True)), **pictures)
        features = (after[_FEATURES],) if _FEATURES in after else ()
        return *(outputs[name] for name in self.outputs), *features, *(after[name] for name in self.names)


class HeadGraph(nn.Module):
    """Features and each tensor of the state -> the outputs, and each tensor of the new state."""

    def __init__(self, sequence: nn.Module, outputs: Sequence[str], names: Sequence[str]) -> None:
        super().__init__()
        self.sequence = sequence
        self.outputs, self.names = tuple(outputs), tuple(names)

    def forward(self, features: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """`features` (batch, time, width), `state` in the order of `names`."""
        outputs, after = self.sequence(features, dict(zip(self.names, state, strict=True)))
        return *(outputs[name] for name in self.outputs), *(after[name] for name in self.names)


_FEATURES = "features"


class _WithFeatures(SequenceModel):
    """A sequence model whose new state also holds the features that went in."""

    def __init__(self, inner: SequenceModel) -> None:
        nn.Module.__init__(self)
        self.inner = inner

    @property
    def streams(self) -> bool:
        """As the inner model."""
        return self.inner.streams

    @property
    def members(self) -> tuple[Member, ...]:
        """As the inner model."""
        return self.inner.members

    def forward(
        self, features: Tensor, state: Tensors | None = None, mask: Tensor | None = None
    ) -> tuple[Outputs, Tensors]:
        """As the inner model."""
        outputs, after = self.inner(features, state, mask)
        return outputs, {**after, _FEATURES: features}


def fresh_state(model: LoadedModel) -> dict[str, StateTensor]:
    """The tensors of a fresh state, by name.

    Raises:
        ExportError: the elements of a tensor differ, so that one number cannot stand for them.
    """
    with torch.inference_mode():
        state = model.network.fresh_state(model.spec)
    return {name: _even(name, tensor, model.folder) for name, tensor in state.items()}


def _even(name: str, tensor: Tensor, folder: Path) -> StateTensor:
    if bool((tensor != tensor.flatten()[0]).any()):
        raise ExportError(f"{folder}: the elements of its fresh {name} differ, and one number can be stored for all.")
    return _described(tensor)


def _described(tensor: Tensor) -> StateTensor:
    return StateTensor(tuple(tensor.shape[1:]), str(tensor.dtype).removeprefix("torch."), float(tensor.flatten()[0]))


def examples(spec: ModelSpec, tensors: dict[str, StateTensor], batch: int = 2, time: int = 3) -> tuple[Tensor, ...]:
    """Frames, further inputs and a fresh state to trace a graph with; torch takes sizes of 1 for constants."""
    frames = blank_frames(spec, time).expand(batch, *[-1] * (4 if spec.encoder.features is None else 2)).clone()
    further = (torch.zeros_like(frames) for _ in spec.inputs)
    return frames, *further, *(torch.from_numpy(tensor.fresh_batch(batch)) for tensor in tensors.values())


@contextmanager
def quietly() -> Iterator[None]:
    """Hide the warnings that torch and onnxruntime address to their own programmers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def metadata_of(model: LoadedModel, tensors: dict[str, StateTensor], head: bytes | None) -> dict[str, str]:
    """The metadata of a portable file; `head` is the network from the features on."""
    metadata = {
        HEADER_KEY: model.header.to_json(),
        STATE_KEY: json_text({name: asdict(tensor) for name, tensor in tensors.items()}, ascii_only=True),
        OUTPUTS_KEY: json_text(model.network.outputs, ascii_only=True),
        STREAMS_KEY: "yes" if model.network.streams else "no",
    }
    if model.seal:
        metadata[WEIGHTS_SEAL_KEY] = model.seal
    return metadata if head is None else {**metadata, HEAD_KEY: base64.b64encode(head).decode("ascii")}


def whole_as_onnx(model: LoadedModel, tensors: dict[str, StateTensor]) -> onnx.ModelProto:
    """The whole network: `frames`, further inputs and the state -> the outputs, `features` if it splits, and each
    tensor's `.next`.

    The input of a model that reads features is `features`.
    """
    if model.spec.encoder.features and (head := head_as_onnx(model, tensors)) is not None:
        return head
    network, names = model.network, list(tensors)
    features = ["features"] if network.split is not None else []
    graph = _with_onnx_layers(WholeGraph(network, names))
    inputs = examples(model.spec, tensors, time=1 if network.step_by_step else 3)
    outputs = [*network.outputs, *features, *map(next_of, names)]
    given = ["frames", *network.inputs, *names]
    whole = _traced(graph, inputs, given, outputs, any_time=not network.step_by_step)
    encoder = foreign_graph(model)
    return whole if encoder is None else with_graph(whole, encoder)


def foreign_graph(model: LoadedModel) -> OnnxEncoder | None:
    """The encoder of a model, if it is a graph of another program."""
    split = model.network.split
    return split[0] if split is not None and isinstance(split[0], OnnxEncoder) else None


def head_as_onnx(model: LoadedModel, tensors: dict[str, StateTensor]) -> onnx.ModelProto | None:
    """The network from the features on: `features` and the state -> the outputs, and each tensor's `.next`.

    None for a network that cannot be split there.
    """
    if model.network.split is None:
        return None
    encoder, sequence = model.network.split
    names = list(tensors)
    features = torch.zeros(2, 3, encoder.width)
    state = (torch.from_numpy(tensor.fresh_batch(2)) for tensor in tensors.values())
    graph = _with_onnx_layers(HeadGraph(sequence, model.network.outputs, names))
    outputs = [*model.network.outputs, *map(next_of, names)]
    return _traced(graph, (features, *state), ["features", *names], outputs, any_time=True)


Hidden = Tensor | tuple[Tensor, ...]
_OPSET = 20
_OPERATORS: dict[type[nn.Module], tuple[str, tuple[int, ...]]] = {
    nn.RNN: ("RNN", (0,)),
    nn.GRU: ("GRU", (1, 0, 2)),
    nn.LSTM: ("LSTM", (0, 3, 1, 2)),
}
"""The name in ONNX, and the places of its gates among torch's."""
_STATES = {"RNN": ("hidden",), "GRU": ("hidden",), "LSTM": ("hidden", "cell")}
_MORE: dict[str, dict[str, int]] = {"GRU": {"linear_before_reset": 1}}
"""torch's reset gate acts after the recurrent matrix."""
_DIRECTIONS = {1: "forward", 2: "bidirectional"}
_OVER_TIME = ("frames", "before", "flow", "features", "steps", "next")
"""Inputs and outputs that have a second axis of any length."""


def _traced(
    graph: nn.Module, inputs: tuple[Tensor, ...], names: list[str], outputs: list[str], *, any_time: bool
) -> onnx.ModelProto:
    """The graph as ONNX, for any batch and, with `any_time`, for any number of frames at once; otherwise for one.

    Raises:
        ExportError: it holds something that has no portable form.
    """
    over_time = _OVER_TIME if any_time else ()
    free = [{0: Dim.DYNAMIC, 1: Dim.DYNAMIC} if name in over_time else {0: Dim.DYNAMIC} for name in names]
    shapes = (free[0], tuple(free[1:])) if len(free) > 1 else (free[0],)  # the state is gathered into one argument
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
        raise ExportError(f"The model cannot be written as ONNX: {_origin(error)}") from None
    assert program is not None
    return _bare(program.model_proto, over_time)


def _origin(error: BaseException) -> str:
    """The first line of the first error; the tracer adds advice on the tracer to it."""
    while error.__cause__:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _bare(model: onnx.ModelProto, over_time: Sequence[str]) -> onnx.ModelProto:
    """The graph without traces of its export: source lines with paths of this machine, and traced sizes."""
    del model.metadata_props[:]
    _clear(model.graph)
    for value in (*model.graph.input, *model.graph.output):
        shape = value.type.tensor_type.shape.dim
        shape[0].dim_param = "batch"
        if value.name in over_time:
            shape[1].dim_param = "time"
    return model


def _clear(graph: onnx.GraphProto) -> None:
    for proto in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        del proto.metadata_props[:]
        proto.ClearField("doc_string")
    del graph.value_info[:]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _clear(attribute.g)


def _with_onnx_layers(graph: Graph) -> Graph:
    """A copy of the graph with ONNX's recurrent operators in place of torch's, and a node for a foreign encoder."""
    replaced = copy.deepcopy(graph)
    for name, layer in list(replaced.named_modules()):
        if type(layer) in _OPERATORS and isinstance(layer, nn.RNNBase):
            replaced.set_submodule(name, _OnnxLayer(layer))
        elif isinstance(layer, OnnxEncoder):
            replaced.set_submodule(name, GraphNode(layer))
    return replaced


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
