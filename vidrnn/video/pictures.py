"""Films that are single pictures: folders of numbered pictures, stacks of pages in one TIFF, and moving WebP files.

Pictures are decoded from memory, since OpenCV cannot open every file name on Windows. Stacks may be too large for that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vidrnn.errors import FilmError, is_memory_shortage
from vidrnn.file_names import native_path
from vidrnn.values import Pixels
from vidrnn.video.depth import LOOKED_AT, Depth
from vidrnn.video.inspection.limits import refuse_large_picture
from vidrnn.video.inspection.picture_size import HEADER_BYTES, picture_size
from vidrnn.video.sources import Source

PICTURE_SUFFIXES = frozenset([".bmp", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"])
"""Suffixes of the pictures in a folder of numbered pictures, in lower case."""

STACK_SUFFIXES = frozenset([".tif", ".tiff"])
"""Suffixes of pictures that may have several pages."""
_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
_WITH_ALL_BITS = frozenset([".pgm", ".png", ".ppm", ".tif", ".tiff"])
"""Suffixes of pictures that may have 16 bits."""
_NOT_PICTURES = frozenset({"thumbs.db", "desktop.ini"})
"""Files that Windows puts into folders by itself."""


Fetch = Callable[[int], NDArray[Any] | None]
"""Gives a picture (height, width, 3) BGR of 8 or 16 bits by its index; None if it cannot be decoded."""


class Pictures(Source):
    """Pictures at given times in seconds; each is fetched by its index when it is wanted."""

    def __init__(self, codec: str, seconds: Sequence[float], fetch: Fetch, depth: Depth | None = None) -> None:
        self.codec, self._depth = codec, depth
        self.claimed_frames = len(seconds)
        self.claimed_fps = 1 / (seconds[1] - seconds[0]) if len(seconds) > 1 and seconds[1] > seconds[0] else 0.0
        self._seconds, self._fetch, self._index = seconds, fetch, -1

    @classmethod
    def of_folder(cls, pictures: Sequence[Path], rate: float) -> Pictures:
        """The picture files of a folder in this order, `rate` of them per second.

        Raises:
            FilmError: one of them is a stack of several pages, or too large.
        """
        if stack := next((picture for picture in pictures if _pages(picture) > 1), None):
            raise FilmError(
                f"{stack}: is one of {len(pictures)} numbered pictures, and has {_pages(stack)} pages. "
                "Give each stack by itself, or write each page into a file of its own."
            )

        def fetch(index: int) -> NDArray[Any] | None:
            return _read_picture(pictures[index])

        deep = any(picture.suffix.lower() in _WITH_ALL_BITS for picture in pictures)
        depth = _depth(len(pictures), fetch) if deep else None
        seconds = [index / rate for index in range(len(pictures))]
        return cls(f"{pictures[0].suffix[1:].lower()} pictures", seconds, fetch, depth)

    @classmethod
    def of_stack(cls, path: Path, rate: float | None) -> Pictures:
        """The pages of a TIFF, `rate` of them per second. A single page needs no rate.

        Raises:
            FilmError: there are several pages and no rate, or the pages are too large.
            OSError: the file cannot be read.
        """
        _check_size(path, path)
        pages = _pages(path)
        if pages > 1 and rate is None:
            raise FilmError(f"{path}: holds {pages} pages but has no rate. Give one: --rate FPS.")

        def fetch(index: int) -> NDArray[Any] | None:
            try:
                decoded, (page, *_) = cv2.imreadmulti(native_path(path), index, 1, flags=_FLAGS)
            except (cv2.error, ValueError) as error:
                _raise_if_out_of_memory(error)
                return None
            return _picture(page) if decoded else None

        seconds = [index / (rate or 1.0) for index in range(pages)]
        return cls("tiff pages" if pages > 1 else "tiff", seconds, fetch, _depth(pages, fetch))

    @classmethod
    def of_webp(cls, path: Path) -> Pictures:
        """A moving WebP, which FFmpeg does not decode; all of it is held in memory. Empty if it cannot be decoded.

        Raises:
            OSError: the file cannot be read.
        """
        _check_size(path, path)
        try:
            decoded, animation = cv2.imdecodeanimation(np.fromfile(path, np.uint8))
        except cv2.error as error:
            _raise_if_out_of_memory(error)
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
        picture = self._fetch(self._index)
        if picture is None or picture.dtype == np.uint8:
            return picture
        return (self._depth or Depth([picture])).shown(picture)

    @override
    def close(self) -> None:
        self._seconds = ()

    @override
    def notes(self) -> Iterator[str]:
        if self._depth is not None:
            yield from self._depth.notes()

    @override
    def oddities(self) -> Iterator[str]:
        if self._depth is not None and self._depth.is_deep:
            yield from self._depth.oddities()


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


def _read_picture(path: Path) -> NDArray[Any] | None:
    """The picture (height, width, 3) BGR of 8 or 16 bits; None if it cannot be read or decoded.

    Raises:
        FilmError: it is too large.
    """
    try:
        _check_size(path, path.parent)
        return _picture(cv2.imdecode(np.fromfile(path, np.uint8), _FLAGS))
    except (OSError, cv2.error) as error:
        _raise_if_out_of_memory(error)
        return None


def _picture(decoded: Any) -> NDArray[Any] | None:
    """A decoded picture of 8 or 16 bits; of floating-point numbers those that 8 bits hold. None if there is none."""
    if decoded is None:
        return None
    picture: NDArray[Any] = np.asarray(decoded)
    whole = picture.dtype in (np.uint8, np.uint16)
    return picture if whole else np.clip(np.nan_to_num(picture), 0, 255).astype(np.uint8)


def _check_size(picture: Path, film: Path) -> None:
    """Refuse a picture that is too large, by its header.

    Raises:
        FilmError: it is too large.
        OSError: it cannot be read.
    """
    with picture.open("rb") as file:
        size = picture_size(file.read(HEADER_BYTES))
    if size is not None:
        refuse_large_picture(film, *size)


def _pages(picture: Path) -> int:
    """How many pages a picture has; 1 unless it is a TIFF with several."""
    if picture.suffix.lower() not in STACK_SUFFIXES:
        return 1
    try:
        return max(1, cv2.imcount(native_path(picture)))
    except cv2.error:
        return 1


def _depth(count: int, fetch: Fetch) -> Depth | None:
    """The depth by pictures from the whole film; None if the first one has 8 bits, as most films have."""
    first = fetch(0)
    if first is None or first.dtype == np.uint8:
        return None
    places = sorted({round(place) for place in np.linspace(0, count - 1, min(count, LOOKED_AT))})
    return Depth(picture for place in places if (picture := fetch(place)) is not None)


def _raise_if_out_of_memory(error: Exception) -> None:
    """Lack of memory is raised again, since it says nothing of the picture, which would count as damaged."""
    if is_memory_shortage(error):
        raise error
