"""PyAV reads what OpenCV cannot: another stream than the first one, more than 8 bits, and codecs that OpenCV lacks.

It is slower to start than OpenCV, so it is imported only for such films.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vidrnn.values import Pixels
from vidrnn.video.depth import LOOKED_AT, Depth
from vidrnn.video.inspection.whitelists import HANDLE_OPTIONS
from vidrnn.video.orientation import Orientation
from vidrnn.video.sources import Source

if TYPE_CHECKING:
    from av import VideoStream
    from av.container import InputContainer

_DEEP_BITS = 16
_FASTEST_FPS = 10_000
_STILLS = frozenset(["mjpeg", "png", "bmp", "gif", "webp"])
"""Codecs of previews and covers."""


class AvFilm(Source):
    """A film file that PyAV has opened, at its main stream of pictures."""

    def __init__(self, container: InputContainer, stream: VideoStream, orientation: Orientation | None) -> None:
        self._container, self._stream = container, stream
        context = stream.codec_context
        self.codec = context.codec.canonical_name
        self.claimed_pixels = context.width * context.height
        self.claimed_frames = max(0, stream.frames)
        self.claimed_fps = float(stream.average_rate or 0)
        self.others = len(_without_covers(container)) - 1
        self._orientation = orientation
        self.from_container = True
        self._frames = self._decoded()
        self._frame: Any = None
        self._depth: Depth | None = None

    @classmethod
    def open(cls, path: Path, orientation: Orientation | None = None) -> Self | None:
        """The main stream of a file; None if PyAV cannot open it, or if it holds no moving pictures.

        It is the stream that the container calls the default, and of several the one of the largest pictures. A cover
        or a single picture beside a film is not it. `orientation`: of its pictures, where the container's is known.

        Raises:
            OSError: the file cannot be read.
        """
        container = open_container(path)
        if container is None:
            return None
        stream = main_stream(container)
        if stream is None:
            container.close()
            return None
        stream.thread_type = "AUTO"
        film = cls(container, stream, orientation)
        film._look(path)
        return film

    def _look(self, path: Path) -> None:
        """Find the depth of numbers of 16 bits, from the first frames of a second reading."""
        parts = self._stream.format.components if self._stream.format is not None else ()
        if not any(part.bits == _DEEP_BITS for part in parts):
            return
        beside = open_container(path)
        if beside is None:
            return
        with beside:
            frames = islice(beside.decode(beside.streams[self._stream.index]), LOOKED_AT)
            self._depth = Depth(_deep(frame) for frame in frames)

    @property
    def is_first_video(self) -> bool:
        """Whether it is the stream that OpenCV would read."""
        return self._stream.index == self._container.streams.video[0].index

    @override
    def grab(self) -> float | None:
        self._frame = next(self._frames, None)
        if self._frame is None:
            return None
        return float(self._frame.time or 0.0) - self._start_seconds

    @property
    def _start_seconds(self) -> float:
        """OpenCV counts times from the start of the stream, and so does this."""
        stream = self._stream
        return float((stream.start_time or 0) * stream.time_base) if stream.time_base else 0.0

    def _decoded(self) -> Iterator[Any]:
        """The frames; a packet that cannot be decoded is passed over and counted."""
        import av

        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.EOFError):
                return
            except av.error.MemoryError:
                raise
            except (av.error.FFmpegError, LookupError, ValueError):  # damage can add streams that PyAV does not know
                self.refusals += 1
                return
            try:
                yield from packet.decode()
            except av.error.MemoryError:
                raise
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self.refusals += 1

    @override
    def picture(self) -> Pixels | None:
        frame = self._frame
        if self._depth is not None:
            deep = self._depth.shown(_deep(frame))
            pixels = np.repeat(deep[..., None], 3, 2) if deep.ndim == 2 else np.ascontiguousarray(deep[..., ::-1])
        else:
            pixels = frame.to_ndarray(format="bgr24")
        if self._orientation is None:
            self._orientation = Orientation(degrees=-int(frame.rotation) % 360)
        self.rotation_degrees, self.mirrored = self._orientation.degrees, self._orientation.mirrored
        return self._orientation.shown(pixels)

    @override
    def close(self) -> None:
        self._container.close()

    @override
    def notes(self) -> Iterator[str]:
        if self._depth is not None:
            yield from self._depth.notes()

    @override
    def oddities(self) -> Iterator[str]:
        if self._depth is not None:
            yield from self._depth.oddities()
        if self.others:
            width, height = self._stream.codec_context.width, self._stream.codec_context.height
            place = self._stream.index
            yield f"The file holds {self.others + 1} streams of pictures: stream {place} was read ({width} x {height})."


def has_pyav() -> bool:
    """Whether PyAV is installed. The small install for prediction leaves it out."""
    return find_spec("av") is not None


def open_container(path: Path) -> InputContainer | None:
    """A file that PyAV has opened; None if it cannot, or is not installed.

    FFmpeg gets the open file alone, and no other file or address.

    Raises:
        OSError: the file cannot be read.
    """
    if not has_pyav():
        return None
    import av  # only here: most films are never read by it

    file = path.open("rb")
    try:
        return av.open(file, "r", options=dict(HANDLE_OPTIONS), metadata_errors="replace")
    except av.error.MemoryError:
        file.close()
        raise
    except (av.error.FFmpegError, ValueError, LookupError):
        file.close()
        return None


def stated_rate(path: Path) -> float | None:
    """The frames per second that a raw stream states inside itself; None if it states none.

    FFmpeg assumes 25 for a raw stream, whatever it states.
    """
    container = open_container(path)
    if container is None:
        return None
    with container:
        rate = container.streams.video[0].codec_context.framerate if container.streams.video else None
        return float(rate) if rate and 0 < rate < _FASTEST_FPS else None


def main_stream(container: InputContainer) -> VideoStream | None:
    """The stream of a container that is the film; None if it holds none but covers."""
    moving = _moving(container)
    return max(moving, key=lambda one: (_is_default(one), one.width * one.height, -one.index), default=None)


def _moving(container: InputContainer) -> list[VideoStream]:
    """The streams of moving pictures; single pictures count where there are no others. Covers never count."""
    films = _without_covers(container)
    moving = [one for one in films if one.frames != 1] or films
    largest = max((one.width * one.height for one in moving), default=0)
    # A preview is often the first stream, which some programs call the default, and its container counts no frames.
    previews = [one for one in moving if one.codec_context.name in _STILLS and one.width * one.height < largest]
    return [one for one in moving if one not in previews]


def _without_covers(container: InputContainer) -> list[VideoStream]:
    from av.stream import Disposition

    known = [one for one in container.streams.video if one.codec_context is not None and one.codec_context.width]
    return [one for one in known if not one.disposition & Disposition.attached_pic]


def _is_default(stream: VideoStream) -> bool:
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.default)


def _deep(frame: Any) -> NDArray[Any]:
    """A frame's numbers of 16 bits: (height, width) of grey, else (height, width, 3) RGB."""
    grey = len(frame.format.components) == 1
    deep: NDArray[Any] = frame.to_ndarray(format="gray16le" if grey else "rgb48le")
    return deep
