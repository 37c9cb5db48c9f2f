"""The program on a Linux that lacks what Windows lacks: no fcntl and its like, no fork, and another encoding.

Each test runs a command in processes of its own, whose Python has lost these parts before anything is imported.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from test_packaging import ROOT

MODELS, SAMPLES = ROOT / "models", ROOT / "sample_videos"
FILM = SAMPLES / "walk-left" / "figure01_01.webm"
_LACKING = """
import os, sys
for name in ("fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "readline"):
    sys.modules[name] = None
for name in ("fork", "forkpty", "getsid", "killpg", "mkfifo", "sched_getaffinity", "sysconf", "pathconf"):
    if hasattr(os, name):
        delattr(os, name)
import multiprocessing
multiprocessing.get_all_start_methods = lambda: ["spawn"]
multiprocessing.set_start_method("spawn", force=True)
open(os.environ["LACKING_LOG"], "a").write("one\\n")
"""

Elsewhere = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    """Run a command where these parts of Python are missing, in its workers too; the outputs are bytes."""
    site, desk = tmp_path / "site", tmp_path / "desk"
    site.mkdir()
    desk.mkdir()
    (site / "sitecustomize.py").write_text(_LACKING)
    path = os.pathsep.join([str(site), str(ROOT)])
    places = {"PYTHONPATH": path, "LACKING_LOG": str(tmp_path / "log"), "VIDRNN_CACHE": str(tmp_path / "cache")}
    environment = {**os.environ, **places, "COLUMNS": "1000", "OMP_NUM_THREADS": "1"}

    def run(*arguments: str | Path, **settings: object) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            [sys.executable, "-m", "vidrnn", *map(str, arguments)],
            cwd=desk,
            env={**environment, **settings.pop("env", {})},  # type: ignore[dict-item]
            capture_output=True,
            check=False,
            **settings,  # type: ignore[call-overload]
        )
        assert (tmp_path / "log").read_text(), "nothing was taken away"
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done  # type: ignore[no-any-return]

    return run


def test_the_help_is_shown(elsewhere: Elsewhere) -> None:
    assert b"predict" in elsewhere("--help").stdout


def test_the_facts_of_a_video_and_a_model_are_shown(elsewhere: Elsewhere) -> None:
    assert json.loads(elsewhere("info", FILM, "--json").stdout)["frames"] > 10
    assert "classes" in json.loads(elsewhere("info", MODELS / "moves", "--json").stdout)["answer"]


def test_the_system_is_described(elsewhere: Elsewhere) -> None:
    assert json.loads(elsewhere("info", "--system", "--json").stdout)["folders"][-1]["writable"]


def test_a_video_is_read(elsewhere: Elsewhere) -> None:
    done = elsewhere("predict", FILM, "--model", MODELS / "moves", "--json")
    assert json.loads(done.stdout)["films"][0]["label"] == "walk-left"


def test_a_folder_is_read_by_two_processes_and_not_a_second_time(elsewhere: Elsewhere, tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    for name in ("one", "two", "three"):
        shutil.copy(FILM, films / f"{name}.webm")
    typed = ("predict", films, "--model", MODELS / "moves", "--out", tmp_path / "out", "--jobs", "2", "--json")
    first, second = elsewhere(*typed), elsewhere(*typed)
    assert first.returncode == second.returncode == 0
    assert {film["label"] for film in json.loads(first.stdout)["films"]} == {"walk-left"}
    assert b"3 done before" in second.stderr
    assert len((tmp_path / "log").read_text().split()) >= 4, "the processes lacked these parts too"


def test_a_pipe_is_read_in_bytes(elsewhere: Elsewhere) -> None:
    done = elsewhere("predict", "-", "--model", MODELS / "moves", "--json", input=FILM.read_bytes())
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[-1])["label"] == "walk-left"


def test_next_frames_are_read(elsewhere: Elsewhere) -> None:
    done = elsewhere("predict", FILM, "--model", MODELS / "next", "--json")
    assert json.loads(done.stdout)["films"][0]["frames"] > 10


def test_labels_are_converted(elsewhere: Elsewhere, tmp_path: Path) -> None:
    shutil.copy(FILM, tmp_path / "a.webm")
    (tmp_path / "table.csv").write_bytes(b"path,start,end,label\r\na.webm,0.1,0.5,dig\r\n")
    done = elsewhere(
        "labels", tmp_path / "table.csv", "--to", "audacity", "--films", tmp_path, "--out", tmp_path / "out"
    )
    assert done.returncode == 0, done.stderr
    assert "dig" in next((tmp_path / "out").rglob("*.txt")).read_text()


def test_the_cache_is_shown_and_cleared(elsewhere: Elsewhere) -> None:
    assert elsewhere("cache", "--json").returncode == elsewhere("cache", "--clear").returncode == 0


def test_two_runs_keep_out_of_each_others_results(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """filelock has another lock where there is no fcntl: it still lets one in, and leaves after it."""
    shutil.copy(FILM, tmp_path / "a.webm")
    typed = ("predict", tmp_path / "a.webm", "--model", MODELS / "moves", "--out", tmp_path / "out", "--format", "csv")
    assert [elsewhere(*typed).returncode for _ in range(2)] == [0, 0]
    assert (tmp_path / "out" / "a.webm.segments.csv").exists()


def test_what_is_redirected_is_utf_8_though_the_system_writes_another_encoding(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    film = shutil.copy(FILM, tmp_path / "größe 北京.webm")
    env = {"PYTHONIOENCODING": "cp1252"}
    done = elsewhere("predict", film, "--model", MODELS / "moves", "--json", env=env)
    assert json.loads(done.stdout.decode("utf-8"))["films"][0]["path"] == str(film)
    wrong = elsewhere("predict", tmp_path / "größe.webm", "--model", MODELS / "moves", env=env)
    assert wrong.returncode == 2 and "größe.webm" in wrong.stderr.decode("utf-8")


@pytest.mark.slow
def test_a_model_is_trained_scored_and_exported(elsewhere: Elsewhere, tmp_path: Path) -> None:
    manifest = tmp_path / "clips.csv"
    clips = sorted(SAMPLES.glob("walk-*/figure0[1-6]_0[12].webm"))
    rows = "".join(f"{clip},{clip.parent.name}\r\n" for clip in clips)
    manifest.write_bytes(b"\xef\xbb\xbfpath,label\r\n" + rows.encode())
    run = tmp_path / "run"
    quick = ("--encoder", "tiny", "--epochs", "1", "--frames", "4", "--units", "8", "--jobs", "2")
    trained = elsewhere("train", manifest, "--out", run, *quick)
    assert trained.returncode == 0, trained.stderr.decode()
    assert json.loads(elsewhere("evaluate", run, manifest, "--split", "all", "--json").stdout)["clips"] == len(clips)
    assert elsewhere("export", run, "--to", "onnx").returncode == 0
    compared = elsewhere("compare", manifest, "--head", "gru", "--head", "mean", "--out", tmp_path / "c", *quick[:-2])
    assert compared.returncode in (0, 2), compared.stderr.decode()
