"""A model of the next frames goes through films: how badly each frame was foretold, how unusual that is, what follows.

One frame goes in at a time and the state goes on, so that a film may be as long as it likes. What a model is fed is
always a picture of 8 bits, its own predictions too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrnn.errors import FilmError
from vidrnn.runtimes.base import FrameRuntime, State
from vidrnn.timeline.anomaly import Alarm, FrameError, Surprise, TrailingMean, frame_error, unusual_segments
from vidrnn.values import Frame, Pixels, Segment
from vidrnn.video.reader import open_film

Painted = NDArray[np.float32]
"""(..., height, width, channels) in [0, 1]."""

WARM_FRAMES = 2
"""So many frames of a film are needed to see how anything moves; they are not judged."""
_FLOW, _WEIGHT = "decoder.flow", "decoder.weight"
"""In the state of a model that holds a flow: its sum, and the weights that it is a sum of."""
_LEAST_WEIGHT = 1e-3
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Shares of red, green and blue in what an eye calls bright: ITU-R BT.601."""


def as_painted(frames: Pixels, channels: int) -> Painted:
    """Frames (..., 3) uint8 as a model of so many channels paints them: (..., channels) in [0, 1]."""
    if channels == 1:
        return np.asarray(frames @ (_LUMA / 255), dtype=np.float32)[..., None]
    return np.asarray(frames / np.float32(255), dtype=np.float32)


def as_shown(painted: Painted) -> Pixels:
    """What was painted as frames of 8 bits, grey in all three colours."""
    pixels = np.rint(np.clip(painted, 0, 1) * 255).astype(np.uint8)
    return np.repeat(pixels, 3, -1) if pixels.shape[-1] == 1 else pixels


def rollouts(model: FrameRuntime, contexts: Pixels, horizon: int) -> Painted:
    """What comes after contexts (batch, time, height, width, 3): (batch, horizon, height, width, channels).

    From a fresh start; what comes after the first prediction is made of the model's own.
    """
    state: State | None = None
    for step in range(contexts.shape[1]):
        painted, state = model.foretell(contexts[:, step], state)
    ahead = [painted]
    for _ in range(horizon - 1):
        painted, state = model.foretell(as_shown(painted), state)
        ahead.append(painted)
    return np.stack(ahead, 1)


@dataclass(frozen=True)
class Judgement:
    """A frame beside what was foretold of it."""

    foretold: Painted
    """(height, width, channels), from the frames before it."""
    error: FrameError
    squared: NDArray[np.float32]
    """(height, width): the squared error of each pixel."""
    speed: NDArray[np.float32] | None
    """(height, width): how fast each pixel moves, in pixels a frame; None of a model that holds no flow."""
    raw: float
    """How unusual it is, in (0, 1), by itself; not a number where the model does not know what is usual."""
    score: float
    """... smoothed over the frames up to it."""


class Watcher:
    """Takes the frames of one film as they come and judges each by those before it; its memory does not grow."""

    def __init__(self, model: FrameRuntime) -> None:
        self._model = model
        self._channels = model.handling.channels
        usual = model.handling.usual
        self._surprise = Surprise(usual) if usual else None
        self._mean = TrailingMean(usual.smoothing_frames if usual else 1)
        self._seen = 0
        self._state: State | None = None
        self._next: Painted | None = None

    def push(self, pixels: Pixels) -> Judgement | None:
        """A frame (height, width, 3) at the model's size and grid has come; None while too little was seen."""
        foretold = self._next if self._seen >= WARM_FRAMES else None
        painted, self._state = self._model.foretell(pixels[None], self._state)
        self._next = painted[0]
        self._seen += 1
        return None if foretold is None else self._judged(foretold, as_painted(pixels, self._channels))

    def go_on(self, frames: int) -> Iterator[Painted]:
        """The film as it may go on beyond what was seen; the watcher itself stays where it is."""
        painted, state = self._next, self._state
        for step in range(frames):
            if painted is None:
                raise ValueError("no frame was seen that could be gone on from")
            yield painted
            if step + 1 < frames:
                batch, state = self._model.foretell(as_shown(painted)[None], state)
                painted = batch[0]

    def _judged(self, foretold: Painted, true: Painted) -> Judgement:
        squared, speed = np.square(foretold - true).mean(-1), self._speed()
        surprise = self._surprise.of(squared, speed) if self._surprise else float("nan")
        raw = self._surprise.score(surprise) if self._surprise else float("nan")
        return Judgement(foretold, frame_error(foretold, true), squared, speed, raw, self._mean.push(raw))

    def _speed(self) -> NDArray[np.float32] | None:
        """How fast each pixel of the frame that came moves, in pixels a frame, if the model holds a flow."""
        state = self._state or {}
        if _FLOW not in state:
            return None
        down, across = state[_FLOW][0] / np.maximum(state[_WEIGHT][0], _LEAST_WEIGHT)
        return np.asarray(np.hypot(down, across)[: self._model.handling.size.height, : self._model.handling.size.width])


@dataclass
class FilmErrors:
    """How badly each frame of a film was foretold; not a number where it was not."""

    seconds: list[float] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    """Of the film's own frames."""
    mse: list[float] = field(default_factory=list)
    worst_block: list[float] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)
    """How unusual each is by itself."""
    score: list[float] = field(default_factory=list)
    """... smoothed over those up to it."""

    def add(self, frame: Frame, judged: Judgement | None) -> None:
        """The next frame's."""
        self.seconds.append(frame.seconds)
        self.indices.append(frame.index)
        nothing = float("nan")
        self.mse.append(judged.error.mse if judged else nothing)
        self.worst_block.append(judged.error.worst_block if judged else nothing)
        self.raw.append(judged.raw if judged else nothing)
        self.score.append(judged.score if judged else nothing)


@dataclass(frozen=True)
class FilmForecast:
    """A film as a model of the next frames saw it."""

    path: Path
    errors: FilmErrors
    segments: tuple[Segment, ...]
    """Stretches that are unusual, with their highest score."""
    duration_seconds: float
    frames: int
    """Of the film itself."""
    notes: tuple[str, ...]
    files: tuple[Path, ...] = ()
    """What was written of it."""

    @property
    def most_unusual(self) -> float:
        """The highest score; not a number if there is none."""
        known = [score for score in self.errors.score if not isnan(score)]
        return max(known, default=float("nan"))

    @property
    def mean_mse(self) -> float:
        """Squared error of a pixel, mean over the frames that were judged."""
        known = [mse for mse in self.errors.mse if not isnan(mse)]
        return sum(known) / len(known) if known else float("nan")


@dataclass
class Showing:
    """A film being watched: an iterator of its frames beside what was foretold, and in the end what was found."""

    model: FrameRuntime
    path: Path
    rate: float | None = None
    alarm: Alarm = field(default_factory=Alarm)
    found: FilmForecast | None = None
    watcher: Watcher = field(init=False)

    def __post_init__(self) -> None:
        self.watcher = Watcher(self.model)

    def frames(self) -> Iterator[tuple[Frame, Judgement | None]]:
        """Each frame on the model's grid, at its size, and how it was foretold.

        Raises:
            FilmError: the film cannot be read, or holds no frames.
        """
        handling, errors = self.model.handling, FilmErrors()
        with open_film(self.path, rate=self.rate if self.path.is_dir() else None) as film:
            for frame in film.sampled(handling.spacing_seconds, size=handling.size):
                judged = self.watcher.push(frame.pixels)
                errors.add(frame, judged)
                yield frame, judged
            facts, notes = film.facts(), tuple(film.notes)
        if not errors.seconds:
            raise FilmError(f"{self.path}: holds no frames. Is it a film?")
        if len(errors.seconds) <= WARM_FRAMES:
            count = len(errors.seconds)
            notes += (f"Only {count} frame{'s' * (count != 1)}: too few for any to be foretold and judged.",)
        end = facts.first_seconds + facts.duration_seconds
        segments = unusual_segments(np.asarray(errors.score), errors.seconds, end, self.alarm)
        self.found = FilmForecast(self.path, errors, segments, facts.duration_seconds, facts.frames, notes)
