"""A live source, read in a thread of its own: whenever one looks, the newest frame is there.

Frames that nobody took before the next one came are counted and gone, never queued, so what is seen is of now, however
long it goes on. Only where a stream brings frames earlier than life would, several at once or a film as fast as it can
be sent, are they kept until they are taken. A stream that breaks off is looked for again, ever more patiently. This
module does not know what a frame shows.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from dataclasses import dataclass, replace
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Self

# Read when the first film is opened; what matters of what the decoder would say becomes a sentence below.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import numpy as np

from vidrnn.errors import FilmError
from vidrnn.live.addresses import READER, Kind, LiveAddress
from vidrnn.values import Pixels, Size
from vidrnn.video.clock import Grid, LiveClock, Pace
from vidrnn.video.reader import resized

_PATIENCE = 3  # how often a decoder that says no is asked again
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 15.0
_KNOCK_SECONDS, _GOODBYE_SECONDS = 2.0, 0.5
_ENDED = 0.95
"""Of the frames that a source claims to have: one that brought so many has come to its end, and did not break off."""
_WORDS_KEPT = 32
_LONGEST_MILLISECONDS = 2.0**31 - 1


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a source is waited for, in seconds."""

    open_seconds: float = 10.0
    silence_seconds: float = 10.0
    """A network stream without a frame for so long has broken off."""
    lost_seconds: float = 60.0
    """A stream that broke off is looked for again for so long; 0: not at all."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Which frames a model looks at: so many seconds apart, and brought to this size."""

    size: Size
    spacing_seconds: float


@dataclass(frozen=True, slots=True)
class LiveFrame:
    """The newest of the frames that the model looks at, at the model's size."""

    pixels: Pixels
    since_seconds: float
    seconds: float
    """The first and the last of the model's times that it stands for, mostly the same, since the very first frame; time
    goes on while a stream is away."""
    arrived: float
    """The time of day, in seconds since 1970."""
    life: int
    """How many times the stream had broken off before: frames of another life do not follow on each other."""
    dropped: int = 0
    """How many frames that the model should have looked at were gone before it could, since the beginning."""


class Camera:
    """A live source that is being read; to be used in a `with` block."""

    def __init__(
        self,
        address: LiveAddress,
        sight: Sight,
        patience: Patience | None = None,
        *,
        stop: Event | None = None,
        watched: bool = False,
    ) -> None:
        """`sight`: what is looked at. `stop`: ends it from outside. `watched`: keep `picture`, too."""
        self.address = address
        self.spacing_seconds = sight.spacing_seconds
        """Between the frames that the model looks at."""
        self._stop = stop or Event()
        self._table = _Table()
        reader = _Reader(address, sight, patience or Patience(), self._stop, self._table, watched=watched)
        self._thread = Thread(target=reader.run, name=READER, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading. A thread that waits for a silent source is left to itself: it cannot be made to return."""
        self._stop.set()
        self._table.leave()
        self._thread.join(timeout=_GOODBYE_SECONDS)

    @property
    def over(self) -> bool:
        """Whether there is nothing left to take: the source has ended, or it was stopped."""
        return self._stop.is_set() or self._table.cleared

    @property
    def picture(self) -> Pixels | None:
        """The newest picture (height, width, 3) BGR in its own size; None if there is none yet, or nobody watches."""
        return self._table.picture

    def take(self, timeout_seconds: float) -> LiveFrame | str | None:
        """A sentence on what happened to the source, else the newest frame if it was not taken yet, else None.

        Raises:
            FilmError: the source cannot be opened, or is lost for good. What came before it has been taken.
        """
        return self._table.take(timeout_seconds)


class _Table:
    """What the reading thread lays down and another one takes: one frame, a few sentences, and how it ended."""

    def __init__(self) -> None:
        self._news = Condition()
        self._frame: LiveFrame | None = None
        self._words: deque[str] = deque(maxlen=_WORDS_KEPT)
        self._error: BaseException | None = None
        self._ended = self._left = False
        self._dropped = 0
        self.picture: Pixels | None = None

    @property
    def cleared(self) -> bool:
        """Whether nothing is on it, nor will be."""
        with self._news:
            return self._ended and self._frame is None and self._error is None and not self._words

    def lay(self, frame: LiveFrame, wait_seconds: float) -> None:
        """The newest frame takes the place of one that nobody took, even when it was waited for so long."""
        with self._news:
            self._news.wait_for(lambda: self._frame is None or self._left, max(0.0, wait_seconds))
            self._dropped += self._frame is not None
            self._frame = replace(frame, dropped=self._dropped)
            self._news.notify_all()

    def say(self, text: str) -> None:
        """A sentence for people."""
        with self._news:
            self._words.append(text)
            self._news.notify_all()

    def leave(self) -> None:
        """Nobody takes anything any more."""
        with self._news:
            self._left = True
            self._news.notify_all()

    def end(self, error: BaseException | None) -> None:
        """Nothing comes any more."""
        with self._news:
            self._ended, self._error = True, error
            self._news.notify_all()

    def take(self, timeout_seconds: float) -> LiveFrame | str | None:
        """See `Camera.take`."""
        with self._news:
            self._news.wait_for(lambda: self._words or self._frame is not None or self._ended, timeout_seconds)
            if self._words:
                return self._words.popleft()
            frame, self._frame = self._frame, None
            self._news.notify_all()
            if frame is None and self._error is not None:
                error, self._error = self._error, None
                raise error
            return frame


class _Reader:
    """What the thread does: open, read, and look for the stream again when it broke off."""

    def __init__(
        self,
        address: LiveAddress,
        sight: Sight,
        patience: Patience,
        stop: Event,
        table: _Table,
        *,
        watched: bool,
    ) -> None:
        self._address, self._sight, self._patience = address, sight, patience
        self._stop, self._table, self._watched = stop, table, watched
        self._clock, self._pause_seconds = LiveClock(), _FIRST_PAUSE_SECONDS
        self._frames = self._life = 0
        self._newest = 0.0

    def run(self) -> None:
        """Until the source ends, is lost, or is no longer wanted."""
        error: BaseException | None = None
        try:
            self._read_all()
        except BaseException as problem:  # whatever it is, it is for who takes the frames
            error = problem
        self._table.end(error)

    def _read_all(self) -> None:
        capture = _opened(self._address, self._patience, self._patience.open_seconds)
        if capture is None:
            raise self._error(_why_not_opened(self._address))
        while capture is not None and not self._read(capture):
            capture = self._found_again()

    def _read(self, capture: cv2.VideoCapture) -> bool:
        """Read until no more frames come; whether that was to be, and not because the stream broke off."""
        before, claimed = self._frames, capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._clock.begin(capture.get(cv2.CAP_PROP_FPS), stamped=self._address.kind is not Kind.CAMERA)
        self._read_frames(capture)
        capture.release()
        if not self._frames and not self._stop.is_set():
            raise self._error(_NO_FRAMES[self._address.kind])
        frames = self._frames - before
        ended = self._stop.is_set() or self._address.kind is Kind.PIPE or 0 < _ENDED * claimed <= frames
        if frames and not ended:
            self._say(f"broke off after {frames:,} frames; looking for it again.")
            self._life += 1
        return ended

    def _read_frames(self, capture: cv2.VideoCapture) -> None:
        grid, pace, owed = Grid(self._sight.spacing_seconds), Pace(), list[float]()
        asked = time.monotonic()
        while not self._stop.is_set() and (raw := _grabbed(capture)) is not None:
            now, arrived = time.monotonic(), time.time()
            seconds = self._tick(raw, now)
            pace.came(seconds, asked, now)
            owed += grid.times_served(seconds)
            if (owed or self._watched) and (picture := _retrieved(capture)) is not None:
                self._table.picture = picture if self._watched else None
                if owed:
                    frame = LiveFrame(self._shown(picture), owed[0], owed[-1], arrived, self._life)
                    self._table.lay(frame, pace.spare_seconds(time.monotonic()))
                    owed = []
            asked = time.monotonic()

    def _tick(self, raw: float, now: float) -> float:
        """One more frame has come: its time."""
        told = self._clock.remark
        seconds = self._clock.tick(raw, now)
        if self._pause_seconds != _FIRST_PAUSE_SECONDS:
            self._say(f"is back after {now - self._newest:.1f} seconds.")
        if self._clock.remark != told:
            self._say(self._clock.remark)
        self._frames, self._newest, self._pause_seconds = self._frames + 1, now, _FIRST_PAUSE_SECONDS
        return seconds

    def _shown(self, picture: Pixels) -> Pixels:
        """The picture as the model is to see it: as of a film."""
        return np.asarray(cv2.cvtColor(resized(picture, self._sight.size), cv2.COLOR_BGR2RGB), dtype=np.uint8)

    def _found_again(self) -> cv2.VideoCapture | None:
        """The stream, opened anew; None if it is no longer wanted.

        Raises:
            FilmError: it was not to be found.
        """
        until = self._newest + self._patience.lost_seconds
        while (left := until - time.monotonic()) > 0:
            if self._stop.wait(min(self._pause_seconds, left)):
                return None
            self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)
            if (capture := _opened(self._address, self._patience, min(self._patience.open_seconds, left))) is not None:
                return capture
        raise self._error(
            f"broke off after {self._frames:,} frames and did not come back in {self._patience.lost_seconds:g} "
            "seconds. Wait longer: --reconnect SECONDS."
        )

    def _say(self, text: str) -> None:
        self._table.say(f"{self._address.shown}: {text}")

    def _error(self, text: str) -> FilmError:
        return FilmError(f"{self._address.shown}: {text}")


def _opened(address: LiveAddress, patience: Patience, open_seconds: float) -> cv2.VideoCapture | None:
    """The source, opened; None if it cannot be.

    One thread decodes: several would each hold a frame back. A pipe may be silent as long as it likes.
    """
    if address.kind is Kind.CAMERA:
        capture = cv2.VideoCapture(int(address.source))
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    else:
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _milliseconds(address, open_seconds)]
        limits += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, _milliseconds(address, patience.silence_seconds)]
        source = "pipe:0" if address.kind is Kind.PIPE else address.source
        capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1, *limits])
    return capture if capture.isOpened() else None


def _milliseconds(address: LiveAddress, seconds: float) -> int:
    """How long the decoder is to wait, as it wants to be told; to 0 there is no limit."""
    return 0 if address.kind is Kind.PIPE else round(min(max(1.0, 1000 * seconds), _LONGEST_MILLISECONDS))


def _grabbed(capture: cv2.VideoCapture) -> float | None:
    """The raw time of the next frame in seconds; None if there is none. A decoder also says no at damage."""
    for _ in range(_PATIENCE):
        if capture.grab():
            return float(capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
    return None


def _retrieved(capture: cv2.VideoCapture) -> Pixels | None:
    """The picture (height, width, 3) BGR of the frame that was grabbed; None if it cannot be decoded."""
    try:
        found, picture = capture.retrieve()
    except cv2.error:
        return None
    return np.asarray(picture, dtype=np.uint8) if found else None


_NO_FRAMES = {
    Kind.CAMERA: "gives no pictures. Is another program using it?",
    Kind.PIPE: "brought no film that can be read as it comes, such as: ffmpeg -i FILM -f mpegts - | vidrnn predict -",
    Kind.NETWORK: "was opened, but brought no frame.",
}


def _why_not_opened(address: LiveAddress) -> str:
    """Why there is no stream."""
    if address.kind is Kind.PIPE:
        return _NO_FRAMES[Kind.PIPE]
    if address.kind is Kind.CAMERA:
        return "cannot be opened. Is one connected (on Linux: ls /dev/video*), and may you read it?"
    if address.host is None:
        return "nothing came in time. Is something sent there?"
    return _why_no_answer(*address.host)


def _why_no_answer(host: str, port: int) -> str:
    """What is found by knocking at the door."""
    try:
        socket.create_connection((host, port), timeout=_KNOCK_SECONDS).close()
    except (socket.gaierror, UnicodeError):
        return f"there is no host {host}."
    except ConnectionRefusedError:
        return f"nothing listens on port {port} of {host}."
    except OSError as error:
        return f"no answer from port {port} of {host}: {error.strerror or error}."
    return f"port {port} of {host} answers, but gives no stream. Is the path right? Does it want USER:PASSWORD@?"
