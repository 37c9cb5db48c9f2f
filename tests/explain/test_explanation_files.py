"""`--explain`: the files that it writes, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli.test_cli import Command, vidrnn
from explain.spots import Spots, spot_film
from explain.test_explanations import ended

from vidrnn.data.listing.own_results import OwnResults, has_result_name
from vidrnn.explain.base import Curve
from vidrnn.explain.files import write_explanation
from vidrnn.explain.pictures import AGAINST, FOR, Chart, lit
from vidrnn.predict.predictor import Predictor
from vidrnn.video.reader import open_film

__all__ = ["vidrnn"]  # the fixture

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "moves"
FILM = ROOT / "sample_videos" / "walk-left" / "figure02_01.webm"


def test_numbers_a_picture_and_a_video_are_written(tmp_path: Path) -> None:
    predictor = Predictor(Spots())
    prediction = predictor.predict(spot_film(tmp_path / "a.mkv", when=range(10, 14)))
    files, _ = ended(write_explanation(predictor, prediction, tmp_path / "out", "spots"))
    assert [file.name for file in files] == ["a.mkv.explain.json", "a.mkv.explain.png", "a.mkv.explain.webm"]
    numbers = json.loads(files[0].read_text())
    reason = numbers["reasons"][0]
    assert numbers["model"] == "spots" and reason["label"] == "red" and reason["of"] == "film"
    assert 1.0 <= reason["when"]["peak_seconds"] < 1.4 and len(reason["when"]["values"]) == 24
    boxes = reason["where"][0]["boxes"]
    assert boxes == sorted(boxes, key=lambda box: -box["value"]) and 0 <= boxes[0]["left"] < boxes[0]["right"] <= 1
    assert cv2.imread(str(files[1])).shape[1] == 960
    with open_film(files[2]) as shown:
        pictures = [frame.pixels for frame in shown.frames()]
    assert len(pictures) == 24
    dark = [picture[:10].mean() for picture in pictures]
    assert min(dark[10:14]) < 0.5 * min(dark[:9])  # only the decisive moment is dimmed beside its place


def test_its_files_are_never_read_as_input(tmp_path: Path) -> None:
    predictor = Predictor(Spots())
    prediction = predictor.predict(spot_film(tmp_path / "a.mkv"))
    numbers, _, film = ended(write_explanation(predictor, prediction, tmp_path, "spots"))[0]
    assert has_result_name(numbers) and film in OwnResults()


def test_the_chart_draws_both_directions_and_the_time() -> None:
    curve = Curve(np.arange(4.0), np.array([1.0, -1.0, np.nan, 0.5]), 1.0)
    chart = Chart(curve, (0, 4), 40, 20)
    assert tuple(chart.picture[5, 2]) == FOR and tuple(chart.picture[15, 12]) == AGAINST
    assert (chart.at(2.0)[:, 20] == 240).all() and chart.holds(3.5) and not chart.holds(4.5)


def test_the_place_that_decides_stays_bright() -> None:
    heat = np.zeros((40, 60))
    heat[10:30, 10:30] = 2.0
    shown = lit(np.full((40, 60, 3), 200, np.uint8), heat)
    assert shown[20, 20].min() > 190 and shown[20, 50].max() < 70


def test_the_command_explains_one_video_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from vidrnn.cli import run\n"
        "try: run()\n"
        "except SystemExit as end: print(end.code, 'torch' in sys.modules, file=sys.stderr)"
    )
    typed = ["predict", str(FILM), "--model", str(MODEL), "--explain", str(tmp_path), "--json"]
    done = subprocess.run([sys.executable, "-c", code, *typed], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.splitlines()[-1] in ("0 False", "None False")
    assert json.loads(done.stdout)["films"][0]["label"] == "walk-left"
    assert {file.suffix for file in tmp_path.iterdir()} == {".json", ".png", ".webm"}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ([str(FILM.parent)], "explains one video at a time, and 24 are named"),
        ([str(FILM), "--out", "answers"], "Leave one of them out"),
        (["0"], "--explain: has no meaning for"),
    ],
)
def test_what_does_not_fit_is_refused(vidrnn: Command, typed: list[str], said: str, tmp_path: Path) -> None:
    assert said in vidrnn("predict", *typed, "--model", str(MODEL), "--explain", str(tmp_path)).refused(2)


def test_a_video_that_cannot_be_read_costs_a_row(vidrnn: Command, tmp_path: Path) -> None:
    film = tmp_path / "a.mp4"
    film.write_bytes(b"nothing")
    vidrnn("predict", film, "--model", MODEL, "--explain", tmp_path / "out").refused(1)
    assert not (tmp_path / "out").exists()
