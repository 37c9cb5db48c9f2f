"""Runtimes give the same answers. How one is chosen, named and refused; with onnx nothing of torch is loaded."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import TinyRun, make_film
from test_packaging import MODELS, ROOT

import vidrnn
from vidrnn.errors import FilmError, ModelError, UsageError
from vidrnn.export.exporter import largest_difference
from vidrnn.model.header import find_weights, read_handling, read_header, shipped_models
from vidrnn.predict.predictor import Predictor, open_model
from vidrnn.registry import load_member
from vidrnn.runtimes import RUNTIMES
from vidrnn.runtimes.onnx import OnnxRuntime, open_session
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.values import FORMAT_VERSION, FilmFailure, FilmPrediction, Window

SAMPLES = sorted((ROOT / "sample_videos").glob("**/*.webm"))
MOVES = ROOT / "models" / "moves"


def answers(model: Path, runtime: str, films: list[Path]) -> list[FilmPrediction]:
    predictor = Predictor(open_model(model, runtime)[0], threads=2)
    return [found for found in predictor.predict_all(films) if isinstance(found, FilmPrediction)]


def assert_same_answers(model: Path, films: list[Path]) -> None:
    found, expected = answers(model, "onnx", films), answers(model, "torch", films)
    assert len(found) == len(films)
    for one, other in zip(found, expected, strict=True):
        assert one.label == other.label
        assert one.timeline is not None and other.timeline is not None
        np.testing.assert_allclose(one.timeline.probabilities, other.timeline.probabilities, atol=1e-3)
        for mine, theirs in zip(one.top, other.top, strict=True):
            assert mine.label == theirs.label and mine.probability == pytest.approx(theirs.probability, abs=1e-4)
        assert [(s.start_seconds, s.end_seconds, s.label) for s in one.segments] == [
            (s.start_seconds, s.end_seconds, s.label) for s in other.segments
        ]


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_shipped_model_answers_alike_by_both_runtimes(folder: Path) -> None:
    assert_same_answers(folder, SAMPLES[::29])


@pytest.mark.slow
@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_shipped_model_answers_alike_for_every_sample_film(folder: Path) -> None:
    assert_same_answers(folder, SAMPLES)


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_shipped_portable_file_is_of_the_model_beside_it(folder: Path) -> None:
    assert OnnxRuntime.open(folder / "model.onnx").header == read_header(find_weights(folder))


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_shipped_portable_file_gives_the_numbers_of_the_model(folder: Path) -> None:
    portable, model = OnnxRuntime.open(folder / "model.onnx"), TorchRuntime.open(folder)
    size = model.handling.size
    draw = np.random.default_rng(0)
    noise, before = (draw.integers(0, 256, (1, 9, size.height, size.width, 3), dtype=np.uint8) for _ in range(2))
    window = Window(noise, before if model.handling.inputs else None)
    assert largest_difference(model, portable, [window]) < 1e-3


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_the_state_of_a_shipped_portable_file_fits_triton(folder: Path) -> None:
    session = open_session(folder / "model.onnx")
    pictures = {"frames", "before"}
    states = {each.name: each.shape for each in session.get_inputs() if each.name not in pictures}
    assert states and all(len(shape) >= 2 for shape in states.values())
    after = {each.name for each in session.get_outputs() if each.name.endswith(".next")}
    assert sorted(after) == [f"{name}.next" for name in sorted(states)]


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


def test_the_usual_runtime_is_onnx_where_there_is_a_file_and_torch_with_a_remark_where_there_is_none(
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


def test_a_file_that_cannot_be_opened_is_a_sentence(tmp_path: Path, tiny_run: TinyRun) -> None:
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
    with pytest.raises(UsageError, match="device cuda:99: torch cannot compute on it"):
        open_model(MOVES, "torch", "cuda:99")


def test_a_newer_or_damaged_header_gives_the_sentence_of_a_weights_file() -> None:
    text, known = read_header(find_weights(MOVES)).to_json(), f'"format_version":{FORMAT_VERSION}'
    assert read_handling(text, "x") == read_header(find_weights(MOVES)).handling
    with pytest.raises(ModelError, match=r"made with model format 99.*pip install"):
        read_handling(text.replace(known, '"format_version":99'), "x")
    for damaged in ("{", "[]", text.replace('"frames":16', '"frames":"many"'), text.replace('"classes"', '"class"')):
        with pytest.raises(ModelError, match="damaged"):
            read_handling(damaged, "x")


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_for_a_film_changes_nothing(tmp_path: Path, threads: int) -> None:
    film = make_film(tmp_path / "film.mkv", frames=150)
    model = open_model(MOVES, "onnx")[0]
    found = Predictor(model, threads=2, per_film=threads).read(film)
    expected = Predictor(TorchRuntime.open(MOVES)).read(film)
    assert found.clip is not None and expected.clip is not None
    np.testing.assert_allclose(found.clip, expected.clip, atol=1e-4)
    np.testing.assert_allclose(found.timeline.probabilities, expected.timeline.probabilities, atol=1e-4)


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_runtime_has_the_name_of_its_flag(name: str) -> None:
    assert load_member(RUNTIMES, "--runtime", name).name == name


def test_shipped_models_are_found() -> None:
    assert shipped_models().is_dir()


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.001, 0.05, 0.3, 0.6, 0.9, 0.95, 0.999])
def test_one_changed_bit_in_a_portable_file_is_a_sentence(tmp_path: Path, share: float) -> None:
    content = bytearray((MOVES / "model.onnx").read_bytes())
    content[int(share * len(content))] ^= 4
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"damaged.*Copy the model again") as caught:
        open_model(tmp_path / "model.onnx")
    assert str(caught.value).startswith(str(tmp_path))


def test_the_portable_file_of_another_model_is_told_and_one_alone_answers(tmp_path: Path) -> None:
    shutil.copy(MOVES / "model.onnx", tmp_path)
    assert open_model(tmp_path / "model.onnx")[0].handling.answer.task == "classify"
    shutil.copy(MOVES / "model.safetensors", tmp_path)
    open_model(tmp_path)
    shutil.copy(MOVES.parent / "actions" / "model.onnx", tmp_path)
    with pytest.raises(ModelError, match=r"belongs to another model.*vidrnn export"):
        open_model(tmp_path)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: float
) -> None:
    run_head = OnnxRuntime.run_head
    monkeypatch.setattr(OnnxRuntime, "run_head", lambda *given: [each + number for each in run_head(*given)])
    film = make_film(tmp_path / "film.mkv", frames=20, fps=10.0)
    predictor = Predictor(open_model(MOVES)[0])
    with pytest.raises(FilmError, match="not finite"):
        predictor.predict(film)
    with pytest.raises(FilmError, match="not finite"):
        predictor.stream().push(np.zeros((24, 32, 3), np.uint8), 0.0)
    assert isinstance(next(predictor.predict_all([film])), FilmFailure)


def test_onnx_computes_on_a_gpu_where_the_onnxruntime_for_gpus_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def session(content: bytes, options: object, providers: list[object]) -> onnxruntime.InferenceSession:
        asked.append(providers)
        return plain(content, options, providers=["CPUExecutionProvider"])

    plain = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    runtime, _ = open_model(MOVES, device="cuda:1")
    assert runtime.name == "onnx"
    assert asked[0] == [("CUDAExecutionProvider", {"device_id": "1"}), "CPUExecutionProvider"]
