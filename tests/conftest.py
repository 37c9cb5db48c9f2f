"""Films painted for the tests: their pixels tell which frame they are, so that a test can see what was read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vidrnn.events import RunEvent
from vidrnn.values import Pixels, Size

Result = TypeVar("Result")

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests share the machine: torch, once it is loaded, computes on one core

SMALL = Size(48, 64)
CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".webm": "VP80", ".mkv": "FFV1"}
FOOTAGE = Path(__file__).resolve().parent.parent.parent / "shared" / "data"

Paint = Callable[[int, Size], Pixels]
"""Frame index and size to (height, width, 3) RGB."""


def paint_number(index: int, size: Size = SMALL) -> Pixels:
    """A picture whose 4 x 4 black and white blocks are the 16 bits of `index`; survives lossy codecs and resizing."""
    bits = np.array([index >> bit & 1 for bit in range(16)], dtype=np.uint8).reshape(4, 4) * 255
    blocks = cv2.resize(bits, (size.width, size.height), interpolation=cv2.INTER_NEAREST)
    return np.repeat(blocks[..., None], 3, axis=2)


def frame_number(pixels: Pixels) -> int:
    """The index that `paint_number` painted."""
    height, width = pixels.shape[:2]
    rows, columns = (np.arange(4) * 2 + 1) * height // 8, (np.arange(4) * 2 + 1) * width // 8
    bits = pixels[np.ix_(rows, columns)].mean(axis=2).ravel() > 127
    return sum(1 << bit for bit in range(16) if bits[bit])


def make_film(
    path: Path, *, frames: int = 25, fps: float = 25.0, size: Size = SMALL, paint: Paint = paint_number
) -> Path:
    """Write a film and give its path. The suffix decides the codec: see CODECS; .mkv is FFV1 and loses nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODECS[path.suffix]), fps, (size.width, size.height))
    assert writer.isOpened(), f"OpenCV cannot write {path.suffix}"
    for index in range(frames):
        writer.write(cv2.cvtColor(paint(index, size), cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def make_pictures(
    folder: Path, *, frames: int = 12, suffix: str = ".png", size: Size = SMALL, paint: Paint = paint_number
) -> Path:
    """Write a folder of numbered pictures, frame0.png to frame11.png, and give its path."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(frames):
        cv2.imwrite(str(folder / f"frame{index}{suffix}"), cv2.cvtColor(paint(index, size), cv2.COLOR_RGB2BGR))
    return folder


def make_uneven(path: Path, durations_ms: list[int], *, size: Size = SMALL) -> Path:
    """Write a numbered .gif or .webp whose frames stand as long as told (whole hundredths of a second)."""
    animation = cv2.Animation()
    animation.frames = [
        cv2.cvtColor(paint_number(index, size), cv2.COLOR_RGB2BGR) for index in range(len(durations_ms))
    ]
    animation.durations = np.array(durations_ms, dtype=np.int32)
    assert cv2.imwriteanimation(str(path), animation)
    return path


def make_turned(path: Path, **how: object) -> Path:
    """Write an .mp4 whose rotation flag asks for a quarter turn clockwise when it is shown."""
    make_film(path, **how)  # type: ignore[arg-type]
    one, none, unit = b"\x00\x01\x00\x00", b"\x00\x00\x00\x00", b"\x40\x00\x00\x00"
    upright = one + none * 3 + one + none * 3 + unit
    turned = none + one + none + b"\xff\xff\x00\x00" + none * 4 + unit
    head, track, tail = path.read_bytes().rpartition(upright)
    assert track and b"tkhd" in head[-80:], "the track's matrix was not found where it was thought to be"
    path.write_bytes(head + turned + tail)
    return path


def make_cut(path: Path, keep: float = 0.5, **how: object) -> Path:
    """Write a film and lose its end, as a broken download does."""
    make_film(path, **how)  # type: ignore[arg-type]
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    return path


def followed(journey: Generator[RunEvent, None, Result]) -> tuple[Result, list[RunEvent]]:
    """What a journey ends with, and what it tells on its way."""
    events = []
    while True:
        try:
            events.append(next(journey))
        except StopIteration as end:
            return end.value, events


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def vidrnn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process, as its entry point would: its exit code, its output and its errors."""
    from vidrnn.cli import run

    def command(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vidrnn", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        return int(ended.value.code or 0), *capsys.readouterr()

    return command


@pytest.fixture(scope="session")
def footage() -> Path:
    """The folder of real footage; the test is skipped where it is absent."""
    if not FOOTAGE.is_dir():
        pytest.skip("the real footage is not here (../shared/data)")
    return FOOTAGE


@pytest.fixture(scope="session")
def ffmpeg() -> Callable[..., None]:
    """A function that runs ffmpeg with the arguments given; the test is skipped where ffmpeg is not installed."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("ffmpeg is not installed")

    def run(*arguments: str | Path) -> None:
        command = [program, "-v", "error", "-y", *map(str, arguments)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        if "Unknown encoder" in done.stderr:
            pytest.skip(f"ffmpeg here lacks something: {done.stderr.strip()}")
        assert done.returncode == 0, done.stderr

    return run


@pytest.fixture(scope="session")
def class_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of six films each: in `rise` a bright bar goes up, in `fall` it goes down; groups a to c by name."""
    root = tmp_path_factory.mktemp("classes")
    for label, direction in (("rise", -1), ("fall", 1)):
        for number in range(6):
            path = root / label / f"{label}_g{number // 2 + 1:02d}_c{number % 2 + 1:02d}.avi"
            make_film(path, frames=12 + number, fps=10.0, paint=_moving_bar(direction, seed=number))
    return root


def _moving_bar(direction: int, seed: int) -> Paint:
    """A bar that goes up (-1) or down (1) over a still background which the seed decides."""
    draw = np.random.default_rng(seed)
    background = draw.integers(0, 120, size=3, dtype=np.uint8)
    start = int(draw.integers(0, 100))

    def paint(index: int, size: Size) -> Pixels:
        pixels = np.empty((size.height, size.width, 3), dtype=np.uint8)
        pixels[:] = background
        top = (start + direction * 3 * index) % (size.height - 6)
        pixels[top : top + 6] = 240
        return pixels

    return paint


@dataclass(frozen=True)
class TinyRun:
    """A training on `data` that has ended: its folder, the events on its way, and the cache it filled."""

    data: Path
    folder: Path
    cache: Path
    events: tuple[Any, ...]

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def weights(self) -> bytes:
        """The tensors of the model, without the header, which holds times."""
        from safetensors.numpy import load_file, save

        return save(dict(sorted(load_file(self.model / "model.safetensors").items())))


def train_tiny(
    data: Path, folder: Path, *, stop_after: int | None = None, request: dict[str, Any] | None = None, **settings: Any
) -> TinyRun:
    """Train for two epochs on 32 x 24 pixels, in seconds; Ctrl-C comes after the epoch `stop_after`.

    `settings` are those of a `RunConfig`, `request` those of a `Request`, where they are to differ.
    """
    tiny = {"encoder": "small", "height": 24, "width": 32, "frames": 4, "epochs": 2, "head": {"size": 8}}
    return _train(data, folder, stop_after, {"jobs": 2, **(request or {})}, tiny | settings)


def _train(
    data: Path, folder: Path, stop_after: int | None, request: dict[str, Any], settings: dict[str, Any]
) -> TinyRun:
    from vidrnn.config import RunConfig
    from vidrnn.events import EpochDone
    from vidrnn.train.run import Request
    from vidrnn.train.trainer import train

    cache = folder.parent / "cache"
    settings = {"report": False} | settings  # the page takes longer than these trainings
    asked = {"cache": cache, "portable": False, "command": f"vidrnn train {data.name}", **request}
    config = RunConfig.of(settings, source="test")
    stop, events = Event(), []
    for event in train(Request(data=data, config=config, out=folder, **asked), stop):
        events.append(event)
        if stop_after and isinstance(event, EpochDone) and event.number >= stop_after:
            stop.set()
    return TinyRun(data, folder, cache, tuple(events))


@pytest.fixture(scope="session")
def tiny_run(class_folders: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A tiny model trained on `class_folders`, for tests that only look at it."""
    return train_tiny(class_folders, tmp_path_factory.mktemp("tiny") / "run")


def tens_model(*, frames: int = 8, spacing_seconds: float = 0.1, seen: dict[str, Any] | None = None) -> Any:
    """A model that reads the numbers that `paint_number` painted: its classes are 0, 10, ... 50, for 0 to 9 and so on.

    A window's answer is the class that most of its frames are of.
    """
    import torch
    from torch import Tensor, nn

    from vidrnn.config import HeadConfig
    from vidrnn.model.checkpoint import LoadedModel
    from vidrnn.model.metadata import ModelHeader
    from vidrnn.nets.spec import EncoderConfig, ModelSpec
    from vidrnn.runtimes.torch import TorchRuntime
    from vidrnn.values import AnswerSpec, DecisionRule

    class Numbers(nn.Module):
        mean = torch.zeros(1)
        views, inputs = ("appearance",), ()

        def folded(self) -> Numbers:
            return self

        def forward(self, pictures: Tensor) -> Tensor:
            numbers = [frame_number(one) for one in pictures[0].numpy()]
            return torch.tensor(numbers, dtype=torch.float32)[None, :, None]

    class Tens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.place = nn.Parameter(torch.zeros(1))

        def forward(self, features: Tensor, _: object = None) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
            tens = (features[..., 0].long() // 10).clamp(max=5)
            steps = 8.0 * nn.functional.one_hot(tens, 6).float()
            return {"clip": steps.mean(1), "steps": steps}, {}

    network = nn.Module()
    network.encoder, network.sequence = Numbers(), Tens()
    network.split, network.streams, network.outputs = (network.encoder, network.sequence), False, ("clip", "steps")
    spec = ModelSpec(
        network="scores",
        encoder=EncoderConfig(name="small", frozen=True, origin="none"),
        head=HeadConfig(),
        readout="mean",
        height=24,
        width=32,
        frames=frames,
        spacing_seconds=spacing_seconds,
    )
    answer = AnswerSpec("classify", "one", "clip", ("0", "10", "20", "30", "40", "50"))
    rule = DecisionRule(reset="cut")
    header = ModelHeader(
        vidrnn_version="0", answer=answer, decision=rule, spec=spec, seed=0, seen=seen or {}, scores={}, facts={}
    )
    return TorchRuntime(LoadedModel(network, header, Path("tens")))  # type: ignore[arg-type]


GLIDE = 2
"""Pixels that the square of a painted film moves to the right from frame to frame."""
FRAMES_SIZE = Size(24, 32)


def paint_square(seed: int = 0, *, glide: int = GLIDE, grey: bool = False) -> Paint:
    """A bright square that moves to the right on dark ground and comes in again at the left."""
    draw = np.random.default_rng(seed)
    top, left = int(draw.integers(2, 14)), int(draw.integers(0, 20))
    colour = (200, 200, 200) if grey else (230, 140, 60)

    def paint(index: int, size: Size) -> Pixels:
        pixels = np.full((size.height, size.width, 3), 16, dtype=np.uint8)
        pixels[top : top + 8, :8] = colour
        return np.roll(pixels, left + glide * index, axis=1)

    return paint


def make_squares(folder: Path, films: int = 5, *, frames: int = 20, grey: bool = False) -> Path:
    """A folder of films without labels and without loss; all but their first rows differ, and so do their names."""
    for number in range(films):
        paint = paint_square(number, grey=grey)
        make_film(folder / f"film{number}.mkv", frames=frames + number, fps=10.0, size=FRAMES_SIZE, paint=paint)
    return folder


def train_frames(
    data: Path, folder: Path, *, stop_after: int | None = None, request: dict[str, Any] | None = None, **settings: Any
) -> TinyRun:
    """Train a tiny model of the next frames, as `train_tiny` does of classes."""
    from vidrnn.train.lessons import next_frame

    tiny: dict[str, Any] = {"task": "next-frame", "context": 4, "horizon": 3, "epochs": 1, "minibatch": 2}
    tiny |= {"head": {"name": "convgru", "size": 8}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(next_frame, "_EPOCH_STEPS", 2)
        return _train(data, folder, stop_after, {"jobs": 1, **(request or {})}, tiny | settings)


@pytest.fixture(scope="session")
def tiny_forecaster(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A tiny model of the next frames trained on five films of moving squares, for tests that only look at it."""
    root = tmp_path_factory.mktemp("forecaster")
    return train_frames(make_squares(root / "films"), root / "run")


def gliding_model(*, calibrated: bool = True, grey: bool = False) -> Any:
    """A model of the next frames that has everything move on to the right as `paint_square` does.

    Its state is the number of frames seen of each film. The colours of what was seen are kept, 8 bits of them.
    """
    from vidrnn.config import HeadConfig
    from vidrnn.model.metadata import ModelHeader
    from vidrnn.nets.spec import EncoderConfig, ForecastConfig, ModelSpec
    from vidrnn.runtimes.base import Runtime
    from vidrnn.tasks.next_frame import as_picture
    from vidrnn.values import AnomalyCalibration, AnswerSpec, DecisionRule

    spec = ModelSpec(
        network="frames",
        forecast=ForecastConfig(context=4, horizon=3, decoder="flow", grey=grey, chosen="It glides."),
        encoder=EncoderConfig(name="pyramid", frozen=False, origin="none", grey=grey),
        head=HeadConfig(name="convgru"),
        readout="last",
        height=FRAMES_SIZE.height,
        width=FRAMES_SIZE.width,
        frames=7,
        spacing_seconds=0.1,
    )
    normal = AnomalyCalibration(middle=-1.6, high=0.0, smoothing_frames=1, error=0.05) if calibrated else None
    rule = DecisionRule(threshold=0.5, hysteresis=0.1, shortest_seconds=0.2, reset="never", anomaly=normal)
    answer = AnswerSpec("next-frame", "picture", "frame", ("normal", "anomaly"), "normal")
    metadata = ModelHeader(
        vidrnn_version="0", answer=answer, decision=rule, spec=spec, seed=0, seen={}, scores={}, facts={}
    )

    class Gliding(Runtime):
        name = "gliding"
        handling = metadata.handling
        streams, splits = True, False

        @property
        def header(self) -> ModelHeader:
            return metadata

        def read(self, frames: Pixels, state: Any = None, before: Pixels | None = None) -> Any:
            seen = state["seen"] if state else np.zeros((len(frames), 1))
            moved = np.roll(as_picture(frames, 1 if grey else 3), GLIDE, axis=3)
            return {"next": moved}, {"seen": seen + frames.shape[1]}

    return Gliding()


ACTS = ("dig", "rear")
"""The behaviours of the films of `make_acts`, by what they look like: bright above, bright below."""


def paint_acts(tracks: NDArray[np.bool_], seed: int = 0) -> Paint:
    """A picture whose upper half is bright while the first act is done, and its lower half while the second is.

    tracks: (frames, 2) whether each act is done.
    """
    ground = np.random.default_rng(seed).integers(10, 50, size=3, dtype=np.uint8)

    def paint(index: int, size: Size) -> Pixels:
        pixels = np.empty((size.height, size.width, 3), dtype=np.uint8)
        pixels[:] = ground
        for half, done in enumerate(tracks[index]):
            if done:
                pixels[half * size.height // 2 : (half + 1) * size.height // 2] = 230
        return pixels

    return paint


def act_tracks(frames: int, seed: int, *, several: bool = False) -> NDArray[np.bool_]:
    """(frames, 2): bouts of half a second to a second and a half; with `several` the acts overlap."""
    rng = np.random.default_rng(seed)
    runs = rng.integers(0, 4 if several else 3, frames)
    runs[:3] = rng.permutation(3)
    acts = np.repeat(runs, rng.integers(5, 16, frames))[:frames]
    return np.stack([acts % 2 == 1, acts >= 2], 1)


def make_acts(
    folder: Path, films: int = 6, *, frames: int = 60, several: bool = False, columns: str = "path,start,end,label"
) -> Path:
    """Films of ten frames a second, each a group of its own, and their label file of one of two formats."""
    rows = []
    for number in range(films):
        tracks, name = act_tracks(frames, number, several=several), f"film{number}.mkv"
        make_film(folder / name, frames=frames, fps=10.0, size=FRAMES_SIZE, paint=paint_acts(tracks, number))
        for act, done in zip(ACTS, tracks.T, strict=True):
            if columns == "path,frame,label":
                rows += [f"{name},{index},{act}" for index in np.flatnonzero(done)]
            else:
                starts, ends = (np.flatnonzero(np.diff(np.pad(done.astype(int), 1)) == way) for way in (1, -1))
                rows += [f"{name},{start / 10},{end / 10},{act}" for start, end in zip(starts, ends, strict=True)]
    table = folder / "labels.csv"
    table.write_text("\n".join([columns, *rows]) + "\n")
    return table


def train_acts(data: Path, folder: Path, *, steps: int = 10, **settings: Any) -> TinyRun:
    """Train a tiny model of labels at each frame, as `train_tiny` does of classes; an epoch has so many `steps`."""
    from vidrnn.train.lessons import labels
    from vidrnn.train.recipes import OF_MOMENTS

    request = {"jobs": 1, **settings.pop("request", {})}
    controls = replace(OF_MOMENTS, frozen=replace(OF_MOMENTS.frozen, steps=2 * steps, fewest_epochs=2))
    tiny: dict[str, Any] = {"task": "label", "frames": 8, "epochs": 2, "minibatch": 4}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labels, "_EPOCH_STEPS", steps)
        patch.setattr(labels.LabelObjective, "recipes", controls)
        return train_tiny(data, folder, request=request, **(tiny | settings))


@pytest.fixture(scope="session")
def tiny_labeller(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A tiny model of two behaviours that exclude each other and of silence, for tests that only look at it."""
    root = tmp_path_factory.mktemp("labeller")
    return train_acts(make_acts(root / "films"), root / "run", epochs=4, labels={"unlabelled": "none"})
