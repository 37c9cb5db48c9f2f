"""Findings on what videos show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from conftest import SMALL, make_film, paint_number
from scans import make_scan

from vidrnn.check.pictures import is_blank, picture_findings
from vidrnn.data.scan import scan_film
from vidrnn.values import FilmScan, Pixels, Size


def found(*scans: FilmScan) -> dict[str, list[str]]:
    return {each.kind: [concern.path.name for concern in each.concerns] for each in picture_findings(scans)}


def test_black_still_and_frozen_videos_are_told_apart(tmp_path: Path) -> None:
    def black(index: int, size: Size = SMALL) -> Pixels:
        return np.full((size.height, size.width, 3), index % 2, np.uint8)

    def still(index: int, size: Size = SMALL) -> Pixels:
        return paint_number(77, size)

    def freezes(index: int, size: Size = SMALL) -> Pixels:
        return paint_number(min(index, 25), size)

    scans = [
        scan_film(make_film(tmp_path / f"{name}.mkv", frames=100, paint=paint))
        for name, paint in (("black", black), ("still", still), ("freezes", freezes), ("moves", paint_number))
    ]
    assert found(*scans) == {"blank": ["black.mkv"], "still": ["still.mkv"], "frozen-stretch": ["freezes.mkv"]}
    assert [is_blank(scan) for scan in scans] == [True, False, False, False]


def test_one_frame_is_a_still(tmp_path: Path) -> None:
    assert found(scan_film(make_film(tmp_path / "one.mkv", frames=1))) == {"still": ["one.mkv"]}


def test_a_stretch_counts_if_it_is_long_and_much_of_its_video() -> None:
    long = make_scan(seconds=100.0, still=((3.0, 8.0),))
    assert found(long) == {}
    (finding,) = picture_findings([make_scan(seconds=20.0, blank=((0.0, 1.5), (3.0, 4.5)), still=((0.0, 1.5),))])
    assert (finding.kind, finding.concerns[0].detail) == ("black-stretch", "0.0 to 1.5 s, 3.0 to 4.5 s")


def test_where_most_videos_stand_still_at_times_that_is_how_they_are_made() -> None:
    scans = [make_scan(f"{place}.mp4", seconds=10.0, still=((1.0, 5.0),)) for place in range(6)]
    (finding,) = picture_findings(scans)
    assert (finding.kind, finding.level) == ("frozen-stretch", "note")
