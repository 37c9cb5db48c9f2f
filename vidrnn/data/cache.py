"""A cache of decoded and encoded films. The name of an entry is a hash of content, sampling, size and weights.

Entries are .npy files. A new entry is written under another name and then renamed, and read as a memory map. The
encoding function is an argument, because this module does not know torch.
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

from vidrnn.errors import FilmError, RunError
from vidrnn.threads import map_in_order
from vidrnn.values import FilmFailure, FilmScan, Frame, Pixels, Size
from vidrnn.video.reader import open_film

Array = NDArray[Any]
Encode = Callable[[Pixels], Array]
"""Pictures (count, height, width, 3) uint8 -> features (count, width) float32. Several threads call it."""

_HEADERS = Lock()
"""Threads take turns to read headers of .npy files: the parser of Python 3.11 fails with two threads (gh-106905)."""
_FORMAT = 2
"""The version of the entries. A change of the cached numbers for the same film needs a higher version."""
_CHUNK_FRAMES = 64


@dataclass(frozen=True)
class Rendering:
    """How training reads films: one frame every `spacing_seconds`, the whole picture resized to `size`."""

    spacing_seconds: float
    size: Size
    rate: float | None = None
    """Frames per second, for films that are folders of pictures."""


@dataclass(frozen=True)
class Encoding:
    """A function from pictures to features, and the fingerprint of its weights, which names it in the cache."""

    encode: Encode
    fingerprint: str


@dataclass(frozen=True)
class Cache:
    """A folder of decoded and encoded films. `threads` films are processed at the same time."""

    folder: Path
    threads: int = 1

    def frames(self, scans: Sequence[FilmScan], rendering: Rendering) -> Iterator[Array | FilmFailure]:
        """The frames of each film on the grid, (steps, height, width, 3) uint8, or its failure; in the films' order.

        Raises:
            RunError: the cache cannot be written.
        """
        return self._each(scans, lambda scan: self._frames(scan, rendering))

    def features(
        self, scans: Sequence[FilmScan], rendering: Rendering, encoding: Encoding, mirrored: bool
    ) -> Iterator[Array | FilmFailure]:
        """The features of each film on the grid, (copies, steps, width) float32, or its failure; in the films' order.

        The first copy is of the plain film. With `mirrored`, the second copy is of the mirrored film.

        Raises:
            RunError: the cache cannot be written.
        """
        return self._each(scans, lambda scan: self._features(scan, rendering, encoding, mirrored))

    def _each(self, scans: Sequence[FilmScan], read: Callable[[FilmScan], Array]) -> Iterator[Array | FilmFailure]:
        def read_or_failure(scan: FilmScan) -> Array | FilmFailure:
            try:
                return read(scan)
            except FilmError as error:
                return FilmFailure.of(scan.facts.path, error)

        return map_in_order(read_or_failure, scans, self.threads)

    def _frames(self, scan: FilmScan, rendering: Rendering) -> Array:
        file = self._file(scan, rendering, "frames")
        if (cached := _read(file)) is None:
            frames = np.stack([frame.pixels for frame in _sampled(scan, rendering)])
            _write(file, frames)
            cached = _read(file)
        return frames if cached is None else cached

    def _features(self, scan: FilmScan, rendering: Rendering, encoding: Encoding, mirrored: bool) -> Array:
        copies = 2 if mirrored else 1
        file = self._file(scan, rendering, f"{encoding.fingerprint}-{copies}")
        if (features := _read(file)) is None:
            features = _encoded(scan, rendering, encoding.encode, copies)
            _write(file, features)
        return np.array(features)  # in memory, because features are small and open files are limited

    def _file(self, scan: FilmScan, rendering: Rendering, kind: str) -> Path:
        facts = [_FORMAT, scan.content_hash, rendering.spacing_seconds, str(rendering.size), rendering.rate, kind]
        key = hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()
        return self.folder / key[:2] / f"{key}.npy"


def _sampled(scan: FilmScan, rendering: Rendering) -> Iterator[Frame]:
    path = scan.facts.path
    with open_film(path, rate=rendering.rate if path.is_dir() else None) as film:
        yield from film.sampled(rendering.spacing_seconds, size=rendering.size)


def _encoded(scan: FilmScan, rendering: Rendering, encode: Encode, copies: int) -> Array:
    """The features (copies, steps, width) of a film: plain, and mirrored if there are two copies."""
    parts: list[list[Array]] = [[] for _ in range(copies)]
    frames = _sampled(scan, rendering)
    while chunk := list(islice(frames, _CHUNK_FRAMES // copies)):
        pixels = np.stack([frame.pixels for frame in chunk])
        both = pixels if copies == 1 else np.concatenate([pixels, pixels[:, :, ::-1]])
        for part, features in zip(parts, np.split(encode(both), copies), strict=True):
            part.append(features)
    return np.stack([np.concatenate(part) for part in parts])


def _read(file: Path) -> Array | None:
    """The array of an entry, or None if there is no entry or it cannot be read; the caller then computes it."""
    try:
        with _HEADERS:
            array: Array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array


def _write(file: Path, array: Array) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(f".{os.getpid()}-{get_ident()}.part")  # another run may write the same entry now
        with beside.open("wb") as out:
            np.save(out, array, allow_pickle=False)
        beside.replace(file)
    except OSError as error:
        raise RunError(
            f"{file.parent}: the cache cannot be written ({error.strerror}). Free some space there, "
            "or name another folder in VIDRNN_CACHE."
        ) from None
