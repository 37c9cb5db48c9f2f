"""The one door to films: a film file, a folder of numbered pictures or a file of features is opened here.

This module does not know how a film is read once it is open.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from vidrnn.errors import FilmError, OutOfMemoryError, UsageError, is_memory_shortage
from vidrnn.threads import available_cores
from vidrnn.values import Excerpt, Sampling, Size, Window
from vidrnn.video.capture import Capture
from vidrnn.video.excerpts import ExcerptSource
from vidrnn.video.features import FeatureRows, holds_features
from vidrnn.video.film import FeatureFilm, Film
from vidrnn.video.inspection.contents import Contents, look_into
from vidrnn.video.inspection.diagnosis import why_no_file, why_not_opened, why_refused, why_system_refuses
from vidrnn.video.inspection.limits import out_of_memory, refuse_large_picture
from vidrnn.video.inspection.picture_size import HEADER_BYTES, picture_size
from vidrnn.video.pictures import STACK_SUFFIXES, Pictures, numbered_pictures
from vidrnn.video.second_decoder import AvFilm, stated_rate
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

_MANY_PIXELS = 1280 * 720
"""From this picture size on, decoding with several threads is quicker."""
_STILL_CODECS = frozenset(["mjpeg", "png", "bmp", "gif", "webp", "mjpg"])
"""Codecs of covers."""
_EXTRA_THREADS = 2
"""Decoding threads beyond the cores, so that no core idles while a picture is copied."""
_MOST_THREADS = 16
"""FFmpeg advises against more."""


def is_film(path: Path) -> bool:
    """Whether a path looks like a film: a file with a film's suffix, or a folder of only numbered pictures."""
    if path.is_dir():
        with suppress(PermissionError):
            return bool(numbered_pictures(path))
        return False
    return path.suffix.lower() in FILM_SUFFIXES and path.is_file()


def open_film(path: Path | str, *, rate: float | None = None, excerpt: Excerpt | None = None) -> Film:
    """A film whose first frame has been decoded. It can be read once. Of an excerpt, no other frame is given.

    `rate` is in frames per second, and replaces the time stamps of a film file. A folder of pictures, a stack of pages
    or a file of features needs it.

    Raises:
        UsageError: the rate is not positive.
        FilmError: no frame can be read.
        OutOfMemoryError: memory ran out.
    """
    path = Path(path)
    if not _is_utf8(path):
        raise FilmError(f"{path}: its name is not UTF-8. Rename it.")
    if rate is not None and not 0 < rate < float("inf"):
        raise UsageError(f"--rate {rate}: a rate must be more than 0 frames per second.")
    try:
        if path.is_dir():
            return _film_of(path, _open_folder(path, rate), None, excerpt)
        if holds_features(path):
            rows = _open_features(path, rate)
            return FeatureFilm(path, rows if excerpt is None else ExcerptSource(path, rows, excerpt))
        return _open_file(path, rate, excerpt)
    except OSError as error:
        if is_memory_shortage(error):
            raise out_of_memory(path) from error
        raise FilmError(f"{path}: {why_system_refuses(error)}") from error
    except (MemoryError, cv2.error) as error:
        if is_memory_shortage(error):
            raise out_of_memory(path) from error
        raise


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


def _is_utf8(path: Path) -> bool:
    """Whether the name is UTF-8. OpenCV would end the whole process at another name."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _film_of(path: Path, source: Source, rate: float | None, excerpt: Excerpt | None) -> Film:
    """The film of a source whose time stamps a rate may replace, or a part of it."""
    return Film(path, source, rate) if excerpt is None else Film(path, ExcerptSource(path, source, excerpt, rate))


def _open_file(path: Path, rate: float | None, excerpt: Excerpt | None) -> Film:
    if reason := why_no_file(path):
        raise FilmError(f"{path}: {reason}")
    contents = look_into(path)
    if reason := why_refused(contents):
        raise FilmError(f"{path}: {reason}")
    suffix = path.suffix.lower()
    if suffix == ".webp":
        return _film_of(path, Pictures.of_webp(path), rate, excerpt)
    if suffix in STACK_SUFFIXES:
        return _film_of(path, Pictures.of_stack(path, rate), None, excerpt)
    source = _open_main_stream(path, contents) or _open_capture(path, contents)
    if source is None:
        if (other := AvFilm.open(path, contents.orientation)) is None:
            raise FilmError(f"{path}: {why_not_opened(path)}")
        return _film_of(path, other, rate, excerpt)
    try:
        return _film_of(path, source, rate, excerpt)
    except FilmError as error:
        if isinstance(error, OutOfMemoryError) or not isinstance(source, Capture):
            raise
        if (other := AvFilm.open(path, contents.orientation)) is None:
            raise
        with suppress(FilmError):
            return _film_of(path, other, rate, excerpt)
        raise


def _open_main_stream(path: Path, contents: Contents) -> AvFilm | None:
    """The film by PyAV, if a stream other than the first one is the film.

    Raises:
        FilmError: the only pictures are a cover beside sound.
    """
    if not contents.several_videos:
        return None
    film = AvFilm.open(path, contents.orientation)
    if film is None:
        raise FilmError(f"{path}: {why_not_opened(path)}")
    if film.is_first_video and not film.others:
        film.close()
        return None
    return film


def _open_capture(path: Path, contents: Contents) -> Source | None:
    """The film by OpenCV, or by PyAV if its numbers have more bits than OpenCV keeps; None if OpenCV cannot open it."""
    with path.open("rb") as file:
        if size := picture_size(file.read(HEADER_BYTES)):
            refuse_large_picture(path, *size)
    capture = Capture.open_file(path, threads=1)
    if capture is None:
        return None
    refuse_large_picture(path, capture.claimed_width, capture.claimed_height)
    if capture.claimed_pixels >= _MANY_PIXELS:
        capture.close()
        capture = Capture.open_file(path, threads=min(available_cores() + _EXTRA_THREADS, _MOST_THREADS))
        if capture is None:
            return None
    if capture.is_deep or (capture.codec in _STILL_CODECS and contents.may_be_cover):
        capture.close()
        film = AvFilm.open(path, contents.orientation)
        if film is None:
            raise FilmError(f"{path}: {why_not_opened(path)}")
        return film
    if contents.orientation is not None and contents.orientation.mirrored:
        capture.mirror(contents.orientation)
    if contents.raw:
        capture.claimed_fps = stated_rate(path) or capture.claimed_fps
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
