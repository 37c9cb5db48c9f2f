"""Tables that people write: rows of frames, and rows of bouts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from examples import written
from vidrnn.config import LabelsConfig
from vidrnn.data.label_text import beginning_of, clock_seconds
from vidrnn.data.labelled_frames import read_frame_labelled
from vidrnn.data.labels.base import LabelFile
from vidrnn.data.labels.csv import Intervals
from vidrnn.data.labels.frames import FrameRows
from vidrnn.errors import DataError
from vidrnn.values import Bout, Part

OPTIONS = LabelsConfig()


def frames(folder: Path, *rows: str, header: str = "path,frame,label") -> LabelFile:
    return FrameRows().read(written(folder / "frames.csv", header, *rows), OPTIONS)


def intervals(folder: Path, *rows: str, header: str = "path,start,end,label") -> LabelFile:
    path = written(folder / "labels.csv", header, *rows)
    assert Intervals().recognises(path, beginning_of(path))
    return Intervals().read(path, OPTIONS)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("12.5", 12.5), ("12,5", 12.5), ("1:02.5", 62.5), ("00:01:02,500", 62.5), ("1:00:00", 3600.0), ("-0:01", -1.0)],
)
def test_a_clock_time_becomes_seconds(text: str, seconds: float) -> None:
    assert clock_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "1:2:3:4", "nan", "inf", "1.2.3", ":"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        clock_seconds(text)


def test_frames_without_a_row_or_a_label_have_no_bout(tmp_path: Path) -> None:
    file = frames(tmp_path, "a.mp4,0,dig", "a.mp4,1,dig", "a.mp4,2,", "a.mp4,9,dig", "a.mp4,1,rear")
    assert set(file.films[0].bouts) == {Bout(0, 2, "dig"), Bout(9, 10, "dig"), Bout(1, 2, "rear")}
    assert file.films[0].known is None


def test_frames_count_from_one_if_no_video_has_a_frame_zero(tmp_path: Path) -> None:
    file = frames(tmp_path, "a.mp4,1,dig", "b.mp4,5,dig")
    assert [film.bouts for film in file.films] == [(Bout(0, 1, "dig"),), (Bout(4, 5, "dig"),)]
    assert file.base == "frames from 1" and "no video has the number 0" in file.notes[0]
    with_zero = frames(tmp_path, "a.mp4,1,dig", "b.mp4,5,dig", "a.mp4,0,")
    assert with_zero.films[0].bouts == (Bout(1, 2, "dig"),) and not with_zero.notes
    assert frames(tmp_path, "a.mp4,1,dig", "b.mp4,0,dig").films[0].bouts == (Bout(1, 2, "dig"),)


def test_rows_may_say_subject_group_split_and_annotator(tmp_path: Path) -> None:
    header = "path,start,end,label,subject,group,split,annotator"
    rows = ("a.mp4,1,2,dig,one,cage 1,val,ann", "a.mp4,3,4,dig,one,cage 1,val,bob", "b.mp4,0,1,dig,,,,")
    films = intervals(tmp_path, *rows, header=header).films
    assert [(film.name, film.annotator, film.group, film.part) for film in films] == [
        ("a.mp4", "ann", "cage 1", Part.VAL),
        ("a.mp4", "bob", "cage 1", Part.VAL),
        ("b.mp4", "", None, None),
    ]
    assert films[0].bouts == (Bout(1, 2, "dig", "one"),)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Video,Onset,Offset,Behaviour", "a.mp4,1.5,2.5,dig"),
        ("path,start_seconds,end_seconds,label,probability", "a.mp4,1.5,2.5,dig,0.93"),
        ("film;start;stop;action", "a.mp4;1,5;2,5;dig"),
        ("file\tstart\tend\tclass", "a.mp4\t0:01.5\t0:02.5\tdig"),
        (
            "narration_id,participant_id,video_id,start_timestamp,stop_timestamp,start_frame,narration,verb",
            "n1,P01,a.mp4,00:00:01.50,00:00:02.50,90,dig deep,dig",
        ),
    ],
)
def test_columns_have_the_names_that_people_give_them(header: str, row: str, tmp_path: Path) -> None:
    film = intervals(tmp_path, row, header=header).films[0]
    assert (film.name, film.bouts) == ("a.mp4", (Bout(1.5, 2.5, "dig"),))


def test_a_row_without_an_end_is_a_point(tmp_path: Path) -> None:
    file = intervals(tmp_path, "a.mp4,1.5,,bark", "a.mp4,2,2,bark")
    assert file.films[0].bouts == (Bout(1.5, 1.5, "bark"), Bout(2, 2, "bark"))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.mp4,soon,2,dig", "line 2 begins at 'soon'"),
        ("a.mp4,3,2,dig", "ends at 2, before it begins at 3"),
        ("a.mp4,1,2,", "line 2 has no label"),
        (",1,2,dig", "line 2 names no video"),
        ("a.mp4,1,2", "line 2 has 3 cells where the header has 4"),
        ("a.mp4,1,2,dig,deep", "line 2 has 5 cells where the header has 4"),
        ('a.mp4,1,2,"dig', "no video|cells|label|ends|begins"),
    ],
)
def test_a_wrong_row_of_a_bout_is_named(row: str, reason: str, tmp_path: Path) -> None:
    if row.endswith('"dig'):
        row += "\na.mp4,1,2"
        with pytest.raises(DataError, match="cells"):
            intervals(tmp_path, row, "a.mp4,3,4", 'b.mp4",1,2,dig')
        return
    with pytest.raises(DataError, match=reason):
        intervals(tmp_path, row)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (("a.mp4,-1,dig",), "line 2 has the frame '-1'"),
        (("a.mp4,1.5,dig",), "line 2 has the frame '1.5'"),
        (("a.mp4,99999999999999999999,dig",), "line 2 has the frame '9999"),
        ((), "no row below"),
    ],
)
def test_a_wrong_row_of_a_frame_is_named(rows: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=reason):
        frames(tmp_path, *rows)


def test_a_video_has_one_part_and_one_group(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a.mp4 has the split 'train' and the split 'val'"):
        intervals(tmp_path, "a.mp4,1,2,x,train", "a.mp4,3,4,x,val", header="path,start,end,label,split")
    with pytest.raises(DataError, match="write train, val or test"):
        intervals(tmp_path, "a.mp4,1,2,x,later", header="path,start,end,label,split")


@pytest.mark.parametrize("kind", ["frames", "bouts"])
def test_a_hundred_thousand_rows_are_read_at_once(kind: str, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}.mp4").write_bytes(b"")
    cells = range(5000)
    if kind == "frames":
        rows = [f"{film}.mp4,{cell},{'abc'[cell // 40 % 3]}" for film in range(20) for cell in cells]
        path = written(tmp_path / "frames.csv", "path,frame,label", *rows)
    else:
        rows = [f"{film}.mp4,{2 * cell},{2 * cell + 1.5},{'abc'[cell % 3]}" for film in range(20) for cell in cells]
        path = written(tmp_path / "labels.csv", "path,start,end,label", *rows)
    start = time.perf_counter()
    labelled = read_frame_labelled(path, OPTIONS)
    assert time.perf_counter() - start < 6
    assert len(labelled.films) == 20
