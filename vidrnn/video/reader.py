"""File to frames: the only reader.

A film is any file that OpenCV decodes, or a folder of numbered pictures. It is read once, in order, by its own clock,
in memory that does not grow with its length. The container's frame count and rate are claims, reported beside what was
measured and never relied on. This module does not know which frames a window wants, nor what a frame shows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

# The decoder would talk to stderr; what matters of it becomes a sentence below. Read when the first film is opened.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import numpy as np

from vidrnn.errors import FilmError, UsageError
from vidrnn.threads import available_cores
from vidrnn.values import FilmFacts, Frame, Pixels, Sampling, Size
from vidrnn.video.clock import Clock, Grid
from vidrnn.video.diagnosis import TEXT, why_no_frames, why_not_a_file, why_not_opened

if "OPENCV_LOG_LEVEL" not in os.environ:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
if "OPENCV_FOR_THREADS_NUM" not in os.environ:
    cv2.setNumThreads(1)  # to shrink one picture is too little work to share; the threads would only take turns

# fmt: off
FILM_SUFFIXES = frozenset([
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".h264", ".h265", ".hevc", ".m2ts", ".m2v",
    ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".rm", ".rmvb",
    ".ts", ".vob", ".webm", ".wmv", ".y4m",
])
# fmt: on
"""What counts as a film when a folder is walked, in lower case."""
PICTURE_SUFFIXES = frozenset([".bmp", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"])
"""What counts as a picture in a folder of numbered pictures, in lower case."""

_ENDING_SECONDS = 0.3
_MANY_PIXELS = 1280 * 720  # from here on decoding with several threads pays
_THREADS_TO_SPARE = 2  # more than cores, so that none idles while a picture is fetched
_MOST_THREADS = 16  # FFmpeg advises against more
_GUESSED_LENGTHS = frozenset([".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".vob"])
"""Of streams that do not say how long they are: what is claimed of them is a guess, and proves no damage."""
_PATIENCE = 3  # how often a decoder that says no is asked again
_NOT_PICTURES = frozenset({"thumbs.db", "desktop.ini"})
_CODECS = {
    "av01": "av1",
    "fmp4": "mpeg4",
    "mp4v": "mpeg4",
    "mp43": "msmpeg4",
    "mpg1": "mpeg1",
    "mpg2": "mpeg2",
    "vp80": "vp8",
    "vp90": "vp9",
}


def is_film(path: Path) -> bool:
    """Whether a path looks like a film: a file with a film's suffix, or a folder of only numbered pictures."""
    if path.is_dir():
        with suppress(PermissionError):
            return bool(_numbered_pictures(path))
        return False
    return path.suffix.lower() in FILM_SUFFIXES and path.is_file()


def resized(pixels: Pixels, size: Size | None) -> Pixels:
    """The whole picture at another size, never cropped; (height, width, 3). None leaves it as it is.

    Shrunk by means over areas: halved as long as it can be, since a mean of two by two pixels is by far the quickest.
    A side that grows is interpolated.
    """
    if size is None:
        return pixels
    height, width = pixels.shape[:2]
    shrunk = Size(min(height, size.height), min(width, size.width))
    while height % 2 == width % 2 == 0 and height >= 2 * shrunk.height and width >= 2 * shrunk.width:
        height, width = height // 2, width // 2
        pixels = _scaled(pixels, Size(height, width), cv2.INTER_AREA)
    return _scaled(_scaled(pixels, shrunk, cv2.INTER_AREA), size, cv2.INTER_LINEAR)


def _scaled(pixels: Pixels, size: Size, how: int) -> Pixels:
    if pixels.shape[:2] == (size.height, size.width):
        return pixels
    return np.asarray(cv2.resize(pixels, (size.width, size.height), interpolation=how), dtype=np.uint8)


def open_film(path: Path | str, *, rate: float | None = None) -> Film:
    """A film, opened and its first frame decoded, to be read once.

    `rate` is in frames per second: a folder of pictures needs it, a film with its own clock refuses it (UsageError).
    Raises FilmError, one sentence, when there is nothing here that can be shown.
    """
    path = Path(path)
    if not _is_utf8(path):
        raise FilmError(f"{path}: its name is not UTF-8. Rename it.")
    if rate is not None and not 0 < rate < float("inf"):
        raise UsageError(f"--rate {rate}: a rate is more than 0 frames per second.")
    try:
        return Film(path, _open_folder(path, rate) if path.is_dir() else _open_file(path, rate))
    except OSError as error:
        raise FilmError(f"{path}: cannot be opened: {error.strerror}.") from error


def first_frames(path: Path, sampling: Sampling, size: Size, rate: float | None = None) -> Pixels:
    """The first window of a film (time, height, width, 3), shorter where the film is.

    Raises:
        FilmError: it cannot be read, or holds no frames.
    """
    with open_film(path, rate=rate if path.is_dir() else None) as film:
        window = list(islice(film.sampled(sampling.spacing_seconds, size=size), sampling.frames))
    if not window:
        raise FilmError(f"{path}: holds no frames. Is it a film?")
    return np.stack([frame.pixels for frame in window])


class Film:
    """One film, read once from first frame to last; every reading method goes on where the one before it stopped.

    `facts` reads what is left. `notes` tells what went wrong so far: damage, missing time stamps, long gaps.
    """

    def __init__(self, path: Path, source: _Source) -> None:
        self.path = path
        self._source = source
        self._clock = Clock(source.claimed_fps)
        self._frames = 0
        self._broken_at: list[int] = []
        self._sizes_differ = False
        self._ended = False
        self._primed = True
        self._pixels: Pixels | None = self._first_picture()
        self.size = Size(*self._pixels.shape[:2])
        """As shown, rotation applied."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._source.close()

    def frames(self, *, size: Size | None = None) -> Iterator[Frame]:
        """Every frame, with its own time in seconds, resized to `size` while it is read."""
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
    ) -> Iterator[Frame]:
        """The frames that stand at the grid times of `Grid`; only these are converted and resized.

        `seconds` is the grid time, `index` that of the frame which stands for it; one may stand for several times.
        With `ending` also every frame near the film's claimed end, under its own time, so that the last one given is
        the film's last wherever the container does not claim too much. `place` gives an array of that size to write the
        next picture into; otherwise each picture is an array of its own.
        """
        grid = Grid(spacing_seconds)
        end = self.claimed_seconds - _ENDING_SECONDS if ending else float("inf")
        owed: list[float] = []
        for index, seconds in self._ticks():
            owed += grid.times_served(seconds)
            if not owed and seconds < end:
                continue
            pixels = self._picture(size, place() if place else None)
            if pixels is not None:
                yield from (Frame(index, at, pixels) for at in owed or [seconds])
                owed = []

    def facts(self) -> FilmFacts:
        """What the whole film is; decodes what has not been read yet, without converting it."""
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
            oddities=(*self.notes, *self._lies(), *self._oddities()),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each thing that went wrong in what has been read so far."""
        return (*self._damage(), *self._clock.notes())

    def _ticks(self) -> Iterator[tuple[int, float]]:
        """Index and time of every frame that is left; its picture can be had until the next one is asked for."""
        if self._primed:
            self._primed = False
            yield 0, self._clock.seconds
        while not self._ended and (raw := self._grab()) is not None:
            self._pixels = None
            self._frames += 1
            yield self._frames - 1, self._clock.tick(raw)
        self._ended = True

    def _grab(self) -> float | None:
        """The next frame's raw time. The decoder also says no at damage that it can get over, so it is asked again."""
        for attempt in range(_PATIENCE):
            raw = self._source.grab()
            if raw is not None:
                self._broken_at += [self._frames] if attempt else []
                return raw
        return None

    def _picture(self, size: Size | None, into: Pixels | None = None) -> Pixels | None:
        if self._pixels is None:
            self._pixels = self._source.picture()
        if self._pixels is None:
            self._broken_at.append(self._frames - 1)
            return None
        self._sizes_differ |= self._pixels.shape[:2] != (self.size.height, self.size.width)
        shown = resized(self._pixels, size or self.size)
        return np.asarray(cv2.cvtColor(shown, cv2.COLOR_BGR2RGB, dst=into), dtype=np.uint8)

    def _first_picture(self) -> Pixels:
        while (raw := self._grab()) is not None:
            pixels = self._source.picture()
            if pixels is not None:
                self._frames = 1
                self._clock.tick(raw)
                return pixels
            self._broken_at.append(0)
        self.close()
        raise FilmError(f"{self.path}: {why_no_frames(self.path, self._source.codec, self._source.claimed_frames)}")

    @property
    def claimed_seconds(self) -> float:
        """How long the container says that the film is; 0 if it does not."""
        fps = self._source.claimed_fps
        return self._source.claimed_frames / fps if fps > 0 else 0.0

    def _damage(self) -> Iterator[str]:
        if self._broken_at:
            many = f" and {len(self._broken_at) - 1} more times" if len(self._broken_at) > 1 else ""
            used = f"what could be read, {self._frames} in all, was used"
            yield f"Damaged after {self._broken_at[0]} frames{many}: {used}."
        if self._sizes_differ:
            yield "The size of the picture changes; every frame was brought to the size of the first."
        read, claimed = self._clock.duration_seconds, self.claimed_seconds
        if not self._ended or read >= 0.9 * claimed - 0.5 or self.path.suffix.lower() in _GUESSED_LENGTHS:
            return
        if self._frames == 1:
            yield f"Only one frame could be read, of {claimed:.1f} claimed seconds: it is a still, or was cut short."
        else:
            yield f"Cut short after {self._frames} frames: {read:.1f} of {claimed:.1f} claimed seconds could be read."

    def _lies(self) -> Iterator[str]:
        if self._source.claimed_frames not in (0, self._frames):
            yield f"The container claims {self._source.claimed_frames} frames; {self._frames} could be read."

    def _oddities(self) -> Iterator[str]:
        if self._frames == 1:
            yield "There is only one frame."
        if self._source.rotation_degrees:
            yield f"Shown turned by {self._source.rotation_degrees} degrees clockwise, as its rotation flag asks."
        yield from self._clock.oddities()


class _Source(Protocol):
    """Where pictures come from, one after another."""

    codec: str
    claimed_frames: int
    claimed_fps: float
    rotation_degrees: int

    def grab(self) -> float | None:
        """Go to the next frame and give its raw time in seconds; None if there is none."""

    def picture(self) -> Pixels | None:
        """The frame gone to, (height, width, 3) BGR; None if it cannot be decoded."""

    def close(self) -> None: ...


class _Capture:
    """A film file through OpenCV's FFmpeg."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        self._capture = capture
        self._buffer: Pixels | None = None  # used again: memory that is fresh costs more than the copying
        self.codec = _codec(int(capture.get(cv2.CAP_PROP_FOURCC)))
        self.claimed_frames = _believable(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.claimed_fps = capture.get(cv2.CAP_PROP_FPS) if 0 < capture.get(cv2.CAP_PROP_FPS) < 10**6 else 0.0
        self.rotation_degrees = int(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360

    def grab(self) -> float | None:
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 if self._capture.grab() else None

    def picture(self) -> Pixels | None:
        try:
            found, pixels = self._capture.retrieve(self._buffer)
        except cv2.error:
            return None
        if not found:
            return None
        self._buffer = np.asarray(pixels, dtype=np.uint8)
        return self._buffer

    def close(self) -> None:
        self._capture.release()


class _Pictures:
    """Pictures that stand one after another, each fetched when it is wanted."""

    rotation_degrees = 0

    def __init__(self, codec: str, seconds: Sequence[float], fetch: Callable[[int], Pixels | None]) -> None:
        self.codec = codec
        self.claimed_frames = len(seconds)
        self.claimed_fps = 1 / (seconds[1] - seconds[0]) if len(seconds) > 1 and seconds[1] > seconds[0] else 0.0
        self._seconds, self._fetch, self._index = seconds, fetch, -1

    def grab(self) -> float | None:
        self._index += 1
        return self._seconds[self._index] if self._index < len(self._seconds) else None

    def picture(self) -> Pixels | None:
        return self._fetch(self._index)

    def close(self) -> None:
        self._seconds = ()


def _is_utf8(path: Path) -> bool:
    """Whether OpenCV can be given this name: one that is not UTF-8 would end the whole process."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _open_file(path: Path, rate: float | None) -> _Source:
    if reason := why_not_a_file(path):
        raise FilmError(f"{path}: {reason}")
    if rate is not None:
        raise UsageError(f"{path}: is a film with a clock of its own; --rate is for folders of pictures. Leave it out.")
    if path.suffix.lower() == ".webp":
        return _open_animation(path)
    capture = _capture(path, threads=1)
    if not capture.isOpened():
        raise FilmError(f"{path}: {why_not_opened(path)}")
    if capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT) >= _MANY_PIXELS:
        capture = _capture(path, threads=min(available_cores() + _THREADS_TO_SPARE, _MOST_THREADS))
    source = _Capture(capture)
    if source.codec == "ansi":  # FFmpeg paints the letters of a text file as a film
        raise FilmError(f"{path}: {TEXT}")
    return source


def _capture(path: Path, *, threads: int) -> cv2.VideoCapture:
    """The file opened; its path is made absolute so that a colon in it is not taken for a protocol."""
    return cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])


def _open_animation(path: Path) -> _Source:
    """A moving WebP, which FFmpeg does not decode; held in memory whole, as OpenCV gives it."""
    found, animation = cv2.imreadanimation(str(path))
    pictures = animation.frames if found else ()
    starts = np.concatenate([[0.0], np.cumsum(animation.durations)[:-1] / 1000]) if pictures else ()
    return _Pictures(
        "webp", [float(start) for start in starts], lambda index: np.asarray(pictures[index][..., :3], np.uint8)
    )


def _open_folder(path: Path, rate: float | None) -> _Source:
    pictures = _numbered_pictures(path)
    if not pictures:
        raise FilmError(
            f"{path}: is a folder, but not one of numbered pictures (frame1.png, frame2.png, ...) and nothing else."
        )
    if rate is None:
        raise FilmError(f"{path}: {len(pictures)} pictures but no rate. Say --rate FPS.")
    if foreign := [picture for picture in pictures if not _is_utf8(picture)]:
        raise FilmError(f"{path}: {len(foreign)} of its pictures have names that are not UTF-8. Rename them.")
    seconds = [index / rate for index in range(len(pictures))]
    return _Pictures(
        f"{pictures[0].suffix[1:].lower()} pictures", seconds, lambda index: _read_picture(pictures[index])
    )


def _numbered_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of their numbers; none if anything else is in it."""
    numbered = []
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name.lower() in _NOT_PICTURES:
            continue
        if path.suffix.lower() not in PICTURE_SUFFIXES or not path.stem[-1:].isdecimal() or not path.is_file():
            return []
        numbered.append(path)
    return sorted(numbered, key=_natural)


def _natural(path: Path) -> list[tuple[int, str]]:
    """A key that puts frame10 after frame9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _read_picture(path: Path) -> Pixels | None:
    try:
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if pixels is None else np.asarray(pixels, dtype=np.uint8)


def _codec(fourcc: int) -> str:
    """A codec's name for people: h264, vp9, mpeg4."""
    name = fourcc.to_bytes(4, "little", signed=fourcc < 0).decode("latin-1").strip(" \0").lower()
    return _CODECS.get(name, name if name.isprintable() and name else "unknown codec")


def _believable(count: float) -> int:
    """The container's count, or 0 where it is nonsense."""
    return int(count) if 0 < count < 1e9 else 0
