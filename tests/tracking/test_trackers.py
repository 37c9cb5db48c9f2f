"""`--track`: what a tracker is given, also over a stop and a resume, and that it never costs a training."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import train_tiny
from tracking.fake import CALLS

from vidrnn.errors import UsageError
from vidrnn.events import Note
from vidrnn.tracking import TRACKERS
from vidrnn.tracking.listener import Listener, confusion_picture, confusions, flat

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _remembering(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    CALLS.clear()
    monkeypatch.setitem(TRACKERS, "tensorboard", "tracking.fake:Remembering")
    yield
    CALLS.clear()


def calls(name: str) -> list[tuple[Any, ...]]:
    return [call[1:] for call in CALLS if call[0] == name]


def test_a_stopped_training_goes_on_with_the_same_recording(class_folders: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train_tiny(class_folders, folder, stop_after=1, track="tensorboard", epochs=3)
    assert calls("open") == [(folder, None)] and calls("close") == [("stopped",)]
    assert json.loads((folder / "tracking.json").read_text()) == {"tensorboard": "first"}
    CALLS.clear()
    train_tiny(class_folders, folder, request={"resume": True}, track="tensorboard", epochs=3)
    assert calls("open") == [(folder, "first")] and calls("close") == [("finished",)]
    assert not calls("settings")  # they were given before
    epochs = [step for numbers, step in calls("scalars") if "train_loss" in numbers]
    assert epochs == [2, 3]
    scores = next(numbers for numbers, _ in calls("scalars") if "scores/accuracy" in numbers)
    assert 0 <= scores["scores/accuracy"] <= 1
    assert ("confusion", (48, 48, 3)) in calls("picture")
    assert dict(calls("text"))["result"]


def test_a_tracker_that_fails_costs_nothing_but_a_note(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TRACKERS, "tensorboard", "tracking.fake:Failing")
    run = train_tiny(class_folders, tmp_path / "run", track="tensorboard", epochs=1, test=False)
    notes = [event.text for event in run.events if isinstance(event, Note) and event.warning]
    assert [note for note in notes if "--track" in note] == [
        "--track tensorboard: records nothing more (the server is gone). The training goes on."
    ]
    assert (run.model / "model.safetensors").is_file()


def test_a_missing_package_is_one_sentence_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TRACKERS, "tensorboard", "tracking.fake:Missing")
    with pytest.raises(UsageError, match=r'not installed here. Install it: pip install "vidrnn\[tensorboard\]"'):
        Listener("tensorboard", {})
    listener = Listener("tensorboard", {}, resumed=True)
    taken = [*listener.take(Note("a"), None, Path("state")), *listener.take(Note("b"), None, Path("state"))]
    assert len(taken) == 1 and "goes on without it" in taken[0].text


@pytest.mark.parametrize("name", TRACKERS)
def test_each_tracker_has_an_extra(name: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert name in extras


def test_settings_inside_settings_have_names_with_points() -> None:
    given = {"head": {"name": "gru", "size": 8}, "motion": ["change", "flow"], "width": None, "curve": [{"a": 1}]}
    assert flat(given) == {"head.name": "gru", "head.size": 8, "motion": "change, flow"}


def test_the_confusion_matrix_is_dark_where_a_class_is_found() -> None:
    assert confusions({"val": {"confusion": [[1]]}, "a": 2}) == {"val.confusion": [[1]]}
    picture = confusion_picture([[9, 1], [0, 0]])
    assert picture[0, 0].mean() < picture[0, -1].mean() < 250 and picture[-1, -1].mean() > 245
    assert confusion_picture(np.eye(200).tolist()).shape == (800, 800, 3)


# The programs themselves


@pytest.mark.slow
@pytest.mark.skipif(find_spec("tensorboard") is None, reason="tensorboard is not installed")
def test_tensorboard_shows_the_curves_of_a_resumed_training(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TRACKERS, "tensorboard", "vidrnn.tracking.tensorboard:TensorboardTracker")
    folder = tmp_path / "run"
    train_tiny(class_folders, folder, stop_after=1, track="tensorboard", epochs=3)
    train_tiny(class_folders, folder, request={"resume": True}, track="tensorboard", epochs=3)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (place,) = (folder / "tensorboard").iterdir()
    shown = EventAccumulator(str(place))
    shown.Reload()
    assert [one.step for one in shown.Scalars("train_loss")] == [1, 2, 3]
    assert shown.Scalars("scores/accuracy") and shown.Images("confusion")
    assert "| encoder | small |" in shown.Tensors("settings/text_summary")[0].tensor_proto.string_val[0].decode()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mlflow") is None, reason="mlflow is not installed")
def test_mlflow_shows_the_curves_of_a_resumed_training(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "runs" / "run"
    train_tiny(class_folders, folder, stop_after=1, track="mlflow", epochs=3)
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}")
    number = client.get_experiment_by_name("vidrnn").experiment_id
    assert [one.info.status for one in client.search_runs([number])] == ["KILLED"]
    train_tiny(class_folders, folder, request={"resume": True}, track="mlflow", epochs=3)
    (run,) = client.search_runs([number])
    assert run.info.status == "FINISHED" and run.info.run_name == "run"
    assert sorted(one.step for one in client.get_metric_history(run.info.run_id, "train_loss")) == [1, 2, 3]
    assert run.data.params["encoder"] == "small" and run.data.params["head.size"] == "8"
    assert {one.path for one in client.list_artifacts(run.info.run_id)} >= {"confusion.png", "result.md"}
    assert {one.name for one in tmp_path.iterdir()} <= {"runs", "cache"}  # nothing is left where the user works


@pytest.mark.slow
@pytest.mark.skipif(find_spec("wandb") is None, reason="wandb is not installed")
def test_wandb_writes_into_the_run_without_a_network(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "run"
    train_tiny(class_folders, folder, track="wandb", epochs=2)
    assert list((folder / "wandb").glob("offline-run-*/run-*.wandb"))
