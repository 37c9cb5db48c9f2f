"""A portable file of somebody else: its metadata must be sound and describe its graph, else it is a sentence."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from test_packaging import ROOT

from vidrnn.errors import ModelError
from vidrnn.model.header import read_handling
from vidrnn.model.metadata import ModelHeader
from vidrnn.predict.predictor import Predictor, open_model
from vidrnn.runtimes.onnx import OnnxRuntime

MOVES = ROOT / "models" / "moves" / "model.onnx"
FILM = ROOT / "sample_videos" / "sit-down" / "figure08_02.webm"


def load_unsealed(file: Path) -> onnx.ModelProto:
    """A graph without its checksum: who means harm leaves it out, or makes it anew."""
    return onnx.load_from_string(file.read_bytes().replace(b"vidrnn-sum-", b"without-sum"))


@pytest.fixture(scope="module")
def moves() -> onnx.ModelProto:
    return load_unsealed(MOVES)


def metadata(model: onnx.ModelProto, key: str) -> str:
    return next(entry.value for entry in model.metadata_props if entry.key == key)


def rewritten(model: onnx.ModelProto, file: Path, key: str, value: str | None) -> Path:
    """A copy with other metadata."""
    changed = copy.deepcopy(model)
    entries = [entry for entry in changed.metadata_props if entry.key != key]
    del changed.metadata_props[:]
    changed.metadata_props.extend(entries)
    if value is not None:
        changed.metadata_props.add(key=key, value=value)
    onnx.save(changed, file)
    return file


def placed(text: str, place: str, value: Any) -> str:
    record = json.loads(text)
    *path, last = place.split(".")
    holder = record
    for name in path:
        holder = holder[name]
    holder[last] = value
    return json.dumps(record)


BROKEN = [
    ("answer.classes", "walking"),
    ("answer.classes", ["a", "a", "b", "c", "d", "e"]),
    ("answer.classes", [1, 2, 3, 4, 5, 6]),
    ("answer.kind", "picture"),
    ("answer.resolution", "both"),
    ("answer.background", "nobody"),
    ("decision.temperature", -1.0),
    ("decision.temperature", "warm"),
    ("decision.temperature", True),
    ("decision.temperature", {"walk-left": 1.0}),
    ("decision.hysteresis", float("nan")),
    ("decision.threshold", 1.5),
    ("decision.temperature", 1e300),
    ("spec.spacing_seconds", 1e-9),
    ("spec.spacing_seconds", 1e300),
    ("decision.shortest_seconds", 10**400),
    ("decision.reset", "sometimes"),
    ("decision.anomaly", {"middle": 1.0, "high": 0.0, "smoothing_frames": 4, "error": 0.1}),
    ("spec.height", "84"),
    ("spec.height", 84.0),
    ("spec.height", 10**6),
    ("spec.width", -1),
    ("spec.frames", 10**9),
    ("spec.spacing_seconds", 0),
    ("spec.network", "frames"),
    ("spec.encoder.motion", "difference"),
    ("spec.encoder", [[[]]]),
]


@pytest.mark.parametrize(("place", "value"), BROKEN)
def test_the_quick_and_the_whole_reading_of_a_header_refuse_the_same(
    moves: onnx.ModelProto, place: str, value: Any
) -> None:
    text = placed(metadata(moves, "vidrnn"), place, value)
    for read in (read_handling, ModelHeader.from_json):
        with pytest.raises(ModelError, match=r"^x: its header is damaged \(.*\)\. Copy the model again\.$"):
            read(text, "x")


@pytest.mark.parametrize("text", ["", "null", "[]", "{", '"x"', "[" * 100_000, '{"format_version": 2, "spec": []}'])
def test_what_is_no_header_is_a_sentence(text: str) -> None:
    for read in (read_handling, ModelHeader.from_json):
        with pytest.raises(ModelError, match="its header is damaged"):
            read(text, "x")


@pytest.mark.parametrize("name", ["moves", "actions", "moments", "next"])
def test_both_readings_of_a_shipped_header_agree(name: str) -> None:
    text = OnnxRuntime.open(ROOT / "models" / name / "model.onnx").metadata["vidrnn"]
    assert read_handling(text, "x") == ModelHeader.from_json(text, "x").handling


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("answer.classes", ["a", "b"], r"its output is clip float32 \(any, 6\), and clip float32 \(any, 2\)"),
        ("spec.height", 85, r"its input is frames uint8 \(any, any, 84, 112, 3\)"),
        ("spec.encoder.motion", ["difference"], "the graph has no input before"),
        ("spec.encoder.features", {"width": 9, "rate": 1.0}, "the graph has no input features"),
    ],
)
def test_a_header_that_is_sound_must_describe_the_graph(
    moves: onnx.ModelProto, tmp_path: Path, place: str, value: Any, words: str
) -> None:
    text = placed(metadata(moves, "vidrnn"), place, value)
    text = placed(text, "spec.encoder.motion_seconds", 0.1)
    file = rewritten(moves, tmp_path / "model.onnx", "vidrnn", text)
    with pytest.raises(ModelError, match=words) as caught:
        open_model(file)
    assert str(caught.value).startswith(f"{file}: its header does not describe its graph: ")


TENSOR = {"shape": [1, 128], "type": "float32", "fresh": 0.0}


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("vidrnn.state", None, "has no vidrnn.state"),
        ("vidrnn.outputs", None, "has no vidrnn.outputs"),
        ("vidrnn.streams", None, "has no vidrnn.streams"),
        ("vidrnn.streams", "perhaps", "neither yes nor no"),
        ("vidrnn.state", "{", "is damaged"),
        ("vidrnn.state", "[]", "is no table of tensors"),
        ("vidrnn.state", '{"head.hidden": ' + "[" * 100_000, "nested too deeply"),
        ("vidrnn.state", json.dumps({"head.hidden": TENSOR | {"shape": [10**12]}}), "are the most"),
        ("vidrnn.state", json.dumps({"head.hidden": TENSOR | {"shape": [-1]}}), "whole numbers above 0"),
        ("vidrnn.state", json.dumps({"head.hidden": TENSOR | {"type": "object"}}), "its type is none of"),
        ("vidrnn.state", json.dumps({"head.hidden": TENSOR | {"fresh": 1e300}}), "does not fit its type"),
        ("vidrnn.state", json.dumps({"head.hidden": TENSOR | {"shape": [128]}}), r"and head.hidden float32 \(any, 128"),
        ("vidrnn.state", json.dumps({"\x1b[2J": TENSOR}), r"has no input \\x1b\[2J"),
        ("vidrnn.state", json.dumps({"head.hidden": TENSOR}), "the input task.largest, which is not described"),
        ("vidrnn.outputs", "[]", "is no list of names"),
        ("vidrnn.outputs", '["steps"]', "has no clip"),
        ("vidrnn.outputs", '["clip", "steps", "head.hidden.next"]', "is none of clip, steps, next"),
        ("vidrnn.head", "no base64!", "its vidrnn.head is damaged"),
        ("vidrnn.head", "AAAA", "its vidrnn.head: not a whole ONNX file"),
    ],
)
def test_metadata_that_are_broken_are_a_sentence(
    moves: onnx.ModelProto, tmp_path: Path, key: str, value: str | None, words: str
) -> None:
    file = rewritten(moves, tmp_path / "model.onnx", key, value)
    with pytest.raises(ModelError, match=words) as caught:
        Predictor(open_model(file)[0]).predict(FILM)
    assert str(caught.value).startswith(f"{file}: ") and str(caught.value).endswith("again.")


def test_the_head_of_another_model_is_refused(moves: onnx.ModelProto, tmp_path: Path) -> None:
    other = metadata(onnx.load(ROOT / "models" / "moments" / "model.onnx"), "vidrnn.head")
    file = rewritten(moves, tmp_path / "model.onnx", "vidrnn.head", other)
    with pytest.raises(ModelError, match="does not describe its graph"):
        Predictor(open_model(file)[0]).predict(FILM)


def _foreign(model: onnx.ModelProto, folder: Path) -> None:
    model.opset_import.add(domain="evil", version=1)
    model.graph.node[0].domain, model.graph.node[0].op_type = "evil", "Run"


def _external(model: onnx.ModelProto, folder: Path) -> None:
    tensor = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    (folder / "weights.bin").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")


@pytest.mark.parametrize(
    ("change", "words"), [(_foreign, r"operators.*evil:Run"), (_external, "keeps weights in other files")]
)
def test_a_graph_runs_no_foreign_code_and_reads_no_other_file(
    moves: onnx.ModelProto, tmp_path: Path, change: Callable[[onnx.ModelProto, Path], None], words: str
) -> None:
    model = copy.deepcopy(moves)
    change(model, tmp_path)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=words):
        open_model(tmp_path / "model.onnx")


def test_a_model_of_a_task_that_is_not_known_is_a_sentence(tmp_path: Path) -> None:
    moments = load_unsealed(ROOT / "models" / "moments" / "model.onnx")
    for task, words in (("pose", "the task 'pose', which this vidrnn does not know"), ("classify", "does not fit its")):
        text = placed(metadata(moments, "vidrnn"), "answer.task", task)
        with pytest.raises(ModelError, match=words):
            open_model(rewritten(moments, tmp_path / "model.onnx", "vidrnn", text))


def test_a_broken_model_costs_a_folder_one_sentence(moves: onnx.ModelProto, tmp_path: Path) -> None:
    text = placed(metadata(moves, "vidrnn"), "answer.classes", ["a", "b"])
    file = rewritten(moves, tmp_path / "model.onnx", "vidrnn", text)
    films = ROOT / "sample_videos" / "sit-down"
    command = [sys.executable, "-m", "vidrnn", "predict", films, "--model", file, "--out", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert " ".join(done.stderr.split()).count("does not describe its graph") == 1
    assert done.stdout == ""
