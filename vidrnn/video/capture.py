"""OpenCV's capture: a film file, a camera or a stream is opened and read here, and nowhere else.

This module does not know which frames are wanted, nor what a raw time stamp is worth.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Self

# OpenCV reads this when it opens the first film. Messages of the decoder must not reach stderr.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import numpy as np
from typing_extensions import override

from vidrnn.errors import is_memory_shortage
from vidrnn.file_names import native_path
from vidrnn.values import Pixels
from vidrnn.video.inspection.whitelists import FILE_OPTIONS, opencv_options, stream_options
from vidrnn.video.orientation import Orientation
from vidrnn.video.sources import Source

if "OPENCV_LOG_LEVEL" not in os.environ:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
if "OPENCV_FOR_THREADS_NUM" not in os.environ:
    cv2.setNumThreads(1)  # shrinking one picture is too little work for several threads

_STREAM_ATTEMPTS, _FILE_ATTEMPTS = 3, 2000
"""How often the decoder is asked for the next frame: at damage it refuses each broken packet, and then goes on. At the
end of a file all attempts take a few milliseconds; at the end of a stream each may wait for the network."""
_LONGEST_MILLISECONDS = 2**31 - 1
_FASTEST_FPS = 1e6
_MOST_FRAMES = 1e9
"""Larger claims of a container are nonsense."""
_DEEP_LAYOUTS = frozenset(
    [b"Y1\0\x10", b"\x10\x001Y", b"RGB0", b"0RGB", b"BGR0", b"0BGR", b"RBA@", b"@RBA", b"Y3\0\x10"]
)
"""FFmpeg's tags of grey, RGB and YUV 4:4:4 pictures of 16 bits."""
_CODECS = {
    "av01": "av1",
    "fmp4": "mpeg4",
    "mp4v": "mpeg4",
    "mp43": "msmpeg4",
    "mpg1": "mpeg1",
    "mpg2": "mpeg2",
    "vp80": "vp8",
    "vp90": "vp9",
}
"""Usual names of codecs by the four letters that containers use for them."""


class Capture(Source):
    """A film file, camera or stream that OpenCV has opened. `claimed_pixels` is the claimed size of a picture."""

    def __init__(self, capture: cv2.VideoCapture, *, reuse_memory: bool) -> None:
        """`reuse_memory`: each picture overwrites the one before it, since fresh memory costs more than copying."""
        self._capture = capture
        self._reuse_memory = reuse_memory
        self._memory: Pixels | None = None
        width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        frames, fps = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
        self.claimed_width, self.claimed_height = max(0, int(width)), max(0, int(height))
        self.claimed_pixels = self.claimed_height * self.claimed_width
        self.codec = _codec_name(int(capture.get(cv2.CAP_PROP_FOURCC)))
        self.claimed_frames = int(frames) if 0 < frames < _MOST_FRAMES else 0
        self.claimed_fps = float(fps) if 0 < fps < _FASTEST_FPS else 0.0
        self.rotation_degrees = int(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360
        self._orientation: Orientation | None = None
        self.from_container = True
        self._grabbed = False

    @classmethod
    def open_file(cls, path: Path, *, threads: int) -> Self | None:
        """A film file, decoded by so many threads; None if OpenCV cannot open it."""
        options = [cv2.CAP_PROP_N_THREADS, threads]
        with opencv_options(FILE_OPTIONS):
            capture = cv2.VideoCapture(native_path(path), cv2.CAP_FFMPEG, options)
        return cls._if_opened(capture, reuse_memory=True)

    @classmethod
    def open_camera(cls, number: int) -> Self | None:
        """A camera of this machine, holding back as few frames as it can; None if OpenCV cannot open it."""
        direct = cv2.VideoCapture(number, cv2.CAP_DSHOW) if sys.platform == "win32" else None
        # The usual means of Windows may take half a minute to open a camera.
        capture = direct if direct is not None and direct.isOpened() else cv2.VideoCapture(number)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return cls._if_opened(capture, reuse_memory=False)

    @classmethod
    def open_stream(cls, address: str, open_seconds: float | None, silence_seconds: float | None) -> Self | None:
        """A stream at an address of FFmpeg, such as rtsp://HOST/PATH or pipe:0; None if it does not open in time.

        `silence_seconds`: the stream has ended when no data came for so long. None: there is no limit.
        One thread decodes, since each further thread would hold a frame back.
        """
        options = [
            *(cv2.CAP_PROP_N_THREADS, 1),
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _milliseconds(open_seconds)),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, _milliseconds(silence_seconds)),
        ]
        with opencv_options(stream_options(address)):
            capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG, options)
        return cls._if_opened(capture, reuse_memory=False)

    @classmethod
    def _if_opened(cls, capture: cv2.VideoCapture, *, reuse_memory: bool) -> Self | None:
        return cls(capture, reuse_memory=reuse_memory) if capture.isOpened() else None

    def mirror(self, orientation: Orientation) -> None:
        """Show the pictures by this orientation, since OpenCV knows turns only."""
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        self._orientation = orientation
        self.rotation_degrees, self.mirrored = orientation.degrees, orientation.mirrored

    @property
    def is_deep(self) -> bool:
        """Whether its numbers have 16 bits, of which OpenCV takes the highest 8."""
        layout = int(self._capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT))
        return layout.to_bytes(4, "little", signed=layout < 0) in _DEEP_LAYOUTS

    @override
    def grab(self) -> float | None:
        for attempt in range(_FILE_ATTEMPTS if self._reuse_memory else _STREAM_ATTEMPTS):
            if self._capture.grab():
                self.refusals += attempt > 0
                if not self._grabbed:
                    self._grabbed = True
                    # OpenCV counts this stamp in frames, and its other times from the start of the stream.
                    frames = self._capture.get(cv2.CAP_PROP_PTS)
                    self.start_seconds = max(0.0, frames / self.claimed_fps) if self.claimed_fps else 0.0
                return float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        return None

    @override
    def picture(self) -> Pixels | None:
        try:
            decoded, picture = self._capture.retrieve(self._memory)
        except cv2.error as error:
            if is_memory_shortage(error):
                raise
            return None
        if not decoded:
            return None
        pixels = np.asarray(picture, dtype=np.uint8)
        self._memory = pixels if self._reuse_memory else None
        return pixels if self._orientation is None else self._orientation.shown(pixels)

    @override
    def close(self) -> None:
        self._capture.release()


def _milliseconds(seconds: float | None) -> int:
    """A time-out as OpenCV takes it: from 1 to 2^31 - 1; 0 means that there is no limit."""
    return 0 if seconds is None else round(min(max(1.0, 1000 * seconds), _LONGEST_MILLISECONDS))


def _codec_name(fourcc: int) -> str:
    """The usual name of a codec, such as h264, vp9 or mpeg4, by its four letters in little-endian order."""
    name = fourcc.to_bytes(4, "little", signed=fourcc < 0).decode("latin-1").strip(" \0").lower()
    return _CODECS.get(name, name if name.isprintable() and name else "unknown codec")
