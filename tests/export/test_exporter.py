"""Portable files: they answer as the model does, however they are asked, and one that does not is never left behind."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from conftest import TinyRun, make_film
from model.test_checkpoint import CARD, make_header
from nets.test_classifier import SIDE, make_model

from vidrnn.config import EncoderConfig, HeadConfig
from vidrnn.data.films import content_hash
from vidrnn.errors import ExportError, UsageError
from vidrnn.export import EXPORTS
from vidrnn.export.exporter import CHUNKS, TOLERANCE, Portable, Request, export_model, kept, largest_difference
from vidrnn.export.graphs import fresh_state
from vidrnn.export.onnx import OnnxExport
from vidrnn.export.torch import TorchExport
from vidrnn.model.checkpoint import LoadedModel, load_model, save_model
from vidrnn.nets.heads import HEADS
from vidrnn.nets.readouts import READOUTS
from vidrnn.predict.predictor import Predictor, open_model
from vidrnn.runtimes.base import Runtime, State
from vidrnn.runtimes.onnx import OnnxRuntime
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.values import Part, Pixels


@dataclass(frozen=True)
class Case:
    head: HeadConfig
    readout: str
    differences: bool = False

    def model(self) -> LoadedModel:
        header = make_header(self.head, self.readout)
        encoder = EncoderConfig(name="small", frozen=False, origin="none", differences=self.differences)
        header = header.model_copy(update={"spec": header.spec.model_copy(update={"encoder": encoder})})
        network = make_model(self.head, self.readout, differences=self.differences)
        return LoadedModel(network, header, Path("made"))


STREAMING = {
    f"{name}-{readout}": Case(HeadConfig(name=name, size=8, layers=None if name == "none" else 2), readout)
    for name, readout in zip(HEADS, [*READOUTS] * len(HEADS), strict=False)
} | {
    "gru-features-move": Case(HeadConfig(name="gru", size=8, motion=True), "attention"),
    "gru-frames-move": Case(HeadConfig(name="gru", size=8), "attention", differences=True),
}
WHOLE = {"lstm-both": Case(HeadConfig(name="lstm", size=8, layers=2, bidirectional=True), "mean")}


@pytest.fixture(scope="module", params=[*STREAMING, *WHOLE])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[LoadedModel, Path]:
    """A model, and its file."""
    model = (STREAMING | WHOLE)[request.param].model()
    file = tmp_path_factory.mktemp("portable") / "model.onnx"
    assert kept(OnnxExport(), model, file) <= TOLERANCE
    return model, file


@pytest.fixture(scope="module")
def tiny(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model's folder, with its portable file."""
    folder = shutil.copytree(tiny_run.model, tmp_path_factory.mktemp("tiny") / "model")
    made(Request(folder, "onnx"))
    return folder


def made(request: Request) -> Portable:
    journey = export_model(request)
    while True:
        try:
            next(journey)
        except StopIteration as end:
            found = end.value
            assert isinstance(found, Portable)
            return found


def clip(batch: int, time: int) -> Pixels:
    return np.random.default_rng(batch * 100 + time).integers(0, 256, (batch, time, SIDE, SIDE, 3), dtype=np.uint8)


def assert_near(one: State, other: State) -> None:
    assert set(one) == set(other)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-4)


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("time", [1, 2, 11, 23])
def test_a_file_reads_whole_clips_of_any_number_and_length(
    exported: tuple[LoadedModel, Path], batch: int, time: int
) -> None:
    model, file = exported
    frames = clip(batch, time)
    with torch.no_grad():
        expected, _ = model.network(torch.from_numpy(frames))
    found, _ = OnnxRuntime.open(file).read(frames)
    np.testing.assert_allclose(found.clip, expected.clip.numpy(), atol=1e-4)
    np.testing.assert_allclose(found.steps, expected.steps.numpy(), atol=1e-4)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_file_read_in_chunks_with_its_state_reads_as_the_model_reads_whole(
    exported: tuple[LoadedModel, Path], chunk: int
) -> None:
    model, file = exported
    runtime, frames = OnnxRuntime.open(file), clip(2, 23)
    if not runtime.streams:
        pytest.skip("this model reads whole clips")
    state: State | None = None
    steps = []
    for start in range(0, 23, chunk):
        scores, state = runtime.read(frames[:, start : start + chunk], state)
        steps.append(scores.steps)
    expected, end = TorchRuntime(model).read(frames)
    np.testing.assert_allclose(np.concatenate(steps, 1), expected.steps, atol=1e-4)
    np.testing.assert_allclose(scores.clip, expected.clip, atol=1e-4)
    assert state is not None
    assert_near(state, end)


def test_a_file_goes_on_from_the_models_own_state(exported: tuple[LoadedModel, Path]) -> None:
    model, file = exported
    runtime, torch_runtime = OnnxRuntime.open(file), TorchRuntime(model)
    _, carried = torch_runtime.read(clip(2, 9))
    found, after = runtime.read(clip(2, 4), carried)
    expected, end = torch_runtime.read(clip(2, 4), carried)
    np.testing.assert_allclose(found.clip, expected.clip, atol=1e-4)
    assert_near(after, end)


@pytest.mark.parametrize("count", [1, 8, 19])
def test_frames_are_encoded_alike_with_and_without_the_one_before(
    exported: tuple[LoadedModel, Path], count: int
) -> None:
    model, file = exported
    runtime, torch_runtime = OnnxRuntime.open(file), TorchRuntime(model)
    frames = clip(1, count + 1)[0]
    for before in (None, frames[0]):
        found, expected = runtime.encode(frames[1:], before), torch_runtime.encode(frames[1:], before)
        np.testing.assert_allclose(found, expected, atol=1e-4)
    windows = [expected, expected[::-1]]
    np.testing.assert_allclose(runtime.score(windows).clip, torch_runtime.score(windows).clip, atol=1e-4)


def test_a_fresh_start_can_be_told_in_numbers(exported: tuple[LoadedModel, Path]) -> None:
    model, _ = exported
    if not model.network.streams:
        assert fresh_state(model) == {}
        return
    frames = torch.from_numpy(clip(2, 5))
    state = {name: torch.from_numpy(tensor.made(2)) for name, tensor in fresh_state(model).items()}
    with torch.no_grad():
        told, none = model.network(frames, state), model.network(frames, None)
    torch.testing.assert_close(told[0].steps, none[0].steps)
    torch.testing.assert_close(told[0].clip, none[0].clip)
    torch.testing.assert_close(told[1], none[1])


# --- the file --------------------------------------------------------------------------------------------------------


def test_a_file_tells_all_of_itself_and_nothing_of_the_machine_it_was_made_on(
    exported: tuple[LoadedModel, Path],
) -> None:
    model, file = exported
    assert OnnxRuntime.open(file).header == model.header
    whole = file.read_bytes()
    for path in (Path(torch.__file__).parent, Path(__file__).parent.parent.parent, file.parent, Path.home()):
        assert str(path).encode() not in whole
    stored = onnx.load(file)
    onnx.checker.check_model(stored)
    sizes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*stored.graph.input, *stored.graph.output)
    }
    assert sizes["frames"] == ["batch", "time", SIDE, SIDE, 3]
    assert sizes["steps"] == ["batch", "time", 3] and sizes["clip"] == ["batch", 3]
    assert {name for name in sizes if name.endswith(".next")} == {f"{name}.next" for name in fresh_state(model)}


def test_a_head_that_reads_both_ways_says_that_it_does_not_stream(tmp_path: Path) -> None:
    case = WHOLE["lstm-both"]
    save_model(tmp_path / "m", case.model().network, case.model().header, CARD)
    found = made(Request(tmp_path / "m", "onnx"))
    assert "does not stream" in found.sentence
    assert "does not stream" in (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    assert not OnnxRuntime.open(found.file).streams
    with pytest.raises(ExportError, match="whole clips"):
        made(Request(tmp_path / "m", "torch"))
    assert {file.name for file in (tmp_path / "m").iterdir()} == {"model.safetensors", "model.onnx", "README.md"}


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are kept that hold nothing, which is quick; what they are said to differ by grows."""
    differences = iter(np.geomspace(1e-6, 1e-2, 20).tolist())

    def keep(export: OnnxExport, model: LoadedModel, file: Path, *_: object) -> float:
        file.write_bytes(b"")
        return float(next(differences))

    monkeypatch.setattr("vidrnn.export.exporter.kept", keep)


@pytest.mark.usefixtures("unchecked")
def test_the_card_tells_the_largest_difference_and_an_older_one_goes(tiny_run: TinyRun, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_run.model, tmp_path / "model")
    before = (folder / "README.md").read_text(encoding="utf-8")
    for precision in ("fp32", "fp16", "fp32"):
        found = made(Request(folder, "onnx", precision))  # type: ignore[arg-type]
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert card.startswith(before.rstrip()) and found.sentence in card
        assert re.search(r"at most \d\.\de-0\d from the model's", found.sentence)
    assert (card.count("`model.onnx`"), card.count("`model-fp16.onnx`"), card.count("## Portable files")) == (1, 1, 1)


# --- the check -------------------------------------------------------------------------------------------------------


class Wrong(Runtime):
    """Answers as another does, but for one thing."""

    def __init__(self, right: Runtime, wrong: str) -> None:
        self.right, self.wrong = right, wrong

    @property
    def streams(self) -> bool:
        return self.right.streams

    def read(self, frames: Pixels, state: State | None = None):  # type: ignore[no-untyped-def]
        scores, after = self.right.read(frames, None if self.wrong == "forgets" else state)
        if self.wrong == "steps" and frames.shape[1] == 4:
            scores = replace(scores, steps=scores.steps + 0.01)
        if self.wrong == "clip" and frames.shape[1] == 20:
            scores = replace(scores, clip=scores.clip * np.nan)
        if self.wrong == "state":
            after = {name: tensor * (1 + 1e-3) for name, tensor in after.items()}
        return scores, after

    def encode(self, pixels: Pixels, before: Pixels | None = None):  # type: ignore[no-untyped-def]
        return self.right.encode(pixels, before) + (0.01 if self.wrong == "encode" else 0)

    def follow(self, features, state: State | None = None):  # type: ignore[no-untyped-def]
        return self.right.follow(features, None if self.wrong == "follow" else state)

    def score(self, windows):  # type: ignore[no-untyped-def]
        scores = self.right.score(windows)
        return replace(scores, clip=scores.clip[:, ::-1]) if self.wrong == "score" else scores


@pytest.mark.parametrize("wrong", ["forgets", "steps", "clip", "state", "encode", "follow", "score"])
def test_the_check_finds_what_is_wrong(wrong: str) -> None:
    model = TorchRuntime(STREAMING["gru-frames-move"].model())
    assert largest_difference(model, Wrong(model, ""), [clip(1, 20)]) <= TOLERANCE / 10
    assert not largest_difference(model, Wrong(model, wrong), [clip(1, 20)]) <= TOLERANCE


def test_a_file_that_answers_otherwise_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = STREAMING["gru-frames-move"].model()
    monkeypatch.setattr(OnnxExport, "write", lambda self, model, file, *_: file.write_bytes(b"newer"))
    monkeypatch.setattr(OnnxExport, "read", lambda self, file: Wrong(TorchRuntime(model), "encode"))
    older = tmp_path / "model.onnx"
    older.write_bytes(b"older")
    with pytest.raises(ExportError, match=r"differ by up to 0\.0\d+, and 0\.0001 is allowed"):
        kept(OnnxExport(), model, older)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    assert older.read_bytes() == b"older"


# --- other forms and precisions --------------------------------------------------------------------------------------


def test_a_torch_program_steps_through_a_clip_without_vidrnn(tmp_path: Path) -> None:
    model = STREAMING["gru-features-move"].model()
    assert kept(TorchExport(), model, tmp_path / "model.pt2") <= TOLERANCE
    beside = {"vidrnn": "", "vidrnn.state": ""}
    step = torch.export.load(tmp_path / "model.pt2", extra_files=beside).module()
    frames = clip(3, 7)
    state = [tensor.made(3) for tensor in fresh_state(model).values()]
    assert list(json.loads(beside["vidrnn.state"])) == list(fresh_state(model))
    held = [torch.from_numpy(tensor) for tensor in state]
    with torch.no_grad():
        for time in range(7):
            scores, _, _, *held = step(torch.from_numpy(frames[:, time : time + 1]), *held)
    np.testing.assert_allclose(scores.numpy(), TorchRuntime(model).read(frames)[0].clip, atol=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_openvino_reads_a_model_as_torch_does(tmp_path: Path, tiny_run: TinyRun, precision: str) -> None:
    pytest.importorskip("openvino")
    from vidrnn.export.openvino import OpenvinoExport

    model, film = load_model(tiny_run.model), make_film(tmp_path / "film.mkv", frames=40)
    found = kept(OpenvinoExport(), model, tmp_path / "model.xml", precision)  # type: ignore[arg-type]
    assert found <= (TOLERANCE if precision == "fp32" else 0.1)
    predictor = Predictor(open_model(tmp_path / "model.xml")[0], threads=2)
    assert predictor.model.name == "openvino" and predictor.model.header == model.header
    tolerance = 1e-4 if precision == "fp32" else 0.02
    answer, expected = predictor.predict(film), Predictor(TorchRuntime(model)).predict(film)
    assert answer.probability == pytest.approx(expected.probability, abs=tolerance)


def test_lower_precision_is_smaller_and_says_what_it_costs(tiny: Path, class_folders: Path, tmp_path: Path) -> None:
    whole = (tiny / "model.onnx").stat().st_size
    for precision in ("fp16", "int8"):
        out = tmp_path / f"{precision}.onnx"
        found = made(Request(tiny, "onnx", precision, class_folders, out))  # type: ignore[arg-type]
        assert found.scored and not found.scored.seen
        before, after = found.scored.before.scores, found.scored.after.scores
        told = f"accuracy on {after.clips} clips {after.accuracy:.3f}, {before.accuracy:.3f} before"
        assert told in found.sentence
        assert 0 < found.difference < 1 and found.size_bytes == out.stat().st_size < 0.8 * whole
        kinds = {weights.data_type for weights in onnx.load(out).graph.initializer}
        assert {"fp16": onnx.TensorProto.FLOAT16, "int8": onnx.TensorProto.INT8}[precision] in kinds


@pytest.mark.usefixtures("unchecked")
def test_a_loss_that_was_not_measured_is_said_to_be_so(tiny_run: TinyRun, tmp_path: Path) -> None:
    found = made(Request(tiny_run.model, "onnx", "fp16", None, tmp_path / "half.onnx"))
    assert "not measured" in found.sentence


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (("onnx", "int8"), "--calibrate DATA"),
        (("torch", "fp16"), "as fp32"),
        (("openvino", "int8"), "as fp32, fp16"),
        (("tflite", "fp32"), "There are: onnx, openvino, torch"),
    ],
)
def test_what_cannot_be_had_is_refused_in_a_sentence(tiny: Path, request_: tuple[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        made(Request(tiny, *request_))  # type: ignore[arg-type]


def test_every_form_has_a_name_of_its_own() -> None:
    assert set(EXPORTS) == {"onnx", "openvino", "torch"}


def test_scores_on_clips_that_the_model_learnt_from_are_said_to_be_so(
    tiny_run: TinyRun, tiny: Path, tmp_path: Path
) -> None:
    seen = load_model(tiny).header.seen
    learnt = [film for film in sorted(tiny_run.data.rglob("*.avi")) if seen[content_hash(film)] == Part.TRAIN]
    rows = [f"{film},{film.parent.name}" for film in learnt]
    (tmp_path / "learnt.csv").write_text("\n".join(["path,label", *rows]))
    found = made(Request(tiny, "onnx", "fp16", tmp_path / "learnt.csv", tmp_path / "half.onnx"))
    assert found.scored and found.scored.seen
    assert f"accuracy on {len(learnt)} clips that the model learnt from or was chosen on" in found.sentence
