"""Manifests from elsewhere: parts of videos, other columns, faults that are told together, and hostile text."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import pytest

from vidrnn.data.films import content_hash, natural_key
from vidrnn.data.listing.labelled import read_films, read_labelled
from vidrnn.errors import DataError, FilmError
from vidrnn.values import Excerpt


def manifest(folder: Path, text: str, name: str = "clips.csv") -> Path:
    for film in ("a.mp4", "b.mp4", "c.mp4"):
        (folder / film).write_bytes(film.encode())
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def excerpts(folder: Path, header: str, *cells: str) -> list[Excerpt | None]:
    rows = "".join(f"{film}.mp4,{label},{each}\n" for film, label, each in zip("abc", "xyx", cells, strict=False))
    return [film.excerpt for film in read_labelled(manifest(folder, f"path,label,{header}\n{rows}")).films]


class TestExcerpts:
    @pytest.mark.parametrize(
        ("header", "cells", "expected"),
        [
            ("start,end", "1.5,2", Excerpt(1.5, 2)),
            ("start_seconds,end_seconds", "0:01.5,0:02", Excerpt(1.5, 2)),
            ("begin,stop", "1,2", Excerpt(1, 2)),
            ("t_start,t_end", "1,2", Excerpt(1, 2)),
            ("Start (s),End (s)", "1,2", Excerpt(1, 2)),
            ("start_time,duration", "1,2", Excerpt(1, 3)),
            ("start_ms,end_ms", "500,1500", Excerpt(0.5, 1.5)),
            ("start_frame,end_frame", "10,20", Excerpt(10, 20, "frames")),
            ("onset,offset", "1,2", Excerpt(1, 2)),
            ("start", "1", Excerpt(1)),
            ("end", "2", Excerpt(0, 2)),
            ("start,end", ",", None),
            ("duration", "9", None),
            ("offset", "9", None),
            ("start,video_duration", "1,9", Excerpt(1)),
        ],
    )
    def test_columns_say_which_part_a_row_is_of(
        self, tmp_path: Path, header: str, cells: str, expected: Excerpt | None
    ) -> None:
        assert excerpts(tmp_path, header, cells, cells) == [expected, expected]

    def test_several_rows_of_one_film_are_several_clips(self, tmp_path: Path) -> None:
        text = "path,label,start,end\na.mp4,x,0,1\na.mp4,y,1,2\na.mp4,x,0,1\n"
        found = read_labelled(manifest(tmp_path, text))
        assert [(film.label, film.excerpt) for film in found.films] == [("x", Excerpt(0, 1)), ("y", Excerpt(1, 2))]
        assert found.notes[-1] == "1 repeated row: each video is used once"
        assert not found.warnings

    def test_overlaps_of_different_classes_are_told(self, tmp_path: Path) -> None:
        text = "path,label,start,end\na.mp4,x,0,1.5\na.mp4,y,1,2\nb.mp4,x,0,9\nb.mp4,x,1,2\n"
        warnings = read_labelled(manifest(tmp_path, text)).warnings
        assert warnings == (
            "1 part of videos overlap with parts of another class; the first: a.mp4, 'x' (0 to 1.5 seconds) and 'y' "
            "(1 to 2 seconds)",
        )

    def test_wrong_numbers_are_told_with_their_lines(self, tmp_path: Path) -> None:
        text = "path,label,start,end\na.mp4,x,2,1\nb.mp4,y,soon,1\nc.mp4,y,-1,1\n"
        with pytest.raises(
            DataError, match=r"(?s)3 faults:.*line 2 is of 2 to 1.*line 3 has 'soon' as its start.*line 4"
        ):
            read_labelled(manifest(tmp_path, text))

    def test_films_without_labels_have_parts_too(self, tmp_path: Path) -> None:
        assert [film.excerpt for film in read_films(manifest(tmp_path, "path,start,end\na.mp4,1,2\n")).films] == [
            Excerpt(1, 2)
        ]


class TestColumns:
    def test_file_name_is_the_path_as_in_video_folder(self, tmp_path: Path) -> None:
        found = read_labelled(manifest(tmp_path, "file_name,label\na.mp4,x\nb.mp4,y\n", "metadata.csv"))
        assert [film.path.name for film in found.films] == ["a.mp4", "b.mp4"]

    def test_json_lines(self, tmp_path: Path) -> None:
        rows = [{"file_name": "a.mp4", "label": "x", "start": 1, "end": 2.5}, {"file_name": "b.mp4", "label": 7}]
        text = "\n".join(map(json.dumps, rows)) + "\n\n"
        found = read_labelled(manifest(tmp_path, text, "metadata.jsonl"))
        assert [(film.path.name, film.label, film.excerpt) for film in found.films] == [
            ("a.mp4", "x", Excerpt(1, 2.5)),
            ("b.mp4", "7", None),
        ]

    @pytest.mark.parametrize("line", ["[1]", '{"path": ', "[" * 100_000, '{"path": ["a.mp4"], "label": "x"}'])
    def test_json_lines_that_cannot_be_used(self, tmp_path: Path, line: str) -> None:
        with pytest.raises(DataError, match=r"metadata.jsonl: line 2 (is no JSON object|has .* as its path)"):
            read_labelled(manifest(tmp_path, f'{{"path": "b.mp4", "label": "y"}}\n{line}', "metadata.jsonl"))

    def test_a_folder_with_such_a_table_says_to_give_the_table(self, tmp_path: Path) -> None:
        manifest(tmp_path, '{"file_name": "a.mp4", "label": "x"}', "metadata.jsonl")
        with pytest.raises(DataError, match=r"the manifest metadata.jsonl: give the manifest as DATA"):
            read_labelled(tmp_path)

    def test_columns_without_effect_are_named(self, tmp_path: Path) -> None:
        found = read_labelled(manifest(tmp_path, "path,label,rater,weather\na.mp4,x,1,2\nb.mp4,y,1,2\n"))
        assert found.notes == ("columns without effect: rater, weather",) and not found.warnings

    def test_columns_of_a_part_of_the_picture_are_a_warning(self, tmp_path: Path) -> None:
        found = read_labelled(manifest(tmp_path, "path,label,x_min,box_id,index\na.mp4,x,1,2,3\nb.mp4,y,1,2,3\n"))
        assert found.warnings[0].startswith("the columns x_min, box_id look as if they limit what a row shows")

    def test_the_rate_of_a_film(self, tmp_path: Path) -> None:
        found = read_labelled(manifest(tmp_path, "path,label,frame_rate\na.mp4,x,29.97\nb.mp4,y,\n"))
        assert [film.rate for film in found.films] == [29.97, None]
        text = "path,label,fps\na.mp4,x,fast\nb.mp4,y,0\nc.mp4,y,nan\n"
        with pytest.raises(
            DataError, match=r"(?s)3 faults:.*line 2 has the fps 'fast'.*line 3 has the fps '0'.*line 4"
        ):
            read_labelled(manifest(tmp_path, text))
        text = "path,label,fps,start\na.mp4,x,10,0\na.mp4,y,20,1\n"
        with pytest.raises(DataError, match=r"a.mp4 is listed with the fps 10.0 and 20.0; keep one"):
            read_labelled(manifest(tmp_path, text))


class TestLostRows:
    def test_a_class_without_a_single_film_stops_training(self, tmp_path: Path) -> None:
        path = manifest(tmp_path, "path,label\na.mp4,x\nb.mp4,y\ngone1.mp4,z\ngone2.mp4,z\n")
        with pytest.raises(DataError, match=r"all videos of the class 'z' \(2 videos\) are missing.*gone1.mp4.*line 4"):
            read_labelled(path)
        assert read_labelled(path, fewest_classes=1).absent == ("z", "z")

    def test_a_broken_link_says_how_to_get_its_content(self, tmp_path: Path) -> None:
        path = manifest(tmp_path, "path,label\na.mp4,x\nb.mp4,y\nlink.mp4,y\n")
        (tmp_path / "link.mp4").symlink_to(".git/annex/objects/xx/link.mp4")
        reason = read_labelled(path).failures[0].reason
        assert "line 4 of the manifest names what is a link to" in reason and "git annex get link.mp4" in reason
        with pytest.raises(FilmError, match=r"git annex get link.mp4"):
            content_hash(tmp_path / "link.mp4")

    def test_names_are_found_whatever_form_their_accents_have(self, tmp_path: Path) -> None:
        folder = tmp_path / unicodedata.normalize("NFD", "bühne")
        folder.mkdir()
        (folder / unicodedata.normalize("NFC", "gähnen.mp4")).write_bytes(b"x")
        name = f"{unicodedata.normalize('NFC', 'bühne')}/{unicodedata.normalize('NFD', 'gähnen')}.mp4"
        text = f"path,label\n{name},x\na.mp4,y\n"
        assert len(read_labelled(manifest(tmp_path, text)).films) == 2

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
    def test_a_pipe_is_refused_and_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.mp4")
        found = read_labelled(manifest(tmp_path, "path,label\na.mp4,x\nb.mp4,y\npipe.mp4,y\n"))
        assert found.failures[0].reason == "line 4 of the manifest names a pipe or a device, which is no file"
        with pytest.raises(FilmError, match=r"pipe.mp4: is not a file"):
            content_hash(tmp_path / "pipe.mp4")
        with pytest.raises(DataError, match="is a pipe or a device"):
            read_labelled(tmp_path / "pipe.mp4")


class TestFaults:
    def test_an_open_quotation_mark_is_refused_with_its_line(self, tmp_path: Path) -> None:
        rows = "".join(f"{name}.mp4,x\n" for name in "abcabcabc")
        text = f'path,label\na.mp4,y\n"b.mp4,x\n{rows}c.mp4",y\n'
        with pytest.raises(DataError, match=r"line 3 opens a quotation that goes on to line 13"):
            read_labelled(manifest(tmp_path, text))
        with pytest.raises(DataError, match=r"line 3 opens a quotation"):
            read_labelled(manifest(tmp_path, f'path,label\na.mp4,y\n"b.mp4,x\n{rows}'))

    def test_a_remark_of_two_lines_is_no_fault(self, tmp_path: Path) -> None:
        text = 'path,label,remark\na.mp4,x,"one\ntwo"\nb.mp4,y,\n'
        assert len(read_labelled(manifest(tmp_path, text)).films) == 2

    def test_the_first_line_of_excel_names_the_delimiter(self, tmp_path: Path) -> None:
        for mark in (";", "|", "\t"):
            text = f"sep={mark}\r\npath{mark}label\r\na.mp4{mark}x\r\nb.mp4{mark}y\r\nc.mp4{mark}\r\n"
            found = read_labelled(manifest(tmp_path, text))
            assert found.classes == ("x", "y")
            assert found.failures[0].reason == "line 5 of the manifest has no label"

    def test_many_faults_are_told_at_once(self, tmp_path: Path) -> None:
        rows = "".join(f"a.mp4,x,part{number}\n" for number in range(25))
        with pytest.raises(DataError) as told:
            read_labelled(manifest(tmp_path, f"path,label,split\n{rows}"))
        assert "clips.csv: 25 faults:" in str(told.value)
        assert "line 11 has the split 'part9'" in str(told.value) and "part10" not in str(told.value)
        assert str(told.value).endswith("and 15 more")

    def test_films_with_two_labels_are_told_at_once(self, tmp_path: Path) -> None:
        rows = "".join(f"{name}.mp4,{label}\n" for label in "xy" for name in "abc")
        with pytest.raises(DataError, match=r"(?s)3 faults:.*a.mp4 is listed as 'x' and as 'y'.*b.mp4.*c.mp4"):
            read_labelled(manifest(tmp_path, f"path,label\n{rows}"))

    @pytest.mark.parametrize("other", ["sit-down", "Sit Down", "sit_down", "ｓit down", "sit  down"])
    def test_classes_of_nearly_one_name_are_told(self, tmp_path: Path, other: str) -> None:
        found = read_labelled(manifest(tmp_path, f"path,label\na.mp4,sit down\nb.mp4,{other}\n"))
        assert "differ in case, spaces or dashes only" in found.warnings[0]
        assert "'sit down'" in found.warnings[0] and repr(other) in found.warnings[0]

    def test_numbers_of_thousands_of_digits_are_text(self, tmp_path: Path) -> None:
        digits = "9" * 5000
        text = f"path,label,group\na.mp4,x,{digits}\nb.mp4,y,g{digits}\n"
        assert read_labelled(manifest(tmp_path, text)).films[0].group == digits
        assert natural_key(Path(f"clip{digits}")) > natural_key(Path("clip10")) > natural_key(Path("clip009"))
