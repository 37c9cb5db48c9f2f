"""The controls beside a score, and the sentence that says whether time helps."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TinyRun, make_film, train_tiny

from vidrnn.config import HeadConfig
from vidrnn.tables import Report
from vidrnn.train.controls import THIS_MODEL, ClipOutcome, Control, controls_report, time_sentence
from vidrnn.values import Part, Pixels, Size

LINEAR = ["linear, pictures", "linear, features"]
ROWS = ["majority class", *LINEAR, "one frame", "mean of frames", "frames shuffled", THIS_MODEL]


def controls_of_run(run: TinyRun) -> Report:
    (report,) = [event for event in run.events if isinstance(event, Report)]
    return report


def rows_of(report: Report) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in report.numbers["controls"]}


def outcome(right: dict[str, int], clips: int = 40, parts: tuple[Part, ...] = (Part.VAL, Part.TEST)) -> ClipOutcome:
    """An outcome in which each row got its first so many of `clips` right, each clip being a group of its own."""
    hits = {name: {part: np.arange(clips) < right.get(name, 20) for part in parts} for name in ROWS}
    return ClipOutcome(hits, {part: [f"{part}{i}" for i in range(clips)] for part in parts}, "")


@pytest.mark.parametrize(
    ("points", "p", "begins"),
    [
        (3.94, 0.021, "Time helps: order adds 3.9 points here (p = 0.021)."),
        (-5.0, 0.001, "Time hurts: with its frames shuffled the head gains 5.0 points here (p = 0.001)."),
        (3.94, 0.3, "Time is not shown to help: order adds 3.9 points here, which may be chance (p = 0.3)."),
        (-2.0, 0.3, "Time is not shown to help: order takes 2.0 points here, which may be chance (p = 0.3)."),
        (0.0, 1.0, "Time is not shown to help: order adds 0.0 points here, which may be chance (p = 1)."),
    ],
)
def test_the_sentence_says_what_order_adds_and_how_sure_that_is(points: float, p: float, begins: str) -> None:
    assert time_sentence(points, p) == begins


def test_the_rows_stand_in_order_with_the_model_last() -> None:
    report = controls_report(outcome({THIS_MODEL: 38, "frames shuffled": 20}))
    assert list(rows_of(report)) == ROWS
    assert rows_of(report)[THIS_MODEL]["test"] == pytest.approx(38 / 40)
    low, high = rows_of(report)[THIS_MODEL]["interval"]
    assert 0.8 < low < 38 / 40 < high < 1.0
    [table] = report.tables
    assert table.columns == ("accuracy", "val", "test", "95 % interval") and table.strong == {6}
    assert table.rows[-1] == (THIS_MODEL, "0.950", "0.950", f"{low:.2f} to {high:.2f}")
    assert "folds" not in report.numbers and "part" not in report.numbers


def test_a_model_that_is_no_better_than_a_linear_one_says_so() -> None:
    level = controls_report(outcome({THIS_MODEL: 38, "linear, features": 37}))
    assert level.sentences[0] == (
        "The model is not shown to be better than a linear one: accuracy 0.950 against 0.925 (linear, features)."
    )
    better = controls_report(outcome({THIS_MODEL: 38, "linear, features": 20, "linear, pictures": 18}))
    assert len(better.sentences) == 1


def test_the_motion_that_each_step_shows_is_not_called_order() -> None:
    plain = outcome({THIS_MODEL: 38})
    assert controls_report(replace(plain, motion=True)).sentences[-1].startswith("The model sees motion at each step.")
    assert "motion" not in controls_report(plain).sentences[-1]


def test_time_helps_a_model_that_is_far_better_than_with_shuffled_frames() -> None:
    report = controls_report(outcome({THIS_MODEL: 38, "frames shuffled": 20}))
    assert report.numbers["order_points"] == pytest.approx(45.0)
    assert report.numbers["p"] < 0.01
    assert report.sentences[-1].startswith("Time helps: order adds 45.0 points")


def test_one_clip_more_does_not_show_that_time_helps() -> None:
    report = controls_report(outcome({THIS_MODEL: 21, "frames shuffled": 20}))
    assert report.sentences[-1].startswith("Time is not shown to help")


def test_without_a_test_part_the_scores_are_of_validation() -> None:
    report = controls_report(outcome({THIS_MODEL: 38}, parts=(Part.VAL,)))
    assert all(row["test"] is None for row in rows_of(report).values())
    low, high = rows_of(report)[THIS_MODEL]["interval"]
    assert low < 38 / 40 < high
    assert report.numbers["order_points"] == pytest.approx(45.0)


def test_outcomes_of_folds_are_pooled_clip_by_clip() -> None:
    pooled = outcome({THIS_MODEL: 10}, clips=10).joined(outcome({THIS_MODEL: 0}, clips=30))
    report = controls_report(pooled)
    assert rows_of(report)[THIS_MODEL]["test"] == pytest.approx(10 / 40)
    assert [len(pooled.groups[part]) for part in (Part.VAL, Part.TEST)] == [40, 40]
    assert len(pooled.hits[THIS_MODEL][Part.TEST]) == 40


def test_the_control_of_one_frame_sees_the_middle_one_and_the_others_all() -> None:
    features = np.arange(10, dtype=np.float32).reshape(5, 2)
    none = HeadConfig(name="none")
    assert Control("one frame", none, "mean", 1).visible(features).tolist() == [[4.0, 5.0]]
    assert np.array_equal(Control("mean of frames", none, "mean", 4).visible(features), features)


def test_a_training_ends_with_all_rows_and_says_that_its_encoder_was_trained(tiny_run: TinyRun) -> None:
    controls = controls_of_run(tiny_run)
    assert list(rows_of(controls)) == ROWS
    assert rows_of(controls)["majority class"]["test"] == 0.5
    assert "trained encoder" in controls.notes[0]
    assert controls.sentences[-1].startswith("Time ")


def _order_alone_tells(folder: Path) -> Path:
    """Films in which a bright block crosses the picture, `east` or `west`; the same pictures are in both classes.

    Every second one of the 9 frames is, too, so that what a window shows is the same but for its order.
    """
    rows: list[tuple[Any, ...]] = []
    for number in range(16):
        rng = np.random.default_rng(number)
        ground, top = rng.integers(0, 90, size=3), int(rng.integers(0, 30))

        def picture(index: int, size: Size, ground: Any = ground, top: int = top) -> Pixels:
            pixels = np.empty((size.height, size.width, 3), np.uint8)
            pixels[:] = ground
            left = index * (size.width - 12) // 8
            pixels[top : top + 14, left : left + 12] = 240
            return pixels

        for label in ("east", "west"):
            path = folder / f"{label}{number}.avi"
            turned = label == "west"
            make_film(
                path,
                frames=9,
                fps=10.0,
                paint=lambda i, size, turned=turned, picture=picture: picture(8 - i if turned else i, size),
            )
            part = "train" if number < 8 else "val" if number < 12 else "test"
            rows.append((path.name, label, f"g{number}", part))
    manifest = folder / "films.csv"
    with manifest.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "group", "split"), *rows])
    return manifest


def test_where_only_order_tells_the_classes_apart_the_model_beats_the_controls_without_order(tmp_path: Path) -> None:
    manifest = _order_alone_tells(tmp_path / "films")
    run = train_tiny(
        manifest, tmp_path / "run", epochs=25, frames=5, spacing_seconds=0.2, flip=False, head={"size": 32}
    )
    report = controls_of_run(run)
    scores = {name: row["test"] for name, row in rows_of(report).items()}
    assert scores[THIS_MODEL] >= 0.9
    for name in ("majority class", "one frame", "mean of frames"):
        assert scores[name] <= 0.65, name
    order = scores[THIS_MODEL] - scores["frames shuffled"]
    assert order >= 0.2
    assert report.numbers["order_points"] == pytest.approx(100 * order)
