"""Sides for very many groups, in time that grows with their number: iterative stratification of groups.

Source: Sechidis et al., On the Stratification of Multi-Label Data, 2011. The rarest class is shared out first. Each of
its groups goes to the first side that has none of the class, else to the side that wants the most of it. This module
knows numbers only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def stratified_sides(
    rows: NDArray[np.intp], columns: NDArray[np.intp], amounts: NDArray[np.float64], shares: Sequence[float], seed: int
) -> NDArray[np.intp]:
    """(groups,): the side of each group.

    Args:
        rows: (entries,) a group, from 0 on; each group has an entry.
        columns: (entries,) a class of it, from 0 on.
        amounts: (entries,) how much of the class the group has.
        shares: of each side; their sum may be any.
        seed: of the random order of groups that are alike.
    """
    groups, classes = int(rows.max()) + 1, int(columns.max()) + 1
    totals = np.bincount(columns, amounts, classes)
    wanted = np.outer(totals, np.asarray(shares) / np.sum(shares)).tolist()
    lacks = [[True] * len(shares) for _ in range(classes)]
    rows, columns, amounts = _summed(rows, columns, amounts, classes)
    entries = _entries_of_mixed(rows, columns, amounts)
    size_of = np.bincount(rows, amounts).tolist()
    sides = [-1] * groups
    for column, members in _members_of_classes(rows, columns, amounts, classes, seed):
        for group in members:
            if sides[group] >= 0:
                continue
            need, lack = wanted[column], lacks[column]
            place = lack.index(True) if True in lack else need.index(max(need))
            sides[group] = place
            for one, amount in entries.get(group) or ((column, size_of[group]),):
                wanted[one][place] -= amount
                lacks[one][place] = False
    return np.asarray(sides, dtype=np.intp)


def _summed(
    rows: NDArray[np.intp], columns: NDArray[np.intp], amounts: NDArray[np.float64], classes: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """The entries with one entry for each class of a group."""
    keys, places = np.unique(rows * classes + columns, return_inverse=True)
    return keys // classes, keys % classes, np.asarray(np.bincount(places, amounts), np.float64)


def _entries_of_mixed(
    rows: NDArray[np.intp], columns: NDArray[np.intp], amounts: NDArray[np.float64]
) -> dict[int, list[tuple[int, float]]]:
    """The classes and amounts of each group that has several classes."""
    mixed = np.bincount(rows)[rows] > 1
    entries: dict[int, list[tuple[int, float]]] = {}
    for row, column, amount in zip(*(each[mixed].tolist() for each in (rows, columns, amounts)), strict=True):
        entries.setdefault(row, []).append((column, amount))
    return entries


def _members_of_classes(
    rows: NDArray[np.intp], columns: NDArray[np.intp], amounts: NDArray[np.float64], classes: int, seed: int
) -> list[tuple[int, list[int]]]:
    """Each class with its groups, the class with the fewest groups first; large groups first, equal ones at random."""
    sizes = np.bincount(rows, amounts)
    chance = np.random.default_rng(seed).permutation(len(sizes))
    order = np.lexsort((chance[rows], -sizes[rows], columns))
    ends = np.cumsum(np.bincount(columns, minlength=classes))[:-1]
    parts = enumerate(np.split(rows[order], ends))
    return sorted(((column, part.tolist()) for column, part in parts), key=lambda each: len(each[1]))
