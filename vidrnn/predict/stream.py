"""A stream takes frames as they come, for ever, and has an answer at each; what it remembers does not grow."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from vidrnn.errors import FilmError, ModelError, UsageError
from vidrnn.runtimes.base import Runtime
from vidrnn.timeline.segments import Reading, Segmenter, answer, probabilities
from vidrnn.timeline.windows import CarryingReader, Reader, ShotReader, WindowReader
from vidrnn.values import Answer, Floats, Pixels, Reset, Segment
from vidrnn.video.clock import Grid
from vidrnn.video.cuts import CutFinder, small_pictures
from vidrnn.video.reader import resized


class Stream:
    """Frames go in, in order, with their times; an answer comes out at each.

    The model looks at the frames that stand on its own grid of times, and passes over the others. Answers are those of
    the whole clip: how many frames are read at once decides only how late they come.
    """

    def __init__(self, model: Runtime, reading: Reading, at_once: int = 1, reset: Reset | None = None) -> None:
        """`at_once`: how many frames of the grid are gathered before they are read; 1 for a camera.

        `reset`: when the state starts anew; None: as the model stores it.
        """
        self._model, self._reading, self._at_once = model, reading, at_once
        reset = reset or model.handling.reset
        self._reader = reader_of(model, reset)
        self._cuts = CutFinder() if reset == "cut" else None
        self._grid = Grid(model.handling.sampling.spacing_seconds)
        self._segmenter = Segmenter(reading)
        self._before: Pixels | None = None
        self._waiting: list[tuple[Pixels, float]] = []
        self._unsettled: deque[float] = deque()
        self._newest: Answer | None = None
        self._end_seconds = -math.inf
        self._ended = False

    def push(self, pixels: Pixels, seconds: float) -> Answer:
        """Read one frame on: pixels (height, width, 3) uint8 RGB of any size, at a time later than that before.

        What it gives is the newest answer that there is; its `seconds` says of when. The first frame is answered at
        once, and after it every `at_once` frames of the grid.

        Raises:
            UsageError: it is no such picture or no such time, or the stream was finished.
        """
        self._goes_on()
        _check_picture(pixels)
        if not self._end_seconds < seconds < math.inf:
            later = f"later than {self._end_seconds:g}" if math.isfinite(self._end_seconds) else "that is finite"
            raise UsageError(f"the stream: wanted the frame's time in seconds, {later}, not {seconds:g}.")
        times = self._grid.times_served(seconds)
        self._end_seconds = seconds
        if times:
            shown = resized(pixels, self._model.handling.size)
            if shown is pixels:
                shown = pixels.copy()  # whoever gave it may paint the next one over it
            self._waiting += [(shown, at) for at in times]
        if self._newest is None or len(self._waiting) >= self._at_once:
            self._read_waiting()
        return self._told()

    def pass_over(self, seconds: float) -> None:
        """Frames for the model's times before this one are lost: no later frame is to stand for those times.

        Raises:
            UsageError: it is no finite time.
        """
        if not math.isfinite(seconds):
            raise UsageError(f"the stream: wanted a time in seconds that is finite, not {seconds:g}.")
        self._grid.pass_over(seconds)

    def push_many(self, frames: Iterable[tuple[Pixels, float]]) -> list[Answer]:
        """Read several frames on; the answer at each."""
        return [self.push(pixels, seconds) for pixels, seconds in frames]

    def finish(self, end_seconds: float | None = None) -> Answer:
        """The stream has ended: the answer for all of it, with the last stretches of its timeline.

        `end_seconds` is when the last frame ended, by default how far the grid reaches.

        Raises:
            FilmError: no frame was pushed.
            UsageError: it was finished before, or `end_seconds` is before its last frame.
        """
        self._goes_on()
        if end_seconds is not None and not self._end_seconds <= end_seconds < math.inf:
            raise UsageError(
                f"the stream: cannot end at {end_seconds:g} seconds, since its last frame is at {self._end_seconds:g}."
            )
        self._read_waiting()
        if self._newest is None:
            raise FilmError("the stream: ended before its first frame, so there is nothing to answer.")
        last = self._newest.seconds + self._model.handling.sampling.spacing_seconds
        end = max(self._end_seconds, last) if end_seconds is None else end_seconds
        ending, self._ended = self._reader.finish(), True
        ended = self._newest.ended + self._settle(ending.steps) + self._segmenter.finish(end)
        return answer(ending.clip, end, self._reading, ended)

    def _goes_on(self) -> None:
        if self._ended:
            raise UsageError("the stream: was finished, and takes nothing more. Begin another: .stream().")

    def _read_waiting(self) -> None:
        if not self._waiting:
            return
        pixels = np.stack([shown for shown, _ in self._waiting])
        self._unsettled.extend(at for _, at in self._waiting)
        at = self._waiting[-1][1]
        self._waiting = []
        cuts = self._cuts.find(small_pictures(pixels)) if self._cuts else ()
        settled = self._reader.read(self._model.encode(pixels, self._before), cuts)
        self._before = pixels[-1]
        ended = (self._newest.ended if self._newest else ()) + self._settle(settled)
        self._newest = answer(self._reader.now(), at, self._reading, ended)

    def _settle(self, scores: Floats) -> tuple[Segment, ...]:
        times = [self._unsettled.popleft() for _ in scores]
        return self._segmenter.push(times, probabilities(scores, self._reading.temperature))

    def _told(self) -> Answer:
        """The newest answer; what has ended is told once."""
        assert self._newest is not None
        told, self._newest = self._newest, replace(self._newest, ended=())
        return told


def _check_picture(pixels: Pixels) -> None:
    known = isinstance(pixels, np.ndarray)
    if known and pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size:
        return
    found = f"{pixels.shape} {pixels.dtype}" if known else f"a {type(pixels).__name__}"
    raise UsageError(f"the stream: wanted a picture (height, width, 3) uint8 RGB, a numpy array, not {found}.")


def reader_of(model: Runtime, reset: Reset) -> Reader:
    """What reads features when the state is reset so.

    Raises:
        ModelError: the state is to be carried for ever, and the model cannot.
    """
    if reset == "never" and not model.carries:
        raise ModelError(
            "--reset never: this model's state cannot be carried from frame to frame, since it reads both ways or was "
            "exported by an older vidrnn. Export it anew, or say --reset cut."
        )
    readers: dict[Reset, Callable[[Runtime], Reader]]
    readers = {"cut": ShotReader, "window": WindowReader, "never": CarryingReader}
    return readers[reset](model)
