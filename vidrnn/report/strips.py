"""Strips: small pictures of stretches of films. Each film is read once, in order, whatever it is asked for."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vidrnn.errors import FilmError
from vidrnn.events import Progress, RunEvent
from vidrnn.report.answers import FilmAnswers
from vidrnn.values import Pixels, Size
from vidrnn.video.reader import open_film

FRAMES = 6
"""So many pictures show a stretch."""
_WIDTH = 168
_TALLEST = 300
_QUALITY = 72

Pictures = tuple[tuple[str, str], ...]
"""The address of each picture, which holds the picture itself, and its time."""


@dataclass(frozen=True)
class Stretch:
    """A part of a film that is to be seen."""

    film: FilmAnswers
    start_seconds: float
    end_seconds: float

    @property
    def times(self) -> list[float]:
        """The times of its pictures, evenly from start to end."""
        length = self.end_seconds - self.start_seconds
        return [self.start_seconds + length * (place + 0.5) / FRAMES for place in range(FRAMES)]


def read_strips(
    stretches: Sequence[Stretch], folder: Path | None, seconds: float | None = None
) -> Generator[RunEvent, None, dict[Stretch, Pictures]]:
    """The pictures of stretches, those of the first ones first; a film that cannot be read gives none.

    Args:
        stretches: what is to be seen.
        folder: that of DATA; None: there are no films.
        seconds: after so many seconds no further film is opened; None: no limit.
    """
    found: dict[Stretch, Pictures] = {}
    if folder is None:
        return found
    started = time.monotonic()
    by_film: dict[tuple[str, float | None], list[Stretch]] = {}
    for stretch in dict.fromkeys(stretches):  # one may be both a mistake and a suspect
        by_film.setdefault((stretch.film.path, stretch.film.rate), []).append(stretch)
    for done, ((name, rate), some) in enumerate(by_film.items()):
        yield Progress("pictures of videos", done, len(by_film))
        left = None if seconds is None else seconds - (time.monotonic() - started)
        if left is not None and left <= 0:
            break
        try:
            found |= _read(folder / name, rate, some, left)
        except (FilmError, OSError, cv2.error):
            continue  # the film was moved, or its format has no pictures: its row stays without them
    return found


def _read(
    path: Path, rate: float | None, stretches: Sequence[Stretch], seconds: float | None
) -> dict[Stretch, Pictures]:
    """The pictures of stretches of one film. A picture is the frame nearest to its time, or nearly so."""
    wanted = sorted([(at, stretch) for stretch in stretches for at in stretch.times], key=lambda one: one[0])
    shortest = min(one.end_seconds - one.start_seconds for one in stretches)
    spacing = min(1.0, max(0.02, shortest / FRAMES / 3))  # frames between are not converted
    found: dict[Stretch, list[tuple[str, str]]] = {}
    started, next_one = time.monotonic(), 0
    with open_film(path, rate=rate) as film:
        if film.features is not None:
            return {}
        size = _small(film.size)
        for frame in film.sampled(spacing, size=size):
            if next_one == len(wanted) or (seconds is not None and time.monotonic() - started > seconds):
                break
            while next_one < len(wanted) and frame.seconds + spacing / 2 >= wanted[next_one][0]:
                at, stretch = wanted[next_one]
                found.setdefault(stretch, []).append((_address(frame.pixels), f"{at:.1f} s"))
                next_one += 1
    return {stretch: tuple(pictures) for stretch, pictures in found.items()}


def _small(size: Size) -> Size:
    scale = min(_WIDTH / size.width, _TALLEST / size.height)
    return Size(max(1, round(size.height * scale)), max(1, round(size.width * scale)))


def _address(pixels: Pixels) -> str:
    """A picture as an address that holds it."""
    done, coded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise FilmError("a picture cannot be coded")
    return "data:image/jpeg;base64," + b64encode(np.asarray(coded).tobytes()).decode()
