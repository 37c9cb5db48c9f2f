"""Splits of films into train, val and test, with no group on two sides. This module reads no files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vidrnn.data.films import counted
from vidrnn.data.grouping.base import Grouping
from vidrnn.data.grouping.stratified import stratified_sides
from vidrnn.errors import DataError, UsageError
from vidrnn.values import LabelledFilm, Part

SHARES = {Part.TRAIN: 0.70, Part.VAL: 0.15, Part.TEST: 0.15}
EXHAUSTIVE = 60_000
"""With at most this many possible splits, all are tried. Then it is certain if none fits."""
RESTARTS = 64
CHANGES = 400
"""The largest number of changes to the best start."""
EXCHANGES = 150
"""With at most this many groups, pairs of groups are exchanged too. With more, moves of one group are enough."""
MANY = 10_000
"""With more groups than this, they are shared out one by one: the search would take minutes and gigabytes."""
MISSING = 1000.0
"""The cost of a class that is missing from a side. It is more than the cost of any uneven shares."""
EMPTY = 1e9
"""The cost of a side without films. It is more than the cost of any missing classes."""


@dataclass(frozen=True, slots=True)
class Split:
    """The part of each film, in the films' order, and notes for the user."""

    parts: tuple[Part, ...]
    leaking_groups: tuple[str, ...] = ()
    """Groups on two sides. Only a given split can have them."""
    notes: tuple[str, ...] = ()
    cut_in_time: bool = False
    """Whether both parts are of one film: its beginning and its end."""

    def indices(self, part: Part) -> tuple[int, ...]:
        """The places of the films of a part in the list of films."""
        return tuple(index for index, each in enumerate(self.parts) if each is part)

    def __str__(self) -> str:
        counts = "  ".join(f"{part} {self.parts.count(part):,}" for part in Part if part in self.parts)
        leaking = len(self.leaking_groups)
        sides = f"{counted(leaking, 'group')} on two sides" if leaking else "no group on two sides"
        return f"{counts}, {'one video, cut in time' if self.cut_in_time else sides}"


def split_films(films: Sequence[LabelledFilm], grouping: Grouping, *, test: bool = True, seed: int = 0) -> Split:
    """The given split of the films, or a new one of about 70/15/15 % of the films with no group on two sides.

    If a given split has no val part, val is taken out of train, by group. The same films, groups and seed give the same
    split.

    Args:
        films: the films. If one has a part, all need one: that is a given split.
        grouping: the group of each film.
        test: whether a new split has a test part.
        seed: the seed of the search.

    Raises:
        DataError: no split has every class on every side, or a given split is incomplete.
    """
    if any(film.part for film in films):
        return _check_given(films, grouping, seed)
    shares = {part: share for part, share in SHARES.items() if test or part is not Part.TEST}
    return Split(_search_parts(films, grouping.groups, shares, seed))


def split_long_films(films: Sequence[LabelledFilm], grouping: Grouping, *, test: bool = True, seed: int = 0) -> Split:
    """The split of films whose moments have labels, by group; the shares are of labelled time.

    A split that the films name is completed from their train part. A behaviour of fewer groups than there are sides is
    trained first, and a note says which side lacks it. With two groups there is no test part.

    Args:
        films: with annotations in frames; two films or more.
        grouping: the group of each film. If all films are of one group, each counts as a group.
        test: whether a new split has a test part.
        seed: the seed of the search.

    Raises:
        DataError: a given split has no film for train, or one film for train and none for val.
    """
    notes: list[str] = []
    groups: Sequence[str] = grouping.groups
    if any(film.part for film in films):
        parts = [film.part or Part.TRAIN for film in films]
        _check_trains(parts)
        if missing := [part for part in (Part.VAL, Part.TEST) if part not in parts]:
            if Part.VAL in missing:
                groups, alone = _groups_to_share(groups, parts)
                parts = _with_val(films, groups, parts, seed)
                notes += alone
            how = ": val was taken out of train, by group" if Part.VAL in missing else ": scores are on val only"
            notes.append(f"the given split has no {' and no '.join(missing)}{how}")
        leaking = _leaking_groups(grouping.groups, parts)
        if leaking:
            notes.append(f"{leak_words(leaking)}: scores will be too high")
        return Split(tuple(parts), leaking, (*notes, *shown_notes(films, parts)))
    if len(set(groups)) < 2:
        groups = [str(place) for place in range(len(films))]
        notes.append("all videos are of one group, so each one counts as a group: scores may be too high")
    if test and len(set(groups)) < 3:
        test = False
        notes.append("two groups give train and val only: there is no test number")
    shares = {part: share for part, share in SHARES.items() if test or part is not Part.TEST}
    table = _Table.of(films, groups)
    sides = list(shares)
    parts = [sides[side] for side in table.per_film(table.search(list(shares.values()), seed))]
    return Split(tuple(parts), (), (*notes, *shown_notes(films, parts)))


def _groups_to_share(groups: Sequence[str], parts: Sequence[Part]) -> tuple[Sequence[str], tuple[str, ...]]:
    """The groups by which val can be taken out of train, and a note if each film has to count as one."""
    inside = [place for place, part in enumerate(parts) if part is Part.TRAIN]
    if len(inside) < 2:
        raise DataError(
            "The given split has one video for train and none for val. Add a video, or write val in its split column."
        )
    if len({groups[place] for place in inside}) > 1:
        return groups, ()
    note = "all videos of train are of one group, so each one counts as a group: scores on val may be too high"
    return [str(place) for place in range(len(groups))], (note,)


def shown_notes(films: Sequence[LabelledFilm], parts: Sequence[Part]) -> Iterator[str]:
    """Which behaviours a side lacks, and what follows."""
    everywhere = {name for film in films for name in shown_classes(film)}
    for side in dict.fromkeys(parts):
        here = {name for film, part in zip(films, parts, strict=True) if part is side for name in shown_classes(film)}
        if missing := sorted(everywhere - here):
            follows = "it is not learnt" if side is Part.TRAIN else f"there is no number of {side} for it"
            yield f"no {side} video shows {_some(missing)}: {follows}"


def shown_classes(film: LabelledFilm) -> set[str]:
    """The classes that a film shows: its behaviours, or the class of the whole film."""
    return {film.label} if film.annotation is None else {bout.label for bout in film.annotation.bouts}


def fold_films(films: Sequence[LabelledFilm], grouping: Grouping, folds: int, *, seed: int = 0) -> tuple[Split, ...]:
    """`folds` splits, in which every film is in test once. Val is taken out of the rest, by group.

    Every class is in every train part. If a class has too few groups for a test or a val part, the split has a note.

    Raises:
        UsageError: the films have a given split, or there are fewer groups than folds.
        DataError: a class is missing from a train part.
    """
    if folds < 2:
        raise UsageError(f"--folds {folds}: wanted 2 folds or more.")
    if any(film.part for film in films):
        raise UsageError(f"--folds {folds}: these videos have a given split. Leave out --folds or the split.")
    table = _Table.of(films, grouping.groups)
    if folds > len(table.groups):
        raise UsageError(
            f"--folds {folds}: there are only {len(table.groups)} groups; use --folds {len(table.groups)}."
        )
    if len(table.groups) < 3:
        raise UsageError(
            f"--folds {folds}: there are {len(table.groups)} groups; a fold needs one each for train, val and test. "
            "Use --no-test."
        )
    if all(film.annotation is None for film in films):
        _check_lone_groups(table)
    sides = table.per_film(table.search([1 / folds] * folds, seed))
    return tuple(_fold(films, grouping, sides == fold, seed) for fold in range(folds))


def hold_out_groups(
    films: Sequence[LabelledFilm], groups: Sequence[str], folds: int, seed: int = 0
) -> tuple[NDArray[np.bool_], ...]:
    """Folds that tell how well a kind of model does: for each, which films are held out. No group is on two sides.

    Every film is held out once. Classes are spread over the folds as evenly as the groups allow. A class with one group
    is held out as a whole. With fewer groups than folds there are as many folds as groups. If all films are of one
    group, each film counts as a group.

    Args:
        films: the films.
        groups: the group of each film.
        folds: the largest number of folds.
        seed: other seeds give other folds, where there are several that are even.
    """
    table = _Table.of(films, groups)
    count = min(folds, len(table.groups))
    if count < 2:
        table = _Table.of(films, [str(place) for place in range(len(films))])
        count = min(folds, len(films))
    if len(table.groups) > MANY:
        sides = table.search([1 / count] * count, seed)
    else:
        order = np.random.default_rng(seed).permutation(len(table.groups))
        sides = np.empty(len(order), dtype=np.intp)
        sides[order] = _search(table.counts[order], [1 / count] * count, seed)
    of_film = table.per_film(sides)
    return tuple(of_film == fold for fold in range(count) if (of_film == fold).any())


# --- given -----------------------------------------------------------------------------------------------------------


def _check_given(films: Sequence[LabelledFilm], grouping: Grouping, seed: int) -> Split:
    unplaced = [film for film in films if film.part is None]
    if unplaced:
        raise DataError(f"{unplaced[0].path}: has no split, though other videos have one. Give it train, val or test.")
    parts = [film.part for film in films if film.part]
    notes: list[str] = []
    if Part.VAL not in parts:
        parts = _with_val(films, grouping.groups, parts, seed)
        notes.append("the given split has no val: val was taken out of train, by group")
    if Part.TEST not in parts:
        notes.append("the given split has no test: scores are on val only")
    _check_train_classes(films, parts)
    notes += _missing_notes(films, parts)
    leaking = _leaking_groups(grouping.groups, parts)
    if leaking:
        notes.append(f"{leak_words(leaking)}: the split is used as it is, but scores will be too high")
    return Split(tuple(parts), leaking, tuple(notes))


def _with_val(films: Sequence[LabelledFilm], groups: Sequence[str], parts: Sequence[Part], seed: int) -> list[Part]:
    """`parts` with val taken out of train, in the same ratio as in a new split."""
    _check_trains(parts)
    inside = [index for index, part in enumerate(parts) if part is Part.TRAIN]
    shares = {Part.TRAIN: SHARES[Part.TRAIN], Part.VAL: SHARES[Part.VAL]}
    mine, their_groups = [films[i] for i in inside], [groups[i] for i in inside]
    if any(film.annotation is not None for film in mine):
        table, sides = _Table.of(mine, their_groups), list(shares)
        places = table.per_film(table.search(list(shares.values()), seed))
        new_parts: Sequence[Part] = [sides[place] for place in places]
    else:
        new_parts = _search_parts(mine, their_groups, shares, seed, given=True)
    new = list(parts)
    for index, part in zip(inside, new_parts, strict=True):
        new[index] = part
    return new


def _check_trains(parts: Sequence[Part]) -> None:
    if Part.TRAIN not in parts:
        raise DataError("The given split has no video for train; write train in its split column.")


def _check_train_classes(films: Sequence[LabelledFilm], parts: Sequence[Part]) -> None:
    learned = {film.label for film, part in zip(films, parts, strict=True) if part is Part.TRAIN}
    if missing := sorted({film.label for film in films} - learned):
        raise DataError(
            f"The given split has no video of class {_some(missing)} in train; "
            "put some there, or leave the class out of val and test."
        )


def _missing_notes(films: Sequence[LabelledFilm], parts: Sequence[Part]) -> Iterator[str]:
    labels = {film.label for film in films}
    for side in (Part.VAL, Part.TEST):
        there = {film.label for film, part in zip(films, parts, strict=True) if part is side}
        if there and (missing := sorted(labels - there)):
            yield f"no video of class {_some(missing)} is in {side}: scores on {side} do not include it"


def _leaking_groups(groups: Sequence[str], parts: Sequence[Part]) -> tuple[str, ...]:
    sides: defaultdict[str, set[Part]] = defaultdict(set)
    for group, part in zip(groups, parts, strict=True):
        sides[group].add(part)
    return tuple(sorted(group for group, there in sides.items() if len(there) > 1))


def leak_words(leaking: Sequence[str]) -> str:
    """The beginning of the note on groups that stand on two sides of a given split."""
    return f"{counted(len(leaking), 'group')} on two sides of the given split ({_some(leaking)})"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


# --- folds -----------------------------------------------------------------------------------------------------------


def _fold(films: Sequence[LabelledFilm], grouping: Grouping, test: NDArray[np.bool_], seed: int) -> Split:
    rest = [index for index in range(len(films)) if not test[index]]
    table = _Table.of([films[i] for i in rest], [grouping.groups[i] for i in rest])
    sides = table.per_film(table.search([SHARES[Part.TRAIN], SHARES[Part.VAL]], seed))
    parts = [Part.TEST] * len(films)
    for index, side in zip(rest, sides, strict=True):
        parts[index] = (Part.TRAIN, Part.VAL)[side]
    if any(film.annotation is not None for film in films):
        return Split(tuple(parts), notes=tuple(shown_notes(films, parts)))
    learned = {films[i].label for i, part in enumerate(parts) if part is Part.TRAIN}
    if missing := sorted({film.label for film in films} - learned):
        raise DataError(
            f"With these folds class {_some(missing)} is missing from a train part: it has too few groups, or it "
            "shares them with other classes. Use more folds, or leave the class out."
        )
    return Split(tuple(parts), notes=tuple(_missing_notes(films, parts)))


def _check_lone_groups(table: _Table) -> None:
    for label, groups in table.groups_by_class().items():
        if len(groups) < 2:
            raise DataError(
                f"Class {label!r} has only one group ({groups[0]}), so it cannot be in both train and test. "
                "Add videos of other groups, or leave the class out."
            )


# --- the search ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Table:
    """How much of each class is in each group: the number of films, or the time of its bouts."""

    labels: tuple[str, ...]
    groups: tuple[str, ...]
    group_of_film: NDArray[np.intp]
    rows: NDArray[np.intp]
    """(entries,) the group of each entry: of a film's class, or of a bout."""
    columns: NDArray[np.intp]
    """(entries,) its class; for times a further column is of the numbers of films."""
    amounts: NDArray[np.float64]
    """(entries,) 1 for a film, or the time of a bout."""

    @classmethod
    def of(cls, films: Sequence[LabelledFilm], groups: Sequence[str]) -> _Table:
        names = sorted(set(groups))
        numbers = {name: number for number, name in enumerate(names)}
        group_of_film = np.fromiter((numbers[group] for group in groups), np.intp, len(groups))
        annotated = any(film.annotation is not None for film in films)
        found = [(name, amount, place) for place, film in enumerate(films) for name, amount in _amounts(film)]
        shown, amounts = [name for name, _, _ in found], np.array([amount for _, amount, _ in found], np.float64)
        labels = sorted(set(shown))
        columns_of = {label: column for column, label in enumerate(labels)}
        rows = group_of_film[[place for _, _, place in found]]
        columns = np.fromiter((columns_of[name] for name in shown), np.intp, len(shown))
        if annotated:  # a film may show no class, and counts nevertheless
            rows, columns = np.append(rows, group_of_film), np.append(columns, np.full(len(films), len(labels)))
            amounts = np.append(amounts, np.ones(len(films)))
        return cls(tuple(labels), tuple(map(str, names)), group_of_film, rows, columns, amounts)

    @cached_property
    def counts(self) -> NDArray[np.float64]:
        """(groups, columns): how much of each class is in each group."""
        width = max(len(self.labels), int(self.columns.max(initial=-1)) + 1)
        counts = np.zeros((len(self.groups), width))
        np.add.at(counts, (self.rows, self.columns), self.amounts)
        return counts

    def search(self, shares: Sequence[float], seed: int) -> NDArray[np.intp]:
        """(groups,): the side of each group."""
        if len(self.groups) > MANY:
            return stratified_sides(self.rows, self.columns, self.amounts, shares, seed)
        return _search(self.counts, shares, seed)

    def on_sides(self, sides: NDArray[np.intp], number: int) -> NDArray[np.float64]:
        """(sides, classes): how much of each class is on each side."""
        found = np.zeros((number, int(self.columns.max(initial=-1)) + 1))
        np.add.at(found, (sides[self.rows], self.columns), self.amounts)
        return found[:, : len(self.labels)]

    def per_film(self, sides: NDArray[np.intp]) -> NDArray[np.intp]:
        """The side of each film, from the side of each group."""
        return sides[self.group_of_film]

    def groups_by_class(self) -> Mapping[str, list[str]]:
        """The groups that hold films of each class."""
        order = np.lexsort((self.rows, self.columns))
        rows, columns = self.rows[order], self.columns[order]
        first = np.append(True, (np.diff(rows) != 0) | (np.diff(columns) != 0))
        groups: dict[str, list[str]] = {label: [] for label in self.labels}
        for row, column in zip(rows[first].tolist(), columns[first].tolist(), strict=True):
            if column < len(self.labels):
                groups[self.labels[column]].append(self.groups[row])
        return groups


def _amounts(film: LabelledFilm) -> Iterator[tuple[str, float]]:
    """How much of each class a film shows: one film of its class, or the time of each bout."""
    if film.annotation is None:
        yield film.label, 1.0
    else:
        yield from ((bout.label, bout.end - bout.start) for bout in film.annotation.bouts)


def _search_parts(
    films: Sequence[LabelledFilm],
    groups: Sequence[str],
    shares: Mapping[Part, float],
    seed: int,
    given: bool = False,
) -> tuple[Part, ...]:
    """A part for each film, with every class in every part and shares as near to `shares` as possible.

    Raises:
        DataError: no such split exists, or the search finds none.
    """
    table = _Table.of(films, groups)
    sides = list(shares)
    _check_few_groups(table, sides, given)
    group_sides = table.search(list(shares.values()), seed)
    missing = [
        f"{label!r} in {part}"
        for part, counts in zip(sides, table.on_sides(group_sides, len(sides)), strict=True)
        for label, count in zip(table.labels, counts, strict=True)
        if not count
    ]
    if missing:
        raise DataError(
            f"No split was found that keeps groups together and has every class in {_sides(sides)}: the best lacks "
            f"{_some(missing)}, since the groups of these classes are few and shared with others. "
            f"{_remedy(sides, given)}"
        )
    return tuple(sides[side] for side in table.per_film(group_sides))


def _check_few_groups(table: _Table, sides: Sequence[Part], given: bool) -> None:
    """Raise a DataError if the class with the fewest groups has fewer groups than there are sides."""
    label, groups = min(table.groups_by_class().items(), key=lambda item: len(item[1]))
    if len(groups) >= len(sides):
        return
    films = int(table.amounts[table.columns == table.labels.index(label)].sum())
    has = f"{counted(len(groups), 'group')} ({counted(films, 'video')}: {', '.join(groups)})"
    remedy = "Add videos of other groups, or leave the class out." if len(groups) < 2 else _remedy(sides, given)
    raise DataError(f"Class {label!r} has {has}, and {_sides(sides)} need {len(sides)}, one each. {remedy}")


def _sides(sides: Sequence[Part]) -> str:
    return f"{', '.join(sides[:-1])} and {sides[-1]}"


def _remedy(sides: Sequence[Part], given: bool) -> str:
    if given:
        return "Mark videos of val in the split column, or leave the class out."
    if Part.TEST in sides:
        return "Use --no-test (train and val only), use --folds 3, or leave the class out."
    return "Add videos of other groups, or leave the class out."


def _search(counts: NDArray[np.float64], shares: Sequence[float], seed: int) -> NDArray[np.intp]:
    """(groups,): the side of each group, from many greedy starts. Moves of single groups improve the best of them.

    A class that is missing from the first side costs most.

    Args:
        counts: (groups, classes), the numbers of films.
        shares: (sides,), with any sum.
        seed: the seed of the greedy starts.
    """
    goal = _Goal.of(counts, np.asarray(shares) / np.sum(shares))
    if len(shares) ** len(counts) <= EXHAUSTIVE:
        every = np.indices((len(shares),) * len(counts)).reshape(len(counts), -1).T
        sides: NDArray[np.intp] = every[np.argmin(goal.cost(_films_on_sides(counts, every, len(shares))))]
        return sides
    starts = _greedy(counts, goal, np.random.default_rng(seed))
    costs = goal.cost(_films_on_sides(counts, starts, len(shares)))
    best = [_improve(counts, goal, starts[start]) for start in np.argsort(costs, kind="stable")[:8]]
    return best[int(np.argmin([goal.cost(_films_on_sides(counts, each[None], len(shares)))[0] for each in best]))]


@dataclass(frozen=True, slots=True)
class _Goal:
    """The cost of a split."""

    shares: NDArray[np.float64]
    totals: NDArray[np.float64]
    """(classes,): the number of films of each class."""
    missing: NDArray[np.float64]
    """(sides,): the cost of a class that is missing from each side."""

    @classmethod
    def of(cls, counts: NDArray[np.float64], shares: NDArray[np.float64]) -> _Goal:
        missing = np.full(len(shares), MISSING)
        missing[0] *= 3
        return cls(shares, counts.sum(axis=0), missing)

    def cost(self, on_sides: NDArray[np.float64]) -> NDArray[np.float64]:
        """(...): the cost of (..., sides, classes) films: their distance from the shares, per class and in total."""
        of_class = on_sides / self.totals - self.shares[:, None]
        of_all = on_sides.sum(axis=-1) / self.totals.sum() - self.shares
        uneven = (of_class**2).mean(axis=-1) + 2 * of_all**2
        absent = on_sides == 0
        lacks = absent.sum(axis=-1) * self.missing + absent.all(axis=-1) * EMPTY
        cost: NDArray[np.float64] = ((uneven / self.shares) + lacks).sum(axis=-1)
        return cost


def _films_on_sides(counts: NDArray[np.float64], sides: NDArray[np.intp], number: int) -> NDArray[np.float64]:
    """(starts, sides, classes): the films on each side, for (starts, groups) sides."""
    return np.stack([(sides == side).astype(np.float64) @ counts for side in range(number)], axis=1)


def _greedy(counts: NDArray[np.float64], goal: _Goal, random: np.random.Generator) -> NDArray[np.intp]:
    """(starts, groups): sides. Each start places the groups from large to small, in a random order near that."""
    groups, classes = counts.shape
    number = len(goal.shares)
    sizes = counts.sum(axis=1)
    order = np.argsort(-sizes * random.uniform(0.5, 1.5, (RESTARTS, groups)), axis=1, kind="stable")
    on_sides = np.zeros((RESTARTS, number, classes))
    sides = np.zeros((RESTARTS, groups), dtype=np.intp)
    rows, eye = np.arange(RESTARTS), np.eye(number)
    for step in range(groups):
        group = order[:, step]
        tried = on_sides[:, None] + eye[None, :, :, None] * counts[group][:, None, None, :]
        side = np.argmin(goal.cost(tried), axis=1)
        on_sides[rows, side] += counts[group]
        sides[rows, group] = side
    return sides


def _improve(counts: NDArray[np.float64], goal: _Goal, sides: NDArray[np.intp]) -> NDArray[np.intp]:
    """`sides` after moves of single groups and, with few groups, exchanges of pairs, while the cost falls."""
    on_sides = _films_on_sides(counts, sides[None], len(goal.shares))[0]
    cost = float(goal.cost(on_sides))
    for _ in range(CHANGES):
        step = _best_move(counts, goal, sides, on_sides)
        if step.cost >= cost - 1e-12 and len(counts) <= EXCHANGES:
            step = _best_exchange(counts, goal, sides, on_sides)
        if step.cost >= cost - 1e-12:
            break
        sides, cost = step.sides, step.cost
        on_sides = _films_on_sides(counts, sides[None], len(goal.shares))[0]
    return sides


@dataclass(frozen=True, slots=True)
class _Step:
    """A changed split and its cost."""

    cost: float
    sides: NDArray[np.intp]


def _best_move(
    counts: NDArray[np.float64], goal: _Goal, sides: NDArray[np.intp], on_sides: NDArray[np.float64]
) -> _Step:
    """The best move of one group to another side."""
    eye = np.eye(len(goal.shares))
    without = on_sides - eye[sides][:, :, None] * counts[:, None, :]
    costs = goal.cost(without[:, None] + eye[None, :, :, None] * counts[:, None, None, :])
    group, side = np.unravel_index(np.argmin(costs), costs.shape)
    moved = sides.copy()
    moved[group] = side
    return _Step(float(costs[group, side]), moved)


def _best_exchange(
    counts: NDArray[np.float64], goal: _Goal, sides: NDArray[np.intp], on_sides: NDArray[np.float64]
) -> _Step:
    """The best exchange of two groups on different sides."""
    one, other = np.nonzero(np.triu(sides[:, None] != sides[None, :]))
    if not len(one):
        return _Step(np.inf, sides)
    eye = np.eye(len(goal.shares))
    ways = eye[sides[other]] - eye[sides[one]]
    costs = goal.cost(on_sides + ways[:, :, None] * (counts[one] - counts[other])[:, None, :])
    best = int(np.argmin(costs))
    moved = sides.copy()
    moved[one[best]], moved[other[best]] = sides[other[best]], sides[one[best]]
    return _Step(float(costs[best]), moved)
