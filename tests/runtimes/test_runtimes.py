"""Runtimes: what reads a model is chosen, said and refused in sentences; with onnx nothing of torch is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import TinyRun, make_film
from test_packaging import MODELS, ROOT
from vidrnn.export.frames_export import largest_difference

import vidrnn
from vidrnn.errors import ModelError, UsageError
from vidrnn.model.header import find_weights, foretells_frames, read_handling, read_header, shipped_models
from vidrnn.predict.predictor import Predictor, open_model
from vidrnn.runtimes import RUNTIMES
from vidrnn.runtimes.onnx import OnnxFrames, OnnxRuntime
from vidrnn.runtimes.torch import TorchFrames, TorchRuntime
from vidrnn.values import FilmPrediction

SAMPLES = sorted((ROOT / "sample_videos").glob("**/*.webm"))
MOVES = ROOT / "models" / "moves"
CLASSIFIERS = [folder for folder in MODELS if not foretells_frames(folder)]
NEXT = ROOT / "models" / "next"


def answers(model: Path, runtime: str, films: list[Path]) -> list[FilmPrediction]:
    predictor = Predictor(open_model(model, runtime)[0], threads=2)
    return [found for found in predictor.predict_all(films) if isinstance(found, FilmPrediction)]


def assert_same_answers(model: Path, films: list[Path]) -> None:
    for one, other in zip(answers(model, "onnx", films), answers(model, "torch", films), strict=True):
        assert one.label == other.label
        for mine, theirs in zip(one.top, other.top, strict=True):
            assert mine.label == theirs.label and mine.probability == pytest.approx(theirs.probability, abs=1e-4)
        assert [(s.start_seconds, s.end_seconds, s.label) for s in one.segments] == [
            (s.start_seconds, s.end_seconds, s.label) for s in other.segments
        ]


@pytest.mark.parametrize("folder", CLASSIFIERS, ids=lambda folder: folder.name)
def test_a_shipped_model_answers_alike_by_both_runtimes(folder: Path) -> None:
    assert_same_answers(folder, SAMPLES[::29])


@pytest.mark.slow
@pytest.mark.parametrize("folder", CLASSIFIERS, ids=lambda folder: folder.name)
def test_a_shipped_model_answers_alike_for_every_sample_film(folder: Path) -> None:
    assert_same_answers(folder, SAMPLES)


@pytest.mark.parametrize("folder", CLASSIFIERS, ids=lambda folder: folder.name)
def test_a_shipped_portable_file_is_of_the_model_beside_it(folder: Path) -> None:
    assert OnnxRuntime.open(folder / "model.onnx").header == read_header(find_weights(folder))


def test_the_shipped_model_of_next_frames_paints_alike_by_both_runtimes() -> None:
    portable = OnnxFrames.open(NEXT / "model.onnx")
    assert portable.header == read_header(find_weights(NEXT))
    assert largest_difference(TorchFrames.open(NEXT), portable) < 1e-3


PREDICT = """
import sys
sys.argv = ["vidrnn", "predict", *sys.argv[1:]]
from vidrnn.cli import run
try:
    run()
finally:
    print("loaded:", *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def test_with_onnx_predict_loads_nothing_of_torch() -> None:
    command = [sys.executable, "-c", PREDICT, str(SAMPLES[0]), "--model", str(MOVES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stderr.partition("loaded:")[2].split())
    assert {"cv2", "numpy", "onnxruntime"} <= loaded
    assert not loaded & {"torch", "torchvision", "torchmetrics", "onnx", "onnxscript"}


def test_the_usual_runtime_is_onnx_where_there_is_a_file_and_torch_is_said_where_there_is_none(
    tiny_run: TinyRun,
) -> None:
    opened, remark = open_model(MOVES)
    assert (opened.name, remark) == ("onnx", "")
    opened, remark = open_model(tiny_run.model)
    assert opened.name == "torch"
    assert "no model.onnx" in remark and f"vidrnn export {tiny_run.model}" in remark
    assert vidrnn.load(MOVES).model.name == "onnx"
    assert vidrnn.load(MOVES, runtime="torch").model.name == "torch"


def test_the_onnx_alone_is_a_model(tmp_path: Path) -> None:
    alone = tmp_path / "anything.onnx"
    alone.write_bytes((MOVES / "model.onnx").read_bytes())
    found = vidrnn.load(alone).predict(SAMPLES[0])
    assert found.label == vidrnn.load(MOVES).predict(SAMPLES[0]).label
    with pytest.raises(ModelError, match=r"torch reads model\.safetensors"):
        open_model(alone, "torch")


def test_what_cannot_be_opened_is_a_sentence(tmp_path: Path, tiny_run: TinyRun) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes((MOVES / "model.onnx").read_bytes()[:5000])
    with pytest.raises(ModelError, match="not a whole ONNX file"):
        open_model(broken)
    stored = onnx.load(MOVES / "model.onnx")
    del stored.metadata_props[:]
    onnx.save(stored, tmp_path / "foreign.onnx")
    with pytest.raises(ModelError, match="not a model that vidrnn made"):
        open_model(tmp_path / "foreign.onnx")
    with pytest.raises(ModelError, match=r"no model\.onnx in it.*vidrnn export"):
        open_model(tiny_run.model, "onnx")
    with pytest.raises(ModelError, match="no such model"):
        open_model(tmp_path / "none")
    with pytest.raises(UsageError, match="There are: onnx"):
        open_model(MOVES, "tensorrt")
    with pytest.raises(UsageError, match="--device cpu"):
        open_model(MOVES, "onnx", "cuda")


def test_a_newer_or_damaged_header_is_told_of_as_in_a_weights_file() -> None:
    text = read_header(find_weights(MOVES)).to_json()
    assert read_handling(text, "x") == read_header(find_weights(MOVES)).handling
    with pytest.raises(ModelError, match=r"made with model format 99.*pip install"):
        read_handling(text.replace('"format_version":1', '"format_version":99'), "x")
    for damaged in ("{", "[]", text.replace('"frames":16', '"frames":"many"'), text.replace('"classes"', '"class"')):
        with pytest.raises(ModelError, match="damaged"):
            read_handling(damaged, "x")


@pytest.mark.parametrize("threads", [1, 2])
def test_how_many_threads_compute_for_a_film_changes_nothing(tmp_path: Path, threads: int) -> None:
    film = make_film(tmp_path / "film.mkv", frames=150)
    model = open_model(MOVES, "onnx")[0]
    found = Predictor(model, threads=2, per_film=threads).score(film)
    expected = Predictor(TorchRuntime.open(MOVES)).score(film)
    np.testing.assert_allclose(found.film_scores, expected.film_scores, atol=1e-4)


def test_every_runtime_says_its_name() -> None:
    assert set(RUNTIMES) == {"onnx", "openvino", "torch"}
    assert shipped_models().is_dir()
