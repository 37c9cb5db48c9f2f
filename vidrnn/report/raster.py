"""The ethogram of a film in three lines: what its owner says, what the model says, and where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import numpy as np

from vidrnn.report.answers import FilmAnswers, StoredBout
from vidrnn.report.blocks import FilmRaster, Lane, Raster
from vidrnn.report.drawing import class_colour

_CANVAS = 1000
"""Steps across a line. What is shorter than a step is drawn as one."""
_MOST_FILMS = 60
_DIFFERS = "var(--bad)"


def raster_of(films: Sequence[FilmAnswers], classes: Sequence[str], *, several: bool) -> Raster:
    """The ethograms of the films that were answered, at most sixty, those with the least agreement first.

    Where several behaviours may hold, each has a line of its own in each of the three.
    """
    there = [film for film in films if film.answer_bouts is not None and film.true_bouts is not None]
    shown = [_film(film, classes, several=several) for film in there]
    shown.sort(key=lambda one: one[0])
    used = sorted({bout[0] for film in there for bout in (*(film.true_bouts or ()), *(film.answer_bouts or ()))})
    legend = tuple((classes[place], class_colour(place)) for place in used)
    return Raster(tuple(film for _, film in shown[:_MOST_FILMS]), legend)


def _film(film: FilmAnswers, classes: Sequence[str], *, several: bool) -> tuple[float, FilmRaster]:
    used = sorted({bout[0] for bout in (*(film.true_bouts or ()), *(film.answer_bouts or ()))})
    rows = used if several else [None]
    lanes, wrong, known = [], np.zeros(_CANVAS, bool), _painted(film, film.known)
    differences = []
    for row, place in enumerate(rows):
        true, said = (
            {one: _painted(film, [bout[1:] for bout in bouts if bout[0] == one]) for one in used}
            for bouts in (film.true_bouts or (), film.answer_bouts or ())
        )
        chosen = used if place is None else [place]
        differs = np.zeros(_CANVAS, bool)
        for one in chosen:
            differs |= (true[one] != said[one]) & known
        wrong |= differs
        differences.append(_path(differs, row, len(rows)))
    for name, bouts in (("owner", film.true_bouts or ()), ("model", film.answer_bouts or ())):
        shapes = [
            (
                class_colour(one),
                _path(_painted(film, [b[1:] for b in bouts if b[0] == one]), row if several else 0, len(rows)),
            )
            for row, one in enumerate(used)
        ]
        lanes.append(Lane(name, tuple(shape for shape in shapes if shape[1])))
    lanes.append(Lane("differ", tuple((_DIFFERS, path) for path in differences if path)))
    agreement = 1 - float(wrong[known].mean()) if known.any() else 1.0
    name = PurePosixPath(film.path).name
    length = film.end_seconds - film.start_seconds
    return agreement, FilmRaster(name, length, f"{100 * agreement:.0f} % of the time alike", tuple(lanes))


def _painted(film: FilmAnswers, spans: Iterable[tuple[float, ...]]) -> np.ndarray:
    """(steps,) whether one of the spans, in seconds, holds the step of the canvas."""
    painted = np.zeros(_CANVAS, bool)
    length = max(film.end_seconds - film.start_seconds, 1e-9)
    for start, end in spans:
        first = round((start - film.start_seconds) / length * _CANVAS)
        last = round((end - film.start_seconds) / length * _CANVAS)
        painted[max(0, min(first, _CANVAS - 1)) : max(first + 1, last)] = True
    return painted


def _path(painted: np.ndarray, row: int, rows: int) -> str:
    """The SVG path of the painted steps, on a canvas that is 1 high and is shared by so many rows."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], painted, [False]]).astype(np.int8)))
    top, height = round(row / rows, 3), round(1 / rows, 3)
    return "".join(
        f"M{start} {top}h{end - start}v{height}h-{end - start}z" for start, end in edges.reshape(-1, 2).tolist()
    )


def label_of(bout: StoredBout, classes: Sequence[str]) -> str:
    """The behaviour of a bout."""
    return classes[bout[0]]
