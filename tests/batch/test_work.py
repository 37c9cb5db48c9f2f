"""What decides about an answer: where it differs, a film is read again, and where it does not, it is not."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import FRAMES_SIZE, TinyRun, make_film, paint_square

from vidrnn.batch import work
from vidrnn.batch.work import PredictionRequest, formats_named, model_hash, open_reader
from vidrnn.errors import ModelError, UsageError
from vidrnn.predict.predictor import handling_of
from vidrnn.values import DecisionRule

FILES = ("model.onnx", "model.safetensors", "model.xml", "model.bin")


@pytest.fixture
def request_of_moves(tmp_path: Path) -> PredictionRequest:
    """A request for a copy of the model of next frames that comes with vidrnn, with a file for every runtime."""
    from vidrnn.model.header import shipped_models

    model = Path(shutil.copytree(shipped_models() / "next", tmp_path / "model"))
    for name in FILES[2:]:
        (model / name).write_text(name)
    return PredictionRequest(model, ("jsonl",), DecisionRule())


def changed(name: str, value: Any) -> dict[str, Any]:
    return {"rule": DecisionRule(**{name: value})}


@pytest.mark.parametrize("name", FILES)
def test_every_file_that_a_model_may_be_read_from_decides(request_of_moves: PredictionRequest, name: str) -> None:
    before = model_hash(request_of_moves.model)
    with (request_of_moves.model / name).open("ab") as file:
        file.write(b"trained on")
    assert model_hash(request_of_moves.model) != before


@pytest.mark.parametrize(
    "setting",
    [
        {"runtime": "torch"},
        {"device": "cuda"},
        {"rate": 12.5},
        {"rollout": 2},
        {"normalised": True},
        changed("threshold", 0.5),
        changed("threshold", {"anomaly": 0.5}),
        changed("reset", "never"),
        changed("hysteresis", 0.2),
        changed("shortest_seconds", 2.0),
    ],
    ids=str,
)
def test_every_setting_that_changes_answers_decides(
    request_of_moves: PredictionRequest, setting: dict[str, Any]
) -> None:
    before, after = request_of_moves.work(), replace(request_of_moves, **setting).work()
    assert before.identity != after.identity
    json.dumps(after.settings)


def test_another_version_of_answers_decides(
    request_of_moves: PredictionRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = request_of_moves.work().identity
    monkeypatch.setattr(work, "ANSWERS_VERSION", work.ANSWERS_VERSION + 1)
    assert request_of_moves.work().identity != before


def test_forms_threads_and_the_place_of_the_model_do_not_decide(
    request_of_moves: PredictionRequest, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    moved = Path(shutil.copytree(request_of_moves.model, tmp_path / "elsewhere" / "model"))
    other = replace(request_of_moves, threads=4, formats=("csv", "srt"), model=moved)
    assert other.work().identity == request_of_moves.work().identity
    assert other.work().suffixes == (".segments.csv", ".srt")


def test_one_file_is_a_model_and_none_is_an_error(tmp_path: Path) -> None:
    for name in FILES[:2]:
        (tmp_path / name).write_text(name)
        assert model_hash(tmp_path / name)
        (tmp_path / name).unlink()
    with pytest.raises(ModelError):
        model_hash(tmp_path)


def test_formats_are_named_once_each_and_others_are_refused() -> None:
    assert formats_named(" csv, jsonl,csv") == ("csv", "jsonl")
    for wrong in ("doc", "", "csv,doc"):
        with pytest.raises(UsageError, match="There are: jsonl, csv, steps, "):
            formats_named(wrong)


# --- a model of the next frames ---------------------------------------------------------------------------------------


def into(folder: Path) -> Callable[[str], Path]:
    return lambda suffix: folder / f"film{suffix}"


def test_a_reader_writes_each_form_and_gives_the_row(tiny_forecaster: TinyRun, tmp_path: Path) -> None:
    film = make_film(tmp_path / "one.mkv", frames=9, fps=10.0, size=FRAMES_SIZE, paint=paint_square(7))
    rule = replace(handling_of(tiny_forecaster.model).decision, threshold=0.0)
    request = PredictionRequest(tiny_forecaster.model, ("jsonl", "steps"), rule, rollout=2, normalised=True)
    assert request.work().columns == ("anomaly", "mse", "segments", "duration_seconds", "frames", "notes")
    row = open_reader(json.loads(json.dumps(request.work().settings)))(film, "a/one.mkv", into(tmp_path))
    assert json.loads((tmp_path / "film.jsonl").read_text()) == row
    assert list(row) == ["path", "anomaly", "mse", "segments", "duration_seconds", "frames", "notes"]
    (segment,) = row["segments"]
    assert (segment["label"], segment["start_seconds"]) == ("anomaly", pytest.approx(0.2))
    assert (row["path"], row["frames"], row["notes"]) == ("a/one.mkv", 9, [])
    with (tmp_path / "film.steps.csv").open(newline="") as table:
        steps = list(csv.DictReader(table))
    assert list(steps[0]) == ["frame", "seconds", "mse", "psnr", "worst_block", "anomaly", "anomaly_in_film"]
    assert [step["frame"] for step in steps] == [str(index) for index in range(9)]
    assert [step["anomaly"] == "" for step in steps] == [True, True, *[False] * 7]
