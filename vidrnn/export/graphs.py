"""A model as graphs that a portable form can be made of: frames and state in; scores, features and state out."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from vidrnn.config import ModelSpec
from vidrnn.errors import ExportError
from vidrnn.model.checkpoint import LoadedForecaster, LoadedModel
from vidrnn.nets.class_scores import Scores
from vidrnn.nets.classifier import Model, SequenceModel
from vidrnn.nets.frame_predictor import Forecaster, VectorBody
from vidrnn.nets.state import State as Tensors
from vidrnn.nets.state import join
from vidrnn.runtimes.base import StateTensor, next_of, past_encoder

Graph = TypeVar("Graph", bound=nn.Module)


class WholeGraph(nn.Module):
    """Frames and each tensor of the state -> clip scores, step scores, features, and each tensor of the new state."""

    def __init__(self, model: Model, names: Sequence[str]) -> None:
        super().__init__()
        self.model = Model(model.encoder.folded(), _Telling(model.sequence)).eval()
        self.names = tuple(names)

    def forward(self, frames: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """`state` in the order of `names`."""
        scores, after = self.model(frames, dict(zip(self.names, state, strict=True)))
        return scores.clip, scores.steps, after[_FEATURES], *(after[name] for name in self.names)


class HeadGraph(nn.Module):
    """Features and each tensor of the state -> clip scores, step scores, and each tensor of the new state."""

    def __init__(self, sequence: SequenceModel, names: Sequence[str]) -> None:
        super().__init__()
        self.sequence = sequence
        self.names = tuple(names)

    def forward(self, features: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """(batch, time, width) and a state in the order of `names` -> (batch, classes), (batch, time, classes), ..."""
        scores, after = self.sequence(features, dict(zip(self.names, state, strict=True)))
        return scores.clip, scores.steps, *(after[name] for name in self.names)


class StepGraph(nn.Module):
    """One frame of each film and each tensor of the state -> the frame after it, and each tensor of the new state."""

    def __init__(self, model: Forecaster, names: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.names = tuple(names)

    def forward(self, frame: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """`frame` (batch, height, width, 3) uint8, `state` in the order of `names`."""
        predicted, after = self.model(frame.unsqueeze(1), dict(zip(self.names, state, strict=True)))
        return predicted[:, 0], *(after[name] for name in self.names)


_FEATURES = "features"


class _Telling(SequenceModel):
    """A sequence model whose state also tells the features that it was given."""

    def __init__(self, told: SequenceModel) -> None:
        nn.Module.__init__(self)
        self.told = told

    @property
    def streams(self) -> bool:
        """As the model that is told of."""
        return self.told.streams

    def forward(
        self, features: Tensor, state: Tensors | None = None, mask: Tensor | None = None
    ) -> tuple[Scores, Tensors]:
        """As the model that is told of."""
        scores, after = self.told(features, state, mask)
        return scores, {**after, _FEATURES: features}


def fresh_state(model: LoadedModel) -> dict[str, StateTensor]:
    """What the model remembers at a fresh start, by name: what a clip leaves behind of which nothing is real.

    Raises:
        ExportError: a tensor is not one number all over, so that it cannot be told in one.
    """
    if not model.network.streams:
        return {}
    frames = torch.zeros(1, 2, model.spec.height, model.spec.width, 3, dtype=torch.uint8)
    with torch.inference_mode():
        _, state = model.network(frames, None, torch.zeros(1, 2, dtype=torch.bool))
    return {name: _even(name, tensor, model.folder) for name, tensor in state.items()}


def fresh_frames_state(model: LoadedForecaster) -> dict[str, StateTensor]:
    """What a model of the next frames remembers at a fresh start, by name.

    Raises:
        ExportError: a tensor is not one number all over, so that it cannot be told in one.
    """
    network, spec = model.network, model.spec
    with torch.inference_mode():
        _, state = network(torch.zeros(1, 1, spec.height, spec.width, 3, dtype=torch.uint8))
        state = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
        if isinstance(network.body, VectorBody):
            nothing = torch.zeros(1, 1, network.body.encoder.width)
            _, fresh = network.body.head(nothing, None, torch.zeros(1, 1, dtype=torch.bool))
            state |= join(head=fresh)
    return {name: _even(name, tensor, model.folder) for name, tensor in state.items()}


def _even(name: str, tensor: Tensor, folder: Path) -> StateTensor:
    if bool((tensor != tensor.flatten()[0]).any()):
        raise ExportError(f"{folder}: its {name} begins with several numbers, and one can be stored.")
    return _told(tensor)


def _told(tensor: Tensor) -> StateTensor:
    return StateTensor(tuple(tensor.shape[1:]), str(tensor.dtype).removeprefix("torch."), float(tensor.flatten()[0]))


def examples(spec: ModelSpec, tensors: dict[str, StateTensor], batch: int = 2, time: int = 3) -> tuple[Tensor, ...]:
    """Frames and a fresh state to trace a graph with; sizes that are not 1, which torch takes for constants."""
    frames = torch.zeros(batch, time, spec.height, spec.width, 3, dtype=torch.uint8)
    return frames, *(torch.from_numpy(tensor.made(batch)) for tensor in tensors.values())


@contextmanager
def quietly() -> Iterator[None]:
    """Making a graph, without the warnings that torch and onnxruntime give to their own programmers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def whole_as_onnx(model: LoadedModel, tensors: dict[str, StateTensor]) -> onnx.ModelProto:
    """The whole network: `frames` and the state -> `clip`, `steps`, `features`, and each tensor's `.next`."""
    names = list(tensors)
    outputs = ["clip", "steps", "features", *map(next_of, names)]
    graph = _with_onnx_layers(WholeGraph(model.network, names))
    return _traced(graph, examples(model.spec, tensors), ["frames", *names], outputs)


def head_as_onnx(model: LoadedModel, tensors: dict[str, StateTensor]) -> onnx.ModelProto:
    """The network from the features on: `features` and its part of the state -> `clip`, `steps`, each one's `.next`."""
    names = past_encoder(tensors)
    features = torch.zeros(2, 3, model.network.encoder.width)
    state = (torch.from_numpy(tensors[name].made(2)) for name in names)
    graph = _with_onnx_layers(HeadGraph(model.network.sequence, names))
    outputs = ["clip", "steps", *map(next_of, names)]
    return _traced(graph, (features, *state), ["features", *names], outputs)


def step_as_onnx(model: LoadedForecaster, tensors: dict[str, StateTensor]) -> onnx.ModelProto:
    """A model of the next frames: `frame` and the state -> `next`, and each tensor's `.next`."""
    names = list(tensors)
    frame = torch.zeros(2, model.spec.height, model.spec.width, 3, dtype=torch.uint8)
    inputs = (frame, *(torch.from_numpy(tensor.made(2)) for tensor in tensors.values()))
    graph = _with_onnx_layers(StepGraph(model.network, names))
    return _traced(graph, inputs, ["frame", *names], ["next", *map(next_of, names)])


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
    return _bare(program.model_proto)


def _origin(error: BaseException) -> str:
    """What went wrong at first, in its own words; what the tracer says after it is advice on the tracer."""
    while error.__cause__:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph without what its making left in it: source lines with paths of this machine, and traced sizes."""
    del model.metadata_props[:]
    _clear(model.graph)
    for value in (*model.graph.input, *model.graph.output):
        shape = value.type.tensor_type.shape.dim
        shape[0].dim_param = "batch"
        if value.name in _OVER_TIME:
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
