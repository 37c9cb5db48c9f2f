"""From films to a model folder: the files of a run, films that are left out, and runs that repeat each other."""

from __future__ import annotations

import csv
import json
import re
import shutil
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TinyRun, followed, make_film, train_tiny
from safetensors.torch import save_file

import vidrnn
from vidrnn.config import RunConfig
from vidrnn.data.dataset import read_dataset
from vidrnn.data.films import content_hash
from vidrnn.data.listing.labelled import read_labelled
from vidrnn.data.scan import scan_film
from vidrnn.data.splits import split_films
from vidrnn.errors import DataError, RunError, UsageError
from vidrnn.evaluate.evaluator import evaluate
from vidrnn.events import Done, EpochDone, LeftOut, Note, Progress
from vidrnn.model.checkpoint import find_weights, load_model, load_training, read_header
from vidrnn.predict.predictor import Predictor, open_model
from vidrnn.tables import Report
from vidrnn.train.trainer import films_hash
from vidrnn.values import MotionName, Part, Size


def header_of(run: TinyRun) -> Any:
    return read_header(find_weights(run.folder))


def epochs_of(run: TinyRun) -> list[EpochDone]:
    return [event for event in run.events if isinstance(event, EpochDone) and event.training == "model"]


def controls_of(run: TinyRun) -> list[Report]:
    return [event for event in run.events if isinstance(event, Report) and "order_points" in event.numbers]


def notes_of(run: TinyRun) -> str:
    return "\n".join(event.text for event in run.events if isinstance(event, Note))


@pytest.fixture
def films(class_folders: Path, tmp_path: Path) -> Path:
    """A copy of the films that a test may spoil."""
    return shutil.copytree(class_folders, tmp_path / "films")


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a resnet18 that has learnt nothing, as torchvision would save them."""
    from torchvision.models import resnet18

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "resnet.safetensors"
    save_file(resnet18().state_dict(), path)
    return path


# --- what a run leaves -----------------------------------------------------------------------------------------------


def test_a_run_leaves_its_settings_its_events_a_checkpoint_and_a_model(tiny_run: TinyRun) -> None:
    assert {"config.toml", "metrics.jsonl", "checkpoint", "model"} <= {one.name for one in tiny_run.folder.iterdir()}
    assert {one.name for one in tiny_run.model.iterdir()} == {"model.safetensors", "README.md"}
    assert not [one for one in tiny_run.folder.rglob("*") if one.name.endswith(".part")]


def test_a_training_ends_with_a_portable_file_which_its_card_names(class_folders: Path, tmp_path: Path) -> None:
    run = train_tiny(class_folders, tmp_path / "run", epochs=1, head={"size": 4}, request={"portable": True})
    assert {one.name for one in run.model.iterdir()} == {"model.safetensors", "model.onnx", "README.md"}
    (sentence,) = re.findall(r"^model\.onnx: (.*)$", notes_of(run), re.MULTILINE)
    assert f"- `model.onnx`: {sentence}" in (run.model / "README.md").read_text(encoding="utf-8")
    opened, remark = open_model(run.folder)
    assert (opened.name, opened.header, remark) == ("onnx", header_of(run), "")


def test_the_last_event_names_the_model_and_its_scores(tiny_run: TinyRun) -> None:
    done = tiny_run.events[-1]
    assert isinstance(done, Done)
    assert (done.model, done.stopped) == (tiny_run.model, False)
    header = header_of(tiny_run)
    assert header.summary == done.sentences
    assert done.sentences[0].startswith(f"test: accuracy {header.scores['accuracy']:.3f}")
    assert f"macro-F1 {header.scores['macro_f1']:.3f}" in done.sentences[0]


def test_the_settings_can_be_read_back_with_the_place_of_the_films(tiny_run: TinyRun) -> None:
    config = RunConfig.read(tiny_run.folder / "config.toml")
    assert config.data == str(tiny_run.data.resolve())
    assert (config.encoder, config.size, config.frames, config.epochs) == ("small", Size(24, 32), 4, 2)


def test_every_event_but_progress_is_a_line_of_metrics(tiny_run: TinyRun) -> None:
    lines = [json.loads(line) for line in (tiny_run.folder / "metrics.jsonl").read_text().splitlines()]
    events = [type(event).__name__ for event in tiny_run.events if not isinstance(event, Progress)]
    assert [line["event"] for line in lines] == events
    assert Counter(events)["EpochDone"] == 2
    assert (events[-2], events[-1]) == ("Report", "Done")
    assert lines[-2]["controls"][-1]["name"] == "this model"


def test_the_header_knows_every_clip_by_content_with_its_part(tiny_run: TinyRun) -> None:
    seen = header_of(tiny_run).seen
    films = sorted(tiny_run.data.rglob("*.avi"))
    assert seen.keys() == {content_hash(film) for film in films}
    assert set(seen.values()) == set(Part)
    sides: dict[str, set[Part]] = {}
    for film in films:
        sides.setdefault(film.stem.split("_")[1], set()).add(seen[content_hash(film)])
    assert all(len(parts) == 1 for parts in sides.values()), "no group on two sides"


def test_the_header_and_the_card_hold_the_model_and_its_scores(tiny_run: TinyRun) -> None:
    header = header_of(tiny_run)
    assert header.answer.classes == ("fall", "rise")
    assert (header.spec.size, header.spec.frames, header.spec.encoder.name) == (Size(24, 32), 4, "small")
    assert header.scores["controls"][-1]["name"] == "this model"
    card = (tiny_run.model / "README.md").read_text()
    assert f"Accuracy {header.scores['accuracy']:.3f}" in card and "| frames shuffled |" in card
    assert "vidrnn train" in card


def test_nothing_in_a_model_names_a_place_on_the_machine_that_made_it(tiny_run: TinyRun, tmp_path: Path) -> None:
    for file in tiny_run.model.iterdir():
        content = file.read_bytes()
        for place in (tiny_run.data, tiny_run.folder, tiny_run.cache, Path.home(), tmp_path.parent):
            assert str(place).encode() not in content, f"{file.name} names {place}"


def test_the_default_spacing_lets_a_window_cover_the_median_training_clip(tiny_run: TinyRun) -> None:
    header = header_of(tiny_run)
    lengths = [
        scan_film(film).facts.duration_seconds
        for film in tiny_run.data.rglob("*.avi")
        if header.seen[content_hash(film)] is Part.TRAIN
    ]
    assert header.spec.spacing_seconds == pytest.approx(np.median(lengths) / 4, abs=0.001)


def test_terms_are_written_on_the_card(class_folders: Path, tmp_path: Path) -> None:
    run = train_tiny(class_folders, tmp_path / "run", epochs=1, request={"terms": "For research only."})
    assert "For research only." in (run.model / "README.md").read_text()


# --- the same again --------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_weights_and_another_gives_others(
    class_folders: Path, tiny_run: TinyRun, tmp_path: Path
) -> None:
    assert train_tiny(class_folders, tmp_path / "again").weights == tiny_run.weights
    assert train_tiny(class_folders, tmp_path / "other", seed=1).weights != tiny_run.weights


def test_a_stopped_training_leaves_a_model_and_resumed_ends_as_an_unbroken_one(
    class_folders: Path, tiny_run: TinyRun, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    stopped = train_tiny(class_folders, folder, stop_after=1)
    assert [epoch.number for epoch in epochs_of(stopped)] == [1]
    done = stopped.events[-1]
    assert isinstance(done, Done)
    assert done.stopped
    assert load_model(folder).header.answer.classes == ("fall", "rise"), "the model of the epoch that ended"
    assert not controls_of(stopped)
    resumed = train_tiny(class_folders, folder, request={"resume": True})
    assert [epoch.number for epoch in epochs_of(resumed)] == [2]
    assert resumed.weights == tiny_run.weights
    assert controls_of(resumed)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["number"] for line in lines if line["event"] == "EpochDone"] == [1, 2]


@pytest.mark.parametrize("members", [1, 3])
def test_a_linear_classifier_of_statistics_or_several_of_them_go_from_films_to_a_portable_file(
    class_folders: Path, tmp_path: Path, members: int
) -> None:
    head = {"head": {"name": "linear"}, "members": members, "motion": "change"}
    portable = {"portable": True}
    run = train_tiny(class_folders, tmp_path / "run", request=portable, **head)
    spec, numbers = header_of(run).spec, header_of(run).scores
    assert (spec.readout, spec.members) == ("statistics", members)
    assert f"> linear{' x3' * (members > 1)} > statistics" in notes_of(run)
    onnx, torch_model = (open_model(run.folder, runtime)[0] for runtime in ("onnx", "torch"))
    clips = np.random.default_rng(0).integers(0, 256, (2, 9, 24, 32, 3), dtype=np.uint8)
    for name, found in onnx.read(clips)[0].items():
        np.testing.assert_allclose(found, torch_model.read(clips)[0][name], atol=1e-4)
    found, _ = followed(evaluate(Predictor(torch_model), run.model, class_folders))
    assert found.numbers["accuracy"] == pytest.approx(numbers["accuracy"])
    stopped = train_tiny(class_folders, tmp_path / "stopped" / "run", stop_after=1, **head)
    assert stopped.weights != run.weights
    assert train_tiny(class_folders, stopped.folder, request={"resume": True}, **head).weights == run.weights


def test_several_heads_learn_on_the_features_of_a_frozen_encoder(
    class_folders: Path, resnet: Path, tmp_path: Path
) -> None:
    frozen = {"encoder": "resnet18", "weights": str(resnet), "epochs": 1, "members": 2}
    one, other = (train_tiny(class_folders, tmp_path / name, **frozen) for name in ("one", "two"))
    assert one.weights == other.weights
    assert len(controls_of(one)[0].numbers["controls"]) == 7


def test_a_frozen_encoder_is_trained_on_its_features_twice_with_the_same_weights(
    class_folders: Path, resnet: Path, tmp_path: Path
) -> None:
    frozen = {"encoder": "resnet18", "weights": str(resnet), "epochs": 2}
    runs = [train_tiny(class_folders, tmp_path / name, **frozen) for name in ("one", "two")]
    assert runs[0].weights == runs[1].weights
    assert header_of(runs[0]).spec.encoder.frozen
    stored = load_model(runs[0].folder).network.encoder.state_dict()
    from safetensors.torch import load_file

    given = load_file(resnet)
    assert torch.equal(stored["network.conv1.weight"], given["conv1.weight"])
    assert torch.equal(stored["network.bn1.running_mean"], given["bn1.running_mean"]), "a frozen encoder learns nothing"
    stopped = train_tiny(class_folders, tmp_path / "three", stop_after=1, **frozen)
    resumed = train_tiny(class_folders, stopped.folder, request={"resume": True}, **frozen)
    assert resumed.weights == runs[0].weights


def test_a_second_training_with_a_frozen_encoder_decodes_no_film(
    class_folders: Path, resnet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = {"encoder": "resnet18", "weights": str(resnet), "epochs": 1}
    train_tiny(class_folders, tmp_path / "gru", **frozen)
    monkeypatch.setattr("vidrnn.data.cache.open_film", lambda *_, **__: pytest.fail("a video was decoded again"))
    train_tiny(class_folders, tmp_path / "lstm", **frozen | {"head": {"name": "lstm", "size": 8}})


def test_a_weights_file_is_stored_by_its_name_and_not_by_its_folder(
    class_folders: Path, resnet: Path, tmp_path: Path
) -> None:
    run = train_tiny(class_folders, tmp_path / "run", encoder="resnet18", weights=str(resnet), epochs=1)
    for file in run.model.iterdir():
        assert str(resnet.parent).encode() not in file.read_bytes(), file.name
    assert header_of(run).spec.encoder.origin == resnet.name


def test_the_checkpoint_stands_at_the_end_of_the_last_epoch(tiny_run: TinyRun) -> None:
    state = load_training(tiny_run.folder / "checkpoint")
    assert state is not None
    assert state.facts["epoch"] == 2


def test_a_finished_run_that_is_resumed_trains_no_further(
    class_folders: Path, tiny_run: TinyRun, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_run.folder, tmp_path / "run")
    again = train_tiny(class_folders, folder, request={"resume": True, "cache": tiny_run.cache})
    assert not epochs_of(again)
    assert again.weights == tiny_run.weights


# --- where it may be written -----------------------------------------------------------------------------------------


def test_a_run_that_is_there_is_refused_unless_it_may_be_overwritten(class_folders: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train_tiny(class_folders, folder, epochs=1)
    (folder / "mine.txt").write_text("of the old run")
    with pytest.raises(RunError, match=r"exists already.*--out.*--resume.*--overwrite"):
        train_tiny(class_folders, folder, epochs=1)
    assert (folder / "mine.txt").exists()
    train_tiny(class_folders, folder, epochs=1, request={"overwrite": True})
    assert (folder / "mine.txt").read_text() == "of the old run", "vidrnn did not write it"
    assert (folder / "model" / "model.safetensors").exists()
    assert not (folder / ".training").exists()


def test_a_folder_that_is_no_run_is_never_overwritten(class_folders: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "dear.jpg").write_bytes(b"irreplaceable")
    with pytest.raises(RunError, match="not a run"):
        train_tiny(class_folders, photos, request={"overwrite": True})
    assert (photos / "dear.jpg").read_bytes() == b"irreplaceable"


def test_a_file_in_the_place_of_the_run_is_refused(class_folders: Path, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(RunError, match=r"exists already"):
        train_tiny(class_folders, tmp_path / "run")
    with pytest.raises(RunError, match=r"nothing can be written"):
        train_tiny(class_folders, tmp_path / "run" / "inside")
    assert (tmp_path / "run").read_text() == "in the way"


def test_an_empty_folder_is_as_good_as_none(class_folders: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert isinstance(train_tiny(class_folders, tmp_path / "run", epochs=1).events[-1], Done)


# --- films that are not as they should be ----------------------------------------------------------------------------


def test_a_film_that_cannot_be_read_is_listed_and_left_out(films: Path, tmp_path: Path) -> None:
    bad = films / "rise" / "rise_g01_c09.avi"
    bad.write_bytes(b"\0" * 400)
    run = train_tiny(films, tmp_path / "run", epochs=1)
    (left_out,) = [event for event in run.events if isinstance(event, LeftOut)]
    assert [failure.path for failure in left_out.failures] == [bad]
    with (run.folder / "left_out.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["path"] == str(bad)
    assert row["reason"]
    assert len(header_of(run).seen) == 12


def test_a_class_of_which_no_film_can_be_read_is_named(films: Path, tmp_path: Path) -> None:
    for film in (films / "rise").iterdir():
        film.write_bytes(b"")
    with pytest.raises(DataError, match=r"no video of the class rise can be read"):
        train_tiny(films, tmp_path / "run")


def test_films_none_of_which_can_be_read_are_refused_with_the_first_reason(films: Path, tmp_path: Path) -> None:
    for film in films.rglob("*.avi"):
        film.write_bytes(b"")
    with pytest.raises(DataError, match=r"none of its 12 videos can be read; the first: .*empty"):
        train_tiny(films, tmp_path / "run")


def test_a_refused_training_does_not_stand_in_the_way_of_the_next(films: Path, tmp_path: Path) -> None:
    moved = films.rename(tmp_path / "later")
    with pytest.raises(DataError, match="no such folder"):
        train_tiny(films, tmp_path / "run")
    moved.rename(films)
    assert isinstance(train_tiny(films, tmp_path / "run", epochs=1).events[-1], Done)


def test_a_film_that_vanishes_during_training_is_an_error_with_its_path(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidrnn.train.lessons import base as module

    read_dataset = module.read_dataset

    def vanishing(*arguments: Any, **settings: Any) -> Any:
        dataset = yield from read_dataset(*arguments, **settings)
        dataset.films[0].path.unlink()
        return dataset

    monkeypatch.setattr(module, "read_dataset", vanishing)
    with pytest.raises(DataError, match=r"could be read before, and not now: no such file"):
        train_tiny(films, tmp_path / "run")


def test_other_labels_of_frames_are_other_films(class_folders: Path) -> None:
    dataset, _ = followed(read_dataset(read_labelled(class_folders), class_folders, None, jobs=2))
    split = split_films(dataset.films, dataset.grouping, test=False, seed=0)
    with_frames = [
        replace(dataset, films=tuple(replace(film, frames=(name, "rise")) for film in dataset.films))
        for name in ("fall", "rise")
    ]
    assert len({films_hash(one, split) for one in (dataset, *with_frames)}) == 3


# --- parts -----------------------------------------------------------------------------------------------------------


def test_without_a_test_part_scores_are_of_validation(class_folders: Path, tmp_path: Path) -> None:
    run = train_tiny(class_folders, tmp_path / "run", epochs=1, test=False)
    done = run.events[-1]
    assert isinstance(done, Done)
    assert done.sentences[0].startswith("val: accuracy ") and header_of(run).scores["part"] == "val"
    (controls,) = controls_of(run)
    assert all(row["test"] is None for row in controls.numbers["controls"])
    assert controls.tables[0].columns == ("accuracy", "val", "95 % interval")
    assert Part.TEST not in header_of(run).seen.values()
    assert "test" not in (run.model / "README.md").read_text().split("## Scores")[1].split("##")[0]


def test_folds_score_every_clip_once_and_then_train_on_all(class_folders: Path, tmp_path: Path) -> None:
    run = train_tiny(class_folders, tmp_path / "run", epochs=1, folds=3)
    assert "fold 3 of 3" in notes_of(run)
    (controls,) = controls_of(run)
    scores = {row["name"]: row["test"] for row in controls.numbers["controls"]}
    assert all(score * 12 == pytest.approx(round(score * 12)) for score in scores.values())
    assert scores["majority class"] == 0.5, "each of the 12 clips was in a test part once"
    stored = header_of(run).scores
    assert (stored["part"], stored["folds"], stored["accuracy"]) == ("folds", 3, scores["this model"])
    assert stored["interval"] == controls.numbers["controls"][-1]["interval"]
    low, high = stored["interval"]
    assert low <= stored["accuracy"] <= high
    assert "macro_f1" not in stored and stored["val"]["clips"] < 12, "scores of one part do not pass for those of folds"
    assert set(header_of(run).seen.values()) == {Part.TRAIN, Part.VAL}
    first = f"3 folds: accuracy {stored['accuracy']:.3f} ({low:.2f} to {high:.2f}), 12 clips."
    done = run.events[-1]
    assert isinstance(done, Done) and first in done.sentences
    assert header_of(run).summary[0] == first, "a person reads the score of all clips, not that of a small part"


def test_a_split_that_a_manifest_gives_is_obeyed(class_folders: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "films.csv"
    sides = {"c01": "train", "c02": "val"}
    films = sorted(class_folders.rglob("*.avi"))
    with manifest.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["split", "label", "path"])
        for film in films:
            side = "test" if "g03" in film.stem else sides[film.stem[-3:]]
            rows.writerow([side, film.parent.name, film])
    run = train_tiny(manifest, tmp_path / "run", epochs=1)
    seen = header_of(run).seen
    for film in films:
        side = "test" if "g03" in film.stem else sides[film.stem[-3:]]
        assert seen[content_hash(film)] == side
    assert "on two sides of the given split" in notes_of(run), "g01 and g02 are in two parts, and a note says so"


# --- how long, and of what ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_minutes_bound_the_whole_training(class_folders: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    run = train_tiny(class_folders, tmp_path / "run", epochs=None, minutes=0.2)
    assert time.monotonic() - started < 2 * 0.2 * 60, "other work may be going on beside it"
    assert len(epochs_of(run)) > 2
    assert epochs_of(run)[0].of is None


def test_a_training_stopped_before_its_first_epoch_leaves_no_model(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from threading import Event

    from vidrnn.train.run import Request
    from vidrnn.train.trainer import train

    stop = Event()
    stop.set()
    config = RunConfig.of({"encoder": "small", "height": 24, "width": 32, "frames": 4}, source="test")
    request = Request(class_folders, config, tmp_path / "run", tmp_path / "cache", 1, "vidrnn train")
    with pytest.raises(KeyboardInterrupt):
        list(train(request, stop))
    assert not (tmp_path / "run" / "model").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"task": "dance"}, "--task dance: there is none of that name"),
        ({"head": {"name": "nosuch"}}, "nosuch"),
        ({"head": {"name": "linear", "size": 8}}, "--units: does not act on --head linear"),
        ({"task": "next-frame", "head": {"name": "linear", "layers": 2}}, "--layers: does not act on --head linear"),
        ({"task": "next-frame", "folds": 3}, "--folds: means nothing for --task next-frame"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_data_are_read(
    tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        train_tiny(tmp_path / "no data", tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def test_a_frozen_encoder_without_weights_is_refused(class_folders: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sees nothing"):
        train_tiny(class_folders, tmp_path / "run", encoder="resnet18", weights="none")


def test_very_short_films_beside_long_ones_are_learnt(tmp_path: Path) -> None:
    for label in ("a", "b"):
        for group in range(3):
            for clip, frames in enumerate((1, 2, 30)):
                path = tmp_path / "films" / label / f"{label}_g{group}_c{clip}.avi"
                shade = 40 + 70 * group + 9 * clip + (90 if label == "b" else 0)
                make_film(
                    path,
                    frames=frames,
                    fps=10.0,
                    paint=lambda i, size, shade=shade: np.full(
                        (size.height, size.width, 3), (shade + 3 * i) % 256, np.uint8
                    ),
                )
    run = train_tiny(tmp_path / "films", tmp_path / "run", epochs=1)
    assert isinstance(run.events[-1], Done)


@pytest.mark.parametrize(
    ("encoder", "motion"),
    [
        ("tiny", ("difference",)),
        ("tiny", ("change",)),
        ("resnet18", ("change",)),
        ("resnet18", ("change", "difference", "flow")),
        ("resnet18 fine-tuned", ("difference", "flow")),
    ],
)
def test_a_model_that_sees_motion_scores_in_evaluate_what_it_scored_in_training(
    class_folders: Path, resnet: Path, tmp_path: Path, encoder: str, motion: tuple[MotionName, ...]
) -> None:
    name, _, fine_tuned = encoder.partition(" ")
    how = {"grey": True} if name == "tiny" else {"weights": str(resnet), "fine_tune": bool(fine_tuned)}
    run = train_tiny(
        class_folders,
        tmp_path / "run",
        encoder=name,
        motion=motion,
        motion_seconds=0.15,
        epochs=1,
        label_holds="somewhere",
        **how,
    )
    predictor = vidrnn.load(run.folder)
    spec = predictor.model.header.spec
    assert spec.head.motion == ("change" in motion)
    assert spec.encoder.motion == tuple(one for one in motion if one != "change")
    assert predictor.model.handling.motion_seconds == (0.15 if spec.encoder.motion else None)
    assert spec.encoder.grey == (name == "tiny")
    evaluation, _ = followed(evaluate(predictor, run.folder, class_folders, "test"))
    trained = predictor.model.header.scores
    assert evaluation.numbers["accuracy"] == pytest.approx(trained["accuracy"])
    assert evaluation.numbers["ece"] == pytest.approx(trained["ece"], abs=1e-4)


@pytest.mark.parametrize(
    ("encoder", "words"),
    [
        ("small", r"--motion change,flow: the encoder small sees no flow\."),
        ("auto", r"the encoder small, which --encoder auto tries, sees no flow\. .*--encoder mobilenet_v2"),
    ],
)
def test_flow_is_refused_before_any_film_is_read_where_the_encoder_cannot_see_it(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: str, words: str
) -> None:
    monkeypatch.setattr("vidrnn.data.scan.open_film", lambda *_, **__: pytest.fail("a video was read"))
    with pytest.raises(UsageError, match=words):
        train_tiny(class_folders, tmp_path / "run", encoder=encoder, motion="flow,change")
    assert not (tmp_path / "run").exists()


def test_another_motion_uses_the_features_that_are_there(
    class_folders: Path, resnet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how: dict[str, Any] = {"encoder": "resnet18", "weights": str(resnet), "epochs": 1}
    first = train_tiny(class_folders, tmp_path / "first", motion=("change", "difference"), **how)
    monkeypatch.setattr("vidrnn.data.cache.open_film", lambda *_, **__: pytest.fail("a video was read again"))
    for motion in ((), ("difference",)):
        second = train_tiny(class_folders, tmp_path / f"second{len(motion)}", motion=motion, **how)
        assert second.cache == first.cache


def test_a_film_whose_excerpts_a_given_split_divides_counts_as_learnt_from() -> None:
    from vidrnn.train.trainer import _parts_seen

    parts = [Part.TEST, Part.TRAIN, Part.VAL, Part.TEST, Part.TEST]
    assert _parts_seen(["a", "a", "b", "b", "c"], parts) == {"a": Part.TRAIN, "b": Part.VAL, "c": Part.TEST}
