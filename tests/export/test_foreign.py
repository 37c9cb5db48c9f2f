"""Portable files of models whose encoder is a graph of another program hold that graph, whatever its form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from foreign import STATED, write_graph
from model.test_checkpoint import HEAD, make_header
from onnx import helper

from vidrnn.errors import ExportError
from vidrnn.export.exporter import TOLERANCE, write_checked
from vidrnn.export.foreign import with_graph
from vidrnn.export.onnx import OnnxExport
from vidrnn.export.openvino import OpenvinoExport
from vidrnn.export.torch import TorchExport
from vidrnn.model.checkpoint import LoadedModel
from vidrnn.model.picture_graph import read_picture_graph
from vidrnn.model.weights import give_weights
from vidrnn.nets.classifier import Model, build_encoder, build_sequence
from vidrnn.runtimes.onnx import OnnxRuntime
from vidrnn.values import PictureMotion, Size, Window

SIZE = Size(12, 12)


def model_with(file: Path, motion: tuple[PictureMotion, ...] = ()) -> LoadedModel:
    config = read_picture_graph(file).config(SIZE).model_copy(update={"motion": motion})
    encoder = build_encoder(config, SIZE)
    give_weights(encoder, "onnx", str(file))
    header = make_header(HEAD)
    header = header.model_copy(update={"spec": header.spec.model_copy(update={"encoder": config})})
    network = Model(encoder, build_sequence(encoder.width, HEAD, "attention", 3)).eval()
    return LoadedModel(network, header, Path("model"))


def rename(model: onnx.ModelProto) -> None:
    """Names that the rest of the model has too."""
    names = {"pictures": "frames", "kernel": "head.hidden", "pooled": "clip", "map": "features"}
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.name = names.get(value.name, value.name)


GREY = "mean = [0.5]\ndeviation = [0.25]"


@pytest.mark.parametrize(
    ("how", "stated", "motion"),
    [
        pytest.param({}, STATED, (), marks=pytest.mark.slow),
        ({"batch": 1, "opset": 11}, STATED, ("flow",)),
        ({"channels_last": True, "whole_numbers": True, "opset": 22, "change": rename}, 'channels = "bgr"', ()),
        pytest.param({"channels": 1, "flat": True}, GREY, ("difference", "flow"), marks=pytest.mark.slow),
    ],
    ids=["free", "one-at-once-opset-11-flow", "bytes-last-opset-22-names", "grey-difference-flow"],
)
def test_the_portable_file_answers_as_the_model_does(
    tmp_path: Path, how: dict[str, object], stated: str, motion: tuple[PictureMotion, ...]
) -> None:
    model = model_with(write_graph(tmp_path / "mine.onnx", stated, **how), motion)
    difference = write_checked(OnnxExport(), model, tmp_path / "model.onnx")
    assert difference <= TOLERANCE
    written = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(written)
    assert {entry.domain for entry in written.opset_import} <= {"", "ai.onnx.ml"}
    assert OnnxRuntime.open(tmp_path / "model.onnx").splits


@pytest.mark.slow
def test_lower_precisions_are_written_too(tmp_path: Path) -> None:
    model = model_with(write_graph(tmp_path / "mine.onnx"))
    clips = [Window(np.random.default_rng(0).integers(0, 256, (8, 12, 12, 3), dtype=np.uint8))]
    for precision in ("fp16", "int8"):
        assert write_checked(OnnxExport(), model, tmp_path / f"{precision}.onnx", precision, clips) < 0.3


def test_openvino_reads_the_merged_graph(tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    model = model_with(write_graph(tmp_path / "mine.onnx"))
    assert write_checked(OpenvinoExport(), model, tmp_path / "model.xml") <= TOLERANCE


def test_a_pt2_cannot_hold_the_graph(tmp_path: Path) -> None:
    model = model_with(write_graph(tmp_path / "mine.onnx"))
    with pytest.raises(ExportError, match=r"a graph of ONNX, which a \.pt2 cannot hold\. Use --to onnx"):
        TorchExport().write(model, tmp_path / "model.pt2", "fp32", [])


def traced(opset: int = 20) -> onnx.ModelProto:
    """A model as the tracer leaves it: one node stands for the encoder's graph."""
    node = helper.make_node("Encoder", ["frames"], ["features"], domain="vidrnn")
    ends = [helper.make_tensor_value_info(name, 1, None) for name in ("frames", "features")]
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("vidrnn", 1)]
    return helper.make_model(helper.make_graph([node], "whole", ends[:1], ends[1:]), opset_imports=opsets)


def test_graphs_that_cannot_be_converted_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("no adapter for it")

    monkeypatch.setattr("onnx.version_converter.convert_version", refuse)
    encoder = model_with(write_graph(tmp_path / "mine.onnx", opset=10)).network.encoder
    with pytest.raises(
        ExportError, match=r"version 10 .* version 20.*\(no adapter for it\)\. Export the encoder again"
    ):
        with_graph(traced(), encoder)


def test_operators_that_have_not_changed_need_no_conversion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("onnx.version_converter.convert_version")
    encoder = model_with(write_graph(tmp_path / "mine.onnx", opset=13)).network.encoder
    assert {each.domain: each.version for each in with_graph(traced(), encoder).opset_import} == {"": 20}
