"""A model of the next frames is scored at each step ahead, and on anomalies where frames are labelled."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import FRAMES_SIZE, TinyRun, followed, gliding_model, make_film, make_squares, paint_square

from vidrnn.evaluate.evaluator import Evaluation, evaluate
from vidrnn.events import LeftOut, Note, RunEvent
from vidrnn.predict.predictor import Predictor
from vidrnn.runtimes.base import Runtime
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.tables import Report
from vidrnn.values import Pixels, Size

JUMPS = (8, 9, 10)
STEPS_AHEAD = {"mse_sum", "mae_sum", "mse", "mae", "psnr", "ssim"}


def scored(
    model: Runtime, data: Path, source: Path = Path("no-model")
) -> tuple[Evaluation, dict[str, Any], list[RunEvent]]:
    """The evaluation, its JSON as a reader gets it, and the events before it."""
    evaluation, events = followed(evaluate(Predictor(model, threads=2), source, data))
    return evaluation, json.loads(json.dumps(evaluation.numbers, allow_nan=False)), events


def paint_jumps(index: int, size: Size) -> Pixels:
    return np.roll(paint_square()(index, size), 11 * (index % 2) * (index in JUMPS) + 5 * (index == 10), axis=1)


def labelled_films(folder: Path, *, surplus: int = 0, frames: int = 14) -> Path:
    """Two films that jump for a while, and their labels; `surplus` adds a film with so many labels too many."""
    rows = []
    for number in range(2 + bool(surplus)):
        make_film(folder / f"film{number}.mkv", frames=frames, fps=10.0, size=FRAMES_SIZE, paint=paint_jumps)
        count = frames + surplus * (number == 2)
        rows += [[f"film{number}.mkv", index, int(index in JUMPS)] for index in range(count)]
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "frame", "label"], *rows])
    return folder / "labels.csv"


def test_the_scores_of_the_test_part_are_those_of_the_training(tiny_forecaster: TinyRun) -> None:
    model = TorchRuntime.open(tiny_forecaster.model)
    evaluation, given, _ = scored(model, tiny_forecaster.data, tiny_forecaster.folder)
    assert (evaluation.films, evaluation.seen) == (1, 4)
    stored = model.header.scores
    assert stored["part"] == "test"
    for name in STEPS_AHEAD:
        assert given[name] == pytest.approx(stored[name], rel=1e-4)
    mean, stored_mean = given["baselines"]["mean image"], stored["baselines"]["mean image"]
    assert mean["mse"] == pytest.approx(stored_mean["mse"], rel=1e-4), "the mean image travels with the weights"


def test_without_the_weights_there_is_no_mean_image(tmp_path: Path) -> None:
    _, given, _ = scored(gliding_model(), make_squares(tmp_path, 1))
    assert given["baselines"].keys() == {"black frame", "copy of the last frame", "last frame warped by optical flow"}


def test_the_json_has_the_keys_of_the_design(tmp_path: Path) -> None:
    always = {"task", "films", "seen", "skipped", "seconds", "failures", *STEPS_AHEAD, "per_step", "baselines"}
    _, given, _ = scored(gliding_model(), labelled_films(tmp_path))
    assert always | {"auc", "auc_normalised", "eer", "per_film"} <= given.keys()
    assert (given["task"], given["films"], given["skipped"]) == ("next-frame", 2, 0)
    assert len(given["per_step"]) == 3 and all(step.keys() == STEPS_AHEAD for step in given["per_step"])
    assert all(baseline.keys() == {*STEPS_AHEAD, "per_step"} for baseline in given["baselines"].values())
    assert [Path(film).name for film in given["per_film"]] == ["film0.mkv", "film1.mkv"]
    _, without, _ = scored(gliding_model(), make_squares(tmp_path / "films", 1))
    assert always <= without.keys() and "auc" not in without


@pytest.mark.parametrize("calibrated", [True, False])
def test_anomalies_are_scored_beside_baselines_on_the_same_frames(tmp_path: Path, calibrated: bool) -> None:
    evaluation, given, _ = scored(gliding_model(calibrated=calibrated), labelled_films(tmp_path))
    assert given["auc"] > 0.7
    assert (given["scored_frames"], given["left_out_frames"]) == (24, 4), "the first two frames have no score"
    names = {row["name"] for row in given["anomaly_baselines"]}
    assert {"frame difference", "flow warp error", "flow magnitude"} <= names
    assert any("anomalies" in sentence for sentence in evaluation.report.sentences)
    assert [table.columns for table in evaluation.report.tables][-1] == ("film", "AUC")


def test_a_film_with_more_labels_than_frames_costs_a_row(tmp_path: Path) -> None:
    evaluation, given, events = scored(gliding_model(), labelled_films(tmp_path, surplus=3))
    [failure] = evaluation.failures
    assert failure.path.name == "film2.mkv" and "14" in failure.reason and "17" in failure.reason
    assert evaluation.films == 2 and given["skipped"] == 1
    assert any(isinstance(event, LeftOut) for event in events)


def test_films_shorter_than_a_context_and_a_horizon_have_no_scores_of_steps_ahead(tmp_path: Path) -> None:
    evaluation, given, events = scored(gliding_model(), make_squares(tmp_path / "films", 1, frames=5))
    assert evaluation.films == 1
    assert all(given[name] is None for name in STEPS_AHEAD)
    assert (given["per_step"], given["baselines"], given["stretches"]) == ([], {}, 0)
    assert any(isinstance(one, Note) and one.warning and "as long as a context" in one.text for one in events)


def test_a_single_film_is_scored(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", frames=15, fps=10.0, size=FRAMES_SIZE, paint=paint_square())
    _, given, _ = scored(gliding_model(), film)
    assert given["stretches"] == 2
    assert given["mse"] < 1e-6


def test_the_steps_of_a_long_film_are_measured_on_stretches_from_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidrnn.evaluate.next_frame._MOST_STRETCHES", 2)
    measured: list[list[int]] = []

    def note_brightness(model: Runtime, stretches: Sequence[Pixels], mean: object, part: str) -> Report:
        measured.append([int(stretch[0, 0, 0, 0]) for stretch in stretches])
        return Report()

    monkeypatch.setattr("vidrnn.evaluate.next_frame.score_forecasts", note_brightness)

    def paint(index: int, size: Size) -> Pixels:
        return np.full((size.height, size.width, 3), 2 * index, dtype=np.uint8)

    scored(gliding_model(), make_film(tmp_path / "long.mkv", frames=40, fps=10.0, size=FRAMES_SIZE, paint=paint))
    assert measured == [[0, 2 * 7 * 4]], "of five stretches every fourth: the first and the last"
