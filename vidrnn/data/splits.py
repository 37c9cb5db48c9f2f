"""Who is in which part, and who may not be. Pure: films, groups and a seed in, parts out; no file is touched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrnn.data.films import counted
from vidrnn.data.groups import Grouping
from vidrnn.errors import DataError, UsageError
from vidrnn.values import LabelledFilm, Part

SHARES = {Part.TRAIN: 0.70, Part.VAL: 0.15, Part.TEST: 0.15}
EVERY = 60_000
"""Up to so many ways to split, all are tried: then 'there is none' is certain."""
RESTARTS = 64
CHANGES = 400
"""At most so many groups change sides after the best start."""
EXCHANGES = 150
"""Up to so many groups, pairs of them are exchanged too; with more, single groups fit finely enough."""
MISSING = 1000.0
"""What a class costs that is missing from a side: more than any unevenness of shares."""


@dataclass(frozen=True, slots=True)
class Split:
    """The part of each film, in the films' order, and what the user should know of it."""

    parts: tuple[Part, ...]
    leaking_groups: tuple[str, ...] = ()
    """Groups that stand on two sides: only a split that was given can have them."""
    notes: tuple[str, ...] = ()

    def indices(self, part: Part) -> tuple[int, ...]:
        """Where the films of a part stand in the list of films."""
        return tuple(index for index, each in enumerate(self.parts) if each is part)

    def __str__(self) -> str:
        counts = "  ".join(f"{part} {self.parts.count(part):,}" for part in Part if part in self.parts)
        torn = len(self.leaking_groups)
        sides = f"{counted(torn, 'group')} on two sides" if torn else "no group on two sides"
        return f"{counts}, {sides}"


def split_films(films: Sequence[LabelledFilm], grouping: Grouping, *, test: bool = True, seed: int = 0) -> Split:
    """The split that the films were given, or one of about 70/15/15 % of the films, in which no group is on two sides.

    A given split without val has it carved out of train, by group. Without `test` a split of our own is train and val.
    The same films, groups and seed give the same split. Raises DataError when no split has every class on every side.
    """
    if any(film.part for film in films):
        return _given(films, grouping, seed)
    shares = {part: share for part, share in SHARES.items() if test or part is not Part.TEST}
    return Split(_searched(films, grouping.groups, shares, seed))


def fold_films(films: Sequence[LabelledFilm], grouping: Grouping, folds: int, *, seed: int = 0) -> tuple[Split, ...]:
    """`folds` splits, in which every film is in test once; val is carved out of the rest by group.

    Every class is in every train part; where a class has too few groups for a test or val part, a note says so.
    Raises UsageError when the films have a given split or fewer groups than folds, DataError when a class would be
    missing from a train part.
    """
    if folds < 2:
        raise UsageError(f"--folds {folds}: wanted 2 folds or more.")
    if any(film.part for film in films):
        raise UsageError(f"--folds {folds}: these films have a given split; leave out --folds or the split.")
    table = _Table.of(films, grouping.groups)
    if folds > len(table.groups):
        raise UsageError(
            f"--folds {folds}: there are only {len(table.groups)} groups; use --folds {len(table.groups)}."
        )
    if len(table.groups) < 3:
        raise UsageError(
            f"--folds {folds}: there are {len(table.groups)} groups; a fold needs one to learn from, one to choose by "
            "and one to test. Use --no-test."
        )
    _refuse_lone_groups(table)
    sides = table.per_film(_search(table.counts, [1 / folds] * folds, seed))
    return tuple(_fold(films, grouping, sides == fold, seed) for fold in range(folds))


# --- given -----------------------------------------------------------------------------------------------------------


def _given(films: Sequence[LabelledFilm], grouping: Grouping, seed: int) -> Split:
    unplaced = [film for film in films if film.part is None]
    if unplaced:
        raise DataError(f"{unplaced[0].path}: has no split, though others have one; give it train, val or test.")
    parts = [film.part for film in films if film.part]
    notes: list[str] = []
    if Part.VAL not in parts:
        parts = _with_val(films, grouping.groups, parts, seed)
        notes.append("the given split has no val: it was carved out of train by group")
    if Part.TEST not in parts:
        notes.append("the given split has no test: scores are of val only")
    _refuse_unlearned(films, parts)
    notes += _missing_notes(films, parts)
    torn = _torn(grouping.groups, parts)
    if torn:
        notes.append(
            f"{counted(len(torn), 'group')} on two sides of the given split ({_some(torn)}): "
            "it was obeyed, but scores will flatter the model"
        )
    return Split(tuple(parts), torn, tuple(notes))


def _with_val(films: Sequence[LabelledFilm], groups: Sequence[str], parts: Sequence[Part], seed: int) -> list[Part]:
    """`parts` with val carved out of train, as large beside it as in a split of our own."""
    inside = [index for index, part in enumerate(parts) if part is Part.TRAIN]
    if not inside:
        raise DataError("The given split has no film for train; write train in its split column.")
    shares = {Part.TRAIN: SHARES[Part.TRAIN], Part.VAL: SHARES[Part.VAL]}
    carved = _searched([films[i] for i in inside], [groups[i] for i in inside], shares, seed, given=True)
    new = list(parts)
    for index, part in zip(inside, carved, strict=True):
        new[index] = part
    return new


def _refuse_unlearned(films: Sequence[LabelledFilm], parts: Sequence[Part]) -> None:
    learned = {film.label for film, part in zip(films, parts, strict=True) if part is Part.TRAIN}
    if missing := sorted({film.label for film in films} - learned):
        raise DataError(
            f"The given split has no film of class {_some(missing)} in train; "
            "put some there, or leave the class out of val and test."
        )


def _missing_notes(films: Sequence[LabelledFilm], parts: Sequence[Part]) -> Iterator[str]:
    labels = {film.label for film in films}
    for side in (Part.VAL, Part.TEST):
        there = {film.label for film, part in zip(films, parts, strict=True) if part is side}
        if there and (missing := sorted(labels - there)):
            yield f"no film of class {_some(missing)} is in {side}: scores on {side} say nothing of it"


def _torn(groups: Sequence[str], parts: Sequence[Part]) -> tuple[str, ...]:
    sides: defaultdict[str, set[Part]] = defaultdict(set)
    for group, part in zip(groups, parts, strict=True):
        sides[group].add(part)
    return tuple(sorted(group for group, there in sides.items() if len(there) > 1))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


# --- folds -----------------------------------------------------------------------------------------------------------


def _fold(films: Sequence[LabelledFilm], grouping: Grouping, test: NDArray[np.bool_], seed: int) -> Split:
    rest = [index for index in range(len(films)) if not test[index]]
    table = _Table.of([films[i] for i in rest], [grouping.groups[i] for i in rest])
    sides = table.per_film(_search(table.counts, [SHARES[Part.TRAIN], SHARES[Part.VAL]], seed))
    parts = [Part.TEST] * len(films)
    for index, side in zip(rest, sides, strict=True):
        parts[index] = (Part.TRAIN, Part.VAL)[side]
    learned = {films[i].label for i, part in enumerate(parts) if part is Part.TRAIN}
    if missing := sorted({film.label for film in films} - learned):
        raise DataError(
            f"With these folds class {_some(missing)} is missing from a train part: its groups are too few or too "
            "entangled with those of other classes. Use more folds, or leave the class out."
        )
    return Split(tuple(parts), notes=tuple(_missing_notes(films, parts)))


def _refuse_lone_groups(table: _Table) -> None:
    for label, groups in table.groups_by_class().items():
        if len(groups) < 2:
            raise DataError(
                f"Class {label!r} has only one group ({groups[0]}), so it cannot be both learned and tested; "
                "add films of other groups, or leave the class out."
            )


# --- the search ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Table:
    """How many films of each class each group holds."""

    labels: tuple[str, ...]
    groups: tuple[str, ...]
    group_of_film: NDArray[np.intp]
    counts: NDArray[np.float64]
    """(groups, classes)."""

    @classmethod
    def of(cls, films: Sequence[LabelledFilm], groups: Sequence[str]) -> _Table:
        labels, label_of_film = np.unique([film.label for film in films], return_inverse=True)
        names, group_of_film = np.unique(groups, return_inverse=True)
        counts = np.zeros((len(names), len(labels)))
        np.add.at(counts, (group_of_film, label_of_film), 1)
        return cls(tuple(map(str, labels)), tuple(map(str, names)), group_of_film, counts)

    def per_film(self, sides: NDArray[np.intp]) -> NDArray[np.intp]:
        """The side of each film, from the side of each group."""
        return sides[self.group_of_film]

    def groups_by_class(self) -> Mapping[str, list[str]]:
        """The groups that hold films of each class."""
        return {
            label: [self.groups[row] for row in np.flatnonzero(self.counts[:, column])]
            for column, label in enumerate(self.labels)
        }


def _searched(
    films: Sequence[LabelledFilm],
    groups: Sequence[str],
    shares: Mapping[Part, float],
    seed: int,
    given: bool = False,
) -> tuple[Part, ...]:
    """A part for each film, every class in every part, shares as near as can be found."""
    table = _Table.of(films, groups)
    sides = list(shares)
    _refuse_few_groups(table, sides, given)
    found = _search(table.counts, list(shares.values()), seed)
    missing = [
        f"{label!r} in {part}"
        for number, part in enumerate(sides)
        for label, count in zip(table.labels, table.counts[found == number].sum(axis=0), strict=True)
        if not count
    ]
    if missing:
        raise DataError(
            f"No split was found that keeps groups together and has every class in {_sides(sides)}: the best lacks "
            f"{_some(missing)}, since the groups of these classes are few and shared with others. "
            f"{_remedy(sides, given)}"
        )
    return tuple(sides[side] for side in table.per_film(found))


def _refuse_few_groups(table: _Table, sides: Sequence[Part], given: bool) -> None:
    """Raise the sentence that names the class with the fewest groups, if they are fewer than the sides."""
    label, groups = min(table.groups_by_class().items(), key=lambda item: len(item[1]))
    if len(groups) >= len(sides):
        return
    films = int(table.counts[:, table.labels.index(label)].sum())
    has = f"{counted(len(groups), 'group')} ({counted(films, 'film')}: {', '.join(groups)})"
    remedy = "Add films of other groups, or leave the class out." if len(groups) < 2 else _remedy(sides, given)
    raise DataError(f"Class {label!r} has {has}, and {_sides(sides)} need {len(sides)}, one each. {remedy}")


def _sides(sides: Sequence[Part]) -> str:
    return f"{', '.join(sides[:-1])} and {sides[-1]}"


def _remedy(sides: Sequence[Part], given: bool) -> str:
    if given:
        return "Say in the split column which films are val, or leave the class out."
    if Part.TEST in sides:
        return "Use --no-test (train and val only), use --folds 3, or leave the class out."
    return "Add films of other groups, or leave the class out."


def _search(counts: NDArray[np.float64], shares: Sequence[float], seed: int) -> NDArray[np.intp]:
    """The side of each group: many greedy starts at once, the best of them mended one group at a time.

    `counts` is (groups, classes), `shares` sum to any number. The first side is the last to go without a class.
    """
    goal = _Goal.of(counts, np.asarray(shares) / np.sum(shares))
    if len(shares) ** len(counts) <= EVERY:
        every = np.indices((len(shares),) * len(counts)).reshape(len(counts), -1).T
        sides: NDArray[np.intp] = every[np.argmin(goal.cost(_held(counts, every, len(shares))))]
        return sides
    starts = _greedy(counts, goal, np.random.default_rng(seed))
    costs = goal.cost(_held(counts, starts, len(shares)))
    best = [_mend(counts, goal, starts[start]) for start in np.argsort(costs, kind="stable")[:8]]
    return best[int(np.argmin([goal.cost(_held(counts, each[None], len(shares)))[0] for each in best]))]


@dataclass(frozen=True, slots=True)
class _Goal:
    """What a good split looks like."""

    shares: NDArray[np.float64]
    totals: NDArray[np.float64]
    """Films of each class."""
    missing: NDArray[np.float64]
    """What a class costs that is missing from each side."""

    @classmethod
    def of(cls, counts: NDArray[np.float64], shares: NDArray[np.float64]) -> _Goal:
        missing = np.full(len(shares), MISSING)
        missing[0] *= 3
        return cls(shares, counts.sum(axis=0), missing)

    def cost(self, held: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far (..., sides, classes) films are from the shares, over classes and over all."""
        of_class = held / self.totals - self.shares[:, None]
        of_all = held.sum(axis=-1) / self.totals.sum() - self.shares
        uneven = (of_class**2).mean(axis=-1) + 2 * of_all**2
        cost: NDArray[np.float64] = ((uneven / self.shares) + (held == 0).sum(axis=-1) * self.missing).sum(axis=-1)
        return cost


def _held(counts: NDArray[np.float64], sides: NDArray[np.intp], number: int) -> NDArray[np.float64]:
    """(starts, sides, classes) films on each side, for (starts, groups) sides."""
    return np.stack([(sides == side).astype(np.float64) @ counts for side in range(number)], axis=1)


def _greedy(counts: NDArray[np.float64], goal: _Goal, random: np.random.Generator) -> NDArray[np.intp]:
    """(starts, groups) sides: in each start the groups come large to small, a little shuffled, to where they help."""
    groups, classes = counts.shape
    number = len(goal.shares)
    sizes = counts.sum(axis=1)
    order = np.argsort(-sizes * random.uniform(0.5, 1.5, (RESTARTS, groups)), axis=1, kind="stable")
    held = np.zeros((RESTARTS, number, classes))
    sides = np.zeros((RESTARTS, groups), dtype=np.intp)
    rows, eye = np.arange(RESTARTS), np.eye(number)
    for step in range(groups):
        group = order[:, step]
        tried = held[:, None] + eye[None, :, :, None] * counts[group][:, None, None, :]
        side = np.argmin(goal.cost(tried), axis=1)
        held[rows, side] += counts[group]
        sides[rows, group] = side
    return sides


def _mend(counts: NDArray[np.float64], goal: _Goal, sides: NDArray[np.intp]) -> NDArray[np.intp]:
    """`sides` with single groups moved and, where there are few, pairs exchanged for as long as that helps."""
    held = _held(counts, sides[None], len(goal.shares))[0]
    cost = float(goal.cost(held))
    for _ in range(CHANGES):
        found = _best_move(counts, goal, sides, held)
        if found.cost >= cost - 1e-12 and len(counts) <= EXCHANGES:
            found = _best_exchange(counts, goal, sides, held)
        if found.cost >= cost - 1e-12:
            break
        sides, cost = found.sides, found.cost
        held = _held(counts, sides[None], len(goal.shares))[0]
    return sides


@dataclass(frozen=True, slots=True)
class _Found:
    cost: float
    sides: NDArray[np.intp]


def _best_move(counts: NDArray[np.float64], goal: _Goal, sides: NDArray[np.intp], held: NDArray[np.float64]) -> _Found:
    """The best of all ways to send one group to another side."""
    eye = np.eye(len(goal.shares))
    without = held - eye[sides][:, :, None] * counts[:, None, :]
    costs = goal.cost(without[:, None] + eye[None, :, :, None] * counts[:, None, None, :])
    group, side = np.unravel_index(np.argmin(costs), costs.shape)
    moved = sides.copy()
    moved[group] = side
    return _Found(float(costs[group, side]), moved)


def _best_exchange(
    counts: NDArray[np.float64], goal: _Goal, sides: NDArray[np.intp], held: NDArray[np.float64]
) -> _Found:
    """The best of all ways to let two groups of different sides change places."""
    one, other = np.nonzero(np.triu(sides[:, None] != sides[None, :]))
    if not len(one):
        return _Found(np.inf, sides)
    eye = np.eye(len(goal.shares))
    ways = eye[sides[other]] - eye[sides[one]]
    costs = goal.cost(held + ways[:, :, None] * (counts[one] - counts[other])[:, None, :])
    best = int(np.argmin(costs))
    moved = sides.copy()
    moved[one[best]], moved[other[best]] = sides[other[best]], sides[one[best]]
    return _Found(float(costs[best]), moved)
