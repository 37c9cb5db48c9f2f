"""Very many groups are shared out one by one: shares fit, groups stay whole, and each side has each class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidrnn.data import splits as splits_module
from vidrnn.data.grouping.base import Grouping
from vidrnn.data.grouping.stratified import stratified_sides
from vidrnn.data.splits import fold_films, hold_out_groups, split_films, split_long_films
from vidrnn.errors import DataError
from vidrnn.values import Annotation, Bout, LabelledFilm, Part

SHARES = (0.7, 0.15, 0.15)


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each number of groups counts as very many."""
    monkeypatch.setattr(splits_module, "MANY", 0)


def films(count: int, classes: int = 5, group_of: int = 3, rare: int = 0) -> tuple[list[LabelledFilm], Grouping]:
    """Films of `classes`, some groups with films of two classes, and `rare` films of one class more."""
    labels = [f"c{place % classes}" if place >= rare else "rare" for place in range(count)]
    groups = tuple(f"g{place if place < rare else place // group_of + rare}" for place in range(count))
    return [LabelledFilm(Path(f"{place}.mp4"), label) for place, label in enumerate(labels)], Grouping(groups, "")


def test_every_class_has_its_shares_and_groups_stay_whole() -> None:
    some, grouping = films(3000, rare=3)
    split = split_films(some, grouping, seed=1)
    parts, labels = np.array(split.parts), np.array([film.label for film in some])
    for label in set(labels) - {"rare"}:
        shares = [(parts[labels == label] == part).mean() for part in Part]
        assert shares == pytest.approx(SHARES, abs=0.02), label
    assert sorted(parts[:3].tolist()) == sorted(Part), "a class of three films is on each side"
    assert len(set(zip(grouping.groups, split.parts, strict=True))) == grouping.number


def test_the_seed_decides_and_decides_alone() -> None:
    some, grouping = films(300)
    assert split_films(some, grouping, seed=1) == split_films(some, grouping, seed=1)
    assert split_films(some, grouping, seed=1) != split_films(some, grouping, seed=2)


def test_a_class_of_too_few_groups_is_a_sentence() -> None:
    some, grouping = films(300, rare=2)
    with pytest.raises(
        DataError, match=r"Class 'rare' has 2 groups \(2 videos: g0, g1\), and train, val and test need 3"
    ):
        split_films(some, grouping)


def test_folds_hold_each_film_out_once() -> None:
    some, grouping = films(300)
    for folds in (
        [np.array([part is Part.TEST for part in split.parts]) for split in fold_films(some, grouping, 4)],
        hold_out_groups(some, grouping.groups, 4),
    ):
        assert np.sum(folds, axis=0).tolist() == [1] * 300
        assert [fold.sum() for fold in folds] == pytest.approx([75] * 4, abs=6)


def test_long_films_are_shared_out_by_the_time_of_their_bouts() -> None:
    bouts = [(Bout(0, 10 + place % 7, "dig"), Bout(50, 60, "rest")) for place in range(200)]
    some = [LabelledFilm(Path(f"{place}.mp4"), annotation=Annotation(each)) for place, each in enumerate(bouts)]
    split = split_long_films(some, Grouping(tuple(f"g{place}" for place in range(200)), ""))
    assert [split.parts.count(part) for part in Part] == pytest.approx([140, 30, 30], abs=9)


def test_large_groups_leave_the_shares_as_they_are() -> None:
    amounts = np.array([100.0, 90.0, *[1.0] * 400])
    rows = np.arange(len(amounts))
    sides = stratified_sides(rows, np.zeros_like(rows), amounts, SHARES, 0)
    assert np.bincount(sides, amounts) / amounts.sum() == pytest.approx(SHARES, abs=0.02)
