"""Scans of films: facts, a hash of the content, thumbnails, and stretches that show nothing, from one reading.

The cache holds each scan under the hash, so that a film is read once only.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.atomic import write_text
from vidrnn.data.films import content_hash
from vidrnn.data.store import store_at
from vidrnn.errors import FilmError, OutputError
from vidrnn.plain_json import json_text
from vidrnn.sums import has_right_sum, with_sum
from vidrnn.threads import map_in_order
from vidrnn.values import FilmFacts, FilmFailure, FilmScan, Frame, Size
from vidrnn.video.inspection.emptiness import EmptyStretches
from vidrnn.video.inspection.limits import refuse_large_picture
from vidrnn.video.reader import open_film

THUMBNAIL = Size(12, 16)
THUMBNAILS = 8
"""The largest number of thumbnails of a film."""
THUMBNAIL_SPACING_SECONDS = 0.25
"""The spacing of the frames that thumbnails are chosen from. The last frame is one of them too."""
FORMAT = 4
"""The version of the entries, a part of their names. A scan in another version is computed again."""


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

    def scan(path: Path) -> tuple[Path, FilmScan | FilmFailure]:
        return path, _scan_or_failure(path, rate, cache)

    return map_in_order(scan, paths, max(jobs, 1))


def scan_film(path: Path, *, rate: float | None = None, cache: Path | None = None) -> FilmScan:
    """The scan of a film, from the cache if it holds the content, else from reading the film.

    Raises:
        FilmError: the film cannot be read.
    """
    content = content_hash(path)
    entry = _entry(cache, content, rate) if cache else None
    cached = _load(entry, path, cache) if entry and cache else None
    if cached:
        size = cached.facts.size
        refuse_large_picture(path, size.width, size.height)  # the limit may be another one by now
        return cached
    scan = _read(path, content, rate)
    if entry and cache:
        _write(entry, scan, cache)
    return scan


def _scan_or_failure(path: Path, rate: float | None, cache: Path | None) -> FilmScan | FilmFailure:
    try:
        return scan_film(path, rate=rate, cache=cache)
    except FilmError as error:
        return FilmFailure.of(path, error)


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


def _entry(cache: Path, content: str, rate: float | None) -> Path:
    speed = "" if rate is None else f"-{rate:g}"
    return cache / f"scans-{FORMAT}" / content[:2] / f"{content}{speed}.json"


def _load(entry: Path, path: Path, cache: Path) -> FilmScan | None:
    """The cached scan, with `path` as the path of the film; None if there is none or it was damaged."""
    try:
        text = entry.read_text(encoding="utf-8")
    except OSError:
        return None
    except ValueError:
        text = ""
    scan = _scan_in(text, path) if has_right_sum(text) else None
    if scan is None:
        store_at(cache).note_damage()
    else:
        store_at(cache).use(entry)
    return scan


def _scan_in(text: str, path: Path) -> FilmScan | None:
    """The scan in the text of an entry; None if it holds none."""
    try:
        stored: dict[str, Any] = json.loads(text)
        facts = dict(stored["facts"])
        facts.update(path=path, size=Size(**facts["size"]), oddities=tuple(facts["oddities"]))
        pixels = np.frombuffer(base64.b64decode(stored["thumbnails"]), dtype=np.uint8)
        thumbnails = pixels.reshape(-1, THUMBNAIL.height, THUMBNAIL.width)
        seconds = np.frombuffer(zlib.decompress(base64.b64decode(stored["frame_seconds"])), dtype=np.float64)
        still, blank = (tuple((float(a), float(b)) for a, b in stored[name]) for name in ("still", "blank"))
        return FilmScan(FilmFacts(**facts), stored["content_hash"], thumbnails, seconds, still=still, blank=blank)
    except (ValueError, KeyError, TypeError, zlib.error):
        return None


def _write(entry: Path, scan: FilmScan, cache: Path) -> None:
    """Write a complete entry, or none. If the cache cannot be written, later runs are slower, and none fails."""
    facts = asdict(replace(scan.facts, path=Path()))
    del facts["path"]
    stored = {
        "content_hash": scan.content_hash,
        "facts": facts,
        "thumbnails": base64.b64encode(scan.thumbnails.tobytes()).decode("ascii"),
        "still": scan.still,
        "blank": scan.blank,
        "frame_seconds": base64.b64encode(zlib.compress(scan.frame_seconds.tobytes())).decode("ascii"),
    }
    with suppress(OutputError):
        text = with_sum(json_text(stored, ascii_only=True))
        write_text(entry, text, f"{os.getpid()}-{get_ident()}-", lasting=False)
        store_at(cache).add(entry)
