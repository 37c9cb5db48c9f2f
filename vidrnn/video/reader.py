"""A film file or a folder of numbered pictures becomes frames with their times.

A film is any file that OpenCV decodes, or a folder of numbered pictures. It is read once, in order, by its own clock,
in memory that does not grow with its length. The container's frame count and rate are claims: they are reported beside
what was measured, and nothing relies on them. This module does not know which frames a window needs, nor what a frame
shows.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from typing_extensions import override

from vidrnn.errors import FilmError, UsageError
from vidrnn.threads import available_cores
from vidrnn.values import Excerpt, FilmFacts, Floats, Frame, Pixels, Sampling, Size, Window
from vidrnn.video.capture import Capture
from vidrnn.video.clock import Clock, Grid
from vidrnn.video.diagnosis import TEXT, why_no_frames, why_not_opened, why_refused
from vidrnn.video.excerpts import ExcerptSource
from vidrnn.video.features import FeatureRows, holds_features
from vidrnn.video.motion import BeforeFinder
from vidrnn.video.pictures import Pictures, numbered_pictures
from vidrnn.video.sources import Source

# fmt: off
FILM_SUFFIXES = frozenset([
    ".264", ".265", ".360", ".3g2", ".3gp", ".3gpp", ".amv", ".asf", ".avc", ".avi", ".cine", ".dav", ".divx", ".dv",
    ".f4v", ".flv", ".gif", ".h264", ".h265", ".hevc", ".insv", ".ivf", ".lrv", ".m1v", ".m2t", ".m2ts", ".m2v", ".m4v",
    ".mjpeg", ".mjpg", ".mk3d", ".mkv", ".mov", ".mp4", ".mp4v", ".mpe", ".mpeg", ".mpg", ".mpv", ".mts", ".mxf",
    ".nut", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".tod", ".ts", ".vob", ".webm", ".wmv", ".wtv", ".y4m",
])
# fmt: on
"""Suffixes of the files that are films where a folder is searched, in lower case."""

_ENDING_SECONDS = 0.3
_MANY_PIXELS = 1280 * 720
"""From this picture size on, decoding with several threads is quicker."""
_EXTRA_THREADS = 2
"""Decoding threads beyond the cores, so that no core idles while a picture is copied."""
_MOST_THREADS = 16
"""FFmpeg advises against more."""
_GUESSED_LENGTHS = frozenset([".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".vob"])
"""Formats that do not state their length: it is guessed, so a shorter film is no damage."""


def is_film(path: Path) -> bool:
    """Whether a path looks like a film: a file with a film's suffix, or a folder of only numbered pictures."""
    if path.is_dir():
        with suppress(PermissionError):
            return bool(numbered_pictures(path))
        return False
    return path.suffix.lower() in FILM_SUFFIXES and path.is_file()


def resized(pixels: Pixels, size: Size | None) -> Pixels:
    """The whole picture (height, width, 3) at another size, never cropped. None leaves it as it is.

    A side that shrinks is averaged over areas. It is halved first as often as possible, since the mean of two by two
    pixels is by far the quickest. A side that grows is interpolated.
    """
    if size is None:
        return pixels
    height, width = pixels.shape[:2]
    shrunk = Size(min(height, size.height), min(width, size.width))
    while height % 2 == width % 2 == 0 and height >= 2 * shrunk.height and width >= 2 * shrunk.width:
        height, width = height // 2, width // 2
        pixels = _scaled(pixels, Size(height, width), cv2.INTER_AREA)
    return _scaled(_scaled(pixels, shrunk, cv2.INTER_AREA), size, cv2.INTER_LINEAR)


def _scaled(pixels: Pixels, size: Size, interpolation: int) -> Pixels:
    if pixels.shape[:2] == (size.height, size.width):
        return pixels
    return np.asarray(cv2.resize(pixels, (size.width, size.height), interpolation=interpolation), dtype=np.uint8)


def open_film(path: Path | str, *, rate: float | None = None, excerpt: Excerpt | None = None) -> Film:
    """A film whose first frame has been decoded. It can be read once. Of an excerpt, no other frame is given.

    `rate` is in frames per second, and replaces the time stamps of a film file. A folder of pictures or a file of
    features needs it.

    Raises:
        UsageError: the rate is not positive.
        FilmError: no frame can be read.
    """
    path = Path(path)
    if not _is_utf8(path):
        raise FilmError(f"{path}: its name is not UTF-8. Rename it.")
    if rate is not None and not 0 < rate < float("inf"):
        raise UsageError(f"--rate {rate}: a rate must be more than 0 frames per second.")
    try:
        if holds_features(path) and not path.is_dir():
            return FeatureFilm(path, _part_of(path, _open_features(path, rate), excerpt))
        if path.is_dir():
            return Film(path, _part_of(path, _open_folder(path, rate), excerpt))
        if excerpt is not None:
            return Film(path, ExcerptSource(path, _open_file(path), excerpt, rate))
        return Film(path, _open_file(path), rate)
    except OSError as error:
        raise FilmError(f"{path}: cannot be opened: {error.strerror}.") from error


def first_window(
    path: Path, sampling: Sampling, size: Size, rate: float | None = None, motion_seconds: float | None = None
) -> Window:
    """The first window of a film, with the frames before if `motion_seconds` is given; shorter if the film is shorter.

    Raises:
        FilmError: the film cannot be read, or holds no frames.
    """
    with open_film(path, rate=rate) as film:
        sampled = film.sampled(sampling.spacing_seconds, size=size, motion_seconds=motion_seconds)
        frames = list(islice(sampled, sampling.frames))
    if not frames:
        raise FilmError(f"{path}: holds no frames. Is it a video?")
    before = [frame.before for frame in frames if frame.before is not None]
    return Window(np.stack([frame.pixels for frame in frames]), np.stack(before) if before else None)


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

    def facts(self) -> FilmFacts:
        """The measured facts of the whole film, and its claims. Decodes the frames that are left."""
        for _ in self._ticks():
            pass
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
        return (*self._damage(), *self._clock.notes())

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
        raw = self._source.grab()
        if raw is not None and self._source.refusals > refusals:
            self._damaged_at.append(self._frames)
        return raw

    def _picture(self, size: Size | None, into: Pixels | None = None) -> Pixels | None:
        if self._pixels is None:
            self._pixels = self._source.picture()
        if self._pixels is None:
            self._damaged_at.append(self._frames - 1)
            return None
        self._sizes_differ |= self._pixels.shape[:2] != (self.size.height, self.size.width)
        shown = resized(self._pixels, size or self.size)
        return np.asarray(cv2.cvtColor(shown, cv2.COLOR_BGR2RGB, dst=into), dtype=np.uint8)

    def _first_picture(self) -> Pixels:
        while (raw := self._grab()) is not None:
            pixels = self._source.picture()
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
            yield f"Damaged after {self._damaged_at[0]} frames{places} skipped, and {rest}."
        if self._sizes_differ:
            yield "The size of the picture changes. Every frame was resized to the size of the first."
        read, claimed = self._clock.duration_seconds, self.claimed_seconds
        if not self._ended or read >= 0.9 * claimed - 0.5 or self.path.suffix.lower() in _GUESSED_LENGTHS:
            return
        if self._frames == 1:
            yield f"Only one frame could be read of {claimed:.1f} claimed seconds: it is a still picture, or cut short."
        else:
            yield f"Cut short after {self._frames} frames: {read:.1f} of {claimed:.1f} claimed seconds could be read."

    def _wrong_claims(self) -> Iterator[str]:
        if self._source.claimed_frames not in (0, self._frames):
            yield f"The container claims {self._source.claimed_frames} frames; {self._frames} could be read."

    def _oddities(self) -> Iterator[str]:
        if self._frames == 1:
            yield "There is only one frame."
        if self._source.rotation_degrees:
            degrees = self._source.rotation_degrees
            yield f"The pictures are turned by {degrees} degrees clockwise, as the container asks."
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


def _is_utf8(path: Path) -> bool:
    """Whether the name is UTF-8. OpenCV would end the whole process at another name."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _part_of(path: Path, source: Source, excerpt: Excerpt | None) -> Source:
    return source if excerpt is None else ExcerptSource(path, source, excerpt)


def _open_file(path: Path) -> Source:
    if reason := why_refused(path):
        raise FilmError(f"{path}: {reason}")
    if path.suffix.lower() == ".webp":
        return Pictures.of_webp(path)
    capture = Capture.open_file(path, threads=1)
    if capture is not None and capture.claimed_pixels >= _MANY_PIXELS:
        capture.close()
        capture = Capture.open_file(path, threads=min(available_cores() + _EXTRA_THREADS, _MOST_THREADS))
    if capture is None:
        raise FilmError(f"{path}: {why_not_opened(path)}")
    if capture.codec == "ansi":  # FFmpeg draws the letters of a text file as a film
        raise FilmError(f"{path}: {TEXT}")
    return capture


def _open_features(path: Path, rate: float | None) -> Source:
    if rate is None:
        raise FilmError(f"{path}: holds features but has no rate. Give one: --rate R.")
    return FeatureRows(path, rate)


def _open_folder(path: Path, rate: float | None) -> Source:
    pictures = numbered_pictures(path)
    if not pictures:
        raise FilmError(f"{path}: is a folder, but not one of numbered pictures alone (frame1.png, frame2.png, ...).")
    if rate is None:
        raise FilmError(f"{path}: holds {len(pictures)} pictures but has no rate. Give one: --rate FPS.")
    if foreign := [picture for picture in pictures if not _is_utf8(picture)]:
        raise FilmError(f"{path}: {len(foreign)} of its pictures have names that are not UTF-8. Rename them.")
    return Pictures.of_folder(pictures, rate)
