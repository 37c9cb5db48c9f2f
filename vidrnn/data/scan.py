"""Scans of films: facts, a hash of the content, thumbnails, and stretches that show nothing, from one reading.

The cache holds each scan under the hash, so that a film is read once only. A scan from the cache holds the facts and no
arrays: thumbnails and the times of frames are read from the cache when they are asked for. So an index of many films
takes about a kilobyte a film, however many frames they have.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vidrnn.data.films import content_hash
from vidrnn.data.stored.scan_store import ScanRow, ScanStore, scans_at, stamp_of
from vidrnn.errors import FilmError
from vidrnn.plain_json import json_text
from vidrnn.threads import complete_in_order
from vidrnn.values import Excerpt, FilmFacts, FilmFailure, FilmScan, Floats, Frame, Size, Span
from vidrnn.video.inspection.emptiness import EmptyStretches
from vidrnn.video.inspection.limits import refuse_large_picture
from vidrnn.video.reader import open_film

THUMBNAIL = Size(12, 16)
THUMBNAILS = 8
"""The largest number of thumbnails of a film."""
THUMBNAIL_SPACING_SECONDS = 0.25
"""The spacing of the frames that thumbnails are chosen from. The last frame is one of them too."""
_FIRST_ASKED, _MOST_ASKED = 4, 2048
"""Films that are looked up in the cache together: few at first, so that the first answer comes at once."""


Empty = tuple[tuple[Span, ...], tuple[Span, ...]]
"""The stretches of a film that are still, and those that are blank."""


class StoredScan(FilmScan):
    """A scan whose arrays are in the cache."""

    __slots__ = ("_first", "_source")
    _first: int
    """The film's own frame that the scan begins with."""
    _source: _Source

    def __init__(
        self,
        facts: FilmFacts,
        content: str,
        source: _Source,
        excerpt: Excerpt | None = None,
        rate: float | None = None,
        first: int = 0,
        empty: Empty = ((), ()),
    ) -> None:
        put = object.__setattr__  # as a frozen dataclass does
        put(self, "facts", facts)
        put(self, "content_hash", content)
        put(self, "excerpt", excerpt)
        put(self, "rate", rate)
        put(self, "_source", source)
        put(self, "_first", first)
        put(self, "still", empty[0])
        put(self, "blank", empty[1])

    @property
    @override
    def thumbnails(self) -> NDArray[np.uint8]:
        return self._source.thumbnails(self)

    @property
    @override
    def frame_seconds(self) -> Floats:
        return self._source.frame_seconds(self)[self._first : self._first + self.facts.frames]

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process: it opens the database of the cache by itself, and reads films that are not in it."""
        source, empty = self._source, (self.still, self.blank)
        facts = (self.facts, self.content_hash, self.excerpt, self.rate, self._first, empty)
        return _from_another_process, (source.store.folder, source.rate, facts)

    @override
    def at_rate(self, rate: float) -> FilmScan:
        empty = (self.still, self.blank)
        return StoredScan(self.facts, self.content_hash, self._source, self.excerpt, rate, self._first, empty)

    @override
    def cut(self, excerpt: Excerpt, first: int, facts: FilmFacts) -> FilmScan:
        empty = (self.still, self.blank)
        return StoredScan(facts, self.content_hash, self._source, excerpt, self.rate, self._first + first, empty)


class _Source:
    """Where the arrays of scans are, for all scans of one reading."""

    def __init__(self, store: ScanStore, rate: float | None) -> None:
        self.store, self.rate = store, rate
        self._arrays = lru_cache(maxsize=4)(self._read)  # the excerpts of a film ask for the same arrays

    def thumbnails(self, scan: FilmScan) -> NDArray[np.uint8]:
        """(count, 12, 16) uint8."""
        return self._arrays(scan.content_hash, scan.facts.path)[0]

    def frame_seconds(self, scan: FilmScan) -> Floats:
        """(frames,) of the whole film."""
        return self._arrays(scan.content_hash, scan.facts.path)[1]

    def _read(self, content: str, path: Path) -> tuple[NDArray[np.uint8], Floats]:
        stored = next(iter(self.store.arrays([content], self.rate)))
        arrays = None if stored is None else _arrays_in(*stored)
        if arrays is None:  # another process has cleared the cache
            scan = _read(path, content, self.rate)
            self.store.add(content, self.rate, _row_of(scan))
            arrays = scan.thumbnails, scan.frame_seconds
        return arrays


@lru_cache(maxsize=16)
def _source_at(cache: Path, rate: float | None) -> _Source:
    """One source for all scans of a reading that came from another process."""
    return _Source(scans_at(cache), rate)


def _from_another_process(cache: Path, rate: float | None, facts: tuple[Any, ...]) -> StoredScan:
    shown, content, excerpt, told, first, empty = facts
    return StoredScan(shown, content, _source_at(cache, rate), excerpt, told, first, empty)


def thumbnails_of(scans: Sequence[FilmScan]) -> Iterator[NDArray[np.uint8]]:
    """The thumbnails (count, 12, 16) of each scan in turn. Those in the cache are read many at a time."""
    remaining = iter(scans)
    while some := list(islice(remaining, _MOST_ASKED)):
        sources = {scan._source for scan in some if isinstance(scan, StoredScan)}
        if len(sources) == 1 and all(isinstance(scan, StoredScan) for scan in some):
            source = sources.pop()
            stored = source.store.arrays([scan.content_hash for scan in some], source.rate)
            for scan, found in zip(some, stored, strict=True):
                arrays = None if found is None else _thumbnails_in(found[0])
                yield scan.thumbnails if arrays is None else arrays
        else:
            yield from (scan.thumbnails for scan in some)


def scan_films(
    paths: Iterable[Path], *, rate: float | None = None, cache: Path | None, jobs: int
) -> Iterator[tuple[Path, FilmScan | FilmFailure]]:
    """The scan of each film, or its failure, in the order of the paths.

    Args:
        paths: the films.
        rate: frames per second, in place of the films' own time stamps; None where each has its own.
        cache: the folder of the cache, which is created if needed; None caches nothing.
        jobs: the number of films that are read at the same time, in threads. The decoder releases the lock of the
            interpreter.
    """
    source = _Source(scans_at(cache), rate) if cache else None

    def scan(path: Path) -> FilmScan | FilmFailure:
        try:
            return _scan(path, rate, source)
        except FilmError as error:
            return FilmFailure.of(path, error)

    looked_up: Iterator[tuple[Path, FilmScan | FilmFailure | None]] = _looked_up(paths, source)
    scans: Iterator[tuple[Path, FilmScan | FilmFailure]] = complete_in_order(scan, looked_up, max(jobs, 1))
    try:
        yield from scans
    finally:
        if source:
            source.store.flush()


def scan_film(path: Path, *, rate: float | None = None, cache: Path | None = None) -> FilmScan:
    """The scan of a film, from the cache if it holds the content, else from reading the film.

    Raises:
        FilmError: the film cannot be read.
    """
    source = _Source(scans_at(cache), rate) if cache else None
    try:
        _, known = next(iter(_looked_up([path], source)))
        return known if isinstance(known, FilmScan) else _scan(path, rate, source)
    finally:
        if source:
            source.store.flush()


def _looked_up(paths: Iterable[Path], source: _Source | None) -> Iterator[tuple[Path, FilmScan | FilmFailure | None]]:
    """Each film with its scan, if the cache knows the file as it is now. No film is opened."""
    remaining, number = iter(paths), _FIRST_ASKED
    allowed: dict[Size, bool] = {}
    while some := list(islice(remaining, number)):
        if source is None:
            yield from ((path, None) for path in some)
            continue
        absolute = [os.path.abspath(path) for path in some]  # noqa: PTH100
        for path, found in zip(some, source.store.known(absolute, source.rate), strict=True):
            scan = None if found is None else _stored_scan(path, *found, source)
            if scan is not None and (fits := allowed.get(scan.facts.size)) is None:
                fits = allowed[scan.facts.size] = _is_allowed(scan)
            yield path, scan if scan is not None and fits else None
        number = min(2 * number, _MOST_ASKED)


def _is_allowed(scan: FilmScan) -> bool:
    """Whether the picture is within the limit, which may be another one by now."""
    try:
        refuse_large_picture(scan.facts.path, scan.facts.size.width, scan.facts.size.height)
    except FilmError:
        return False  # the second look gives the error
    return True


def _scan(path: Path, rate: float | None, source: _Source | None) -> FilmScan:
    """The scan of a film by its content.

    Raises:
        FilmError: the film cannot be read.
    """
    absolute = os.path.abspath(path)  # noqa: PTH100
    stamp = stamp_of(absolute)
    content = content_hash(path)
    if source is None:
        return _read(path, content, rate)
    facts = source.store.facts(content, rate)
    scan: FilmScan | None = None if facts is None else _stored_scan(path, content, facts, source)
    if scan is None:
        whole = _read(path, content, rate)
        source.store.add(content, rate, _row_of(whole))
        empty = (whole.still, whole.blank)
        scan = whole if source.store.fails else StoredScan(whole.facts, content, source, empty=empty)
    else:
        refuse_large_picture(path, scan.facts.size.width, scan.facts.size.height)
    source.store.add_file(absolute, stamp, content)
    return scan


def _read(path: Path, content: str, rate: float | None) -> FilmScan:
    with open_film(path, rate=rate) as film:
        if film.features is not None:
            thumbnails = np.zeros((1, THUMBNAIL.height, THUMBNAIL.width), np.uint8)
            return FilmScan(film.facts(), content, thumbnails, film.frame_seconds)
        frames, stretches = [], EmptyStretches()
        for frame in film.sampled(THUMBNAIL_SPACING_SECONDS, size=THUMBNAIL, ending=True):
            frames.append(frame)
            stretches.add(frame)
        facts, thumbnails = film.facts(), _thumbnails(frames)
        still, blank = stretches.still, stretches.blank
        return FilmScan(facts, content, thumbnails, film.frame_seconds, still=still, blank=blank)


def _thumbnails(frames: Sequence[Frame]) -> NDArray[np.uint8]:
    """(count, 12, 16) uint8: grey pictures, evenly spread in time, with the first and the last frame."""
    seconds = np.array([frame.seconds for frame in frames])
    targets = np.linspace(seconds[0], seconds[-1], THUMBNAILS)
    chosen = np.unique(np.abs(seconds[:, None] - targets).argmin(axis=0))
    chosen[-1] = len(frames) - 1
    pictures = np.stack([frames[index].pixels for index in chosen])
    grey: NDArray[np.uint8] = np.rint(pictures @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    return grey


# --- on disk ---------------------------------------------------------------------------------------------------------


_FACTS = json.JSONDecoder()
"""Reads the facts of a row: for a line this short, `json.loads` would take three times as long."""


def _row_of(scan: FilmScan) -> ScanRow:
    facts = scan.facts
    values = [
        *(facts.size.height, facts.size.width, facts.codec, facts.frames),
        *(facts.first_seconds, facts.last_seconds, facts.duration_seconds),
        *(facts.rotation_degrees, facts.claimed_frames, facts.claimed_fps, facts.oddities, scan.still, scan.blank),
    ]
    seconds = zlib.compress(scan.frame_seconds.tobytes())
    return ScanRow(json_text(values, ascii_only=True).encode(), scan.thumbnails.tobytes(), seconds)


def _stored_scan(path: Path, content: str, facts: bytes, source: _Source) -> StoredScan | None:
    """The scan that a row of the store holds; None if it holds none."""
    try:
        values, _ = _FACTS.raw_decode(facts.decode())
        height, width, codec, frames, first, last, duration, rotation, claimed, fps, oddities, still, blank = values
        size, name, sentences = _shared(height, width, codec, *oddities)
        shown = FilmFacts(path, size, name, frames, first, last, duration, rotation, claimed, fps, sentences)
        return StoredScan(shown, content, source, empty=(_spans(still), _spans(blank)))
    except (ValueError, TypeError):
        return None


def _spans(stored: list[list[float]]) -> tuple[Span, ...]:
    """The stretches of a film, as JSON has them."""
    return tuple((float(start), float(end)) for start, end in stored) if stored else ()


@lru_cache(maxsize=1024)
def _shared(height: int, width: int, codec: str, *oddities: str) -> tuple[Size, str, tuple[str, ...]]:
    """What many films have in common, as one object for all of them."""
    return Size(height, width), codec, oddities


def _arrays_in(thumbnails: bytes, frame_seconds: bytes) -> tuple[NDArray[np.uint8], Floats] | None:
    try:
        seconds = np.frombuffer(zlib.decompress(frame_seconds), dtype=np.float64)
        return _thumbnails_in(thumbnails), seconds
    except (ValueError, zlib.error):
        return None


def _thumbnails_in(pixels: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(pixels, dtype=np.uint8).reshape(-1, THUMBNAIL.height, THUMBNAIL.width)
