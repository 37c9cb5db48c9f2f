"""A model reads films: a whole film is a stream fed to its end, decoded in one thread and encoded in others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from vidrnn.answers import FilmScores, Reading, prediction
from vidrnn.errors import FilmError, ModelError, UsageError
from vidrnn.header import OPENVINO_NAME, PORTABLE_NAME, find_portable, find_weights
from vidrnn.parallel import in_order
from vidrnn.runtimes import FRAME_RUNTIMES, RUNTIMES
from vidrnn.runtimes.base import Features, FrameRuntime, Runtime
from vidrnn.stream import Stream, read_whole
from vidrnn.values import FilmFailure, FilmPrediction, Frame, Pixels
from vidrnn.video import open_film


@dataclass(frozen=True)
class Predictor:
    """A model ready to read films."""

    model: Runtime
    rate: float | None = None
    """Frames per second of films that are folders of pictures."""
    threads: int = 1
    """How many cores to keep busy: with films side by side, or with the frames of one."""
    per_film: int | None = None
    """How many threads compute for one film, beside the one that decodes it; None: as many as `threads` leaves it."""
    stop: Event = field(default_factory=Event)
    """Set to have running films given up."""

    def stream(self, at_once: int = 1, threshold: float = 0.0) -> Stream:
        """A fresh stream; `at_once` is how many of the frames that the model looks at it gathers before it reads them.

        With 1 there is an answer at each frame; more are read faster and answered later.
        """
        return Stream(self.model, self.reading(threshold), at_once)

    def score(self, path: Path | str) -> FilmScores:
        """Read a whole film; while it is decoded here, its frames are encoded in threads.

        Raises:
            FilmError: it cannot be read, or holds no frames.
        """
        return self._score(Path(path), self.per_film or self.threads)

    def _score(self, path: Path, threads: int) -> FilmScores:
        handling = self.model.handling
        seconds: list[float] = []
        with open_film(path, rate=self.rate if path.is_dir() else None) as film:
            frames = film.sampled(handling.sampling.spacing_seconds, size=handling.size)
            chunks = in_order(self._encoded, _chunks(frames, self.model.frames_at_once), threads)
            scores, steps = read_whole(self.model, self._watched(chunks, path, seconds))
            facts, notes = film.facts(), tuple(film.notes)
        end = facts.first_seconds + facts.duration_seconds
        return FilmScores(path, scores, steps, np.asarray(seconds), end, facts.frames, notes)

    def _watched(
        self, chunks: Iterator[tuple[Features, list[float]]], path: Path, seconds: list[float]
    ) -> Iterator[Features]:
        """The features of chunks, whose times are noted; until it is stopped."""
        for encoded, times in chunks:
            if self.stop.is_set():
                raise FilmError(f"{path}: given up, since reading was stopped.")
            seconds += times
            yield encoded
        if not seconds:
            raise FilmError(f"{path}: no frames in it. Is it a film?")

    def _encoded(self, chunk: _Chunk) -> tuple[Features, list[float]]:
        pixels = np.stack([frame.pixels for frame in chunk.frames])
        return self.model.encode(pixels, chunk.before), [frame.seconds for frame in chunk.frames]

    def score_all(self, paths: Sequence[Path]) -> Iterator[FilmScores | FilmFailure]:
        """Read many films, a few at once; a bad one costs a row, not the run. In the order of `paths`."""
        side_by_side = min(self.threads, len(paths))
        each = self.per_film or max(1, self.threads // max(1, side_by_side))

        def score_or_say_why(path: Path) -> FilmScores | FilmFailure:
            try:
                return self._score(path, each)
            except FilmError as error:
                return FilmFailure.of(path, error)

        try:
            yield from in_order(score_or_say_why, paths, max(1, side_by_side))
        except (KeyboardInterrupt, GeneratorExit):
            self.stop.set()
            raise

    def predict(self, path: Path | str, threshold: float = 0.0) -> FilmPrediction:
        """The answer for one film.

        Raises:
            FilmError: it cannot be read, or holds no frames.
        """
        return prediction(self.score(path), self.reading(threshold))

    def predict_all(self, paths: Sequence[Path], threshold: float = 0.0) -> Iterator[FilmPrediction | FilmFailure]:
        """The answers for many films, a few at once; a bad one costs a row, not the run. In the order of `paths`."""
        for found in self.score_all(paths):
            yield found if isinstance(found, FilmFailure) else prediction(found, self.reading(threshold))

    def reading(self, threshold: float = 0.0) -> Reading:
        """How this model's scores are to be read."""
        return Reading(self.model.handling.classes, self.model.handling.temperature, threshold)


@dataclass(frozen=True)
class _Chunk:
    """Successive frames of a film, and the picture before them."""

    frames: Sequence[Frame]
    before: Pixels | None


def _chunks(frames: Iterator[Frame], length: int) -> Iterator[_Chunk]:
    before = None
    while some := list(islice(frames, length)):
        yield _Chunk(some, before)
        before = some[-1].pixels


def open_model(path: Path, runtime: str | None = None, device: str = "cpu") -> tuple[Runtime, str]:
    """A model from a run folder, a model folder or one of its files, and a sentence where it is not read as usual.

    `runtime` None: onnx on a processor, where the model has a .onnx, and torch otherwise.

    Raises:
        ModelError: there is none, or it is damaged, foreign or newer than this vidrnn.
        UsageError: there is no such runtime, or it does not compute on that device.
    """
    if runtime is not None:
        return _opened(path, runtime, device), ""
    if path.suffix == ".xml":
        return _opened(path, "openvino", device), ""
    if device != "cpu":
        return _opened(path, "torch", device), ""
    if find_portable(path):
        return _opened(path, "onnx", device), ""
    find_weights(path)
    remark = f"{path}: no {PORTABLE_NAME} in it, so torch reads it, which starts slowly. Make one: vidrnn export {path}"
    return _opened(path, "torch", device), remark


def open_frames(path: Path, runtime: str | None = None, device: str = "cpu") -> tuple[FrameRuntime, str]:
    """A model of the next frames, and a sentence where it is not read as usual; otherwise as `open_model`."""
    remark = ""
    if runtime is None:
        runtime = "onnx" if device == "cpu" and find_portable(path) else "torch"
        if runtime == "torch" and device == "cpu":
            remark = f"{path}: no {PORTABLE_NAME} in it, so torch reads it. Make one: vidrnn export {path}"
    if runtime not in FRAME_RUNTIMES:
        known = " or ".join(FRAME_RUNTIMES)
        raise UsageError(f"--runtime {runtime}: does not compute models of the next frames; {known} does.")
    opened: FrameRuntime = _member(FRAME_RUNTIMES, path, runtime, device)
    return opened, remark


_PORTABLE = {"onnx": PORTABLE_NAME, "openvino": OPENVINO_NAME}
"""What each runtime reads that does not read the weights."""


def _opened(path: Path, runtime: str, device: str) -> Runtime:
    if runtime not in RUNTIMES:
        raise UsageError(f"--runtime {runtime}: there is none of that name. There are: {', '.join(RUNTIMES)}.")
    opened: Runtime = _member(RUNTIMES, path, runtime, device)
    return opened


def _member(family: dict[str, str], path: Path, runtime: str, device: str) -> Any:
    """A model read by one of a family of runtimes."""
    module, _, attribute = family[runtime].partition(":")
    name = _PORTABLE.get(runtime)
    if name is None:
        return getattr(import_module(module), attribute).open(path, device)
    if device != "cpu":
        raise UsageError(f"--runtime {runtime}: computes on a processor here. Say --device cpu, or --runtime torch.")
    file = find_portable(path, name)
    if file is None:
        find_weights(path)
        raise ModelError(
            f"{path}: no {name} in it. Make one: vidrnn export {path} --to {runtime}, or say --runtime torch."
        )
    return getattr(import_module(module), attribute).open(file)
