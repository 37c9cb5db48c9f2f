"""A stream takes frames as they come and scores windows of them; a whole film is a stream fed to its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from threading import Event

import numpy as np
import torch
from numpy.typing import NDArray

from vidrnn.answers import FilmScores, Floats, Reading, WindowScores, prediction
from vidrnn.checkpoint import LoadedModel
from vidrnn.clips import default_hop, window_starts
from vidrnn.config import ModelSpec
from vidrnn.errors import FilmError
from vidrnn.model import Encode, SequenceModel, encoding_of
from vidrnn.parallel import in_order
from vidrnn.values import FilmFailure, FilmPrediction, Frame, Pixels
from vidrnn.video import open_film

_CHUNK_FRAMES = 32
"""Pictures encoded at once: enough to keep a processor busy, few enough to stay in its caches."""
_WINDOWS_AT_ONCE = 64

Features = NDArray[np.float32]


class Stream:
    """Frames on the model's grid go in, in order; scores come out. Memory does not grow with the film but for them.

    Windows begin every quarter of a window, and the state starts anew with each, as in training; the last one ends
    where the film ends, and a film shorter than a window is one window.
    """

    def __init__(self, encode: Encode, sequence: SequenceModel, spec: ModelSpec) -> None:
        self._encode = encode
        self._sequence = sequence
        self._frames = spec.frames
        self._hop = default_hop(spec.frames)
        self._before: Pixels | None = None
        self._kept: deque[Features] = deque(maxlen=spec.frames)
        self._steps = 0
        self._waiting: list[Features] = []
        self._scored: list[WindowScores] = []

    def push(self, frames: Sequence[Frame]) -> None:
        """Read on; `frames` stand on the model's grid and have its size."""
        pixels = np.stack([frame.pixels for frame in frames])
        self.take(self._encode(pixels, self._before))
        self._before = pixels[-1]

    def take(self, encoded: Features) -> None:
        """Read on from the features (steps, width) of frames that were encoded elsewhere."""
        for features in encoded:
            if self._steps >= self._frames and (self._steps - self._frames) % self._hop == 0:
                self._keep_window()
            self._kept.append(features)
            self._steps += 1

    def finish(self) -> tuple[WindowScores, tuple[int, ...]]:
        """The film has ended: the scores of its windows, and the first step of each."""
        self._keep_window()
        self._score_waiting()
        clip = np.concatenate([scored.clip for scored in self._scored])
        steps = np.concatenate([scored.steps for scored in self._scored])
        return WindowScores(clip, steps), window_starts(self._steps, self._frames, self._hop)

    def _keep_window(self) -> None:
        self._waiting.append(np.stack(self._kept))
        if len(self._waiting) >= _WINDOWS_AT_ONCE:
            self._score_waiting()

    def _score_waiting(self) -> None:
        if self._waiting:
            self._scored.append(score_windows(self._sequence, self._waiting))
            self._waiting = []


def score_windows(sequence: SequenceModel, windows: Sequence[Features]) -> WindowScores:
    """The scores of windows (steps, width) that all have the same number of steps."""
    device = next(sequence.parameters()).device
    with torch.inference_mode():
        scores, _ = sequence(torch.from_numpy(np.stack(windows)).to(device))
    return WindowScores(np.asarray(scores.clip.double().cpu()), np.asarray(scores.steps.double().cpu()))


def score_clips(
    sequence: SequenceModel, clips: Iterable[Features], frames: int, shuffle: np.random.Generator | None = None
) -> Floats:
    """The mean scores (clips, classes) over the windows of each clip's features (steps, width).

    With `shuffle` the frames of each window are first put into random order, to see what order is worth.
    """
    windows: list[Features] = []
    owners: list[int] = []
    for owner, features in enumerate(clips):
        for start in window_starts(len(features), frames, default_hop(frames)):
            window = features[start : start + frames]
            windows.append(window if shuffle is None else shuffle.permutation(window))
            owners.append(owner)
    by_length: dict[int, list[int]] = {}
    for place, window in enumerate(windows):
        by_length.setdefault(len(window), []).append(place)
    scores: dict[int, Floats] = {}
    for places in by_length.values():
        for some in _portions(places, 4 * _WINDOWS_AT_ONCE):
            scores |= dict(zip(some, score_windows(sequence, [windows[i] for i in some]).clip, strict=True))
    table = np.stack([scores[place] for place in range(len(windows))])
    who = np.asarray(owners)
    return np.stack([table[who == owner].mean(0) for owner in range(owners[-1] + 1)])


@dataclass(frozen=True)
class Predictor:
    """A model ready to read films."""

    model: LoadedModel
    rate: float | None = None
    """Frames per second of films that are folders of pictures."""
    threads: int = 1
    """How many cores to keep busy: with films side by side, or with the frames of one."""
    stop: Event = field(default_factory=Event)
    """Set to have running films given up."""

    @cached_property
    def _encode(self) -> Encode:
        return encoding_of(self.model.network.encoder)

    def stream(self) -> Stream:
        """A fresh stream."""
        return Stream(self._encode, self.model.network.sequence, self.model.spec)

    def score(self, path: Path | str) -> FilmScores:
        """Read a whole film; while it is decoded here, its frames are encoded in threads.

        Raises:
            FilmError: it cannot be read, or holds no frames.
        """
        return self._score(Path(path), self.threads)

    def _score(self, path: Path, threads: int) -> FilmScores:
        spec = self.model.spec
        stream, seconds = self.stream(), list[float]()
        with open_film(path, rate=self.rate if path.is_dir() else None) as film:
            frames = film.sampled(spec.spacing_seconds, size=spec.size)
            for encoded, times in in_order(self._encoded, _chunks(frames), threads):
                if self.stop.is_set():
                    raise FilmError(f"{path}: given up, since reading was stopped.")
                stream.take(encoded)
                seconds += times
            facts, notes = film.facts(), tuple(film.notes)
        if not seconds:
            raise FilmError(f"{path}: no frames in it. Is it a film?")
        scores, starts = stream.finish()
        end = facts.first_seconds + facts.duration_seconds
        return FilmScores(path, scores, starts, np.asarray(seconds), end, facts.frames, notes)

    def _encoded(self, chunk: _Chunk) -> tuple[Features, list[float]]:
        pixels = np.stack([frame.pixels for frame in chunk.frames])
        return self._encode(pixels, chunk.before), [frame.seconds for frame in chunk.frames]

    def score_all(self, paths: Sequence[Path]) -> Iterator[FilmScores | FilmFailure]:
        """Read many films, a few at once; a bad one costs a row, not the run. In the order of `paths`."""
        side_by_side = min(self.threads, len(paths))
        each = max(1, self.threads // max(1, side_by_side))

        def score_or_say_why(path: Path) -> FilmScores | FilmFailure:
            torch.set_num_threads(1)
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
        return Reading(self.model.spec.classes, self.model.header.temperature, threshold)


@dataclass(frozen=True)
class _Chunk:
    """Successive frames of a film, and the picture before them."""

    frames: Sequence[Frame]
    before: Pixels | None


def _chunks(frames: Iterator[Frame]) -> Iterator[_Chunk]:
    before = None
    while some := list(islice(frames, _CHUNK_FRAMES)):
        yield _Chunk(some, before)
        before = some[-1].pixels


def _portions(places: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(places), size):
        yield places[start : start + size]
