"""A model of the next frames is scored on films: each step ahead, and unusual frames where they are labelled."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import FRAMES_SIZE, TinyRun, followed, gliding_model, make_film, make_squares, paint_square
from vidrnn.evaluate.frames_evaluate import FramesEvaluation, evaluate_frames

from vidrnn.errors import DataError
from vidrnn.evaluate.evaluator import SplitName
from vidrnn.events import LeftOut, Note, RunEvent
from vidrnn.runtimes.base import FrameRuntime
from vidrnn.runtimes.torch import TorchFrames
from vidrnn.values import Pixels, Size

NOWHERE = Path("no-model")
JUMPS = (8, 9, 10)


def scored(
    model: FrameRuntime, data: Path, split: SplitName | None = None, source: Path = NOWHERE
) -> tuple[FramesEvaluation, list[RunEvent]]:
    return followed(evaluate_frames(model, source, data, split, rate=None, jobs=2))


def paint_wild(index: int, size: Size) -> Pixels:
    return np.roll(paint_square()(index, size), 11 * (index % 2) * (index in JUMPS) + 5 * (index == 10), axis=1)


def labelled_films(folder: Path, wrong: int = 0) -> Path:
    """Two films of 14 frames that jump for a while, and their labels; `wrong` labels more for a third film."""
    rows = []
    for number in range(2 + bool(wrong)):
        make_film(folder / f"film{number}.mkv", frames=14, fps=10.0, size=FRAMES_SIZE, paint=paint_wild)
        count = 14 + wrong * (number == 2)
        rows += [[f"film{number}.mkv", index, int(index in JUMPS)] for index in range(count)]
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "frame", "label"], *rows])
    return folder / "labels.csv"


def test_on_its_own_films_a_model_is_scored_on_its_test_part(tiny_forecaster: TinyRun) -> None:
    model = TorchFrames.open(tiny_forecaster.model)
    found, _ = scored(model, tiny_forecaster.data, source=tiny_forecaster.folder)
    assert (found.films, found.seen) == (1, 4) and found.detection is None
    assert found.foretold is not None and "mean image" in [row.name for row in found.foretold.rows]
    everything, _ = scored(model, tiny_forecaster.data, "all", tiny_forecaster.folder)
    assert (everything.films, everything.seen) == (5, 0)
    learnt, _ = scored(model, tiny_forecaster.data, "train", tiny_forecaster.folder)
    assert learnt.films == 3


def test_its_scores_are_those_that_training_told(tiny_forecaster: TinyRun) -> None:
    model = TorchFrames.open(tiny_forecaster.model)
    found, _ = scored(model, tiny_forecaster.data, source=tiny_forecaster.folder)
    assert found.foretold is not None
    assert found.foretold.model.overall.mse == pytest.approx(model.header.scores["mse"], rel=1e-4)


def test_the_json_has_the_keys_that_are_promised(tmp_path: Path) -> None:
    found, _ = scored(gliding_model(), labelled_films(tmp_path))
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    promised = {"task", "mse_sum", "mae_sum", "mse", "psnr", "ssim", "per_step", "baselines"}
    assert promised | {"auc", "auc_normalised", "eer", "per_film"} <= set(told)
    assert told["task"] == "next-frame" and len(told["per_step"]) == 3
    assert {"black frame", "copy of the last frame", "last frame warped by optical flow"} == set(told["baselines"])
    without, _ = scored(gliding_model(), make_squares(tmp_path / "films", 1))
    assert promised <= set(without.as_json()) and "auc" not in without.as_json()


def test_unusual_frames_are_told_beside_what_needs_no_learning(tmp_path: Path) -> None:
    found, _ = scored(gliding_model(), labelled_films(tmp_path))
    assert found.detection is not None
    assert found.detection.model.auc > 0.7
    assert len(found.detection.model.per_film) == 2
    names = {row.name for row in found.detection.baselines}
    assert {"frame difference", "flow warp error", "flow magnitude"} <= names
    assert any("unusual" in sentence for sentence in found.detection.sentences)


def test_a_film_that_has_more_labels_than_frames_costs_a_row(tmp_path: Path) -> None:
    found, events = scored(gliding_model(), labelled_films(tmp_path, wrong=3))
    [failure] = found.failures
    assert failure.path.name == "film2.mkv" and "14" in failure.reason and "17" in failure.reason
    assert found.films == 2 and found.as_json()["skipped"] == 1
    assert any(isinstance(event, LeftOut) for event in events)


def test_a_bad_film_costs_a_row_and_a_film_that_is_too_short_a_warning(tmp_path: Path) -> None:
    data = make_squares(tmp_path / "films", 1, frames=5)
    (data / "bad.mkv").write_bytes(b"no film")
    found, events = scored(gliding_model(), data)
    assert found.foretold is None and found.films == 1
    assert [failure.path.name for failure in found.failures] == ["bad.mkv"]
    assert any(isinstance(one, Note) and one.warning and "as long as a context" in one.text for one in events)
    assert "mse" not in found.as_json()


def test_a_single_film_is_scored(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", frames=15, fps=10.0, size=FRAMES_SIZE, paint=paint_square())
    found, _ = scored(gliding_model(), film)
    assert found.foretold is not None and found.foretold.stretches == 2
    assert found.foretold.model.overall.mse < 1e-6


def test_the_steps_of_a_long_film_are_measured_on_stretches_from_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidrnn.evaluate.frames_evaluate._MOST_STRETCHES", 2)
    asked: list[list[int]] = []

    def noted(model: FrameRuntime, stretches: list[Pixels], mean: object, part: str) -> None:
        asked.append([int(stretch[0, 0, 0, 0]) for stretch in stretches])

    monkeypatch.setattr("vidrnn.evaluate.frames_evaluate.appraise", noted)

    def paint(index: int, size: Size) -> Pixels:
        return np.full((size.height, size.width, 3), 2 * index, dtype=np.uint8)

    scored(gliding_model(), make_film(tmp_path / "long.mkv", frames=40, fps=10.0, size=FRAMES_SIZE, paint=paint))
    assert asked == [[0, 2 * 7 * 4]], "of five stretches every fourth: the first and the last"


def test_films_of_which_none_can_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "bad.mkv").write_bytes(b"no film")
    with pytest.raises(DataError, match=r"bad\.mkv"):
        scored(gliding_model(), tmp_path / "films")
