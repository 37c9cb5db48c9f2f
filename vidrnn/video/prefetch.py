"""A film is decoded ahead in a thread of its own, into a small ring of buffers that are reused."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Thread

import numpy as np

from vidrnn.values import Frame, Pixels, Size
from vidrnn.video.film import Film


@dataclass(frozen=True)
class Chunk:
    """Successive sampled frames of a film, in a buffer that is reused after `give_back`."""

    pixels: Pixels
    """(count, height, width, 3) RGB."""
    seconds: tuple[float, ...]
    """The grid time of each frame."""
    indices: tuple[int, ...]
    """The number of each frame in the film, counted from 0."""
    before: Pixels | None
    """The frame before each frame, shaped as `pixels`; None where it was not asked for."""
    give_back: Callable[[], None]
    """Call it when the pixels are not needed any more."""


def decoded(
    film: Film, spacing_seconds: float, size: Size, length: int, buffers: int, motion_seconds: float | None = None
) -> Generator[Chunk, None, None]:
    """The sampled frames of a film in chunks of `length`, decoded ahead while there are free buffers.

    With `motion_seconds` a chunk also holds the frame before each frame. Give back each chunk. To stop early, close the
    iterator before the film.

    Raises:
        FilmError: the film cannot be read on, or whatever else went wrong in the thread.
    """
    with_before = motion_seconds is not None
    ring = _Ring([_Buffer.of(film, length, size, with_before=with_before) for _ in range(buffers)])
    frames = film.sampled(spacing_seconds, size=size, place=ring.place, motion_seconds=motion_seconds)
    thread = Thread(target=ring.fill, args=(frames,), daemon=True)
    thread.start()
    try:
        while (chunk := ring.ready.get()) is not None:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk
    finally:
        ring.stop()
        thread.join()


class _Ring:
    """Buffers that go round: free, being filled, ready, and free again after they are given back."""

    def __init__(self, buffers: Sequence[_Buffer]) -> None:
        self.ready: SimpleQueue[Chunk | Exception | None] = SimpleQueue()
        """Chunks; at the end None, or the exception that ended the decoding."""
        self._free: SimpleQueue[_Buffer] = SimpleQueue()
        for buffer in buffers:
            self._free.put(buffer)
        self._buffer = self._free.get()
        self._seconds: list[float] = []
        self._indices: list[int] = []
        self._stopped = False

    def place(self) -> Pixels:
        """The array (height, width, 3) that the next picture is written into."""
        place: Pixels = self._buffer.pixels[len(self._seconds)]
        return place

    def fill(self, frames: Iterable[Frame]) -> None:
        """Gather frames until there are no more or `stop` is called. Their pixels are in their places already."""
        try:
            for frame in frames:
                self._take(frame)
                if self._stopped:
                    break
            self._hand_over()
            self.ready.put(None)
        except Exception as error:  # raised again where the chunks are read
            self.ready.put(error)

    def stop(self) -> None:
        """Make `fill` end soon, even if it waits for a free buffer."""
        self._stopped = True
        self._free.put(self._buffer)

    def _take(self, frame: Frame) -> None:
        if not np.may_share_memory(frame.pixels, self.place()):  # the frame serves several times, or is kept
            self.place()[:] = frame.pixels
        if self._buffer.before is not None and frame.before is not None:
            self._buffer.before[len(self._seconds)] = frame.before
        self._seconds.append(frame.seconds)
        self._indices.append(frame.index)
        if len(self._seconds) == len(self._buffer.pixels):
            self._hand_over()
            self._buffer, self._seconds, self._indices = self._free.get(), [], []

    def _hand_over(self) -> None:
        if self._seconds:
            whole, count = self._buffer, len(self._seconds)
            before = None if whole.before is None else whole.before[:count]
            give_back = partial(self._free.put, whole)
            self.ready.put(Chunk(whole.pixels[:count], tuple(self._seconds), tuple(self._indices), before, give_back))


@dataclass(frozen=True)
class _Buffer:
    """Room for a chunk: its pictures, and the frame before each if it is wanted."""

    pixels: Pixels
    before: Pixels | None

    @classmethod
    def of(cls, film: Film, length: int, size: Size, *, with_before: bool) -> _Buffer:
        """Room for `length` frames of a film at `size`."""
        return cls(film.buffer(length, size), film.buffer(length, size) if with_before else None)
