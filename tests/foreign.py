"""Tiny graphs of other programs, from one picture to one vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

WIDTH = 5
Side = int | str
MEAN, DEVIATION = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
STATED = f"""
channels = "rgb"
mean = {list(MEAN)}
deviation = {list(DEVIATION)}
"""


def kernel(channels: int = 3) -> NDArray[np.float32]:
    """(WIDTH, channels, 3, 3), for each channel another."""
    return np.random.default_rng(7).normal(size=(WIDTH, channels, 3, 3)).astype(np.float32)


def make_graph(
    *,
    batch: Side = "pictures",
    size: tuple[Side, Side] = ("height", "width"),
    channels: int = 3,
    channels_last: bool = False,
    whole_numbers: bool = False,
    flat: bool = False,
    opset: int = 20,
    metadata: dict[str, str] | None = None,
    change: Callable[[onnx.ModelProto], object] = lambda model: None,
) -> onnx.ModelProto:
    """A convolution, its mean over the picture, and beside it the map itself as a first output."""
    sides = [batch, *size, channels] if channels_last else [batch, channels, *size]
    kind = TensorProto.UINT8 if whole_numbers else TensorProto.FLOAT
    nodes, last = [], "pictures"

    def add(operator: str, inputs: Sequence[str], output: str, **attributes: object) -> None:
        nonlocal last
        nodes.append(helper.make_node(operator, [last, *inputs], [output], **attributes))
        last = output

    if whole_numbers:
        add("Cast", [], "wide", to=TensorProto.FLOAT)
        add("Mul", ["small"], "in_one")
    if channels_last:
        add("Transpose", [], "channels_first", perm=[0, 3, 1, 2])
    add("Conv", ["kernel"], "map", strides=[2, 2])
    add("GlobalAveragePool", [], "pooled")
    if flat:
        add("Flatten", [], "vector")
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pictures", kind, sides)],
        [
            helper.make_tensor_value_info("map", TensorProto.FLOAT, [batch, WIDTH, None, None]),
            helper.make_tensor_value_info(last, TensorProto.FLOAT, [batch, WIDTH] if flat else [batch, WIDTH, 1, 1]),
        ],
        [
            numpy_helper.from_array(kernel(channels), "kernel"),
            numpy_helper.from_array(np.float32(1 / 255), "small"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    helper.set_model_props(model, metadata or {})
    change(model)
    return model


def write_graph(file: Path, stated: str | None = STATED, **how: object) -> Path:
    """Write a graph, and beside it the TOML that states its preprocessing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(make_graph(**how).SerializeToString())  # type: ignore[arg-type]
    if stated is not None:
        file.with_suffix(".toml").write_text(stated, encoding="utf-8")
    return file


def vectors_of(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the graph gives for pictures (count, height, width, 3): computed anew, normalised as `STATED` says."""
    normal = (pixels / 255 - np.array(MEAN)) / np.array(DEVIATION)
    patches = np.lib.stride_tricks.sliding_window_view(normal, (3, 3), axis=(1, 2))[:, ::2, ::2]
    return np.einsum("nhwcij,ocij->no", patches, kernel()) / (patches.shape[1] * patches.shape[2])
