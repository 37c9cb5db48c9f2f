"""A live source is watched: whenever the answer changes, that is told; what has ended is told with its times.

The source can be any, and so can what answers: it is handed each newest frame and says what it makes of it.
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
from vidrnn.values import Answer, AnswerSpec, Change, DecisionRule, Now, Pixels, Segment, Size, Stretch
from vidrnn.video.clock import JUMP_SECONDS

_GLANCE_SECONDS = 0.05
"""How often it is seen to whether watching is to stop; and, where there is a window, to the window."""

_ARRIVALS_KEPT = 1024
"""Frames whose time of day is remembered, for stretches that are told after they have ended."""
_SAME_SECONDS = 0.002
_BINARY: int = getattr(os, "O_BINARY", 0)
"""Keeps Windows from writing other line ends."""


class Watcher(Protocol):
    """What answers: a stream of a model. Its memory does not grow."""

    def push(self, pixels: Pixels, seconds: float) -> Answer:
        """What is so now, given one more frame."""

    def pass_over(self, seconds: float) -> None:
        """Frames for times before this one are lost."""

    def finish(self, end_seconds: float | None = None) -> Answer:
        """All is over; the answer for all of it, with the stretches that have not been told."""


Happening = Change | Stretch | Now | str
"""What may happen; a text is a sentence on the source."""


@dataclass(frozen=True, slots=True)
class Firmness:
    """How firm an answer stands: a change is told when it is more than a flicker."""

    hysteresis: float = 0.0
    """How much more probable than the class that stands another one must be."""
    shortest_seconds: float = 0.0
    """For how long it must have been so."""

    @classmethod
    def of(cls, answer: AnswerSpec, rule: DecisionRule) -> Self:
        """By a model's rule; where each class has a threshold, the threshold's own hysteresis makes answers firm."""
        if answer.kind != "one":
            return cls()
        numbers = (rule.hysteresis, rule.shortest_seconds)
        return cls(*(max(each.values(), default=0.0) if isinstance(each, dict) else each for each in numbers))


def warmed_up(watcher: Callable[[], Watcher], size: Size) -> None:
    """Have what computes made ready by a black picture: the first takes longest, and is not to be one of now."""
    watcher().push(np.zeros((size.height, size.width, 3), np.uint8), 0.0)


def watch(
    camera: Camera, watcher: Callable[[], Watcher], firmness: Firmness | None = None
) -> Iterator[Happening | None]:
    """What happens until the source ends or is stopped; None now and then while nothing does.

    `watcher` makes one that remembers nothing: another one is begun when the stream has broken off, or nothing of it
    was seen for more than 10 s, since what was seen before the gap says nothing of what is after it.

    Raises:
        FilmError: the source cannot be opened, or is lost for good. Everything that was seen has been told.
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
    """A stream from when it came to when it broke off, or to a gap in it."""

    def __init__(self, number: int, watcher: Watcher, spacing_seconds: float, firmness: Firmness) -> None:
        self._number = number
        self._watcher, self._spacing, self._steady = watcher, spacing_seconds, _Steady(firmness)
        self._newest: LiveFrame | None = None
        self._arrivals: deque[tuple[float, float]] = deque(maxlen=_ARRIVALS_KEPT)
        self._told_until = float("nan"), 0.0

    def goes_on_with(self, frame: LiveFrame) -> bool:
        """Whether the frame follows on what was seen."""
        reach = frame.seconds if self._newest is None else self._newest.seconds + self._spacing
        return frame.life == self._number and frame.seconds - reach <= JUMP_SECONDS

    def see(self, frame: LiveFrame) -> Iterator[Happening]:
        """One more frame."""
        self._watcher.pass_over(frame.since_seconds)
        answer = self._watcher.push(frame.pixels, frame.seconds)
        self._newest = frame
        self._arrivals.append((frame.seconds, frame.arrived))
        yield from self._ended(answer)
        if (change := self._steady.change(answer, frame)) is not None:
            yield change
        yield Now(answer, frame.dropped)

    def end(self) -> Iterator[Happening]:
        """Nothing more is to be seen: it has lasted until the newest frame's time was over."""
        if self._newest is not None:
            yield from self._ended(self._watcher.finish(self._newest.seconds + self._spacing))

    def _ended(self, answer: Answer) -> Iterator[Stretch]:
        for segment in answer.ended:
            before, end = self._told_until
            follows = abs(segment.start_seconds - before) <= _SAME_SECONDS
            start = end if follows else max(end, self._arrived_at(segment.start_seconds))
            end = max(start, self._arrived_at(segment.end_seconds))
            self._told_until = segment.end_seconds, end
            yield self._stretch(segment, start, end)

    def _stretch(self, segment: Segment, start: float, end: float) -> Stretch:
        assert self._newest is not None
        seconds = segment.start_seconds, segment.end_seconds
        dropped = self._newest.dropped
        return Stretch(*seconds, _time(start), _time(end), segment.label, segment.probability, dropped)

    def _arrived_at(self, seconds: float) -> float:
        """The time of day at which the frame of a time came; reckoned from the nearest one where it is not known."""
        later = next((known for known in self._arrivals if known[0] >= seconds - _SAME_SECONDS), self._arrivals[-1])
        return later[1] + (seconds - later[0] if abs(seconds - later[0]) > _SAME_SECONDS else 0.0)


class _Steady:
    """Answers, one after another: which of them is a change."""

    def __init__(self, firmness: Firmness) -> None:
        self._firmness = firmness
        self._label: str | None = None
        self._young: Change | None = None

    def change(self, answer: Answer, frame: LiveFrame) -> Change | None:
        """The change that is certain with this answer, with the time at which it began."""
        if answer.label == self._label or not self._stronger(answer):
            self._young = None
            return None
        if self._young is None or self._young.label != answer.label:
            when = _time(frame.arrived)
            self._young = Change(frame.seconds, when, answer.label, answer.probability, frame.dropped)
        if self._label is not None and frame.seconds - self._young.seconds < self._firmness.shortest_seconds:
            return None
        certain, self._young = replace(self._young, probability=answer.probability), None
        self._label = certain.label
        return certain

    def _stronger(self, answer: Answer) -> bool:
        """Whether the answer can take over from the one that stands, where both are classes."""
        shares = dict(zip(answer.classes, answer.probabilities, strict=True))
        if self._label not in shares or answer.label not in shares:
            return True
        return shares[answer.label] > shares[self._label] + self._firmness.hysteresis


def _time(epoch_seconds: float) -> str:
    """A time of day here, with its distance from Greenwich: 2026-03-29T09:30:00.250+02:00."""
    return datetime.fromtimestamp(epoch_seconds).astimezone().isoformat(timespec="milliseconds")


class LineFile:
    """A file of lines that only grows: each line is in it whole once it is added, and stays after a kill.

    One process at a time writes it: the one that holds the lock on a hidden file beside it. The system releases the
    lock of a killed process.
    """

    def __init__(self, file: Path) -> None:
        """Go on with `file`, or begin it; half a line that a power cut left at its end is taken off.

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
        """One line more, or none at all.

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
    return OutputError(f"{file}: cannot be written: {problem.strerror or problem}. What is in it is kept.")
