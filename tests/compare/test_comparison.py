"""Comparisons of heads: the same films and steps for all, saved trainings, and resumption."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch
from conftest import make_acts, train_tiny

from vidrnn.claims import claim_folder
from vidrnn.compare.comparison import CompareRequest, compare, parse_head, stream_microseconds
from vidrnn.compare.statistics import Comparison
from vidrnn.config import HeadConfig, RunConfig
from vidrnn.errors import RunError, UsageError
from vidrnn.events import Note, Progress, RunEvent
from vidrnn.nets.classifier import build_sequence
from vidrnn.nets.heads import HEADS
from vidrnn.runtimes.torch import TorchRuntime


def request_of(
    data: Path, out: Path, heads: Sequence[str] = ("none", "gru"), seeds: int = 1, **how: Any
) -> CompareRequest:
    tiny = {"encoder": "small", "height": 24, "width": 32, "frames": 4, "epochs": 2, "head": {"size": 8}}
    request = {key: how.pop(key) for key in ("resume",) if key in how}
    config = RunConfig.of(tiny | how, source="test")
    return CompareRequest(data, config, tuple(heads), seeds, out, out.parent / "cache", jobs=2, **request)


def run(request: CompareRequest, stop_at: str | None = None) -> tuple[Comparison, list[RunEvent]]:
    """Run to the end, or to the stage `stop_at`."""
    stop, events = Event(), list[RunEvent]()
    journey = compare(request, stop)
    while True:
        try:
            events.append(next(journey))
        except StopIteration as end:
            return end.value, events
        if isinstance(events[-1], Progress) and events[-1].stage == stop_at:
            stop.set()


def without_times(comparison: Comparison) -> dict[str, Any]:
    plain = comparison.as_json()
    for row in plain["rows"]:
        del row["training_seconds"], row["stream_microseconds"]
    return plain


@pytest.fixture(scope="module")
def whole(class_folders: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[CompareRequest, Comparison]:
    """A comparison of two heads with two seeds."""
    request = request_of(class_folders, tmp_path_factory.mktemp("compare") / "out", seeds=2)
    return request, run(request)[0]


def test_every_head_takes_the_same_steps_and_is_reported(whole: tuple[CompareRequest, Comparison]) -> None:
    request, comparison = whole
    trainings = [json.loads(line) for line in (request.out / "trainings.jsonl").read_text().splitlines()]
    assert [(one["head"], one["seed"], one["epochs"]) for one in trainings] == [
        ("none", 0, 2),
        ("gru", 0, 2),
        ("none", 1, 2),
        ("gru", 1, 2),
    ]
    assert len({len(one["hits"]) for one in trainings}) == 1
    assert [row.head for row in comparison.rows] == ["none", "gru"]
    assert comparison.rows[0].parameters < comparison.rows[1].parameters
    assert comparison.rows[0].after.factor == 0.0 < comparison.rows[1].after.factor
    assert all(row.stream_microseconds for row in comparison.rows)


def test_a_comparison_leaves_its_table_and_plots(whole: tuple[CompareRequest, Comparison]) -> None:
    request, comparison = whole
    assert {file.name for file in request.out.iterdir()} == {
        *("config.toml", "facts.json", "trainings.jsonl", "comparison.json", "comparison.png", "gradients.png"),
        "checkpoint",
    }
    assert json.loads((request.out / "comparison.json").read_text())["best"] == comparison.best


def test_a_head_has_the_same_score_in_a_comparison_and_alone(class_folders: Path, tmp_path: Path) -> None:
    comparison, _ = run(request_of(class_folders, tmp_path / "out", ["gru"]))
    alone = train_tiny(class_folders, tmp_path / "run", patience=99)
    scores = TorchRuntime.open(alone.model).header.scores
    assert comparison.rows[0].accuracy.mean == pytest.approx(scores["accuracy"])
    assert comparison.rows[0].macro_f1.mean == pytest.approx(scores["macro_f1"])


def test_a_resumed_comparison_ends_like_an_unbroken_one(
    whole: tuple[CompareRequest, Comparison], tmp_path: Path
) -> None:
    request = replace(whole[0], out=tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        run(request, stop_at="none, seed 1")
    assert len((request.out / "trainings.jsonl").read_text().splitlines()) == 2
    comparison, events = run(replace(request, resume=True))
    assert {one.stage for one in events if isinstance(one, Progress)} >= {"none, seed 1", "gru, seed 1"}
    assert not {one.stage for one in events if isinstance(one, Progress)} & {"none, seed 0", "gru, seed 0"}
    assert without_times(comparison) == without_times(whole[1])


def test_a_damaged_training_is_done_again_and_damaged_facts_are_a_sentence(
    whole: tuple[CompareRequest, Comparison], tmp_path: Path
) -> None:
    request = replace(whole[0], out=Path(shutil.copytree(whole[0].out, tmp_path / "out")), resume=True)
    lines = (request.out / "trainings.jsonl").read_text().splitlines()
    lines[1] = lines[1].replace('"epochs": 2', '"epochs": 3')
    (request.out / "trainings.jsonl").write_text("\n".join([*lines[:3], lines[3][:40]]))
    comparison, events = run(request)
    assert {one.stage for one in events if isinstance(one, Progress)} >= {"gru, seed 0", "gru, seed 1"}
    assert without_times(comparison) == without_times(whole[1])
    for damage in ("", "[]", (request.out / "facts.json").read_text().replace("seed", "reed")):
        (request.out / "facts.json").write_text(damage)
        with pytest.raises(RunError, match=r"facts\.json: damaged"):
            run(request)


def test_two_comparisons_do_not_share_a_folder(whole: tuple[CompareRequest, Comparison]) -> None:
    claim = claim_folder(whole[0].out)
    assert claim is not None
    with pytest.raises(RunError, match="another comparison is writing to it now"):
        run(replace(whole[0], resume=True))
    claim.release()


def test_a_resumed_comparison_may_have_more_heads(whole: tuple[CompareRequest, Comparison], tmp_path: Path) -> None:
    request = replace(whole[0], out=tmp_path / "out", seeds=1)
    run(request)
    comparison, events = run(replace(request, heads=("none", "gru", "gru-both"), resume=True))
    assert [row.head for row in comparison.rows] == ["none", "gru", "gru-both"]
    assert comparison.rows[2].stream_microseconds is None
    assert {one.stage for one in events if isinstance(one, Progress)} & {"none, seed 0", "gru, seed 0"} == set()


def test_other_films_or_settings_cannot_resume(whole: tuple[CompareRequest, Comparison], class_folders: Path) -> None:
    request = whole[0]
    other = request.config.model_copy(update={"epochs": 3})
    with pytest.raises(RunError, match="differ from those of this command"):
        run(replace(request, config=other, resume=True))


def test_an_existing_folder_is_an_error_and_stays_unchanged(class_folders: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="exists already"):
        run(request_of(class_folders, tmp_path / "out"))
    with pytest.raises(RunError, match="no comparison"):
        run(request_of(class_folders, tmp_path / "out", resume=True))
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"heads": ["gru", "qrnn"]}, "qrnn"),
        ({"folds": 3}, "does not accept folds or minutes"),
        ({"minutes": 1}, "does not accept folds or minutes"),
        ({"task": "next-frame"}, "does not work for --task next-frame"),
    ],
    ids=str,
)
def test_impossible_requests_are_refused_before_films_are_read(
    class_folders: Path, tmp_path: Path, how: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        run(request_of(class_folders, tmp_path / "out", **how))
    assert not (tmp_path / "out").exists()


def test_the_linear_head_takes_its_own_readout_and_none_of_the_settings_of_units(tmp_path: Path) -> None:
    like = HeadConfig(size=8, layers=2, bidirectional=True, dropout=0.25)
    assert parse_head("linear", like) == HeadConfig(name="linear", dropout=0.25)
    with pytest.raises(UsageError, match="--bidirectional: does not act on --head linear"):
        run(request_of(tmp_path / "no data", tmp_path / "out", ["linear-both"]))


def test_several_heads_of_each_kind_can_be_compared(class_folders: Path, tmp_path: Path) -> None:
    comparison, _ = run(request_of(class_folders, tmp_path / "out", ["linear", "gru"], members=2, epochs=1))
    alone, _ = run(request_of(class_folders, tmp_path / "alone", ["gru"], epochs=1))
    assert "> head x2 > statistics or attention," in comparison.model and "> head > attention," in alone.model
    assert comparison.rows[1].parameters > alone.rows[0].parameters
    assert all(row.stream_microseconds for row in comparison.rows)
    again, _ = run(request_of(class_folders, tmp_path / "out", ["linear", "gru"], members=2, epochs=1, resume=True))
    assert without_times(again) == without_times(comparison)


@pytest.mark.parametrize("several", [False, True])
def test_heads_of_labels_at_each_frame_are_compared_by_their_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, several: bool
) -> None:
    monkeypatch.setattr("vidrnn.train.lessons.labels._EPOCH_STEPS", 10)
    data = make_acts(tmp_path / "films", several=several)
    how = {"task": "label", "encoder": "tiny", "frames": 8, "minibatch": 4, "labels": {"unlabelled": "none"}}
    how |= {"epochs": 5} if several else {}
    comparison, events = run(request_of(data, tmp_path / "out", ["none", "gru", "gru-both"], **how))
    assert comparison.measure == ("macro-F1" if several else "frame accuracy") and comparison.unit == "video"
    assert comparison.clips == 1 and "> head > each frame," in comparison.model
    none, gru, both = comparison.rows
    assert all(0.2 < row.accuracy.mean <= 1 and row.accuracy.interval is None for row in comparison.rows)
    assert none.after.factor == 0.0 < gru.after.factor
    assert gru.stream_microseconds and both.stream_microseconds is None
    notes = [event.text for event in events if isinstance(event, Note)]
    assert any(note.startswith(f"gru-both, seed 0: test {comparison.measure} ") for note in notes)


def test_all_heads_that_can_learn_the_task_are_compared_where_none_is_named(tmp_path: Path) -> None:
    how = {"task": "label", "encoder": "tiny", "frames": 8, "epochs": 1, "labels": {"unlabelled": "none"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vidrnn.train.lessons.labels._EPOCH_STEPS", 1)
        comparison, _ = run(request_of(make_acts(tmp_path / "films"), tmp_path / "out", [], **how))
    assert {row.head for row in comparison.rows} == {*HEADS} - {"linear"}
    with pytest.raises(UsageError, match="--head linear: is a classifier of whole clips"):
        run(request_of(tmp_path / "films", tmp_path / "other", ["linear"], **how))


def test_the_end_of_a_name_asks_for_both_directions() -> None:
    like = HeadConfig(size=8, layers=2)
    assert parse_head("gru-both", like) == HeadConfig(name="gru", size=8, layers=2, bidirectional=True)
    assert parse_head("lstm", like) == HeadConfig(name="lstm", size=8, layers=2)


def test_the_cost_of_a_frame_is_measured_on_a_copy() -> None:
    torch.manual_seed(0)
    networks = [
        build_sequence(6, HeadConfig(name=name, size=size), "mean", 2) for name, size in (("gru", 8), ("gru", 1024))
    ]
    small, large = stream_microseconds(networks, 6)
    assert small is not None and large is not None and 0 < small < large
    assert all(network.training for network in networks)
