"""A model reads films: a whole film is a stream fed to its end, decoded in one thread and encoded in others."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from vidrnn.errors import FilmError, ModelError, UsageError
from vidrnn.model.header import OPENVINO_NAME, PORTABLE_NAME, find_portable, find_weights
from vidrnn.predict.stream import Stream, reader_of
from vidrnn.registry import load_member
from vidrnn.runtimes import FRAME_RUNTIMES, RUNTIMES
from vidrnn.runtimes.base import Features, FrameRuntime, Runtime
from vidrnn.threads import in_order
from vidrnn.timeline.segments import FilmScores, Reading, Scores, prediction
from vidrnn.values import FilmFailure, FilmPrediction, Floats, Reset
from vidrnn.video.cuts import CutFinder, SmallPictures, small_pictures
from vidrnn.video.prefetch import Chunk, decoded
from vidrnn.video.reader import open_film

HYSTERESIS, SHORTEST_SECONDS = 0.1, 0.5
"""Found on films joined of clips (benchmarks/long_films.py): they cost no frame, and leave fewer false boundaries."""


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
    reset: Reset | None = None
    """When the state starts anew; None: as the model stores it."""
    hysteresis: float = HYSTERESIS
    """How much more probable than the answer that stands another one must be to take its place."""
    shortest_seconds: float = SHORTEST_SECONDS
    """Stretches of the timeline last at least so long."""
    going: Callable[[float, float], None] | None = None
    """Called now and then while a film is read, from any thread: how many of its seconds have been read, and how many
    it claims to have, 0 if it does not say."""

    @property
    def _resets(self) -> Reset:
        return self.reset or self.model.handling.reset

    def stream(self, at_once: int = 1, threshold: float = 0.0) -> Stream:
        """A fresh stream; `at_once` is how many of the frames that the model looks at it gathers before it reads them.

        With 1 there is an answer at each frame; more are read faster and answered later.
        """
        return Stream(self.model, self.reading(threshold), at_once, self.reset)

    def score(self, path: Path | str) -> FilmScores:
        """Read a whole film; while it is decoded here, its frames are encoded in threads.

        Raises:
            FilmError: it cannot be read, or holds no frames.
        """
        return self._score(Path(path), self.per_film or self.threads, Event())

    def _score(self, path: Path, threads: int, stop: Event) -> FilmScores:
        told = _Told(self.model, self._resets)
        with open_film(path, rate=self.rate if path.is_dir() else None) as film:
            sampling, size = self.model.handling.sampling, self.model.handling.size
            length, buffers = self.model.frames_at_once, 2 * threads + 2  # one to fill, one to spare
            with closing(decoded(film, sampling.spacing_seconds, size, length, buffers)) as chunks:
                for encoded in in_order(self._encoded, chunks, threads):
                    if stop.is_set():
                        raise FilmError(f"{path}: given up, since reading was stopped.")
                    told.read(encoded)
                    if self.going is not None:
                        self.going(told.seconds[-1] - told.seconds[0], film.claimed_seconds)
            facts, notes = film.facts(), tuple(film.notes)
        if not told.seconds:
            raise FilmError(f"{path}: holds no frames. Is it a film?")
        end = facts.first_seconds + facts.duration_seconds
        return FilmScores(path, *told.finish(), np.asarray(told.seconds), end, facts.frames, notes)

    def _encoded(self, chunk: Chunk) -> _Encoded:
        """A chunk's features; its buffer is free again."""
        features = self.model.encode(chunk.pixels, chunk.before)
        small = small_pictures(chunk.pixels) if self._resets == "cut" else None
        chunk.give_back()
        return _Encoded(features, chunk.seconds, small)

    def score_all(self, paths: Sequence[Path]) -> Iterator[FilmScores | FilmFailure]:
        """Read many films, a few at once; a bad one costs a row, not the run. In the order of `paths`."""
        side_by_side = min(self.threads, len(paths))
        each, stop = self.per_film or max(1, self.threads // max(1, side_by_side)), Event()

        def score_or_say_why(path: Path) -> FilmScores | FilmFailure:
            try:
                return self._score(path, each, stop)
            except FilmError as error:
                return FilmFailure.of(path, error)

        try:
            yield from in_order(score_or_say_why, paths, max(1, side_by_side))
        except (KeyboardInterrupt, GeneratorExit):
            stop.set()  # films that are being read are given up
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
        handling = self.model.handling
        return Reading(handling.classes, handling.temperature, threshold, self.hysteresis, self.shortest_seconds)


@dataclass(frozen=True)
class _Encoded:
    """Features of successive frames, and small pictures of them."""

    features: Features
    seconds: tuple[float, ...]
    small: SmallPictures | None
    """None where cuts do not matter."""


class _Told:
    """What is told of a film while it is read: all that grows with its length."""

    def __init__(self, model: Runtime, reset: Reset) -> None:
        self.seconds = array("d")
        self._reader = reader_of(model, reset)
        self._cuts = CutFinder()
        self._steps: list[Scores] = []

    def read(self, encoded: _Encoded) -> None:
        """Read on."""
        cuts = () if encoded.small is None else self._cuts.find(encoded.small)
        self._steps.append(self._reader.read(encoded.features, cuts).astype(np.float32))
        self.seconds.extend(encoded.seconds)

    def finish(self) -> tuple[Floats, Scores]:
        """Scores of the film (classes,), and of every step (steps, classes)."""
        ending = self._reader.finish()
        return ending.clip, np.concatenate([*self._steps, ending.steps.astype(np.float32)])


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
    opened: Runtime = _member(RUNTIMES, path, runtime, device)
    return opened


def _member(family: dict[str, str], path: Path, runtime: str, device: str) -> Any:
    """A model read by one of a family of runtimes."""
    member = load_member(family, "--runtime", runtime)
    name = _PORTABLE.get(runtime)
    if name is None:
        return member.open(path, device)
    if device != "cpu":
        raise UsageError(f"--runtime {runtime}: computes on a processor here. Say --device cpu, or --runtime torch.")
    file = find_portable(path, name)
    if file is None:
        find_weights(path)
        raise ModelError(
            f"{path}: no {name} in it. Make one: vidrnn export {path} --to {runtime}, or say --runtime torch."
        )
    return member.open(file)
