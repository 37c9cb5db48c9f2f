"""Arrays in files that are opened when they are read, so that a training may have more of them than a process may open.

A system limits the open files and the memory maps of a process, and the memory limits what is copied. So only a few
maps are open at once, those that were read last.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import EllipsisType
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray
from typing_extensions import override

Array = NDArray[Any]
Basic = int | slice | EllipsisType | None
"""What selects a part of an array without a copy."""

_BASIC = (int, slice, EllipsisType, type(None), np.integer)
_MOST_OPEN = 512
_SHARE_OF_MEMORY = 0.25
_USUAL_BYTES = 2 << 30
"""Where the system does not say how much memory is free."""
_SYSTEM_MEMORY, _CONTAINER = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


class OpenMaps:
    """The memory maps of this process that are open now: those that were read last."""

    def __init__(self, most: int = _MOST_OPEN) -> None:
        self._most = most
        self._maps: OrderedDict[str, Array] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._maps)

    def get(self, file: str, load: Callable[[], Array]) -> Array:
        """The map of a file, from `load` if it is not open."""
        with self._lock:
            if (known := self._maps.get(file)) is not None:
                self._maps.move_to_end(file)
                return known
        new = load()
        with self._lock:
            self._maps[file] = new
            if len(self._maps) > self._most:
                self._maps.popitem(last=False)  # it is closed once nobody reads it
        return new


OPEN_MAPS = OpenMaps()


class InMemory:
    """Opens an array when it is first asked for, and keeps a copy of it in memory."""

    __slots__ = ("_array", "_load")

    def __init__(self, load: Callable[[], Array]) -> None:
        self._load: Callable[[], Array] | None = load
        self._array: Array | None = None

    def __call__(self) -> Array:
        """The copy."""
        if self._array is None:
            assert self._load is not None
            self._array = np.array(self._load())
            self._load = None
        return self._array


class MappedArray(NDArrayOperatorsMixin):
    """An array in a file, or a part of one. It behaves as an array, and is read each time when it is used.

    An index of numbers and slices gives another part, and reads nothing. Any other index reads what it selects.
    """

    __slots__ = ("_file", "_load", "_parts", "dtype", "shape")

    def __init__(
        self,
        file: str,
        load: Callable[[], Array],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        parts: tuple[tuple[Basic, ...], ...] = (),
    ) -> None:
        """The array in `file`, which `load` opens.

        Args:
            file: by which open maps are known.
            load: gives the whole array.
            shape: of the part.
            dtype: of its numbers.
            parts: the indices that give the part of the whole, one after the other.
        """
        self._file, self._load, self._parts = file, load, parts
        self.shape, self.dtype = shape, dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Any:
        basic = index if isinstance(index, tuple) else (index,)
        if not all(isinstance(one, _BASIC) for one in basic):
            return np.array(self._part()[index])
        return MappedArray(self._file, self._load, _shape_after(self.shape, basic), self.dtype, (*self._parts, basic))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("an array in a file is read into memory, so it cannot be had without a copy")
        return np.array(self._part(), dtype=dtype)

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **how: Any) -> Any:
        arrays = (np.asarray(one) if isinstance(one, MappedArray) else one for one in inputs)
        return getattr(function, method)(*arrays, **how)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # numpy asks an object for the ways in which it can be read
            raise AttributeError(name)
        return getattr(np.asarray(self), name)

    @override
    def __repr__(self) -> str:
        return f"MappedArray({self._file}, {self.shape}, {self.dtype})"

    def _part(self) -> Array:
        part = OPEN_MAPS.get(self._file, self._load)
        for index in self._parts:
            part = part[index]
        return part


def _shape_after(shape: tuple[int, ...], index: tuple[Basic, ...]) -> tuple[int, ...]:
    """The shape of a part of an array; one number, repeated without memory, stands for the array.

    Raises:
        IndexError: a number is beyond an axis.
    """
    return np.ndarray(shape, np.uint8, b"\0", strides=(0,) * len(shape))[index].shape


def memory_to_spend() -> int:
    """The bytes that arrays may take of the memory that is free now, for this process or its container."""
    free = [each for each in (_available_bytes(), _container_bytes()) if each is not None]
    return int(_SHARE_OF_MEMORY * min(free)) if free else _USUAL_BYTES


def _available_bytes() -> int | None:
    """What the system could give, with what it uses to remember files; None where it does not say."""
    with suppress(OSError, ValueError, IndexError):
        for line in _SYSTEM_MEMORY.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _container_bytes() -> int | None:
    """What the container of this process may still take; None without a limit."""
    with suppress(OSError, ValueError):
        limit, used = ((_CONTAINER / name).read_text(encoding="ascii") for name in ("memory.max", "memory.current"))
        return max(0, int(limit) - int(used))
    return None
