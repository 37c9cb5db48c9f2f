"""A film as the head of a model sees it: the features of every step; and a few of its frames."""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from vidrnn.errors import FilmError, ModelError
from vidrnn.events import Progress
from vidrnn.runtimes.base import Features, Runtime
from vidrnn.tasks.base import Task
from vidrnn.tasks.scores import ScoreReader
from vidrnn.values import DecisionRule, Floats, Pixels, Size
from vidrnn.video.prefetch import decoded
from vidrnn.video.reader import open_film
from vidrnn.video.resizing import resized

_BUFFERS = 3
_ROUNDING = 1e-16
"""What is left of 1 where a probability is as near to 1 as numbers tell."""
_SHOWN_SIDE = 480
"""Pixels of the longer side of a frame that is kept to be shown, at most."""


@dataclass(frozen=True, eq=False)
class EncodedFilm:
    """The features of a film, at each step of the model's grid of times."""

    path: Path
    features: Features
    """(steps, width)."""
    cuts: tuple[int, ...]
    """The steps that begin a shot, where the model asks for cuts."""
    seconds: Floats
    """(steps,)."""
    indices: tuple[int, ...]
    """(steps,) the film's own frame that each step shows."""
    rate: float | None = None
    """Frames per second, in place of the film's own time stamps."""

    def between(self, start_seconds: float, end_seconds: float) -> EncodedFilm:
        """The steps from one second to before another, as a film of its own."""
        first, last = np.searchsorted(self.seconds, (start_seconds, end_seconds))
        return self.piece(int(first), int(last))

    def piece(self, start: int, end: int) -> EncodedFilm:
        """The steps from `start` to before `end`, as a film of its own."""
        cuts = tuple(cut - start for cut in self.cuts if start < cut < end)
        part = slice(start, end)
        return replace(
            self, features=self.features[part], cuts=cuts, seconds=self.seconds[part], indices=self.indices[part]
        )


def encode_film(
    model: Runtime,
    task: Task,
    rule: DecisionRule,
    path: Path,
    rate: float | None = None,
    parts: Sequence[tuple[float, float]] = (),
) -> Generator[Progress, None, EncodedFilm]:
    """Read a film and encode it; each frame is encoded once.

    Args:
        model: a model of classes.
        task: that of the model.
        rule: how outputs become answers.
        path: of the film.
        rate: frames per second, in place of the film's own time stamps.
        parts: only these parts are encoded, each from its first second to before its last; none: the whole film. No
            frame after the last part is read.

    Raises:
        FilmError: the film cannot be read, or holds no frames, or none in the parts.
        ModelError: the model does not give scores of classes.
    """
    handling, reader = model.handling, score_reader(model, task, rule)
    features: list[Features] = []
    cuts: list[int] = []
    seconds: list[float] = []
    indices: list[int] = []
    first: float | None = None
    with open_film(path, rate=rate) as film:
        spacing, size = handling.sampling.spacing_seconds, handling.size
        chunks = decoded(film, spacing, size, model.frames_at_once, _BUFFERS, handling.motion_seconds)
        with closing(chunks):
            for chunk in chunks:
                places = [place for place, at in enumerate(chunk.seconds) if _lies_in(at, parts)]
                if places:
                    some = slice(None) if len(places) == len(chunk.seconds) else places
                    prepared = reader.prepare(chunk.pixels[some], None if chunk.before is None else chunk.before[some])
                    cuts += (len(seconds) + cut for cut in reader.find_cuts(prepared))
                    features.append(prepared.features)
                    seconds += (chunk.seconds[place] for place in places)
                    indices += (chunk.indices[place] for place in places)
                chunk.give_back()
                first = chunk.seconds[0] if first is None else first
                read = round(chunk.seconds[-1] - first)
                yield Progress("reading the video", read, max(read, round(film.claimed_seconds)))
                if parts and chunk.seconds[-1] >= max(end for _, end in parts):
                    break
    if not seconds:
        lack = "has no frame in the seconds that are asked for" if first is not None else "holds no frames"
        raise FilmError(f"{path}: {lack}. {'Has the video changed?' if parts else 'Is it a video?'}")
    return EncodedFilm(path, np.concatenate(features), tuple(cuts), np.asarray(seconds), tuple(indices), rate)


def _lies_in(at: float, parts: Sequence[tuple[float, float]]) -> bool:
    return not parts or any(start <= at < end for start, end in parts)


def score_reader(model: Runtime, task: Task, rule: DecisionRule) -> ScoreReader:
    """A fresh reader of scores.

    Raises:
        ModelError: the model does not give scores of classes.
    """
    reader = task.reader(model, rule)
    if not isinstance(reader, ScoreReader) or not model.splits:
        raise ModelError(
            f"the model: gives no scores of classes (its answer is a {model.handling.answer.kind}), so its answers "
            "cannot be explained."
        )
    return reader


class Judge:
    """Says how sure a model is of a label, for features in place of those of a film."""

    def __init__(self, model: Runtime, task: Task, rule: DecisionRule) -> None:
        self._new_reader = partial(score_reader, model, task, rule)
        self._classes = model.handling.answer.classes
        self._several = model.handling.answer.kind == "several"

    def of_film(self, features: Features, cuts: tuple[int, ...], label: str) -> float:
        """The logarithm of the odds of the label for the film as a whole."""
        reader = self._new_reader()
        reader.read_features(features, cuts)
        clip = reader.finish().clip
        if clip is None:
            raise ValueError("this model answers for frames only: ask for a segment")
        return float(self._odds(clip[None], label)[0])

    def of_steps(self, features: Features, cuts: tuple[int, ...], label: str, steps: slice) -> float:
        """The logarithm of the odds of the label, as a mean over some of the steps."""
        reader = self._new_reader()
        certain = reader.read_features(features, cuts).probabilities
        along = np.concatenate([certain, reader.finish().moments.probabilities])
        return float(self._odds(along[steps], label).mean())

    def _odds(self, shares: Floats, label: str) -> Floats:
        place, least = self._classes.index(label), float(np.finfo(np.float64).tiny)
        share = shares[:, place]
        others = np.maximum(1 - share, _ROUNDING) if self._several else np.delete(shares, place, 1).sum(1)
        odds: Floats = np.log(np.maximum(share, least)) - np.log(np.maximum(others, least))
        return odds


@dataclass(frozen=True, eq=False)
class SeenFrame:
    """A frame of a film: as the model sees it, and as people see it."""

    pixels: Pixels
    """(height, width, 3) at the model's size."""
    before: Pixels | None
    """The frame before it, shaped as `pixels`; None for a model that needs none."""
    shown: Pixels
    """(height, width, 3), in the proportions of the film."""


def read_frames(
    model: Runtime, film: EncodedFilm, steps: Collection[int]
) -> Generator[Progress, None, dict[int, SeenFrame]]:
    """Some of the steps of a film, read once more.

    Raises:
        FilmError: the film cannot be read.
    """
    wanted, handling, seen = {*steps}, model.handling, dict[int, SeenFrame]()
    last = max(wanted, default=-1)
    with open_film(film.path, rate=film.rate) as opened:
        shown_size = size_to_show(opened.size)
        spacing = handling.sampling.spacing_seconds
        for step, frame in enumerate(opened.sampled(spacing, motion_seconds=handling.motion_seconds)):
            if step in wanted:
                before = None if frame.before is None else resized(frame.before, handling.size)
                shown = resized(frame.pixels, shown_size)
                seen[step] = SeenFrame(np.array(resized(frame.pixels, handling.size)), before, np.array(shown))
                yield Progress("decisive frames", len(seen), len(wanted))
            if step >= last:
                break
    return seen


def size_to_show(size: Size) -> Size:
    """The size at which a frame of a film is kept to be shown: small enough for many of them."""
    scale = min(1.0, _SHOWN_SIDE / max(size.height, size.width))
    return Size(max(1, round(scale * size.height)), max(1, round(scale * size.width)))


FRAMES_ALONG = 8
"""So many small frames are shown along a curve."""
_SMALL_SIDE = 128


def steps_along(steps: int, count: int) -> list[int]:
    """Up to `count` of the steps, spread evenly."""
    return sorted({int((number + 0.5) * steps / count) for number in range(count)} & {*range(steps)})


def small(picture: Pixels) -> Pixels:
    """A picture (height, width, 3) of 128 pixels on its longer side at most."""
    height, width = picture.shape[:2]
    scale = min(1.0, _SMALL_SIDE / max(height, width))
    return np.array(resized(picture, Size(max(1, round(scale * height)), max(1, round(scale * width)))))
