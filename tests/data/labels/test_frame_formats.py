"""Formats that say something of every frame: DeepEthogram, FERAL, BENTO, Solomon Coder, groundTruth folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from examples import Truth, bento, feral, groundtruth, written
from vidrnn.config import LabelsConfig
from vidrnn.data.label_text import beginning_of
from vidrnn.data.labels.base import NamedLabels
from vidrnn.data.labels.bento import Bento
from vidrnn.data.labels.deepethogram import DeepEthogram
from vidrnn.data.labels.feral import Feral
from vidrnn.data.labels.groundtruth import GroundTruth
from vidrnn.data.labels.solomon import Solomon
from vidrnn.errors import DataError
from vidrnn.values import Bout, Part

OPTIONS = LabelsConfig()
TRUTH = Truth()


def deepethogram(folder: Path, *rows: str) -> NamedLabels:
    path = written(folder / "a_labels.csv", ",background,dig,rear", *rows)
    return DeepEthogram().read(path, OPTIONS).films[0]


def test_background_gives_way_to_a_behaviour_of_the_same_frame(tmp_path: Path) -> None:
    film = deepethogram(tmp_path, "0,1,0,0", "1,1,1,0", "2,0,1,1", "3,0,0,0")
    assert set(film.bouts) == {Bout(0, 1, "background"), Bout(1, 3, "dig"), Bout(2, 3, "rear")}
    assert (film.name, film.unit, film.known) == ("a", "frames", ((0.0, 4.0),))


def test_a_frame_of_minus_one_is_not_known(tmp_path: Path) -> None:
    film = deepethogram(tmp_path, "0,1,0,0", "1,-1,-1,-1", "2,-1,-1,-1", "3,0,1,0")
    assert film.known == ((0.0, 1.0), (3.0, 4.0))
    assert set(film.bouts) == {Bout(0, 1, "background"), Bout(3, 4, "dig")}


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (("0,1,0,0", "2,1,0,0"), "line 3 is 2,1,0,0"),
        (("0,1,0,2",), "line 2 is 0,1,0,2"),
        (("0,1,0,x",), "line 2 has 'x' where a number belongs"),
        (("0,1,0",), "line 2 has 3 cells"),
    ],
)
def test_a_wrong_row_is_named(rows: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=reason):
        deepethogram(tmp_path, *rows)


def feral_file(folder: Path, **changes: Any) -> Path:
    path = feral(folder, TRUTH)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")
    return path


def test_several_behaviours_at_once_are_lists_of_zero_and_one(tmp_path: Path) -> None:
    labels = {"a.mp4": [[0, 0, 0], [0, 1, 1], [0, 1, 0]]}
    film = Feral().read(feral_file(tmp_path, labels=labels, is_multilabel=True), OPTIONS).films[0]
    assert set(film.bouts) == {Bout(1, 3, "dig"), Bout(1, 2, "rear")}
    assert film.known == ((0.0, 3.0),)


def test_films_have_the_parts_of_the_splits(tmp_path: Path) -> None:
    labels = {name: [0, 1] for name in ("a", "b", "c", "d", "e")}
    splits = {"train": ["a"], "val": ["b", "c"], "test": ["c"], "inference": ["d"]}
    films = Feral().read(feral_file(tmp_path, labels=labels, splits=splits), OPTIONS).films
    assert [film.part for film in films] == [Part.TRAIN, Part.VAL, Part.TEST, None, None]
    with pytest.raises(DataError, match="a is in the splits train and test"):
        Feral().read(feral_file(tmp_path, labels=labels, splits={"train": ["a"], "test": ["a"]}), OPTIONS)


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": {"a.mp4": [0, 7]}},
        {"labels": {"a.mp4": [[0, 1]]}},
        {"labels": {"a.mp4": [0, [1]]}},
        {"labels": {"a.mp4": []}},
        {"labels": {"a.mp4": "dig"}},
        {"labels": []},
        {"class_names": {"1": "dig"}},
        {"class_names": ["dig"]},
        {"splits": []},
    ],
)
def test_labels_of_another_shape_are_an_error(changes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DataError):
        Feral().read(feral_file(tmp_path, **changes), OPTIONS)


def test_a_feral_file_is_known_wherever_its_keys_stand(tmp_path: Path) -> None:
    content = json.loads(feral(tmp_path, TRUTH).read_text(encoding="utf-8"))
    long = {"labels": {"a.mp4": [0] * 50_000}} | {key: content[key] for key in ("splits", "class_names")}
    path = tmp_path / "long.json"
    path.write_text(json.dumps(long), encoding="utf-8")
    assert Feral().recognises(path, beginning_of(path))


def test_bento_says_its_rate_and_the_part_that_was_annotated(tmp_path: Path) -> None:
    film = Bento().read(bento(tmp_path, TRUTH), OPTIONS).films[0]
    assert (film.name, film.aliases, film.rate) == ("a.mp4", ("anno",), 25.0)
    assert film.known == ((0.0, 4.0),)


@pytest.mark.parametrize(("row", "end"), [("1 1.96 1", 2.0), ("1 2 1", 2.0), ("0.04 0.04 0.04", 0.08)])
def test_the_duration_tells_whether_the_last_frame_is_included(row: str, end: float, tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.annot", "Bento annotation file", "Annotation framerate: 25", "Ch1----------", ">dig", row
    )
    film = Bento().read(path, OPTIONS).films[0]
    assert (film.name, film.known) == ("a", None)
    assert film.bouts[0].end == pytest.approx(end)


def test_channels_of_bento_are_subjects_if_there_are_several(tmp_path: Path) -> None:
    tables = ("Ch1----------", ">dig", "Start Stop Duration", "1 1.96 1", "", "Ch2----------", ">dig", "2 2.96 1")
    head = ("Bento annotation file", "Movie file(s):", "my mice.mp4 other.avi", "", "Annotation framerate: 25")
    film = Bento().read(written(tmp_path / "a.annot", *head, *tables), OPTIONS).films[0]
    assert [one.subject for one in film.bouts] == ["Ch1", "Ch2"]
    assert film.name == "my mice.mp4"


@pytest.mark.parametrize("row", ["1 2", "1 x 3", "3 2 1"])
def test_a_wrong_bout_of_bento_is_named(row: str, tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.annot", "Bento annotation file", "Annotation framerate: 25", "Ch1----------", ">dig", row
    )
    with pytest.raises(DataError, match="line 5"):
        Bento().read(path, OPTIONS)


def test_solomon_has_a_column_for_each_group_of_behaviours(tmp_path: Path) -> None:
    rows = ("0;;near", "0,5;dig;near", "1;dig;", "1,5;;dig")
    path = written(tmp_path / "a.csv", "Time;Act;Place", *rows)
    assert Solomon().recognises(path, beginning_of(path))
    film = Solomon().read(path, OPTIONS).films[0]
    assert set(film.bouts) == {Bout(0.5, 1.5, "Act: dig"), Bout(0, 1, "near"), Bout(1.5, 2, "Place: dig")}
    assert film.known == ((0.0, 2.0),)


@pytest.mark.parametrize("rows", [("0,x", "0,x"), ("0,x",), ("0,x", "y,x")])
def test_times_of_solomon_grow(rows: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(DataError):
        Solomon().read(written(tmp_path / "a.csv", "Time,Act", *rows), OPTIONS)


def test_the_first_split_of_a_ground_truth_folder_gives_the_parts(tmp_path: Path) -> None:
    data = groundtruth(tmp_path, TRUTH)
    written(data / "groundTruth" / "b.txt", "none", "dig")
    written(data / "splits" / "train.split2.bundle", "b.txt")
    written(data / "splits" / "test.split1.bundle", "b.txt")
    file = GroundTruth().read(data, OPTIONS)
    assert {film.name: film.part for film in file.films} == {"a": Part.TRAIN, "b": Part.TEST}
    assert file.behaviours == ("none", "dig", "rear")
    assert file.notes == ("split 1 of 2 splits is used",)
    assert file.films[1].bouts == (Bout(0, 1, "none"), Bout(1, 2, "dig"))
