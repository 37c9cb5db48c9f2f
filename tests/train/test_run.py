"""The folder of a run: what waits for it, and what was left out on the way."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from vidrnn.config import RunConfig
from vidrnn.errors import RunError
from vidrnn.events import LeftOut, Note, Progress
from vidrnn.train.run import Request, Run
from vidrnn.values import FilmFailure


def request_for(folder: Path, **how: bool) -> Request:
    return Request(folder / "films", RunConfig(), folder / "run", folder / "cache", 1, "vidrnn train films", **how)  # type: ignore[arg-type]


def test_records_wait_until_the_folder_is_made_and_progress_is_not_kept(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    run.log(Note("before"))
    run.log(Progress("reading", 1, 2))
    assert not run.folder.exists()
    run.open(request_for(tmp_path))
    run.log(Note("after"))
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines] == ["before", "after"]


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
        Run(tmp_path / "run").refuse_taken(request_for(tmp_path))
    with pytest.raises(RunError, match="is not a run of vidrnn's"):
        Run(tmp_path / "run").refuse_taken(request_for(tmp_path, overwrite=True))
    assert (tmp_path / "run" / "precious.txt").read_text() == "mine"
