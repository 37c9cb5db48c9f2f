"""Findings on videos that are nearly the same: with different classes, or on different sides of the split.

They are compared by the thumbnails of their scans. Where all videos look alike, as from one fixed camera, a pair counts
only if it is much more alike than videos usually are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vidrnn.check.finding import Concern, Finding
from vidrnn.check.reading import Understood
from vidrnn.data.dataset import Dataset
from vidrnn.data.films import counted
from vidrnn.data.grouping.looks import COPY, copy_distances
from vidrnn.data.splits import Split
from vidrnn.values import FilmScan

MOST_FILMS = 5000
"""More videos are not compared: the time grows with the square of their number."""
_USUAL_SHARE = 0.5
"""A pair is nearer than this share of the distance that a video usually has to the nearest other one."""
_OTHER_LENGTH, _OTHER_SECONDS = 0.02, 0.2
"""Copies have one length, but for what a container adds or an encoder drops."""

_OUT_OF_STEP = 2.0
"""Copies may be a frame or two out of step, so at one moment they may differ by more than at the best one."""

Pair = tuple[int, int]


def double_findings(read: Understood) -> Iterator[Finding]:
    """The findings on near-duplicates among the usable videos. Exact copies are found by the reading itself."""
    dataset = read.best
    if dataset is None or len(set(dataset.films)) < 2:
        return
    places = _whole_films(dataset)
    if len(places) > MOST_FILMS:
        yield Finding("doubles", "note", f"More than {MOST_FILMS:,} videos are not compared for near-duplicates")
        return
    pairs = near_pairs([dataset.scans[place] for place in places])
    pairs = [(places[one], places[other]) for one, other in pairs]
    films = dataset.films
    across = [pair for pair in pairs if films[pair[0]].label != films[pair[1]].label]
    if across:
        yield Finding(
            "double-classes",
            "warning",
            f"{counted(len(across), 'pair')} of videos with different classes {_look(across)} nearly the same",
            "One label of each pair may be wrong. Look at them, and keep the right one.",
            tuple(_concerns(dataset, across, lambda place: repr(films[place].label))),
        )
    if read.split is not None and len(read.split.parts) == len(films):
        yield from _across_sides(dataset, read.split, pairs)


def _across_sides(dataset: Dataset, split: Split, pairs: Sequence[Pair]) -> Iterator[Finding]:
    apart = [(one, other) for one, other in pairs if split.parts[one] is not split.parts[other]]
    if apart:
        yield Finding(
            "double-sides",
            "warning",
            f"{counted(len(apart), 'pair')} of videos on different sides of the split {_look(apart)} nearly the same",
            "Scores will be too high. Give both of a pair one name in a group column, or drop one.",
            tuple(_concerns(dataset, apart, lambda place: str(split.parts[place]))),
        )


def near_pairs(scans: Sequence[FilmScan]) -> list[Pair]:
    """The pairs of videos that are nearly the same, by their places in `scans`."""
    if len(scans) < 2:
        return []
    distances = copy_distances(scans)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.min(axis=1)
    usual = float(np.median(nearest[np.isfinite(nearest)])) if np.isfinite(nearest).any() else 0.0
    limit = min(COPY, _USUAL_SHARE * usual) if len(scans) > 2 else COPY
    seconds = np.array([scan.facts.duration_seconds for scan in scans])
    rows, columns = np.nonzero(np.triu(distances < limit, 1))
    return [
        (one, other)
        for one, other in zip(rows.tolist(), columns.tolist(), strict=True)
        if _of_one_length(seconds, one, other) and _in_one_order(scans[one], scans[other], limit)
    ]


def _of_one_length(seconds: NDArray[np.float64], one: int, other: int) -> bool:
    longest = max(seconds[one], seconds[other])
    return bool(abs(seconds[one] - seconds[other]) <= max(_OTHER_SECONDS, _OTHER_LENGTH * longest))


def _in_one_order(one: FilmScan, other: FilmScan, limit: float) -> bool:
    """Whether two videos are near to each other moment by moment: one that is played backwards is no double."""
    count = min(len(one.thumbnails), len(other.thumbnails))
    first, second = (
        scan.thumbnails[np.linspace(0, len(scan.thumbnails) - 1, count).round().astype(int)].astype(np.float64)
        for scan in (one, other)
    )
    return bool(np.sqrt(((first - second) ** 2).mean(axis=(1, 2))).max() < _OUT_OF_STEP * limit)


def _whole_films(dataset: Dataset) -> list[int]:
    """The place of one clip of each film: thumbnails are of whole films, and so parts of a film cannot be compared."""
    places: dict[str, int] = {}
    for place, scan in enumerate(dataset.scans):
        if scan.excerpt is None:
            places.setdefault(scan.content_hash, place)
    return list(places.values())


def _look(pairs: Sequence[Pair]) -> str:
    return "looks" if len(pairs) == 1 else "look"


def _concerns(dataset: Dataset, pairs: Sequence[Pair], what: Callable[[int], str]) -> Iterator[Concern]:
    for one, other in pairs:
        name = dataset.films[other].path.name
        yield Concern(dataset.films[one].path, f"{what(one)}, like {name}, {what(other)}")
        yield Concern(dataset.films[other].path, f"{what(other)}, like {dataset.films[one].path.name}, {what(one)}")
