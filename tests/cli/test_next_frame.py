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

from vidrnn import load
from vidrnn.errors import ModelError

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
    (folder / "bad.mkv").write_text("no film")
    return folder


def frames_in(file: Path) -> int:
    film, count = cv2.VideoCapture(str(file)), 0
    while film.read()[0]:
        count += 1
    return count


def test_a_folder_is_watched_a_bad_film_costs_a_row_and_what_is_done_is_not_done_again(
    vidrnn: Command, films: Path, tiny_forecaster: TinyRun
) -> None:
    asked = ["predict", films, "--model", tiny_forecaster.model, "--rollout", "2", "--jobs", "1", "--device", "cpu"]
    ended = vidrnn(*asked, "--json")
    assert ended.code == 1 and "Traceback" not in ended.err
    told = {Path(row["path"]).name: row for row in json.loads(ended.out)["films"]}
    assert set(told) == {"good.mkv", "one.mkv", "black.mkv", "bad.mkv"}
    assert "error" in told["bad.mkv"] and told["one.mkv"]["most_unusual"] is None
    assert "too few" in told["one.mkv"]["notes"][-1]
    assert 0 < told["good.mkv"]["most_unusual"] < 1 and 0 < told["black.mkv"]["most_unusual"] < 1
    out = Path("foretold")
    assert frames_in(out / "good.mkv.foretold.webm") == 9 + 2
    assert frames_in(out / "one.mkv.foretold.webm") == 1 + 2
    with (out / "good.mkv.frames.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert [row["unusual"] == "" for row in rows] == [True, True, *[False] * 7]
    assert not list(out.glob("bad*"))
    before = (out / "good.mkv.frames.csv").stat().st_mtime_ns
    again = vidrnn(*asked)
    assert again.code == 1 and "bad.mkv" in again.out
    assert (out / "good.mkv.frames.csv").stat().st_mtime_ns == before


def test_a_film_is_told_of_in_words_and_only_what_was_asked_for_is_written(
    vidrnn: Command, films: Path, tiny_forecaster: TinyRun
) -> None:
    asked = ["predict", films / "good.mkv", "--model", tiny_forecaster.folder, "--jobs", "1", "--device", "cpu"]
    ended = vidrnn(*asked, "--out", "here", "--format", "csv", "--normalised", "--threshold", "0")
    assert ended.code == 0 and "most unusual" in ended.out + ended.err
    assert [path.name for path in Path("here").glob("good*")] == ["good.mkv.frames.csv"]
    assert "unusual_in_film" in (Path("here") / "good.mkv.frames.csv").read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--format", "srt"], "of foretold frames there are: video, csv, jsonl"),
        (["--show"], "--show"),
        (["--runtime", "openvino"], "--runtime openvino: does not compute models of the next frames"),
        (["--hysteresis", "0.2"], "--hysteresis"),
        (["--threads", "2"], "--threads"),
        (["--rollout", "3", "--format", "csv"], "--rollout"),
    ],
)
def test_what_means_nothing_for_foretold_frames_is_refused(
    vidrnn: Command, films: Path, tiny_forecaster: TinyRun, flags: list[str], words: str
) -> None:
    ended = vidrnn("predict", films / "good.mkv", "--model", tiny_forecaster.model, "--device", "cpu", *flags)
    assert words in ended.refused(2)


def test_a_model_is_scored_and_told_of_as_one_object(vidrnn: Command, tiny_forecaster: TinyRun) -> None:
    ended = vidrnn("evaluate", tiny_forecaster.folder, tiny_forecaster.data, "--json", "--device", "cpu", "--jobs", "1")
    assert ended.code == 0
    told = json.loads(ended.out)
    assert (told["task"], told["films"], told["seen"]) == ("next-frame", 1, 4)
    assert {"mse_sum", "mae_sum", "mse", "psnr", "ssim", "per_step", "baselines"} <= set(told)


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


def test_info_shows_a_model_of_the_next_frames(vidrnn: Command, tiny_forecaster: TinyRun) -> None:
    ended = vidrnn("info", tiny_forecaster.model)
    assert ended.code == 0
    for words in ("next-frame", "convgru, 8 units", "flow", "3 frames from 4", "3 films, chosen on 1, tested on 1"):
        assert words in ended.out
    assert json.loads(vidrnn("info", tiny_forecaster.model, "--json").out)["spec"]["task"] == "next-frame"


@pytest.mark.parametrize("flags", [["--to", "openvino"], ["--to", "torch"], ["--precision", "fp16"]])
def test_other_portable_forms_of_it_are_refused(vidrnn: Command, tiny_forecaster: TinyRun, flags: list[str]) -> None:
    said = vidrnn("export", tiny_forecaster.model, *flags).refused(2)
    assert "foretells frames" in said and "onnx in fp32 only" in said


def test_export_writes_and_tells_of_the_file(
    vidrnn: Command, tmp_path: Path, tiny_forecaster: TinyRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kept(model: object, file: Path, films: object = ()) -> float:
        file.write_bytes(b"a portable file")
        return 1e-7

    monkeypatch.setattr("vidrnn.export.frames_export.keep_portable", kept)
    shutil.copytree(tiny_forecaster.model, tmp_path / "model")
    ended = vidrnn("export", tmp_path / "model")
    assert ended.code == 0 and "model.onnx" in ended.out + ended.err
    assert "- `model.onnx`: fp32" in (tmp_path / "model" / "README.md").read_text()


def test_settings_of_one_task_are_refused_for_the_other_and_heads_are_not_compared(
    vidrnn: Command, films: Path
) -> None:
    said = vidrnn("train", films, "--task", "next-frame", "--readout", "mean", "--frames", "4").refused(2)
    assert "--readout, --frames: have no meaning for --task next-frame" in said
    assert "--horizon: has no meaning for --task classify" in vidrnn("train", films, "--horizon", "4").refused(2)
    assert "--folds: is for classes" in vidrnn("train", films, "--task", "next-frame", "--folds", "3").refused(2)
    Path("run.toml").write_text('task = "next-frame"\n')
    said = vidrnn("train", films, "--config", "run.toml", "--bidirectional").refused(2)
    assert "--bidirectional: a head that reads both ways" in said
    said = vidrnn("compare", films, "--config", "run.toml").refused(2)
    assert "works for --task classify, not for --task next-frame" in said


def test_a_reader_of_classes_says_that_it_is_none(tiny_forecaster: TinyRun) -> None:
    with pytest.raises(ModelError, match="is a model of the task next-frame"):
        load(tiny_forecaster.folder)
