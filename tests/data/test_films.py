"""Films of folders, manifests and sources, as people write them."""

from __future__ import annotations

import errno
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import make_pictures

from vidrnn.data.films import LabelledData, content_hash, find_films
from vidrnn.data.listing.labelled import read_films, read_labelled
from vidrnn.errors import DataError, FilmError, UsageError
from vidrnn.values import Part
from vidrnn.video.reader import open_film


def lay(folder: Path, *names: str) -> Path:
    """Empty files, because the tested modules do not open films."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def manifest(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    lay(folder, "a.mp4", "b.mp4", "c.mp4")
    path = folder / "clips.csv"
    path.write_bytes(text.encode(encoding))
    return path


def seen(data: LabelledData) -> list[tuple[str, str]]:
    return [(film.path.name, film.label) for film in data.films]


class TestClassFolders:
    def test_the_first_folder_is_the_class_however_deep_the_film_lies(self, tmp_path: Path) -> None:
        lay(tmp_path, "gähnen/x/1.mp4", "gähnen/2.MP4", "sit down/3.avi")
        found = read_labelled(tmp_path)
        assert sorted(seen(found)) == [("1.mp4", "gähnen"), ("2.MP4", "gähnen"), ("3.avi", "sit down")]
        assert found.classes == ("gähnen", "sit down")

    def test_films_are_sorted_by_number(self, tmp_path: Path) -> None:
        lay(tmp_path, "a/clip10.mp4", "a/clip9.mp4", "b/clip1.mp4")
        assert [name for name, _ in seen(read_labelled(tmp_path))] == ["clip9.mp4", "clip10.mp4", "clip1.mp4"]

    def test_other_files_are_ignored_and_counted(self, tmp_path: Path) -> None:
        lay(tmp_path, "a/1.mp4", "b/2.mp4", "b/.3.mp4", ".git/a/4.mp4", "a/notes.txt", "loose.mp4")
        found = read_labelled(tmp_path)
        assert seen(found) == [("1.mp4", "a"), ("2.mp4", "b")]
        assert found.notes == ("ignored: 1 video outside of the class folders, 1 file of other kinds, 1 hidden file",)

    def test_a_folder_of_numbered_pictures_is_one_film(self, tmp_path: Path) -> None:
        make_pictures(tmp_path / "up" / "first", frames=3)
        make_pictures(tmp_path / "down" / "second", frames=3)
        assert seen(read_labelled(tmp_path)) == [("second", "down"), ("first", "up")]

    def test_train_and_test_folders_are_a_given_split(self, tmp_path: Path) -> None:
        lay(tmp_path, "Train/a/1.mp4", "Train/b/2.mp4", "valid/a/3.mp4", "test/b/4.mp4")
        films = {film.path.name: (film.label, film.part) for film in read_labelled(tmp_path).films}
        assert films == {
            "1.mp4": ("a", Part.TRAIN),
            "2.mp4": ("b", Part.TRAIN),
            "3.mp4": ("a", Part.VAL),
            "4.mp4": ("b", Part.TEST),
        }

    def test_train_can_be_a_class_among_others(self, tmp_path: Path) -> None:
        lay(tmp_path, "train/1.mp4", "bus/2.mp4")
        assert read_labelled(tmp_path).classes == ("bus", "train")

    def test_a_class_is_spelled_one_way_whatever_system_wrote_its_folder(self, tmp_path: Path) -> None:
        lay(tmp_path, unicodedata.normalize("NFD", "gähnen/1.mp4"), "b/2.mp4")
        assert read_labelled(tmp_path).classes == ("b", unicodedata.normalize("NFC", "gähnen"))

    @pytest.mark.parametrize(
        ("names", "sentence"),
        [
            ([], "found no video in it"),
            (["a/notes.txt"], "found no video in it"),
            (["1.mp4", "2.mp4"], "Put the videos of each class in a folder with the name of the class"),
            (["1.mp4", "clips.csv"], "the manifest clips.csv: give the manifest as DATA"),
            (["only/1.mp4", "only/2.mp4"], "holds 2 videos of one class, 'only'"),
            (["train/1.mp4", "test/2.mp4"], "test, train hold videos but no class folders"),
        ],
    )
    def test_a_folder_that_cannot_be_used_is_an_error(self, tmp_path: Path, names: list[str], sentence: str) -> None:
        with pytest.raises(DataError, match=sentence):
            read_labelled(lay(tmp_path, *names))

    def test_one_class_is_enough_to_evaluate(self, tmp_path: Path) -> None:
        assert len(read_labelled(lay(tmp_path, "only/1.mp4"), fewest_classes=1).films) == 1

    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="there is no such folder or CSV file"):
            read_labelled(tmp_path / "gone")


class TestManifest:
    @pytest.mark.parametrize(
        "text",
        [
            "path,label\na.mp4,walk\nb.mp4,run\n",
            "label,path\nwalk,a.mp4\nrun,b.mp4\n",
            " Path , Label \n a.mp4 , walk \n\n , \nb.mp4,run\n\n",
            "\ufeffpath,label\r\na.mp4,walk\r\nb.mp4,run\r\n",
            "path;label\na.mp4;walk\nb.mp4;run",
            "path\tlabel\na.mp4\twalk\nb.mp4\trun\n",
            'id,path,note,label\n1,a.mp4,"x, y",walk\n2,b.mp4,,run\n',
            '"path","label"\n"a.mp4","walk"\n./b.mp4,run,,\n',
        ],
    )
    def test_all_the_ways_to_write_two_columns(self, tmp_path: Path, text: str) -> None:
        assert seen(read_labelled(manifest(tmp_path, text))) == [("a.mp4", "walk"), ("b.mp4", "run")]

    def test_a_spreadsheets_unicode_text(self, tmp_path: Path) -> None:
        path = manifest(tmp_path, "path\tlabel\na.mp4\tgähnen\nb.mp4\trun\n", encoding="utf-16")
        assert read_labelled(path).classes == ("gähnen", "run")

    def test_commas_spaces_and_accents_in_names(self, tmp_path: Path) -> None:
        lay(tmp_path, "my clips/sit, stand.mp4", unicodedata.normalize("NFD", "é.mp4"))
        text = 'path,label\n"my clips/sit, stand.mp4","sit, then stand"\né.mp4,run\n'
        found = read_labelled(manifest(tmp_path, unicodedata.normalize("NFC", text)))
        assert found.classes == ("run", "sit, then stand")
        assert all(film.path.exists() for film in found.films)

    def test_paths_are_relative_to_the_csv_and_may_be_of_another_system(self, tmp_path: Path) -> None:
        lay(tmp_path, "sub/d.mp4")
        found = read_labelled(manifest(tmp_path, f"path,label\nsub\\d.mp4,walk\n{tmp_path / 'a.mp4'},run\n"))
        assert [film.path for film in found.films] == [tmp_path / "sub/d.mp4", tmp_path / "a.mp4"]

    def test_groups_and_splits(self, tmp_path: Path) -> None:
        text = "split,group,path,label\nTRAIN,g1,a.mp4,walk\nValidation,,b.mp4,run\ntest,g2,c.mp4,run\n"
        films = read_labelled(manifest(tmp_path, text)).films
        assert [(film.group, film.part) for film in films] == [
            ("g1", Part.TRAIN),
            (None, Part.VAL),
            ("g2", Part.TEST),
        ]

    def test_a_row_without_a_film_costs_itself_only(self, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        text = f"path,label\na.mp4,walk\ngone.mp4,walk\nb.mp4,run\nc.mp4,\n,run\nfolder,run\n{'q' * 5000},run\n"
        found = read_labelled(manifest(tmp_path, text))
        assert len(found.films) == 2
        assert [(failure.path.name, failure.reason) for failure in found.failures] == [
            ("gone.mp4", "line 3 of the manifest names a file that is not there"),
            ("c.mp4", "line 5 of the manifest has no label"),
            (tmp_path.name, "line 6 of the manifest has no path"),
            ("folder", "line 7 of the manifest names a folder that holds no numbered pictures"),
            ("q" * 5000, "line 8 of the manifest names a file that is not there"),
        ]

    def test_a_film_listed_twice_is_used_once(self, tmp_path: Path) -> None:
        found = read_labelled(manifest(tmp_path, "path,label\na.mp4,walk\n./a.mp4,walk\nb.mp4,run\n"))
        assert seen(found) == [("a.mp4", "walk"), ("b.mp4", "run")]
        assert found.notes == ("1 repeated row: each video is used once",)

    def test_classes_that_differ_in_case_only_give_a_note(self, tmp_path: Path) -> None:
        found = read_labelled(manifest(tmp_path, "path,label\na.mp4,Walk\nb.mp4,walk\n"))
        assert found.warnings == (
            "the classes 'Walk' and 'walk' differ in case, spaces or dashes only; they count as 2 classes",
        )

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("", "the first line has the columns none; it needs path and label"),
            ("\n\n", "the first line has the columns none"),
            ("path,class\na.mp4,walk\n", "has the columns path, class; it needs path and label .* label is missing"),
            ("a.mp4,walk\nb.mp4,run\n", "path and label are missing"),
            ("path|label\na.mp4|walk\n", r"has the columns path\|label"),
            ("path,frame,label\na.mp4,0,walk\n", "a label for each frame .* does not train"),
            ("path,label,path\na.mp4,walk,b.mp4\n", "the header has the column path more than once"),
            ("path,label\n", "no row of it names a video that exists"),
            ("path,label\nx.mp4,walk\ny.mp4,run\n", "no row of it names a video.* line 2 .* relative to the CSV"),
            ("path,label\na.mp4,walk\nb.mp4,walk\n", "holds 2 videos of one class, 'walk'"),
            ("path,label\na.mp4,walk\na.mp4,run\n", "a.mp4 is listed as 'walk' and as 'run'"),
            (f'path,label\n"{"x" * 200_000}\na.mp4,walk\n', "line 2 is not CSV: .* quotation mark is not closed"),
            ("path,label\nsit, stand.mp4,walk\n", "line 2 has 3 cells where the header has 2; put a path or a label"),
            ("path,label,split\na.mp4,walk,train\nb.mp4,run,holdout\n", "line 3 has the split 'holdout'; write train"),
            ("path,label,split\na.mp4,walk,train\n\nb.mp4,run,\n", "line 4 has no split, though other rows have one"),
            ("path,label,split\na.mp4,walk,train\na.mp4,walk,test\nb.mp4,run,val\n", "for train and for test"),
        ],
    )
    def test_a_manifest_that_cannot_be_used_is_an_error(self, tmp_path: Path, text: str, sentence: str) -> None:
        with pytest.raises(DataError, match=f"clips.csv: .*{sentence}"):
            read_labelled(manifest(tmp_path, text))

    def test_a_file_that_is_no_text(self, tmp_path: Path) -> None:
        path = manifest(tmp_path, "path,label\na.mp4,gähnen\n", encoding="latin-1")
        with pytest.raises(DataError, match="not a CSV manifest in UTF-8"):
            read_labelled(path)


class TestFindFilms:
    def test_the_order_does_not_depend_on_the_file_system(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lay(tmp_path, *(f"{folder}/{name}.mp4" for folder in ("s1", "s01") for name in ("a1", "a01", "A1", "b")))
        (tmp_path / "again").symlink_to(tmp_path / "s1")
        walk, orders = os.walk, []
        for turn in (1, -1):

            def turned(folder: Path, turn: int = turn, **how: Any) -> Iterator[tuple[str, list[str], list[str]]]:
                for here, folders, files in walk(folder, **how):
                    folders.sort(reverse=turn < 0)
                    yield here, folders, sorted(files)[::turn]

            monkeypatch.setattr("os.walk", turned)
            orders.append(find_films([str(tmp_path)]))
        assert orders[0] == orders[1]
        assert len(orders[0]) == 8

    def test_films_folders_and_patterns_in_order_and_once(self, tmp_path: Path) -> None:
        lay(tmp_path, "d/2.mp4", "d/10.mp4", "d/deep/1.mp4", "d/x.txt", "z.dat", "é 1.avi")
        sources = [str(tmp_path / "z.dat"), str(tmp_path / "d"), str(tmp_path / "**/*"), str(tmp_path / "d/2.mp4")]
        found = [str(film.relative_to(tmp_path)) for film in find_films(sources)]
        assert found == ["z.dat", "d/2.mp4", "d/10.mp4", "d/deep/1.mp4", "é 1.avi"]

    def test_a_folder_of_pictures_is_a_film(self, tmp_path: Path) -> None:
        film = make_pictures(tmp_path / "one", frames=2)
        assert find_films([str(film)]) == find_films([str(tmp_path)]) == (film,)

    def test_brackets_in_a_name_are_no_pattern(self, tmp_path: Path) -> None:
        lay(tmp_path, "match [1].mp4")
        assert len(find_films([str(tmp_path / "match [1].mp4")])) == 1

    @pytest.mark.parametrize(
        ("source", "sentence"),
        [
            ("gone.mp4", "gone.mp4: there is no such video or folder"),
            ("empty", "empty: this folder holds no video"),
            ("q" * 5000, "there is no such video or folder"),
            ("*.txt", r"this pattern matches no video, but 1 other file"),
        ],
    )
    def test_a_source_that_names_nothing(self, tmp_path: Path, source: str, sentence: str) -> None:
        lay(tmp_path, "notes.txt", "empty/notes.txt")
        with pytest.raises(UsageError, match=sentence):
            find_films([str(tmp_path / source)])

    def test_an_empty_source_is_not_the_current_folder(self) -> None:
        with pytest.raises(UsageError, match="A source is empty"):
            find_films([""])

    def test_a_folder_without_permission_is_not_ignored(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        lay(tmp_path, "a/1.mp4", "lost+found/2.mp4")
        listed = os.scandir

        def refusing(path: str) -> object:
            if Path(path).name == "lost+found":
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return listed(path)

        monkeypatch.setattr(os, "scandir", refusing)
        monkeypatch.setattr(Path, "iterdir", lambda folder: (folder / each.name for each in os.scandir(folder)))
        assert find_films([str(tmp_path)]) == (tmp_path / "a" / "1.mp4", tmp_path / "lost+found")
        with pytest.raises(FilmError, match=r"lost\+found: may not be read: you have no permission"):
            open_film(tmp_path / "lost+found")

    def test_a_folder_that_links_to_itself_is_walked_once(self, tmp_path: Path) -> None:
        lay(tmp_path, "a/1.mp4")
        (tmp_path / "a" / "up").symlink_to(tmp_path)
        assert len(find_films([str(tmp_path)])) == 1


class TestContentHash:
    def test_the_hash_is_of_the_bytes_and_not_of_the_name(self, tmp_path: Path) -> None:
        (tmp_path / "a.mp4").write_bytes(b"same" * 1000)
        (tmp_path / "b.mp4").write_bytes(b"same" * 1000)
        (tmp_path / "c.mp4").write_bytes(b"other")
        a, b, c = (content_hash(tmp_path / f"{name}.mp4") for name in "abc")
        assert a == b != c
        assert len(a) == 32

    def test_a_folder_of_pictures_changes_with_names_and_pixels(self, tmp_path: Path) -> None:
        first, second = (make_pictures(tmp_path / name, frames=3) for name in ("x", "y"))
        whole = content_hash(first)
        assert whole == content_hash(second)
        (second / "frame2.png").rename(second / "frame3.png")
        assert content_hash(second) != whole

    def test_a_film_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(FilmError, match=r"gone.mp4: no such file"):
            content_hash(tmp_path / "gone.mp4")


@pytest.mark.footage
def test_real_manifests(footage: Path) -> None:
    clips = read_labelled(footage / "ucf9" / "clips.csv")
    assert (len(clips.films), len(clips.classes), clips.failures) == (873, 9, ())
    assert {film.path for film in read_labelled(footage / "ucf9").films} == {film.path for film in clips.films}
    lips = read_labelled(footage / "lips" / "colour.csv")
    assert (len(lips.films), lips.classes) == (800, ("blue", "green", "red", "white"))
    with pytest.raises(DataError, match="does not train on such labels"):
        read_labelled(footage / "falls" / "frames.csv")


class TestFilmsWithoutLabels:
    def test_a_folder_is_read_however_films_lie_in_it(self, tmp_path: Path) -> None:
        lay(tmp_path, "2.mp4", "deep/er/10.avi", "deep/er/9.avi", "notes.txt")
        found = read_films(tmp_path)
        assert [film.path.name for film in found.films] == ["2.mp4", "9.avi", "10.avi"]
        assert {(film.label, film.group, film.part) for film in found.films} == {("", None, None)}
        assert found.notes == ("ignored: 1 file of other kinds",)

    def test_training_and_testing_folders_are_a_given_split(self, tmp_path: Path) -> None:
        parts = {
            film.path.name: film.part for film in read_films(lay(tmp_path, "training/1.avi", "testing/2.avi")).films
        }
        assert parts == {"1.avi": Part.TRAIN, "2.avi": Part.TEST}
        assert {film.part for film in read_films(lay(tmp_path, "other/3.avi")).films} == {None}

    def test_one_film_and_a_folder_of_pictures_are_a_film_each(self, tmp_path: Path) -> None:
        assert len(read_films(lay(tmp_path, "a.mp4") / "a.mp4").films) == 1
        assert len(read_films(make_pictures(tmp_path / "pictures", frames=3)).films) == 1

    def test_a_manifest_needs_only_paths_and_ignores_labels(self, tmp_path: Path) -> None:
        found = read_films(manifest(tmp_path, "path\na.mp4\nb.mp4\na.mp4\ngone.mp4\n"))
        assert seen(found) == [("a.mp4", ""), ("b.mp4", "")]
        assert [failure.path.name for failure in found.failures] == ["gone.mp4"]
        assert found.notes == ("1 repeated row: each video is used once",)
        found = read_films(manifest(tmp_path, "path,label,group,split\na.mp4,x,g1,train\nb.mp4,y,g2,val\n"))
        assert [(film.label, film.group, film.part) for film in found.films] == [
            ("", "g1", Part.TRAIN),
            ("", "g2", Part.VAL),
        ]

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [("empty", "wanted a folder with videos in it, found none"), ("gone", "there is no such video, folder or CSV")],
    )
    def test_data_without_a_film_is_an_error(self, tmp_path: Path, name: str, sentence: str) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataError, match=sentence):
            read_films(tmp_path / name)


def test_a_summary_that_vidrnn_wrote_is_read_as_a_manifest_with_the_same_labels(tmp_path: Path) -> None:
    from vidrnn.batch.batch import _summary

    labels = ["=dig", "-rest", "'@x", "plain"]
    for number, _ in enumerate(labels):
        (tmp_path / f"-{number}.mp4").write_bytes(b"")
    rows = [{"path": f"-{number}.mp4", "label": label} for number, label in enumerate(labels)]
    (tmp_path / "summary.csv").write_text(_summary(rows, ("label",)))
    found = read_labelled(tmp_path / "summary.csv")
    assert {film.path.name: film.label for film in found.films} == {row["path"]: row["label"] for row in rows}
