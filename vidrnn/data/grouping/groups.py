"""Groups of films that a split must keep on one side: by the group column, by file names, or by appearance.

This module knows names and thumbnails. The module splits uses the groups.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace

from vidrnn.data.films import counted
from vidrnn.data.grouping.base import Grouping, film_names
from vidrnn.data.grouping.looks import from_looks
from vidrnn.data.grouping.names import from_names
from vidrnn.data.grouping.recordings import chapters, leaves_groups, pieces
from vidrnn.data.listing.tables import listed_faults
from vidrnn.errors import DataError
from vidrnn.values import Excerpt, FilmScan, LabelledFilm, Part


def group_films(films: Sequence[LabelledFilm], scans: Sequence[FilmScan]) -> Grouping:
    """Groups by the films' own `group`, else by a pattern in their names, else by their thumbnails.

    Excerpts of one film always share a group. `scans` are in the films' order.
    """
    if any(film.group for film in films):
        return _joined(_from_column(films), [scan.content_hash for scan in scans])
    places, spread = _each_once([scan.content_hash for scan in scans])
    once = [films[place] for place in places]
    grouping = from_names(once) or from_looks(once, [scans[place] for place in places])
    grouping = _with_recordings(once, [scans[place].facts.duration_seconds for place in places], grouping)
    return replace(grouping, groups=tuple(grouping.groups[place] for place in spread))


def named_groups(films: Sequence[LabelledFilm]) -> tuple[str, ...]:
    """(films,): groups by the films' own `group`, else by a pattern in their names. Other films are groups of one."""
    if any(film.group for film in films):
        return _joined(_from_column(films), [film.path for film in films]).groups
    places, spread = _each_once([film.path for film in films])
    once = [films[place] for place in places]
    grouping = from_names(once) or Grouping(tuple(film_names(once)), "")
    groups = _with_recordings(once, None, grouping).groups
    return tuple(groups[place] for place in spread)


def _with_recordings(films: Sequence[LabelledFilm], seconds: Sequence[float] | None, grouping: Grouping) -> Grouping:
    """The grouping with groups joined that hold pieces of one recording, as the names and lengths of films tell.

    Without `seconds` only the chapters count that names alone tell.
    """
    names = film_names(films)
    found = chapters(names)
    if any(found):
        grouping = _joined_by(grouping, found, "chapters of one recording share a group")
    found = pieces(names, seconds) if seconds is not None else []
    if not any(found):
        return grouping
    joined = _joined_by(grouping, found, "pieces that follow each other in time share a group")
    if leaves_groups([film.label for film in films], grouping.groups, joined.groups):
        return joined
    note = (
        "by the times in their names, videos are pieces of a few long recordings; too few for a split by recording, so "
        "pieces of one recording may stand on two sides, and scores may be too high. A group column decides otherwise"
    )
    return replace(grouping, notes=(*grouping.notes, note))


def _joined_by(grouping: Grouping, recordings: Sequence[str | None], words: str) -> Grouping:
    """The grouping with groups joined that share a recording."""
    keys = [(place,) if each is None else each for place, each in enumerate(recordings)]
    joined = _joined(grouping, keys)
    pieces_count, count = sum(each is not None for each in recordings), len(set(recordings) - {None})
    source = f"{joined.source}; {words}: {counted(pieces_count, 'video')} of {counted(count, 'recording')}"
    return replace(joined, source=source, notes=grouping.notes)


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
            roots[group] = roots[roots[group]]  # or a long chain of groups would be walked for each of them
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
    in_two_parts: set[tuple[str, Excerpt | None]] = set()
    conflicts: list[str] = []
    for index, (film, scan) in enumerate(zip(films, scans, strict=True)):
        key = (scan.content_hash, scan.excerpt)
        before = places.setdefault(key, index)
        if before == index:
            continue
        if films[before].label != film.label:
            conflicts.append(
                f"{films[before].path} ({films[before].label!r}) and {film.path} ({film.label!r}) are the same video "
                "with different labels; keep the one that is right."
            )
        if film.part is not films[before].part:
            in_two_parts.add(key)
        if order[film.part] > order[films[before].part]:
            places[key] = index
    if conflicts:
        raise DataError(listed_faults(conflicts))
    chosen = sorted(places.values())
    notes = list(_duplicate_notes(len(films) - len(chosen), len(in_two_parts)))
    return tuple(films[i] for i in chosen), tuple(scans[i] for i in chosen), tuple(notes)


def copies_note(dropped: int) -> str:
    """The note on copies that are left out."""
    return f"left out as exact copies of others: {counted(dropped, 'video')}"


def _duplicate_notes(dropped: int, in_two_parts: int) -> Iterator[str]:
    if dropped:
        yield copies_note(dropped)
    if in_two_parts:
        yield f"in two parts of the given split, used in the later part only: {counted(in_two_parts, 'video')}"


def _from_column(films: Sequence[LabelledFilm]) -> Grouping:
    alone = sum(film.group is None for film in films)
    names = [""] * len(films) if all(film.group for film in films) else film_names(films)
    groups = tuple(film.group or name for film, name in zip(films, names, strict=True))
    notes = (f"without a group, so each is a group of its own: {counted(alone, 'video')}",) if alone else ()
    return Grouping(groups, "from the group column", notes)
