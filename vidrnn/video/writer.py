"""Frames become a film file, whole or not at all. This module does not know what the frames show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np

from vidrnn.atomic import write_file
from vidrnn.errors import FilmError, OutputError, UsageError
from vidrnn.values import Pixels
from vidrnn.video.reader import open_film


@dataclass(frozen=True)
class _Encoder:
    """An encoder of FFmpeg, its options, and its highest bit rate in bits per pixel (0: the encoder's own)."""

    name: str
    options: dict[str, str]
    bits_per_pixel: float = 0.0


# One thread, so that the same frames give the same bytes on every machine.
_ENCODERS = {
    ".webm": _Encoder("libvpx", {"deadline": "good", "cpu-used": "4", "crf": "10", "threads": "1"}, bits_per_pixel=4),
    ".mp4": _Encoder("libx264", {"preset": "veryfast", "threads": "1"}),
}
FILMED_SUFFIXES = tuple(_ENCODERS)
"""Suffixes of the films that can be written: VP8 and H.264."""

_CONTAINER_OPTIONS = {"fflags": "+bitexact"}
"""FFmpeg then writes no random numbers and no version of itself into the file."""
_FEWEST_PIXELS = 16
"""The shortest side of a picture; VP8 files of smaller pictures cannot be read."""
_FINEST_RATE = 90_000
"""Frame rates are rounded to a fraction of this denominator first, then to the nearest simple fraction."""
_LARGEST_DENOMINATOR = 1001
_LOWEST_BIT_RATE, _HIGHEST_BIT_RATE = 100_000, 2**31 - 1


def write_film(file: Path, frames: Iterable[Pixels], fps: float, comment: str = "") -> int:
    """Write frames (height, width, 3) RGB of one size, `fps` of them per second, and give their number.

    The suffix decides the codec: .webm is VP8, .mp4 is H.264. Both need an even width and height of at least 16 pixels,
    so the last column and row are repeated as often as needed. The same frames give the same bytes. A comment is
    written into the file's metadata.

    Raises:
        UsageError: the suffix is another.
        OutputError: the file cannot be written, or is not complete; nothing of it is left.
        ValueError: the frames differ in size, or `fps` is not positive.
    """
    if file.suffix not in _ENCODERS:
        raise UsageError(f"{file}: videos are written as {' or '.join(_ENCODERS)}. Give the file such a name.")
    if not 0 < fps < float("inf"):
        raise ValueError(f"a video has more than 0 frames per second, not {fps}")
    with write_file(file) as beside:
        remaining = iter(frames)
        first = next(remaining, None)
        if first is None:
            raise OutputError(f"{file}: there are no frames to write.")
        count = _encode(beside, _of_one_size(first, remaining), fps, comment)
        readable = _count_frames(beside)
        if readable != count:
            raise OutputError(
                f"{file}: {count} frames were written, but only {readable} of them can be read. Is the disk full? "
                "Make room and try again."
            )
    return count


def _of_one_size(first: Pixels, remaining: Iterator[Pixels]) -> Iterator[Pixels]:
    for number, frame in enumerate(chain([first], remaining), 1):
        if frame.shape != first.shape:
            raise ValueError(f"frame {number} is {frame.shape}, the first is {first.shape}")
        yield _padded(frame)


def _padded(picture: Pixels) -> Pixels:
    """The picture with its last row and column repeated until its sides are even and long enough."""
    sides = [max(_FEWEST_PIXELS, side + side % 2) - side for side in picture.shape[:2]]
    return np.pad(picture, [(0, sides[0]), (0, sides[1]), (0, 0)], mode="edge") if any(sides) else picture


def _encode(file: Path, pictures: Iterator[Pixels], fps: float, comment: str) -> int:
    """Write at least one picture (height, width, 3) RGB of even sides, and give their number."""
    import av  # only here: few commands write films

    encoder = _ENCODERS[file.suffix]
    rate = Fraction(round(fps * _FINEST_RATE), _FINEST_RATE).limit_denominator(_LARGEST_DENOMINATOR)
    count = 0
    # The path is made absolute, so that FFmpeg takes no colon in it for the end of a protocol's name.
    with av.open(str(file.absolute()), "w", options=_CONTAINER_OPTIONS) as container:
        if comment:
            container.metadata["comment"] = comment
        try:
            stream = container.add_stream(encoder.name, rate=rate, options=encoder.options)
        except av.codec.codec.UnknownCodecError as error:
            raise OutputError(
                f"{file.suffix} files cannot be written: this PyAV has no encoder {encoder.name}. Install the one of "
                "PyPI: pip install --force-reinstall av"
            ) from error
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = "yuv420p"
        for count, picture in enumerate(pictures, 1):
            if count == 1:
                stream.height, stream.width = picture.shape[:2]
                bit_rate = encoder.bits_per_pixel * stream.height * stream.width * fps
                if bit_rate:
                    stream.bit_rate = round(min(max(_LOWEST_BIT_RATE, bit_rate), _HIGHEST_BIT_RATE))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode())
    return count


def _count_frames(file: Path) -> int:
    """The number of frames that can be read from a film; FFmpeg does not always say when the disk was full."""
    try:
        with open_film(file) as film:
            return film.facts().frames
    except FilmError:
        return 0
