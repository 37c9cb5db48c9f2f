"""Pieces of one recording, by the names that cameras give."""

from __future__ import annotations

from vidrnn.data.grouping.recordings import chapters, leaves_groups, pieces


def test_chapters_of_one_recording_share_a_key_in_any_folder() -> None:
    names = ["up/GX010034.MP4", "down/GX020034.MP4", "up/GX010035.MP4", "up/GX020035.MP4", "up/GH010034.MP4"]
    keys = chapters(names)
    assert keys[0] == keys[1] != keys[2] == keys[3]
    assert keys[4] is None, "another kind of recording, of one chapter"


def test_older_cameras_call_the_first_chapter_otherwise() -> None:
    first, second, other = chapters(["GOPR0034.MP4", "GP010034.MP4", "GOPR0035.MP4"])
    assert first == second is not None and other is None


def test_what_people_put_before_and_after_tells_cameras_apart() -> None:
    keys = chapters(["left_GX010001.MP4", "left_GX020001.MP4", "right_GX010001.MP4", "right_GX020001.MP4"])
    assert keys[0] == keys[1] != keys[2] == keys[3]


def test_other_names_are_no_chapters() -> None:
    assert chapters(["AGX010034.mp4", "AGX020034.mp4", "GX0100345.mp4", "GX0200345.mp4", "gx1.mp4"]) == [None] * 5


def test_pieces_begin_where_another_one_ends() -> None:
    names = [
        *("DJI_20240131235930_0001_D.MP4", "DJI_20240131235940_0002_D.MP4", "DJI_20240131235950_0003_D.MP4"),
        "DJI_20240201000100_0004_D.MP4",
        "front 2024-01-31 23.59.50.mp4",
        "DJI_20241331235950_0005_D.MP4",
    ]
    keys = pieces(names, [10.0] * len(names))
    assert keys[0] == keys[1] == keys[2] is not None
    assert keys[3:] == [None, None, None]


def test_a_gap_parts_recordings() -> None:
    names = ["20240131_100000.mp4", "20240131_100100.mp4", "20240131_100500.mp4", "20240131_100600.mp4"]
    keys = pieces(names, [60.0] * 4)
    assert keys[0] == keys[1] != keys[2] == keys[3]
    assert pieces(names, [30.0] * 4) == [None] * 4


def test_whether_enough_groups_are_left_for_a_split() -> None:
    labels = ["a"] * 4
    assert leaves_groups(labels, ["1", "2", "3", "4"], ["1", "1", "3", "4"])
    assert not leaves_groups(labels, ["1", "2", "3", "4"], ["1", "1", "3", "3"])
