"""One film is read once, in order, by its own clock, in memory that does not grow with its length.

The container's frame count and rate are claims: they are reported beside what was measured, and nothing relies on
them. This module does not know how a file is opened, which frames a window needs, nor what a frame shows.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from typing_extensions import override

from vidrnn.errors import FilmError, is_memory_shortage
from vidrnn.values import FilmFacts, Floats, Frame, Pixels, Size
from vidrnn.video.clock import Clock, Grid
from vidrnn.video.inspection.diagnosis import why_no_frames
from vidrnn.video.inspection.limits import out_of_memory, refuse_large_picture
from vidrnn.video.inspection.losses import NEAR_DAMAGE, Reading, loss_notes
from vidrnn.video.motion import BeforeFinder
from vidrnn.video.resizing import resized
from vidrnn.video.sources import Source

_ENDING_SECONDS = 0.3
_FRAMES_BETWEEN_REPORTS = 50
_GUESSED_LENGTHS = frozenset([".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".vob"])
"""Formats that do not state their length: it is guessed, so a shorter film is no damage."""


class Film:
    """One film, read once from its first frame to its last. Every reading method goes on where the last one stopped."""

    def __init__(self, path: Path, source: Source, rate: float | None = None) -> None:
        """`rate`: frames per second that count in place of the time stamps."""
        self.path = path
        self._source = source
        self._rate = rate
        self._clock = Clock(rate or source.claimed_fps)
        self._frames = 0
        self._frame_seconds = array("d")
        self._damaged_at: list[int] = []
        self._sizes_differ = False
        self._loss_notes: tuple[str, ...] | None = None
        self._ended = False
        self._at_first = True
        self._pixels: Pixels | None = self._first_picture()
        self.size = Size(*self._pixels.shape[:2])
        """Of the first frame, after rotation."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._source.close()

    def frames(self, *, size: Size | None = None) -> Iterator[Frame]:
        """Every frame that is left, (height, width, 3) RGB, with its own time in seconds, resized to `size`."""
        for index, seconds in self._ticks():
            pixels = self._picture(size)
            if pixels is not None:
                yield Frame(index, seconds, pixels)

    def sampled(
        self,
        spacing_seconds: float,
        *,
        size: Size | None = None,
        ending: bool = False,
        place: Callable[[], Pixels] | None = None,
        motion_seconds: float | None = None,
    ) -> Iterator[Frame]:
        """The frames that serve the grid times of `Grid`, (height, width, 3) RGB.

        No other frame is converted, unless `motion_seconds` is given.

        `seconds` is the grid time, `index` the index of the frame that serves it. One frame may serve several times.

        Args:
            spacing_seconds: between two grid times.
            size: of the pictures that are given; None leaves the film's.
            ending: also give every frame near the claimed end of the film, under its own time. The last frame given is
                then the film's last, unless the container claims too long a film.
            place: gives the array (height, width, 3) that the next picture is written into. Without it each picture
                is a new array.
            motion_seconds: also give the frame before each frame, by the rule of `BeforeFinder`. Any frame may turn out
                to be before another one, so all are converted, and each picture is a new array.
        """
        grid = Grid(spacing_seconds)
        finder = None if motion_seconds is None else BeforeFinder(motion_seconds)
        end = self.claimed_seconds - _ENDING_SECONDS if ending else float("inf")
        due: list[float] = []
        for index, seconds in self._ticks():
            due += grid.times_served(seconds)
            shown = bool(due) or seconds >= end
            if not shown and finder is None:
                continue
            pixels = self._picture(size, place() if place and finder is None else None)
            if pixels is None:
                continue
            before = finder.find(seconds, pixels) if finder else None
            if shown:
                yield from (Frame(index, at, pixels, before) for at in due or [seconds])
                due = []

    def facts(self, report_progress: Callable[[float, float], None] | None = None) -> FilmFacts:
        """The measured facts of the whole film, and its claims. Decodes the frames that are left.

        `report_progress` is called on the way with the seconds that have been read and those that the film claims to
        have, 0 if it claims none.
        """
        for index, seconds in self._ticks():
            if report_progress is not None and index % _FRAMES_BETWEEN_REPORTS == 0:
                report_progress(seconds - self._clock.first_seconds, self.claimed_seconds)
        source, clock = self._source, self._clock
        return FilmFacts(
            path=self.path,
            size=self.size,
            codec=source.codec,
            frames=self._frames,
            first_seconds=clock.first_seconds,
            last_seconds=clock.seconds,
            duration_seconds=clock.duration_seconds,
            rotation_degrees=source.rotation_degrees,
            claimed_frames=source.claimed_frames,
            claimed_fps=source.claimed_fps,
            oddities=(*self.notes, *self._wrong_claims(), *self._oddities()),
        )

    @property
    def frame_seconds(self) -> Floats:
        """(frames,) the time of each frame that was read so far."""
        return np.array(self._frame_seconds)

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each thing that went wrong so far: damage, missing time stamps, long gaps."""
        return (*self._damage(), *self._clock.notes(), *self._source.notes())

    def _ticks(self) -> Iterator[tuple[int, float]]:
        """Index and time in seconds of every frame that is left; `_picture` gives the frame until the next tick."""
        if self._at_first:
            self._at_first = False
            yield 0, self._clock.seconds
        while not self._ended and (raw := self._grab()) is not None:
            self._pixels = None
            self._frames += 1
            yield self._frames - 1, self._tick(raw)
        self._ended = True

    def _tick(self, raw: float) -> float:
        """The time of the newest frame, from its raw time."""
        if self._rate is not None:
            raw = (self._frames - 1) / self._rate
        self._frame_seconds.append(self._clock.tick(raw))
        return self._frame_seconds[-1]

    def _grab(self) -> float | None:
        """The raw time of the next frame in seconds; None at the end. Notes damage that the decoder got over."""
        refusals = self._source.refusals
        try:
            raw = self._source.grab()
        except (MemoryError, cv2.error) as error:
            raise self._translated(error) from error
        if raw is not None and self._source.refusals > refusals:
            self._damaged_at.append(self._frames)
        return raw

    def _picture(self, size: Size | None, into: Pixels | None = None) -> Pixels | None:
        if self._pixels is None:
            self._pixels = self._decode()
        if self._pixels is None:
            self._damaged_at.append(self._frames - 1)
            return None
        self._sizes_differ |= self._pixels.shape[:2] != (self.size.height, self.size.width)
        try:
            shown = resized(self._pixels, size or self.size)
            return np.asarray(cv2.cvtColor(shown, cv2.COLOR_BGR2RGB, dst=into), dtype=np.uint8)
        except (MemoryError, cv2.error) as error:
            raise self._translated(error) from error

    def _decode(self) -> Pixels | None:
        """The frame that was grabbed, (height, width, 3) BGR; None if it cannot be decoded.

        Raises:
            FilmError: memory ran out, or the picture is too large.
        """
        try:
            pixels = self._source.picture()
        except (MemoryError, cv2.error) as error:
            raise self._translated(error) from error
        if pixels is not None:
            refuse_large_picture(self.path, pixels.shape[1], pixels.shape[0])
        return pixels

    def _translated(self, error: Exception) -> Exception:
        """Lack of memory as a sentence; any other error as it is."""
        return out_of_memory(self.path) if is_memory_shortage(error) else error

    def _first_picture(self) -> Pixels:
        while (raw := self._grab()) is not None:
            pixels = self._decode()
            if pixels is not None:
                self._frames = 1
                self._tick(raw)
                return pixels
            self._damaged_at.append(0)
        self.close()
        raise FilmError(f"{self.path}: {why_no_frames(self.path, self._source.codec, self._source.claimed_frames)}")

    @property
    def features(self) -> int | None:
        """The numbers at each time of a file of features; None for pictures."""
        return None

    def buffer(self, length: int, size: Size) -> Pixels:
        """An array for `length` frames of `size`."""
        return np.empty((length, size.height, size.width, 3), np.uint8)

    @property
    def claimed_seconds(self) -> float:
        """The length that the container claims; 0 if it claims none."""
        fps = self._source.claimed_fps
        return self._source.claimed_frames / fps if fps > 0 else 0.0

    def _damage(self) -> Iterator[str]:
        if self._damaged_at:
            others = len(self._damaged_at) - 1
            places = f" and in {others} more places: these places were" if others else ": this place was"
            rest = f"the rest read, {self._frames} frames in all"
            yield f"Damaged after {self._damaged_at[0]} frames{places} skipped, and {rest}.{self._near_damage}"
        if self._sizes_differ:
            yield "The size of the picture changes. Every frame was resized to the size of the first."
        yield from self._losses()
        # Some containers count their length from 0, though their clock runs on from an earlier piece.
        read, claimed = self._clock.duration_seconds + self._source.start_seconds, self.claimed_seconds
        if not self._ended or read >= 0.9 * claimed - 0.5 or self.path.suffix.lower() in _GUESSED_LENGTHS:
            return
        if self._frames == 1:
            yield f"Only one frame could be read of {claimed:.1f} claimed seconds: it is a still picture, or cut short."
        else:
            yield f"Cut short after {self._frames} frames: {read:.1f} of {claimed:.1f} claimed seconds could be read."

    @property
    def _near_damage(self) -> str:
        """What damage does beside it: a codec builds pictures from the ones before them, single pictures do not."""
        return f" {NEAR_DAMAGE}" if self._source.from_container else ""

    def _losses(self) -> tuple[str, ...]:
        """What is said of frames that a film file has lost, once it was read to its end."""
        if not self._ended or not self._source.from_container:
            return ()
        if self._loss_notes is None:
            seconds = np.array(() if self._rate else self._frame_seconds)
            refused = bool(self._damaged_at)
            claims = self._source.claimed_frames, self._source.claimed_fps
            self._loss_notes = loss_notes(self.path, Reading(self._frames, seconds, *claims, refused))
        return self._loss_notes

    def _wrong_claims(self) -> Iterator[str]:
        if self._source.claimed_frames not in (0, self._frames):
            yield f"The container claims {self._source.claimed_frames} frames; {self._frames} could be read."

    def _oddities(self) -> Iterator[str]:
        if self._frames == 1:
            yield "There is only one frame."
        degrees, mirrored = self._source.rotation_degrees, self._source.mirrored
        if degrees or mirrored:
            ways = ["mirrored"] * mirrored + [f"turned by {degrees} degrees clockwise"] * bool(degrees)
            yield f"The pictures are {' and then '.join(ways)}, as the container asks."
        if self._rate is not None and self._source.claimed_fps:
            claims = f"the container claims {self._source.claimed_fps:.5g}"
            yield f"Times are counted at {self._rate:g} frames per second, as --rate says; {claims}."
        yield from self._source.oddities()
        yield from self._clock.oddities()


class FeatureFilm(Film):
    """A file of features, read as a film whose frames are rows (width,) float32. They are never resized."""

    @property
    @override
    def features(self) -> int | None:
        return self.size.width

    @override
    def buffer(self, length: int, size: Size) -> Pixels:
        return np.empty((length, self.size.width), np.float32)

    @override
    def _picture(self, size: Size | None, into: Pixels | None = None) -> Pixels | None:
        picture = self._source.picture()
        assert picture is not None
        row: Pixels = picture[0]
        if into is None:
            return row
        into[:] = row
        return into
