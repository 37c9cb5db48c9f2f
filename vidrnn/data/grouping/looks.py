"""Groups of films that share a scene, by a few small pictures of each."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vidrnn.data.films import counted
from vidrnn.data.grouping.base import Grouping, film_names
from vidrnn.data.grouping.near import Pictures
from vidrnn.data.scan import thumbnails_of
from vidrnn.values import FilmScan, LabelledFilm

NEAR = 12.0
"""The largest root mean square difference of two 12 x 16 thumbnails (of 255) in one scene. In UCF-101, 98 % of the
pairs below it are in one group. Most of the others are one recording under two group names."""
ALIKE = 1.5
"""The factor of NEAR for films whose names differ only in the number at the end."""
COPY = 2.0
"""As NEAR, for copies: every thumbnail of one film must be this near to a thumbnail of the other."""
MANY = 4000
"""Of more films, not every pair is compared: a table of all pairs of 100,000 films takes 40 GB."""
MOST_PICTURES = 1_000_000
"""Of very many films fewer thumbnails are compared, but always the first and the last."""
_COUNT = re.compile(r"[-_ (]*\d+[) ]*$")
FLAT = 8.0
"""A thumbnail is ignored as blank if the standard deviation of its grey values (of 255) is smaller than this."""


def from_looks(films: Sequence[LabelledFilm], scans: Sequence[FilmScan]) -> Grouping:
    """Groups of films that share a scene. If many films look alike, as from one fixed camera, only copies share one.

    Of up to `MANY` films each is compared with each. Of more, those are compared that random trees find near.
    """
    labels = np.array([film.label for film in films])
    look = _Sparse.of(films, scans) if len(films) > MANY else _Dense.of(films, scans)
    roots, remark = look.clusters(), ""
    for words in (
        "so only copies of them share a group",
        "and like copies, so each of them is a group of its own",
    ):
        alike = _too_alike(roots, labels)
        if not alike.any():
            break
        roots = look.clusters(alike)
        which = "all videos" if alike.all() else f"videos of {', '.join(sorted(set(labels[alike])))}"
        remark = f"; {which} look alike, as from one fixed camera, {words}"
    return _named_by_looks(films, roots, remark)


class _Look(ABC):
    """The near films of a dataset. Each call of `clusters` is stricter than the one before."""

    @abstractmethod
    def clusters(self, alike: NDArray[np.bool_] | None = None) -> NDArray[np.intp]:
        """(films,): the first film of each film's cluster. A chain of near films is one cluster.

        `alike`: (films,) those that look too much alike to be near. First, only copies of them are near, then none.
        """


@dataclass
class _Dense(_Look):
    """All pairs, as a table (films, films)."""

    thumbnails: Sequence[NDArray[np.uint8]]
    near: NDArray[np.bool_]
    _strict: bool = False

    @classmethod
    def of(cls, films: Sequence[LabelledFilm], scans: Sequence[FilmScan]) -> _Dense:
        thumbnails = list(thumbnails_of(scans))
        distances = _distances(thumbnails, throughout=False)
        series = np.unique([_series(film.path) for film in films], return_inverse=True)[1]
        distances[series[:, None] == series[None, :]] /= ALIKE
        return cls(thumbnails, distances < NEAR)

    @override
    def clusters(self, alike: NDArray[np.bool_] | None = None) -> NDArray[np.intp]:
        if alike is not None:
            still = np.zeros_like(self.near) if self._strict else _copies(self.thumbnails)
            self.near &= still | ~(alike[:, None] | alike[None, :])
            self._strict = True
        return _clusters(self.near)


@dataclass
class _Sparse(_Look):
    """The pairs that meet in a leaf of a random tree."""

    pictures: Pictures
    thumbnails: Sequence[NDArray[np.uint8]]
    series: NDArray[np.intp]
    _alike: list[NDArray[np.bool_]] = field(default_factory=list)
    _compared: dict[tuple[int, int], bool] = field(default_factory=dict)
    """Whether two films are copies, of those that were compared as a whole."""

    @classmethod
    def of(cls, films: Sequence[LabelledFilm], scans: Sequence[FilmScan]) -> _Sparse:
        most = max(2, MOST_PICTURES // len(films))
        thumbnails = [_some(each, most) for each in thumbnails_of(scans)]
        pixels = np.concatenate([each.reshape(len(each), -1) for each in thumbnails])
        owners = np.repeat(np.arange(len(thumbnails)), [len(each) for each in thumbnails])
        textured = np.concatenate(
            [each.std(axis=1) >= FLAT for each in np.array_split(pixels, len(pixels) // 10_000 + 1)]
        )
        series: dict[str, int] = {}
        numbers = np.fromiter(
            (series.setdefault(_series(film.path), len(series)) for film in films), np.intp, len(films)
        )
        return cls(Pictures.of(pixels[textured], owners[textured]), thumbnails, numbers)

    @override
    def clusters(self, alike: NDArray[np.bool_] | None = None) -> NDArray[np.intp]:
        self._alike += [] if alike is None else [alike]
        return self.pictures.clusters(len(self.thumbnails), NEAR * ALIKE, self._belong)

    def _belong(
        self, one: NDArray[np.intp], other: NDArray[np.intp], squared: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        limit = np.where(self.series[one] == self.series[other], NEAR * ALIKE, NEAR)
        near: NDArray[np.bool_] = squared < limit**2
        for step, alike in enumerate(self._alike):
            doubtful = near & (alike[one] | alike[other])
            near &= ~doubtful
            if not step:
                places = np.flatnonzero(doubtful & (squared < COPY**2)).tolist()
                near[[place for place in places if self._is_copy(int(one[place]), int(other[place]))]] = True
        return near

    def _is_copy(self, one: int, other: int) -> bool:
        if (one, other) not in self._compared:
            distance = _distances([self.thumbnails[one], self.thumbnails[other]], throughout=True)[0, 1]
            self._compared[one, other] = bool(distance < COPY)
        return self._compared[one, other]


def _some(thumbnails: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """At most so many thumbnails, evenly chosen, the first and the last among them."""
    if len(thumbnails) <= most:
        return thumbnails
    chosen: NDArray[np.uint8] = thumbnails[np.linspace(0, len(thumbnails) - 1, most).round().astype(int)]
    return chosen


def copy_distances(scans: Sequence[FilmScan]) -> NDArray[np.float32]:
    """(films, films): how far each film is from being a copy of each other one; below `COPY` it may be one.

    The distance is the root mean square difference of grey values (of 255) where two films differ most; infinite where
    one is blank.
    """
    return _distances([scan.thumbnails for scan in scans], throughout=True)


def _copies(thumbnails: Sequence[NDArray[np.uint8]]) -> NDArray[np.bool_]:
    return _distances(thumbnails, throughout=True) < COPY


def _named_by_looks(films: Sequence[LabelledFilm], roots: NDArray[np.intp], remark: str) -> Grouping:
    names = film_names(films)
    groups = tuple(names[root] for root in roots)
    joined = [count for count in Counter(groups).values() if count > 1]
    if not joined:
        return Grouping(groups, f"no group column and no pattern in names: each video is a group{remark}")
    return Grouping(
        groups, f"near-duplicates share a group: {sum(joined)} videos in {counted(len(joined), 'group')}{remark}"
    )


def _series(path: Path) -> str:
    """The path without the number at its end, which the pieces of one film share."""
    folder, name = os.path.split(path)
    return os.path.join(folder, _COUNT.sub("", os.path.splitext(name)[0]))  # noqa: PTH118, PTH122


def _too_alike(roots: NDArray[np.intp], labels: NDArray[np.str_]) -> NDArray[np.bool_]:
    """(films,): the films with useless clusters. A class needs three clusters; one large cluster makes all useless."""
    if np.bincount(roots).max() > max(2, len(labels) / 3):
        return np.ones(len(labels), dtype=bool)
    sizes = Counter(labels.tolist())
    clusters = Counter(label for label, _ in set(zip(labels.tolist(), roots.tolist(), strict=True)))
    few = [label for label, size in sizes.items() if clusters[label] < min(3, size)]
    return np.isin(labels, few)


def _clusters(near: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(films,): the first film of each film's cluster. A chain of near films is one cluster."""
    roots = np.full(len(near), -1)
    for film in range(len(near)):
        reached = np.array([film]) if roots[film] < 0 else np.array([], dtype=np.intp)
        while len(reached):
            roots[reached] = film
            reached = np.flatnonzero(near[reached].any(axis=0) & (roots < 0))
    return roots


def _distances(thumbnails: Sequence[NDArray[np.uint8]], *, throughout: bool, block: int = 256) -> NDArray[np.float32]:
    """(films, films): the root mean square difference of the two nearest thumbnails; infinite for blanks.

    With `throughout`, it is the largest distance of a thumbnail of one film from the nearest of the other film.
    """
    pixels = np.concatenate([each.reshape(len(each), -1) for each in thumbnails]).astype(np.float32) - 128
    owners = np.repeat(np.arange(len(thumbnails)), [len(each) for each in thumbnails])
    textured = pixels.std(axis=1) >= FLAT
    pixels, owners = pixels[textured], owners[textured]
    squares = (pixels**2).sum(axis=1)
    films, starts = np.unique(owners, return_index=True)
    squared = np.full((len(thumbnails), len(thumbnails)), np.inf, dtype=np.float32)
    for first in range(0, len(films), block):
        these, rest = films[first : first + block], films[first:]
        begin = starts[first]
        end = starts[first + block] if first + block < len(films) else len(owners)
        apart = squares[begin:end, None] + squares[None, begin:] - 2 * (pixels[begin:end] @ pixels[begin:].T)
        rows, columns = starts[first : first + block] - begin, starts[first:] - begin
        nearest = np.minimum.reduceat(apart, columns, axis=1)
        if not throughout:
            squared[np.ix_(these, rest)] = np.minimum.reduceat(nearest, rows, axis=0)
            continue
        one_in_other = np.maximum.reduceat(nearest, rows, axis=0)
        other_in_one = np.maximum.reduceat(np.minimum.reduceat(apart, rows, axis=0), columns, axis=1)
        squared[np.ix_(these, rest)] = np.minimum(one_in_other, other_in_one)
    distances: NDArray[np.float32] = np.sqrt(np.maximum(np.minimum(squared, squared.T), 0) / pixels.shape[1])
    np.fill_diagonal(distances, np.inf)
    return distances
