"""The size of a still picture by its header, before it is decoded."""

from __future__ import annotations

import re
from collections.abc import Callable

_JPEG_WITHOUT_LENGTH = frozenset([0x01, *range(0xD0, 0xD9)])
_JPEG_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG that begin a frame and hold its size."""
_PNM = re.compile(rb"P[1-7](?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)")
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_SHORT = 256, 257, 3
HEADER_BYTES = 1 << 16


def picture_size(start: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, JPEG, GIF, BMP, WebP, TIFF or PNM by its first bytes; None if not there."""
    for magic, read in _READERS:
        if start.startswith(magic):
            try:
                return read(start)
            except IndexError:
                return None
    return None


def _jpeg(start: bytes) -> tuple[int, int] | None:
    place = 2
    while start[place] == 0xFF:
        marker = start[place + 1]
        if marker in _JPEG_FRAME:
            return int.from_bytes(start[place + 7 : place + 9], "big"), int.from_bytes(
                start[place + 5 : place + 7], "big"
            )
        length = 0 if marker in _JPEG_WITHOUT_LENGTH or marker == 0xFF else start[place + 2] << 8 | start[place + 3]
        place += (1 if marker == 0xFF else 2) + length
    return None


def _bmp(start: bytes) -> tuple[int, int]:
    width, height = (int.from_bytes(start[place : place + 4], "little", signed=True) for place in (18, 22))
    return abs(width), abs(height)


def _webp(start: bytes) -> tuple[int, int] | None:
    if start[12:16] == b"VP8X":
        return 1 + int.from_bytes(start[24:27], "little"), 1 + int.from_bytes(start[27:30], "little")
    if start[12:16] == b"VP8L":
        bits = int.from_bytes(start[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = (int.from_bytes(start[place : place + 2], "little") & 0x3FFF for place in (26, 28))
    return width, height


def _tiff(start: bytes) -> tuple[int, int] | None:
    little = start[:2] == b"II"

    def number(place: int, count: int) -> int:
        return int.from_bytes(start[place : place + count], "little" if little else "big")

    first, sizes = number(4, 4), {}
    for entry in range(first + 2, first + 2 + 12 * number(first, 2), 12):
        wide = 2 if number(entry + 2, 2) == _TIFF_SHORT else 4
        sizes[number(entry, 2)] = number(entry + 8, wide)
    return (sizes[_TIFF_WIDTH], sizes[_TIFF_HEIGHT]) if {_TIFF_WIDTH, _TIFF_HEIGHT} <= sizes.keys() else None


def _pnm(start: bytes) -> tuple[int, int] | None:
    found = _PNM.match(start)
    return (int(found[1]), int(found[2])) if found else None


def _png(start: bytes) -> tuple[int, int]:
    return int.from_bytes(start[16:20], "big"), int.from_bytes(start[20:24], "big")


def _gif(start: bytes) -> tuple[int, int]:
    return int.from_bytes(start[6:8], "little"), int.from_bytes(start[8:10], "little")


_READERS: tuple[tuple[bytes, Callable[[bytes], tuple[int, int] | None]], ...] = (
    (b"\x89PNG", _png),
    (b"\xff\xd8", _jpeg),
    (b"GIF8", _gif),
    (b"BM", _bmp),
    (b"RIFF", lambda start: _webp(start) if start[8:12] == b"WEBP" else None),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
    (b"P", _pnm),
)
