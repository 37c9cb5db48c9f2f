"""Films that are single pictures: folders of numbered pictures, and moving WebP files.

Pictures are decoded from memory, since OpenCV cannot open every file name on Windows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from typing_extensions import override

from vidrnn.values import Pixels
from vidrnn.video.sources import Source

PICTURE_SUFFIXES = frozenset([".bmp", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"])
"""Suffixes of the pictures in a folder of numbered pictures, in lower case."""

_NOT_PICTURES = frozenset({"thumbs.db", "desktop.ini"})
"""Files that Windows puts into folders by itself."""


class Pictures(Source):
    """Pictures at given times in seconds; each is fetched by its index when it is wanted."""

    def __init__(self, codec: str, seconds: Sequence[float], fetch: Callable[[int], Pixels | None]) -> None:
        self.codec = codec
        self.claimed_frames = len(seconds)
        self.claimed_fps = 1 / (seconds[1] - seconds[0]) if len(seconds) > 1 and seconds[1] > seconds[0] else 0.0
        self._seconds, self._fetch, self._index = seconds, fetch, -1

    @classmethod
    def of_folder(cls, pictures: Sequence[Path], rate: float) -> Pictures:
        """The picture files of a folder in this order, `rate` of them per second."""
        seconds = [index / rate for index in range(len(pictures))]
        return cls(f"{pictures[0].suffix[1:].lower()} pictures", seconds, lambda index: _read_picture(pictures[index]))

    @classmethod
    def of_webp(cls, path: Path) -> Pictures:
        """A moving WebP, which FFmpeg does not decode; all of it is held in memory. Empty if it cannot be decoded.

        Raises:
            OSError: the file cannot be read.
        """
        try:
            decoded, animation = cv2.imdecodeanimation(np.fromfile(path, np.uint8))
        except cv2.error:
            decoded = False
        pictures = animation.frames if decoded else ()
        starts = np.concatenate([[0.0], np.cumsum(animation.durations)[:-1] / 1000]) if pictures else ()
        return cls(
            "webp", [float(start) for start in starts], lambda index: np.asarray(pictures[index][..., :3], np.uint8)
        )

    @override
    def grab(self) -> float | None:
        self._index += 1
        return self._seconds[self._index] if self._index < len(self._seconds) else None

    @override
    def picture(self) -> Pixels | None:
        return self._fetch(self._index)

    @override
    def close(self) -> None:
        self._seconds = ()


def numbered_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of their numbers; none if the folder holds anything else.

    Hidden files do not count.

    Raises:
        OSError: the folder cannot be listed.
    """
    pictures = []
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name.lower() in _NOT_PICTURES:
            continue
        if path.suffix.lower() not in PICTURE_SUFFIXES or not path.stem[-1:].isdecimal() or not path.is_file():
            return []
        pictures.append(path)
    return sorted(pictures, key=_natural_order)


def _natural_order(path: Path) -> list[tuple[int, str]]:
    """A key that puts frame10 after frame9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _read_picture(path: Path) -> Pixels | None:
    """The picture (height, width, 3) BGR; None if it cannot be read or decoded."""
    try:
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return None
    return None if pixels is None else np.asarray(pixels, dtype=np.uint8)
