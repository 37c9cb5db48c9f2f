"""Watch a live source: a `Change` when its answer changes, a `Stretch` with its times when an answer has ended.

The source may be any camera or stream. A `Watcher` gives the answer at each frame.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from vidrnn.atomic import try_lock
from vidrnn.errors import FilmError, OutputError
from vidrnn.live.camera import Camera, LiveFrame
from vidrnn.values import Answer, AnswerSpec, Change, DecisionRule, Now, PerClass, Pixels, Segment, Size, Stretch
from vidrnn.video.clock import JUMP_SECONDS

_GLANCE_SECONDS = 0.05
"""Wait for a frame no longer than this, so that a stop and the keys of a window are noticed soon."""

_ARRIVALS_KEPT = 1024
"""Remember the time of day of this many frames, since a stretch is certain only after it has ended."""
_SAME_SECONDS = 0.002
"""Times closer than this are the same time."""
_BINARY: int = getattr(os, "O_BINARY", 0)
"""Keeps Windows from writing other line ends."""


class Watcher(Protocol):
    """Gives an answer at each frame, as a stream of a model does. Its memory does not grow."""

    def push(self, pixels: Pixels, seconds: float, before: Pixels | None = None) -> Answer:
        """The answer now, after one more frame; `before` is the frame before it, for a model that sees motion."""

    def pass_over(self, seconds: float) -> None:
        """Frames for times before this one are lost."""

    def finish(self, end_seconds: float | None = None) -> Answer:
        """The answer for the whole stream, with the segments that were not certain before."""


Happening = Change | Stretch | Now | str
"""An event of a live source; a text is a sentence on the source itself."""


@dataclass(frozen=True, slots=True)
class Firmness:
    """When another answer replaces the current one, so that a flicker is no change."""

    hysteresis: float = 0.0
    """How much more probable than the current class another one must be."""
    shortest_seconds: float = 0.0
    """How long the other answer must last."""
    by_margin: bool = True
    """Whether another class must be more probable than the current one; thresholds alone decide where it need not."""
    several: bool = False
    """Whether several classes may hold at once; then a change is that others hold than before."""

    @classmethod
    def of(cls, answer: AnswerSpec, rule: DecisionRule) -> Self:
        """By a model's rule. Where each class has a threshold, answers have their hysteresis already."""
        if answer.kind != "one":
            return cls(by_margin=False, several=answer.kind == "several")
        return cls(_largest(rule.hysteresis), _largest(rule.shortest_seconds))


def _largest(value: PerClass) -> float:
    return max(value.values(), default=0.0) if isinstance(value, dict) else value


def warmed_up(watcher: Callable[[], Watcher], size: Size) -> None:
    """Compute one black picture, since the first picture takes longest and the source does not wait."""
    watcher().push(np.zeros((size.height, size.width, 3), np.uint8), 0.0)


def watch(
    camera: Camera, watcher: Callable[[], Watcher], firmness: Firmness | None = None
) -> Iterator[Happening | None]:
    """The events of a source until it ends or is stopped; None now and then while nothing happens.

    `watcher` makes a fresh watcher. A new one begins after the stream has broken off, and after a gap of more than
    10 s, since frames before a gap say nothing of frames after it.

    Raises:
        FilmError: the source cannot be opened, or is lost for good. The events of all its frames come before.
    """
    life: _Life | None = None
    lost: FilmError | None = None
    while not camera.over:
        try:
            news = camera.take(_GLANCE_SECONDS)
        except FilmError as error:
            lost = error
            break
        if not isinstance(news, LiveFrame):
            yield news
            continue
        if life is not None and not life.goes_on_with(news):
            yield from life.end()
            life = None
        life = life or _Life(news.life, watcher(), camera.spacing_seconds, firmness or Firmness())
        yield from life.see(news)
    if life is not None:
        yield from life.end()
    if lost is not None:
        raise lost


class _Life:
    """A stretch of the source without a break or a long gap."""

    def __init__(self, number: int, watcher: Watcher, spacing_seconds: float, firmness: Firmness) -> None:
        self._number = number
        self._watcher, self._spacing, self._steady = watcher, spacing_seconds, _Steady(firmness)
        self._newest: LiveFrame | None = None
        self._arrivals: deque[tuple[float, float]] = deque(maxlen=_ARRIVALS_KEPT)
        self._last_end = float("nan"), 0.0
        """Of the stretch that ended last: in the source's seconds, and as a time of day."""

    def goes_on_with(self, frame: LiveFrame) -> bool:
        """Whether the frame follows on the newest one."""
        reach = frame.seconds if self._newest is None else self._newest.seconds + self._spacing
        return frame.life == self._number and frame.seconds - reach <= JUMP_SECONDS

    def see(self, frame: LiveFrame) -> Iterator[Happening]:
        """One more frame."""
        self._watcher.pass_over(frame.since_seconds)
        answer = self._watcher.push(frame.pixels, frame.seconds, frame.before)
        self._newest = frame
        self._arrivals.append((frame.seconds, frame.arrived))
        yield from self._ended(answer)
        if (change := self._steady.change(answer, frame)) is not None:
            yield change
        yield Now(answer, frame.dropped)

    def end(self) -> Iterator[Happening]:
        """There are no more frames: the last segment lasts until the newest frame's time is over."""
        if self._newest is not None:
            yield from self._ended(self._watcher.finish(self._newest.seconds + self._spacing))

    def _ended(self, answer: Answer) -> Iterator[Stretch]:
        for segment in answer.ended:
            before, end = self._last_end
            start, overlaps = self._arrived_at(segment.start_seconds), segment.start_seconds < before - _SAME_SECONDS
            if not overlaps:
                follows = abs(segment.start_seconds - before) <= _SAME_SECONDS
                start = end if follows else max(end, start)
            end = max(start, self._arrived_at(segment.end_seconds))
            self._last_end = segment.end_seconds, end
            yield self._stretch(segment, start, end)

    def _stretch(self, segment: Segment, start: float, end: float) -> Stretch:
        assert self._newest is not None
        seconds = segment.start_seconds, segment.end_seconds
        dropped = self._newest.dropped
        return Stretch(*seconds, _time(start), _time(end), segment.label, segment.probability, dropped)

    def _arrived_at(self, seconds: float) -> float:
        """The time of day at which the frame of a time arrived; where it is not known, from the nearest frame."""
        later = next((known for known in self._arrivals if known[0] >= seconds - _SAME_SECONDS), self._arrivals[-1])
        return later[1] + (seconds - later[0] if abs(seconds - later[0]) > _SAME_SECONDS else 0.0)


class _Steady:
    """Tells changes among successive answers.

    A segmenter of the timeline cannot do this: it gives a segment when it has ended, and calls it unknown by its mean
    probability, while a change is due as soon as it is certain, and unknown is an answer like any other.
    """

    def __init__(self, firmness: Firmness) -> None:
        self._firmness = firmness
        self._current: str | tuple[str, ...] | None = None
        """The current label, or all classes that hold."""
        self._young: Change | None = None

    def change(self, answer: Answer, frame: LiveFrame) -> Change | None:
        """The change that is certain with this answer, at the time at which it began; None if there is none."""
        holding = answer.holding if self._firmness.several else None
        said = answer.label if holding is None else holding
        if said == self._current or not self._stronger(answer):
            self._young = None
            return None
        if self._young is None or said != (self._young.label if holding is None else self._young.holding):
            when = _time(frame.arrived)
            self._young = Change(frame.seconds, when, answer.label, answer.probability, frame.dropped, holding)
        if self._current is not None and frame.seconds - self._young.seconds < self._firmness.shortest_seconds:
            return None
        certain, self._young = replace(self._young, probability=answer.probability), None
        self._current = said
        return certain

    def _stronger(self, answer: Answer) -> bool:
        """Whether the answer can replace the current one."""
        if not self._firmness.by_margin:
            return True
        shares = dict(zip(answer.classes, answer.probabilities, strict=True))
        if not isinstance(self._current, str) or self._current not in shares or answer.label not in shares:
            return True  # one of them is `unknown`
        return shares[answer.label] > shares[self._current] + self._firmness.hysteresis


def _time(epoch_seconds: float) -> str:
    """A time of day here, with its distance from Greenwich: 2026-03-29T09:30:00.250+02:00."""
    return datetime.fromtimestamp(epoch_seconds).astimezone().isoformat(timespec="milliseconds")


class LineFile:
    """A file of lines that only grows: each added line is whole in it, and stays after a kill.

    One process at a time writes it, the one that holds the lock on a hidden file beside it. The system releases the
    lock of a killed process.
    """

    def __init__(self, file: Path) -> None:
        """Go on with `file`, or begin it; half a line that a power cut left at its end is removed.

        Raises:
            OutputError: it cannot be written, or another vidrnn writes it.
        """
        self.file = file
        try:
            lock = try_lock(file.with_name(f".{file.name}.lock"))
        except OSError as problem:
            raise _not_written(file, problem) from problem
        if lock is None:
            raise OutputError(
                f"{file}: another vidrnn is writing it. Stop that one, or name another folder: --out DIR."
            )
        self._lock = lock
        try:
            self._handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _BINARY, 0o666)
            try:
                self._end = _whole_lines_bytes(file)
                os.ftruncate(self._handle, self._end)
            except BaseException:
                os.close(self._handle)
                raise
        except OSError as problem:
            lock.release()
            raise _not_written(file, problem) from problem

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)
        self._lock.release()

    def add(self, line: str) -> None:
        """Add a line, whole or not at all.

        Raises:
            OutputError: the disk is full, or gone.
        """
        text = f"{line}\n".encode()
        try:
            if os.write(self._handle, text) != len(text):
                raise OSError(0, "the disk is full")
        except OSError as problem:
            with suppress(OSError):
                os.ftruncate(self._handle, self._end)
            raise _not_written(self.file, problem) from problem
        self._end += len(text)


def _whole_lines_bytes(file: Path) -> int:
    """How many bytes of a file are whole lines."""
    with file.open("rb") as lines:
        end = lines.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - 4096)
            lines.seek(start)
            newline = lines.read(end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
    return 0


def _not_written(file: Path, problem: OSError) -> OutputError:
    return OutputError(f"{file}: cannot be written: {problem.strerror or problem}. Its lines so far stay.")
