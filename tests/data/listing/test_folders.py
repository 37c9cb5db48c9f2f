"""Folders of classes: parts of a split, classes without a film, links to content that is away, results of vidrnn."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import make_film

from vidrnn.data.films import find_films
from vidrnn.data.listing.labelled import read_films, read_labelled
from vidrnn.data.listing.own_results import HIDDEN_NAME, MARK
from vidrnn.errors import DataError
from vidrnn.values import Part


def lay(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


class TestParts:
    @pytest.mark.parametrize(
        ("train", "val"),
        [("videos_train", "videos_valid"), ("TrainSet", "DevSet"), ("training", "eval"), ("train2017", "val2017")],
    )
    def test_the_words_in_folder_names_tell_the_parts(self, tmp_path: Path, train: str, val: str) -> None:
        found = read_labelled(lay(tmp_path, f"{train}/a/1.mp4", f"{train}/b/2.mp4", f"{val}/a/3.mp4", f"{val}/b/4.mp4"))
        assert found.classes == ("a", "b")
        assert [film.part for film in found.films] == [
            *([Part.TRAIN] * 2 if train < val else [Part.VAL] * 2),
            *([Part.VAL] * 2 if train < val else [Part.TRAIN] * 2),
        ]

    def test_what_was_understood_is_said(self, tmp_path: Path) -> None:
        found = read_labelled(lay(tmp_path, "my_train/a/1.mp4", "my_train/b/2.mp4", "my_test/a/3.mp4"))
        assert found.warnings == ("a given split: my_test is test, my_train is train",)

    @pytest.mark.parametrize(
        "folders", [("fold1", "fold2"), ("part_a", "part_b"), ("train", "extra"), ("Split 1", "Split 2", "Split 3")]
    )
    def test_parts_of_an_unknown_name_stop_the_reading(self, tmp_path: Path, folders: tuple[str, ...]) -> None:
        lay(tmp_path, *(f"{folder}/{label}/{folder}.mp4" for folder in folders for label in ("up", "down")))
        with pytest.raises(DataError, match=r"each hold down and up. These look like classes.* train, val and test"):
            read_labelled(tmp_path)

    def test_classes_that_have_a_word_of_a_part_in_their_name_stay_classes(self, tmp_path: Path) -> None:
        lay(tmp_path, "freight_train/a.mp4", "bullet_train/x/b.mp4", "test_track/y/c.mp4")
        assert read_labelled(tmp_path).classes == ("bullet_train", "freight_train", "test_track")

    def test_classes_with_a_folder_for_each_person_stay_classes(self, tmp_path: Path) -> None:
        lay(tmp_path, *(f"{label}/person{who}/x.mp4" for label in ("up", "down") for who in (1, 2)))
        found = read_labelled(tmp_path)
        assert found.classes == ("down", "up") and not found.warnings

    def test_a_doubt_about_which_folders_are_the_classes_is_said(self, tmp_path: Path) -> None:
        lay(tmp_path, *(f"{place}/{label}/x.mp4" for place in ("garden", "street") for label in ("up", "down")))
        found = read_labelled(tmp_path)
        assert found.classes == ("garden", "street")
        assert "each of these folders holds the folders down, up" in found.warnings[0]

    def test_films_without_labels_have_parts_by_the_same_words(self, tmp_path: Path) -> None:
        found = read_films(lay(tmp_path, "my_train/1.mp4", "my_val/2.mp4"))
        assert [film.part for film in found.films] == [Part.TRAIN, Part.VAL]


class TestLostClasses:
    def test_a_class_whose_files_have_an_unknown_ending_stops_training(self, tmp_path: Path) -> None:
        lay(tmp_path, "a/1.mp4", "b/2.mp4", "still/3.xyz", "still/4.xyz", "still/notes.txt")
        with pytest.raises(DataError, match=r"no video is known in 'still' \(2 files .xyz\).*convert"):
            read_labelled(tmp_path)
        found = read_labelled(tmp_path, complete=False)
        assert found.classes == ("a", "b")
        assert "no video is known in still (2 files .xyz), so it is no class" in found.warnings

    @pytest.mark.parametrize("suffix", [".qt", ".264", ".insv", ".QT", ".m2t"])
    def test_videos_of_rarer_endings_are_videos(self, tmp_path: Path, suffix: str) -> None:
        assert read_labelled(lay(tmp_path, "a/1.mp4", f"b/2{suffix}")).classes == ("a", "b")

    def test_some_files_of_an_unknown_ending_are_a_warning_with_their_number(self, tmp_path: Path) -> None:
        found = read_labelled(lay(tmp_path, "a/1.mp4", "a/2.xyz", "a/3.xyz", "b/4.mp4"))
        assert found.warnings == ("left out in a since no video is known by such an ending: 2 files .xyz",)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
    def test_a_pipe_among_videos_is_left_out_and_a_class_of_pipes_stops_training(self, tmp_path: Path) -> None:
        lay(tmp_path, "a/1.mp4", "b/2.mp4")
        os.mkfifo(tmp_path / "a/3.mp4")
        found = read_labelled(tmp_path)
        assert found.warnings == ("left out: a/3.mp4 is a pipe or a device, which is no file",)
        (tmp_path / "c").mkdir()
        os.mkfifo(tmp_path / "c/4.mp4")
        with pytest.raises(DataError, match=r"no video is known in 'c' \(1 pipe\)"):
            read_labelled(tmp_path)

    def test_folders_of_text_and_empty_folders_are_no_classes(self, tmp_path: Path) -> None:
        lay(tmp_path, "a/1.mp4", "b/2.mp4", "docs/notes.txt", "docs/table.csv")
        (tmp_path / "later").mkdir()
        found = read_labelled(tmp_path)
        assert found.classes == ("a", "b")
        assert found.warnings == ("the folder later is empty, so it is no class",)

    def test_a_broken_link_is_a_film_that_cannot_be_read(self, tmp_path: Path) -> None:
        lay(tmp_path, "a/1.mp4", "b/2.mp4")
        (tmp_path / "b" / "3.mp4").symlink_to("../.git/annex/objects/xx/3.mp4")
        assert [film.path.name for film in read_labelled(tmp_path).films] == ["1.mp4", "2.mp4", "3.mp4"]
        assert [film.name for film in find_films([str(tmp_path)])] == ["1.mp4", "2.mp4", "3.mp4"]
        assert [film.name for film in find_films([str(tmp_path / "b" / "*.mp4")])] == ["2.mp4", "3.mp4"]

    def test_a_broken_link_in_the_place_of_a_class_folder_stops_training(self, tmp_path: Path) -> None:
        lay(tmp_path, "a/1.mp4", "b/2.mp4")
        (tmp_path / "still").symlink_to("/mnt/away/still")
        with pytest.raises(DataError, match=r"'still' \(a link to /mnt/away/still, which is not there\)"):
            read_labelled(tmp_path)

    def test_a_class_folder_that_may_not_be_read_is_a_class_that_cannot_be_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lay(tmp_path, "a/1.mp4", "b/2.mp4", "still/3.mp4")
        walk = os.walk

        def refused(top: Path, onerror: Callable[[OSError], object], **how: bool) -> Iterator[Any]:
            for here, folders, files in walk(top, **how):
                if here.endswith("still"):
                    onerror(PermissionError(errno.EACCES, "Permission denied", here))
                else:
                    yield here, folders, files

        monkeypatch.setattr("os.walk", refused)
        assert [film.label for film in read_labelled(tmp_path).films] == ["a", "b", "still"]


class TestOwnResults:
    def test_videos_that_a_record_names_are_passed_over(self, tmp_path: Path) -> None:
        lay(tmp_path, "a/1.mp4", "b/2.mp4", "results/a/1.mp4.video.webm")
        record = tmp_path / "results" / HIDDEN_NAME / "a" / "1.mp4.json"
        record.parent.mkdir(parents=True)
        record.write_text('{"format": 1, "files": [".video.webm"]}')
        found = read_labelled(tmp_path)
        assert found.classes == ("a", "b")
        assert "passed over: 1 video that vidrnn wrote as answers, in results/a" in found.notes

    def test_a_video_with_the_mark_is_passed_over_under_any_name(self, tmp_path: Path) -> None:
        lay(tmp_path, "a/1.mp4", "b/2.mp4")
        (tmp_path / "a" / "best.mp4").write_bytes(b"x" * 100_000 + MARK.encode() + b"x" * 30)
        found = read_labelled(tmp_path)
        assert [film.path.name for film in found.films] == ["1.mp4", "2.mp4"]
        assert "passed over: 1 video that vidrnn wrote as answers, in a" in found.notes
        assert len(read_films(tmp_path).films) == 2

    def test_a_film_with_the_name_of_a_result_and_no_mark_is_a_film(self, tmp_path: Path) -> None:
        found = read_labelled(lay(tmp_path, "a/1.mp4", "b/2.mp4", "b/2.mp4.video.webm"))
        assert len(found.films) == 3

    def test_runs_and_models_among_the_classes_are_no_classes(self, tmp_path: Path) -> None:
        lay(tmp_path, "a/1.mp4", "b/2.mp4", "run/config.toml", "run/metrics.jsonl", "run/odd.bin")
        lay(tmp_path, "model/model.safetensors", "model/odd.bin")
        assert read_labelled(tmp_path).classes == ("a", "b")


def test_a_written_answer_carries_the_mark(tmp_path: Path) -> None:
    import numpy as np

    from vidrnn.data.listing.own_results import OwnResults
    from vidrnn.video.writer import write_film

    for suffix in (".mp4", ".webm"):
        frames = [np.full((48, 64, 3), value, dtype=np.uint8) for value in range(0, 250, 10)]
        write_film(tmp_path / f"answer{suffix}", frames, 10, MARK)
        write_film(tmp_path / f"own{suffix}", frames, 10)
        assert tmp_path / f"answer{suffix}" in OwnResults()
        assert tmp_path / f"own{suffix}" not in OwnResults()
    assert make_film(tmp_path / "film.mp4") not in OwnResults()
