"""Films whose moments have labels: those that a training can use, their split, and the time between two steps."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vidrnn.config import RunConfig
from vidrnn.data.dataset import Dataset
from vidrnn.data.labelled_frames import check_against_films
from vidrnn.data.splits import Split, shown_notes, split_long_films
from vidrnn.data.usable.behaviours import Behaviours, cut_in_time, is_known, settle_behaviours
from vidrnn.data.usable.features import refuse_uneven_features
from vidrnn.errors import DataError, UsageError
from vidrnn.events import LeftOut, Note, RunEvent
from vidrnn.values import FilmFailure, Floats, Part

_FINEST_SECONDS, _COARSEST_SECONDS = 0.02, 0.125
"""The bounds of the default time between two steps."""
_STEPS_IN_A_BOUT = 8
"""A short bout, longer than one in ten, has at least so many steps."""


@dataclass(frozen=True)
class UsableMoments:
    """Films whose moments have labels, in frames, and the behaviours that they show."""

    dataset: Dataset
    """A single film is here twice: its beginning and its end."""
    behaviours: Behaviours
    cut_spacing: float | None = None
    """Seconds between two steps of a single film, which is cut in time by a gap of one window; else None."""


def usable_moments(dataset: Dataset, config: RunConfig, data: Path) -> Generator[RunEvent, None, UsableMoments]:
    """The films with a label at some moment. Notes say how the labels fit the films.

    Raises:
        DataError: the labels show too few behaviours, no moment is known, or a single film is too short.
        UsageError: folds of a single film are asked for.
    """
    refuse_uneven_features(dataset, config)
    for text in check_against_films(dataset.films, dataset.scans):
        yield Note(text)
    behaviours = settle_behaviours(dataset.films, dataset.scans, config.labels)
    yield from (Note(text) for text in behaviours.sentences)
    dataset = replace(dataset, films=behaviours.films, classes=behaviours.classes)
    known = [
        place
        for place, (film, scan) in enumerate(zip(dataset.films, dataset.scans, strict=True))
        if is_known(film, scan)
    ]
    if len(known) < len(dataset.films):
        lost = [film.path for place, film in enumerate(dataset.films) if place not in known]
        yield LeftOut(tuple(FilmFailure(path, "none of its moments has a known label") for path in lost))
        if not known:
            raise DataError(f"{data}: no video has a moment with a known label.")
        dataset = dataset.at(known)
    return _cut(dataset, behaviours, config) if len(dataset.films) == 1 else UsableMoments(dataset, behaviours)


def _cut(dataset: Dataset, behaviours: Behaviours, config: RunConfig) -> UsableMoments:
    """A single film as two in time."""
    if config.folds:
        raise UsageError("--folds: there is one video, and folds are of videos. Leave it out, or add videos.")
    scan = dataset.scans[0]
    spacing = step_spacing(dataset, config)
    window = config.frames * spacing
    both = cut_in_time(dataset.films[0], scan, max(1, round(window * scan.facts.fps)))
    return UsableMoments(replace(dataset.at([0, 0]), films=both), behaviours, spacing)


def split_moments(dataset: Dataset, config: RunConfig, *, test: bool) -> Split:
    """The split of films whose moments have labels: by group, or a single film in time.

    Raises:
        DataError: a given split cannot be used.
    """
    if len(dataset.films) == 2 and dataset.films[0].path == dataset.films[1].path:
        note = "one video: its beginning trains and its end validates, with a gap between; there is no test number"
        parts = (Part.TRAIN, Part.VAL)
        return Split(parts, notes=(note, *shown_notes(dataset.films, parts)), cut_in_time=True)
    return split_long_films(dataset.films, dataset.grouping, test=test, seed=config.seed)


def step_spacing(dataset: Dataset, config: RunConfig) -> float:
    """The time between two steps: fine enough for short bouts, and no finer than the frames of the films."""
    if config.spacing_seconds is not None:
        return config.spacing_seconds
    shortest = shortest_bout(short_bouts(dataset))
    frame = float(np.median([1 / scan.facts.fps for scan in dataset.scans if scan.facts.fps > 0] or [_FINEST_SECONDS]))
    wanted = min(max(shortest / _STEPS_IN_A_BOUT, _FINEST_SECONDS), _COARSEST_SECONDS)
    return round(max(frame, wanted), 3) if frame < wanted else round(frame, 6)


def shortest_bout(bouts: Floats) -> float:
    """The shortest of some lengths in seconds; the default where none is known."""
    known = bouts[~np.isnan(bouts)]
    return float(known.min()) if len(known) else _STEPS_IN_A_BOUT * _COARSEST_SECONDS


def short_bouts(dataset: Dataset) -> Floats:
    """(classes,) seconds that nine of ten bouts of each class last longer than; NaN where there are none."""
    lengths: dict[str, list[float]] = {}
    for film, scan in zip(dataset.films, dataset.scans, strict=True):
        assert film.annotation is not None
        for bout in film.annotation.bouts:
            lengths.setdefault(bout.label, []).append((bout.end - bout.start) / max(scan.facts.fps, 1e-9))
    return np.asarray([np.quantile(lengths[name], 0.1) if name in lengths else np.nan for name in dataset.classes])
