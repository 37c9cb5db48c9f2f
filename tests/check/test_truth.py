"""Findings on labels, names, groups and the split: in the words of a training, with their videos."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from broken_data import make_classes
from conftest import make_acts, make_film
from test_reading import understood

from vidrnn.check.finding import Finding, sentence
from vidrnn.check.truth import truth_findings


def findings_of(data: Path, tmp_path: Path, **settings: Any) -> dict[str, Finding]:
    return {each.kind: each for each in truth_findings(understood(data, tmp_path / "cache", **settings))}


def names_of(finding: Finding) -> list[str]:
    return [concern.path.name for concern in finding.concerns]


def test_class_names_that_differ_in_case_are_told_once_with_their_videos(tmp_path: Path) -> None:
    data = make_classes(tmp_path / "data", {"walk": 3, "run": 3})
    make_film(data / "Walk" / "other.mkv", frames=9)
    found = findings_of(data, tmp_path)
    assert found.keys() == {"refusal", "names"}  # Walk has one group
    assert found["names"].text.startswith("The classes 'Walk' and 'walk' differ in case")
    assert [(each.path.name, each.detail) for each in found["names"].concerns] == [("other.mkv", "'Walk'")]


def test_labels_beyond_the_end_are_told_with_their_video(tmp_path: Path) -> None:
    table = make_acts(tmp_path / "data", 4)
    with table.open("a") as lines:
        lines.write("film1.mkv,5.8,7.5,one\n")
    found = findings_of(table, tmp_path, task="label")
    assert names_of(found["beyond-end"]) == ["film1.mkv"]
    assert "ends after the video does, by 1.50 s" in found["beyond-end"].text


def test_parts_that_end_late_are_told_with_their_video(tmp_path: Path) -> None:
    data = make_classes(tmp_path / "data", {"walk": 3, "run": 3})
    rows = [f"{label}/{label}{number}.mkv,{label},0,0.7" for label in ("walk", "run") for number in range(3)]
    table = data / "parts.csv"
    table.write_text("\n".join(["path,label,start,end", *rows[:-1], "run/run2.mkv,run,0.1,9"]) + "\n")
    found = findings_of(table, tmp_path)
    assert names_of(found["beyond-end"]) == ["run2.mkv"]


def test_a_given_split_that_leaks_names_the_videos_of_the_groups(tmp_path: Path) -> None:
    data = make_classes(tmp_path / "data", {"walk": 3, "run": 3})
    parts = {
        "walk0": "train,A",
        "walk1": "val,A",
        "walk2": "train,B",
        "run0": "train,C",
        "run1": "val,D",
        "run2": "train,E",
    }
    rows = [f"{name[:-1]}/{name}.mkv,{name[:-1]},{part}" for name, part in parts.items()]
    table = data / "split.csv"
    table.write_text("\n".join(["path,label,split,group", *rows]) + "\n")
    found = findings_of(table, tmp_path)
    assert names_of(found["leak"]) == ["walk0.mkv", "walk1.mkv"]
    assert found["leak"].text.startswith("1 group on two sides of the given split (A)")
    assert found["training"].text == "The given split has no test: scores are on val only."


def test_exact_copies_are_told_with_the_video_that_stays(tmp_path: Path) -> None:
    data = make_classes(tmp_path / "data", {"walk": 4, "run": 4})
    shutil.copy(data / "walk" / "walk1.mkv", data / "walk" / "walk9.mkv")
    finding = findings_of(data, tmp_path)["copies"]
    assert (finding.level, names_of(finding)) == ("note", ["walk9.mkv"])
    assert finding.concerns[0].detail == "the same as walk1.mkv"


def test_a_sound_dataset_has_no_finding(tmp_path: Path) -> None:
    assert findings_of(make_classes(tmp_path / "data", {"walk": 4, "run": 4}), tmp_path) == {}


def test_a_note_becomes_a_sentence_and_a_name_stays_as_it_is() -> None:
    assert sentence("ignored: 3 files") == "Ignored: 3 files."
    assert sentence("a.mp4: has 2 frames.") == "a.mp4: has 2 frames."
    assert sentence("144 clips") == "144 clips."
