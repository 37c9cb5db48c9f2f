"""`--fix`: a manifest without what can be mended, which trains and is clean of it."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broken_data import REFUSED, make_classes
from conftest import FRAMES_SIZE, make_acts, make_film, make_squares
from test_reading import events_of_training, understood

from vidrnn.check.repair import Repair, refuse_place, write_repaired
from vidrnn.errors import OutputError, UsageError
from vidrnn.values import Pixels, Size


def black(index: int, size: Size) -> Pixels:
    return np.zeros((size.height, size.width, 3), np.uint8)


def fixed(data: Path, tmp_path: Path, **settings: Any) -> tuple[Repair, list[dict[str, str]]]:
    repair = write_repaired(understood(data, tmp_path / "cache", **settings), tmp_path / "clean")
    assert repair is not None
    with repair.file.open(newline="") as lines:
        return repair, list(csv.DictReader(lines))


def test_bad_rows_go_names_are_joined_and_the_manifest_trains(tmp_path: Path) -> None:
    data = make_classes(tmp_path / "data", {"walk": 4, "run": 4})
    make_film(data / "Walk" / "other.mkv", frames=9, size=FRAMES_SIZE)
    make_film(data / "run" / "dark.mkv", frames=9, size=FRAMES_SIZE, paint=black)
    (data / "run" / "broken.mkv").write_bytes(b"no video at all")
    shutil.copy(data / "walk" / "walk1.mkv", data / "walk" / "walk9.mkv")
    repair, rows = fixed(data, tmp_path)
    assert sorted(Path(row["path"]).name for row in rows) == sorted(
        [*(f"walk{place}.mkv" for place in range(4)), *(f"run{place}.mkv" for place in range(4)), "other.mkv"]
    )
    assert {row["label"] for row in rows} == {"walk", "run"}
    assert (repair.rows, repair.flags) == (9, "")
    assert repair.changes == (
        "1 video that cannot be used left out",
        "1 clip of blank videos left out",
        "1 exact copy of another video left out",
        "2 names joined as 'walk'",
    )
    again = understood(repair.file, tmp_path / "cache")
    assert (again.refusals, again.left_out) == ([], [])
    *_, split = events_of_training(repair.file, tmp_path / "run")
    assert split.text.startswith("train ")


def test_a_video_with_two_labels_is_left_out_and_the_manifest_is_accepted(tmp_path: Path) -> None:
    maker, _ = REFUSED["one video with two labels"]
    data = maker(tmp_path / "data")
    repair, rows = fixed(data, tmp_path)
    assert "2 clips left out that are one video with different labels" in repair.changes
    assert {Path(row["path"]).name for row in rows}.isdisjoint({"walk0.mkv", "copy.mkv"})
    assert understood(repair.file, tmp_path / "cache").refusals == []


def test_groups_parts_and_splits_stay_as_they_were(tmp_path: Path) -> None:
    data = make_classes(tmp_path / "data", {"walk": 3, "run": 3})
    table = data / "table.csv"
    lines = ["path,label,group,split,start,end"]
    for label in ("walk", "run"):
        lines += [
            f"{label}/{label}{place}.mkv,{label},g{place},{part},0.1,9"
            for place, part in enumerate(("train", "train", "val"))
        ]
    table.write_text("\n".join([*lines, "gone.mkv,run,g9,val,,"]) + "\n")
    before, (repair, rows) = understood(table, tmp_path / "cache"), fixed(table, tmp_path)
    after = understood(repair.file, tmp_path / "cache")
    assert before.dataset is not None and after.dataset is not None
    assert after.dataset.groups == before.dataset.groups
    assert [film.part for film in after.dataset.films] == [film.part for film in before.dataset.films]
    assert {(row["start"], row["end"]) for row in rows} == {("0.1", "0.8")}
    assert not [note for note in after.notes if "end after the video" in note.text]


def test_labels_of_moments_end_with_their_videos_and_are_understood_as_before(tmp_path: Path) -> None:
    data = make_acts(tmp_path / "data", 4)
    with data.open("a") as lines:
        lines.write("film1.mkv,5.8,7.5,DIG\nfilm2.mkv,6.5,7,dig\nfilm9.mkv,0,1,dig\n")
    settings: dict[str, Any] = {"task": "label", "labels": {"unlabelled": "none"}}
    repair, rows = fixed(data, tmp_path, **settings)
    assert repair.flags == " --task label --unlabelled none"
    assert "2 labels cut at the end of the video, or left out behind it" in repair.changes
    assert all(float(row["end"]) <= 6.0 for row in rows)
    before, after = (
        understood(data, tmp_path / "cache", **settings),
        understood(repair.file, tmp_path / "cache", **settings),
    )
    assert after.usable is not None and before.usable is not None
    assert (after.left_out, after.refusals) == ([], [])
    assert {"dig", "rear"} == set(after.usable.classes) - {"(unlabelled)"}
    for old, new in zip(before.usable.films, after.usable.films, strict=True):
        assert old.annotation is not None and new.annotation is not None
        assert [bout for bout in new.annotation.bouts if bout.label == "rear"] == [
            bout for bout in old.annotation.bouts if bout.label == "rear"
        ]


def test_videos_without_labels_have_a_manifest_of_paths(tmp_path: Path) -> None:
    data = make_squares(tmp_path / "data", 4)
    make_film(data / "short.mkv", frames=3)
    repair, rows = fixed(data, tmp_path, task="next-frame", context=4, horizon=3)
    assert rows[0].keys() == {"path"} and len(rows) == 4
    assert repair.sentence.endswith(f"Train on it: vidrnn train {repair.file} --task next-frame")


def test_a_manifest_is_never_replaced_and_none_is_written_of_nothing(tmp_path: Path) -> None:
    data = make_classes(tmp_path / "data", {"walk": 3, "run": 3})
    refuse_place(tmp_path / "clean", None)
    fixed(data, tmp_path)
    with pytest.raises(OutputError, match="exists already"):
        refuse_place(tmp_path / "clean", None)
    with pytest.raises(UsageError, match="not on features"):
        refuse_place(tmp_path / "other", "features")
    assert write_repaired(understood(tmp_path / "nowhere", tmp_path / "cache"), tmp_path / "other") is None
    assert not (tmp_path / "other").exists()


def test_the_manifest_says_what_silence_means_as_far_as_it_can(tmp_path: Path) -> None:
    """Silence is not known, or no behaviour if it was read so; where every moment has a label, nothing is silent."""
    data = make_acts(tmp_path / "data", 3)
    rows = [f"film{film}.mkv,{frame},{'dig' if frame < 30 else 'rear'}" for film in range(3) for frame in range(60)]
    (tmp_path / "data" / "full.csv").write_text("\n".join(["path,frame,label", *rows]) + "\n")
    partly = [row for row in rows if not row.startswith("film0") or int(row.split(",")[1]) < 40]
    (tmp_path / "data" / "part.csv").write_text("\n".join(["path,frame,label", *partly]) + "\n")
    for name, labels, flags in (
        ("full", {}, " --task label"),
        ("part", {}, " --task label"),
        ("part", {"unlabelled": "none"}, " --task label --unlabelled none"),
        ("labels", {}, " --task label"),
    ):
        read = understood(data.with_name(f"{name}.csv"), tmp_path / "cache", task="label", labels=labels)
        repair = write_repaired(read, tmp_path / f"clean-{name}-{len(labels)}")
        assert repair is not None and repair.flags == flags
