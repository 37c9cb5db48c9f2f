"""A model folder and a checkpoint: whole or not there, and never code; what is wrong with one is a sentence."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from nets.test_classifier import films, make_model
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from vidrnn.config import HeadConfig
from vidrnn.errors import ModelError, OutputError, RunError, TrainingError, VidrnnError
from vidrnn.model.checkpoint import (
    CARD_NAME,
    TrainingState,
    load_model,
    load_training,
    save_model,
    save_training,
)
from vidrnn.model.header import WEIGHTS_NAME, find_weights, read_handling, read_header, read_weights_handling
from vidrnn.model.metadata import ModelHeader
from vidrnn.nets.heads import HEADS
from vidrnn.nets.readouts import READOUTS
from vidrnn.nets.spec import EncoderConfig, ForecastConfig, ModelSpec, current_spec
from vidrnn.values import FORMAT_VERSION, AnomalyCalibration, AnswerSpec, DecisionRule, Part

CARD = "# möwe\n"
NEWER = f"format 99, and this vidrnn reads up to {FORMAT_VERSION}.*pip install --upgrade"
OLDER = rf"format {FORMAT_VERSION - 1}, and this vidrnn reads format {FORMAT_VERSION}\. Train it again"


def make_header(head: HeadConfig, readout: str = "attention", encoder: str = "small") -> ModelHeader:
    """The header of `make_model`'s model."""
    spec = ModelSpec(
        network="scores",
        encoder=EncoderConfig(name=encoder, frozen=False, origin="none"),
        head=head,
        readout=readout,
        height=12,
        width=12,
        frames=8,
        spacing_seconds=0.1,
    )
    return ModelHeader(
        vidrnn_version="0.1.0",
        answer=AnswerSpec("classify", "one", "clip", ("größe", "b", "c")),
        decision=DecisionRule(temperature=1.25),
        spec=spec,
        seed=7,
        seen={"a1": Part.TRAIN, "b2": Part.TEST},
        scores={"accuracy": 0.5, "controls": [1, None]},
        facts={"command": "vidrnn train clips"},
    )


HEAD = HeadConfig(name="gru", size=5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder."""
    path = tmp_path / "run" / "model"
    save_model(path, make_model(HEAD), make_header(HEAD), CARD)
    return path


def rewrite(folder: Path, change: Callable[[dict[str, object]], object]) -> Path:
    """Change the header of a model folder, as another version or a damaged disk would."""
    file = folder / WEIGHTS_NAME
    header = json.loads(read_header(file).to_json())
    change(header)
    save_file(load_file(file), file, metadata={"vidrnn": json.dumps(header)})
    return file


def assert_sentence(error: VidrnnError, path: Path) -> None:
    """It names the file, and ends like a sentence that tells what to do."""
    text = str(error)
    assert str(path) in text and text.endswith((".", "--upgrade vidrnn."))
    assert any(word in text for word in ("Copy", "Name", "Update", "Start anew", "Free some space", "Choose"))


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("both", [False, True], ids=["", "both"])
@pytest.mark.parametrize("name", HEADS)
def test_saving_and_loading_changes_nothing_to_the_last_bit(
    tmp_path: Path, name: str, readout: str, both: bool
) -> None:
    head = HeadConfig(name=name, size=5, layers=2, bidirectional=both)
    network = make_model(head, readout)
    save_model(tmp_path / "model", network, make_header(head, readout), CARD)
    loaded = load_model(tmp_path / "model").network
    before, after = network(films()), loaded(films())
    assert all(torch.equal(before[0][name], after[0][name]) for name in network.outputs)
    assert not loaded.training and not any(weight.requires_grad for weight in loaded.parameters())


def test_saving_and_loading_several_heads_changes_nothing_to_the_last_bit(tmp_path: Path) -> None:
    network, header = make_model(HEAD, "statistics", 3), make_header(HEAD, "statistics")
    header = header.model_copy(update={"spec": header.spec.model_copy(update={"members": 3})})
    save_model(tmp_path / "model", network, header, CARD)
    loaded = load_model(tmp_path / "model")
    before, after = network(films()), loaded.network(films())
    assert all(torch.equal(before[0][name], after[0][name]) for name in network.outputs)
    assert loaded.header == header


def test_a_header_from_before_there_were_several_heads_has_one(folder: Path) -> None:
    rewrite(folder, lambda header: header["spec"].pop("members"))
    assert load_model(folder).spec.members == 1


def test_the_header_comes_back_as_it_was(folder: Path) -> None:
    assert load_model(folder).header == make_header(HEAD) == read_header(folder / WEIGHTS_NAME)
    assert load_model(folder).spec.size.height == 12
    assert (folder / CARD_NAME).read_text(encoding="utf-8") == CARD


def test_a_model_folder_holds_tensors_and_a_card_and_no_code(folder: Path) -> None:
    assert {file.name for file in folder.iterdir()} == {WEIGHTS_NAME, CARD_NAME}
    assert {file.name for file in folder.parent.iterdir()} == {"model"}
    length = int.from_bytes((folder / WEIGHTS_NAME).read_bytes()[:8], "little")
    json.loads((folder / WEIGHTS_NAME).read_bytes()[8 : 8 + length])


def test_a_model_is_found_by_its_run_its_folder_or_its_file(folder: Path) -> None:
    file = folder / WEIGHTS_NAME
    assert find_weights(folder.parent) == find_weights(folder) == find_weights(file) == file
    assert load_model(folder.parent).folder == folder


def test_a_model_folder_can_be_moved_and_written_over(folder: Path, tmp_path: Path) -> None:
    moved = folder.rename(tmp_path / "elsewhere")
    other = make_model(HEAD)
    torch.nn.init.zeros_(other.sequence.task.classifier.weight)
    save_model(moved, other, make_header(HEAD), "# other\n")
    assert not load_model(moved).network.sequence.task.classifier.weight.any()
    assert (moved / CARD_NAME).read_text() == "# other\n"


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])


def cut_in_its_header(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:300])


def scramble(file: Path) -> None:
    file.write_bytes(bytes(range(256)) * 40)


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, cut_in_its_header, scramble, empty])
def test_a_damaged_file_is_a_sentence(folder: Path, damage: Callable[[Path], None]) -> None:
    damage(folder / WEIGHTS_NAME)
    with pytest.raises(ModelError, match="not a whole safetensors file") as caught:
        load_model(folder)
    assert_sentence(caught.value, folder / WEIGHTS_NAME)


def test_another_programs_safetensors_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "bert.safetensors"
    save_file({"weight": torch.zeros(2)}, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match="not a model that vidrnn made") as caught:
        load_model(file)
    assert_sentence(caught.value, file)


def test_a_file_that_is_no_safetensors_is_a_sentence(folder: Path) -> None:
    with pytest.raises(ModelError, match="not a whole safetensors") as caught:
        load_model(folder / CARD_NAME)
    assert_sentence(caught.value, folder / CARD_NAME)


@pytest.mark.parametrize("known", [True, False], ids=["same words", "new words"])
def test_a_newer_format_asks_for_a_newer_vidrnn(folder: Path, known: bool) -> None:
    file = rewrite(folder, lambda header: header.update({"format_version": 99} | ({} if known else {"mood": "good"})))
    with pytest.raises(ModelError, match=NEWER) as caught:
        load_model(folder)
    assert_sentence(caught.value, file)


def test_an_older_format_asks_for_a_new_training(folder: Path) -> None:
    file = rewrite(folder, lambda header: header.update(format_version=FORMAT_VERSION - 1))
    with pytest.raises(ModelError, match=OLDER) as caught:
        load_model(folder)
    assert str(file) in str(caught.value)
    with pytest.raises(ModelError, match=OLDER):
        read_weights_handling(file)


def test_an_encoder_that_saw_the_step_before_asks_for_a_new_training(folder: Path) -> None:
    file = rewrite(folder, lambda header: header["spec"]["encoder"].update(differences=True))
    for read in (load_model, read_weights_handling):
        with pytest.raises(ModelError, match=r"the step before.*Train it again: --motion difference\.") as caught:
            read(folder if read is load_model else file)
        assert str(file) in str(caught.value)


def test_an_encoder_that_saw_no_differences_loads_as_before(folder: Path) -> None:
    rewrite(folder, lambda header: header["spec"]["encoder"].update(differences=False))
    assert load_model(folder).spec.inputs == ()


def test_a_network_that_predicts_frames_still_knows_the_step_before() -> None:
    spec = make_header(HEAD).spec.model_dump(mode="json") | {"network": "frames", "forecast": {"decoder": "flow"}}
    spec["encoder"] = {"name": "small", "frozen": False, "origin": "none", "differences": True}
    stored = ModelSpec.model_validate(current_spec(spec))
    assert stored.encoder.motion == ("difference",)
    assert (stored.inputs, stored.motion_seconds) == ((), None)


@pytest.mark.parametrize("motion", [(), ("difference",), ("flow",), ("difference", "flow")])
def test_handling_names_the_inputs_of_the_network(motion: tuple[str, ...]) -> None:
    header = make_header(HEAD)
    encoder = EncoderConfig(name="resnet18", frozen=True, origin="none", motion=motion, motion_seconds=0.3)  # type: ignore[arg-type]
    header = header.model_copy(update={"spec": header.spec.model_copy(update={"encoder": encoder})})
    quick = read_handling(header.to_json(), "x")
    assert quick == header.handling
    assert quick.inputs == tuple({"difference": "before", "flow": "flow"}[name] for name in motion)
    assert quick.motion_seconds == (0.3 if motion else None)


PARTS = [(), ("answer",), ("decision",), ("decision", "anomaly"), ("spec",), ("spec", "encoder"), ("spec", "head")]


@pytest.mark.parametrize("part", [*PARTS, ("spec", "forecast")], ids="-".join)
def test_readers_ignore_fields_that_they_do_not_know(part: tuple[str, ...]) -> None:
    header = make_header(HEAD)
    anomaly = AnomalyCalibration(middle=-1.0, high=0.5, smoothing_frames=2, error=0.1)
    forecast = ForecastConfig(decoder="flow")
    header = header.model_copy(update={"decision": replace(header.decision, anomaly=anomaly)})
    if "forecast" in part:
        answer = AnswerSpec("next-frame", "picture", "frame", ("normal", "anomaly"))
        spec = header.spec.model_copy(update={"forecast": forecast, "network": "frames"})
        header = header.model_copy(update={"spec": spec, "answer": answer})
    record = json.loads(header.to_json())
    place = record
    for name in part:
        place = place[name]
    place["mood"] = {"of": "a later version"}
    text = json.dumps(record)
    assert ModelHeader.from_json(text, "x") == header
    assert read_handling(text, "x") == header.handling


@pytest.mark.parametrize("missing", ["reset", "decision"])
def test_a_rule_that_is_not_stored_has_one_default(missing: str) -> None:
    record = json.loads(make_header(HEAD).to_json())
    record["decision"].pop(missing) if missing == "reset" else record.pop(missing)
    text = json.dumps(record)
    quick, whole = read_handling(text, "x"), ModelHeader.from_json(text, "x").handling
    assert quick == whole and quick.decision.reset == DecisionRule().reset


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.pop("spec"),
        lambda header: header["decision"].update(temperature=0),
        lambda header: header["decision"].update(temperature={"b": -1}),
        lambda header: header["answer"].update(classes=["one"]),
        lambda header: header.update(format_version="later"),
    ],
    ids=["no spec", "temperature 0", "temperature below 0", "one class", "no number"],
)
def test_a_header_that_makes_no_sense_is_a_sentence(
    folder: Path, change: Callable[[dict[str, object]], object]
) -> None:
    file = rewrite(folder, change)
    with pytest.raises(ModelError, match="its header is damaged") as caught:
        load_model(folder)
    assert_sentence(caught.value, file)


@pytest.mark.parametrize("part", ["encoder", "head"])
def test_a_model_made_of_parts_that_are_unknown_here_is_a_sentence(folder: Path, part: str) -> None:
    rewrite(folder, lambda header: header["spec"][part].update(name="perceiver"))
    with pytest.raises(ModelError, match="perceiver") as caught:
        load_model(folder)
    assert_sentence(caught.value, folder)


def test_weights_that_do_not_fit_the_header_are_a_sentence(folder: Path) -> None:
    rewrite(folder, lambda header: header["spec"]["head"].update(size=9))
    with pytest.raises(ModelError, match="do not fit what its header describes") as caught:
        load_model(folder)
    assert_sentence(caught.value, folder)


def test_a_spec_that_would_fill_the_memory_is_refused_before_it_does(folder: Path) -> None:
    rewrite(folder, lambda header: header["spec"]["head"].update(size=4096, layers=8))
    rewrite(folder, lambda header: header["spec"].update(members=32))  # 25 GB of weights or more
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match="do not fit what its header describes"):
        load_model(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000, "in kilobytes"


def test_weights_of_another_type_are_not_taken_for_numbers(folder: Path) -> None:
    file = folder / WEIGHTS_NAME
    with safe_open(file, framework="pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dict
        metadata = {key: text.replace("vidrnn-sum-", "without-sum") for key, text in stored.metadata().items()}
    name = next(name for name, tensor in tensors.items() if tensor.dtype == torch.float32)
    tensors[name] = tensors[name].view(torch.int32)
    save_file(tensors, file, metadata)
    with pytest.raises(ModelError, match="of another type"):
        load_model(folder)


def test_a_model_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "gone", "no such model"), (tmp_path, "no model.safetensors in it")):
        with pytest.raises(ModelError, match=words) as caught:
            load_model(path)
        assert_sentence(caught.value, path)


def test_a_place_where_no_folder_can_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="could not be written") as caught:
        save_model(tmp_path / "file" / "model", make_model(HEAD), make_header(HEAD), CARD)
    assert_sentence(caught.value, tmp_path / "file" / "model")


@pytest.mark.parametrize(
    "refusal", [OSError(28, "No space left on device"), SafetensorError("No space left")], ids=repr
)
def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise refusal

    monkeypatch.setattr("vidrnn.model.checkpoint.save_file", refuse)
    with pytest.raises(OutputError, match="No space left") as caught:
        save_model(tmp_path / "model", make_model(HEAD), make_header(HEAD), CARD)
    assert_sentence(caught.value, tmp_path / "model")
    assert not list(tmp_path.iterdir())
    with pytest.raises(OutputError, match="No space left") as caught:
        save_training(tmp_path, TrainingState({}, {}))
    assert_sentence(caught.value, tmp_path)


STATE = TrainingState(
    {"now.a": torch.randn(2, 3), "step": torch.tensor(4.0)}, {"epoch": 3, "best": {"score": 0.1 + 0.2}}
)


def test_a_checkpoint_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    tied = torch.arange(6.0).view(2, 3)
    state = replace(STATE, tensors=STATE.tensors | {"tied": tied, "also": tied, "turned": tied.T})
    save_training(tmp_path, state)
    found = load_training(tmp_path)
    assert found is not None and found.facts == state.facts
    assert found.tensors.keys() == state.tensors.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in state.tensors.items())
    assert [file.name for file in tmp_path.iterdir()] == ["training.safetensors"]


def test_without_a_checkpoint_there_is_none(tmp_path: Path) -> None:
    assert load_training(tmp_path) is None


@pytest.mark.parametrize("damage", [cut_in_its_header, scramble, empty])
def test_a_damaged_checkpoint_is_a_sentence(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    save_training(tmp_path, replace(STATE, tensors={"now": torch.zeros(500)}))
    damage(tmp_path / "training.safetensors")
    with pytest.raises(RunError, match="damaged") as caught:
        load_training(tmp_path)
    assert_sentence(caught.value, tmp_path / "training.safetensors")


def test_a_foreign_checkpoint_is_a_sentence(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "training.safetensors")
    with pytest.raises(RunError, match="damaged"):
        load_training(tmp_path)


# --- damage and numbers that are not finite --------------------------------------------------------------------------


def flip(file: Path, share: float) -> None:
    """Change one bit, at this share of the file."""
    content = bytearray(file.read_bytes())
    content[int(share * (len(content) - 1))] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99, 1.0])
def test_one_changed_bit_in_the_weights_is_a_sentence(folder: Path, share: float) -> None:
    flip(folder / WEIGHTS_NAME, share)
    for read in (load_model, lambda path: read_header(find_weights(path))):
        with pytest.raises(ModelError, match="damaged") as caught:
            read(folder)
        assert_sentence(caught.value, folder / WEIGHTS_NAME)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_one_changed_bit_in_a_checkpoint_is_a_sentence(tmp_path: Path, share: float) -> None:
    save_training(tmp_path, replace(STATE, tensors={"now": torch.zeros(500)}))
    flip(tmp_path / "training.safetensors", share)
    with pytest.raises(RunError, match=r"damaged.*--overwrite") as caught:
        load_training(tmp_path)
    assert_sentence(caught.value, tmp_path / "training.safetensors")


def test_a_model_and_a_checkpoint_from_before_there_were_sums_are_read(folder: Path, tmp_path: Path) -> None:
    header = json.dumps(json.loads(read_header(folder / WEIGHTS_NAME).to_json()))
    tensors = load_file(folder / WEIGHTS_NAME)
    save_file(tensors, folder / WEIGHTS_NAME, metadata={"vidrnn": header})
    assert load_model(folder).seal == ""
    save_file({"now": torch.zeros(2)}, tmp_path / "training.safetensors", metadata={"vidrnn": '{"epoch": 3}'})
    found = load_training(tmp_path)
    assert found is not None and found.facts == {"epoch": 3}


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_neither_written_nor_read(folder: Path, number: float) -> None:
    before, network = (folder / WEIGHTS_NAME).read_bytes(), make_model(HEAD)
    with torch.no_grad():
        next(iter(network.parameters()))[0] = number
    with pytest.raises(TrainingError, match="not finite"):
        save_model(folder, network, make_header(HEAD), CARD)
    assert (folder / WEIGHTS_NAME).read_bytes() == before
    save_file(network.state_dict(), folder / WEIGHTS_NAME, metadata={"vidrnn": make_header(HEAD).to_json()})
    with pytest.raises(ModelError, match="not finite") as caught:
        load_model(folder)
    assert_sentence(caught.value, folder)
