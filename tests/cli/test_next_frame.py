"""A model of the next frames on the command line: predict, evaluate, info and export, and what is refused."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli.test_cli import Command, vidrnn
from conftest import FRAMES_SIZE, TinyRun, make_film, make_squares, paint_square

__all__ = ["vidrnn"]  # the fixture


@pytest.fixture(autouse=True)
def _desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, a cache of its own, and a terminal wide enough for any sentence."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("VIDRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setenv("TERM", "dumb")


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A good film, a damaged one, a black one and one of a single frame."""
    folder = tmp_path / "films"
    make_film(folder / "good.mkv", frames=9, fps=10.0, size=FRAMES_SIZE, paint=paint_square(7))
    make_film(folder / "one.mkv", frames=1, fps=10.0, size=FRAMES_SIZE, paint=paint_square(7))
    make_film(
        folder / "black.mkv",
        frames=6,
        fps=10.0,
        size=FRAMES_SIZE,
        paint=lambda _, size: np.zeros((size.height, size.width, 3), dtype=np.uint8),
    )
    (folder / "bad.mkv").write_text("no video")
    return folder


def frames_in(file: Path) -> int:
    film, count = cv2.VideoCapture(str(file)), 0
    while film.read()[0]:
        count += 1
    return count


def test_films_are_answered_on_the_screen_and_nothing_is_written_unasked(
    vidrnn: Command, films: Path, tiny_forecaster: TinyRun
) -> None:
    typed = ["predict", films, "--model", tiny_forecaster.model, "--jobs", "1", "--device", "cpu"]
    ended = vidrnn(*typed, "--threshold", "0")
    assert ended.code == 1 and "Traceback" not in ended.err
    assert "bad.mkv  holds text" in ended.out
    assert "0:00.2 to 0:00.9 anomaly" in " ".join(ended.out.split())
    given = {Path(row["path"]).name: row for row in json.loads(vidrnn(*typed, "--json").out)["films"]}
    assert set(given) == {"good.mkv", "one.mkv", "black.mkv", "bad.mkv"}
    assert set(given["bad.mkv"]) == {"path", "error"}
    assert list(given["good.mkv"]) == ["path", "anomaly", "mse", "segments", "duration_seconds", "frames", "notes"]
    assert given["one.mkv"]["anomaly"] is None and "too few" in given["one.mkv"]["notes"][-1]
    assert 0 < given["good.mkv"]["anomaly"] < 1 and 0 < given["black.mkv"]["anomaly"] < 1
    assert not list(Path.cwd().iterdir())


def test_a_video_shows_the_frames_beyond_the_end(vidrnn: Command, films: Path, tiny_forecaster: TinyRun) -> None:
    typed = ["predict", films, "--model", tiny_forecaster.model, "--jobs", "1", "--device", "cpu"]
    ended = vidrnn(
        *typed, "--out", "out", "--format", "video,steps", "--rollout", "2", "--normalised", "--threshold", "0"
    )
    assert ended.code == 1 and "4 videos, 1 failed" in ended.out
    assert frames_in(Path("out/good.mkv.video.webm")) == 9 + 2
    assert frames_in(Path("out/one.mkv.video.webm")) == 1 + 2
    steps = Path("out/good.mkv.steps.csv").read_text().splitlines()
    assert steps[0] == "frame,seconds,mse,psnr,worst_block,anomaly,anomaly_in_film" and len(steps) == 10
    with Path("out/summary.csv").open(newline="") as table:
        rows = {row["path"]: row for row in csv.DictReader(table)}
    assert list(rows["bad.mkv"]) == [
        "path",
        "anomaly",
        "mse",
        "segments",
        "duration_seconds",
        "frames",
        "notes",
        "error",
    ]
    assert {name: row["segments"] for name, row in rows.items()} == {
        "bad.mkv": "",
        "black.mkv": "1",
        "good.mkv": "1",
        "one.mkv": "0",
    }
    assert not list(Path("out").glob("bad*"))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--reset", "cut"], "--reset: has no meaning for --task next-frame"),
        (["--threads", "2"], "--threads: has no meaning for --task next-frame"),
        (["--rollout", "3"], "--rollout: has no meaning without --format video or mp4"),
        (["--rollout", "3", "--out", "out", "--format", "csv"], "--rollout: has no meaning without"),
    ],
)
def test_a_setting_without_a_meaning_is_refused(
    vidrnn: Command, films: Path, tiny_forecaster: TinyRun, flags: list[str], words: str
) -> None:
    ended = vidrnn("predict", films / "good.mkv", "--model", tiny_forecaster.model, "--device", "cpu", *flags)
    assert words in ended.refused(2)


def test_an_evaluation_as_json_is_one_object(vidrnn: Command, tiny_forecaster: TinyRun) -> None:
    ended = vidrnn("evaluate", tiny_forecaster.folder, tiny_forecaster.data, "--json", "--device", "cpu", "--jobs", "1")
    assert ended.code == 0
    given = json.loads(ended.out)
    assert (given["task"], given["films"], given["seen"]) == ("next-frame", 1, 4)
    assert {"mse_sum", "mae_sum", "mse", "psnr", "ssim", "per_step", "baselines"} <= set(given)


def test_tables_stand_beside_what_their_numbers_mean(vidrnn: Command, tmp_path: Path, tiny_forecaster: TinyRun) -> None:
    data = make_squares(tmp_path / "others", 2, frames=12)
    rows = [f"{name},{index},{int(index > 8)}" for name in ("film0.mkv", "film1.mkv") for index in range(12)]
    rows += ["film1.mkv,12,0"]
    (data / "labels.csv").write_text("\n".join(["path,frame,label", *rows]) + "\n")
    ended = vidrnn("evaluate", tiny_forecaster.folder, data / "labels.csv", "--device", "cpu", "--jobs", "1")
    assert ended.code == 0, ended.err
    for words in ("copy of the last frame", "this model", "AUC", "equal error rate", "SSIM"):
        assert words in ended.out
    assert "summed over a frame" in ended.out.replace("\n", " ") and "from 0 to 1" in ended.out.replace("\n", " ")


def test_info_shows_the_model(vidrnn: Command, tiny_forecaster: TinyRun) -> None:
    ended = vidrnn("info", tiny_forecaster.model)
    assert ended.code == 0
    for words in (
        "next-frame",
        "normal, anomaly",
        "> convgru 8 > flow, 32x24 pixels, 4 frames seen and 3 predicted",
        "3 videos, chosen on 1, tested on 1",
    ):
        assert words in ended.out
    assert json.loads(vidrnn("info", tiny_forecaster.model, "--json").out)["answer"]["task"] == "next-frame"


def test_an_export_names_its_file_in_the_output_and_in_the_card(
    vidrnn: Command, tmp_path: Path, tiny_forecaster: TinyRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(export: object, model: object, file: Path, *_: object) -> float:
        file.write_bytes(b"a portable file")
        return 1e-7

    monkeypatch.setattr("vidrnn.export.exporter.write_checked", write)
    shutil.copytree(tiny_forecaster.model, tmp_path / "model")
    ended = vidrnn("export", tmp_path / "model")
    assert ended.code == 0 and "model.onnx" in ended.out
    assert "- `model.onnx`: fp32" in (tmp_path / "model" / "README.md").read_text()


def test_settings_of_one_task_are_refused_for_the_other_and_heads_are_not_compared(
    vidrnn: Command, films: Path
) -> None:
    message = vidrnn("train", films, "--task", "next-frame", "--readout", "mean", "--frames", "4").refused(2)
    assert "--readout, --frames: have no meaning for --task next-frame" in message
    assert "--horizon: has no meaning for --task classify" in vidrnn("train", films, "--horizon", "4").refused(2)
    message = vidrnn("train", films, "--task", "next-frame", "--folds", "3").refused(2)
    assert "--folds: has no meaning for --task next-frame" in message
    Path("run.toml").write_text('task = "next-frame"\n')
    message = vidrnn("train", films, "--config", "run.toml", "--bidirectional").refused(2)
    assert "--bidirectional: a head that reads in both directions would see" in message
    Path("other.toml").write_text('task = "next-frame"\nframes = 9\nreadout = "attention"\n')
    message = vidrnn("train", films, "--config", "other.toml").refused(2)
    assert "other.toml: frames: has no meaning for --task next-frame" in message
    message = vidrnn("compare", films, "--config", "run.toml").refused(2)
    assert "vidrnn compare: does not work for --task next-frame" in message
