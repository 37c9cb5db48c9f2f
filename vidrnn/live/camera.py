"""A live source is read in a thread of its own, so that the newest frame is always at hand.

A frame that nobody took before the next one came is dropped and counted. Frames are never queued, so what is taken is
recent, however long the source runs. Only a stream that sends frames faster than real time, such as a film at an
address, is made to wait until a frame is taken. A stream that breaks off is opened again, after longer and longer
pauses. This module does not know what a frame shows.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from dataclasses import dataclass, replace
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from vidrnn.errors import FilmError
from vidrnn.live.addresses import READER, Kind, LiveAddress
from vidrnn.live.connection import open_source, why_no_frames, why_not_opened
from vidrnn.values import Pixels, Size
from vidrnn.video.capture import Capture
from vidrnn.video.clock import Grid, LiveClock, Pace
from vidrnn.video.motion import BeforeFinder
from vidrnn.video.resizing import resized

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 15.0
"""Before a stream that broke off is opened again; each pause is twice the one before it."""
_JOIN_SECONDS = 0.5
_COMPLETE = 0.95
"""A source that gave this share of its claimed frames has come to its end, and did not break off."""
_MOST_NOTES = 32


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a source is waited for, in seconds."""

    open_seconds: float = 10.0
    silence_seconds: float = 10.0
    """A network stream has broken off when no data came for so long."""
    lost_seconds: float = 60.0
    """How long a stream that broke off is tried again; 0: not at all."""


@dataclass(frozen=True, slots=True)
class Sight:
    """The frames that a model reads: their size, and the seconds between them."""

    size: Size
    spacing_seconds: float
    motion_seconds: float | None = None
    """How much earlier the frame before each frame is; None for a model that needs no frame before."""


@dataclass(frozen=True, slots=True)
class LiveFrame:
    """The newest of the frames that the model reads."""

    pixels: Pixels
    """(height, width, 3) RGB, at the model's size."""
    since_seconds: float
    seconds: float
    """The first and the last of the model's times that the frame stands for, mostly the same. They count from the very
    first frame, and go on while a stream is away."""
    arrived: float
    """The time of day, in seconds since 1970."""
    life: int
    """How many times the stream had broken off before. Frames of two lives do not follow each other."""
    dropped: int = 0
    """How many frames for the model were dropped before it could take them, since the beginning."""
    before: Pixels | None = None
    """The frame before it, shaped as `pixels`, dropped or not; None where the model needs none."""


class Camera:
    """A live source that is being read, for use in a `with` block."""

    def __init__(
        self,
        address: LiveAddress,
        sight: Sight,
        patience: Patience | None = None,
        *,
        stop: Event | None = None,
        watched: bool = False,
    ) -> None:
        """`stop` ends the reading from outside. `watched`: `picture` holds the newest picture for a screen."""
        self.address = address
        self.spacing_seconds = sight.spacing_seconds
        """Between the frames that the model reads."""
        self._stop = stop or Event()
        self._exchange = _Exchange()
        reader = _Reader(address, sight, patience or Patience(), self._stop, self._exchange, watched=watched)
        self._thread = Thread(target=reader.run, name=READER, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading. A thread that waits for a silent source cannot be interrupted; it is a daemon, and is left."""
        self._stop.set()
        self._exchange.leave()
        self._thread.join(timeout=_JOIN_SECONDS)

    @property
    def over(self) -> bool:
        """Whether there is nothing left to take: the source has ended, or it was stopped."""
        return self._stop.is_set() or self._exchange.exhausted

    @property
    def picture(self) -> Pixels | None:
        """The newest picture (height, width, 3) BGR in its own size; None before the first, or if not `watched`."""
        return self._exchange.picture

    def take(self, timeout_seconds: float) -> LiveFrame | str | None:
        """A sentence about the source if there is one, else the newest frame if it was not taken yet, else None.

        Raises:
            FilmError: the source cannot be opened, or is lost. All frames and sentences before were taken.
        """
        return self._exchange.take(timeout_seconds)


class _Exchange:
    """Hands one frame, a few sentences and the final error from the reading thread to another thread."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._frame: LiveFrame | None = None
        self._notes: deque[str] = deque(maxlen=_MOST_NOTES)
        self._error: BaseException | None = None
        self._ended = self._left = False
        self._dropped = 0
        self.picture: Pixels | None = None

    @property
    def exhausted(self) -> bool:
        """Whether there is nothing to take, and nothing will come."""
        with self._changed:
            return self._ended and self._frame is None and self._error is None and not self._notes

    def put(self, frame: LiveFrame, wait_seconds: float) -> None:
        """Offer a frame. It waits so long for the last one to be taken, and then takes its place all the same."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is None or self._left, max(0.0, wait_seconds))
            self._dropped += self._frame is not None
            self._frame = replace(frame, dropped=self._dropped)
            self._changed.notify_all()

    def note(self, text: str) -> None:
        """Offer a sentence about the source."""
        with self._changed:
            self._notes.append(text)
            self._changed.notify_all()

    def leave(self) -> None:
        """Declare that nobody will take anything any more."""
        with self._changed:
            self._left = True
            self._changed.notify_all()

    def end(self, error: BaseException | None) -> None:
        """Declare that nothing comes any more."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def take(self, timeout_seconds: float) -> LiveFrame | str | None:
        """See `Camera.take`."""
        with self._changed:
            self._changed.wait_for(lambda: self._notes or self._frame is not None or self._ended, timeout_seconds)
            if self._notes:
                return self._notes.popleft()
            frame, self._frame = self._frame, None
            self._changed.notify_all()
            if frame is None and self._error is not None:
                error, self._error = self._error, None
                raise error
            return frame


@dataclass(frozen=True, slots=True)
class _Beginning:
    """The first frame of a source, as far as it tells two films apart."""

    raw_seconds: float
    picture: bytes

    @classmethod
    def of(cls, raw: float, picture: Pixels | None) -> Self | None:
        """Of a raw time and a picture; None if there is no picture."""
        return None if picture is None else cls(raw, hashlib.blake2b(picture.tobytes()).digest())


class _Reader:
    """The work of the thread: open the source, read it, and open it again when it broke off."""

    def __init__(
        self,
        address: LiveAddress,
        sight: Sight,
        patience: Patience,
        stop: Event,
        exchange: _Exchange,
        *,
        watched: bool,
    ) -> None:
        self._address, self._sight, self._patience = address, sight, patience
        self._stop, self._exchange, self._watched = stop, exchange, watched
        self._clock, self._pause_seconds = LiveClock(), _FIRST_PAUSE_SECONDS
        self._frames = self._life = 0
        self._newest = 0.0
        self._beginning: _Beginning | None = None

    def run(self) -> None:
        """Read until the source ends, is lost, or is stopped."""
        error: BaseException | None = None
        try:
            self._read_all()
        except BaseException as problem:  # any error is raised where the frames are taken
            error = problem
        self._exchange.end(error)

    def _read_all(self) -> None:
        capture = self._open(self._patience.open_seconds)
        if capture is None:
            raise self._error(why_not_opened(self._address))
        while capture is not None and not self._read(capture):
            capture = self._reopen()

    def _open(self, open_seconds: float) -> Capture | None:
        return open_source(self._address, open_seconds, self._patience.silence_seconds)

    def _read(self, capture: Capture) -> bool:
        """Read until no more frames come. True if the source has ended, False if it broke off."""
        frames_before = self._frames
        self._beginning = None
        self._clock.begin(capture.claimed_fps, stamped=self._address.kind is not Kind.CAMERA)
        self._read_frames(capture)
        capture.close()
        if not self._frames and not self._stop.is_set():
            raise self._error(why_no_frames(self._address))
        frames = self._frames - frames_before
        complete = 0 < _COMPLETE * capture.claimed_frames <= frames
        ended = self._stop.is_set() or self._address.kind is Kind.PIPE or complete
        if frames and not ended and self._begins_anew():
            ended = True
            if capture.claimed_frames:
                self._note(f"ended after {frames:,} of {capture.claimed_frames:,} claimed frames.")
        if frames and not ended:
            self._note(f"broke off after {frames:,} frames. Trying to open it again.")
            self._life += 1
        return ended

    def _begins_anew(self) -> bool:
        """Whether the address gives the same film from its first frame: then the film has been read to its end.

        A film without a frame count looks like a stream that broke off. A stream would go on with later frames.
        """
        if self._beginning is None or not self._address.may_be_film:
            return False
        capture = self._open(self._patience.open_seconds)
        if capture is None:
            return False
        raw = capture.grab()
        beginning = None if raw is None else _Beginning.of(raw, capture.picture())
        capture.close()
        return beginning == self._beginning

    def _read_frames(self, capture: Capture) -> None:
        grid, pace, due = Grid(self._sight.spacing_seconds), Pace(), list[float]()
        reach = self._sight.motion_seconds
        finder = None if reach is None else BeforeFinder(reach)
        asked = time.monotonic()
        while not self._stop.is_set() and (raw := capture.grab()) is not None:
            now, arrived = time.monotonic(), time.time()
            seconds = self._tick(raw, now)
            pace.add_frame(seconds, asked, now)
            due += grid.times_served(seconds)
            if (due or self._watched or finder) and (picture := capture.picture()) is not None:
                self._exchange.picture = picture if self._watched else None
                self._beginning = self._beginning or _Beginning.of(raw, picture)
                if due or finder:
                    pixels = self._prepared(picture)
                    before = finder.find(seconds, pixels) if finder else None
                if due:
                    frame = LiveFrame(pixels, due[0], due[-1], arrived, self._life, before=before)
                    self._exchange.put(frame, pace.spare_seconds(time.monotonic()))
                    due = []
            asked = time.monotonic()

    def _tick(self, raw: float, now: float) -> float:
        """Count one more frame, and give its time in seconds."""
        remark = self._clock.remark
        seconds = self._clock.tick(raw, now)
        if self._pause_seconds != _FIRST_PAUSE_SECONDS:
            self._note(f"is back after {now - self._newest:.1f} seconds.")
        if self._clock.remark != remark:
            self._note(self._clock.remark)
        self._frames, self._newest, self._pause_seconds = self._frames + 1, now, _FIRST_PAUSE_SECONDS
        return seconds

    def _prepared(self, picture: Pixels) -> Pixels:
        """The picture at the model's size, (height, width, 3) RGB, by the same steps as a film's."""
        return np.asarray(cv2.cvtColor(resized(picture, self._sight.size), cv2.COLOR_BGR2RGB), dtype=np.uint8)

    def _reopen(self) -> Capture | None:
        """The stream, opened again; None if the reading was stopped.

        Raises:
            FilmError: the stream did not come back in time.
        """
        until = self._newest + self._patience.lost_seconds
        while (left := until - time.monotonic()) > 0:
            if self._stop.wait(min(self._pause_seconds, left)):
                return None
            self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)
            if (capture := self._open(min(self._patience.open_seconds, left))) is not None:
                return capture
        raise self._error(
            f"broke off after {self._frames:,} frames and did not come back in {self._patience.lost_seconds:g} "
            "seconds. To wait longer: --reconnect SECONDS."
        )

    def _note(self, text: str) -> None:
        self._exchange.note(f"{self._address.shown}: {text}")

    def _error(self, text: str) -> FilmError:
        return FilmError(f"{self._address.shown}: {text}")
