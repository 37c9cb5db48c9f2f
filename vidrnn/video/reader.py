"""The one door to films: a film file, a folder of numbered pictures or a file of features is opened here.

This module does not know how a film is read once it is open.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np

from vidrnn.errors import FilmError, UsageError
from vidrnn.threads import available_cores
from vidrnn.values import Sampling, Size, Window
from vidrnn.video.capture import Capture
from vidrnn.video.diagnosis import TEXT, why_not_opened, why_refused
from vidrnn.video.features import FeatureRows, holds_features
from vidrnn.video.film import FeatureFilm, Film
from vidrnn.video.pictures import Pictures, numbered_pictures
from vidrnn.video.sources import Source

# fmt: off
FILM_SUFFIXES = frozenset([
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".h264", ".h265", ".hevc", ".m2ts", ".m2v",
    ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".rm", ".rmvb",
    ".ts", ".vob", ".webm", ".wmv", ".y4m",
])
# fmt: on
"""Suffixes of the files that are films where a folder is searched, in lower case."""

_MANY_PIXELS = 1280 * 720
"""From this picture size on, decoding with several threads is quicker."""
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


def open_film(path: Path | str, *, rate: float | None = None) -> Film:
    """A film whose first frame has been decoded. It can be read once.

    `rate` is in frames per second. A folder of pictures or a file of features needs it; a film file has its own time
    stamps. See `rate_for`.

    Raises:
        UsageError: the rate is not positive, or it was given for a film file.
        FilmError: no frame can be read.
    """
    path = Path(path)
    if not _is_utf8(path):
        raise FilmError(f"{path}: its name is not UTF-8. Rename it.")
    if rate is not None and not 0 < rate < float("inf"):
        raise UsageError(f"--rate {rate}: a rate must be more than 0 frames per second.")
    try:
        if holds_features(path) and not path.is_dir():
            return FeatureFilm(path, _open_features(path, rate))
        return Film(path, _open_folder(path, rate) if path.is_dir() else _open_file(path, rate))
    except OSError as error:
        raise FilmError(f"{path}: cannot be opened: {error.strerror}.") from error


def rate_for(path: Path, rate: float | None) -> float | None:
    """The rate to open a film with: None for a film file, which has its own time stamps."""
    return rate if path.is_dir() or holds_features(path) else None


def first_window(
    path: Path, sampling: Sampling, size: Size, rate: float | None = None, motion_seconds: float | None = None
) -> Window:
    """The first window of a film, with the frames before if `motion_seconds` is given; shorter if the film is shorter.

    Raises:
        FilmError: the film cannot be read, or holds no frames.
    """
    with open_film(path, rate=rate_for(path, rate)) as film:
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


def _open_file(path: Path, rate: float | None) -> Source:
    if reason := why_refused(path):
        raise FilmError(f"{path}: {reason}")
    if rate is not None:
        raise UsageError(f"{path}: has its own time stamps. Leave out --rate, which is for folders of pictures.")
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
