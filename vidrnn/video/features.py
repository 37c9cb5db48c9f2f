"""Features from elsewhere: a .npy file (time, width) is read in place of a film, at a rate that its owner states.

Its rows are numbers of any meaning, one row for each time. A file is read as data only: it cannot hold objects.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vidrnn.errors import FilmError
from vidrnn.values import WIDEST_FEATURES
from vidrnn.video.sources import Source

FEATURES_SUFFIX = ".npy"
NPY_HEADERS = Lock()
"""Headers of .npy files are read one at a time: Python 3.11's parser fails when two threads use it (gh-106905)."""
_CHUNK_ROWS = 4096


def holds_features(path: Path) -> bool:
    """Whether a path is named as a file of features."""
    return path.suffix.lower() == FEATURES_SUFFIX


class FeatureRows(Source):
    """The rows of a file of features, `rate` of them per second. `picture` gives a row as (1, width) float32."""

    codec = "features"

    def __init__(self, path: Path, rate: float) -> None:
        """Open a file and check all of its numbers.

        Raises:
            FilmError: it is no .npy file (time, width) of finite numbers, or it is empty.
            OSError: the file cannot be read.
        """
        self._rows: NDArray[Any] = _checked(path)
        self._rate, self._index = rate, -1
        self.claimed_frames, self.claimed_fps = len(self._rows), rate

    @override
    def grab(self) -> float | None:
        self._index += 1
        return self._index / self._rate if self._index < len(self._rows) else None

    @override
    def picture(self) -> NDArray[Any]:
        return self._rows[self._index : self._index + 1].astype(np.float32)

    @override
    def close(self) -> None:
        self._rows = self._rows[:0]


def _checked(path: Path) -> NDArray[Any]:
    try:
        with NPY_HEADERS:
            rows: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OverflowError, SyntaxError, BadZipFile):
        raise FilmError(f"{path}: is not a whole .npy file of numbers. Write it by numpy.save(FILE, array).") from None
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.dtype.kind != "f" or rows.dtype.itemsize > 8:
        shape = f"{rows.shape} {rows.dtype}" if isinstance(rows, np.ndarray) else "several arrays"
        raise FilmError(f"{path}: wanted features (time, width) float16, float32 or float64, found {shape}.")
    if not rows.size:
        raise FilmError(f"{path}: is empty: its shape is {rows.shape}.")
    if rows.shape[1] > WIDEST_FEATURES:
        raise FilmError(f"{path}: has {rows.shape[1]:,} numbers at each time; {WIDEST_FEATURES:,} are allowed.")
    for start in range(0, len(rows), _CHUNK_ROWS):
        with np.errstate(over="ignore"):
            finite = np.isfinite(rows[start : start + _CHUNK_ROWS].astype(np.float32)).all(1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise FilmError(f"{path}: row {row} holds numbers that are not finite in 32 bits. Repair or leave it out.")
    return rows
