"""BORIS: its projects and its tables, and what an observation means."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest

from examples import Truth, boris_project, boris_rows, boris_table, written
from vidrnn.config import LabelsConfig
from vidrnn.data.label_text import beginning_of
from vidrnn.data.labelled_frames import read_frame_labelled
from vidrnn.data.labels.base import LabelFile
from vidrnn.data.labels.boris import Boris
from vidrnn.errors import DataError
from vidrnn.values import Bout

TRUTH = Truth()
OPTIONS = LabelsConfig()
TWO = {"file": {"1": ["a.mp4", "b.mp4"]}, "media_info": {"length": {"a.mp4": 10.0, "b.mp4": 20.0}}}
OLD_COLUMNS = "Time,Media file path,Total length,FPS,Subject,Behavior,Behavioral category,Comment,Status"


def read(path: Path) -> LabelFile:
    assert Boris().recognises(path, beginning_of(path))
    return Boris().read(path, OPTIONS)


def bouts(file: LabelFile) -> dict[str, list[tuple[float, float, str]]]:
    return {
        film.name: [(round(one.start, 9), round(one.end, 9), one.label) for one in film.bouts] for film in file.films
    }


def project(folder: Path, events: Sequence[tuple[float, str]], **changes: object) -> Path:
    return boris_project(folder, TRUTH, events=[[seconds, "", code, "", ""] for seconds, code in events], **changes)


def test_the_tables_say_the_same_as_the_project(tmp_path: Path) -> None:
    plain = read(boris_project(tmp_path, TRUTH)).films
    assert [one.bouts for one in plain] == [TRUTH.bouts]
    assert read(boris_table(tmp_path, TRUTH)).films == plain
    tabs = ["\t".join(row) for row in boris_rows(TRUTH)]
    assert read(written(tmp_path / "events.tsv", *tabs)).films == plain
    book = openpyxl.Workbook()
    for row in boris_rows(TRUTH):
        book.worksheets[0].append([float(cell) if cell.replace(".", "").isdecimal() else cell for cell in row])
    book.save(tmp_path / "events.xlsx")
    assert read(tmp_path / "events.xlsx").films == plain


def test_a_packed_project_is_read(tmp_path: Path) -> None:
    plain = boris_project(tmp_path, TRUTH)
    packed = tmp_path / "packed.boris.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read(packed) == read(plain)
    packed.write_bytes(packed.read_bytes()[:50])
    with pytest.raises(DataError, match="damaged"):
        read(packed)


def test_the_time_offset_is_taken_off(tmp_path: Path) -> None:
    late = project(tmp_path, [(100.5, "dig"), (101.5, "dig")], **{"time offset": 100.0})
    assert bouts(read(late)) == {"a.mp4": [(0.5, 1.5, "dig")]}
    rows = boris_rows(TRUTH, offset=3600.0)
    table = written(tmp_path / "events.csv", *(",".join(row) for row in rows))
    assert bouts(read(table)) == {"a.mp4": [(0.4, 1.2, "dig"), (2.0, 3.0, "rear")]}


def test_numbers_may_have_a_decimal_comma(tmp_path: Path) -> None:
    rows = [
        ";".join(cell.replace(".", ",") if "mp4" not in cell else cell for cell in row) for row in boris_rows(TRUTH)
    ]
    assert bouts(read(written(tmp_path / "events.csv", *rows))) == {"a.mp4": [(0.4, 1.2, "dig"), (2.0, 3.0, "rear")]}


def test_videos_in_a_row_divide_one_time_axis(tmp_path: Path) -> None:
    events = [(1.0, "dig"), (2.0, "dig"), (9.0, "rear"), (12.0, "rear"), (15.0, "bark")]
    file = read(project(tmp_path, events, **TWO))
    assert bouts(file) == {
        "a.mp4": [(1.0, 2.0, "dig"), (9.0, 10.0, "rear")],
        "b.mp4": [(0.0, 2.0, "rear"), (5.0, 5.0, "bark")],
    }
    assert {film.group for film in file.films} == {"o1"}
    rows = boris_rows(TRUTH)
    for row in rows[1:]:
        row[5], row[7], row[8] = "player #1:z.mp4;a.mp4", "0.400;4.000", "25.000;30.000"
    table = read(written(tmp_path / "events.csv", *(",".join(row) for row in rows)))
    assert bouts(table) == {"z.mp4": [], "a.mp4": [(0.0, 0.8, "dig"), (1.6, 2.6, "rear")]}


def test_a_second_player_is_a_second_view_at_its_offset(tmp_path: Path) -> None:
    media = {"file": {"1": ["a.mp4"], "2": ["b.mp4"]}, "media_info": {"offset": {"1": 0.0, "2": -2.5}}}
    assert bouts(read(project(tmp_path, [(1.0, "dig"), (2.0, "dig")], **media))) == {
        "a.mp4": [(1.0, 2.0, "dig")],
        "b.mp4": [(3.5, 4.5, "dig")],
    }


def test_a_video_after_one_of_unknown_length_has_no_place(tmp_path: Path) -> None:
    file = read(project(tmp_path, [(1.0, "bark")], **TWO | {"media_info": {}}))
    assert [film.name for film in file.films] == ["a.mp4"]
    assert [name for name, _ in file.failures] == ["b.mp4"]
    assert "how long" in file.failures[0][1]


def test_states_pair_by_subject_and_modifiers(tmp_path: Path) -> None:
    events = [[1.0, "x", "dig", "", ""], [2.0, "y", "dig", "fast", "", 50], [3.0, "x", "dig", "", ""]]
    events += [[3.5, "y", "dig", "slow", ""], [4.0, "y", "dig", "fast", ""], [4.5, "y", "dig", "slow", ""]]
    file = read(boris_project(tmp_path, TRUTH, events=events))
    assert set(file.films[0].bouts) == {Bout(1, 3, "dig", "x"), Bout(2, 4, "dig", "y"), Bout(3.5, 4.5, "dig", "y")}
    assert "modifiers of behaviours are left out" in file.notes


def test_a_start_and_a_stop_at_one_time_pair_as_they_fit(tmp_path: Path) -> None:
    rows = boris_rows(Truth(bouts=(Bout(1, 2, "dig"), Bout(2, 3, "dig"), Bout(4, 4, "dig"))))
    table = written(tmp_path / "events.csv", *(",".join(row) for row in [rows[0], *rows[:0:-1]]))
    assert bouts(read(table)) == {"a.mp4": [(1, 2, "dig"), (2, 3, "dig"), (4, 4, "dig")]}


def test_an_observation_may_cover_a_part_of_its_video(tmp_path: Path) -> None:
    path = project(tmp_path, [(6.0, "bark")], **TWO, **{"observation time interval": [5, 12]})
    assert [film.known for film in read(path).films] == [((5.0, 12.0),), ((0.0, 2.0),)]


@pytest.mark.parametrize(("code", "kind"), [("dig", "project"), ("dig", "table")])
def test_an_unpaired_state_is_refused_with_its_place(code: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    if kind == "project":
        path = project(tmp_path, [(1.0, code), (2.0, code), (3.3, code)])
    else:
        path = written(tmp_path / "events.csv", *(",".join(row) for row in boris_rows(TRUTH)[:2]))
    with pytest.raises(
        DataError, match=r"observation 'o1' the behaviour 'dig'.* starts at (3\.300|0\.400) s and never"
    ):
        read_frame_labelled(path, OPTIONS)


def test_an_observation_that_is_wrong_does_not_cost_the_others(tmp_path: Path) -> None:
    path = project(tmp_path, [(1.0, "dig")])
    content = json.loads(path.read_text(encoding="utf-8"))
    good = json.loads(boris_project(tmp_path, Truth(film="b.mp4")).read_text(encoding="utf-8"))
    content["observations"]["o2"] = good["observations"]["o1"]
    path.write_text(json.dumps(content), encoding="utf-8")
    file = read(path)
    assert [film.name for film in file.films] == ["b.mp4"]
    assert [name for name, _ in file.failures] == ["a.mp4"]


def test_live_observations_and_those_without_events_are_counted(tmp_path: Path) -> None:
    path = boris_project(tmp_path, TRUTH)
    content = json.loads(path.read_text(encoding="utf-8"))
    content["observations"]["live"] = {"type": "LIVE", "file": [], "events": [[1, "", "dig", "", ""]]}
    content["observations"]["empty"] = content["observations"]["o1"] | {"events": []}
    content["observations"]["stills"] = {"type": "IMAGES", "events": [["NA", "", "dig", "", "", 3, "x.png"]]}
    path.write_text(json.dumps(content), encoding="utf-8")
    file = read(path)
    assert len(file.films) == 1
    assert file.notes[0].startswith("1 observation without a video (live), 1 observation without events")
    for name in ("o1", "empty"):
        del content["observations"][name]
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match="no observation of a video"):
        read(path)


@pytest.mark.parametrize(
    "events", [[["NA", "", "dig", "", ""]], [[1.0, "", "dig"]], [[float("nan"), "", "bark", "", ""]], 7]
)
def test_events_of_another_shape_are_an_error_in_words(events: object, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="damaged"):
        read(boris_project(tmp_path, TRUTH, events=events))


def test_observations_of_one_video_are_annotators(tmp_path: Path) -> None:
    path = boris_project(tmp_path, TRUTH)
    (tmp_path / "a.mp4").write_bytes(b"")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["observations"]["o2"] = content["observations"]["o1"] | {"events": [[1.0, "", "bark", "", ""]]}
    path.write_text(json.dumps(content), encoding="utf-8")
    labelled = read_frame_labelled(path, OPTIONS)
    film = labelled.films[0]
    assert film.annotation is not None and film.annotation.bouts == TRUTH.bouts
    assert [one.bouts for one in film.others] == [(Bout(1.0, 1.0, "bark"),)]
    assert any("2 annotators: o1, o2" in note for note in labelled.notes)


@pytest.mark.parametrize(
    ("events", "reason"),
    [([(1.0, "dance")], "'dance' is not in the project's ethogram"), ([(1.7e9, "bark")], "times are dates")],
)
def test_labels_that_cannot_be_placed_are_a_failure(
    events: list[tuple[float, str]], reason: str, tmp_path: Path
) -> None:
    file = read(project(tmp_path, events))
    assert not file.films and reason in file.failures[0][1]


def test_an_old_table_begins_below_its_block_of_facts(tmp_path: Path) -> None:
    path = written(
        tmp_path / "old.csv",
        *("Observation id,obs #1,,,,,,,", ",,,,,,,,", "Media file(s),,,,,,,,", "Player #1,a.mp4,,,,,,,"),
        *("Time offset (s),10.0,,,,,,,", "independent variables,,,,,,,,", OLD_COLUMNS),
        "11.0,a.mp4,9.96,25.0,No focal subject,dig,,,START",
        "12.5,a.mp4,9.96,25.0,No focal subject,dig,,,STOP",
        "13.0,a.mp4,9.96,25.0,one,bark,,,POINT",
    )
    film = read(path).films[0]
    assert film.bouts == (Bout(1.0, 2.5, "dig"), Bout(3.0, 3.0, "bark", "one"))
    assert (film.name, film.annotator, film.duration_seconds) == ("a.mp4", "obs #1", 9.96)


@pytest.mark.parametrize("layout", ["old", "new"])
def test_aggregated_events_have_a_row_for_each_bout(layout: str, tmp_path: Path) -> None:
    if layout == "old":
        head, left = "Media file,Total length,FPS,Subject,Behavior,Modifiers", "a.mp4,9.96,25.0"
    else:
        head = "Observation type,Source,Time offset (s),Media duration (s),FPS (frame/s),Subject,Behavior,Modifier #1"
        left = "Media file(s),player #1:a.mp4,0.0,9.96,25.0"
    path = written(
        tmp_path / "aggregated.csv",
        f"Observation id,Observation date,{head},Behavior type,Start (s),Stop (s),Duration (s)",
        f"o1,2024-05-06,{left},No focal subject,dig,,STATE,1.0,2.5,1.5",
        f"o1,2024-05-06,{left},one,dig,m,STATE,2.0,3.5,1.5",
        f"o1,2024-05-06,{left},one,bark,,POINT,3.0,3.0,NA",
    )
    film = read(path).films[0]
    assert set(film.bouts) == {Bout(1.0, 2.5, "dig"), Bout(2.0, 3.5, "dig", "one"), Bout(3.0, 3.0, "bark", "one")}
    assert (film.name, film.duration_seconds) == ("a.mp4", 9.96)


def test_a_binary_table_has_a_bout_around_its_ones(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "time,dig,rear", *(f"{n / 10},{int(3 <= n < 6)},0" for n in range(10)))
    film = read(path).films[0]
    assert (film.name, film.unit) == ("a", "seconds")
    assert [(round(one.start, 9), round(one.end, 9), one.label) for one in film.bouts] == [(0.25, 0.55, "dig")]
    assert film.known is not None
    assert film.known[0] == pytest.approx((0.0, 0.95))
