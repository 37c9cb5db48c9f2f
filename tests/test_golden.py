"""The answers of the shipped models stay what they were: labels are equal, and numbers agree to 1e-3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidrnn.batch.batch import Batch
from vidrnn.batch.engines.local import Local
from vidrnn.batch.work import PredictionRequest
from vidrnn.outputs.base import prediction_json
from vidrnn.predict.predictor import Predictor, open_model

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text(encoding="utf-8"))
MODELS = ("moves", "actions", "next")
CLOSE = 1e-3
"""Other processors round otherwise."""


def check(row: dict[str, Any], golden: dict[str, Any]) -> None:
    """Hold the JSON of an answer against the stored one."""
    for name, value in golden.items():
        if name == "segments":
            continue
        assert row[name] == (pytest.approx(value, abs=CLOSE) if isinstance(value, float) else value)
    found = [(one["start_seconds"], one["end_seconds"], one["label"], one["probability"]) for one in row["segments"]]
    assert [label for _, _, label, _ in found] == [label for _, _, label, _ in golden["segments"]]
    for (start, end, _, probability), (golden_start, golden_end, _, golden_probability) in zip(
        found, golden["segments"], strict=True
    ):
        assert (start, end) == (pytest.approx(golden_start, abs=CLOSE), pytest.approx(golden_end, abs=CLOSE))
        assert probability == pytest.approx(golden_probability, abs=CLOSE)


@pytest.mark.parametrize("model", MODELS)
def test_a_shipped_model_answers_as_before(model: str) -> None:
    predictor = Predictor(open_model(ROOT / "models" / model)[0], threads=2)
    paths = [ROOT / "sample_videos" / name for name in GOLDEN["films"]]
    for prediction, golden in zip(predictor.predict_all(paths), GOLDEN["films"].values(), strict=True):
        check(prediction_json("film", prediction), golden[model])  # type: ignore[arg-type]


def test_a_folder_gets_the_answers_of_before(tmp_path: Path) -> None:
    model = ROOT / "models" / "moves"
    request = PredictionRequest(model, ("jsonl",), open_model(model)[0].handling.decision)
    films = tuple(ROOT / "sample_videos" / name for name in GOLDEN["films"])
    batch = Batch(request.work(), films, (ROOT / "sample_videos",), tmp_path / "out")
    rows = {done.row["path"]: done.row for done in batch.run(Local(2))}
    for name, golden in GOLDEN["films"].items():
        check(rows[name], golden["moves"])


@pytest.mark.parametrize("model", GOLDEN["exported"])
def test_an_exported_file_gives_the_numbers_of_before(model: str) -> None:
    runtime = open_model(ROOT / "models" / model)[0]
    size = runtime.handling.size
    clips = np.random.default_rng(0).integers(0, 256, (2, 5, size.height, size.width, 3), dtype=np.uint8)
    outputs, state = runtime.read(clips)
    golden = GOLDEN["exported"][model]
    np.testing.assert_allclose(outputs["clip"], golden["clip"], atol=CLOSE)
    assert {name: float(np.abs(tensor).sum()) for name, tensor in state.items()} == {
        name: pytest.approx(value, rel=CLOSE) for name, value in golden["state"].items()
    }
