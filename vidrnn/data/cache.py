"""A cache of decoded and encoded films. The key of an entry: content, sampling, size, and weights of the encoder.

Frames, the frames before them, and the features of each view of an encoder have entries of their own, so a training
with other motion finds those that it shares with the one before. A film is decoded once for all that are missing.

Entries are .npy files with their sum after the numbers, which readers of .npy pass over. They are written beside their
place and renamed, and read as memory maps. A process verifies the sum of an entry when it first reads it; an entry that
was damaged is made again. The first thousand entries stay open, and the others are opened when they are read.
Features are copied into memory as long as they fit there. This module does not know encoders: the encoding functions
are arguments.
"""

from __future__ import annotations

import hashlib
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from threading import get_ident
from typing import Any, BinaryIO, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from vidrnn.atomic import write_file
from vidrnn.data.store import Store, store_at
from vidrnn.data.stored.mapped import MappedArray
from vidrnn.errors import FilmError, OutputError
from vidrnn.plain_json import json_text
from vidrnn.threads import map_in_order
from vidrnn.values import FilmFailure, FilmScan, Frame, Pixels, Size
from vidrnn.video.features import NPY_HEADERS
from vidrnn.video.reader import open_film

Array = NDArray[Any]
Encode = Callable[[Pixels, Pixels | None], Array]
"""Frames (count, height, width, 3) uint8, and the frame before each or None -> (count, width) float32; called from
several threads."""
Result = TypeVar("Result")

_ADVICE = "It is part of the cache: free some space there, or name another folder in VIDRNN_CACHE."
_FORMAT = 4
"""The version of the entries, a part of their key. It goes up when the same film would give other numbers."""
_SUM_WORD = b"vidrnn-crc-"
"""Before the eight digits of the sum, at the end of each file."""
_SUM_BYTES = 1 << 20
_MANY_FILES = 10240
_HEADER_BYTES = 128
"""Of the .npy files of entries, whose arrays have few axes."""


def _raise_file_limit() -> None:
    """Allow this process as many open files as the system permits: each entry that is read in place is one."""
    if sys.platform == "win32":  # which has no such limit
        return
    import resource

    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (most, _MANY_FILES):  # macOS names a limit that it does not grant
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(now, wanted), most))
            return


@dataclass(frozen=True)
class Rendering:
    """How films are read for training: a frame every `spacing_seconds`, the whole picture resized to `size`."""

    spacing_seconds: float
    size: Size
    rate: float | None = None
    """Frames per second, in place of the films' own time stamps; None where each has its own."""


@dataclass(frozen=True)
class Encoding:
    """A function from pictures to features of one view, and what the key says of it."""

    encode: Encode
    fingerprint: str
    """Of the weights and of the view."""
    motion_seconds: float | None = None
    """How much earlier the frame before each frame is; None for features that need no frame before."""
    pictures: int = 64
    """The largest number of pictures in a call. It changes no feature; a GPU is fast with many."""

    @property
    def key(self) -> str:
        """The part of an entry's key that is of the features."""
        return self.fingerprint if self.motion_seconds is None else f"{self.fingerprint}-{self.motion_seconds}"


@dataclass(frozen=True)
class Steps:
    """A film on a grid of times, a step for each time."""

    array: Array
    """(steps, height, width, 3) uint8 frames, or (copies, steps, width) float32 features."""
    indices: NDArray[np.int64]
    """(steps,) the film's own frame of each step, counted from 0: truth at each frame needs it."""
    before: Array | None = None
    """Of frames: the frame before each, shaped as `array`; None where it was not asked for."""


@dataclass(frozen=True)
class Cache:
    """A folder of decoded and encoded films. `threads` films are read at the same time."""

    folder: Path
    threads: int = 1

    def __post_init__(self) -> None:
        _raise_file_limit()

    def frames(
        self, scans: Sequence[FilmScan], rendering: Rendering, motion_seconds: float | None = None
    ) -> Iterator[Steps | FilmFailure]:
        """Each film's frames on the grid, (steps, height, width, 3) uint8, in the films' order.

        With `motion_seconds` the frame before each frame comes too.
        """
        return self._each(scans, lambda scan: self._frames(scan, rendering, motion_seconds))

    def features(
        self, scans: Sequence[FilmScan], rendering: Rendering, encodings: Sequence[Encoding], mirrored: bool
    ) -> Iterator[Steps | FilmFailure]:
        """Each film's features on the grid, (copies, steps, width) float32: plain, then mirrored if asked.

        The features of several encodings stand one after the other.
        """
        return self._each(scans, lambda scan: _joined(self._views(scan, rendering, encodings, mirrored)))

    def views(
        self, scans: Sequence[FilmScan], rendering: Rendering, encodings: Sequence[Encoding], mirrored: bool
    ) -> Iterator[tuple[Steps, ...] | FilmFailure]:
        """As `features`, those of each encoding by themselves, in the order of `encodings`."""
        return self._each(scans, lambda scan: self._views(scan, rendering, encodings, mirrored))

    def _each(self, scans: Sequence[FilmScan], read: Callable[[FilmScan], Result]) -> Iterator[Result | FilmFailure]:
        def steps_or_failure(scan: FilmScan) -> Result | FilmFailure:
            try:
                return read(scan)
            except FilmError as error:
                return FilmFailure.of(scan.facts.path, error)

        return map_in_order(steps_or_failure, scans, self.threads)

    def _frames(self, scan: FilmScan, rendering: Rendering, motion_seconds: float | None) -> Steps:
        names = ["frames"] if motion_seconds is None else ["frames", f"before-{motion_seconds}"]
        files = [self._file(scan, rendering, name) for name in names]
        frame, again = rendering.size, partial(self._decode, scan, rendering, motion_seconds)
        found = [self._read(file, (frame.height, frame.width, 3), np.uint8, again) for file in files]
        if any(stored is None for stored in found):
            missing = [file for file, stored in zip(files, found, strict=True) if stored is None]
            new = self._decode(scan, rendering, motion_seconds, missing)
            found = [stored or new[file] for file, stored in zip(files, found, strict=True)]
        shown, *earlier = [steps for steps in found if steps is not None]
        return replace(shown, before=earlier[0].array) if earlier else shown

    def _decode(
        self, scan: FilmScan, rendering: Rendering, motion_seconds: float | None, files: Sequence[Path]
    ) -> dict[Path, Steps]:
        """Decode a film once, and write the entries `files` of it."""
        frames = list(_sampled(scan, rendering, motion_seconds))
        pictures = {self._file(scan, rendering, "frames"): [frame.pixels for frame in frames]}
        if motion_seconds is not None:
            before = [frame.before for frame in frames if frame.before is not None]
            pictures[self._file(scan, rendering, f"before-{motion_seconds}")] = before
        found = {}
        for file in files:
            steps = Steps(np.stack(pictures[file]), _indices(frames))
            self._write(file, steps)
            found[file] = self._read(file, steps.array.shape[1:], np.uint8, None) or steps
        return found

    def _views(
        self, scan: FilmScan, rendering: Rendering, encodings: Sequence[Encoding], mirrored: bool
    ) -> tuple[Steps, ...]:
        copies = 2 if mirrored else 1
        files = [self._file(scan, rendering, f"{encoding.key}-{copies}") for encoding in encodings]
        again = partial(self._encode, scan, rendering, dict(zip(files, encodings, strict=True)), copies)
        found = [self._read(file, (copies, None), np.float32, again) for file in files]
        if missing := [file for file, stored in zip(files, found, strict=True) if stored is None]:
            new = again(missing)
            found = [
                stored or self._read(file, (copies, None), np.float32, again) or new[file]
                for file, stored in zip(files, found, strict=True)
            ]
        return tuple(self._in_memory(stored) for stored in found if stored is not None)

    def _encode(
        self,
        scan: FilmScan,
        rendering: Rendering,
        encodings: Mapping[Path, Encoding],
        copies: int,
        files: Sequence[Path],
    ) -> dict[Path, Steps]:
        """Encode a film in one reading, and write the entries `files` of it."""
        found = dict(zip(files, _encode(scan, rendering, [encodings[file] for file in files], copies), strict=True))
        for file, steps in found.items():
            try:
                self._write(file, steps)
            except OutputError as error:  # features are small, so this run goes on with those in memory
                self.store.note_unwritten(str(error))
        return found

    @property
    def store(self) -> Store:
        """The folder, as this process uses it."""
        return store_at(self.folder)

    def _in_memory(self, features: Steps) -> Steps:
        """Features as a copy in memory if there is room for them, so that training does not wait for the disk."""
        if not self.store.takes_memory(int(np.prod(features.array.shape)) * features.array.dtype.itemsize):
            return features
        return replace(features, array=np.array(features.array))

    def _read(
        self,
        file: Path,
        shape: tuple[int | None, ...],
        kind: type[np.generic],
        again: Callable[[Sequence[Path]], Mapping[Path, Steps]] | None,
    ) -> Steps | None:
        """An entry; None if there is none or it was damaged. The caller then computes it again.

        Args:
            file: of the entry.
            shape: of its array without the axis of its steps; None for a number that is not known.
            kind: of its numbers.
            again: makes entries that were damaged or removed after this call. None: the entry is opened now.
        """
        indices = self._indices_in(_index_file(file))
        if indices is None:
            return None
        late = again and self._expected(file, shape, np.dtype(kind), len(indices))
        if again and late and self.store.opens_late():
            self.store.use(file)
            opened_late = partial(self._reopened, file, late, np.dtype(kind), again)
            array = cast("Array", MappedArray(file, opened_late, late, np.dtype(kind)))
            return Steps(array, indices)
        opened = self._opened(file)
        return None if opened is None else Steps(opened, indices)

    def _opened(
        self, file: Path, shape: tuple[int, ...] | None = None, kind: np.dtype[Any] | None = None
    ) -> Array | None:
        """The array of an entry as a memory map; None if there is none or it was damaged.

        Where its shape is known, its header is not read, which takes as long as all the rest.
        """
        try:
            if not self.store.is_known(file) and not _has_right_sum(file):
                self.store.note_damage()
                return None
            array: Array
            if shape is not None and kind is not None:
                array = np.memmap(file, kind, "r", _HEADER_BYTES, shape)
            else:
                with NPY_HEADERS:
                    array = np.load(file, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError):
            self.store.note_damage()
            return None
        self.store.use(file)
        return array

    def _reopened(
        self,
        file: Path,
        shape: tuple[int, ...],
        kind: np.dtype[Any],
        again: Callable[[Sequence[Path]], Mapping[Path, Steps]],
    ) -> Array:
        """The array of an entry that was there before, made again if need be.

        Raises:
            FilmError: it has to be made again, and the film cannot be read any more.
        """
        opened = self._opened(file, shape, kind)
        return again([file])[file].array if opened is None else opened

    def _indices_in(self, file: Path) -> NDArray[np.int64] | None:
        """The indices beside an entry; None if there are none or they were damaged."""
        try:
            content = file.read_bytes()
        except OSError:
            return None
        end = len(content) - len(_SUM_WORD) - 8
        start = 10 + int.from_bytes(content[8:10], "little")  # as .npy files of version 1 begin
        total = zlib.crc32(content[: max(end, 0)], zlib.crc32(file.name.encode()))
        if content[:7] != b"\x93NUMPY\x01" or content[end:] != _SUM_WORD + f"{total:08x}".encode():
            self.store.note_damage()
            return None
        return np.frombuffer(content[start:end], dtype=np.int64)

    def _expected(
        self, file: Path, shape: tuple[int | None, ...], kind: np.dtype[Any], steps: int
    ) -> tuple[int, ...] | None:
        """The shape of an entry's array, by the size of its file; None if it does not fit the expected shape."""
        try:
            count = (file.stat().st_size - _HEADER_BYTES - len(_SUM_WORD) - 8) / kind.itemsize
        except OSError:
            return None
        if None not in shape:
            whole = (steps, *(side for side in shape if side is not None))
            return whole if count == np.prod(whole) else None
        copies = shape[0] or 1
        width, rest = divmod(int(count), copies * steps)
        return (copies, steps, width) if not rest and width and count == int(count) else None

    def _write(self, file: Path, steps: Steps) -> None:
        """Write an entry, the indices first, so that no array is without them.

        Raises:
            OutputError: the disk refuses.
        """
        for place, array in ((_index_file(file), steps.indices), (file, steps.array)):
            _write_array(place, array)
            self.store.add(place)

    def _file(self, scan: FilmScan, rendering: Rendering, what: str) -> Path:
        parts = [
            _FORMAT,
            scan.content_hash,
            rendering.spacing_seconds,
            str(rendering.size),
            scan.rate or rendering.rate,
            what,
        ]
        parts += [] if scan.excerpt is None else [scan.excerpt.start, scan.excerpt.end, scan.excerpt.unit]
        key = hashlib.blake2b(json_text(parts, ascii_only=True).encode(), digest_size=16).hexdigest()
        return self.folder / key[:2] / f"{key}.npy"


def _sampled(scan: FilmScan, rendering: Rendering, motion_seconds: float | None) -> Iterator[Frame]:
    path = scan.facts.path
    with open_film(path, rate=scan.rate or rendering.rate, excerpt=scan.excerpt) as film:
        yield from film.sampled(rendering.spacing_seconds, size=rendering.size, motion_seconds=motion_seconds)


def _indices(frames: Sequence[Frame]) -> NDArray[np.int64]:
    return np.asarray([frame.index for frame in frames], dtype=np.int64)


def _joined(views: Sequence[Steps]) -> Steps:
    """The features of several views one after the other."""
    if len(views) == 1:
        return views[0]
    return Steps(np.concatenate([view.array for view in views], -1), views[0].indices)


def _encode(scan: FilmScan, rendering: Rendering, encodings: Sequence[Encoding], copies: int) -> list[Steps]:
    """The plain features, and with two copies the mirrored ones, from one chunk of frames after the other.

    Raises:
        ValueError: the encodings look back to different frames.
    """
    reaches = {one.motion_seconds for one in encodings if one.motion_seconds is not None}
    if len(reaches) > 1:
        raise ValueError(f"one reading of a film looks back by one time, not by {sorted(reaches)} seconds")
    parts: list[list[Array]] = [[] for _ in encodings]
    indices = []
    frames = _sampled(scan, rendering, next(iter(reaches), None))
    at_once = max(encoding.pictures for encoding in encodings)
    while chunk := list(islice(frames, max(1, at_once // copies))):
        pixels = _mirrored([frame.pixels for frame in chunk], copies)
        earlier = [frame.before for frame in chunk if frame.before is not None]
        before = _mirrored(earlier, copies) if earlier else None
        for part, encoding in zip(parts, encodings, strict=True):
            features = encoding.encode(pixels, None if encoding.motion_seconds is None else before)
            part.append(np.stack(np.split(features, copies)))
        indices.append(_indices(chunk))
    return [Steps(np.concatenate(part, 1), np.concatenate(indices)) for part in parts]


def _mirrored(pictures: Sequence[Pixels], copies: int) -> Pixels:
    """Pictures (copies * count, height, width, 3): plain, and with two copies then mirrored."""
    plain = np.stack(pictures)
    return plain if copies == 1 else np.concatenate([plain, plain[:, :, ::-1]])


def _index_file(file: Path) -> Path:
    """The file of the frame indices beside an entry."""
    return file.with_suffix(".index.npy")


def _write_array(file: Path, array: Array) -> None:
    """Write an array with its sum behind it.

    Raises:
        OutputError: the disk refuses.
    """
    try:
        part = f"{os.getpid()}-{get_ident()}-"  # another run may write the same
        with write_file(file, part, _ADVICE, lasting=False) as beside, beside.open("wb") as opened:
            summing = _Summing(opened, file.name)
            np.save(summing, array, allow_pickle=False)
            opened.write(summing.ending)
    except OutputError:
        if not file.is_file():  # Windows replaces no file that another run reads; that file has the same content
            raise


class _Summing:
    """A file to write to that adds up what is written. CRC-32 is several times as fast as a disk."""

    def __init__(self, opened: BinaryIO, name: str) -> None:
        """`name` of the file is part of the sum, so an entry under the name of another one is not taken for it."""
        self._opened, self._sum = opened, zlib.crc32(name.encode())

    def write(self, content: bytes) -> int:
        self._sum = zlib.crc32(content, self._sum)
        return self._opened.write(content)

    @property
    def ending(self) -> bytes:
        """The last bytes of the file."""
        return _SUM_WORD + f"{self._sum:08x}".encode()


def _has_right_sum(file: Path) -> bool:
    """Whether an array is as it was written.

    Raises:
        OSError: it cannot be read.
    """
    left, total = file.stat().st_size - len(_SUM_WORD) - 8, zlib.crc32(file.name.encode())
    with file.open("rb") as opened:
        while left > 0 and (chunk := opened.read(min(left, _SUM_BYTES))):
            total, left = zlib.crc32(chunk, total), left - len(chunk)
        return opened.read() == _SUM_WORD + f"{total:08x}".encode()
