"""Decode or encode once, read for ever. What is kept is found by what made it: content, sampling, size, weights.

Entries are plain .npy files, written beside and renamed, read as memory maps. The encoding function is handed in.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock, get_ident
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.atomic import write_file
from vidrnn.errors import FilmError, OutputError
from vidrnn.threads import in_order
from vidrnn.values import FilmFailure, FilmScan, Frame, Pixels, Size
from vidrnn.video.reader import open_film

Array = NDArray[Any]
Encode = Callable[[Pixels], Array]
"""(count, height, width, 3) uint8 -> (count, width) float32; called from several threads."""

_HEADERS = Lock()
"""Headers of .npy files are read one at a time: Python 3.11's parser fails when two threads use it (gh-106905)."""
_ADVICE = "It is part of the cache: free some space there, or name another folder in VIDRNN_CACHE."
_FORMAT = 2
"""Goes up when the same film would be cached as other numbers."""
_CHUNK_FRAMES = 64


@dataclass(frozen=True)
class Rendering:
    """How films are read for training: a frame every `spacing_seconds`, the whole picture resized to `size`."""

    spacing_seconds: float
    size: Size
    rate: float | None = None
    """Frames per second of films that are folders of pictures."""


@dataclass(frozen=True)
class Encoding:
    """A function from pictures to features and the name it is remembered by (its weights' fingerprint)."""

    encode: Encode
    fingerprint: str


@dataclass(frozen=True)
class Cache:
    """A folder of decoded and encoded films; `threads` films are worked on at once."""

    folder: Path
    threads: int = 1

    def frames(self, scans: Sequence[FilmScan], rendering: Rendering) -> Iterator[Array | FilmFailure]:
        """Each film's frames on the grid, (steps, height, width, 3) uint8, in the films' order."""
        return self._each(scans, lambda scan: self._frames(scan, rendering))

    def features(
        self, scans: Sequence[FilmScan], rendering: Rendering, encoding: Encoding, mirrored: bool
    ) -> Iterator[Array | FilmFailure]:
        """Each film's features on the grid, (copies, steps, width) float32: plain, then mirrored if asked for."""
        return self._each(scans, lambda scan: self._features(scan, rendering, encoding, mirrored))

    def _each(self, scans: Sequence[FilmScan], make: Callable[[FilmScan], Array]) -> Iterator[Array | FilmFailure]:
        def made_or_why_not(scan: FilmScan) -> Array | FilmFailure:
            try:
                return make(scan)
            except FilmError as error:
                return FilmFailure.of(scan.facts.path, error)

        return in_order(made_or_why_not, scans, self.threads)

    def _frames(self, scan: FilmScan, rendering: Rendering) -> Array:
        file = self._file(scan, rendering, "frames")
        if (kept := _read(file)) is None:
            made = np.stack([frame.pixels for frame in _sampled(scan, rendering)])
            _write(file, made)
            kept = _read(file)
        return made if kept is None else kept

    def _features(self, scan: FilmScan, rendering: Rendering, encoding: Encoding, mirrored: bool) -> Array:
        copies = 2 if mirrored else 1
        file = self._file(scan, rendering, f"{encoding.fingerprint}-{copies}")
        if (kept := _read(file)) is None:
            kept = _encoded(scan, rendering, encoding.encode, copies)
            _write(file, kept)
        return np.array(kept)  # in memory: features are small, and an open file for each clip is not

    def _file(self, scan: FilmScan, rendering: Rendering, what: str) -> Path:
        made_of = [_FORMAT, scan.content_hash, rendering.spacing_seconds, str(rendering.size), rendering.rate, what]
        key = hashlib.blake2b(json.dumps(made_of).encode(), digest_size=16).hexdigest()
        return self.folder / key[:2] / f"{key}.npy"


def _sampled(scan: FilmScan, rendering: Rendering) -> Iterator[Frame]:
    path = scan.facts.path
    with open_film(path, rate=rendering.rate if path.is_dir() else None) as film:
        yield from film.sampled(rendering.spacing_seconds, size=rendering.size)


def _encoded(scan: FilmScan, rendering: Rendering, encode: Encode, copies: int) -> Array:
    """The plain features, and the mirrored ones if there are two copies, a chunk of frames at a time."""
    parts: list[list[Array]] = [[] for _ in range(copies)]
    frames = _sampled(scan, rendering)
    while chunk := list(islice(frames, _CHUNK_FRAMES // copies)):
        pixels = np.stack([frame.pixels for frame in chunk])
        both = pixels if copies == 1 else np.concatenate([pixels, pixels[:, :, ::-1]])
        for part, made in zip(parts, np.split(encode(both), copies), strict=True):
            part.append(made)
    return np.stack([np.concatenate(part) for part in parts])


def _read(file: Path) -> Array | None:
    """An entry, or None if there is none or it cannot be read, in which case it is made again."""
    try:
        with _HEADERS:
            kept: Array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return kept


def _write(file: Path, array: Array) -> None:
    try:
        with write_file(file, f"{os.getpid()}-{get_ident()}-", _ADVICE) as beside:  # another run may write the same
            np.save(beside, array, allow_pickle=False)
    except OutputError:
        if not file.is_file():  # Windows replaces no file that another run reads; that file is as good as this one
            raise
