"""A part of a film, read as a film of its own. Frames before it are passed over in order, since seeking is inexact."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from typing_extensions import override

from vidrnn.errors import FilmError
from vidrnn.values import Excerpt, Pixels
from vidrnn.video.clock import Clock
from vidrnn.video.sources import Source


class ExcerptSource(Source):
    """The pictures of a source that lie in an excerpt, at the times that they have in the whole film."""

    def __init__(self, path: Path, source: Source, excerpt: Excerpt, rate: float | None = None) -> None:
        """`rate`: frames per second that count in place of the time stamps."""
        self.codec, self.rotation_degrees, self.mirrored = source.codec, source.rotation_degrees, source.mirrored
        self.claimed_fps = rate or source.claimed_fps
        self._path, self._source, self._excerpt = path, source, excerpt
        self._clock = Clock(rate or source.claimed_fps)
        self._rate, self._index = rate, -1
        self._begun = False

    @override
    def grab(self) -> float | None:
        while (raw := self._source.grab()) is not None:
            self._index += 1
            seconds = self._clock.tick(raw if self._rate is None else self._index / self._rate)
            if self._excerpt.ends_by(self._index, seconds):
                break
            if self._excerpt.begins_by(self._index, seconds):
                self._begun = True
                self.refusals = self._source.refusals
                return seconds
        if not self._begun:
            self._source.close()
            raise FilmError(why_no_excerpt(self._path, self._excerpt, self._index + 1, self._clock))
        return None

    @override
    def picture(self) -> Pixels | None:
        return self._source.picture()

    @override
    def close(self) -> None:
        self._source.close()

    @override
    def notes(self) -> Iterator[str]:
        yield from self._source.notes()

    @override
    def oddities(self) -> Iterator[str]:
        yield from self._source.oddities()


def why_no_excerpt(path: Path, excerpt: Excerpt, frames: int, clock: Clock) -> str:
    """A sentence for an excerpt without a frame."""
    if excerpt.ends_by(frames - 1, clock.seconds):
        return f"{path}: no frame lies in its part from {excerpt}. Make the part longer than a frame."
    end = f"{frames} frames" if excerpt.unit == "frames" else f"{clock.seconds + clock.step_seconds:.3f} seconds"
    return f"{path}: ends after {end}, before its part from {excerpt} begins."
