"""A cache of decoded and encoded films. The key of an entry: content, sampling, size, and weights of the encoder.

Entries are plain .npy files. They are written beside their place and renamed, and read as memory maps. This module does
not know encoders: the encoding function is an argument.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.atomic import write_file
from vidrnn.errors import FilmError, OutputError
from vidrnn.threads import map_in_order
from vidrnn.values import FilmFailure, FilmScan, Frame, Pixels, Size
from vidrnn.video.features import NPY_HEADERS
from vidrnn.video.reader import open_film, rate_for

Array = NDArray[Any]
Encode = Callable[[Pixels], Array]
"""(count, height, width, 3) uint8 -> (count, width) float32; called from several threads."""

_ADVICE = "It is part of the cache: free some space there, or name another folder in VIDRNN_CACHE."
_FORMAT = 3
"""The version of the entries, a part of their key. It goes up when the same film would give other numbers."""
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
    """A function from pictures to features, and the fingerprint of its weights, which is a part of the key."""

    encode: Encode
    fingerprint: str


@dataclass(frozen=True)
class Steps:
    """A film on a grid of times, a step for each time."""

    array: Array
    """(steps, height, width, 3) uint8 frames, or (copies, steps, width) float32 features."""
    indices: NDArray[np.int64]
    """(steps,) the film's own frame of each step, counted from 0: truth at each frame needs it."""


@dataclass(frozen=True)
class Cache:
    """A folder of decoded and encoded films. `threads` films are read at the same time."""

    folder: Path
    threads: int = 1

    def frames(self, scans: Sequence[FilmScan], rendering: Rendering) -> Iterator[Steps | FilmFailure]:
        """Each film's frames on the grid, (steps, height, width, 3) uint8, in the films' order."""
        return self._each(scans, lambda scan: self._frames(scan, rendering))

    def features(
        self, scans: Sequence[FilmScan], rendering: Rendering, encoding: Encoding, mirrored: bool
    ) -> Iterator[Steps | FilmFailure]:
        """Each film's features on the grid, (copies, steps, width) float32: plain, then mirrored if asked."""
        return self._each(scans, lambda scan: self._features(scan, rendering, encoding, mirrored))

    def _each(self, scans: Sequence[FilmScan], read: Callable[[FilmScan], Steps]) -> Iterator[Steps | FilmFailure]:
        def steps_or_failure(scan: FilmScan) -> Steps | FilmFailure:
            try:
                return read(scan)
            except FilmError as error:
                return FilmFailure.of(scan.facts.path, error)

        return map_in_order(steps_or_failure, scans, self.threads)

    def _frames(self, scan: FilmScan, rendering: Rendering) -> Steps:
        file = self._file(scan, rendering, "frames")
        if (stored := _read(file)) is not None:
            return stored
        frames = list(_sampled(scan, rendering))
        steps = Steps(np.stack([frame.pixels for frame in frames]), _indices(frames))
        _write(file, steps)
        return _read(file) or steps

    def _features(self, scan: FilmScan, rendering: Rendering, encoding: Encoding, mirrored: bool) -> Steps:
        copies = 2 if mirrored else 1
        file = self._file(scan, rendering, f"{encoding.fingerprint}-{copies}")
        if (stored := _read(file)) is None:
            stored = _encode(scan, rendering, encoding.encode, copies)
            _write(file, stored)
        return Steps(np.array(stored.array), stored.indices)  # in memory: features are small, open files are limited

    def _file(self, scan: FilmScan, rendering: Rendering, what: str) -> Path:
        parts = [_FORMAT, scan.content_hash, rendering.spacing_seconds, str(rendering.size), rendering.rate, what]
        key = hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()
        return self.folder / key[:2] / f"{key}.npy"


def _sampled(scan: FilmScan, rendering: Rendering) -> Iterator[Frame]:
    path = scan.facts.path
    with open_film(path, rate=rate_for(path, rendering.rate)) as film:
        yield from film.sampled(rendering.spacing_seconds, size=rendering.size)


def _indices(frames: Sequence[Frame]) -> NDArray[np.int64]:
    return np.asarray([frame.index for frame in frames], dtype=np.int64)


def _encode(scan: FilmScan, rendering: Rendering, encode: Encode, copies: int) -> Steps:
    """The plain features, and with two copies the mirrored ones, from one chunk of frames after the other."""
    parts: list[list[Array]] = [[] for _ in range(copies)]
    indices = []
    frames = _sampled(scan, rendering)
    while chunk := list(islice(frames, _CHUNK_FRAMES // copies)):
        pixels = np.stack([frame.pixels for frame in chunk])
        both = pixels if copies == 1 else np.concatenate([pixels, pixels[:, :, ::-1]])
        for part, features in zip(parts, np.split(encode(both), copies), strict=True):
            part.append(features)
        indices.append(_indices(chunk))
    return Steps(np.stack([np.concatenate(part) for part in parts]), np.concatenate(indices))


def _index_file(file: Path) -> Path:
    """The file of the frame indices beside an entry."""
    return file.with_suffix(".index.npy")


def _read(file: Path) -> Steps | None:
    """An entry; None if it does not exist or cannot be read. The caller then computes it again."""
    try:
        with NPY_HEADERS:
            array: Array = np.load(file, mmap_mode="r", allow_pickle=False)
            indices: NDArray[np.int64] = np.load(_index_file(file), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return Steps(array, indices)


def _write(file: Path, steps: Steps) -> None:
    """Write an entry, the indices first, so that no array is without them."""
    _write_array(_index_file(file), steps.indices)
    _write_array(file, steps.array)


def _write_array(file: Path, array: Array) -> None:
    try:
        with write_file(file, f"{os.getpid()}-{get_ident()}-", _ADVICE) as beside:  # another run may write the same
            np.save(beside, array, allow_pickle=False)
    except OutputError:
        if not file.is_file():  # Windows replaces no file that another run reads; that file has the same content
            raise
