"""A film is decoded in a thread of its own, into a small ring of buffers that are used again and again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Thread

import numpy as np

from vidrnn.values import Frame, Pixels, Size
from vidrnn.video.reader import Film


@dataclass(frozen=True)
class Chunk:
    """Successive sampled frames of a film, in a buffer that is filled anew once it is given back."""

    pixels: Pixels
    """(count, height, width, 3)"""
    seconds: tuple[float, ...]
    indices: tuple[int, ...]
    """Of the film's own frames, counted from 0."""
    before: Pixels | None
    """The picture before the first, None if there is none."""
    give_back: Callable[[], None]
    """The pixels are not needed any more."""


def decoded(film: Film, spacing_seconds: float, size: Size, length: int, buffers: int) -> Generator[Chunk, None, None]:
    """The sampled frames of a film in chunks of `length`, decoded ahead as far as there are free buffers.

    Each chunk is to be given back. Who stops early closes the iterator before the film.
    """
    ring = _Ring(length, size, buffers)
    thread = Thread(target=ring.fill, args=(film.sampled(spacing_seconds, size=size, place=ring.place),), daemon=True)
    thread.start()
    try:
        while (found := ring.ready.get()) is not None:
            if isinstance(found, Exception):
                raise found
            yield found
    finally:
        ring.stop()
        thread.join()


class _Ring:
    """Buffers that go round: free, being filled, ready, and free again when they are given back."""

    def __init__(self, length: int, size: Size, buffers: int) -> None:
        self.ready: SimpleQueue[Chunk | Exception | None] = SimpleQueue()
        """Chunks, and at the end None, or what went wrong."""
        self._free: SimpleQueue[Pixels] = SimpleQueue()
        for _ in range(buffers):
            self._free.put(np.empty((length, size.height, size.width, 3), np.uint8))
        self._buffer = self._free.get()
        self._seconds: list[float] = []
        self._indices: list[int] = []
        self._before: Pixels | None = None
        self._stopped = False

    def place(self) -> Pixels:
        """Where the next picture is to be written."""
        place: Pixels = self._buffer[len(self._seconds)]
        return place

    def fill(self, frames: Iterable[Frame]) -> None:
        """Gather frames, whose pixels stand in their places already, until there are no more or it is stopped."""
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
        """Have filling end soon, even if it waits for a free buffer."""
        self._stopped = True
        self._free.put(self._buffer)

    def _take(self, frame: Frame) -> None:
        if not np.may_share_memory(frame.pixels, self.place()):  # it stands for more times than one
            self.place()[:] = frame.pixels
        self._seconds.append(frame.seconds)
        self._indices.append(frame.index)
        if len(self._seconds) == len(self._buffer):
            self._hand_over()
            self._before = frame.pixels.copy()
            self._buffer, self._seconds, self._indices = self._free.get(), [], []

    def _hand_over(self) -> None:
        if self._seconds:
            pixels, give_back = self._buffer[: len(self._seconds)], partial(self._free.put, self._buffer)
            self.ready.put(Chunk(pixels, tuple(self._seconds), tuple(self._indices), self._before, give_back))
