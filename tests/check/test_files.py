"""Findings on files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import make_cut, make_film, make_turned
from scans import make_scan

from vidrnn.check.files import KINDS, USUAL, file_findings
from vidrnn.data.scan import scan_film
from vidrnn.values import FilmFailure, Size
from vidrnn.video.clock import Clock
from vidrnn.video.inspection import diagnosis, losses

HOUSE = Path(diagnosis.__file__).parents[1]


def found(*scans: object, failures: tuple[FilmFailure, ...] = ()) -> dict[str, list[str]]:
    """The names of the videos that each kind of finding concerns."""
    findings = file_findings(failures, scans)  # type: ignore[arg-type]
    return {finding.kind: [concern.path.name for concern in finding.concerns] for finding in findings}


def test_a_video_that_cannot_be_read_is_named_with_its_reason() -> None:
    (finding,) = file_findings([FilmFailure(Path("b.mp4"), "holds only sound, no pictures.")], [make_scan()])
    assert (finding.kind, finding.level) == ("unreadable", "warning")
    assert finding.text.startswith("1 video cannot be read or used, and a training leaves it out")
    assert finding.as_json()["videos"] == [{"path": "b.mp4", "detail": "holds only sound, no pictures."}]


def test_a_damaged_video_and_a_clock_without_stamps_are_found_in_real_files(tmp_path: Path) -> None:
    whole = scan_film(make_film(tmp_path / "whole.mp4", frames=50))
    cut = scan_film(make_cut(tmp_path / "cut.avi", frames=50))
    assert found(whole, cut).get("damage") == ["cut.avi"]
    assert found(whole) == {}


def test_a_quarter_turn_is_usual_and_a_mirrored_or_half_turned_video_is_a_warning(tmp_path: Path) -> None:
    turned = scan_film(make_turned(tmp_path / "turned.mp4"))
    assert any(map(USUAL.match, turned.facts.oddities))
    over = make_scan("over.mp4", oddities=("The pictures are turned by 180 degrees clockwise, as the container asks.",))
    assert found(turned).keys() <= {"shape"}
    assert found(over) == {"orientation": ["over.mp4"]}


@pytest.mark.parametrize(("claimed", "kinds"), [(25.0, set()), (25.6, set()), (50.0, {"rate"}), (1000.0, set())])
def test_a_claimed_rate_that_is_wrong_is_a_warning(claimed: float, kinds: set[str]) -> None:
    assert found(make_scan(claimed_fps=claimed)).keys() == kinds


def test_a_rate_that_the_user_gave_is_not_compared() -> None:
    said = "Times are counted at 25 frames per second, as --rate says; the container claims 50."
    assert found(make_scan(claimed_fps=50.0, oddities=(said,))) == {}


def test_pictures_of_another_shape_than_most_are_a_warning() -> None:
    scans = [make_scan(f"{place}.mp4") for place in range(4)]
    assert found(*scans, make_scan("double.mp4", size=Size(240, 320))) == {}
    assert found(*scans, make_scan("upright.mp4", size=Size(160, 120))) == {"shape": ["upright.mp4"]}


def test_every_sentence_on_clocks_belongs_to_a_kind_or_is_usual() -> None:
    clocks = []
    for stamps in (
        [0.0] * 6,
        [0.1, 0.2, 0.0, 0.0, 0.5],
        [0.1, 0.2, 0.15, 0.1, 0.3],
        [0.1, 0.2, 90.0, 90.1],
        [1, 1.04, 2],
    ):
        clock = Clock(25.0)
        for stamp in stamps:
            clock.tick(stamp)
        clocks.append([*clock.notes(), *clock.oddities()])
    sentences = [each for some in clocks for each in some]
    assert len(sentences) >= 5
    for text in sentences:
        assert USUAL.match(text) or any(kind.pattern.match(text) for kind in KINDS), text


def test_the_words_that_the_kinds_look_for_stand_where_they_are_written() -> None:
    """The patterns are of sentences of other modules: a sentence that is worded anew must be worded anew here too."""
    code = " ".join(file.read_text(encoding="utf-8") for file in HOUSE.rglob("*.py"))
    words = (
        "Damaged after", "Damaged: about", "Damaged or cut short", "Cut short after", "Cut short: its header",
        "Only one frame could be read", "The size of the picture changes", "Its container has",
        "There are no time stamps",
        "frames have no time stamp", "frames have the time stamp", "The time stamps go back", "The time jumps",
        "The pictures are ", "The file holds ", "frames hold brighter numbers", "The frame rate varies",
        "The container claims", "The first frame is at", "Times are counted at", "There is only one frame",
        "The pictures use ",
    )  # fmt: skip
    assert [each for each in words if not re.search(re.escape(each), code)] == []
    assert losses.NEAR_DAMAGE
