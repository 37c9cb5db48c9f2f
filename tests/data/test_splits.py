"""Splits: no group on two sides and every class on every side, or an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from vidrnn.data.grouping.base import Grouping
from vidrnn.data.listing.labelled import read_labelled
from vidrnn.data.splits import Split, fold_films, shown_classes, split_films, split_long_films
from vidrnn.errors import DataError, UsageError
from vidrnn.values import Annotation, Bout, LabelledFilm, Part

TRAIN, VAL, TEST = Part.TRAIN, Part.VAL, Part.TEST


def make(*rows: tuple[str, str, int], part: Part | None = None) -> list[LabelledFilm]:
    """Films by class, group and number."""
    return [
        LabelledFilm(Path(f"{label}/{group}_{n}.mp4"), label, group, part)
        for label, group, count in rows
        for n in range(count)
    ]


def grouped(films: Sequence[LabelledFilm]) -> Grouping:
    return Grouping(tuple(film.group or str(film.path) for film in films), "from the group column")


def sides(films: Sequence[LabelledFilm], split: Split) -> dict[str, set[Part]]:
    """The parts of each group."""
    found: dict[str, set[Part]] = {}
    for group, part in zip(grouped(films).groups, split.parts, strict=True):
        found.setdefault(group, set()).add(part)
    return found


def classes(films: Sequence[LabelledFilm], split: Split, part: Part) -> set[str]:
    return {films[index].label for index in split.indices(part)}


def random_films(random: np.random.Generator) -> list[LabelledFilm]:
    """Films whose groups are shared by classes at random; each class has three groups of its own at least."""
    labels = [f"class{n}" for n in range(random.integers(2, 7))]
    shared = [f"shared{n}" for n in range(random.integers(0, 12))]
    rows = [(label, f"{label} {n}", int(random.integers(1, 6))) for label in labels for n in range(3)]
    rows += [
        (label, group, int(random.integers(1, 9))) for label in labels for group in shared if random.random() < 0.5
    ]
    return make(*rows)


class TestSearch:
    def test_no_group_is_ever_on_two_sides_and_no_class_off_one(self) -> None:
        for seed in range(40):
            films = random_films(np.random.default_rng(seed))
            everything = {film.label for film in films}
            for test in (True, False):
                split = split_films(films, grouped(films), test=test, seed=seed)
                assert all(len(each) == 1 for each in sides(films, split).values()), seed
                assert not split.leaking_groups
                for part in (TRAIN, VAL, TEST) if test else (TRAIN, VAL):
                    assert classes(films, split, part) == everything, (seed, part)
                assert test or TEST not in split.parts

    def test_shares_are_near_70_15_15_over_all_and_in_each_class(self) -> None:
        films = make(*((label, f"{label}{n}", 5) for label in "abcd" for n in range(20)))
        split = split_films(films, grouped(films))
        assert Counter(split.parts) == {TRAIN: 280, VAL: 60, TEST: 60}
        for label in "abcd":
            assert Counter(films[i].label for i in split.indices(TRAIN))[label] == 70
        assert str(split) == "train 280  val 60  test 60, no group on two sides"

    def test_single_films_are_stratified(self) -> None:
        films = make(*((label, f"{label}{n}", 1) for label, count in (("a", 400), ("b", 40)) for n in range(count)))
        split = split_films(films, grouped(films))
        assert Counter(films[i].label for i in split.indices(TEST)) == {"a": 60, "b": 6}

    def test_the_seed_decides_and_the_order_of_the_films_does_not(self) -> None:
        films = make(*((label, f"g{n:02d}", 1 + n % 4) for label in "abc" for n in range(30)))
        first = split_films(films, grouped(films), seed=3)
        assert first == split_films(films, grouped(films), seed=3)
        assert first != split_films(films, grouped(films), seed=4)
        back = films[::-1]
        assert split_films(back, grouped(back), seed=3).parts == first.parts[::-1]

    def test_a_split_is_found_where_there_is_only_one_kind_of_it(self) -> None:
        films = make(("a", "1", 50), ("a", "2", 1), ("a", "3", 1), ("b", "1", 1), ("b", "2", 1), ("b", "4", 60))
        split = split_films(films, grouped(films))
        assert all(classes(films, split, part) == {"a", "b"} for part in Part)

    def test_a_class_with_too_few_groups_is_named_with_what_to_do(self) -> None:
        films = make(*(("a", f"a{n}", 2) for n in range(5)), ("Diving", "g1", 3), ("Diving", "g2", 1))
        with pytest.raises(DataError) as error:
            split_films(films, grouped(films))
        assert str(error.value) == (
            "Class 'Diving' has 2 groups (4 videos: g1, g2), and train, val and test need 3, one each. "
            "Use --no-test (train and val only), use --folds 3, or leave the class out."
        )
        assert classes(films, split_films(films, grouped(films), test=False), VAL) == {"a", "Diving"}

    @pytest.mark.parametrize("test", [True, False])
    def test_a_class_with_one_film(self, test: bool) -> None:
        films = make(*(("a", f"a{n}", 2) for n in range(5)), ("Diving", "g1", 1))
        with pytest.raises(
            DataError, match=r"'Diving' has 1 group \(1 video: g1\).*Add videos of other groups, or leave"
        ):
            split_films(films, grouped(films), test=test)

    def test_entangled_groups_have_a_message_of_their_own(self) -> None:
        rows = [("a", "1", 1), ("a", "2", 1), ("a", "3", 1), ("b", "1", 1), ("b", "4", 1), ("b", "5", 1)]
        films = make(*rows, ("c", "2", 1), ("c", "4", 1), ("c", "1", 1), ("d", "2", 1), ("d", "3", 1), ("d", "4", 1))
        films += make(("e", "3", 1), ("e", "1", 1), ("e", "4", 1))
        with pytest.raises(DataError, match=r"No split was found .* the best lacks '.' in .*--no-test"):
            split_films(films, grouped(films))

    def test_thousands_of_groups_are_no_burden(self) -> None:
        films = make(*((f"class{n % 20:02d}", f"{n}", 1) for n in range(3000)))
        assert Counter(split_films(films, grouped(films)).parts) == {TRAIN: 2100, VAL: 450, TEST: 450}


class TestGiven:
    def given(self, *rows: tuple[str, str, int, Part]) -> list[LabelledFilm]:
        return [film for label, group, count, part in rows for film in make((label, group, count), part=part)]

    def test_a_given_split_is_used(self) -> None:
        films = self.given(*((label, f"{label}{part}", 2, part) for label in "ab" for part in Part))
        split = split_films(films, grouped(films))
        assert split == Split(tuple(film.part for film in films if film.part))

    def test_a_given_split_with_groups_on_two_sides_is_used(self) -> None:
        films = self.given(*((label, "ann", 1, part) for label in "ab" for part in Part), ("a", "bob", 1, TRAIN))
        split = split_films(films, grouped(films))
        assert split.parts == tuple(film.part for film in films)
        assert split.leaking_groups == ("ann",)
        assert split.notes == (
            "1 group on two sides of the given split (ann): the split is used as it is, but scores will be too high",
        )
        assert str(split).endswith(", 1 group on two sides")

    def test_a_missing_val_is_taken_out_of_train_by_group(self) -> None:
        films = self.given(*((label, f"{n}", 2, TRAIN if n < 8 else TEST) for label in "ab" for n in range(10)))
        split = split_films(films, grouped(films))
        assert split.indices(TEST) == tuple(i for i, film in enumerate(films) if film.part is TEST)
        assert classes(films, split, VAL) == {"a", "b"}
        assert all(len(each) == 1 for each in sides(films, split).values())
        assert split.notes == ("the given split has no val: val was taken out of train, by group",)

    def test_a_val_that_cannot_be_taken_out_of_train(self) -> None:
        films = self.given(*((label, label, 3, part) for label in "ab" for part in (TRAIN, TEST)))
        with pytest.raises(DataError, match=r"'a' has 1 group \(3 videos: a\), and train and val need 2"):
            split_films(films, grouped(films))

    def test_a_missing_test_gives_a_note(self) -> None:
        films = self.given(*((label, f"{label}{part}", 2, part) for label in "ab" for part in (TRAIN, VAL)))
        assert split_films(films, grouped(films)).notes == ("the given split has no test: scores are on val only",)

    def test_a_class_missing_from_a_side(self) -> None:
        films = self.given(("a", "1", 2, TRAIN), ("b", "2", 2, TRAIN), ("a", "3", 2, VAL), ("a", "4", 1, TEST))
        assert split_films(films, grouped(films)).notes == (
            "no video of class b is in val: scores on val do not include it",
            "no video of class b is in test: scores on test do not include it",
        )

    def test_a_class_missing_from_train_is_an_error(self) -> None:
        films = self.given(("a", "1", 2, TRAIN), ("a", "3", 2, VAL), ("b", "4", 1, VAL))
        with pytest.raises(DataError, match="no video of class b in train"):
            split_films(films, grouped(films))

    def test_nothing_to_train_on(self) -> None:
        films = self.given(("a", "1", 2, TEST), ("b", "4", 1, TEST))
        with pytest.raises(DataError, match="no video for train"):
            split_films(films, grouped(films))


class TestFolds:
    @pytest.mark.parametrize("folds", [2, 3, 5])
    def test_every_film_is_tested_once_and_never_beside_its_group(self, folds: int) -> None:
        for seed in range(10):
            films = random_films(np.random.default_rng(100 + seed))
            if folds > len(set(grouped(films).groups)):
                continue
            splits = fold_films(films, grouped(films), folds, seed=seed)
            assert Counter(i for split in splits for i in split.indices(TEST)) == Counter(range(len(films)))
            for split in splits:
                assert all(len(each) == 1 for each in sides(films, split).values())
                assert classes(films, split, TRAIN) == {film.label for film in films}
                assert split.indices(VAL)

    def test_a_class_with_two_groups_is_folded_with_a_note(self) -> None:
        films = make(*(("a", f"a{n}", 2) for n in range(6)), ("Diving", "g1", 3), ("Diving", "g2", 1))
        splits = fold_films(films, grouped(films), 3)
        notes = [note for split in splits for note in split.notes]
        assert all(classes(films, split, TRAIN) == {"a", "Diving"} for split in splits)
        assert any("no video of class Diving is in test" in note for note in notes)

    def test_a_class_with_one_group_is_refused(self) -> None:
        films = make(*(("a", f"a{n}", 2) for n in range(6)), ("Diving", "g1", 3))
        with pytest.raises(DataError, match=r"Class 'Diving' has only one group \(g1\)"):
            fold_films(films, grouped(films), 3)

    def test_wrong_numbers_of_folds(self) -> None:
        films = make(*((label, f"{label}{n}", 1) for label in "ab" for n in range(2)))
        with pytest.raises(UsageError, match="wanted 2 folds or more"):
            fold_films(films, grouped(films), 1)
        with pytest.raises(UsageError, match="only 4 groups; use --folds 4"):
            fold_films(films, grouped(films), 5)

    def test_folds_of_a_given_split_are_an_error(self) -> None:
        films = make(("a", "1", 2), ("b", "2", 2), part=TRAIN)
        with pytest.raises(UsageError, match="have a given split"):
            fold_films(films, grouped(films), 2)


def long_film(name: str, shows: dict[str, int], group: str = "", part: Part | None = None) -> LabelledFilm:
    """A film that shows each behaviour for so many frames."""
    bouts = tuple(Bout(100.0 * n, 100.0 * n + count, label) for n, (label, count) in enumerate(shows.items()))
    return LabelledFilm(Path(name), group=group or name, part=part, annotation=Annotation(bouts, unit="frames"))


def shown(films: Sequence[LabelledFilm], split: Split, part: Part) -> set[str]:
    return {name for index in split.indices(part) for name in shown_classes(films[index])}


class TestLongFilms:
    def test_no_group_is_on_two_sides_and_every_behaviour_on_every_side_that_it_can_be_on(self) -> None:
        for seed in range(30):
            rng = np.random.default_rng(seed)
            films = []
            for group in range(int(rng.integers(5, 12))):
                often = {name: int(rng.integers(1, 90)) for name in "ab" if group < 3 or rng.random() < 0.5}
                rare = {"rare": 5} if group in (0, 3, 4) else {}
                films += [long_film(f"{group} {n}", often | rare, str(group)) for n in range(rng.integers(1, 4))]
            for test in (True, False):
                split = split_long_films(films, grouped(films), test=test, seed=seed)
                assert all(len(each) == 1 for each in sides(films, split).values()), seed
                assert set(split.parts) == {TRAIN, VAL, TEST} - (set() if test else {TEST})
                assert all(shown(films, split, part) == {"a", "b", "rare"} for part in set(split.parts)), seed
                assert split.notes == () and not split.leaking_groups
                assert split == split_long_films(films, grouped(films), test=test, seed=seed)

    def test_shares_are_of_labelled_time(self) -> None:
        films = [long_film(f"{n}", {"a": 70, "b": 30}) for n in range(20)]
        films += [long_film(f"short {n}", {"a": 1, "b": 1}) for n in range(20)]
        split = split_long_films(films, grouped(films))
        time = {part: sum(100 if i < 20 else 2 for i in split.indices(part)) for part in Part}
        assert time[TRAIN] / sum(time.values()) == pytest.approx(0.70, abs=0.03)

    def test_a_behaviour_of_one_film_is_trained_and_a_note_says_which_side_lacks_it(self) -> None:
        films = [long_film(f"{n}", {"a": 50, "b": 20} | ({"rare": 9} if n == 4 else {})) for n in range(8)]
        split = split_long_films(films, grouped(films))
        assert split.parts[4] is TRAIN
        assert sorted(split.notes) == [
            "no test video shows rare: there is no number of test for it",
            "no val video shows rare: there is no number of val for it",
        ]

    def test_two_groups_have_no_test_part(self) -> None:
        films = [long_film(f"{n}", {"a": 50, "b": 20}, f"mouse {n % 2}") for n in range(6)]
        split = split_long_films(films, grouped(films))
        assert Counter(split.parts) == {TRAIN: 3, VAL: 3}
        assert split.notes == ("two groups give train and val only: there is no test number",)
        assert split_long_films(films, grouped(films), test=False).notes == ()

    @pytest.mark.parametrize("count", [2, 5])
    def test_films_of_one_group_count_as_groups(self, count: int) -> None:
        films = [long_film(f"{n}", {"a": 50, "b": 20}, "mouse") for n in range(count)]
        split = split_long_films(films, grouped(films))
        assert set(split.parts) == ({TRAIN, VAL, TEST} if count > 2 else {TRAIN, VAL})
        assert split.notes[0] == "all videos are of one group, so each one counts as a group: scores may be too high"

    @pytest.mark.parametrize(
        "shows",
        [
            [{"a": 9}, {"b": 9}],
            [{"a": 9}, {}, {}],
            [{"a": 9}, {"b": 9}, {}],
            [{"a": 9, "b": 9}, {}, {}, {}],
            [{"a": 9}, *[{}] * 15],
        ],
        ids=len,
    )
    def test_no_side_is_without_films_whatever_they_show(self, shows: list[dict[str, int]]) -> None:
        films = [long_film(f"{n}", one) for n, one in enumerate(shows)]
        for test in (True, False):
            split = split_long_films(films, grouped(films), test=test)
            assert set(split.parts) == ({TRAIN, VAL, TEST} if test and len(films) > 2 else {TRAIN, VAL})
            assert "a" in shown(films, split, TRAIN) or "b" in shown(films, split, TRAIN)

    def test_what_only_val_shows_is_said_to_be_not_learnt(self) -> None:
        films = [long_film("1", {"a": 9}, part=TRAIN), long_film("2", {"a": 9, "b": 9}, part=VAL)]
        assert split_long_films(films, grouped(films)).notes == (
            "the given split has no test: scores are on val only",
            "no train video shows b: it is not learnt",
        )


class TestLongFilmsOfAGivenSplit:
    def given(self, *parts: Part | None, groups: str = "") -> list[LabelledFilm]:
        return [
            long_film(f"{n}", {"a": 50, "b": 20}, groups[n] if groups else "", part) for n, part in enumerate(parts)
        ]

    def test_it_is_used_as_it_is(self) -> None:
        films = self.given(TRAIN, TEST, VAL, TRAIN)
        assert split_long_films(films, grouped(films), test=False) == Split((TRAIN, TEST, VAL, TRAIN))

    def test_films_without_a_part_train(self) -> None:
        films = self.given(None, TEST, VAL, None)
        assert split_long_films(films, grouped(films)).parts == (TRAIN, TEST, VAL, TRAIN)

    def test_an_empty_test_list_gives_scores_on_val(self) -> None:
        films = self.given(TRAIN, TRAIN, VAL)
        split = split_long_films(films, grouped(films))
        assert split.parts == (TRAIN, TRAIN, VAL)
        assert split.notes == ("the given split has no test: scores are on val only",)

    def test_a_missing_val_is_taken_out_of_train_by_group(self) -> None:
        films = self.given(*[TRAIN] * 8, TEST, groups="aabbccddz")
        split = split_long_films(films, grouped(films))
        assert split.parts[8] is TEST and split.parts.count(VAL) == 2
        assert all(len(each) == 1 for each in sides(films, split).values())
        assert split.notes == ("the given split has no val: val was taken out of train, by group",)

    def test_train_films_of_one_group_count_as_groups_where_val_is_missing(self) -> None:
        films = self.given(TRAIN, TRAIN, TRAIN, TEST, groups="aaaz")
        split = split_long_films(films, grouped(films))
        assert Counter(split.parts) == {TRAIN: 2, VAL: 1, TEST: 1}
        assert split.notes[0].startswith("all videos of train are of one group, so each one counts as a group")
        assert split.leaking_groups == ("a",)

    def test_what_cannot_be_completed_is_refused(self) -> None:
        one, nothing = self.given(TRAIN, TEST), self.given(VAL, TEST)
        with pytest.raises(DataError, match=r"one video for train and none for val. Add a video, or write val"):
            split_long_films(one, grouped(one))
        with pytest.raises(DataError, match="no video for train"):
            split_long_films(nothing, grouped(nothing))

    def test_a_group_on_two_sides_is_told(self) -> None:
        films = self.given(TRAIN, VAL, TEST, groups="aab")
        split = split_long_films(films, grouped(films))
        assert split.leaking_groups == ("a",)
        assert split.notes == ("1 group on two sides of the given split (a): scores will be too high",)


def test_every_fold_of_long_films_has_films_on_every_side() -> None:
    films = [long_film(f"{n}", {"a": 50} if n < 2 else {"b": 5} if n == 2 else {}) for n in range(7)]
    splits = fold_films(films, grouped(films), 3)
    assert Counter(i for split in splits for i in split.indices(TEST)) == Counter(range(7))
    assert all(set(split.parts) == {TRAIN, VAL, TEST} for split in splits)
    assert any("shows b" in note for split in splits for note in split.notes)


@pytest.mark.footage
def test_real_films_have_every_class_on_every_side_in_even_shares(footage: Path) -> None:
    films = read_labelled(footage / "ucf9" / "clips.csv").films
    split = split_films(films, grouped(films))
    assert all(len(classes(films, split, part)) == 9 for part in Part)
    assert all(len(each) == 1 for each in sides(films, split).values())
    assert abs(len(split.indices(TRAIN)) / 873 - 0.70) < 0.03
    assert abs(len(split.indices(VAL)) / 873 - 0.15) < 0.02
    assert abs(len(split.indices(TEST)) / 873 - 0.15) < 0.02
