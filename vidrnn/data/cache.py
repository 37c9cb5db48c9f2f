"""A cache of decoded and encoded films. The key of an entry: content, sampling, size, and weights of the encoder.

Frames, the frames before them, and the features of each view of an encoder have entries of their own, so a training
with other motion finds those that it shares with the one before. A film is decoded once for all that are missing.

Entries are .npy files with their sum after the numbers, which readers of .npy pass over. They are written beside their
place and renamed, and read as memory maps. A process verifies the sum of an entry when it first reads it; an entry that
was damaged is made again. The first thousand films stay open. Those after them are only looked for, by one look at the
size of each file, and opened when they are read. Features are copied into memory as long as they fit there. This module
does not know encoders: the encoding functions are arguments.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from threading import get_ident
from typing import Any, BinaryIO, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from vidrnn.atomic import write_file
from vidrnn.data.store import Store, store_at
from vidrnn.data.stored.mapped import InMemory, MappedArray
from vidrnn.errors import FilmError, OutputError
from vidrnn.plain_json import json_text
from vidrnn.threads import complete_in_order
from vidrnn.values import Excerpt, FilmFailure, FilmScan, Frame, Pixels, Size
from vidrnn.video.features import NPY_HEADERS
from vidrnn.video.reader import open_film

Array = NDArray[Any]
Encode = Callable[[Pixels, Pixels | None], Array]
"""Frames (count, height, width, 3) uint8, and the frame before each or None -> (count, width) float32; called from
several threads."""
MakeAgain = Callable[[Sequence[Path]], "Mapping[Path, Steps]"]
"""Makes the entries of these files again, and gives them."""
Result = TypeVar("Result")
_Film = tuple[FilmScan, bool]
"""A film, and whether it is opened late."""

_ADVICE = "It is part of the cache: free some space there, or name another folder in VIDRNN_CACHE."
_FORMAT = 4
"""The version of the entries, a part of their key. It goes up when the same film would give other numbers."""
_SUM_WORD = b"vidrnn-crc-"
"""Before the eight digits of the sum, at the end of each file."""
_SUM_BYTES = 1 << 20
_MANY_FILES = 10240
_CONTENT = "content"
"""Stands for the hash of a film's content in a key."""
_ENDING_BYTES = len(_SUM_WORD) + 8
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
    width: int
    """Numbers for each frame."""
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
        return self._each(
            scans,
            lambda scan: self._late_frames(scan, rendering, motion_seconds),
            lambda scan, late: self._frames(scan, rendering, motion_seconds),
        )

    def features(
        self, scans: Sequence[FilmScan], rendering: Rendering, encodings: Sequence[Encoding], mirrored: bool
    ) -> Iterator[Steps | FilmFailure]:
        """Each film's features on the grid, (copies, steps, width) float32: plain, then mirrored if asked.

        The features of several encodings stand one after the other.
        """
        if len(encodings) == 1:
            views = self.views(scans, rendering, encodings, mirrored)
            return (found if isinstance(found, FilmFailure) else found[0] for found in views)
        return self._each(  # to join features is to read them
            scans,
            lambda scan: None,
            lambda scan, late: _joined(self._views(scan, rendering, encodings, mirrored, in_memory=False)),
        )

    def views(
        self, scans: Sequence[FilmScan], rendering: Rendering, encodings: Sequence[Encoding], mirrored: bool
    ) -> Iterator[tuple[Steps, ...] | FilmFailure]:
        """As `features`, those of each encoding by themselves, in the order of `encodings`."""
        return self._each(
            scans,
            lambda scan: self._late_views(scan, rendering, encodings, mirrored),
            lambda scan, late: self._views(scan, rendering, encodings, mirrored, in_memory=not late),
        )

    def _each(
        self,
        scans: Sequence[FilmScan],
        find: Callable[[FilmScan], Result | None],
        read: Callable[[FilmScan, bool], Result],
    ) -> Iterator[Result | FilmFailure]:
        """What `read` gives of each film, from several threads; of films that are opened late what `find` gives.

        `read` gets the film and whether it is opened late. `find` gives None where an entry is not there.
        """

        def complete(film: _Film) -> Result | FilmFailure:
            scan, late = film
            try:
                made = read(scan, late)
            except FilmError as error:
                return FilmFailure.of(scan.facts.path, error)
            return (find(scan) if late else None) or made

        def looked_for() -> Iterator[tuple[_Film, Result | FilmFailure | None]]:
            for scan in scans:
                late = self.store.opens_late()
                yield (scan, late), find(scan) if late else None

        films: Iterator[tuple[_Film, Result | FilmFailure]] = complete_in_order(complete, looked_for(), self.threads)
        return (result for _, result in films)

    def _frames(self, scan: FilmScan, rendering: Rendering, motion_seconds: float | None) -> Steps:
        files = [self._file(scan, rendering, name) for name in _pictures(motion_seconds)]
        found = [self._read(file) for file in files]
        if any(stored is None for stored in found):
            missing = [file for file, stored in zip(files, found, strict=True) if stored is None]
            new = self._decode(scan, rendering, motion_seconds, missing)
            found = [stored or new[file] for file, stored in zip(files, found, strict=True)]
        return _with_earlier([steps for steps in found if steps is not None])

    def _late_frames(self, scan: FilmScan, rendering: Rendering, motion_seconds: float | None) -> Steps | None:
        size, again = rendering.size, partial(self._decode, scan, rendering, motion_seconds)
        shape, kind = (size.height, size.width, 3), np.dtype(np.uint8)
        names = _pictures(motion_seconds)
        found = [self._late(self._place(scan, rendering, name), (), shape, kind, again) for name in names]
        return None if None in found else _with_earlier([steps for steps in found if steps is not None])

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
            found[file] = self._read(file) or steps
        return found

    def _views(
        self,
        scan: FilmScan,
        rendering: Rendering,
        encodings: Sequence[Encoding],
        mirrored: bool,
        *,
        in_memory: bool,
    ) -> tuple[Steps, ...]:
        copies = 2 if mirrored else 1
        files = [self._file(scan, rendering, f"{encoding.key}-{copies}") for encoding in encodings]
        found = [self._read(file) for file in files]
        if missing := [file for file, stored in zip(files, found, strict=True) if stored is None]:
            new = self._encode(scan, rendering, dict(zip(files, encodings, strict=True)), copies, missing)
            found = [stored or self._read(file) or new[file] for file, stored in zip(files, found, strict=True)]
        each = [stored for stored in found if stored is not None]
        return tuple(self._in_memory(stored) for stored in each) if in_memory else tuple(each)

    def _late_views(
        self, scan: FilmScan, rendering: Rendering, encodings: Sequence[Encoding], mirrored: bool
    ) -> tuple[Steps, ...] | None:
        copies, kind = 2 if mirrored else 1, np.dtype(np.float32)
        places = [self._place(scan, rendering, f"{encoding.key}-{copies}") for encoding in encodings]

        def again(files: Sequence[Path]) -> Mapping[Path, Steps]:
            named = dict(zip(map(Path, places), encodings, strict=True))
            return self._encode(scan, rendering, named, copies, files)

        found = [
            self._late(place, (copies,), (encoding.width,), kind, again, in_memory=True)
            for place, encoding in zip(places, encodings, strict=True)
        ]
        return None if None in found else tuple(steps for steps in found if steps is not None)

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

    def _read(self, file: Path) -> Steps | None:
        """An entry, opened now; None if there is none or it was damaged. The caller then computes it again."""
        indices = self.indices_in(_index_file(file))
        opened = None if indices is None else self._opened(file)
        return None if indices is None or opened is None else Steps(opened, indices)

    def _late(
        self,
        place: str,
        copies: tuple[int, ...],
        step: tuple[int, ...],
        kind: np.dtype[Any],
        again: MakeAgain,
        *,
        in_memory: bool = False,
    ) -> Steps | None:
        """An entry that is opened when it is read; None if there is none, or one whose size does not fit.

        Args:
            place: the path of its file.
            copies: the axis before that of its steps, if there is one.
            step: the axes after it.
            kind: of its numbers.
            again: makes it again if it is damaged or removed by then.
            in_memory: whether it is copied into memory then, if there is room.
        """
        try:
            facts = os.stat(place)  # noqa: PTH116
        except OSError:
            return None
        size_bytes = facts.st_size - _HEADER_BYTES - _ENDING_BYTES
        steps, rest = divmod(size_bytes, math.prod(copies) * math.prod(step) * kind.itemsize)
        if rest or steps < 1:
            return None
        self.store.keep(place, facts.st_mtime)
        entry = _LateEntry(self, place, (*copies, steps, *step), kind, again)
        load = InMemory(entry.array) if in_memory and self.store.takes_memory(size_bytes) else entry.array
        array = MappedArray(place, load, entry.shape, kind)
        indices = MappedArray(f"{place} indices", entry.indices, (steps,), np.dtype(np.int64))
        return Steps(cast("Array", array), cast("Array", indices))

    def _opened(self, file: Path) -> Array | None:
        """The array of an entry as a memory map; None if there is none or it was damaged."""
        return self.verified(file, lambda: _loaded(file))

    def verified(self, file: Path, load: Callable[[], Array]) -> Array | None:
        """What `load` gives of a file whose sum is right; None if there is no such file or it was damaged."""
        try:
            if not self.store.is_known(file) and not _has_right_sum(file):
                self.store.note_damage()
                return None
            array = load()
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError):
            self.store.note_damage()
            return None
        self.store.use(file)
        return array

    def indices_in(self, file: Path) -> NDArray[np.int64] | None:
        """The indices beside an entry; None if there are none or they were damaged."""
        try:
            content = file.read_bytes()
        except OSError:
            return None
        end = len(content) - _ENDING_BYTES
        start = 10 + int.from_bytes(content[8:10], "little")  # as .npy files of version 1 begin
        total = zlib.crc32(content[: max(end, 0)], zlib.crc32(file.name.encode()))
        if content[:7] != b"\x93NUMPY\x01" or content[end:] != _SUM_WORD + f"{total:08x}".encode():
            self.store.note_damage()
            return None
        return np.frombuffer(content[start:end], dtype=np.int64)

    def _write(self, file: Path, steps: Steps) -> None:
        """Write an entry, the indices first, so that no array is without them.

        Raises:
            OutputError: the disk refuses.
        """
        for place, array in ((_index_file(file), steps.indices), (file, steps.array)):
            _write_array(place, array)
            self.store.add(place)

    def _place(self, scan: FilmScan, rendering: Rendering, what: str) -> str:
        """The path of an entry, as text: a path of its own for each of very many films would take time."""
        before, after = _around_content(rendering, scan.rate or rendering.rate, what, scan.excerpt)
        key = hashlib.blake2b(f"{before}{scan.content_hash}{after}".encode(), digest_size=16).hexdigest()
        return f"{self.folder}{os.sep}{key[:2]}{os.sep}{key}.npy"

    def _file(self, scan: FilmScan, rendering: Rendering, what: str) -> Path:
        return Path(self._place(scan, rendering, what))


@dataclass(frozen=True, slots=True)
class _LateEntry:
    """An entry that was there when it was looked for. It is opened when it is read, and made again if need be."""

    cache: Cache
    place: str
    shape: tuple[int, ...]
    kind: np.dtype[Any]
    again: MakeAgain

    def array(self) -> Array:
        """Its array, of which the shape is known, so its header need not be read, which takes as long as all the rest.

        Raises:
            FilmError: it has to be made again, and the film cannot be read any more, or has another length now.
        """
        file = Path(self.place)
        opened = self.cache.verified(file, lambda: np.memmap(file, self.kind, "r", _HEADER_BYTES, self.shape))
        return self._made_again().array if opened is None else opened

    def indices(self) -> Array:
        """The frame indices of its steps.

        Raises:
            FilmError: as for `array`.
        """
        file = Path(self.place)
        stored = self.cache.indices_in(_index_file(file))
        return self._made_again().indices if stored is None or len(stored) not in self.shape[:2] else stored

    def _made_again(self) -> Steps:
        file = Path(self.place)
        steps = self.again([file])[file]
        if steps.array.shape != self.shape:
            raise FilmError(
                f"{file}: the cache had lost a part of a video, and has made it again now. Go on with --resume."
            )
        return steps


@lru_cache(maxsize=256)
def _around_content(rendering: Rendering, rate: float | None, what: str, excerpt: Excerpt | None) -> tuple[str, str]:
    """The text of an entry's key, before and after the hash of the film's content."""
    parts = [_FORMAT, _CONTENT, rendering.spacing_seconds, str(rendering.size), rate, what]
    parts += [] if excerpt is None else [excerpt.start, excerpt.end, excerpt.unit]
    before, _, after = json_text(parts, ascii_only=True).partition(_CONTENT)
    return before, after


def _pictures(motion_seconds: float | None) -> tuple[str, ...]:
    """The entries of a film as pictures."""
    return ("frames",) if motion_seconds is None else ("frames", f"before-{motion_seconds}")


def _with_earlier(entries: Sequence[Steps]) -> Steps:
    """The frames of a film, with the frames before them if there is an entry of those."""
    shown, *earlier = entries
    return replace(shown, before=earlier[0].array) if earlier else shown


def _loaded(file: Path) -> Array:
    with NPY_HEADERS:
        array: Array = np.load(file, mmap_mode="r", allow_pickle=False)
    return array


def _sampled(scan: FilmScan, rendering: Rendering, motion_seconds: float | None) -> Iterator[Frame]:
    path = scan.facts.path
    with open_film(path, rate=scan.rate or rendering.rate, excerpt=scan.excerpt) as film:
        yield from film.sampled(rendering.spacing_seconds, size=rendering.size, motion_seconds=motion_seconds)


def _indices(frames: Sequence[Frame]) -> NDArray[np.int64]:
    return np.asarray([frame.index for frame in frames], dtype=np.int64)


def _joined(views: Sequence[Steps]) -> Steps:
    """The features of several views one after the other."""
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
    left, total = file.stat().st_size - _ENDING_BYTES, zlib.crc32(file.name.encode())
    with file.open("rb") as opened:
        while left > 0 and (chunk := opened.read(min(left, _SUM_BYTES))):
            total, left = zlib.crc32(chunk, total), left - len(chunk)
        return opened.read() == _SUM_WORD + f"{total:08x}".encode()
