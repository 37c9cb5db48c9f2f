"""Frames to a film file, whole or not at all. This module does not know what is to be seen in the frames."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from vidrnn.atomic import write_file
from vidrnn.errors import FilmError, OutputError, UsageError
from vidrnn.values import Pixels
from vidrnn.video.reader import open_film

FILMED_SUFFIXES = (".webm", ".mp4")
"""What can be written: VP8 by OpenCV, H.264 by the extra `av`."""

_FEWEST_PIXELS = 16
"""On a side; VP8 makes files that cannot be read of less."""
_MP4_PER_SECOND = 90_000
"""The finest step of time that frame rates are rounded to."""
_TRACK_NUMBER = b"\x73\xc5\x88"
"""Stands in a .webm before the eight bytes that a track is called by."""
_HEAD_BYTES = 4096
"""More than what stands in a .webm before its first frame."""


def write_film(file: Path, frames: Iterable[Pixels], fps: float) -> int:
    """Write frames (height, width, 3) RGB, all of one size, `fps` of them per second, and give their number.

    The suffix decides: .webm is VP8, .mp4 is H.264. Neither knows an odd width or height, so the last column or row
    is repeated where it must be, and so it is up to 16 pixels.

    Raises:
        UsageError: the suffix is another, or H.264 is asked for without the package `av`.
        OutputError: the file cannot be written, or did not become whole; nothing is left of it.
    """
    if file.suffix not in FILMED_SUFFIXES:
        raise UsageError(f"{file}: films are written as {' or '.join(FILMED_SUFFIXES)}; name it so.")
    with write_file(file) as beside:
        count = _written(file, beside, iter(frames), fps)
        found = _frames_in(beside)
        if found != count:
            raise OutputError(
                f"{file}: of {count} frames written {found} can be read. Is the disk full? Make room and try again."
            )
    return count


class _Writer(Protocol):
    """Takes one picture after another, (height, width, 3) RGB, of even height and width."""

    def __call__(self, picture: Pixels) -> None: ...


def _written(file: Path, beside: Path, frames: Iterator[Pixels], fps: float) -> int:
    first = next(frames, None)
    if first is None:
        raise OutputError(f"{file}: there are no frames to write.")
    count = 0
    with _opened(file, beside, _even(first), fps) as write:
        for count, frame in enumerate(_and(first, frames), 1):
            if frame.shape != first.shape:
                raise ValueError(f"frame {count} is {frame.shape}, the first is {first.shape}")
            write(_even(frame))
    return count


def _and(first: Pixels, others: Iterator[Pixels]) -> Iterator[Pixels]:
    yield first
    yield from others


def _even(picture: Pixels) -> Pixels:
    """The picture with its last row and column repeated until its sides are even and long enough."""
    sides = [max(_FEWEST_PIXELS, side + side % 2) - side for side in picture.shape[:2]]
    return np.pad(picture, [(0, sides[0]), (0, sides[1]), (0, 0)], mode="edge") if any(sides) else picture


def _opened(file: Path, beside: Path, first: Pixels, fps: float) -> AbstractContextManager[_Writer]:
    if not 0 < fps < float("inf"):
        raise ValueError(f"a film has more than 0 frames per second, not {fps}")
    return _vp8(file, beside, first, fps) if file.suffix == ".webm" else _h264(file, beside, first, fps)


@contextmanager
def _vp8(file: Path, beside: Path, first: Pixels, fps: float) -> Iterator[_Writer]:
    size = first.shape[1], first.shape[0]
    beside.touch()  # what is wrong with the place is told here by the system, by OpenCV in no words
    with _silence():
        writer = cv2.VideoWriter(str(beside.absolute()), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"VP80"), fps, size)
    if not writer.isOpened():
        raise OutputError(f"{file}: this OpenCV cannot write VP8 of {size[0]}x{size[1]} pixels at {fps:g} fps.")

    def write(picture: Pixels) -> None:
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    try:
        yield write
    finally:
        writer.release()
    _name_track(beside)


@contextmanager
def _silence() -> Iterator[None]:
    """No standard error for a moment: OpenCV says there of every .webm that VP8 does not fit it, and then writes it."""
    before = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def _name_track(file: Path) -> None:
    """Put 1 for the random number that a .webm calls its track by, so that the same frames make the same file."""
    with file.open("r+b") as film:
        head = film.read(_HEAD_BYTES)
        place = head.find(_TRACK_NUMBER)
        if place >= 0:
            number = head[place + len(_TRACK_NUMBER) :][:8]
            film.seek(0)
            film.write(head.replace(number, (1).to_bytes(8, "big")))


@contextmanager
def _h264(file: Path, beside: Path, first: Pixels, fps: float) -> Iterator[_Writer]:
    try:
        import av
    except ImportError:
        raise UsageError(
            f"{file}: H.264 is written by the package av, which is not installed. "
            "Install it: pip install av, or write .webm."
        ) from None
    with av.open(str(beside.absolute()), "w") as container:
        rate = Fraction(round(fps * _MP4_PER_SECOND), _MP4_PER_SECOND).limit_denominator(1001)
        stream = container.add_stream("libx264", rate=rate, options={"threads": "1", "preset": "veryfast"})
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"

        def write(picture: Pixels) -> None:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))

        yield write
        container.mux(stream.encode())


def _frames_in(file: Path) -> int:
    """How many frames can be read of a film that was just written; neither writer says when the disk was full."""
    try:
        with open_film(file) as film:
            return film.facts().frames
    except FilmError:
        return 0
