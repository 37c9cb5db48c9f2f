"""A graph of another program is checked before it is used, and each refusal says what would work."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from foreign import DEVIATION, MEAN, STATED, make_graph, write_graph
from model.test_checkpoint import CARD, HEAD, make_header
from onnx import TensorProto, helper

from vidrnn.errors import ModelError, UsageError, WeightsError
from vidrnn.model import picture_graph
from vidrnn.model.checkpoint import load_model, save_model
from vidrnn.model.picture_graph import ENCODER_NAME, hash_of, read_picture_graph
from vidrnn.model.weights import give_weights
from vidrnn.nets.classifier import Model, build_encoder, build_sequence
from vidrnn.nets.spec import EncoderConfig
from vidrnn.values import Size

SIZE = Size(12, 12)
UINT8 = 'channels = "rgb"\n'


def refused(file: Path, size: Size = SIZE) -> str:
    """The sentence with which a graph is refused. It names the file."""
    with pytest.raises(UsageError) as caught:
        read_picture_graph(file).config(size)
    assert file.stem in str(caught.value)
    return str(caught.value)


def external(where: str) -> Callable[[onnx.ModelProto], None]:
    """Weights that lie in another file: those of the graph, of an attribute, or of a graph inside the graph."""

    def change(model: onnx.ModelProto) -> None:
        tensor = TensorProto(name="far", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value="/etc/hostname")
        node = helper.make_node("Constant", [], ["far"], value=tensor)
        if where == "initializer":
            model.graph.initializer.append(tensor)
        elif where == "attribute":
            model.graph.node.append(node)
        else:
            body = helper.make_graph([node], "inner", [], [helper.make_tensor_value_info("far", 1, [1])])
            yes = helper.make_node("Constant", [], ["yes"], value=helper.make_tensor("yes", TensorProto.BOOL, [], [1]))
            model.graph.node.extend([yes, helper.make_node("If", ["yes"], ["x"], then_branch=body, else_branch=body)])

    return change


@pytest.mark.parametrize("where", ["initializer", "attribute", "subgraph"])
def test_weights_in_other_files_are_refused(tmp_path: Path, where: str) -> None:
    text = refused(write_graph(tmp_path / "mine.onnx", change=external(where)))
    assert "external data" in text and "save_as_external_data=False" in text


def add_operator(domain: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        model.graph.node.append(helper.make_node("Launch", ["pooled"], ["x"], domain=domain))
        model.opset_import.append(helper.make_opsetid(domain, 1))

    return change


@pytest.mark.parametrize("domain", ["my.operators", "com.microsoft"])
def test_operators_that_are_not_onnxs_are_refused_by_name(tmp_path: Path, domain: str) -> None:
    assert "not those of ONNX: Launch" in refused(write_graph(tmp_path / "mine.onnx", change=add_operator(domain)))


def break_graph(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "nowhere"


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"change": break_graph}, "is not valid ONNX"),
        ({"batch": 4}, r"takes pictures float \(4, 3, any, any\)\. Wanted one input"),
        ({"channels": 4}, "Wanted one input"),
        ({"channels": 1}, 'channels = "rgb", and the graph takes 1'),
        ({"size": (224, "width")}, r"one side of its pictures is free\. State both"),
        ({"whole_numbers": True}, "takes pixels as uint8. Leave them out"),
    ],
)
def test_a_graph_that_cannot_be_an_encoder_is_refused(tmp_path: Path, how: dict[str, object], words: str) -> None:
    assert re.search(words, refused(write_graph(tmp_path / "mine.onnx", **how)))


@pytest.mark.parametrize("content", [b"", b"\x08no graph at all", b"GIF89a" * 9])
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine.onnx").write_bytes(content)
    assert "ONNX" in refused(tmp_path / "mine.onnx")


def test_a_missing_or_too_large_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is no such file" in refused(tmp_path / "mine.onnx")
    monkeypatch.setattr(picture_graph, "LARGEST_BYTES", 100)
    assert "Use a smaller one" in refused(write_graph(tmp_path / "mine.onnx"))


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        (None, "channels, mean and deviation of its pictures are not stated"),
        ('channels = "rgb"\nmean = [0, 0, 0]', "deviation of its pictures is not stated"),
        (STATED + "sice = 3", "sice: extra inputs are not permitted"),
        (STATED + 'size = "224"', 'size = "224": wanted "WIDTHxHEIGHT"'),
        (STATED + "scale = 0", "scale: input should be greater than 0"),
        (STATED + 'output = "nothing"', "the graph has no such output. It has map and pooled"),
        (STATED + 'output = "map"', r"For one picture it gives map 1x5x5x5"),
        ('channels = "rgb"\nmean = [0.5]\ndeviation = [0.5]', "rgb needs 3 of each"),
        ("mean = [", "cannot be read"),
    ],
)
def test_preprocessing_that_is_not_stated_well_is_asked_for(tmp_path: Path, stated: str | None, words: str) -> None:
    text = refused(write_graph(tmp_path / "mine.onnx", stated))
    assert words in text
    if "not stated" in text:
        assert "Write mine.toml beside it" in text and "mean = [0.485, 0.456, 0.406]" in text


def test_the_example_in_the_error_is_one_that_works(tmp_path: Path) -> None:
    text = refused(write_graph(tmp_path / "mine.onnx", None))
    write_graph(tmp_path / "mine.onnx", text.partition("for example:")[2])
    graph = read_picture_graph(tmp_path / "mine.onnx")
    assert graph.size == Size(224, 224) and graph.pixels.mean == (0.485, 0.456, 0.406)


def test_the_metadata_of_the_graph_state_the_preprocessing_too(tmp_path: Path) -> None:
    stated = {"channels": "rgb", "mean": MEAN, "deviation": DEVIATION, "size": "16x12"}
    file = write_graph(tmp_path / "mine.onnx", None, metadata={"vidrnn.encoder": json.dumps(stated)})
    graph = read_picture_graph(file)
    assert (graph.size, graph.pixels.mean) == (Size(12, 16), MEAN)


def add_outputs(model: onnx.ModelProto) -> None:
    """Outputs that are no floats, before the vector: whole numbers, and a sequence of tensors."""
    model.graph.node.append(helper.make_node("ArgMax", ["vector"], ["best"], axis=1))
    model.graph.node.append(helper.make_node("SequenceConstruct", ["vector"], ["several"]))
    best = helper.make_tensor_value_info("best", TensorProto.INT64, [None, None])
    several = helper.make_tensor_sequence_value_info("several", TensorProto.FLOAT, [None, None])
    outputs = list(model.graph.output)
    del model.graph.output[:]
    model.graph.output.extend([best, several, *outputs])


def test_outputs_that_are_no_floats_are_passed_over(tmp_path: Path) -> None:
    file = write_graph(tmp_path / "mine.onnx", flat=True, change=add_outputs)
    graph = read_picture_graph(file).config(SIZE).graph
    assert graph is not None and graph.output == "vector"


def test_a_size_that_the_graph_does_not_take_is_refused(tmp_path: Path) -> None:
    file = write_graph(tmp_path / "mine.onnx", STATED + 'size = "30x20"', size=(20, 28))
    assert "the graph takes 28x20" in refused(file)
    too_small = write_graph(tmp_path / "mine.onnx")
    assert 'size = "WIDTHxHEIGHT"' in refused(too_small, Size(2, 2))


# In a model folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder with a graph in it."""
    return save(tmp_path / "model", write_graph(tmp_path / "mine.onnx"))


def save(folder: Path, file: Path) -> Path:
    config = read_picture_graph(file).config(SIZE)
    encoder = build_encoder(config, SIZE)
    give_weights(encoder, "onnx", str(file))
    header = make_header(HEAD)
    header = header.model_copy(update={"spec": header.spec.model_copy(update={"encoder": config})})
    save_model(folder, Model(encoder, build_sequence(encoder.width, HEAD, "attention", 3)), header, CARD)
    return folder


def test_a_graph_travels_in_the_model_folder(folder: Path, tmp_path: Path) -> None:
    before = load_model(folder).network.encoder
    (tmp_path / "mine.onnx").unlink()
    after = load_model(folder.rename(tmp_path / "elsewhere")).network.encoder
    assert after.content == before.content and after.identity == before.identity


def test_a_missing_or_altered_graph_is_told(folder: Path) -> None:
    file = folder / ENCODER_NAME
    file.write_bytes(make_graph(opset=21).SerializeToString())
    with pytest.raises(ModelError, match=r"encoder\.onnx: it is not the file that the model was trained with\. Copy"):
        load_model(folder)
    file.unlink()
    with pytest.raises(ModelError, match=r"encoder\.onnx: cannot be read.*the model's encoder is in it"):
        load_model(folder)


@pytest.mark.parametrize(
    ("how", "record", "words"),
    [
        ({"change": external("initializer")}, {}, "external data"),
        ({"change": add_operator("evil")}, {}, "Launch"),
        ({"channels_last": True}, {}, "not as the header"),
        ({"size": (99, 99)}, {}, "cannot compute"),
        ({}, {"width": 4}, "not as the header"),
        ({}, {"output": "map"}, "not as the header"),
        ({}, {"output": "nowhere"}, "not as the header"),
    ],
)
def test_a_stored_graph_is_checked_as_a_foreign_one(
    folder: Path, how: dict[str, object], record: dict[str, object], words: str
) -> None:
    """The hash alone proves nothing, since whoever made the folder made the hash too."""
    from model.test_checkpoint import rewrite

    content = make_graph(**how).SerializeToString()  # type: ignore[arg-type]
    (folder / ENCODER_NAME).write_bytes(content)
    new = {"hash": hash_of(content), **record}
    width = int(str(record.get("width", 5)))
    rewrite(folder, lambda header: header["spec"]["encoder"]["graph"].update(new))  # type: ignore[index]
    if width == 5:
        with pytest.raises(ModelError, match=words):
            load_model(folder)
    else:  # the head's weights tell it first
        with pytest.raises(ModelError, match="do not fit"):
            load_model(folder)


def test_a_model_that_replaces_one_with_a_graph_leaves_none_behind(folder: Path, tmp_path: Path) -> None:
    from nets.test_classifier import make_model

    save_model(folder, make_model(HEAD), make_header(HEAD), CARD)
    assert not (folder / ENCODER_NAME).exists()
    save(folder, write_graph(tmp_path / "other.onnx", opset=21))
    assert load_model(folder).network.encoder.graph.hash == hash_of((folder / ENCODER_NAME).read_bytes())


def test_a_graph_that_changes_while_training_runs_is_noticed(tmp_path: Path) -> None:
    file = write_graph(tmp_path / "mine.onnx")
    encoder = build_encoder(read_picture_graph(file).config(SIZE), SIZE)
    write_graph(file, opset=21)
    with pytest.raises(WeightsError, match="was changed while training ran"):
        give_weights(encoder, "onnx", str(file))


def test_an_older_header_without_these_records_is_read() -> None:
    assert EncoderConfig.model_validate({"name": "small", "frozen": True, "origin": "none"}).graph is None


def test_the_largest_numbers_of_a_header_are_no_traceback() -> None:
    with pytest.raises(ValueError, match="finite"):
        read = {"channels": "rgb", "mean": [np.inf] * 3, "deviation": [1.0] * 3}
        EncoderConfig.model_validate({"name": "onnx", "frozen": True, "origin": "x", "pixels": read})
