"""Portable files answer as the model does, however they are asked. A file that does not is never left behind."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from conftest import TinyRun, followed, make_film
from model.test_checkpoint import CARD, make_header
from nets.test_classifier import make_model
from nets.test_frame_predictor import SIZE, header_of, model_of, spec_of
from nets.test_heads import MEMORYLESS
from torch import nn

from vidrnn.config import HeadConfig
from vidrnn.data.films import content_hash
from vidrnn.errors import ExportError, UsageError
from vidrnn.events import Note
from vidrnn.export import EXPORTS, graphs
from vidrnn.export.exporter import (
    CHUNKS,
    TOLERANCE,
    Portable,
    Request,
    describe,
    export_model,
    largest_difference,
    write_checked,
)
from vidrnn.export.graphs import fresh_state
from vidrnn.export.onnx import OnnxExport
from vidrnn.export.torch import TorchExport
from vidrnn.model.checkpoint import LoadedModel, load_model, save_model
from vidrnn.model.portable import StateTensor, next_of
from vidrnn.nets.decoders import DECODERS
from vidrnn.nets.encoders import TRAINED_FROM_SCRATCH
from vidrnn.nets.encoders.base import Encoder
from vidrnn.nets.heads import HEADS, PICTURE_HEADS
from vidrnn.nets.readouts import READOUTS
from vidrnn.nets.spec import EncoderConfig
from vidrnn.predict.predictor import Predictor, open_model
from vidrnn.runtimes.base import Array, Outputs, Runtime, State
from vidrnn.runtimes.onnx import OnnxRuntime
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.values import Part, PictureMotion, Pixels, Size, Window
from vidrnn.video.motion import motion_inputs

TIME = 41


@dataclass(frozen=True)
class Scores:
    """A network that scores classes."""

    head: HeadConfig
    readout: str = "attention"
    motion: tuple[PictureMotion, ...] = ()
    encoder: str = "small"
    members: int = 1

    def model(self) -> LoadedModel:
        header = make_header(self.head, self.readout)
        encoder = EncoderConfig(name=self.encoder, frozen=False, origin="none", motion=self.motion)
        parts = {"encoder": encoder, "members": self.members}
        header = header.model_copy(update={"spec": header.spec.model_copy(update=parts)})
        network = make_model(self.head, self.readout, self.members, encoder=self.encoder, motion=self.motion)
        if self.encoder not in TRAINED_FROM_SCRATCH:
            settle(network.encoder, header.spec.size)
        return LoadedModel(network, header, Path("model"))


def settle(encoder: Encoder, size: Size) -> None:
    """Have batch normalisation see something, as after training: else what differs is lost in it."""
    shape = (4, 8, size.height, size.width, 3)
    frames, before, flow = torch.randint(256, (3, *shape), dtype=torch.uint8).unbind(0)
    layers = [layer for layer in encoder.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in layers:
        layer.momentum = 1.0
    encoder.train()(frames, before, flow)
    encoder.eval()
    with torch.no_grad():
        layers[-1].weight.mul_(0.02)  # deep networks of random weights blow rounding up


@dataclass(frozen=True)
class Frames:
    """A network that predicts frames."""

    decoder: str
    head: str
    size: Size = SIZE
    grey: bool = True

    def model(self) -> LoadedModel:
        spec = spec_of(self.decoder, self.head, size=self.size, grey=self.grey)
        return LoadedModel(model_of(spec), header_of(spec), Path("model"))


def head(name: str, **settings: object) -> HeadConfig:
    return HeadConfig(name=name, size=8, **settings)  # type: ignore[arg-type]


DIFFERENCE: tuple[PictureMotion, ...] = ("difference",)
FEW: dict[str, Scores | Frames] = {
    "none": Scores(head("none"), "last"),
    "rnn": Scores(head("rnn"), "mean"),
    "lstm": Scores(head("lstm", layers=2)),
    "gru-motion": Scores(head("gru", motion=True)),
    "mingru": Scores(head("mingru", layers=1), "mean", DIFFERENCE),
    "rglru": Scores(head("rglru", layers=1), "last"),
    "linear": Scores(head("linear", motion=True), "statistics"),
    "gru-three": Scores(head("gru"), "statistics", members=3),
    "gru-both-difference": Scores(head("gru", bidirectional=True, motion=True), "mean", DIFFERENCE),
    "flow-gru": Frames("flow", "gru", Size(19, 16), grey=False),
    "kernel-none": Frames("kernel", "none"),
    "direct-convlstm": Frames("direct", "convlstm"),
}
"""Each head, each decoder, and each mechanism of the state once; the contract of tasks exports convgru."""
SIGHTS: tuple[tuple[bool, tuple[PictureMotion, ...]], ...] = (
    (False, DIFFERENCE),
    (True, ()),
    (True, DIFFERENCE),
    (True, ()),
)
"""Motion of features and of pixels, for each readout."""
_HEADS = {
    "none": head("none"),
    "gru": head("gru"),
    "gru-both": head("gru", bidirectional=True),
    "mingru-both": head("mingru", bidirectional=True),
}
_MOTIONS: dict[str, tuple[bool, tuple[PictureMotion, ...]]] = {
    "no-motion": (False, ()),
    "change": (True, ()),
    "difference": (False, DIFFERENCE),
    "difference-change": (True, DIFFERENCE),
    "flow": (False, ("flow",)),
    "difference-flow": (False, ("difference", "flow")),
}
SEEING: dict[str, Scores | Frames] = {
    f"{encoder}-{motion}-{name}": Scores(each.model_copy(update={"motion": change}), "mean", pictures, encoder)
    for encoder in ("mobilenet_v2", "resnet18", "small", "tiny")
    for motion, (change, pictures) in _MOTIONS.items()
    for name, each in _HEADS.items()
    if "flow" not in pictures or encoder not in TRAINED_FROM_SCRATCH
    if (encoder, name) != ("mobilenet_v2", "mingru-both")  # a norm in the head blows its rounding up
}
"""Each encoder with each motion that it can see, before each kind of head."""
_QUICK = (
    *("resnet18-difference-gru", "resnet18-difference-flow-gru-both", "resnet18-flow-none"),
    *("mobilenet_v2-difference-change-gru-both", "resnet18-difference-change-mingru-both"),
    *("small-difference-change-mingru-both", "tiny-difference-gru-both"),
)
FEW |= {name: SEEING[name] for name in _QUICK}
MANY: dict[str, Scores | Frames] = {
    **{
        f"{name}-{readout}": Scores(
            head(name, layers=None if name in MEMORYLESS else 2, motion=change), readout, motion
        )
        for name in HEADS
        for readout, (change, motion) in zip(READOUTS, SIGHTS, strict=True)
    },
    **{
        f"{name}-both": Scores(head(name, layers=2, bidirectional=True), "attention", DIFFERENCE)
        for name in HEADS
        if name not in MEMORYLESS
    },
    **{f"{name}-three": Scores(head(name, motion=True), "attention", members=3) for name in HEADS},
    **SEEING,
    **{f"{decoder}-{name}": Frames(decoder, name) for decoder in DECODERS for name in (*PICTURE_HEADS, *HEADS)},
}


@pytest.fixture(scope="module", autouse=True)
def traced_once() -> Iterator[None]:
    """Each model of this module is traced once, because tracing takes most of the time of an export."""

    def remember(trace: Callable[..., onnx.ModelProto | None]) -> Callable[..., onnx.ModelProto | None]:
        known: dict[str, onnx.ModelProto | None] = {}

        def copy_of(model: LoadedModel, tensors: dict[str, StateTensor]) -> onnx.ModelProto | None:
            key = model.header.to_json()
            if key not in known:
                known[key] = trace(model, tensors)
            return copy.deepcopy(known[key])

        return copy_of

    with pytest.MonkeyPatch.context() as patch:
        for name in ("whole_as_onnx", "head_as_onnx"):
            remembering = remember(getattr(graphs, name))
            for module in ("onnx", "openvino"):
                patch.setattr(f"vidrnn.export.{module}.{name}", remembering)
        yield


@pytest.fixture(
    scope="module", params=[*FEW, *(pytest.param(name, marks=pytest.mark.slow) for name in MANY if name not in FEW)]
)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[LoadedModel, Path]:
    """A model, and its file."""
    model = (MANY | FEW)[request.param].model()
    file = tmp_path_factory.mktemp("portable") / "model.onnx"
    assert write_checked(OnnxExport(), model, file) <= TOLERANCE
    return model, file


@pytest.fixture(scope="module")
def tiny(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model's folder, with its portable file."""
    folder = shutil.copytree(tiny_run.model, tmp_path_factory.mktemp("tiny") / "model")
    export(Request(folder, "onnx"))
    return folder


def export(request: Request) -> Portable:
    portable, _ = followed(export_model(request))
    return portable


def clip(model: LoadedModel, batch: int, time: int) -> Pixels:
    shape = (batch, time, model.spec.height, model.spec.width, 3)
    return np.random.default_rng(batch * 100 + time).integers(0, 256, shape, dtype=np.uint8)


def before_of(model: LoadedModel, frames: Pixels) -> Pixels | None:
    """Frames before `frames` (batch, time, ...) for a model that sees motion, in another order than a film's."""
    return frames[:, ::-1].copy() if model.spec.inputs else None


def tensors_before(model: LoadedModel, frames: Pixels) -> dict[str, torch.Tensor]:
    """The inputs of the network beside frames."""
    inputs = motion_inputs(model.spec.inputs, frames, before_of(model, frames))
    return {name: torch.from_numpy(pictures) for name, pictures in inputs.items()}


def window(model: LoadedModel, batch: int, time: int) -> Window:
    frames = clip(model, batch, time)
    return Window(frames, before_of(model, frames))


def assert_near(one: State, other: State) -> None:
    assert set(one) == set(other)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-4)


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("batch", "time"), [(1, 1), (3, 2), (1, 11), (2, TIME)])
def test_a_file_reads_whole_clips_of_any_number_and_length(
    exported: tuple[LoadedModel, Path], batch: int, time: int
) -> None:
    model, file = exported
    frames = clip(model, batch, time)
    with torch.no_grad():
        expected, _ = model.network(torch.from_numpy(frames), **tensors_before(model, frames))
    outputs, _ = OnnxRuntime.open(file).read(frames, None, before_of(model, frames))
    assert tuple(outputs) == model.network.outputs
    assert_near(outputs, {name: tensor.numpy() for name, tensor in expected.items()})


@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_file_read_in_chunks_with_its_state_reads_as_the_model_reads_whole(
    exported: tuple[LoadedModel, Path], chunk: int
) -> None:
    model, file = exported
    runtime, frames = OnnxRuntime.open(file), clip(model, 2, TIME)
    if not runtime.streams:
        pytest.skip("this model reads whole clips")
    before = before_of(model, frames)
    state: State | None = None
    pieces: list[Outputs] = []
    for start in range(0, TIME, chunk):
        now = slice(start, start + chunk)
        outputs, state = runtime.read(frames[:, now], state, None if before is None else before[:, now])
        pieces.append(outputs)
    expected, end = TorchRuntime(model).read(frames, None, before)
    for name, numbers in expected.items():
        found = outputs[name] if name == "clip" else np.concatenate([piece[name] for piece in pieces], 1)
        np.testing.assert_allclose(found, numbers, atol=1e-4)
    assert state is not None
    assert_near(state, end)


def test_a_file_continues_from_the_models_own_state(exported: tuple[LoadedModel, Path]) -> None:
    model, file = exported
    runtime, torch_runtime = OnnxRuntime.open(file), TorchRuntime(model)
    first, second = window(model, 2, 9), window(model, 2, 4)
    _, carried = torch_runtime.read(first.frames, None, first.before)
    outputs, after = runtime.read(second.frames, carried, second.before)
    expected, end = torch_runtime.read(second.frames, carried, second.before)
    assert_near(outputs, expected)
    assert_near(after, end)


@pytest.mark.parametrize("count", [1, 8, 19])
def test_frames_are_encoded_alike(exported: tuple[LoadedModel, Path], count: int) -> None:
    model, file = exported
    runtime, torch_runtime = OnnxRuntime.open(file), TorchRuntime(model)
    assert runtime.splits == torch_runtime.splits
    if not runtime.splits:
        for one in (runtime, torch_runtime):
            with pytest.raises(TypeError, match="does not split"):
                one.encode(clip(model, 1, count)[0])
            with pytest.raises(TypeError, match="does not split"):
                one.follow(np.zeros((1, count, 128), np.float32))
        return
    seen = window(model, 1, count)
    frames, before = seen.frames[0], None if seen.before is None else seen.before[0]
    features, expected = runtime.encode(frames, before), torch_runtime.encode(frames, before)
    np.testing.assert_allclose(features, expected, atol=1e-4, rtol=1e-4)
    if before is not None and count > 1:
        still = torch_runtime.encode(frames, frames)
        assert np.abs(still - expected).max() > 0.01 * np.abs(expected).max(), "the frames before are seen"
        for one in (runtime, torch_runtime):
            with pytest.raises(ValueError, match="`before`"):
                one.encode(frames)
    windows = np.stack([expected, expected[::-1]])
    assert_near(runtime.follow(windows)[0], torch_runtime.follow(windows)[0])


def test_zeros_or_another_number_stand_for_a_fresh_start(exported: tuple[LoadedModel, Path]) -> None:
    model, _ = exported
    if not model.network.streams:
        assert fresh_state(model) == {}
        return
    frames = torch.from_numpy(clip(model, 2, 5))
    state = {name: torch.from_numpy(tensor.fresh_batch(2)) for name, tensor in fresh_state(model).items()}
    with torch.no_grad():
        further = tensors_before(model, frames.numpy())
        stored, none = model.network(frames, state, **further), model.network(frames, None, **further)
    torch.testing.assert_close(stored, none)


# --- the file --------------------------------------------------------------------------------------------------------


def test_a_file_describes_the_model_and_not_the_machine_that_wrote_it(exported: tuple[LoadedModel, Path]) -> None:
    model, file = exported
    opened = OnnxRuntime.open(file)
    assert opened.streams == model.network.streams
    assert opened.header == model.header and opened.handling == model.header.handling
    assert [path.name for path in file.parent.iterdir()] == ["model.onnx"]
    whole = file.read_bytes()
    for path in (Path(torch.__file__).parent, Path(__file__).parent.parent.parent, file.parent, Path.home()):
        assert str(path).encode() not in whole


def test_a_file_has_the_interface_that_the_documentation_describes(exported: tuple[LoadedModel, Path]) -> None:
    model, file = exported
    stored, state, spec = onnx.load(file), fresh_state(model), model.spec
    onnx.checker.check_model(stored)
    sizes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*stored.graph.input, *stored.graph.output)
    }
    time = 1 if model.network.step_by_step else "time"
    for name in ("frames", *spec.inputs):
        assert sizes.pop(name) == ["batch", time, spec.height, spec.width, 3]
    width = 0 if model.network.split is None else model.network.split[0].width
    outputs = {"clip": ["batch", 3], "steps": ["batch", "time", 3], "features": ["batch", "time", width]}
    if model.network.step_by_step:
        outputs = {"next": ["batch", 1, spec.height, spec.width, model.header.spec.shape.channels]}
    assert {name: sizes.pop(name) for name in outputs} == outputs
    assert set(sizes) == {*state, *map(next_of, state)}


def assert_fits_triton(names: list[str], tensors: dict[str, tuple[int, ...]]) -> None:
    """Triton pairs the states that go in and out by their rank among sorted names, and refuses vectors."""
    assert [next_of(name) for name in sorted(names)] == sorted(map(next_of, names))
    assert all(len(shape) >= 1 for shape in tensors.values()), "the minibatch and one more axis"


@pytest.mark.parametrize("name", [*FEW, *(name for name in MANY if name not in FEW)])
def test_every_state_tensor_has_two_axes_and_its_place_among_sorted_names(name: str) -> None:
    state = fresh_state((MANY | FEW)[name].model())
    assert_fits_triton(list(state), {tensor: known.shape for tensor, known in state.items()})


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports write empty files, which is quick; their reported difference grows."""
    differences = iter(np.geomspace(1e-6, 1e-2, 20).tolist())

    def write(export: OnnxExport, model: LoadedModel, file: Path, *_: object) -> float:
        file.write_bytes(b"")
        return float(next(differences))

    monkeypatch.setattr("vidrnn.export.exporter.write_checked", write)


@pytest.mark.usefixtures("unchecked")
def test_the_card_has_the_largest_difference_once(tiny_run: TinyRun, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_run.model, tmp_path / "model")
    before = (folder / "README.md").read_text(encoding="utf-8")
    for precision in ("fp32", "fp16", "fp32"):
        portable = export(Request(folder, "onnx", precision))  # type: ignore[arg-type]
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert card.startswith(before.rstrip()) and portable.sentence in card
        assert re.search(r"at most \d\.\de-0\d from the model's", portable.sentence)
    assert (card.count("`model.onnx`"), card.count("`model-fp16.onnx`"), card.count("## Portable files")) == (1, 1, 1)
    export(Request(folder, "onnx", out=tmp_path / "elsewhere.onnx"))
    assert "elsewhere" not in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("unchecked")
def test_the_card_says_that_a_head_which_reads_both_ways_does_not_stream(tmp_path: Path) -> None:
    model = FEW["gru-both-difference"].model()
    save_model(tmp_path / "m", model.network, model.header, CARD)
    assert "carries no state" in export(Request(tmp_path / "m", "onnx")).sentence
    assert "carries no state" in (tmp_path / "m" / "README.md").read_text(encoding="utf-8")


def test_a_torch_program_is_refused_for_a_model_that_does_not_stream(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="whole clips"):
        write_checked(TorchExport(), FEW["gru-both-difference"].model(), tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())


# --- the check -------------------------------------------------------------------------------------------------------


class Wrong(Runtime):
    """Another runtime with one fault."""

    def __init__(self, right: Runtime, wrong: str) -> None:
        self.right, self.wrong = right, wrong

    @property
    def header(self):  # type: ignore[no-untyped-def]
        return self.right.header

    @property
    def streams(self) -> bool:
        return self.right.streams

    @property
    def splits(self) -> bool:
        return self.right.splits

    def read(self, frames: Pixels, state: State | None = None, before: Pixels | None = None) -> tuple[Outputs, State]:
        seen = frames if self.wrong == "before" else before
        outputs, after = self.right.read(frames, None if self.wrong == "forgets" else state, seen)
        if self.wrong == "steps" and frames.shape[1] == 4:
            outputs = {**outputs, "steps": outputs["steps"] + 0.01}
        if self.wrong == "clip" and frames.shape[1] == 20:
            outputs = {**outputs, "clip": outputs["clip"] * np.nan}
        if self.wrong == "next" and frames.shape[1] == 3:
            outputs = {"next": outputs["next"] + 1e-3}
        if self.wrong == "no number":
            outputs = {name: np.full_like(numbers, np.nan) for name, numbers in outputs.items()}
        if self.wrong == "state":
            after = {name: tensor * (1 + 1e-3) for name, tensor in after.items()}
        return outputs, after

    def encode(self, pixels: Pixels, before: Pixels | None = None) -> Array:
        return self.right.encode(pixels, before) + (0.01 if self.wrong == "encode" else 0)

    def follow(self, features: Array, state: State | None = None) -> tuple[Outputs, State]:
        outputs, after = self.right.follow(features, None if self.wrong == "follow" else state)
        if self.wrong == "windows" and len(features) > 1:
            outputs = {**outputs, "clip": outputs["clip"][:, ::-1]}
        return outputs, after


FAULTS = ["forgets", "state", "no number"]


@pytest.mark.parametrize(
    ("case", "wrong"),
    [("lstm", wrong) for wrong in (*FAULTS, "steps", "clip", "encode", "follow", "windows")]
    + [("kernel-convgru", wrong) for wrong in (*FAULTS, "next")]
    + [("tiny-difference-gru-both", "before")],
)
def test_the_check_finds_a_fault(case: str, wrong: str) -> None:
    loaded = (MANY | FEW)[case].model()
    model, clips = TorchRuntime(loaded), [window(loaded, 1, 20)]
    assert largest_difference(model, Wrong(model, ""), clips) <= TOLERANCE / 10
    difference = largest_difference(model, Wrong(model, wrong), clips)
    assert difference == np.inf if wrong in ("no number", "clip") else difference > TOLERANCE


def test_a_file_that_answers_otherwise_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = FEW["gru-motion"].model()
    monkeypatch.setattr(OnnxExport, "write", lambda self, model, file, *_: file.write_bytes(b"newer"))
    monkeypatch.setattr(OnnxExport, "read", lambda self, file: Wrong(TorchRuntime(model), "encode"))
    older = tmp_path / "model.onnx"
    older.write_bytes(b"older")
    with pytest.raises(ExportError, match=r"differ by up to 0\.0\d+, and 0\.0001 is allowed"):
        write_checked(OnnxExport(), model, older)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    assert older.read_bytes() == b"older"


# --- other forms and precisions --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case", ["gru-motion", "resnet18-difference-gru", pytest.param("kernel-convgru", marks=pytest.mark.slow)]
)
def test_a_torch_program_steps_through_a_clip_without_vidrnn(tmp_path: Path, case: str) -> None:
    model = (MANY | FEW)[case].model()
    assert write_checked(TorchExport(), model, tmp_path / "model.pt2") <= TOLERANCE
    beside = {"vidrnn": "", "vidrnn.state": "", "vidrnn.outputs": ""}
    step = torch.export.load(tmp_path / "model.pt2", extra_files=beside).module()
    names, outputs = list(json.loads(beside["vidrnn.state"])), json.loads(beside["vidrnn.outputs"])
    assert names == list(fresh_state(model)) and outputs == list(model.network.outputs)
    frames = clip(model, 3, 7)
    seen = [torch.from_numpy(frames), *tensors_before(model, frames).values()]
    state = [torch.from_numpy(tensor.fresh_batch(3)) for tensor in fresh_state(model).values()]
    with torch.no_grad():
        for time in range(7):
            found = step(*(pictures[:, time : time + 1] for pictures in seen), *state)
            state = list(found[len(found) - len(names) :])
    expected = TorchRuntime(model).read(frames, None, before_of(model, frames))[0]
    for name, last in zip(outputs, found, strict=False):
        numbers = expected[name] if name == "clip" else expected[name][:, -1:]
        np.testing.assert_allclose(last.numpy(), numbers, atol=1e-4)


@pytest.mark.parametrize("precision", ["fp32", pytest.param("fp16", marks=pytest.mark.slow)])
def test_openvino_reads_a_model_as_torch_does(tmp_path: Path, tiny_run: TinyRun, precision: str) -> None:
    pytest.importorskip("openvino")
    from vidrnn.export.openvino import OpenvinoExport

    model, film = load_model(tiny_run.model), make_film(tmp_path / "film.mkv", frames=40)
    difference = write_checked(OpenvinoExport(), model, tmp_path / "model.xml", precision)  # type: ignore[arg-type]
    assert difference <= (TOLERANCE if precision == "fp32" else 0.1)
    predictor = Predictor(open_model(tmp_path / "model.xml")[0], threads=2)
    assert predictor.model.name == "openvino" and predictor.model.header == model.header
    tolerance = 1e-4 if precision == "fp32" else 0.02
    answer, expected = predictor.predict(film), Predictor(TorchRuntime(model)).predict(film)
    assert answer.probability == pytest.approx(expected.probability, abs=tolerance)


@pytest.mark.parametrize("case", ["resnet18-difference-flow-gru-both"])
def test_openvino_reads_a_model_that_sees_motion_as_torch_does(tmp_path: Path, case: str) -> None:
    pytest.importorskip("openvino")
    from vidrnn.export.openvino import OpenvinoExport

    assert write_checked(OpenvinoExport(), FEW[case].model(), tmp_path / "model.xml") <= TOLERANCE


def test_the_sentence_of_a_file_names_the_inputs_that_it_wants() -> None:
    told = {name: describe(FEW[name].model(), "fp32", 0.0) for name in ("gru-motion", *_QUICK)}
    assert "`before`" not in told["gru-motion"] and "`flow`" not in told["gru-motion"]
    assert "it takes the input `before`" in told["resnet18-difference-gru"]
    assert "`before`" not in told["resnet18-flow-none"] and "the input `flow`" in told["resnet18-flow-none"]
    both = told["resnet18-difference-flow-gru-both"]
    assert "`before`" in both and "`flow`" in both and both.endswith("docs/deploy.md.")


@pytest.mark.slow
def test_openvino_reads_a_model_of_next_frames_as_torch_does(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    from vidrnn.export.openvino import OpenvinoExport

    assert write_checked(OpenvinoExport(), MANY["kernel-convgru"].model(), tmp_path / "model.xml") <= TOLERANCE


def test_lower_precision_is_smaller_and_its_cost_is_measured(tiny: Path, class_folders: Path, tmp_path: Path) -> None:
    whole = (tiny / "model.onnx").stat().st_size
    for precision in ("fp16", "int8"):
        out = tmp_path / f"{precision}.onnx"
        portable = export(Request(tiny, "onnx", precision, class_folders, out))  # type: ignore[arg-type]
        assert portable.scored and not portable.scored.seen
        before, after = (one.report.numbers["accuracy"] for one in (portable.scored.before, portable.scored.after))
        films = f"{portable.scored.after.films} videos"
        assert f"accuracy on {films} {before:.3f} before, {after:.3f} after" in portable.sentence
        assert 0 < portable.difference < 1 and portable.size_bytes == out.stat().st_size < 0.8 * whole
        kinds = {weights.data_type for weights in onnx.load(out).graph.initializer}
        assert {"fp16": onnx.TensorProto.FLOAT16, "int8": onnx.TensorProto.INT8}[precision] in kinds


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_model_of_next_frames_has_lower_precisions_too(
    tiny_forecaster: TinyRun, tmp_path: Path, precision: str
) -> None:
    out = tmp_path / "lower.onnx"
    portable = export(Request(tiny_forecaster.model, "onnx", precision, tiny_forecaster.data, out))  # type: ignore[arg-type]
    assert portable.scored and re.search(r"(mse|auc) on \d+ films?", portable.sentence)
    assert 0 < portable.difference < 1


@pytest.mark.usefixtures("unchecked")
def test_a_cost_that_was_not_measured_is_named(tiny_run: TinyRun, tmp_path: Path) -> None:
    portable = export(Request(tiny_run.model, "onnx", "fp16", None, tmp_path / "half.onnx"))
    assert "not measured" in portable.sentence


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (("onnx", "int8"), "--calibrate DATA"),
        (("torch", "fp16"), "as fp32"),
        (("openvino", "int8"), "as fp32, fp16"),
        (("tflite", "fp32"), "There are: onnx, openvino, torch"),
    ],
)
def test_impossible_requests_are_refused_in_a_sentence(
    tiny_run: TinyRun, request_: tuple[str, str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        export(Request(tiny_run.model, *request_))  # type: ignore[arg-type]


def test_every_form_has_a_name_of_its_own() -> None:
    assert set(EXPORTS) == {"onnx", "openvino", "torch"}


def test_scores_on_clips_that_the_model_learnt_from_are_marked(tiny_run: TinyRun, tiny: Path, tmp_path: Path) -> None:
    seen = load_model(tiny).header.seen
    learnt = [film for film in sorted(tiny_run.data.rglob("*.avi")) if seen[content_hash(film)] == Part.TRAIN]
    rows = [f"{film},{film.parent.name}" for film in learnt]
    (tmp_path / "learnt.csv").write_text("\n".join(["path,label", *rows]))
    portable = export(Request(tiny, "onnx", "fp16", tmp_path / "learnt.csv", tmp_path / "half.onnx"))
    assert portable.scored and portable.scored.seen
    assert f"accuracy on {len(learnt)} videos that the model learnt from or was chosen on" in portable.sentence


def test_what_is_ignored_in_the_folder_is_said_once(tiny_run: TinyRun, tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_run.data, tmp_path / "films")
    (folder / "notes.odt").write_bytes(b"not a film")
    _, events = followed(export_model(Request(tiny, "onnx", "fp16", folder, tmp_path / "half.onnx")))
    notes = [event.text for event in events if isinstance(event, Note)]
    assert len([text for text in notes if text.startswith("ignored: ")]) == 1, "the films are read up to four times"
