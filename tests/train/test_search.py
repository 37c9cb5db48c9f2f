"""`--encoder auto`: what was tried, what was chosen, and that settings which the user gave stay."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import train_tiny

from vidrnn.config import HeadConfig, RunConfig
from vidrnn.data.splits import hold_out_groups
from vidrnn.errors import RunError, UsageError, WeightsError
from vidrnn.events import Note
from vidrnn.model import weights
from vidrnn.model.checkpoint import load_model
from vidrnn.tables import Report
from vidrnn.train.encoder_choice import choice_of, picture_size
from vidrnn.train.search.candidates import Candidate, Clips, learnt_candidates, with_settings
from vidrnn.train.search.choice import Tried, _Search
from vidrnn.values import LabelledFilm, Size


@pytest.fixture
def random_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """The frozen encoder has its random first weights, so that no test needs those of ImageNet."""
    give = weights.give_weights

    def given(encoder: Any, name: str, origin: str) -> None:
        give(encoder, name, "none" if origin == "imagenet" else origin)

    monkeypatch.setattr("vidrnn.train.learner.give_weights", given)


def notes_of(run: Any) -> str:
    return "\n".join(event.text for event in run.events if isinstance(event, Note))


def report_of(run: Any) -> Report:
    (report,) = [event for event in run.events if isinstance(event, Report) and "tried" in event.numbers]
    return report


def test_the_best_candidate_is_taken_and_the_table_says_what_was_tried(
    class_folders: Path, tmp_path: Path, random_weights: None
) -> None:
    run = train_tiny(class_folders, tmp_path / "run", encoder="auto")
    header = load_model(run.folder).header
    tried = header.scores["search"]
    assert {"mobilenet_v2 > linear", "mobilenet_v2 +difference > linear"} <= {one["name"] for one in tried}
    assert any(one["name"].startswith("tiny") for one in tried)
    best = max(one["accuracy"] for one in tried)
    chosen = next(one for one in tried if f"chose {one['name']}:" in header.facts["choice"])
    assert chosen["accuracy"] >= best - 0.005
    assert chosen["name"].split()[0] == header.spec.encoder.name
    assert all(0 <= low <= one["accuracy"] <= high <= 1 for one in tried for low, high in [one["interval"]])
    assert header.facts["choice"] == report_of(run).sentences[-1]


def test_settings_that_the_user_gave_stay(class_folders: Path, tmp_path: Path, random_weights: None) -> None:
    run = train_tiny(class_folders, tmp_path / "run", encoder="auto", motion="none", flip=True)
    spec = load_model(run.folder).header.spec
    assert (spec.height, spec.width, spec.frames, spec.head.size) == (24, 32, 4, 8)
    assert not spec.encoder.motion and not spec.head.motion
    assert "mirror" not in notes_of(run)


def test_a_resumed_run_does_not_search_again(class_folders: Path, tmp_path: Path, random_weights: None) -> None:
    settings = {"encoder": "small", "search": True}
    train_tiny(class_folders, tmp_path / "run", stop_after=1, **settings)
    again = train_tiny(class_folders, tmp_path / "run", request={"resume": True}, **settings)
    whole = train_tiny(class_folders, tmp_path / "whole", **settings)
    assert "searching" not in notes_of(again) and "searching" in notes_of(whole)
    one, other = (load_model(run.folder).network.state_dict() for run in (again, whole))
    assert all(one[name].equal(other[name]) for name in one), "the same seed gives the same choice and weights"
    assert report_of(whole).numbers["tried"] == load_model(again.folder).header.scores["search"]


def test_a_search_behind_a_named_encoder_tries_no_other(class_folders: Path, tmp_path: Path) -> None:
    run = train_tiny(class_folders, tmp_path / "run", encoder="small", search=True)
    assert {one["name"].split()[0] for one in report_of(run).numbers["tried"]} == {"small"}
    assert load_model(run.folder).header.spec.encoder.motion == ("difference",)


def test_a_named_encoder_switches_the_search_off(tiny_run: Any) -> None:
    spec = load_model(tiny_run.folder).header.spec
    assert not spec.encoder.motion and spec.members == 1
    assert "searching" not in notes_of(tiny_run)
    assert "mirrored" in notes_of(tiny_run), "mirror images are decided by evidence all the same"


def test_without_weights_for_the_known_encoder_the_others_are_tried_and_it_is_said(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(encoder: Any, name: str, origin: str) -> None:
        if origin == "imagenet":
            raise WeightsError("mobilenet_v2: no weights here.")

    monkeypatch.setattr("vidrnn.train.learner.give_weights", offline)
    run = train_tiny(class_folders, tmp_path / "run", encoder="auto")
    assert load_model(run.folder).header.spec.encoder.name in ("tiny", "small")
    assert "no weights here. Going on without mobilenet_v2." in notes_of(run)


@pytest.mark.parametrize("settings", [{"weights": "imagenet"}, {"fine_tune": True}])
def test_settings_of_an_unnamed_encoder_are_refused(
    class_folders: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="Name the encoder"):
        train_tiny(class_folders, tmp_path / "run", encoder="auto", **settings)
    assert not (tmp_path / "run").exists()


def test_a_linear_head_behind_a_frozen_encoder_is_fitted_without_steps(
    class_folders: Path, tmp_path: Path, random_weights: None
) -> None:
    settings: dict[str, Any] = {"encoder": "mobilenet_v2", "head": {"name": "linear"}, "motion": "difference"}
    one, other = (train_tiny(class_folders, tmp_path / name, **settings) for name in ("one", "other"))
    header = load_model(one.folder).header
    assert (header.spec.head.name, header.spec.readout, header.facts["epochs"]) == ("linear", "statistics", 1)
    first, second = (load_model(run.folder).network.state_dict() for run in (one, other))
    assert all(first[name].equal(second[name]) for name in first)
    again = train_tiny(class_folders, tmp_path / "one", request={"resume": True}, **settings)
    assert load_model(again.folder).header.scores["accuracy"] == header.scores["accuracy"]


def test_folds_of_groups_hold_every_film_out_once_and_no_group_twice() -> None:
    films = [LabelledFilm(Path(f"{i}.avi"), "ab"[i % 2]) for i in range(40)]
    groups = [f"g{i // 8}" for i in range(40)]
    folds = hold_out_groups(films, groups, 3)
    assert (np.sum(folds, 0) == 1).all()
    for held in folds:
        assert not {groups[i] for i in np.flatnonzero(held)} & {groups[i] for i in np.flatnonzero(~held)}
    assert len(hold_out_groups(films, groups, 10)) == 5
    assert len(hold_out_groups(films, ["one"] * 40, 3)) == 3


def test_windows_hold_whole_clips_in_few_steps() -> None:
    words = Clips(Size(96, 128), 0.04, 3.0).whole_windows()
    assert (words.frames, words.spacing_seconds) == (38, 0.08)
    short = Clips(Size(112, 128), 1 / 15, 1.2).whole_windows()
    assert short.frames == 18 and short.spacing_seconds == pytest.approx(1 / 15, abs=1e-5)
    still = Clips(Size(112, 128), 1.0, 1.0).whole_windows()
    assert still.frames == 2


def test_a_setting_of_the_head_that_was_given_stays_beside_open_ones() -> None:
    config = RunConfig(encoder="auto", head=HeadConfig(name="lstm"))
    tiny, other, _ = learnt_candidates(
        config, Clips(Size(96, 128), 0.04, 3.0), grey=True, shared={"flip": False, "label_holds": "always"}
    )
    assert (tiny.config.head.name, tiny.config.head.dropout, tiny.config.encoder) == ("lstm", 0.1, "tiny")
    assert (other.config.head.name, other.config.augment) == ("lstm", 0.2)
    assert with_settings(config, {"head.name": "gru"}).head.name == "lstm"


def test_pictures_keep_the_films_shape_and_small_ones_are_enlarged_only_for_a_pretrained_encoder() -> None:
    assert picture_size("small", Size(84, 112)) == Size(84, 112)
    assert picture_size("small", Size(60, 80)) == Size(60, 80)
    small = picture_size("small", Size(1080, 1920))
    assert small.width / small.height == pytest.approx(16 / 9, rel=0.03)
    assert small.width * small.height <= 112 * 84 * 1.02
    assert picture_size("mobilenet_v2", Size(160, 214)) == Size(160, 214)
    assert picture_size("mobilenet_v2", Size(96, 128)).width > 128
    assert choice_of(RunConfig(encoder="small"), Size(84, 112)).size == Size(84, 112)


def test_a_run_does_not_go_on_with_other_films_than_it_began_with(class_folders: Path, tmp_path: Path) -> None:
    data = tmp_path / "films"
    shutil.copytree(class_folders, data)
    train_tiny(data, tmp_path / "run", stop_after=1)
    sorted(data.rglob("*.*"))[0].unlink()
    with pytest.raises(RunError, match="not as they were"):
        train_tiny(data, tmp_path / "run", request={"resume": True})
    assert RunConfig.read(tmp_path / "run" / "config.toml").encoder == "small"


@pytest.mark.parametrize(
    ("accuracies", "best_known", "repeated"),
    [
        ((0.43, 0.55), 0.30, (0, 1)),  # both learn: a short training does not tell which is the better one
        ((0.26, 0.63), 0.55, ()),  # one does not learn, and the other one is ahead of all
        ((0.26, 0.56), 0.55, (1,)),  # not clearly ahead
        ((0.40, 0.45), 0.95, ()),  # out of reach
    ],
)
def test_a_short_training_is_repeated_at_full_length_where_it_does_not_tell_enough(
    accuracies: tuple[float, ...], best_known: float, repeated: tuple[int, ...]
) -> None:
    short = [
        Tried(Candidate(str(k), 2, RunConfig()), np.arange(100) < 100 * a, [], "") for k, a in enumerate(accuracies)
    ]
    search = SimpleNamespace(labels=np.arange(100) % 4, tried=["a linear probe"])
    worth = _Search._worth_more(search, short, best_known)  # type: ignore[arg-type]
    assert tuple(int(one.candidate.name) for one in worth) == repeated
