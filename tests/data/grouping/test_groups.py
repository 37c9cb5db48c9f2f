"""Groups of films: the column before names, names before appearance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vidrnn.data.grouping import looks as looks_module
from vidrnn.data.grouping.base import Grouping
from vidrnn.data.grouping.groups import drop_duplicates, group_films, named_groups
from vidrnn.data.listing.labelled import read_labelled
from vidrnn.data.scan import scan_films
from vidrnn.errors import DataError
from vidrnn.values import Excerpt, FilmFacts, FilmScan, LabelledFilm, Part, Size

RANDOM = np.random.default_rng(0)


def film(name: str, label: str | None = None, group: str | None = None, part: Part | None = None) -> LabelledFilm:
    """A film by its path below the data folder; the class is the first folder by default."""
    return LabelledFilm(Path("/data") / name, label or name.split("/", maxsplit=1)[0], group, part)


def scan(of: LabelledFilm, thumbnails: NDArray[np.uint8] | None = None, content: str | None = None) -> FilmScan:
    if thumbnails is None:
        thumbnails = RANDOM.integers(0, 256, (8, 12, 16), dtype=np.uint8)
    facts = FilmFacts(of.path, Size(120, 160), "h264", 50, 0.0, 1.96, 2.0, 0, 50, 25.0)
    return FilmScan(facts, content or of.path.as_posix(), thumbnails, np.arange(50) / 25)


def by_names(*names: str) -> Grouping:
    films = [film(name) for name in names]
    return group_films(films, [scan(each) for each in films])


def together(grouping: Grouping) -> set[frozenset[int]]:
    """The groups of two or more, as indices."""
    groups = (frozenset(i for i, g in enumerate(grouping.groups) if g == name) for name in set(grouping.groups))
    return {each for each in groups if len(each) > 1}


def near(thumbnails: NDArray[np.uint8], by: int = 2) -> NDArray[np.uint8]:
    """The same pictures after another encoder."""
    noise = RANDOM.integers(-by, by + 1, thumbnails.shape)
    return np.clip(thumbnails.astype(int) + noise, 0, 255).astype(np.uint8)


class TestColumn:
    def test_the_column_goes_before_names(self) -> None:
        films = [film(f"{label}/x_g{n:02d}.mp4", group="ann" if n < 3 else "bob") for label in "ab" for n in range(6)]
        grouping = group_films(films, [scan(each) for each in films])
        assert grouping.source == "from the group column"
        assert grouping.counts == {"ann": 6, "bob": 6}

    def test_films_without_a_group_stand_alone_and_are_counted(self) -> None:
        films = [film("a/1.mp4", group="ann"), film("a/2.mp4"), film("b/2.mp4")]
        grouping = group_films(films, [scan(each) for each in films])
        assert grouping.groups == ("ann", "a/2.mp4", "b/2.mp4")
        assert grouping.notes == ("without a group, so each is a group of its own: 2 videos",)


class TestNames:
    def test_ucf_names_give_their_g_and_not_their_c(self) -> None:
        names = [
            f"{a}/v_{a}_g{g:02d}_c{c:02d}.avi" for a in ("Diving", "Archery") for g in range(1, 9) for c in (1, 2, 3)
        ]
        grouping = by_names(*names)
        assert grouping.source == "from names: _gNN_"
        assert grouping.counts == {f"g{g:02d}": 6 for g in range(1, 9)}
        assert str(grouping).startswith("8 groups (from names: _gNN_): g01 (6), g02 (6)")

    @pytest.mark.parametrize(
        ("pattern", "shown"),
        [
            ("{label}/figure{who:02d}_{take:02d}.webm", "figureNN_"),
            ("{label}/person{who:02d}_{label}_d{take}_uncomp.avi", "personNN_"),
            ("{label}/subject{who}_{take}.mp4", "subjectN_"),
            ("{label}/{label}_actor_{who:02d}_cam{take}.mp4", "_actor_NN_"),
            ("{label}/Actor_{who:02d}/01-02-{take:02d}.mp4", "Actor_NN"),
            ("{label}/subject {who}/clip{take}.mp4", "subject N"),
            ("{label}/S001C00{take}P{who:03d}R001.avi", "PNNN"),
            ("{label}/{label}_s{who:02d}_t{take:02d}_color.avi", "_sNN_"),
            ("{label}/group{who}-take{take}.mp4", "groupN-"),
            ("{label}/take{take}_scene-{who}.mp4", "_scene-N"),
            ("{label}/session{take}/P{who:02d}.mp4", "PNN"),
            ("{label}/v_shooting_{who:02d}/v_shooting_{who:02d}_{take:02d}.avi", "folders"),
            ("{label}/house{who}_{take}.mp4", "houseN_"),
        ],
    )
    def test_patterns_that_people_use(self, pattern: str, shown: str) -> None:
        cells = [(label, who, take) for label in ("run", "walk") for who in range(1, 7) for take in (1, 2, 3)]
        grouping = by_names(*(pattern.format(label=label, who=who, take=take) for label, who, take in cells))
        assert grouping.source == f"from names: {shown}"
        assert together(grouping) == {
            frozenset(i for i, cell in enumerate(cells) if cell[1] == who) for who in range(1, 7)
        }

    @pytest.mark.parametrize(
        "names",
        [
            [f"{label}/{label}_{n:02d}.mp4" for label in ("run", "walk") for n in range(12)],
            [f"{label}/clip{n}.mp4" for label in ("run", "walk") for n in range(12)],
            [f"{label}/video_{n}.mp4" for label in ("run", "walk", "sit") for n in range(12)],
            [f"{label}/MVI{n}.mp4" for label in ("run", "walk", "sit") for n in range(12)],
            [f"{label}/x{n}_mp4_240p25_np{n % 3}.mp4" for label in ("run", "walk") for n in range(12)],
            [f"{label}/person{n % 2}_{n}.mp4" for label in ("run", "walk") for n in range(12)],
            [f"{label}/A{int(label == 'run'):03d}_{n}.mp4" for label in ("run", "walk") for n in range(12)],
        ],
    )
    def test_counters_settings_and_class_names_are_no_groups(self, names: list[str]) -> None:
        assert by_names(*names).source.startswith("no group column and no pattern in names")

    def test_person1_and_person01_are_one_person(self) -> None:
        names = [f"{label}/person{who}_{label}.mp4" for label in "ab" for who in ("1", "2", "3", "10")]
        assert by_names(*names, "c/person01_c.mp4").counts["person1"] == 3

    def test_a_few_names_without_the_pattern_stand_alone(self) -> None:
        names = [f"{label}/p{who:02d}_{n}.mp4" for label in "ab" for who in range(6) for n in range(4)]
        grouping = by_names(*names, "a/odd one.mp4")
        assert grouping.counts["a/odd one.mp4"] == 1
        assert grouping.notes == ("without pNN_ in the name, so each is a group of its own: 1 video",)


@pytest.mark.parametrize("many", [4000, 0], ids=["each with each", "random trees"])
class TestAppearance:
    @pytest.fixture(autouse=True)
    def way(self, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(looks_module, "MANY", many)

    def films(self, count: int = 12) -> tuple[list[LabelledFilm], list[NDArray[np.uint8]]]:
        films = [film(f"{label}/{chr(97 + n)}.mp4") for label in ("run", "walk") for n in range(count // 2)]
        return films, [scan(each).thumbnails for each in films]

    def group(self, films: Sequence[LabelledFilm], looks: Sequence[NDArray[np.uint8]]) -> Grouping:
        return group_films(films, [scan(each, look) for each, look in zip(films, looks, strict=True)])

    def test_films_of_one_scene_stay_together_across_classes(self) -> None:
        films, looks = self.films()
        looks[1] = near(looks[0])
        looks[6][0] = near(looks[1][-1])  # what follows on the last frame of another
        grouping = self.group(films, looks)
        assert together(grouping) == {frozenset({0, 1, 6})}
        assert grouping.source == "near-duplicates share a group: 3 videos in 1 group"

    def test_blank_frames_join_no_films(self) -> None:
        films, looks = self.films()
        for look in looks:
            look[0] = 0
            look[-1] = 250
        assert not together(self.group(films, looks))

    def test_films_that_are_blank_throughout_do_no_harm(self) -> None:
        films, looks = self.films()
        assert not together(self.group(films, [np.zeros_like(look) for look in looks]))

    def test_pieces_of_one_film_by_name_need_be_less_alike(self) -> None:
        films, looks = self.films()
        base = np.full((8, 12, 16), 100, dtype=np.uint8)
        base[:, :6] = 200
        looks[0], looks[1], looks[2] = base, base + 15, base + 30
        films[0], films[1] = film("run/match_1.mp4"), film("run/match_2.mp4")
        assert together(self.group(films, looks)) == {frozenset({0, 1})}

    def test_films_of_one_fixed_camera_share_a_group_only_as_copies(self) -> None:
        films, looks = self.films()
        room = RANDOM.integers(0, 256, (12, 16))
        looks = [np.clip(room + RANDOM.integers(-12, 13, look.shape), 0, 255).astype(np.uint8) for look in looks]
        looks[3] = near(looks[2], by=1)
        grouping = self.group(films, looks)
        assert together(grouping) == {frozenset({2, 3})}
        assert grouping.source.endswith(
            "all videos look alike, as from one fixed camera, so only copies of them share a group"
        )

    def test_a_class_filmed_in_one_place_leaves_the_scenes_of_others_joined(self) -> None:
        films = [film(f"{label}/{chr(97 + n)}.mp4") for label in ("lab", "run", "walk", "sit") for n in range(6)]
        looks = [scan(each).thumbnails for each in films]
        room = RANDOM.integers(0, 256, (12, 16))
        for n in range(6):
            looks[n] = np.clip(room + RANDOM.integers(-12, 13, (8, 12, 16)), 0, 255).astype(np.uint8)
        looks[7] = near(looks[6])
        grouping = self.group(films, looks)
        assert together(grouping) == {frozenset({6, 7})}
        assert "videos of lab look alike" in grouping.source

    def test_near_films_among_hundreds_are_found(self) -> None:
        films = [film(f"{'ab'[n % 2]}/{n:b}x.mp4".replace("0", "o").replace("1", "i")) for n in range(600)]
        looks = [np.repeat(RANDOM.integers(0, 256, (2, 12, 16), dtype=np.uint8), 4, axis=0) for _ in films]
        pairs = {frozenset({n, n + 300}) for n in range(0, 80)}
        for n, other in map(sorted, pairs):
            looks[other][0] = near(looks[n][0], by=12)
        looks[590] = near(looks[300], by=3)
        pairs = {each for each in pairs if 300 not in each} | {frozenset({0, 300, 590})}
        assert together(self.group(films, looks)) == pairs

    @pytest.mark.slow
    def test_two_thousand_films_in_seconds(self) -> None:
        films = [film(f"{'ab'[n % 2]}/{n:b}x.mp4".replace("0", "o").replace("1", "i")) for n in range(2000)]
        looks = [scan(each).thumbnails for each in films]
        looks[1999] = near(looks[0])
        assert together(self.group(films, looks)) == {frozenset({0, 1999})}


class TestDuplicates:
    def test_each_content_once(self) -> None:
        films = [film("a/1.mp4"), film("b/2.mp4"), film("a/3.mp4")]
        scans = [scan(films[0], content="x"), scan(films[1], content="y"), scan(films[2], content="x")]
        kept, kept_scans, notes = drop_duplicates(films, scans)
        assert kept == tuple(films[:2])
        assert kept_scans == tuple(scans[:2])
        assert notes == ("left out as exact copies of others: 1 video",)

    def test_with_two_labels_both_films_are_named(self) -> None:
        films = [film("a/1.mp4"), film("b/2.mp4")]
        with pytest.raises(DataError, match=r"a/1.mp4 \('a'\) and /data/b/2.mp4 \('b'\) are the same video"):
            drop_duplicates(films, [scan(each, content="x") for each in films])

    def test_a_copy_does_not_stay_in_train_when_its_double_is_tested(self) -> None:
        films = [film("a/1.mp4", part=Part.TEST), film("a/2.mp4", part=Part.TRAIN), film("a/3.mp4", part=Part.VAL)]
        kept, _, notes = drop_duplicates(films, [scan(each, content="x") for each in films])
        assert kept == (films[0],)
        assert notes[1] == "in two parts of the given split, used in the later part only: 1 video"


@pytest.mark.footage
def test_names_and_looks_of_real_films(footage: Path) -> None:
    given = read_labelled(footage / "ucf9" / "clips.csv").films
    found = group_films([LabelledFilm(each.path, each.label) for each in given], [scan(each) for each in given])
    assert found.source == "from names: _gNN_"
    assert found.groups == tuple(each.group for each in given)

    some = [each for each in given if each.group in ("g08", "g09") and each.label == "BalanceBeam"]
    anonymous = [film(f"x/{chr(97 + n)}.mp4") for n in range(len(some))]
    looks = [found for _, found in scan_films([each.path for each in some], cache=None, jobs=2)]
    assert all(isinstance(each, FilmScan) for each in looks)
    for group in together(group_films(anonymous, looks)):  # type: ignore[arg-type]
        assert len({some[index].group for index in group}) == 1


class TestExcerptsAndRecordings:
    def test_excerpts_of_one_film_share_a_group_and_do_not_blur_the_pattern(self) -> None:
        paths = [Path(f"up/p{who:02d}_x.mp4") for who in range(6)]
        films = [LabelledFilm(path, "up", excerpt=Excerpt(part, part + 1)) for path in paths for part in range(4)]
        groups = group_films(films, [scan(each, content=each.path.name) for each in films]).groups
        assert all(len(set(groups[place : place + 4])) == 1 for place in range(0, len(groups), 4))
        assert len(set(groups)) == 6
        assert named_groups(films) == groups

    def test_groups_that_share_a_film_are_joined(self) -> None:
        films = [
            LabelledFilm(Path(name), "up", group, excerpt=Excerpt(part, part + 1))
            for name, group, part in (("a.mp4", "g1", 0), ("a.mp4", "g2", 1), ("b.mp4", "g2", 0), ("c.mp4", "g3", 0))
        ]
        grouping = group_films(films, [scan(each, content=each.path.name) for each in films])
        assert grouping.groups == ("g1", "g1", "g1", "g3")
        assert "so these groups are joined" in grouping.notes[-1]

    def test_excerpts_of_one_film_are_no_copies(self) -> None:
        films = [LabelledFilm(Path("a.mp4"), label, excerpt=Excerpt(part)) for part, label in enumerate("xy")]
        scans = [replace(scan(each, content="same"), excerpt=each.excerpt) for each in films]
        assert len(drop_duplicates(films, scans)[0]) == 2

    def test_chapters_share_a_group_beside_any_other_grouping(self) -> None:
        films = [
            LabelledFilm(Path(f"up/GX{chapter:02d}{number:04d}.MP4"), "up") for number in range(4) for chapter in (1, 2)
        ]
        scans = [scan(each, content=each.path.name) for each in films]
        grouping = group_films(films, scans)
        assert [grouping.groups[place] == grouping.groups[place + 1] for place in (0, 2, 4, 6)] == [True] * 4
        assert len(set(grouping.groups)) == 4
        assert "chapters of one recording share a group: 8 videos of 4 recordings" in grouping.source

    def test_one_odd_name_does_not_drop_the_pattern(self) -> None:
        films = [
            LabelledFilm(Path(f"{label}/p{who:02d}_{label}.mp4"), label) for label in ("up", "down") for who in range(6)
        ]
        films.append(LabelledFilm(Path("up/extra.mp4"), "up"))
        grouping = group_films(films, [scan(each, content=str(each.path)) for each in films])
        assert grouping.source.startswith("from names: pNN_")
        assert "without pNN_ in the name, so each is a group of its own: 1 video" in grouping.notes

    @pytest.mark.parametrize("camera", ["{:03d}", "{:02d}AB", "4F{:02d}A"])
    def test_a_number_or_a_serial_number_at_the_beginning_is_a_pattern(self, camera: str) -> None:
        films = [
            LabelledFilm(Path(f"{label}/{camera.format(who)}_{take}.mp4"), label)
            for label in ("up", "down")
            for who in range(6)
            for take in (1, 2)
        ]
        grouping = group_films(films, [scan(each, content=str(each.path)) for each in films])
        assert len(set(grouping.groups)) == 6 and grouping.source.startswith("from names: NNN")

    def test_all_films_with_two_labels_are_listed(self) -> None:
        films = [LabelledFilm(Path(f"{label}/{number}.mp4"), label) for number in range(12) for label in "xy"]
        scans = [scan(each, content=each.path.stem) for each in films]
        with pytest.raises(DataError, match=r"(?s)12 faults:.*x/0.mp4 .*x/9.mp4.*and 2 more"):
            drop_duplicates(films, scans)
