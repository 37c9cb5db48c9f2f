"""Groups of films that a split must keep on one side: by the group column, by file names, or by appearance.

This module knows names and thumbnails. The module splits uses the groups.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrnn.data.films import counted, natural_key
from vidrnn.data.listing.tables import listed_faults
from vidrnn.errors import DataError
from vidrnn.values import Excerpt, FilmScan, LabelledFilm, Part

SUBJECT_WORDS = (
    *("person", "subject", "subj", "participant", "actor", "speaker", "performer", "player", "patient", "figure"),
    *("user", "people", "man", "woman", "child", "animal", "mouse", "rat", "sub", "pid", "sid", "id", "p", "s"),
)
PLACE_WORDS = ("group", "grp", "g", "source", "src", "session", "sess", "scene", "place", "site", "room", "day", "cam")
COUNTER_WORDS = frozenset(
    (
        *("c", "clip", "take", "t", "trial", "try", "run", "rep", "repeat", "e", "r", "x", "n", "no", "nr", "num"),
        *("number", "v", "vid", "video", "film", "movie", "mov", "part", "seg", "segment", "cut", "copy", "sample"),
        *("f", "frame", "frames", "img", "image", "pic", "fps", "hz", "px"),
    )
)
LEAST_SHARE = 0.95
"""The share of films whose names must show a pattern."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """The group of each film, in the films' order, and the source of the groups."""

    groups: tuple[str, ...]
    source: str
    """The source in words, such as 'from names: _gNN_'."""
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """The number of films in each group, sorted by the name of the group."""
        return dict(sorted(Counter(self.groups).items(), key=lambda item: natural_key(Path(item[0]))))

    def __str__(self) -> str:
        shared = {name: count for name, count in self.counts.items() if count > 1}
        shown = [f"{name} ({count})" for name, count in list(shared.items())[:30]]
        more = [f"and {len(shared) - 30} more"] if len(shared) > 30 else []
        return f"{counted(len(self.counts), 'group')} ({self.source})" + (
            ": " + ", ".join(shown + more) if shown else ""
        )


def group_films(films: Sequence[LabelledFilm], scans: Sequence[FilmScan]) -> Grouping:
    """Groups by the films' own `group`, else by a pattern in their names, else by their thumbnails.

    Excerpts of one film always share a group. `scans` are in the films' order.
    """
    if any(film.group for film in films):
        return _joined(_from_column(films), [scan.content_hash for scan in scans])
    places, spread = _each_once([scan.content_hash for scan in scans])
    once = [films[place] for place in places]
    grouping = _from_names(once) or _from_looks(once, [scans[place] for place in places])
    return replace(grouping, groups=tuple(grouping.groups[place] for place in spread))


def named_groups(films: Sequence[LabelledFilm]) -> tuple[str, ...]:
    """(films,): groups by the films' own `group`, else by a pattern in their names. Other films are groups of one."""
    if any(film.group for film in films):
        return _joined(_from_column(films), [film.path for film in films]).groups
    places, spread = _each_once([film.path for film in films])
    once = [films[place] for place in places]
    grouping = _from_names(once)
    groups = grouping.groups if grouping else _film_names(once)
    return tuple(groups[place] for place in spread)


def _each_once(keys: Sequence[Hashable]) -> tuple[list[int], list[int]]:
    """The place where each key comes first, and for each of `keys` its place in that list."""
    numbers: dict[Hashable, int] = {}
    spread = [numbers.setdefault(key, len(numbers)) for key in keys]
    places: dict[int, int] = {}
    for place, number in enumerate(spread):
        places.setdefault(number, place)
    return list(places.values()), spread


def _joined(grouping: Grouping, keys: Sequence[Hashable]) -> Grouping:
    """The grouping with the groups joined that share a film, under the name of the first of them."""
    roots = {group: group for group in grouping.groups}

    def root(group: str) -> str:
        while roots[group] != group:
            group = roots[group]
        return group

    first: dict[Hashable, str] = {}
    joined = 0
    for group, key in zip(grouping.groups, keys, strict=True):
        one, other = root(first.setdefault(key, group)), root(group)
        joined += one != other
        roots[other] = one
    if not joined:
        return grouping
    note = f"excerpts of one video had different groups, so these groups are joined: {counted(joined, 'time')}"
    return replace(grouping, groups=tuple(map(root, grouping.groups)), notes=(*grouping.notes, note))


def drop_duplicates(
    films: Sequence[LabelledFilm], scans: Sequence[FilmScan]
) -> tuple[tuple[LabelledFilm, ...], tuple[FilmScan, ...], tuple[str, ...]]:
    """Films and scans with each content once, and notes on the dropped copies.

    A given split may have copies in two parts. Then the copy in the later part stays (train, val, test), so that no
    film of training is scored.

    Raises:
        DataError: one content has two labels. All such films are listed.
    """
    order = {None: 0, Part.TRAIN: 0, Part.VAL: 1, Part.TEST: 2}
    places: dict[tuple[str, Excerpt | None], int] = {}
    sides: defaultdict[tuple[str, Excerpt | None], set[Part | None]] = defaultdict(set)
    conflicts: list[str] = []
    for index, (film, scan) in enumerate(zip(films, scans, strict=True)):
        key = (scan.content_hash, scan.excerpt)
        before = places.setdefault(key, index)
        if films[before].label != film.label:
            conflicts.append(
                f"{films[before].path} ({films[before].label!r}) and {film.path} ({film.label!r}) are the same video "
                "with different labels; keep the one that is right."
            )
        sides[key].add(film.part)
        if order[film.part] > order[films[before].part]:
            places[key] = index
    if conflicts:
        raise DataError(listed_faults(conflicts))
    chosen = sorted(places.values())
    notes = list(_duplicate_notes(len(films) - len(chosen), sum(len(each) > 1 for each in sides.values())))
    return tuple(films[i] for i in chosen), tuple(scans[i] for i in chosen), tuple(notes)


def _duplicate_notes(dropped: int, in_two_parts: int) -> Iterator[str]:
    if dropped:
        yield f"left out as exact copies of others: {counted(dropped, 'video')}"
    if in_two_parts:
        yield f"in two parts of the given split, used in the later part only: {counted(in_two_parts, 'video')}"


def _from_column(films: Sequence[LabelledFilm]) -> Grouping:
    alone = sum(film.group is None for film in films)
    names = _film_names(films)
    groups = tuple(film.group or name for film, name in zip(films, names, strict=True))
    notes = (f"without a group, so each is a group of its own: {counted(alone, 'video')}",) if alone else ()
    return Grouping(groups, "from the group column", notes)


def _film_names(films: Sequence[LabelledFilm]) -> list[str]:
    """A unique name for each film: its path below the folder that all films share."""
    paths = [film.path.absolute() for film in films]
    root = os.path.commonpath([path.parent for path in paths])
    return [path.relative_to(root).as_posix() for path in paths]


# --- names -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A word and a number at one place in the names, or the name of a folder."""

    word: str
    """The letters before the number, or '' for the name of a whole folder."""
    shown: str
    """The pattern in words, such as _gNN_."""
    values: tuple[str | None, ...]
    """(films,): the value of each film; None if the name of a film lacks the pattern."""


def _from_names(films: Sequence[LabelledFilm]) -> Grouping | None:
    """Groups by the best pattern of the names; None if no pattern looks like a subject or a place."""
    labels = [film.label for film in films]
    candidates = [pattern for pattern in _patterns(films) if _is_grouping(pattern, labels)]
    if not candidates:
        return None
    best = min(candidates, key=lambda pattern: _rank(pattern.word))
    names = _film_names(films)
    groups = tuple(value or name for value, name in zip(best.values, names, strict=True))
    without = best.values.count(None)
    notes = (
        (f"without {best.shown} in the name, so each is a group of its own: {counted(without, 'video')}",)
        if without
        else ()
    )
    return Grouping(groups, f"from names: {best.shown}", notes)


def _rank(word: str) -> int:
    """The order of preference: words for subjects, words for places, folders, all other words."""
    preferred = (*SUBJECT_WORDS, *PLACE_WORDS, "")
    return preferred.index(word) if word in preferred else len(preferred)


def _is_grouping(pattern: _Pattern, labels: Sequence[str]) -> bool:
    """Whether the values of a pattern look like groups of films, and not like a counter, a class or a setting."""
    pairs = [(label, value) for label, value in zip(labels, pattern.values, strict=True) if value is not None]
    counts = Counter(value for _, value in pairs)
    if len(pairs) < LEAST_SHARE * len(labels) or len(counts) < 3 or len(pairs) <= len(counts):
        return False
    if len(set(pairs)) == len(counts) and len(counts) < 3 * len(set(labels)):
        return False  # each value occurs in one class only, with few values per class: it is another name of the class
    if _rank(pattern.word) < _rank(""):
        return True
    counter = len(pairs) < 1.5 * len(set(pairs))
    return not counter and len(counts) >= 5 and max(counts.values()) <= 0.4 * len(pairs)


def _patterns(films: Sequence[LabelledFilm]) -> list[_Pattern]:
    """Every word with a number, and every folder level below the class folder, in the order of the names."""
    places = [_places(film, Path(name)) for film, name in zip(films, _film_names(films), strict=True)]
    keys = dict.fromkeys(key for film in places for key in film)
    patterns = []
    for key in keys:
        _, word, occurrence = key
        if word in COUNTER_WORDS or occurrence:
            continue
        values, looks = zip(*(film.get(key, (None, "")) for film in places), strict=True)
        shown = Counter(filter(None, looks)).most_common(1)[0][0]
        patterns.append(_Pattern(word, shown, tuple(_uniform(word, values))))
    return patterns


_Place = tuple[int, str, int]
"""Level (0 is the film's own name, 1 its folder), word, and the count of the same word before it in that name."""


_WORD_AND_NUMBER = re.compile(r"(?<=([-_]))?([^\W\d_]+)([-_ ]?)(\d+)(?=([-_]))?")


def _places(film: LabelledFilm, name: Path) -> dict[_Place, tuple[str, str]]:
    """The value at each place (a number or the name of a folder), with the pattern in words, such as _gNN_."""
    folders = [part for part in name.parent.parts if part != film.label][::-1]
    values: dict[_Place, tuple[str, str]] = {}
    for level, text in enumerate([name.stem if not film.path.is_dir() else name.name, *folders]):
        seen: Counter[str] = Counter()
        for match in _WORD_AND_NUMBER.finditer(text):
            before, word, between, digits, after = (bit or "" for bit in match.groups())
            place = (level, word.casefold(), seen[word.casefold()])
            values[place] = (digits, f"{before}{word}{between}{'N' * len(digits)}{after}")
            seen[word.casefold()] += 1
        if level:
            values[level, "", 0] = (text, "folders")
    return values


def _uniform(word: str, values: Sequence[str | None]) -> Iterator[str | None]:
    """The values with the same number of digits, so that person1 and person01 are one person."""
    width = min((len(value) for value in values if value), default=0)
    for value in values:
        yield value if value is None or not word else f"{word}{(value.lstrip('0') or '0').zfill(width)}"


# --- looks -----------------------------------------------------------------------------------------------------------

NEAR = 12.0
"""The largest root mean square difference of two 12 x 16 thumbnails (of 255) in one scene. In UCF-101, 98 % of the
pairs below it are in one group. Most of the others are one recording under two group names."""
ALIKE = 1.5
"""The factor of NEAR for films whose names differ only in the number at the end."""
COPY = 2.0
"""As NEAR, for copies: every thumbnail of one film must be this near to a thumbnail of the other."""
FLAT = 8.0
"""A thumbnail is ignored as blank if the standard deviation of its grey values (of 255) is smaller than this."""


def _from_looks(films: Sequence[LabelledFilm], scans: Sequence[FilmScan]) -> Grouping:
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


def _copies(thumbnails: Sequence[NDArray[np.uint8]]) -> NDArray[np.bool_]:
    return _distances(thumbnails, throughout=True) < COPY


def _named_by_looks(films: Sequence[LabelledFilm], roots: NDArray[np.intp], remark: str) -> Grouping:
    names = _film_names(films)
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
