"""The boxes of an MP4 or MOV file (ISO/IEC 14496-12): its tracks, and whether the chain of boxes is whole.

Only headers are read, so a look costs the same for a film of any length. Nothing is decoded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

_TOP = frozenset([b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"sidx", b"moof", b"uuid"])
"""Boxes that such a file begins with."""
_MOST_BOXES = 10_000
"""A damaged file could claim boxes without end."""
_MOST_SMALL_BYTES = 1 << 16
_SELF_CONTAINED = 1
"""The flag of a data reference whose data lies in the same file."""

Matrix = tuple[int, int, int, int]
"""a, b, c, d of a display matrix: x' = a x + c y and y' = b x + d y."""


@dataclass(frozen=True, slots=True)
class Track:
    """One track, by its own claims."""

    kind: str
    """The handler: vide, soun, ..."""
    enabled: bool
    width: int
    height: int
    matrix: Matrix
    """By signs only, with the matrix of the whole film applied: each number is -1, 0 or 1."""
    samples: int
    """Packets that the index lists; 0 in a film of fragments, whose index is spread."""
    external: bool
    """Whether its data lies in another file."""


@dataclass(slots=True)
class Boxes:
    """The top of a file."""

    names: list[str] = field(default_factory=list)
    """Types of the top boxes, in order."""
    tracks: list[Track] = field(default_factory=list)
    broken_at: int | None = None
    """The place of the first header that cannot be one."""
    overrun: tuple[str, int, int] | None = None
    """The box that claims to go on after the end of the file: its type, the bytes it claims, the bytes there are."""

    @property
    def videos(self) -> list[Track]:
        """The tracks of pictures."""
        return [track for track in self.tracks if track.kind == "vide"]


class _Box(NamedTuple):
    kind: bytes
    start: int
    """Of its content."""
    end: int


def read_boxes(path: Path, *, all_of_them: bool = False) -> Boxes | None:
    """The boxes of a file up to its index (moov), or to its end with `all_of_them`; None for another kind of file.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        if file.read(8)[4:] not in _TOP:
            return None
        boxes = Boxes()
        for box in _children(file, 0, size, boxes):
            boxes.names.append(box.kind.decode("latin-1"))
            if box.kind == b"moov":
                try:
                    boxes.tracks = _tracks(file, box)
                except (struct.error, IndexError):
                    boxes.broken_at = box.start
                if not all_of_them:
                    break
        return boxes


def _children(file: BinaryIO, start: int, end: int, top: Boxes | None = None) -> Iterator[_Box]:
    """The boxes between two places; `top` learns what is wrong with the chain."""
    for _ in range(_MOST_BOXES):
        if end - start < 8:
            return
        file.seek(start)
        header = file.read(16)
        size, kind, head = int.from_bytes(header[:4], "big"), header[4:8], 8
        if size == 1:
            size, head = int.from_bytes(header[8:16], "big"), 16
        elif size == 0:
            size = end - start
        if size < head or not all(0x20 <= letter < 0x7F or letter == 0xA9 for letter in kind):
            if top is not None:
                top.broken_at = start
            return
        if start + size > end and top is not None:
            top.overrun = kind.decode("latin-1"), size, end - start
        yield _Box(kind, start + head, min(start + size, end))
        start += size


def _content(file: BinaryIO, box: _Box, most: int = _MOST_SMALL_BYTES) -> bytes:
    file.seek(box.start)
    return file.read(min(box.end - box.start, most))


def _tracks(file: BinaryIO, moov: _Box) -> list[Track]:
    whole: Matrix = (1, 0, 0, 1)
    found = []
    for box in _children(file, moov.start, moov.end):
        if box.kind == b"mvhd":
            content = _content(file, box)
            whole = _matrix(content, 48 if content[0] == 1 else 36, whole)
        elif box.kind == b"trak":
            found.append(_track(file, box, whole))
    return found


def _matrix(content: bytes, place: int, fallback: Matrix) -> Matrix:
    """The signs of the display matrix whose nine numbers stand at a place; the fallback if it turns by odd angles."""
    numbers = struct.unpack_from(">9i", content, place)
    signs = tuple((number > 0) - (number < 0) for number in (numbers[0], numbers[1], numbers[3], numbers[4]))
    a, b, c, d = signs
    straight = a and d and not b and not c
    crossed = b and c and not a and not d
    return (a, b, c, d) if straight or crossed else fallback


def _product(first: Matrix, second: Matrix) -> Matrix:
    """The matrix that applies `first` and then `second`."""
    a, b, c, d = first
    e, f, g, h = second
    return a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h


def _track(file: BinaryIO, trak: _Box, whole: Matrix) -> Track:
    kind, enabled, external, samples = "", False, False, 0
    width = height = 0
    matrix: Matrix = (1, 0, 0, 1)
    for box in _below(file, trak):
        if box.kind == b"tkhd":
            content = _content(file, box)
            place = 52 if content[0] == 1 else 40
            enabled = bool(content[3] & 1)
            matrix = _matrix(content, place, matrix)
            width, height = struct.unpack_from(">2I", content, place + 36)
        elif box.kind == b"hdlr" and not kind:
            kind = _content(file, box)[8:12].decode("latin-1")
        elif box.kind == b"dref":
            external |= _is_external(_content(file, box))
        elif box.kind in (b"stsz", b"stz2"):
            samples = struct.unpack_from(">I", _content(file, box, 12), 8)[0]
    return Track(kind, enabled, width >> 16, height >> 16, _product(matrix, whole), samples, external)


def _below(file: BinaryIO, box: _Box) -> Iterator[_Box]:
    """The boxes of a track, those in its own containers too."""
    for child in _children(file, box.start, box.end):
        if child.kind in (b"mdia", b"minf", b"dinf", b"stbl"):
            yield from _below(file, child)
        else:
            yield child


def _is_external(dref: bytes) -> bool:
    """Whether an entry of a data reference names another file or address."""
    place = 8
    while len(dref) - place >= 12:
        size = max(12, int.from_bytes(dref[place : place + 4], "big"))
        flags = int.from_bytes(dref[place + 9 : place + 12], "big")
        named = dref[place + 12 : place + size].strip(b"\0")
        if not flags & _SELF_CONTAINED and named:
            return True
        place += size
    return False
