"""Reads whole films with a model: one thread decodes, others prepare, and frames go through a `Track` in order."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from vidrnn.errors import (
    SHORT_OF_MEMORY,
    FilmError,
    ModelError,
    UsageError,
    VidrnnError,
    fault_clause,
    is_memory_shortage,
)
from vidrnn.model.header import (
    OPENVINO_NAME,
    PORTABLE_NAME,
    WEIGHTS_NAME,
    find_portable,
    find_weights,
    read_weights_handling,
)
from vidrnn.model.portable import answering_outputs
from vidrnn.predict.stream import Settled, Stream, Track
from vidrnn.registry import load_attribute
from vidrnn.runtimes import RUNTIMES
from vidrnn.runtimes.base import Runtime
from vidrnn.tasks import TASKS
from vidrnn.tasks.base import Task, task_named
from vidrnn.threads import map_in_order
from vidrnn.timeline.reading import ObservedReader, Reader
from vidrnn.values import (
    DecisionRule,
    Excerpt,
    FilmFailure,
    FilmMoments,
    FilmPrediction,
    Floats,
    Handling,
    Pixels,
    PredictionOptions,
    Segment,
    Timeline,
)
from vidrnn.video.features import holds_features
from vidrnn.video.film import Film
from vidrnn.video.prefetch import Chunk, decoded
from vidrnn.video.reader import open_film

Observe = Callable[[Path], Callable[[Pixels], None]]
"""From a film to a function that gets each piece of its frames (count, height, width, 3), in order."""


@dataclass(frozen=True)
class Reading:
    """What of a film is read, and how its times are counted."""

    excerpt: Excerpt | None = None
    """The part that is read as if it was a film of its own; None: all of it."""
    rate: float | None = None
    """Frames per second, in place of the film's own time stamps; None: as for every film."""


WHOLE_FILM = Reading()


@dataclass(frozen=True)
class Predictor:
    """A model that is ready to read films."""

    model: Runtime
    rule: DecisionRule | None = None
    """How outputs become answers; None for the rule that is stored in the model."""
    rate: float | None = None
    """Frames per second, in place of the films' own time stamps; None where each has its own."""
    threads: int = 1
    """How many cores to use: for several films at once, or for the frames of one film."""
    per_film: int | None = None
    """How many threads compute for one film, beside the one that decodes it; None for its share of `threads`."""
    rollout: int = 0
    """Frames to predict beyond a film's end."""
    normalised: bool = False
    """Whether to give also the anomaly score that papers normalise within each film."""
    report_progress: Callable[[float, float], None] | None = None
    """Is called while a film is read, from any thread, with the seconds that have been read and the seconds that the
    film claims to have, 0 if it claims none."""

    @cached_property
    def task(self) -> Task:
        """The task of the model."""
        return task_named(self.model.handling.answer.task)

    @property
    def options(self) -> PredictionOptions:
        """How films are read, and how answers are given."""
        rule, background = self.rule or self.model.handling.decision, self.model.handling.answer.background
        return PredictionOptions(rule, self.rate, self.rollout, self.normalised, background)

    def stream(self, at_once: int = 1) -> Stream:
        """A fresh stream, which reads `at_once` frames of the model's grid together.

        With 1 there is a new answer at each of them. With more, reading is faster and answers come later.
        """
        return Stream(self.model, self.task, self.options.rule, at_once)

    def predict(self, path: Path | str) -> FilmPrediction:
        """The answer for one film.

        Raises:
            FilmError: it cannot be read, or holds no frames.
        """
        return self.answer(self.read(Path(path)))

    def predict_all(self, paths: Sequence[Path]) -> Iterator[FilmPrediction | FilmFailure]:
        """The answers for many films in the order of `paths`, several at once; a bad film gives a `FilmFailure`."""
        for film in self.read_all(paths):
            yield film if isinstance(film, FilmFailure) else self.answer(film)

    def answer(self, film: FilmMoments) -> FilmPrediction:
        """The answer for a film that was read."""
        prediction = self.task.prediction(film, self.options)
        return replace(prediction, pictures=self.task.pictures(self.model, film.path, self.options))

    def read(self, path: Path, observe: Observe | None = None) -> FilmMoments:
        """Read a whole film; its frames are prepared in threads while it is decoded.

        Raises:
            FilmError: it cannot be read, or holds no frames.
        """
        return self._read(path, self.per_film or self.threads, Event(), observe)

    def read_all(
        self, paths: Sequence[Path], observe: Observe | None = None, how: Sequence[Reading] | None = None
    ) -> Iterator[FilmMoments | FilmFailure]:
        """Read many films, several at once, in the order of `paths`; a bad film gives a `FilmFailure`.

        A lack of memory, and among several films a fault of vidrnn, cost their film alone.

        Args:
            paths: of the films.
            observe: as in `read`.
            how: for each path what of the film is read, and at which rate; None: each whole, by its own times.

        Raises:
            VidrnnError: the work cannot go on, as with a damaged model.
        """
        side_by_side = min(self.threads, len(paths))
        each, stop = self.per_film or max(1, self.threads // max(1, side_by_side)), Event()

        def read_or_fail(film: tuple[Path, Reading]) -> FilmMoments | FilmFailure:
            try:
                return self._read(film[0], each, stop, observe, film[1])
            except FilmError as error:
                return FilmFailure.of(film[0], error)
            except Exception as error:
                if is_memory_shortage(error):
                    return FilmFailure(film[0], SHORT_OF_MEMORY)
                if isinstance(error, VidrnnError) or len(paths) == 1:
                    raise
                return FilmFailure(film[0], fault_clause(error))

        try:
            films = list(zip(paths, how or [WHOLE_FILM] * len(paths), strict=True))
            yield from map_in_order(read_or_fail, films, max(1, side_by_side))
        except (KeyboardInterrupt, GeneratorExit):
            stop.set()  # threads give up the films that they read
            raise

    def rate_for(self, path: Path) -> float | None:
        """The rate to open a film with: that of the user, else that of the features that the model learnt from."""
        features = self.model.handling.features
        if self.rate is None and holds_features(path):
            return 1.0 if features is None else features.rate  # a model of pictures refuses the file at any rate
        return self.rate

    def _read(
        self, path: Path, threads: int, stop: Event, observe: Observe | None, how: Reading = WHOLE_FILM
    ) -> FilmMoments:
        handling, rule = self.model.handling, self.options.rule
        reader = self.task.reader(self.model, rule)
        if observe is not None:
            reader = ObservedReader(reader, observe(path))
        track, line = Track(reader, self.model, rule), _Line()
        with open_film(path, rate=how.rate or self.rate_for(path), excerpt=how.excerpt) as film:
            _refuse_other_input(film, handling)
            length, buffers = self.model.frames_at_once, 2 * threads + 2  # one to fill, one to spare
            spacing, motion_seconds = handling.sampling.spacing_seconds, handling.motion_seconds
            with closing(decoded(film, spacing, handling.size, length, buffers, motion_seconds)) as chunks:
                for piece in map_in_order(lambda chunk: _prepare(reader, chunk), chunks, threads):
                    if stop.is_set():
                        raise FilmError(f"{path}: given up, since reading was stopped.")
                    line.add_times(piece)
                    line.add(track.read(piece.prepared, piece.seconds))
                    if self.report_progress is not None:
                        self.report_progress(line.seconds[-1] - line.seconds[0], film.claimed_seconds)
            facts, notes, frame_seconds = film.facts(), tuple(film.notes), film.frame_seconds
        if not line.seconds:
            raise FilmError(f"{path}: holds no frames. Is it a video?")
        end = facts.first_seconds + facts.duration_seconds
        settled, clip = track.finish(end)
        line.add(settled)
        segments = tuple(sorted(line.segments, key=lambda one: one.start_seconds))  # they came as they ended
        timeline = line.timeline(reader.classes)
        return FilmMoments(path, clip, timeline, segments, end, facts.frames, notes, frame_seconds)


def _refuse_other_input(film: Film, handling: Handling) -> None:
    """Refuse features where the model reads pictures, pictures where it reads features, and features of another width.

    Raises:
        FilmError: the film is of the other kind.
    """
    wanted = None if handling.features is None else handling.features.width
    if film.features == wanted:
        return
    reads = "videos" if wanted is None else f".npy files of {wanted} numbers at each time"
    found = "is a video" if film.features is None else f"has {film.features} numbers at each time"
    raise FilmError(f"{film.path}: {found}, and this model reads {reads}.")


@dataclass(frozen=True)
class _Piece:
    """Successive frames that the reader has prepared."""

    prepared: Any
    seconds: tuple[float, ...]
    indices: tuple[int, ...]


def _prepare(reader: Reader, chunk: Chunk) -> _Piece:
    """Prepare a chunk and give back its buffer."""
    prepared = reader.prepare(chunk.pixels, chunk.before)
    chunk.give_back()
    return _Piece(prepared, chunk.seconds, chunk.indices)


@dataclass
class _Line:
    """Collects the timeline of a film. Nothing else grows with the film's length."""

    seconds: array[float] = field(default_factory=lambda: array("d"))
    indices: array[int] = field(default_factory=lambda: array("q"))
    segments: list[Segment] = field(default_factory=list)
    _probabilities: list[np.ndarray[Any, np.dtype[np.float32]]] = field(default_factory=list)
    _measures: dict[str, list[Floats]] = field(default_factory=dict)

    def add_times(self, piece: _Piece) -> None:
        """Add the times of the next frames."""
        self.seconds.extend(piece.seconds)
        self.indices.extend(piece.indices)

    def add(self, settled: Settled) -> None:
        """Add the next moments that are certain."""
        self.segments += settled.segments
        self._probabilities.append(settled.moments.probabilities.astype(np.float32))
        for name, numbers in settled.moments.measures.items():
            self._measures.setdefault(name, []).append(numbers)

    def timeline(self, classes: tuple[str, ...]) -> Timeline:
        """All moments of the film."""
        return Timeline(
            classes,
            np.asarray(self.seconds),
            np.concatenate(self._probabilities),
            np.asarray(self.indices),
            {name: np.concatenate(numbers) for name, numbers in self._measures.items()},
        )


def handling_of(path: Path) -> Handling:
    """How a model is fed and read; its network is loaded only if there is no weights file.

    Raises:
        ModelError: there is no model, or it is damaged, foreign or of another version.
    """
    handling = _handling_of(path)
    _task_of(handling, path)
    return handling


def _handling_of(path: Path) -> Handling:
    file = find_portable(path)
    weights = path if path.suffix == Path(WEIGHTS_NAME).suffix else None
    for place in (path / "model" / WEIGHTS_NAME, path / WEIGHTS_NAME, weights):
        if place is not None and place.is_file():
            return read_weights_handling(place)
    if file is not None or path.suffix == ".xml":
        return open_model(path)[0].handling
    return read_weights_handling(find_weights(path))


def open_model(path: Path, runtime: str | None = None, device: str = "cpu") -> tuple[Runtime, str]:
    """A model from a run folder, a model folder or one of its files, and a remark, which is empty in most cases.

    Without `runtime`: onnx on a processor if the model has a .onnx, else torch.

    Raises:
        ModelError: there is none, or it is damaged, foreign or newer than this vidrnn; or it gives no answers.
        UsageError: there is no such runtime, or it does not compute on that device.
    """
    chosen, remark = runtime or usual_runtime(path, device), ""
    if runtime is None and chosen == "torch" and device == "cpu":
        remark = (
            f"{path}: no {PORTABLE_NAME} in it, so torch reads it, which starts slowly. Make one: vidrnn export {path}"
        )
    opened = _open(path, chosen, device)
    task = _task_of(opened.handling, path)
    if not task.answers:
        raise ModelError(
            f"{path}: was trained to make an encoder, so it gives no answers. Train on it: --weights {path}."
        )
    return opened, remark


def _task_of(handling: Handling, path: Path) -> Task:
    """The task of a model.

    Raises:
        ModelError: this vidrnn does not know it, or the model does not give the outputs that the task needs.
    """
    name = handling.answer.task
    if name not in TASKS:
        raise ModelError(f"{path}: is a model of the task {name!r}, which this vidrnn does not know. Update vidrnn.")
    task = task_named(name)
    if not {*task.outputs} <= {*answering_outputs(handling)}:
        raise ModelError(f"{path}: its header is damaged (its answer does not fit its task). Copy the model again.")
    return task


def usual_runtime(path: Path, device: str) -> str:
    """What reads a model where the user named no runtime.

    Raises:
        ModelError: there is no model, or only torch reads it, and torch is not installed.
    """
    if path.suffix == ".xml":
        return "openvino"
    if find_portable(path) and (device == "cpu" or load_attribute(RUNTIMES["onnx"]).computes_on(device)):
        return "onnx"
    find_weights(path)
    if find_spec("torch") is None:
        raise ModelError(
            f"{path}: no {PORTABLE_NAME} in it, and only PyTorch reads its weights, which is not installed here. Make "
            f"the file where all of vidrnn is installed: vidrnn export {path}"
        )
    return "torch"


_PORTABLE = {"onnx": PORTABLE_NAME, "openvino": OPENVINO_NAME}
"""The file that each runtime reads, where it is not the weights."""


def _open(path: Path, runtime: str, device: str) -> Runtime:
    if runtime not in RUNTIMES:
        raise UsageError(f"--runtime {runtime}: there is none of that name. There are: {', '.join(RUNTIMES)}.")
    opener, name = load_attribute(RUNTIMES[runtime]).open, _PORTABLE.get(runtime)
    if name is None:
        on_device: Runtime = opener(path, device)
        return on_device
    if device != "cpu" and runtime != "onnx":
        raise UsageError(f"--runtime {runtime}: computes on a processor here. Say --device cpu, or --runtime torch.")
    file = find_portable(path, name)
    if file is None:
        find_weights(path)
        raise ModelError(
            f"{path}: no {name} in it. Make one: vidrnn export {path} --to {runtime}, or say --runtime torch."
        )
    opened: Runtime = opener(file) if device == "cpu" else opener(file, device)
    return opened
