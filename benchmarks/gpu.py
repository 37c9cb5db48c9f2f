"""What a GPU does for vidrnn: whether its numbers are those of a processor, and how many of them it computes a second.

    python benchmarks/gpu.py [--device cuda] [--minutes 8] [--only SECTION] [--weights imagenet|none]

The sections are `correctness`, `speed`, `processes` and `moving-mnist`. Each has its share of the minutes and ends by
itself; Moving MNIST has all the time that is left. There is one table, in markdown, for docs/benchmarks.md. Each row is
printed as soon as it is measured. The exit code is 1 if a row of correctness misses its limit.

`--device cpu` runs every section in small, to try the script. The films are those of sample_videos. Speed does not
depend on weights, so `mobilenet_v2` has random ones where those of ImageNet are not on this machine.
"""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property, partial
from itertools import chain, count, repeat
from pathlib import Path
from threading import Event
from typing import Any, TypeVar
from unittest.mock import patch

import moving_mnist
import numpy as np
import torch
import typer
from torchvision.models import mobilenet_v2

from vidrnn.config import RunConfig
from vidrnn.data.cache import Cache
from vidrnn.data.dataset import read_dataset
from vidrnn.errors import first_line
from vidrnn.events import Done, EpochDone
from vidrnn.export.exporter import largest_difference
from vidrnn.nets.classifier import build_encoder, encoding_of, pictures_at_once
from vidrnn.nets.encoders.pretrained import imagenet_file
from vidrnn.nets.spec import EncoderConfig
from vidrnn.predict.predictor import Predictor, open_model
from vidrnn.registry import load_attribute
from vidrnn.runtimes.base import Runtime
from vidrnn.runtimes.onnx import OnnxRuntime
from vidrnn.tasks.base import task_named
from vidrnn.train.fit import Fit, Lesson, Partway
from vidrnn.train.journal import Journal
from vidrnn.train.learner import Clock, Learner
from vidrnn.train.lessons.base import Job, LearnerStudent, Teacher
from vidrnn.train.run import Request
from vidrnn.train.shares.device import prepare_device, threads_for
from vidrnn.train.shares.minibatches import Drawn, Minibatch
from vidrnn.train.shares.workers import Workers
from vidrnn.train.trainer import train
from vidrnn.values import FilmFailure, Part, Size, Window

ROOT = Path(__file__).resolve().parents[1]
FILMS = ROOT / "sample_videos"
ENCODER = "mobilenet_v2"
Result = TypeVar("Result")


class Section(StrEnum):
    """A part of the table."""

    CORRECTNESS = "correctness"
    SPEED = "speed"
    PROCESSES = "processes"
    MOVING_MNIST = "moving-mnist"


SHARES = {Section.CORRECTNESS: 0.45, Section.SPEED: 0.25, Section.PROCESSES: 0.12, Section.MOVING_MNIST: 1.0}
"""Of the minutes; the last one has all that is left."""
EXACT, EXACT_CURVE, LONG_CURVE = 1e-3, 1e-3, 1e-2
"""Limits in float32: of numbers, of the losses of few steps, and of those of 40 steps. A GPU takes sums in another
order. The first steps of Adam are as large for a gradient that is almost 0 as for any other, so rounding grows along a
curve. Between two kinds of convolutions on a processor, curves differed by 1e-5 after 9 steps, by 1e-3 after 40."""
HALF_CURVE = 0.02
"""Of losses where a GPU trains the encoder in bfloat16, which keeps 8 bits of each number. With bfloat16 on a processor
they differed by 6e-4. Rounded gradients lead elsewhere, so the limit only tells a curve from one that goes wrong."""
ROUNDED = 2e-2
"""Of numbers whose factors a GPU rounds to 10 bits (TF32), as torch does in convolutions by default."""
GOAL = 0.8
"""Steps with data, of those without."""


class OutOfTimeError(Exception):
    """The time of a section is over."""


class NotHereError(Exception):
    """A row cannot be measured on this machine; the text says why."""


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    what: str
    number: float | str
    unit: str = ""
    goal: str = ""
    right: bool = True
    """False: it is a row of correctness, and misses its limit."""

    def __str__(self) -> str:
        goal = self.goal if self.right else f"{self.goal}: MISSED".removeprefix(": ")
        return f"| {self.what} | {shown(self.number)} | {self.unit} | {goal} |"


def shown(number: float | str) -> str:
    """A number with about three digits; text as it is."""
    if isinstance(number, str):
        return number
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    return f"{number:.1e}" if abs(number) < 0.01 else f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def within(what: str, difference: float, limit: float) -> Row:
    """A row of correctness."""
    return Row(what, difference, "", f"at most {limit:g}", difference <= limit)


def apart(curve: Sequence[float], other: Sequence[float]) -> float:
    """The largest relative difference between two loss curves; infinite where one cannot be compared."""
    if len(curve) != len(other) or not curve or not all(map(math.isfinite, (*curve, *other))):
        return math.inf
    return max(abs(one - two) / max(abs(two), 1e-9) for one, two in zip(curve, other, strict=True))


@dataclass(frozen=True)
class Trained:
    """A training that has ended, or whose epochs have."""

    curve: tuple[float, ...]
    """The loss of each epoch."""
    model: Path | None
    """None where only its epochs were wanted."""


@dataclass
class Bench:
    """What all measurements share."""

    device: str
    folder: Path
    """For caches, runs and models."""
    weights: str = "imagenet"
    until: float = math.inf
    """When the time of the section is over, by `time.monotonic`."""
    results: dict[str, Trained] = field(default_factory=dict)

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU; on a processor all is smaller."""
        return self.device.startswith("cuda")

    @property
    def jobs(self) -> int:
        """Threads that read films."""
        return 8 if self.on_gpu else 2

    def check_time(self) -> None:
        """Raise OutOfTimeError if the section is over."""
        if time.monotonic() > self.until:
            raise OutOfTimeError

    def events(self, generator: Generator[Any, None, Result]) -> Result:
        """The result at the end of events, unless the time is over before."""
        while True:
            try:
                next(generator)
            except StopIteration as end:
                return end.value
            self.check_time()

    def clips(self, figures: int, takes: int) -> Path:
        """A manifest of the clips of some figures."""
        manifest = self.folder / f"clips{figures}x{takes}.csv"
        with manifest.open("w", encoding="utf-8", newline="") as opened:
            rows = csv.writer(opened)
            rows.writerow(["path", "label", "group"])
            for clip in sorted(FILMS.glob("*/*.webm")):
                figure, _, take = clip.stem.partition("_")
                if int(figure.removeprefix("figure")) <= figures and int(take) <= takes:
                    rows.writerow([clip, clip.parent.name, figure])
        return manifest

    @property
    def films(self) -> Path:
        """The clips that speed is measured on."""
        return self.clips(figures=12, takes=2) if self.on_gpu else self.clips(figures=6, takes=1)

    @cached_property
    def known_weights(self) -> str:
        """The weights of the frozen encoder: a name, or a file with random ones."""
        if self.weights != "none" and imagenet_file(ENCODER, self.weights).exists():
            return self.weights
        file = self.folder / "random.pth"
        torch.manual_seed(0)
        torch.save(mobilenet_v2(weights=None).state_dict(), file)
        return str(file)

    @property
    def named_weights(self) -> str:
        """The kind of the weights, for a row."""
        return "random weights" if self.known_weights.endswith(".pth") else f"{self.known_weights} weights"

    def request(self, lesson: LessonOf, device: str, name: str, **changes: Any) -> Request:
        """The request for a training; `changes` are of its settings."""
        settings = {**lesson.settings(self), "seed": 1, **changes}
        config = RunConfig.of(settings, source="benchmark")
        data, jobs = lesson.data(self), self.jobs
        return Request(data, config, self.folder / name, self.folder / "cache", jobs, "benchmark", device)

    def trained(
        self, lesson: LessonOf, device: str, *, kind: str = "exact", whole: bool = False, **changes: Any
    ) -> Trained:
        """A training by `vidrnn train`; with `whole` to the model folder, else to the end of its epochs."""
        name = "-".join([lesson.name.replace(" ", "-"), device.replace(":", ""), kind, *map(str, changes.values())])
        if (known := self.results.get(name)) and (known.model or not whole):
            return known
        request, curve, model = self.request(lesson, device, name, **changes), [], None
        with exact() if kind.startswith("exact") else nullcontext():
            for event in train(replace(request, overwrite=True)):
                if isinstance(event, EpochDone) and event.training == "model":
                    curve.append(event.train_loss)
                    if not whole and event.number == event.of:
                        break
                if isinstance(event, Done):
                    model = event.model
                self.check_time()
        self.results[name] = Trained(tuple(curve), model)
        return self.results[name]


@contextmanager
def exact() -> Iterator[None]:
    """float32 throughout: no bfloat16 for encoders, and no factors of 10 bits in convolutions."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        with patch("vidrnn.train.shares.encoding.half_precision", lambda _: nullcontext()):
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@dataclass(frozen=True)
class LessonOf:
    """A short training."""

    name: str
    settings: Callable[[Bench], dict[str, Any]]
    data: Callable[[Bench], Path]
    limit: float
    """Of the difference between its loss curves."""


def _few_clips(bench: Bench) -> Path:
    return bench.clips(figures=6, takes=1)


_PICTURES = {"height": 48, "width": 64, "frames": 8, "minibatch": 8, "flip": False, "epochs": 3}
_HEAD = {"head": {"name": "gru", "size": 32, "dropout": 0.0}}
"""Without dropout, whose random numbers differ between devices."""
FROZEN = LessonOf(
    f"classify, frozen {ENCODER}",
    lambda bench: {**_PICTURES, **_HEAD, "encoder": ENCODER, "weights": bench.known_weights},
    _few_clips,
    EXACT_CURVE,
)
SMALL = LessonOf(
    "classify, small", lambda _: {**_PICTURES, **_HEAD, "encoder": "small", "augment": 0.0}, _few_clips, EXACT_CURVE
)
TINY = LessonOf(
    "label, tiny",
    lambda _: {**_PICTURES, **_HEAD, "encoder": "tiny", "augment": 0.0, "task": "label", "live": True, "epochs": 1},
    lambda _: FILMS / "a_day.csv",
    LONG_CURVE,
)
NEXT = LessonOf(
    "next-frame",
    lambda _: {
        **{"task": "next-frame", "height": 24, "width": 32, "minibatch": 2, "epochs": 1, "context": 3, "horizon": 3},
        "head": {"name": "convgru", "size": 16},
        "decoder": "flow",
    },
    lambda _: FILMS / "walk-left",
    LONG_CURVE,
)
Measurement = tuple[str, Callable[[], Row]]
"""What is measured, for the row in case it cannot be, and the measurement."""


# Correctness


def correctness(bench: Bench) -> Iterator[Measurement]:
    """The numbers of the device beside those of the processor."""
    for lesson in (FROZEN, SMALL, TINY, NEXT):
        what = f"{lesson.name}: loss curve against the processor, float32"
        yield what, partial(_curve, bench, lesson, what)
    what = "classify, small, augmented: loss curve against the processor; the GPU trains the encoder in bfloat16"
    yield what, partial(_rounded_curve, bench, what)
    what = "classify, frozen: 4 shares of a minibatch against 1, on the device"
    yield what, partial(_shares, bench, what)
    for lesson in (SMALL, NEXT):
        what = f"{lesson.name}: two trainings with one seed on the device, loss curves"
        yield what, partial(_again, bench, lesson, what)
    for lesson in (SMALL, TINY, NEXT):
        what = f"{lesson.name}: a model trained on the device streams there, frame by frame against whole"
        yield what, partial(_streaming, bench, lesson, what)
        what = f"{lesson.name}: its .onnx on the processor against torch on the device, float32"
        yield what, partial(_parity, bench, lesson, what)
    what = f"{ENCODER}: features of the device against the processor, float32"
    yield what, partial(_features, bench, what, exact, EXACT)
    what = f"{ENCODER}: the same as predict computes them, with TF32"
    yield what, partial(_features, bench, what, nullcontext, ROUNDED)


def _curve(bench: Bench, lesson: LessonOf, what: str) -> Row:
    processor, device = bench.trained(lesson, "cpu"), bench.trained(lesson, bench.device, whole=lesson is not FROZEN)
    return within(what, apart(device.curve, processor.curve), lesson.limit)


def _rounded_curve(bench: Bench, what: str) -> Row:
    curves = [bench.trained(SMALL, device, kind="rounded", augment=1.0).curve for device in ("cpu", bench.device)]
    return within(what, apart(curves[1], curves[0]), HALF_CURVE)


def _shares(bench: Bench, what: str) -> Row:
    curves = [bench.trained(FROZEN, bench.device, shares=shares).curve for shares in (4, 1)]
    return within(what, apart(*curves), EXACT)


def _again(bench: Bench, lesson: LessonOf, what: str) -> Row:
    first, second = (bench.trained(lesson, bench.device, kind=kind).curve for kind in ("exact", "exact again"))
    if lesson is SMALL:
        return within(what, apart(first, second), 0.0)
    return Row(what, apart(first, second), "", "none: some gradients of warps are summed in any order")


def _model(bench: Bench, lesson: LessonOf) -> Path:
    model = bench.trained(lesson, bench.device, whole=True).model
    assert model is not None
    return model


def _compare(one: Runtime, other: Runtime) -> float:
    """The largest difference on random frames, whole and in pieces with the state handed on."""
    spec = one.header.spec
    shape = (2, 20, spec.height, spec.width, 3)
    frames = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with exact():
        return largest_difference(one, other, [Window(frames)])


def _streaming(bench: Bench, lesson: LessonOf, what: str) -> Row:
    runtime = open_model(_model(bench, lesson), "torch", bench.device)[0]
    return within(what, _compare(runtime, runtime), EXACT)


def _parity(bench: Bench, lesson: LessonOf, what: str) -> Row:
    model = _model(bench, lesson)
    by_torch, portable = open_model(model, "torch", bench.device)[0], open_model(model, "onnx")[0]
    return within(what, _compare(by_torch, portable), EXACT)


def _features(bench: Bench, what: str, precision: Callable[[], Any], limit: float) -> Row:
    torch.manual_seed(0)
    encoder = build_encoder(EncoderConfig(name=ENCODER, frozen=True, origin="none"), Size(96, 128)).eval()
    pictures = np.random.default_rng(0).integers(0, 256, (8, 96, 128, 3), dtype=np.uint8)
    with precision():
        expected = encoding_of(encoder)(pictures)
        found = encoding_of(encoder.to(bench.device))(pictures)
    return within(what, float(np.abs(found - expected).max() / np.abs(expected).max()), limit)


# Speed


def speed(bench: Bench) -> Iterator[Measurement]:
    """Steps, pictures, clips and frames a second, and the memory that they take."""
    for name, changes in ((ENCODER, {}), ("small", {"height": 112, "width": 112} if bench.on_gpu else {})):
        found: dict[str, float] = {}
        label = f"frozen {name}, cached features" if name == ENCODER else f"{name}, cached clips"
        for suffix in (
            "with data",
            "the step alone, on a minibatch that lies on the device",
            "with data, of the step alone",
        ):
            what = f"{label}: training, {suffix}"
            yield what, partial(_steps, bench, what, name, changes, found, suffix)
    yield "memory of the GPU at the top while small trains", partial(_memory, bench)
    yield f"{ENCODER}: encoding from memory", partial(_encoding, bench)
    yield f"{ENCODER}: encoding from films", partial(_encoding_films, bench)
    for runtime in ("torch", "onnx"):
        yield f"predict with models/actions, {runtime}", partial(_predict, bench, runtime)


def teacher_of(bench: Bench, request: Request) -> Teacher:
    """The teacher of a training."""
    task = task_named(request.config.task)
    kind: type[Teacher] = load_attribute(task.lesson)
    config = kind.complete(request.config.with_defaults(task.defaults))
    workers = Workers(threads_for(request.jobs, request.device))
    return kind(Job(replace(request, config=config), task, Clock(None), Event(), workers))


def student_of(bench: Bench, request: Request) -> LearnerStudent:
    """A student with its clips ready."""
    teacher = teacher_of(bench, request)
    job, task = teacher.job, teacher.job.task
    named = task.read(request.data, to_train=True, features=None, labels=job.config.labels)
    dataset = bench.events(read_dataset(named, request.data, request.cache, request.jobs, labelled=task.labelled))
    dataset = bench.events(teacher.usable(dataset))
    split = teacher.split(dataset, test=job.config.test)
    student = bench.events(teacher.student(dataset, split, Journal()))
    assert isinstance(student, LearnerStudent)
    return student


class OnDevice(Minibatch):
    """A share that lies on the device already."""

    def on(self, device: torch.device) -> Minibatch:
        """Itself."""
        return self


@dataclass(frozen=True)
class Held(Drawn):
    """A minibatch whose shares are read and copied to the device once."""

    device: torch.device
    shares: dict[tuple[int, int], OnDevice] = field(default_factory=dict)

    def read(self, rows: slice = slice(None)) -> Minibatch:
        """The share of those rows."""
        key = (rows.start or 0, len(self) if rows.stop is None else rows.stop)
        if key not in self.shares:
            share = super().read(rows).on(self.device)
            self.shares[key] = OnDevice(share.inputs, share.mask, share.target, share.before)
        return self.shares[key]


def _steps(bench: Bench, what: str, encoder: str, changes: dict[str, Any], found: dict[str, float], kind: str) -> Row:
    """Measured together the first time: both kinds of steps in turn, the quickest round of each."""
    if not found:
        settings = {
            "minibatch": 32 if bench.on_gpu else 8,
            "frames": 16 if bench.on_gpu else 8,
            "augment": 1.0,
            **changes,
        }
        lesson = FROZEN if encoder == ENCODER else SMALL
        if bench.on_gpu:
            torch.cuda.reset_peak_memory_stats()
        request = bench.request(lesson, bench.device, f"speed-{encoder}", **settings)
        fit = student_of(bench, replace(request, data=bench.films)).fit
        held = next(iter(fit.lesson.minibatches(0)))
        alone = Held(held.windows, held.frames, fit.lesson.device)
        with_data = replace(fit.lesson, minibatches=lambda _: chain.from_iterable(map(fit.lesson.minibatches, count())))
        best = {"with data": 0.0, "alone": 0.0}
        for _ in range(3):
            for name, one in (
                ("with data", with_data),
                ("alone", replace(fit.lesson, minibatches=lambda _: repeat(alone))),
            ):
                best[name] = max(best[name], _rate(bench, fit, one, 4.0 if bench.on_gpu else 1.0))
        found |= best
    if kind == "with data":
        return Row(what, found["with data"], "steps/s")
    if kind.startswith("the step"):
        return Row(what, found["alone"], "steps/s")
    return Row(what, found["with data"] / found["alone"], "", f"at least {GOAL:g}")


def _rate(bench: Bench, fit: Fit, lesson: Lesson, seconds: float) -> float:
    """Steps a second, from the third on."""
    started, done = math.inf, 0
    for event in Fit(replace(lesson, steps=10**9, validate=None), fit.plan, workers=fit.workers).steps():
        assert isinstance(event, Partway)
        bench.check_time()
        if event.step == 3:
            started = time.perf_counter()
        elif event.step > 3:
            done += 1
            if time.perf_counter() - started > seconds:
                break
    return done / (time.perf_counter() - started)


def _memory(bench: Bench) -> Row:
    if not bench.on_gpu:
        raise NotHereError("the device is a processor")
    return Row("memory of the GPU at the top while small trains", torch.cuda.max_memory_allocated() / 2**20, "MiB")


def _encoding(bench: Bench) -> Row:
    side = 224 if bench.on_gpu else 96
    config = EncoderConfig(name=ENCODER, frozen=True, origin="none")
    encoder = build_encoder(config, Size(side, side)).eval().to(bench.device).to(memory_format=torch.channels_last)
    at_once = pictures_at_once(encoder)
    pictures = np.random.default_rng(0).integers(0, 256, (2 * at_once, side, side, 3), dtype=np.uint8)
    encode, rounds, best = encoding_of(encoder), 5 if bench.on_gpu else 2, 0.0
    for _ in range(rounds + 1):
        bench.check_time()
        began = time.perf_counter()
        encode(pictures)
        best = max(best, len(pictures) / (time.perf_counter() - began))
    return Row(f"{ENCODER} at {side} x {side}: encoding from memory, {at_once} pictures at once", best, "pictures/s")


def _encoding_films(bench: Bench) -> Row:
    size = {"height": 168, "width": 224} if bench.on_gpu else {}
    request = replace(bench.request(FROZEN, bench.device, "films", **size), data=bench.films)
    known = student_of(bench, request).learner
    with tempfile.TemporaryDirectory() as cache:
        setting = replace(known.setting, cache=Cache(Path(cache), bench.jobs))
        learner, places = Learner(setting, known.choice), setting.places(Part.TRAIN)
        began = time.perf_counter()
        bench.events(learner.prepare(places, to_train=True))
        spent = time.perf_counter() - began
    what = f"{ENCODER} at {known.choice.size}, {bench.named_weights}: encoding from films, {bench.jobs} threads decode"
    return Row(what, len(places) / spent, "clips/s")


def _predict(bench: Bench, runtime: str) -> Row:
    if runtime == "onnx" and bench.on_gpu and not OnnxRuntime.computes_on("cuda"):
        raise NotHereError("the onnxruntime that is installed here has no CUDA provider")
    predictor = Predictor(open_model(ROOT / "models" / "actions", runtime, bench.device)[0], threads=bench.jobs)
    films = sorted(FILMS.glob("*/*.webm"))[: None if bench.on_gpu else 8]
    predictor.read(films[0])  # the first one loads kernels
    began, frames = time.perf_counter(), 0
    for film in predictor.read_all(films):
        assert not isinstance(film, FilmFailure)
        frames += film.frames
        bench.check_time()
    what = f"predict with models/actions, {runtime}, {bench.jobs} threads: frames of the films"
    return Row(what, frames / (time.perf_counter() - began), "frames/s")


# Processes, and Moving MNIST


def processes(bench: Bench) -> Iterator[Measurement]:
    """Two processes that train one network."""
    by = "nccl" if bench.on_gpu else "gloo"
    yield f"two processes by {by}: loss curve against one process", partial(_two_processes, bench, by)


def _two_processes(bench: Bench, by: str) -> Row:
    if bench.on_gpu and torch.cuda.device_count() < 2:
        raise NotHereError(f"there is {torch.cuda.device_count()} GPU here")
    device = "cuda" if bench.on_gpu else "cpu"
    alone = bench.trained(SMALL, device, kind="rounded")
    request = bench.request(SMALL, device, "two-processes")
    settings, run = bench.folder / "two.toml", request.out
    request.config.write(settings)
    command = [sys.executable, "-m", "vidrnn", "train", str(request.data), "--config", str(settings), "--out", str(run)]
    command += ["--overwrite", "--device", device, "--processes", "2"]
    limit = max(1.0, bench.until - time.monotonic()) if math.isfinite(bench.until) else None
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        raise OutOfTimeError from None
    if ended.returncode:
        raise RuntimeError(f"the training ended with exit code {ended.returncode}: {ended.stderr.strip()[-300:]}")
    events = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    curve = [event["train_loss"] for event in events if event.get("training") == "model"]
    limit = SMALL.limit if bench.on_gpu else 0.0
    return within(f"two processes by {by}: loss curve against one process", apart(curve, alone.curve), limit)


def moving(bench: Bench) -> Iterator[Measurement]:
    """Moving MNIST for the time that is left."""
    found: list[Row] = []
    yield "Moving MNIST", partial(_learn_digits, bench, found)
    for place, what in enumerate(("Moving MNIST: films a second", "Moving MNIST: films seen")):
        yield what, lambda place=place: found[place]


def _digits() -> tuple[Any, Any, str]:
    """Digits for training and for tests; those of scikit-learn, enlarged, where there is no MNIST."""
    if moving_mnist.DIGITS.exists():
        parts = [moving_mnist.read_digits(part=part) for part in ("train", "val")]
        return parts[0], parts[1], "digits of MNIST"
    from sklearn.datasets import load_digits

    pictures = np.kron(np.round(load_digits().images * 15.9), np.ones((3, 3))).astype(np.uint8)
    pictures = np.pad(pictures, ((0, 0), (2, 2), (2, 2)))
    return pictures[:1500], pictures[1500:], "digits of scikit-learn"


def _learn_digits(bench: Bench, found: list[Row]) -> Row:
    shown, held, digits = _digits()
    left = bench.until - time.monotonic()
    seconds = 0.75 * left if bench.on_gpu else min(20.0, 0.5 * left)
    if seconds < 5:
        raise OutOfTimeError
    small = {} if bench.on_gpu else {"minibatch": 2, "steps": 2, "validated": 2}
    training = moving_mnist.Training(device=bench.device, seconds=seconds, **small)
    fit = training.fit(shown, held)
    began, epochs = time.perf_counter(), sum(1 for _ in fit.run())
    films = epochs * training.steps * training.minibatch
    unseen = moving_mnist.moving_digits(held, 200 if bench.on_gpu else 4, seed=1)
    model = moving_mnist.model_of(fit.lesson.network, training, bench.folder)
    found.append(
        Row("Moving MNIST: films learnt, validation counted in", films / (time.perf_counter() - began), "films/s")
    )
    found.append(Row("Moving MNIST: films seen", float(films), "films"))
    numbers = moving_mnist.scores_of(model, shown, unseen, digits).numbers
    what = f"Moving MNIST ({digits}), {seconds / 60:.1f} minutes: squared error of a frame, 10 steps ahead on average"
    return Row(what, float(numbers["mse_sum"]), "MSE")


# The table

SECTIONS = {
    Section.CORRECTNESS: correctness,
    Section.SPEED: speed,
    Section.PROCESSES: processes,
    Section.MOVING_MNIST: moving,
}


def measured(section: Section, bench: Bench) -> Iterator[Row]:
    """The rows of a section. What cannot be measured has a row that says why."""
    for what, measure in SECTIONS[section](bench):
        try:
            bench.check_time()
            yield measure()
        except OutOfTimeError:
            yield Row(what, "not measured: the time of this section was over")
        except NotHereError as reason:
            yield Row(what, f"not measured: {reason}")
        except Exception as error:  # the other rows are worth their time
            yield Row(
                what, f"failed: {type(error).__name__}: {first_line(error)}", right=section is not Section.CORRECTNESS
            )


def main(device: str = "cuda", minutes: float = 8.0, only: Section | None = None, weights: str = "imagenet") -> None:
    """Print the table; exit with 1 if a row of correctness misses its limit."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit(f"--device {device}: torch finds no GPU here. Try the script with --device cpu.")
    warnings.simplefilter("ignore", UserWarning)
    prepare_device(torch.device(device))
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else "a processor"
    print(f"{name}, torch {torch.__version__}\n\n| what | number | unit | goal |\n|---|---|---|---|", flush=True)
    end, missed = time.monotonic() + 60 * minutes, 0
    with ExitStack() as stack:
        bench = Bench(device, Path(stack.enter_context(tempfile.TemporaryDirectory())), weights)
        for section in [only] if only else list(Section):
            share = 1.0 if only else SHARES[section]
            bench.until = min(end, time.monotonic() + 60 * minutes * share)
            for row in measured(section, bench):
                print(row, flush=True)
                missed += not row.right
    raise SystemExit(1 if missed else 0)


if __name__ == "__main__":
    typer.run(main)
