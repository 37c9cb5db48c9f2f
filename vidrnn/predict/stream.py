"""A stream takes frames one by one, for any length of time, and gives an answer at each. Its memory does not grow."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vidrnn.errors import FilmError, UsageError
from vidrnn.runtimes.base import Runtime
from vidrnn.tasks.base import Task
from vidrnn.timeline.reading import Moments, Reader
from vidrnn.timeline.segments import segmenter_for
from vidrnn.values import Answer, DecisionRule, Floats, Pixels, Segment
from vidrnn.video.clock import Grid
from vidrnn.video.motion import BeforeFinder
from vidrnn.video.resizing import resized


@dataclass(frozen=True)
class Settled:
    """The moments and segments that have become certain."""

    moments: Moments
    segments: tuple[Segment, ...]


class Track:
    """Turns prepared frames and their times into moments and segments, for streams and whole films alike."""

    def __init__(self, reader: Reader, model: Runtime, rule: DecisionRule) -> None:
        self.reader = reader
        self._segmenter = segmenter_for(model.handling.answer, rule, reader.classes)
        self._unsettled: deque[float] = deque()

    def read(self, prepared: Any, seconds: Sequence[float]) -> Settled:
        """Read on: a piece of frames that the reader has prepared, and the time of each."""
        self._unsettled.extend(seconds)
        return self._settle(self.reader.read(prepared))

    def finish(self, end_seconds: float) -> tuple[Settled, Floats | None]:
        """What was not certain yet, and the probabilities (classes,) of the whole film, if the model gives them."""
        ending = self.reader.finish()
        last = self._settle(ending.moments)
        return Settled(last.moments, last.segments + self._segmenter.finish(end_seconds)), ending.clip

    def answer(self, seconds: float, probabilities: Floats, ended: tuple[Segment, ...]) -> Answer:
        """The answer for probabilities (classes,) at a time."""
        certain = not self._unsettled
        label, probability = self._segmenter.answer(probabilities, certain=certain)
        shares = tuple(np.nan_to_num(probabilities).tolist())
        holding = self._segmenter.holding(probabilities, certain=certain)
        return Answer(seconds, label, probability, self.reader.classes, shares, holding, ended)

    def _settle(self, moments: Moments) -> Settled:
        times = [self._unsettled.popleft() for _ in moments.probabilities]
        return Settled(moments, self._segmenter.push(times, moments.probabilities))


class Stream:
    """Takes frames in order with their times, and gives an answer at each.

    The model reads the frames on its own grid of times, and skips the others. The answers are those of the whole film;
    with more frames at once they only come later.
    """

    def __init__(self, model: Runtime, task: Task, rule: DecisionRule, at_once: int = 1) -> None:
        """`at_once`: how many frames of the grid are read together; 1 for a camera."""
        self._model, self._at_once = model, at_once
        self._track = Track(task.live_reader(model, rule), model, rule)
        self._grid = Grid(model.handling.sampling.spacing_seconds)
        motion_seconds = model.handling.motion_seconds
        self._finder = None if motion_seconds is None else BeforeFinder(motion_seconds)
        self._waiting: list[tuple[Pixels, Pixels | None, float]] = []
        self._newest: Answer | None = None
        self._end_seconds = -math.inf
        self._ended = False

    def push(self, pixels: Pixels, seconds: float, before: Pixels | None = None) -> Answer:
        """Read one more frame.

        Args:
            pixels: (height, width, 3) uint8 RGB, of any size; the features (width,) for a model that reads features.
            seconds: its time, later than that of the frame before.
            before: the frame before it, for a model that sees motion, where not every frame of the source is pushed;
                None has the stream find it among the frames that were pushed.

        Returns:
            the newest answer; its `seconds` is the time that it is for. There is a new one at the first frame, and then
            every `at_once` frames of the grid.

        Raises:
            UsageError: the picture or the time is wrong, or the stream was finished.
        """
        self._check_open()
        features = self._model.handling.features
        if features is None:
            _check_picture(pixels)
        else:
            pixels = _checked_vector(pixels, features.width)
        if not self._end_seconds < seconds < math.inf:
            later = f"later than {self._end_seconds:g}" if math.isfinite(self._end_seconds) else "that is finite"
            raise UsageError(f"the stream: wanted the frame's time in seconds, {later}, not {seconds:g}.")
        times = self._grid.times_served(seconds)
        self._end_seconds = seconds
        if times or self._finder is not None:
            shown, earlier = self._resized(pixels), None
            if self._finder is not None:
                earlier = self._finder.find(seconds, shown)
                if before is not None:
                    _check_picture(before)
                    earlier = self._resized(before)
            self._waiting += [(shown, earlier, at) for at in times]
        if self._newest is None or len(self._waiting) >= self._at_once:
            self._read_waiting()
        return self._take_newest()

    def pass_over(self, seconds: float) -> None:
        """Note that frames before this time are lost: no later frame stands for times of the grid before it.

        Raises:
            UsageError: the time is not finite.
        """
        if not math.isfinite(seconds):
            raise UsageError(f"the stream: wanted a time in seconds that is finite, not {seconds:g}.")
        if lost := self._grid.pass_over(seconds):
            self._read_waiting()
            self._track.reader.skip(lost)

    def finish(self, end_seconds: float | None = None) -> Answer:
        """End the stream. Gives the answer for all of it, with the last segments.

        `end_seconds` is when the last frame ends, by default the end of the last time on the grid.

        Raises:
            FilmError: no frame was pushed.
            UsageError: the stream was finished before, or `end_seconds` is before its last frame.
        """
        self._check_open()
        if end_seconds is not None and not self._end_seconds <= end_seconds < math.inf:
            raise UsageError(
                f"the stream: cannot end at {end_seconds:g} seconds, since its last frame is at {self._end_seconds:g}."
            )
        self._read_waiting()
        if self._newest is None:
            raise FilmError("the stream: ended before its first frame, so there is nothing to answer.")
        last = self._newest.seconds + self._model.handling.sampling.spacing_seconds
        end = max(self._end_seconds, last) if end_seconds is None else end_seconds
        now = self._track.reader.now()
        (settled, clip), self._ended = self._track.finish(end), True
        return self._track.answer(end, now if clip is None else clip, self._newest.ended + settled.segments)

    def _check_open(self) -> None:
        if self._ended:
            raise UsageError("the stream: was finished, and takes nothing more. Begin another: .stream().")

    def _resized(self, pixels: Pixels) -> Pixels:
        """The picture at the model's size, in memory of its own: the caller may write the next one into the same.

        Features come as they are; `_checked_vector` has copied them.
        """
        if self._model.handling.features is not None:
            return pixels
        shown = resized(pixels, self._model.handling.size)
        return pixels.copy() if shown is pixels else shown

    def _read_waiting(self) -> None:
        if not self._waiting:
            return
        pixels, times = np.stack([shown for shown, _, _ in self._waiting]), [at for _, _, at in self._waiting]
        earlier = [before for _, before, _ in self._waiting if before is not None]
        self._waiting = []
        prepared = self._track.reader.prepare(pixels, np.stack(earlier) if earlier else None)
        settled = self._track.read(prepared, times)
        ended = (self._newest.ended if self._newest else ()) + settled.segments
        self._newest = self._track.answer(times[-1], self._track.reader.now(), ended)

    def _take_newest(self) -> Answer:
        """The newest answer; each segment is given once."""
        assert self._newest is not None
        newest, self._newest = self._newest, replace(self._newest, ended=())
        return newest


def _checked_vector(vector: Any, width: int) -> Any:
    """The features of one time as float32.

    Raises:
        UsageError: they are no vector of `width` finite numbers.
    """
    if isinstance(vector, np.ndarray) and vector.shape == (width,) and vector.dtype.kind == "f":
        single = vector.astype(np.float32)
        if np.isfinite(single).all():
            return single
    description = f"{vector.shape} {vector.dtype}" if isinstance(vector, np.ndarray) else f"a {type(vector).__name__}"
    raise UsageError(f"the stream: wanted features ({width},), finite float numbers, not {description}.")


def _check_picture(pixels: Pixels) -> None:
    is_array = isinstance(pixels, np.ndarray)
    if is_array and pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size:
        return
    description = f"{pixels.shape} {pixels.dtype}" if is_array else f"a {type(pixels).__name__}"
    raise UsageError(f"the stream: wanted a picture (height, width, 3) uint8 RGB, a numpy array, not {description}.")
