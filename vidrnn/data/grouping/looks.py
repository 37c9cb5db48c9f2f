"""Groups of films that share a scene, by a few small pictures of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrnn.data.films import counted
from vidrnn.data.grouping.base import Grouping, film_names
from vidrnn.values import FilmScan, LabelledFilm

NEAR = 12.0
"""The largest root mean square difference of two 12 x 16 thumbnails (of 255) in one scene. In UCF-101, 98 % of the
pairs below it are in one group. Most of the others are one recording under two group names."""
ALIKE = 1.5
"""The factor of NEAR for films whose names differ only in the number at the end."""
COPY = 2.0
"""As NEAR, for copies: every thumbnail of one film must be this near to a thumbnail of the other."""
FLAT = 8.0
"""A thumbnail is ignored as blank if the standard deviation of its grey values (of 255) is smaller than this."""


def from_looks(films: Sequence[LabelledFilm], scans: Sequence[FilmScan]) -> Grouping:
    """Groups of films that share a scene. If many films look alike, as from one fixed camera, only copies share one."""
    thumbnails = [scan.thumbnails for scan in scans]
    distances = _distances(thumbnails, throughout=False)
    series = np.unique([_series(film.path) for film in films], return_inverse=True)[1]
    distances[series[:, None] == series[None, :]] /= ALIKE
    near, remark = distances < NEAR, ""
    labels = np.array([film.label for film in films])
    stricter: tuple[tuple[Callable[[], NDArray[np.bool_]], str], ...] = (
        (partial(_copies, thumbnails), "so only copies of them share a group"),
        (partial(np.zeros_like, near), "and like copies, so each of them is a group of its own"),
    )
    for relation, words in stricter:
        alike = _too_alike(_clusters(near), labels)
        if not alike.any():
            break
        near &= relation() | ~(alike[:, None] | alike[None, :])
        which = "all videos" if alike.all() else f"videos of {', '.join(sorted(set(labels[alike])))}"
        remark = f"; {which} look alike, as from one fixed camera, {words}"
    return _named_by_looks(films, _clusters(near), remark)


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
    return str(path.parent / re.sub(r"[-_ (]*\d+[) ]*$", "", path.stem))


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
