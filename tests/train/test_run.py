"""The folder of a run: what waits for it, and what was left out on the way."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from model.test_checkpoint import HEAD, make_header
from nets.test_classifier import make_model
from test_atomic import stop_before

from vidrnn.atomic import write_text
from vidrnn.config import RunConfig
from vidrnn.errors import RunError, UsageError
from vidrnn.events import Done, LeftOut, Note, Progress
from vidrnn.model.checkpoint import TrainingState, load_model, load_training, save_model, save_training
from vidrnn.model.header import PIECES
from vidrnn.train.run import MARK_NAME, Request, Run, find_data, is_run, settings_file
from vidrnn.values import FilmFailure


def request_for(folder: Path, **how: Any) -> Request:
    return Request(folder / "films", RunConfig(), folder / "run", folder / "cache", 1, "vidrnn train videos", **how)


def test_records_wait_until_the_folder_is_made_and_progress_is_not_kept(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    run.log(Note("before"))
    run.log(Progress("reading", 1, 2))
    assert not run.folder.exists()
    run.open(request_for(tmp_path))
    run.log(Note("after"))
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines] == ["before", "after"]


def test_a_line_that_a_full_disk_cut_short_costs_no_other_line(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    run.open(request_for(tmp_path))
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write('{"event": "No')
    run.log(Note("first"))
    run.log(Note("second"))
    lines = (run.folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines[1:]] == ["first", "second"]


def test_what_a_kill_left_of_a_piece_is_removed_with_the_training(tmp_path: Path) -> None:
    train_in_short(tmp_path, 1)
    write_text(tmp_path / "run/.training/checkpoint/pieces" / f".part-{7:032x}.safetensors", "half")
    train_in_short(tmp_path, 2, overwrite=True)
    assert not (tmp_path / "run/.training").exists()


def test_all_films_that_were_left_out_are_listed_whenever_they_were_found(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    run.log(LeftOut((FilmFailure(tmp_path / "bad.mkv", "is damaged"),)))
    run.open(request_for(tmp_path))
    run.log(LeftOut((FilmFailure(tmp_path / "short.mkv", "6 frames, and 7 are needed"),)))
    with (run.folder / "left_out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["path"]).name for row in rows] == ["bad.mkv", "short.mkv"]


def test_a_run_that_is_taken_up_again_keeps_its_settings(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    run.open(request_for(tmp_path))
    (run.folder / "config.toml").write_text("seed = 7\n")
    Run(tmp_path / "run").open(request_for(tmp_path, resume=True))
    assert (run.folder / "config.toml").read_text() == "seed = 7\n"


def test_a_folder_that_is_no_run_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious.txt").write_text("mine")
    with pytest.raises(RunError, match="exists already"):
        Run(tmp_path / "run").claim(request_for(tmp_path))
    with pytest.raises(RunError, match="is not a run of vidrnn"):
        Run(tmp_path / "run").claim(request_for(tmp_path, overwrite=True))
    assert (tmp_path / "run" / "precious.txt").read_text() == "mine"


# --- what a run must not touch ---------------------------------------------------------------------------------------


def test_a_readable_settings_file_does_not_make_a_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    RunConfig().write(tmp_path / "run" / "config.toml")
    with pytest.raises(RunError, match="is not a run of vidrnn"):
        Run(tmp_path / "run").claim(request_for(tmp_path, overwrite=True))
    for text in ("", "[]", "{}", '{"name": "mine"}'):
        (tmp_path / "run" / MARK_NAME).write_text(text)
        assert not is_run(tmp_path / "run")


@pytest.mark.parametrize("mark", [False, True])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_in_use_is_refused_as_the_place_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: bool, overwrite: bool
) -> None:
    films, elsewhere, home = tmp_path / "work" / "clips", tmp_path / "elsewhere", tmp_path / "home"
    for folder in (films, elsewhere, home / "runs"):
        folder.mkdir(parents=True)
    (films / "film.avi").write_bytes(b"irreplaceable")
    RunConfig().write(tmp_path / "settings" / "config.toml")
    request = replace(request_for(tmp_path, overwrite=overwrite), data=films)
    request = replace(request, settings_file=tmp_path / "settings" / "config.toml")
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    (tmp_path / "link").symlink_to(films.parent)
    places = {
        films: "is the training data",
        films.parent: "holds the training data",
        tmp_path / "link": "holds the training data",
        Path("../work"): "holds the training data",
        tmp_path / "settings": "holds the file of --config",
        Path(): "is the current folder",
        home: "is the home folder",
        Path("/"): "is the root",
    }
    for place, reason in places.items():
        if mark and place != Path("/"):
            write_text(place / MARK_NAME, '{"vidrnn_run": 1}')
        with pytest.raises(UsageError, match=f"{reason}.*Name.*--out runs/first"):
            Run(place).claim(replace(request, out=place))
    assert (films / "film.avi").read_bytes() == b"irreplaceable"
    Run(Path("runs/first")).claim(request)


def test_what_is_refused_as_a_new_place_can_be_resumed_from_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Run(tmp_path / "run").open(request_for(tmp_path))
    monkeypatch.chdir(tmp_path / "run")
    Run(Path()).claim(replace(request_for(tmp_path, resume=True), out=Path()))


# --- overwriting -----------------------------------------------------------------------------------------------------


def train_in_short(folder: Path, seed: int, **how: bool) -> None:
    """All that a training writes, in its order; the seed can be read from each file."""
    config = RunConfig.read(settings_file(folder / "run")) if how.get("resume") else RunConfig(seed=seed)
    request = replace(request_for(folder, **how), config=config)
    seed = config.seed
    run = Run(folder / "run")
    run.log(Note(f"seed {seed}"))
    run.claim(request)
    try:
        write_run(run, request, seed)
    finally:
        run.release()  # as the system does after a kill


def write_run(run: Run, request: Request, seed: int) -> None:
    run.open(request)
    if seed == 1 and not request.resume:
        run.log(LeftOut((FilmFailure(Path("bad.mkv"), "is damaged"),)))
    state = load_training(run.checkpoint)
    assert state is None or state.facts["seed"] == seed, "it is that of the settings"
    if state is None:
        save_training(run.checkpoint, TrainingState({}, {"seed": seed}))
    save_training(run.checkpoint / PIECES, TrainingState({}, {"seed": seed}), f"{seed:032x}.safetensors")
    header = make_header(HEAD).model_copy(update={"seed": seed})
    save_model(run.model, make_model(HEAD), header, f"seed {seed}")
    write_text(run.model / "model.onnx", str(seed))
    run.log(Done(run.model, ("Accuracy 0.5.",), 1.0, False))


def seed_of_model(run: Path) -> int:
    """That of the model, which can be read and beside which nothing is of another one."""
    seed = load_model(run).header.seed
    portable = run / "model" / "model.onnx"
    assert not portable.exists() or portable.read_text() == str(seed)
    return seed


def files_of(run: Path) -> dict[str, str]:
    files = (file for file in run.rglob("*") if file.is_file() and file.suffix not in {".safetensors", ".jsonl"})
    return {file.relative_to(run).as_posix(): file.read_text() for file in files}


MINE = ("mine.txt", "clips/film.avi", "model/notes.md", "checkpoint/mine", ".training/mine")


def test_overwriting_a_run_replaces_its_files_and_leaves_all_others(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_in_short(tmp_path, 1)
    assert "left_out.csv" in files_of(run) and seed_of_model(run) == 1
    for name in MINE:
        write_text(run / name, "mine")
    train_in_short(tmp_path, 2, overwrite=True)
    found = files_of(run)
    assert {name for name, text in found.items() if text == "mine"} == set(MINE)
    own = {"run.json", "config.toml", "model/README.md", "model/model.onnx"}
    assert set(found) - set(MINE) == own, "what was left out of the old training is no longer told"
    assert RunConfig.read(run / "config.toml").seed == seed_of_model(run) == 2
    state = load_training(run / "checkpoint")
    assert state is not None and state.facts == {"seed": 2}
    assert "seed 1" not in (run / "metrics.jsonl").read_text()


@pytest.mark.parametrize("then", ["resume", "overwrite"])
def test_whenever_overwriting_is_stopped_there_is_a_model_and_the_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    seeds = set()
    for number in range(1, 200):
        folder = tmp_path / str(number)
        train_in_short(folder, 1)
        write_text(folder / "run" / "mine.txt", "mine")
        with monkeypatch.context() as patch:
            stop_before(number, patch)
            try:
                train_in_short(folder, 2, overwrite=True)
                ended = True
            except KeyboardInterrupt:
                ended = False
        before = seed_of_model(folder / "run")
        if ended:
            assert before == 2 and number > 20, "there were moments to be stopped at"
            assert seeds == {1, 2}, "stopped before the exchange and after it"
            return
        seeds.add(before)
        began = (folder / "run/.training/config.toml").exists() or before == 2
        train_in_short(folder, 3, **{then: True})
        after = seed_of_model(folder / "run")
        assert after == (3 if then == "overwrite" else 2 if began else 1)
        assert not (folder / "run/.training").exists()
        assert RunConfig.read(folder / "run/config.toml").seed == after
        state = load_training(folder / "run/checkpoint")
        assert state is not None and state.facts == {"seed": after}
        assert [file.name for file in (folder / "run/checkpoint/pieces").iterdir()] == [f"{after:032x}.safetensors"]
        assert (folder / "run/left_out.csv").exists() == (after == 1)
        assert (folder / "run/mine.txt").read_text() == "mine"
        assert not [name for name in files_of(folder) if ".part-" in name]
    raise AssertionError("it never came to an end")


# --- two trainings, and a run that was moved -------------------------------------------------------------------------


def test_a_training_in_a_folder_that_another_one_writes_to_is_told_or_takes_the_next_name(tmp_path: Path) -> None:
    for how in ({}, {"overwrite": True}, {"resume": True}):
        first, second = Run(tmp_path / "run"), Run(tmp_path / "run")
        first.claim(request_for(tmp_path, **how))
        with pytest.raises(RunError, match="another training is writing to it now") as caught:
            second.claim(request_for(tmp_path, **how))
        assert ("--out" in str(caught.value)) is ("resume" not in how), "--resume takes no --out"
        third = Run(tmp_path / "run")
        third.claim(request_for(tmp_path, numbered=True))
        assert third.folder == tmp_path / "run-2"
        third.release()
        first.open(request_for(tmp_path))
        first.release()
    second.claim(request_for(tmp_path, resume=True))
    second.release()
    assert not list(tmp_path.rglob(".lock"))


def test_the_films_of_a_moved_run_are_found_beside_it_or_a_sentence_asks_for_them(tmp_path: Path) -> None:
    project = tmp_path / "a"
    (project / "films").mkdir(parents=True)
    Run(project / "run").open(request_for(project))
    stored = str(project / "films")
    assert find_data(project / "run", stored) == project / "films"
    moved = project.rename(tmp_path / "b")
    assert find_data(moved / "run", stored) == moved / "films"
    (moved / "films").rmdir()
    with pytest.raises(UsageError, match=r"a/films, which is not there any more.*vidrnn train DATA --resume .*run"):
        find_data(moved / "run", stored)


def test_how_to_go_on_is_said_once_there_is_something_to_go_on_with(tmp_path: Path) -> None:
    run = Run(tmp_path / "my run")
    request = replace(request_for(tmp_path), out=run.folder)
    run.claim(request)
    assert run.resumable == ""
    run.open(request)
    assert run.resumable == f"Go on with it: vidrnn train --resume '{run.folder}'"


def test_a_training_that_has_written_nothing_cannot_go_on(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no training to go on with.*Start it anew"):
        settings_file(tmp_path)
