"""`--encoder auto`: a trial of both encoders; the choice is shown, and stored in the run and the model."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import train_tiny

from vidrnn.errors import RunError, UsageError, WeightsError
from vidrnn.events import EpochDone, Note
from vidrnn.model import weights
from vidrnn.model.checkpoint import load_model
from vidrnn.train.encoder_choice import picture_size
from vidrnn.train.learner import Setting
from vidrnn.values import Size


@pytest.fixture
def random_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """The frozen encoder has its random first weights, so that no test needs those of ImageNet."""
    give = weights.give_weights

    def given(encoder: Any, name: str, origin: str) -> None:
        give(encoder, name, "none" if origin == "imagenet" else origin)

    monkeypatch.setattr("vidrnn.train.learner.give_weights", given)


def notes_of(run: Any) -> str:
    return "\n".join(event.text for event in run.events if isinstance(event, Note))


def test_auto_takes_the_candidate_that_validation_prefers(
    class_folders: Path, tmp_path: Path, random_weights: None
) -> None:
    run = train_tiny(class_folders, tmp_path / "run", encoder="auto")
    best: dict[str, float] = {}
    for event in run.events:
        if isinstance(event, EpochDone):
            best[event.training] = max(event.measures["F1"], best.get(event.training, 0.0))
    world, ours = best["trial of mobilenet_v2"], best.get("trial of small")
    expected = "mobilenet_v2" if ours is None or world >= ours else "small"
    header = load_model(run.folder).header
    assert header.spec.encoder.name == expected
    assert expected in header.facts["choice"]
    assert header.facts["choice"] in notes_of(run)
    assert ours is not None or "not tried" in header.facts["choice"]


def test_a_trial_on_all_clips_is_the_training_and_can_be_resumed(
    class_folders: Path, tmp_path: Path, random_weights: None
) -> None:
    run = train_tiny(class_folders, tmp_path / "run", encoder="auto")
    assert "model" not in {event.training for event in run.events if isinstance(event, EpochDone)}
    before = load_model(run.folder).network.state_dict()
    again = train_tiny(class_folders, tmp_path / "run", encoder="auto", request={"resume": True})
    assert not [event for event in again.events if isinstance(event, EpochDone)]
    after = load_model(run.folder).network.state_dict()
    assert all(before[name].equal(after[name]) for name in before)


def test_a_trial_that_is_stopped_keeps_the_model_that_it_has(
    class_folders: Path, tmp_path: Path, random_weights: None
) -> None:
    run = train_tiny(class_folders, tmp_path / "run", encoder="auto", stop_after=1)
    assert load_model(run.folder).header.spec.encoder.name == "mobilenet_v2"


def test_without_weights_for_the_frozen_candidate_the_other_is_taken_and_it_is_said(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(encoder: Any, name: str, origin: str) -> None:
        if origin == "imagenet":
            raise WeightsError("mobilenet_v2: no weights here.")

    monkeypatch.setattr("vidrnn.train.learner.give_weights", offline)
    run = train_tiny(class_folders, tmp_path / "run", encoder="auto")
    assert load_model(run.folder).header.spec.encoder.name == "small"
    assert "no weights here. Going on with the encoder small." in notes_of(run)


def test_weights_without_an_encoder_are_refused(class_folders: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Name the encoder"):
        train_tiny(class_folders, tmp_path / "run", encoder="auto", weights="imagenet")
    assert not (tmp_path / "run").exists()


def test_evenly_ordered_clips_begin_with_every_class() -> None:
    labels = np.repeat([0, 1, 2], [60, 30, 3])
    setting = SimpleNamespace(dataset=SimpleNamespace(labels=labels), config=SimpleNamespace(seed=0))
    order = Setting.evenly(setting, range(93))  # type: ignore[arg-type]
    assert sorted(order) == list(range(93))
    counts = Counter(labels[order[:31]].tolist())
    assert counts[0] == pytest.approx(20, abs=1)
    assert counts[1] == pytest.approx(10, abs=1)
    assert counts[2] >= 1


def test_pictures_keep_the_films_shape_and_small_ones_are_enlarged_only_for_what_knows_the_world() -> None:
    assert picture_size("small", Size(84, 112)) == Size(84, 112)
    assert picture_size("small", Size(60, 80)) == Size(60, 80)
    small = picture_size("small", Size(1080, 1920))
    assert small.width / small.height == pytest.approx(16 / 9, rel=0.03)
    assert small.width * small.height <= 112 * 84 * 1.02
    assert picture_size("mobilenet_v2", Size(160, 214)) == Size(160, 214)
    assert picture_size("mobilenet_v2", Size(96, 128)).width > 128


def test_a_run_does_not_go_on_with_other_films_than_it_began_with(class_folders: Path, tmp_path: Path) -> None:
    data = tmp_path / "films"
    shutil.copytree(class_folders, data)
    train_tiny(data, tmp_path / "run", stop_after=1)
    sorted(data.rglob("*.*"))[0].unlink()
    with pytest.raises(RunError, match="not as it was"):
        train_tiny(data, tmp_path / "run", request={"resume": True})
    assert json.loads((tmp_path / "run" / "checkpoint" / "choice.json").read_text())["encoder"] == "small"
