"""`vidrnn predict FOLDER --out DIR` as people type it: answers, errors, resume, shards, and who is killed."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from batch.test_batch import tree
from cli.test_cli import Command, Ended, in_a_process
from test_packaging import ROOT

import vidrnn as library
from vidrnn.batch.batch import Batch
from vidrnn.batch.engines.local import Local
from vidrnn.batch.work import PredictionRequest
from vidrnn.cli import run
from vidrnn.outputs import OUTPUTS
from vidrnn.values import DecisionRule

MOVES = ROOT / "models" / "moves"
SAMPLES = ROOT / "sample_videos"


@pytest.fixture(autouse=True)
def _desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, a wide terminal, and nobody who tells of shards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setenv("TERM", "dumb")
    for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Two films of one name in two folders, a damaged one, and one that is no film."""
    folder = tmp_path / "films"
    for name in ("walk-left", "walk-right"):
        (folder / name).mkdir(parents=True)
        shutil.copy(SAMPLES / name / "figure01_01.webm", folder / name / "one.webm")
    (folder / "bad.mp4").write_text("no video")
    return folder


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "summary.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def predicted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `vidrnn predict` with these arguments in this process, by two processes of its own."""

    def command(*arguments: str | Path, model: Path = MOVES) -> Ended:
        typed = ["vidrnn", "predict", *map(str, arguments), "--model", str(model), "--jobs", "2"]
        monkeypatch.setattr(sys, "argv", typed)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        return Ended(int(ended.value.code or 0), *capsys.readouterr())

    return command


def test_a_folder_becomes_answers_and_a_summary(predicted: Command, films: Path) -> None:
    ended = predicted(films, "--out", "out", "--format", "jsonl,srt")
    assert ended.code == 1, "one video failed"
    assert "bad.mp4  holds text; it is not a video." in ended.out
    assert "3 videos, 1 failed" in ended.out
    summary = rows(Path("out"))
    assert [row["path"] for row in summary] == ["bad.mp4", "walk-left/one.webm", "walk-right/one.webm"]
    assert summary[0]["error"] == "holds text; it is not a video."
    for name in ("walk-left", "walk-right"):
        expected = library.load(MOVES).predict(films / name / "one.webm")
        answer = json.loads(Path(f"out/{name}/one.webm.jsonl").read_text(encoding="utf-8"))
        assert answer["label"] == expected.label == name
        assert answer["probability"] == pytest.approx(expected.probability, abs=1e-6)
        assert answer["frames"] == expected.frames
    assert set(tree(Path("out"))) == {
        "summary.csv",
        ".vidrnn/bad.mp4.json",
        *(f"{hidden}{name}/one.webm{end}" for name in ("walk-left", "walk-right") for hidden, end in
          ((".vidrnn/", ".json"), ("", ".jsonl"), ("", ".srt"))),
    }  # fmt: skip


def test_all_forms_at_once_and_a_second_run_that_reads_nothing(predicted: Command, films: Path) -> None:
    pytest.importorskip("pyarrow")
    (films / "bad.mp4").unlink()
    assert predicted(films / "walk-left", "--out", "out", "--format", ",".join(OUTPUTS)).code == 0
    before = tree(Path("out"))
    assert len([name for name in before if name.startswith("one.webm.")]) == len(OUTPUTS)
    ended = predicted(films / "walk-left", "--out", "out", "--format", "csv,video", "--json")
    assert tree(Path("out")) == before
    assert "1 video, 1 done before, 0 failed; 0 frames" in ended.err
    (film,) = json.loads(ended.out)["films"]
    assert (film["path"], film["label"]) == ("one.webm", "walk-left")


def test_json_has_a_row_for_each_film_in_their_order(predicted: Command, films: Path) -> None:
    ended = predicted(films, "none.mp4", "--out", "out", "--json")
    assert ended.code == 1
    given = json.loads(ended.out)
    assert given["model"] == str(MOVES)
    assert [film["path"] for film in given["films"]] == [
        "none.mp4",
        "films/bad.mp4",
        "films/walk-left/one.webm",
        "films/walk-right/one.webm",
    ]
    assert "error" in given["films"][0]
    assert given["films"][2]["segments"][0].keys() == {"start_seconds", "end_seconds", "label", "probability"}


def test_another_model_or_threshold_does_all_films_again(predicted: Command, films: Path) -> None:
    def again(*how: str, model: Path = MOVES) -> bool:
        return "done before" not in predicted(films / "walk-left", "--out", "out", *how, model=model).out

    assert again()
    assert again("--threshold", "0.0001")
    assert again()
    copy = Path(shutil.copytree(MOVES, "moves"))
    assert not again(model=copy), "the same model elsewhere is the same model"
    with (copy / "model.onnx").open("ab") as file:
        file.write(b"\x82\x01\x00")  # an unknown and empty field of protobuf: it means nothing, and the file is another
    assert again(model=copy)


def test_results_and_hidden_files_in_the_folder_are_no_films(predicted: Command, films: Path) -> None:
    for _ in range(2):
        predicted(films, "--out", films / "out", "--format", "video")
        assert len(rows(films / "out")) == 3


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--format", "csv"], "--format: is for answers that are written. Say where: --out DIR."),
        (["--shard", "1/2"], "--shard: is for answers that are written"),
        (["--out", "out", "--format", "csv,doc"], "--format doc: there is none of that name. There are: jsonl, csv,"),
        (["--out", "out", "--shard", "3/2"], "shard 3/2: shards count from 1"),
        (["--out", "out", "--shard", ""], "--shard : wanted which of how many, such as 2/4."),
        (["--out", "films/bad.mp4"], "films/bad.mp4: results cannot be written there"),
    ],
)
def test_mistakes_are_refused_with_a_message(predicted: Command, films: Path, flags: list[str], message: str) -> None:
    ended = predicted(films, *flags)
    assert message in ended.refused(1 if "cannot be written" in message else 2)


@pytest.mark.parametrize(("form", "package"), [("parquet", "pyarrow")])
def test_a_form_whose_package_is_not_installed_is_an_error_before_anything_is_read(
    predicted: Command,
    films: Path,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
    package: str,
) -> None:
    monkeypatch.setattr("vidrnn.batch.work.find_spec", lambda name: None if name == package else name)
    message = predicted(films, "--out", "out", "--format", form).refused(2)
    assert f"--format {form}: needs the package {package}, which is not installed here. Install it" in message
    assert not Path("out").exists()


def test_processes_that_read_films_with_onnx_load_no_torch(films: Path) -> None:
    formats = ("csv", "srt", "labelstudio", "video")
    work = replace(PredictionRequest(MOVES, formats, DecisionRule()).work(), opener="readers:opened_and_watched")
    batch = Batch(work, tuple(sorted(films.glob("*/*.webm"))), (films,), Path("out"))
    assert [done.row["torch"] for done in batch.run(Local(2))] == [False, False]


def test_ranks_do_their_parts_beside_each_other_and_give_what_one_run_gives(predicted: Command, films: Path) -> None:
    predicted(films, "--out", "whole")
    arguments = ["predict", films, "--out", "parts", "--model", MOVES]
    world = {**os.environ, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    ranks = [in_a_process(*arguments, env={**world, "RANK": rank}) for rank in ("0", "1")]
    outputs = [rank.communicate(timeout=60) for rank in ranks]
    assert sorted(rank.returncode for rank in ranks) == [0, 1], "one of them had the damaged video"
    assert "Shard 1/2, by RANK and WORLD_SIZE in the environment." in outputs[0][1]
    assert tree(Path("parts")) == tree(Path("whole"))


def test_ctrl_c_keeps_what_is_finished(films: Path) -> None:
    for number in range(40):
        shutil.copy(SAMPLES / "a_day.webm", films / f"day{number}.webm")
    arguments = ("predict", films, "--out", "out", "--model", MOVES, "--jobs", "1", "--json")
    running = in_a_process(*arguments, start_new_session=True)
    while len(list(Path("out/.vidrnn").glob("day*.json"))) < 4:  # one of them was but begun
        assert running.poll() is None
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)
    output, errors = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "Traceback" not in output + errors
    finished = [row["path"] for row in rows(Path("out")) if not row["error"]]
    assert 1 <= len(finished) < 40
    printed = [film["path"] for film in json.loads(output)["films"] if "error" not in film]
    assert printed and printed == [name for name in finished if name in printed], "in the order of the summary"
    assert all(Path("out", f"{name}.jsonl").is_file() for name in finished)


@pytest.mark.slow
def test_a_ray_cluster_gives_what_processes_give(predicted: Command, films: Path) -> None:
    pytest.importorskip("ray", reason="the package ray is not installed")
    predicted(films, "--out", "whole", "--format", "csv,video")
    running = in_a_process(
        "predict", films, "--out", "ray", "--model", MOVES, "--format", "csv,video", "--engine", "ray"
    )
    output, errors = running.communicate(timeout=200)
    assert running.returncode == 1, errors
    assert "3 videos, 1 failed" in output
    assert tree(Path("ray")) == tree(Path("whole"))


@pytest.mark.slow
def test_who_is_killed_twenty_times_ends_with_the_same_bytes(films: Path) -> None:
    for number, film in enumerate(sorted(SAMPLES.glob("*/figure0[12]_01.webm"))):
        shutil.copy(film, films / f"clip{number:02}.webm")
    arguments = ["predict", films, "--model", MOVES, "--jobs", "2", "--format", "jsonl,csv,srt,labelstudio,video"]
    began = time.monotonic()
    assert in_a_process(*arguments, "--out", "whole").wait() == 1
    longest, whole, draw = time.monotonic() - began, tree(Path("whole")), random.Random(0)
    finished_films = []
    for _ in range(20):
        shutil.rmtree("out", ignore_errors=True)
        moment = draw.uniform(0.3, 0.9 * longest)
        finished_films.append(_killed(arguments, moment))
        assert in_a_process(*arguments, "--out", "out").wait() == 1
        assert tree(Path("out")) == whole, f"killed after {moment} s"
    assert len(set(finished_films)) > 5, "the moments were many"


def _killed(arguments: Sequence[str | Path], moment: float) -> int:
    """Start a run, kill it after some seconds, and tell how many films it had done."""
    running = in_a_process(*arguments, "--out", "out")
    with suppress(subprocess.TimeoutExpired):
        running.wait(timeout=moment)
    running.kill()
    running.wait()
    return len(list(Path("out").rglob("*.json")))
