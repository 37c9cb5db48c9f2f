"""`--encoder FILE.onnx` from the file to the answer: trained, stored, resumed, exported, and read without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import TinyRun, train_tiny
from foreign import write_graph

from vidrnn.config import RunConfig
from vidrnn.errors import RunError, UsageError
from vidrnn.events import Note
from vidrnn.model.checkpoint import load_model
from vidrnn.predict.predictor import Predictor, open_model


@pytest.fixture(scope="module")
def run(class_folders: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A run whose encoder is a graph, with its portable file."""
    root = tmp_path_factory.mktemp("foreign")
    file = write_graph(root / "home of a person" / "mine.onnx")
    return train_tiny(class_folders, root / "run", encoder=str(file), request={"portable": True})


def film_of(run: TinyRun) -> Path:
    return next(run.data.rglob("*.avi"))


def test_both_runtimes_give_the_same_answer(run: TinyRun) -> None:
    answers = [Predictor(open_model(run.model, name)[0]).predict(film_of(run)) for name in ("torch", "onnx")]
    assert answers[0].probability == pytest.approx(answers[1].probability, abs=1e-4)


def test_the_portable_file_is_read_without_torch_and_without_the_encoders_file(run: TinyRun, tmp_path: Path) -> None:
    alone = tmp_path / "model.onnx"
    alone.write_bytes((run.model / "model.onnx").read_bytes())
    program = (
        "import sys, vidrnn; answer = vidrnn.load(sys.argv[1]).predict(sys.argv[2]); "
        "print(answer.label, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(alone), str(film_of(run))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split()[0] in ("rise", "fall") and done.stdout.split()[1] == "False"


def test_the_model_can_be_moved_and_names_no_place_of_the_machine(run: TinyRun) -> None:
    encoder = load_model(run.model).spec.encoder
    assert (encoder.name, encoder.origin, encoder.frozen) == ("onnx", "mine.onnx", True)
    for file in run.model.iterdir():
        assert b"home of a person" not in file.read_bytes(), file
    assert "onnx (mine.onnx, frozen) > " in "\n".join(event.text for event in run.events if isinstance(event, Note))


def test_a_run_is_resumed_in_another_folder_with_the_same_graph_only(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_graph(tmp_path / "mine.onnx")
    monkeypatch.chdir(tmp_path)
    whole = train_tiny(class_folders, tmp_path / "whole", encoder="mine.onnx")
    stopped = train_tiny(class_folders, tmp_path / "stopped", encoder="mine.onnx", stop_after=1)
    monkeypatch.chdir(class_folders)
    stored = RunConfig.read(stopped.folder / "config.toml").encoder
    resumed = train_tiny(class_folders, stopped.folder, request={"resume": True}, encoder=stored)
    assert resumed.weights == whole.weights
    pieces = [file for file in (stopped.folder / "checkpoint").rglob("*") if file.is_file()]
    assert len(pieces) > 1 and all(str(tmp_path).encode() not in piece.read_bytes() for piece in pieces)
    write_graph(file, opset=21)
    with pytest.raises(RunError, match=r"mine\.onnx: is not the encoder that this run began with"):
        train_tiny(class_folders, stopped.folder, request={"resume": True}, encoder=stored)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"fine_tune": True}, "--fine-tune: mine.onnx stays as it is"),
        ({"weights": "imagenet"}, "--weights imagenet: mine.onnx holds its own weights"),
        ({"grey": True}, "--grey: mine.onnx itself says"),
    ],
)
def test_settings_that_do_not_fit_a_graph_are_refused_before_a_film_is_read(
    tmp_path: Path, settings: dict[str, object], words: str
) -> None:
    file = write_graph(tmp_path / "mine.onnx")
    with pytest.raises(UsageError) as caught:
        train_tiny(tmp_path / "no-such-data", tmp_path / "run", encoder=str(file), **settings)
    assert words in str(caught.value)


def test_the_size_that_a_graph_wants_is_taken(class_folders: Path, tmp_path: Path) -> None:
    file = write_graph(tmp_path / "mine.onnx", size=(20, 28), batch=1)
    run = train_tiny(class_folders, tmp_path / "run", encoder=str(file), height=None, width=None)
    assert str(load_model(run.model).spec.size) == "28x20"
    with pytest.raises(UsageError, match=r"takes pictures of 28x20 pixels\. Leave out --size 32x24"):
        train_tiny(class_folders, tmp_path / "other", encoder=str(file))


def features_in(cache: Path) -> set[str]:
    """The names of the entries that hold features."""
    return {file.name for file in cache.rglob("*.npy") if np.load(file).dtype == np.float32}


def test_features_of_a_graph_are_cached_by_its_hash(class_folders: Path, tmp_path: Path) -> None:
    first = train_tiny(class_folders, tmp_path / "a" / "run", encoder=str(write_graph(tmp_path / "one.onnx")))
    entries = features_in(first.cache)
    same = {"encoder": str(write_graph(tmp_path / "another-name.onnx")), "request": {"cache": first.cache}}
    train_tiny(class_folders, tmp_path / "b" / "run", **same)
    assert features_in(first.cache) == entries
    other = {"encoder": str(write_graph(tmp_path / "other.onnx", opset=21)), "request": {"cache": first.cache}}
    train_tiny(class_folders, tmp_path / "c" / "run", **other)
    assert len(features_in(first.cache)) == 2 * len(entries) > 0


def test_a_graph_sees_motion_by_further_passes(class_folders: Path, tmp_path: Path) -> None:
    file = write_graph(tmp_path / "mine.onnx")
    seen = {"encoder": str(file), "motion": "change,difference,flow", "request": {"portable": True}}
    run = train_tiny(class_folders, tmp_path / "run", **seen)
    spec = load_model(run.model).spec
    assert (spec.encoder.motion, spec.head.motion) == (("difference", "flow"), True)
    assert "onnx (mine.onnx, frozen, difference and flow over 0.1 s)" in spec.describe()
    answers = [Predictor(open_model(run.model, name)[0]).predict(film_of(run)) for name in ("torch", "onnx")]
    assert answers[0].probability == pytest.approx(answers[1].probability, abs=1e-4)


def test_a_search_behind_a_graph_names_no_place_of_the_machine(class_folders: Path, tmp_path: Path) -> None:
    file = write_graph(tmp_path / "home of a person" / "mine.onnx")
    run = train_tiny(class_folders, tmp_path / "run", encoder=str(file), search=True)
    header = load_model(run.model).header
    names = {one["name"] for one in header.scores["search"]}
    assert {"mine.onnx > linear", "mine.onnx +difference > linear"} <= names
    assert all(name.startswith("mine.onnx") for name in names)
    assert "home of a person" not in header.to_json()


def test_scores_do_not_depend_on_neighbours(run: TinyRun) -> None:
    runtime = open_model(run.model, "onnx")[0]
    frames = np.random.default_rng(0).integers(0, 256, (3, 5, 24, 32, 3), dtype=np.uint8)
    together, alone = runtime.read(frames)[0]["clip"], runtime.read(frames[1:2])[0]["clip"]
    assert np.allclose(together[1:2], alone, atol=1e-5)
