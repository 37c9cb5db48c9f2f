"""Films read once from end to end, side by side: their facts, a hash of their content, thumbnails to know them by.

What was found is kept on disk under the hash, so that no film is read for this a second time.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_dir

from vidrnn.atomic import write_text
from vidrnn.data.films import content_hash
from vidrnn.errors import FilmError, OutputError
from vidrnn.threads import map_in_order
from vidrnn.values import FilmFacts, FilmFailure, FilmScan, Frame, Size
from vidrnn.video.reader import open_film

THUMBNAIL = Size(12, 16)
THUMBNAILS = 8
"""At most so many of a film."""
THUMBNAIL_SPACING_SECONDS = 0.25
"""The thumbnails are chosen from frames this far apart, and the last one."""
FORMAT = 1
"""Part of an entry's name: entries of other formats are not found, and so made again."""


def cache_folder() -> Path:
    """The folder of files that vidrnn can write anew: $VIDRNN_CACHE, else $XDG_CACHE_HOME/vidrnn, else the system's.

    That is ~/.cache/vidrnn on Linux, ~/Library/Caches/vidrnn on macOS, and in AppData\\Local on Windows.
    """
    if own := os.environ.get("VIDRNN_CACHE"):
        return Path(own).expanduser()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "vidrnn"
    return Path(user_cache_dir("vidrnn", appauthor=False))


def scan_films(
    paths: Iterable[Path], *, rate: float | None = None, cache: Path | None, jobs: int
) -> Iterator[tuple[Path, FilmScan | FilmFailure]]:
    """Each film's scan, or why it could not be read, in the paths' order and as soon as it is there.

    `rate` is in frames per second, for folders of pictures only. `cache` is a folder, made when needed; None keeps
    nothing. `jobs` films are read at once: in threads, since the decoder lets go of the interpreter.
    """

    def scanned(path: Path) -> tuple[Path, FilmScan | FilmFailure]:
        return path, _scan_or_failure(path, rate, cache)

    return map_in_order(scanned, paths, max(jobs, 1))


def scan_film(path: Path, *, rate: float | None = None, cache: Path | None = None) -> FilmScan:
    """One film's scan: from the cache if its content is known there, else by reading it. Raises FilmError."""
    rate = rate if path.is_dir() else None
    content = content_hash(path)
    entry = _entry(cache, content, rate) if cache else None
    kept = _load(entry, path) if entry else None
    if kept:
        return kept
    scan = _read(path, content, rate)
    if entry:
        _keep(entry, scan)
    return scan


def _scan_or_failure(path: Path, rate: float | None, cache: Path | None) -> FilmScan | FilmFailure:
    try:
        return scan_film(path, rate=rate, cache=cache)
    except FilmError as error:
        return FilmFailure.of(path, error)


def _read(path: Path, content: str, rate: float | None) -> FilmScan:
    with open_film(path, rate=rate) as film:
        frames = list(film.sampled(THUMBNAIL_SPACING_SECONDS, size=THUMBNAIL, ending=True))
        return FilmScan(film.facts(), content, _thumbnails(frames))


def _thumbnails(frames: Sequence[Frame]) -> NDArray[np.uint8]:
    """Grey pictures evenly spread over the frames' time, the first and the last among them."""
    seconds = np.array([frame.seconds for frame in frames])
    wanted = np.linspace(seconds[0], seconds[-1], THUMBNAILS)
    chosen = np.unique(np.abs(seconds[:, None] - wanted).argmin(axis=0))
    chosen[-1] = len(frames) - 1
    pictures = np.stack([frames[index].pixels for index in chosen])
    grey: NDArray[np.uint8] = np.rint(pictures @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    return grey


# --- on disk ---------------------------------------------------------------------------------------------------------


def _entry(cache: Path, content: str, rate: float | None) -> Path:
    speed = "" if rate is None else f"-{rate:g}"
    return cache / f"scans-{FORMAT}" / content[:2] / f"{content}{speed}.json"


def _load(entry: Path, path: Path) -> FilmScan | None:
    """What was kept, as of the film that is now at `path`; None when there is nothing whole."""
    try:
        kept: dict[str, Any] = json.loads(entry.read_bytes())
        facts = dict(kept["facts"])
        facts.update(path=path, size=Size(**facts["size"]), oddities=tuple(facts["oddities"]))
        pixels = np.frombuffer(base64.b64decode(kept["thumbnails"]), dtype=np.uint8)
        return FilmScan(FilmFacts(**facts), kept["content_hash"], pixels.reshape(-1, THUMBNAIL.height, THUMBNAIL.width))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(entry: Path, scan: FilmScan) -> None:
    """Write an entry whole or not at all. A cache that cannot be written costs time later, never the run."""
    facts = asdict(replace(scan.facts, path=Path()))
    del facts["path"]
    kept = {
        "content_hash": scan.content_hash,
        "facts": facts,
        "thumbnails": base64.b64encode(scan.thumbnails.tobytes()).decode("ascii"),
    }
    with suppress(OutputError):
        write_text(entry, json.dumps(kept), f"{os.getpid()}-{get_ident()}-")
