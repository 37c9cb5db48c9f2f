"""The graph of another program inside the graph of a model: the tracer leaves a node for it, which is replaced."""

from __future__ import annotations

import copy

import onnx
import torch
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper
from torch import Tensor
from typing_extensions import override

from vidrnn.errors import ExportError, first_line
from vidrnn.nets.encoders.onnx_file import OnnxEncoder

_DOMAIN, _NODE = "vidrnn", "Encoder"
_PREFIX = "encoder."
"""Begins every name of the graph, so that no name is that of another part of the model."""


class GraphNode(OnnxEncoder):
    """The encoder as one node of a traced graph: pictures as the encoder's graph takes them -> vectors."""

    def __init__(self, encoder: OnnxEncoder) -> None:
        torch.nn.Module.__init__(self)
        self.__dict__.update(copy.deepcopy(encoder).__dict__)

    @override
    def encode_pictures(self, pictures: Tensor) -> Tensor:
        features: Tensor = torch.onnx.ops.symbolic(
            f"{_DOMAIN}::{_NODE}",
            (self.graph_input(pictures),),
            dtype=torch.float32,
            shape=(pictures.shape[0], self.view_width),
            version=1,
        )
        return features


def with_graph(model: ModelProto, encoder: OnnxEncoder) -> ModelProto:
    """The model with the encoder's graph in the place of its node.

    Raises:
        ExportError: the two graphs cannot have the same version of ONNX's operators.
    """
    graph = onnx.load_model_from_string(encoder.content)
    versions = [_versions(one) for one in (model, graph)]
    wanted = max(version[""] for version in versions)
    try:
        model, graph = (_in_version(one, wanted) for one in (model, graph))
    except Exception as error:  # onnx's converter raises many kinds
        raise ExportError(
            f"The encoder's graph has version {versions[1]['']} of ONNX's operators, the rest of the model has version "
            f"{versions[0]['']}, and they cannot be made the same ({first_line(error)}). Export the encoder again, "
            f"with version {versions[0]['']}."
        ) from None
    inner = _prefixed(graph.graph)
    place = next(i for i, node in enumerate(model.graph.node) if node.domain == _DOMAIN)
    node = model.graph.node[place]
    nodes = _nodes(encoder, inner, node.input[0], node.output[0])
    rest = list(model.graph.node)[place + 1 :]
    del model.graph.node[place:]
    model.graph.node.extend([*nodes, *rest])
    model.graph.initializer.extend(inner.initializer)
    model.graph.sparse_initializer.extend(inner.sparse_initializer)
    others = {domain: version for one in versions for domain, version in one.items() if domain not in ("", _DOMAIN)}
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(*each) for each in {"": wanted, **others}.items())
    model.ir_version = max(model.ir_version, graph.ir_version)
    return model


def _versions(model: ModelProto) -> dict[str, int]:
    """The version of each set of operators; ONNX's own has no name."""
    return {("" if each.domain == "ai.onnx" else each.domain): each.version for each in model.opset_import}


def _in_version(model: ModelProto, wanted: int) -> ModelProto:
    """The model with operators of this version. It is converted only where an operator has changed since its own."""
    if all(_is_same(name, _versions(model)[""], wanted) for name in _operators(model.graph)):
        return model
    converted: ModelProto = onnx.version_converter.convert_version(model, wanted)
    return converted


def _is_same(operator: str, version: int, other: int) -> bool:
    """Whether an operator is the same in two versions."""
    if version == other:
        return True
    try:
        schemas = [onnx.defs.get_schema(operator, each, "") for each in (version, other)]
    except onnx.defs.SchemaError:
        return False
    return schemas[0].since_version == schemas[1].since_version


def _operators(graph: GraphProto) -> set[str]:
    """The names of ONNX's own operators in a graph, also in the graphs inside it."""
    names = {node.op_type for node in graph.node if node.domain in ("", "ai.onnx")}
    return names.union(*(_operators(inner) for node in graph.node for inner in _graphs_in(node)))


def _graphs_in(node: NodeProto) -> list[GraphProto]:
    return [
        graph
        for attribute in node.attribute
        for graph in (attribute.graphs if attribute.type == AttributeProto.GRAPHS else [attribute.g])
        if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS)
    ]


def _prefixed(graph: GraphProto) -> GraphProto:
    """The graph without names that another part of the model may have, and without notes of its origin."""
    graph = copy.deepcopy(graph)
    _prefix(graph)
    return graph


def _prefix(graph: GraphProto) -> None:
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = _PREFIX + value.name
        value.ClearField("doc_string")
        del value.metadata_props[:]
    for sparse in graph.sparse_initializer:
        sparse.values.name = _PREFIX + sparse.values.name
    del graph.value_info[:], graph.quantization_annotation[:], graph.metadata_props[:]
    for node in graph.node:
        node.name = node.name and _PREFIX + node.name
        node.input[:] = [name and _PREFIX + name for name in node.input]
        node.output[:] = [name and _PREFIX + name for name in node.output]
        node.ClearField("doc_string")
        del node.metadata_props[:]
        for inner in _graphs_in(node):
            _prefix(inner)


def _nodes(encoder: OnnxEncoder, inner: GraphProto, pictures: str, vectors: str) -> list[NodeProto]:
    """The nodes that turn pictures into vectors (pictures, view_width) float; their weights are in `inner`."""
    given, result = _PREFIX + encoder.graph.input, _PREFIX + encoder.graph.output
    raw, wide, shape = (f"{_PREFIX}vidrnn.{name}" for name in ("raw", "float", "shape"))
    ends = [
        helper.make_node("Cast", [raw], [wide], to=TensorProto.FLOAT),
        helper.make_node("Constant", [], [shape], value_ints=[-1, encoder.view_width]),
        helper.make_node("Reshape", [wide, shape], [vectors]),
    ]
    if not encoder.graph.one_at_once:
        return [
            helper.make_node("Identity", [pictures], [given]),
            *inner.node,
            helper.make_node("Identity", [result], [raw]),
            *ends,
        ]
    return [_one_after_another(inner, pictures, given, result, raw), *ends]


def _one_after_another(inner: GraphProto, pictures: str, given: str, result: str, raw: str) -> NodeProto:
    """A node that runs the graph for one picture after the other."""
    (value,) = (each for each in inner.input if each.name == given)
    (output,) = (each for each in inner.output if each.name == result)
    one, axis = f"{_PREFIX}vidrnn.one", f"{_PREFIX}vidrnn.axis"
    picture = helper.make_tensor_value_info(one, value.type.tensor_type.elem_type, None)
    vector = helper.make_tensor_value_info(result, output.type.tensor_type.elem_type, None)
    body = helper.make_graph(
        [
            helper.make_node("Constant", [], [axis], value_ints=[0]),
            helper.make_node("Unsqueeze", [one, axis], [given]),
            *inner.node,
        ],
        "one picture",
        [picture],
        [vector],
    )
    return helper.make_node("Scan", [pictures], [raw], body=body, num_scan_inputs=1)
