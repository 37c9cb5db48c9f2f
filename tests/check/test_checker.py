"""A check from DATA to its report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broken_data import make_classes, make_uneven_features
from conftest import followed, make_acts, make_film, make_squares

from vidrnn.check.checker import Checked, check_data
from vidrnn.check.finding import LEVELS
from vidrnn.check.reading import CheckRequest
from vidrnn.config import RunConfig
from vidrnn.plain_json import json_text
from vidrnn.tasks.base import task_named


def checked(data: Path, tmp_path: Path, fix: Path | None = None, **settings: Any) -> Checked:
    config = RunConfig.of(settings, source="test")
    task = task_named(config.task)
    request = CheckRequest(data, task, config.with_defaults(task.defaults), tmp_path / "cache", 1)
    return followed(check_data(request, fix))[0]


def test_refusals_come_first_then_warnings_then_notes(tmp_path: Path) -> None:
    data = make_classes(tmp_path / "data", {"walk": 3, "run": 1})
    (data / "run" / "broken.mkv").write_bytes(b"no video at all")
    found = checked(data, tmp_path)
    levels = [LEVELS.index(finding.level) for finding in found.findings]
    assert levels == sorted(levels) and found.refused
    assert [finding.kind for finding in found.findings][:2] == ["refusal", "unreadable"]
    assert found.report.sentences[-1].startswith("vidrnn train would refuse this DATA")


def test_the_numbers_hold_what_was_understood(tmp_path: Path) -> None:
    found = checked(make_classes(tmp_path / "data", {"walk": 4, "run": 5}), tmp_path)
    numbers = json.loads(json_text(found.report.numbers))
    assert not found.refused and found.findings == ()
    assert (numbers["task"], numbers["refusal"], numbers["clips"], numbers["fix"]) == ("classify", None, 9, None)
    run = numbers["classes"]["run"]
    assert (run["count"], run["videos"], run["seconds"]) == (5, 5, pytest.approx(4.0))
    assert sum(run["parts"].values()) == 5
    assert sum(numbers["split"]["parts"].values()) == 9
    assert 3 <= numbers["groups"]["count"] <= 9
    assert found.report.sentences == ("vidrnn train takes this DATA, and nothing speaks against it.",)


def test_behaviours_have_bouts_and_seconds_that_end_with_the_video(tmp_path: Path) -> None:
    make_acts(tmp_path / "data", 3)
    table = tmp_path / "data" / "labels.csv"
    rows = [f"film{film}.mkv,{times}" for film in range(3) for times in ("1,2,dig", "3,9,rear")]
    table.write_text("\n".join(["path,start,end,label", *rows]) + "\n")
    classes = checked(table, tmp_path, task="label").report.numbers["classes"]
    assert {name: (each["count"], each["seconds"], each["videos"]) for name, each in classes.items()} == {
        "dig": (3, pytest.approx(3.0), 3),
        "rear": (3, pytest.approx(9.0), 3),
    }


def test_videos_without_labels_have_no_table_of_classes(tmp_path: Path) -> None:
    found = checked(make_squares(tmp_path / "data", 4), tmp_path, task="next-frame", context=4, horizon=3)
    assert [table.columns[0] for table in found.report.tables] == ["videos"]
    assert found.report.numbers["classes"] == {}


def test_features_are_checked_without_looking_for_pictures(tmp_path: Path) -> None:
    data = make_uneven_features(tmp_path / "data")
    for path in data.rglob("*.npy"):
        np.save(path, np.load(path)[:, :4])
    found = checked(data, tmp_path, features=str(data), rate=10.0)
    assert found.findings == ()


def test_a_fix_is_said_with_the_command_that_trains_on_it(tmp_path: Path) -> None:
    data = make_classes(tmp_path / "data", {"walk": 4, "run": 4})
    (data / "run" / "broken.mkv").write_bytes(b"no video at all")
    found = checked(data, tmp_path, tmp_path / "clean")
    file = tmp_path / "clean" / "manifest.csv"
    assert found.report.sentences[0] == (
        f"Written: {file} with 8 rows: 1 video that cannot be used left out. Train on it: vidrnn train {file}"
    )
    assert found.report.numbers["fix"]["rows"] == 8
    assert checked(file, tmp_path).findings == ()


def test_a_black_video_and_one_that_freezes_are_found_in_files(tmp_path: Path) -> None:
    data = make_classes(tmp_path / "data", {"walk": 4, "run": 4})
    make_film(
        data / "run" / "dark.mkv", frames=9, paint=lambda _, size: np.zeros((size.height, size.width, 3), np.uint8)
    )
    kinds = {
        finding.kind: [each.path.name for each in finding.concerns] for finding in checked(data, tmp_path).findings
    }
    assert kinds["blank"] == ["dark.mkv"]
