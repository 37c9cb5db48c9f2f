"""Which films belong together, so that no split may part them: by column, by name, or by look.

Knows names and thumbnails; what is done with the groups stands in splits.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrnn.data.films import counted, natural_key
from vidrnn.errors import DataError
from vidrnn.values import FilmScan, LabelledFilm, Part

WHO_WORDS = (
    *("person", "subject", "subj", "participant", "actor", "speaker", "performer", "player", "patient", "figure"),
    *("user", "people", "man", "woman", "child", "animal", "mouse", "rat", "sub", "pid", "sid", "id", "p", "s"),
)
WHERE_WORDS = ("group", "grp", "g", "source", "src", "session", "sess", "scene", "place", "site", "room", "day", "cam")
COUNTER_WORDS = frozenset(
    (
        *("c", "clip", "take", "t", "trial", "try", "run", "rep", "repeat", "e", "r", "x", "n", "no", "nr", "num"),
        *("number", "v", "vid", "video", "film", "movie", "mov", "part", "seg", "segment", "cut", "copy", "sample"),
        *("f", "frame", "frames", "img", "image", "pic", "fps", "hz", "px"),
    )
)
ALMOST_ALL = 0.95
"""Share of the films whose names must show a pattern for it to be taken as one."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """The group of each film, in the films' order, and how the groups were found."""

    groups: tuple[str, ...]
    source: str
    """In words, such as 'from names: _gNN_'."""
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Films of each group, sorted by name."""
        return dict(sorted(Counter(self.groups).items(), key=lambda item: natural_key(Path(item[0]))))

    def __str__(self) -> str:
        shared = {name: count for name, count in self.counts.items() if count > 1}
        shown = [f"{name} ({count})" for name, count in list(shared.items())[:30]]
        more = [f"and {len(shared) - 30} more"] if len(shared) > 30 else []
        return f"{counted(len(self.counts), 'group')} ({self.source})" + (
            ": " + ", ".join(shown + more) if shown else ""
        )


def group_films(films: Sequence[LabelledFilm], scans: Sequence[FilmScan]) -> Grouping:
    """Groups by the films' own `group`, else by a pattern in their names, else by what they look like.

    `scans` are in the films' order.
    """
    if any(film.group for film in films):
        return _from_column(films)
    return _from_names(films) or _from_looks(films, scans)


def named_groups(films: Sequence[LabelledFilm]) -> tuple[str, ...]:
    """Groups by the films' own `group`, else by a pattern in their names; a film that shows neither stands alone."""
    if any(film.group for film in films):
        return _from_column(films).groups
    found = _from_names(films)
    return found.groups if found else tuple(_film_names(films))


def drop_duplicates(
    films: Sequence[LabelledFilm], scans: Sequence[FilmScan]
) -> tuple[tuple[LabelledFilm, ...], tuple[FilmScan, ...], tuple[str, ...]]:
    """Films and scans with each content once, and notes on what was dropped.

    Of a film that a given split has on two sides the copy of the later side stays, so that no score is flattered.
    Raises DataError when one content has two labels.
    """
    order = {None: 0, Part.TRAIN: 0, Part.VAL: 1, Part.TEST: 2}
    kept: dict[str, int] = {}
    sides: defaultdict[str, set[Part | None]] = defaultdict(set)
    for index, (film, scan) in enumerate(zip(films, scans, strict=True)):
        before = kept.setdefault(scan.content_hash, index)
        if films[before].label != film.label:
            raise DataError(
                f"{films[before].path} ({films[before].label!r}) and {film.path} ({film.label!r}) are the same film "
                "with different labels; keep the one that is right."
            )
        sides[scan.content_hash].add(film.part)
        if order[film.part] > order[films[before].part]:
            kept[scan.content_hash] = index
    chosen = sorted(kept.values())
    notes = list(_duplicate_notes(len(films) - len(chosen), sum(len(each) > 1 for each in sides.values())))
    return tuple(films[i] for i in chosen), tuple(scans[i] for i in chosen), tuple(notes)


def _duplicate_notes(dropped: int, torn: int) -> Iterator[str]:
    if dropped:
        yield f"left out as exact copies of others: {counted(dropped, 'film')}"
    if torn:
        yield f"on two sides of the given split, so kept on the later one only: {counted(torn, 'film')}"


def _from_column(films: Sequence[LabelledFilm]) -> Grouping:
    alone = sum(film.group is None for film in films)
    names = _film_names(films)
    groups = tuple(film.group or name for film, name in zip(films, names, strict=True))
    notes = (f"without a group, so each by itself: {counted(alone, 'film')}",) if alone else ()
    return Grouping(groups, "from the group column", notes)


def _film_names(films: Sequence[LabelledFilm]) -> list[str]:
    """A name for each film that no other has: its path below the folder they share."""
    paths = [film.path.absolute() for film in films]
    root = os.path.commonpath([path.parent for path in paths])
    return [path.relative_to(root).as_posix() for path in paths]


# --- names -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A place in the names that says something of each film: its values, None where a film has none."""

    word: str
    """The letters before the number, or '' for the name of a whole folder."""
    shown: str
    values: tuple[str | None, ...]


def _from_names(films: Sequence[LabelledFilm]) -> Grouping | None:
    """Groups by the most telling pattern of the names, if any tells who or where."""
    labels = [film.label for film in films]
    told = [pattern for pattern in _patterns(films) if _tells(pattern, labels)]
    if not told:
        return None
    best = min(told, key=lambda pattern: _rank(pattern.word))
    names = _film_names(films)
    groups = tuple(value or name for value, name in zip(best.values, names, strict=True))
    without = best.values.count(None)
    notes = (f"without {best.shown} in the name, so each by itself: {counted(without, 'film')}",) if without else ()
    return Grouping(groups, f"from names: {best.shown}", notes)


def _rank(word: str) -> int:
    """Who comes before where, where before a folder, a folder before a word that is not known."""
    known = (*WHO_WORDS, *WHERE_WORDS, "")
    return known.index(word) if word in known else len(known)


def _tells(pattern: _Pattern, labels: Sequence[str]) -> bool:
    """Whether a pattern's values look like groups of films, rather than a counter, a class or a setting."""
    pairs = [(label, value) for label, value in zip(labels, pattern.values, strict=True) if value is not None]
    counts = Counter(value for _, value in pairs)
    if len(pairs) < ALMOST_ALL * len(labels) or len(counts) < 3 or len(pairs) <= len(counts):
        return False
    if len(set(pairs)) == len(counts) and len(counts) < 3 * len(set(labels)):
        return False  # each value is of one class, and few to a class: another name of the class
    if _rank(pattern.word) < _rank(""):
        return True
    counter = len(pairs) < 1.5 * len(set(pairs))
    return not counter and len(counts) >= 5 and max(counts.values()) <= 0.4 * len(pairs)


def _patterns(films: Sequence[LabelledFilm]) -> list[_Pattern]:
    """Every word-and-number and every folder level below the class folder, in the order of the names."""
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
"""Level (0 is the film's own name, 1 the folder it lies in), word, and how often the word came before in that name."""


_WORD_AND_NUMBER = re.compile(r"(?<=([-_]))?([^\W\d_]+)([-_ ]?)(\d+)(?=([-_]))?")


def _places(film: LabelledFilm, name: Path) -> dict[_Place, tuple[str, str]]:
    """The number, or the folder's name, at each place; with it how the place looks, such as _gNN_."""
    folders = [part for part in name.parent.parts if part != film.label][::-1]
    found: dict[_Place, tuple[str, str]] = {}
    for level, text in enumerate([name.stem if not film.path.is_dir() else name.name, *folders]):
        seen: Counter[str] = Counter()
        for match in _WORD_AND_NUMBER.finditer(text):
            before, word, between, digits, after = (bit or "" for bit in match.groups())
            place = (level, word.casefold(), seen[word.casefold()])
            found[place] = (digits, f"{before}{word}{between}{'N' * len(digits)}{after}")
            seen[word.casefold()] += 1
        if level:
            found[level, "", 0] = (text, "folders")
    return found


def _uniform(word: str, values: Sequence[str | None]) -> Iterator[str | None]:
    """Person1 and person01 are one person."""
    width = min((len(value) for value in values if value), default=0)
    for value in values:
        yield value if value is None or not word else f"{word}{int(value):0{width}d}"


# --- looks -----------------------------------------------------------------------------------------------------------

NEAR = 12.0
"""Root mean square difference of two 12 x 16 thumbnails, of 255, below which two films show one scene. Of the pairs so
near in UCF-101 98 % are of one group, and the rest are mostly one recording under two group names."""
ALIKE = 1.5
"""How much further apart films may be whose names differ only in the number at the end."""
COPY = 2.0
"""As NEAR, but for every thumbnail of one film in the other: the one is the other over again."""
FLAT = 8.0
"""A thumbnail whose grey values deviate less than this (of 255) is a blank that many films share: it says nothing."""


def _from_looks(films: Sequence[LabelledFilm], scans: Sequence[FilmScan]) -> Grouping:
    """Films that show one scene at any time belong together; of those before one fixed camera only copies do."""
    thumbnails = [scan.thumbnails for scan in scans]
    distances = _distances(thumbnails, throughout=False)
    series = np.unique([_series(film.path) for film in films], return_inverse=True)[1]
    distances[series[:, None] == series[None, :]] /= ALIKE
    near, remark = distances < NEAR, ""
    labels = np.array([film.label for film in films])
    stricter: tuple[tuple[Callable[[], NDArray[np.bool_]], str], ...] = (
        (partial(_copies, thumbnails), "so only copies of them were joined"),
        (partial(np.zeros_like, near), "and cannot be told from copies, so none of them were joined"),
    )
    for relation, words in stricter:
        alike = _too_alike(_clusters(near), labels)
        if not alike.any():
            break
        near &= relation() | ~(alike[:, None] | alike[None, :])
        which = "all films" if alike.all() else f"films of {', '.join(sorted(set(labels[alike])))}"
        remark = f"; {which} look alike, as before one fixed camera, {words}"
    return _named_by_looks(films, _clusters(near), remark)


def _copies(thumbnails: Sequence[NDArray[np.uint8]]) -> NDArray[np.bool_]:
    return _distances(thumbnails, throughout=True) < COPY


def _named_by_looks(films: Sequence[LabelledFilm], roots: NDArray[np.intp], remark: str) -> Grouping:
    names = _film_names(films)
    groups = tuple(names[root] for root in roots)
    joined = [count for count in Counter(groups).values() if count > 1]
    if not joined:
        return Grouping(groups, f"no group column and no pattern in names: each film by itself{remark}")
    return Grouping(
        groups, f"near-duplicates kept together: {sum(joined)} films in {counted(len(joined), 'group')}{remark}"
    )


def _series(path: Path) -> str:
    """What the names of one film's pieces share: all but the number at the end."""
    return str(path.parent / re.sub(r"[-_ (]*\d+[) ]*$", "", path.stem))


def _too_alike(roots: NDArray[np.intp], labels: NDArray[np.str_]) -> NDArray[np.bool_]:
    """The films whose clusters tell nothing: of classes left with too few for three sides, or all if one swallows."""
    if np.bincount(roots).max() > max(2, len(labels) / 3):
        return np.ones(len(labels), dtype=bool)
    sizes = Counter(labels.tolist())
    clusters = Counter(label for label, _ in set(zip(labels.tolist(), roots.tolist(), strict=True)))
    few = [label for label, size in sizes.items() if clusters[label] < min(3, size)]
    return np.isin(labels, few)


def _clusters(near: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The first member of each film's cluster, where clusters are all that is joined by a chain of near films."""
    roots = np.full(len(near), -1)
    for film in range(len(near)):
        reached = np.array([film]) if roots[film] < 0 else np.array([], dtype=np.intp)
        while len(reached):
            roots[reached] = film
            reached = np.flatnonzero(near[reached].any(axis=0) & (roots < 0))
    return roots


def _distances(thumbnails: Sequence[NDArray[np.uint8]], *, throughout: bool, block: int = 256) -> NDArray[np.float32]:
    """(films, films) root mean square difference of the two thumbnails that are most alike; infinite for blanks.

    `throughout` takes the thumbnail of the one film that is least like any of the other instead.
    """
    pixels = np.concatenate([each.reshape(len(each), -1) for each in thumbnails]).astype(np.float32) - 128
    owners = np.repeat(np.arange(len(thumbnails)), [len(each) for each in thumbnails])
    telling = pixels.std(axis=1) >= FLAT
    pixels, owners = pixels[telling], owners[telling]
    squares = (pixels**2).sum(axis=1)
    films, starts = np.unique(owners, return_index=True)
    found = np.full((len(thumbnails), len(thumbnails)), np.inf, dtype=np.float32)
    for first in range(0, len(films), block):
        these, rest = films[first : first + block], films[first:]
        begin = starts[first]
        end = starts[first + block] if first + block < len(films) else len(owners)
        apart = squares[begin:end, None] + squares[None, begin:] - 2 * (pixels[begin:end] @ pixels[begin:].T)
        rows, columns = starts[first : first + block] - begin, starts[first:] - begin
        nearest = np.minimum.reduceat(apart, columns, axis=1)
        if not throughout:
            found[np.ix_(these, rest)] = np.minimum.reduceat(nearest, rows, axis=0)
            continue
        one_in_other = np.maximum.reduceat(nearest, rows, axis=0)
        other_in_one = np.maximum.reduceat(np.minimum.reduceat(apart, rows, axis=0), columns, axis=1)
        found[np.ix_(these, rest)] = np.minimum(one_in_other, other_in_one)
    distances: NDArray[np.float32] = np.sqrt(np.maximum(np.minimum(found, found.T), 0) / pixels.shape[1])
    np.fill_diagonal(distances, np.inf)
    return distances
