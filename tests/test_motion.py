"""The laws, for models that see motion: pieces, streams, the cache and exported files give the same answers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_film, make_uneven
from export.test_exporter import Scores, head

from vidrnn.data.cache import Cache, Rendering
from vidrnn.data.scan import scan_film
from vidrnn.export.exporter import TOLERANCE, write_checked
from vidrnn.export.onnx import OnnxExport
from vidrnn.live.camera import LiveFrame
from vidrnn.live.watcher import watch
from vidrnn.predict.predictor import Predictor
from vidrnn.predict.stream import Stream
from vidrnn.runtimes.base import Runtime
from vidrnn.runtimes.onnx import OnnxRuntime
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.train.learner import encodings_of
from vidrnn.values import FilmMoments, Frame, Now, Pixels, Segment, Size
from vidrnn.video.clock import Grid
from vidrnn.video.motion import BeforeFinder
from vidrnn.video.reader import open_film
from vidrnn.video.sampling import HALVES

PIECES = (1, 3, 4, 7, 20)
SPACING, MOTION = 0.13, 0.1
MEMBERS = {
    "tiny-difference": Scores(head("gru"), motion=("difference",), encoder="tiny"),
    "small-difference-change-both": Scores(head("gru", bidirectional=True, motion=True), "mean", ("difference",)),
    "resnet18-difference-flow": Scores(head("mingru"), "mean", ("difference", "flow"), "resnet18"),
    "resnet18-flow-change": Scores(head("gru", motion=True), motion=("flow",), encoder="resnet18"),
}
EXPORTED = ("small-difference-change-both", "resnet18-difference-flow")
KNOWN = [name for name in MEMBERS if name.startswith("resnet18")]
every_member = pytest.mark.parametrize("name", MEMBERS)
every_film = pytest.mark.parametrize("film", ["5 fps", "25 fps", "60 fps", "uneven"], indirect=True)


@pytest.fixture(scope="module")
def models() -> dict[str, TorchRuntime]:
    """A model of each member. Its grid fits the frames of none of the films."""
    built = {}
    for name, member in MEMBERS.items():
        model = member.model()
        encoder = model.spec.encoder.model_copy(update={"motion_seconds": MOTION})
        spec = model.spec.model_copy(update={"spacing_seconds": SPACING, "encoder": encoder})
        header = model.header.model_copy(update={"spec": spec})
        built[name] = TorchRuntime(type(model)(model.network, header, Path(name)))
    return built


@pytest.fixture(scope="module")
def portable(models: dict[str, TorchRuntime], tmp_path_factory: pytest.TempPathFactory) -> dict[str, OnnxRuntime]:
    """The exported files of some of the models."""
    folder, opened = tmp_path_factory.mktemp("portable"), {}
    for name in EXPORTED:
        runtime = models[name]
        model = type(MEMBERS[name].model())(runtime.network, runtime.header, folder)
        assert write_checked(OnnxExport(), model, folder / f"{name}.onnx") <= TOLERANCE
        opened[name] = OnnxRuntime.open(folder / f"{name}.onnx")
    return opened


def paint(index: int, size: Size) -> Pixels:
    """A square that turns round, on a ground of its own colour."""
    pixels = np.full((size.height, size.width, 3), (40, 90, 60), np.uint8)
    down, across = (int(size.height * (0.4 + 0.35 * turn(index / 7))) for turn in (np.sin, np.cos))
    pixels[down : down + 8, across : across + 8] = (230, 140, 60)
    return pixels


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("films")
    made = {
        f"{fps} fps": make_film(folder / f"{fps}.mkv", frames=count, fps=float(fps), paint=paint)
        for fps, count in ((5, 24), (25, 80), (60, 150))
    }
    stands = [40, 40, 100, 30, 30, 200, 50, 40, 300, 40, 700, 60, 60, 60, 20, 20, 20, 20, 100, 100, 100, 90, 90]
    return made | {"uneven": make_uneven(folder / "uneven.gif", stands)}


@pytest.fixture
def film(request: pytest.FixtureRequest, films: dict[str, Path]) -> Path:
    return films[request.param]


def sampled(film: Path, size: Size, spacing: float = SPACING) -> list[Frame]:
    with open_film(film) as opened:
        return list(opened.sampled(spacing, size=size, motion_seconds=MOTION))


def every_frame(film: Path) -> list[Frame]:
    with open_film(film) as opened:
        return list(opened.frames())


def assert_same(found: FilmMoments, expected: FilmMoments) -> None:
    assert found.clip is not None and expected.clip is not None
    np.testing.assert_allclose(found.clip, expected.clip, atol=1e-4)
    np.testing.assert_allclose(found.timeline.probabilities, expected.timeline.probabilities, atol=1e-4)


@every_film
@every_member
def test_how_many_frames_are_read_at_once_changes_nothing(
    name: str, film: Path, models: dict[str, TorchRuntime], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Predictor(models[name], threads=2)
    whole = predictor.read(film)
    for piece in PIECES:
        monkeypatch.setattr("vidrnn.runtimes.base.Runtime.frames_at_once", piece)
        assert_same(predictor.read(film), whole)


@every_film
@pytest.mark.parametrize("name", EXPORTED)
def test_a_portable_file_gives_the_answers_of_the_model(
    name: str, film: Path, models: dict[str, TorchRuntime], portable: dict[str, OnnxRuntime]
) -> None:
    assert portable[name].handling == models[name].handling
    assert_same(Predictor(portable[name], threads=2).read(film), Predictor(models[name]).read(film))


@every_film
@every_member
def test_a_stream_gives_the_answers_of_the_whole_film(name: str, film: Path, models: dict[str, TorchRuntime]) -> None:
    predictor = Predictor(models[name])
    whole = predictor.read(film)
    for at_once in PIECES:
        stream = predictor.stream(at_once)
        ended = [segment for frame in every_frame(film) for segment in stream.push(frame.pixels, frame.seconds).ended]
        last = stream.finish(whole.end_seconds)
        assert whole.clip is not None
        assert last.probabilities == pytest.approx(whole.clip, abs=1e-5)
        assert _told([*ended, *last.ended]) == _told(whole.segments)


def _told(segments: Iterable[Segment]) -> list[tuple[float, float, str]]:
    return [(round(one.start_seconds, 4), round(one.end_seconds, 4), one.label) for one in segments]


@every_film
@every_member
def test_the_cache_holds_the_frames_and_the_frames_before_that_predict_sees(
    name: str, film: Path, models: dict[str, TorchRuntime], tmp_path: Path
) -> None:
    size = models[name].handling.size
    (steps,) = Cache(tmp_path).frames([scan_film(film)], Rendering(SPACING / HALVES, size), MOTION)
    seen = sampled(film, size, SPACING / HALVES)
    assert np.array_equal(steps.array, np.stack([frame.pixels for frame in seen]))
    assert np.array_equal(steps.before, np.stack([frame.before for frame in seen]))
    found = dict(zip(steps.indices.tolist(), zip(steps.array, steps.before, strict=True), strict=True))
    for frame in sampled(film, size):
        if frame.index in found:
            assert np.array_equal(frame.before, found[frame.index][1])


@every_film
@pytest.mark.parametrize("name", KNOWN)
def test_cached_features_are_those_of_predict(
    name: str, film: Path, models: dict[str, TorchRuntime], tmp_path: Path
) -> None:
    model, cache = models[name], Cache(tmp_path)
    encodings = encodings_of(model.network.split[0], MOTION)
    rendering = Rendering(SPACING, model.handling.size)
    assert list(encodings) == ["appearance", *model.header.spec.encoder.motion]
    (views,) = cache.views([scan_film(film)], rendering, list(encodings.values()), mirrored=True)
    seen = sampled(film, model.handling.size)
    pixels, before = (np.stack([getattr(frame, what) for frame in seen]) for what in ("pixels", "before"))
    for copy, mirror in enumerate((slice(None), slice(None, None, -1))):
        features = model.encode(pixels[:, :, mirror].copy(), before[:, :, mirror].copy())
        cached = np.concatenate([view.array[copy] for view in views], -1)
        np.testing.assert_allclose(cached, features, atol=1e-4 * np.abs(features).max())


@every_member
def test_the_first_frame_of_a_film_has_not_moved(name: str, models: dict[str, TorchRuntime], tmp_path: Path) -> None:
    predictor = Predictor(models[name])
    one = make_film(tmp_path / "one.mkv", frames=1, paint=paint)
    pixels = sampled(one, models[name].handling.size)[0].pixels[None]
    alone = models[name].read(pixels[None], None, pixels[None])[0]["clip"][0] / 1.25
    found = predictor.read(one).clip
    assert found is not None
    assert found == pytest.approx(np.exp(alone) / np.exp(alone).sum(), abs=1e-5)


# --- live ------------------------------------------------------------------------------------------------------------


def read_by_hand(model: Runtime, frames: list[Frame]) -> np.ndarray:
    """The probabilities of the frames, whose frames before are known already."""
    predictor = Predictor(model)
    reader = predictor.task.reader(model, predictor.options.rule)
    prepared = reader.prepare(np.stack([one.pixels for one in frames]), np.stack([one.before for one in frames]))
    return np.concatenate([reader.read(prepared).probabilities, reader.finish().moments.probabilities])


def moments_of(stream: Stream) -> list[np.ndarray]:
    """The probabilities of each moment that becomes certain in the stream from now on."""
    found: list[np.ndarray] = []
    read, finish = stream._track.reader.read, stream._track.reader.finish

    def reading(prepared: Any) -> Any:
        moments = read(prepared)
        found.append(moments.probabilities)
        return moments

    def finishing() -> Any:
        ending = finish()
        found.append(ending.moments.probabilities)
        return ending

    stream._track.reader.read, stream._track.reader.finish = reading, finishing  # type: ignore[method-assign]
    return found


@every_member
def test_after_lost_frames_the_frame_before_is_among_those_that_came(
    name: str, models: dict[str, TorchRuntime], films: dict[str, Path]
) -> None:
    model = models[name]
    came = [frame for frame in every_frame(films["25 fps"]) if not 20 <= frame.index < 37]
    finder, grid, expected = BeforeFinder(MOTION), Grid(SPACING), list[Frame]()
    stream = Predictor(model).stream()
    moments = moments_of(stream)
    with open_film(films["25 fps"]) as opened:
        small = {frame.index: frame.pixels for frame in opened.frames(size=model.handling.size)}
    befores = {frame.index: finder.find(frame.seconds, small[frame.index]) for frame in came}
    for frame in came:
        if frame.index == 37:
            stream.pass_over(frame.seconds)
            assert grid.pass_over(frame.seconds) > 3
        stream.push(frame.pixels, frame.seconds)
        times = grid.times_served(frame.seconds)
        expected += [Frame(frame.index, at, small[frame.index], befores[frame.index]) for at in times]
    stream.finish()
    assert np.array_equal(befores[37], small[19]), "the latest frame that came"
    np.testing.assert_allclose(np.concatenate(moments), read_by_hand(model, expected), atol=1e-5)


class Played:
    """A source that plays frames."""

    spacing_seconds = SPACING

    def __init__(self, frames: list[LiveFrame]) -> None:
        self._frames = frames

    @property
    def over(self) -> bool:
        return not self._frames

    def take(self, _: float) -> LiveFrame:
        return self._frames.pop(0)


@every_film
@every_member
def test_a_watched_source_is_answered_as_the_film(name: str, film: Path, models: dict[str, TorchRuntime]) -> None:
    predictor = Predictor(models[name])
    frames = [  # a source hands over the frames of the grid only
        LiveFrame(frame.pixels, frame.seconds, frame.seconds, 1e9, life=0, before=frame.before)
        for frame in sampled(film, models[name].handling.size)
    ]
    stream = predictor.stream()
    moments, count = moments_of(stream), len(frames)
    answers = [one for one in watch(Played(frames), lambda: stream) if isinstance(one, Now)]
    assert len(answers) == count
    np.testing.assert_allclose(np.concatenate(moments), predictor.read(film).timeline.probabilities, atol=1e-4)
