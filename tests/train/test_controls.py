"""The rows beside a score, and the sentence that says whether time helped."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TinyRun, make_film, train_tiny

from vidrnn.config import HeadConfig
from vidrnn.events import Controls
from vidrnn.train.controls import THIS_MODEL, Control, Outcome, controls_table, time_sentence
from vidrnn.values import Part, Pixels, Size

ROWS = ["majority class", "one frame", "mean of frames", "frames shuffled", THIS_MODEL]


def controls_of_run(run: TinyRun) -> Controls:
    (controls,) = [event for event in run.events if isinstance(event, Controls)]
    return controls


def outcome(right: dict[str, int], clips: int = 40, parts: tuple[Part, ...] = (Part.VAL, Part.TEST)) -> Outcome:
    """An outcome in which each row got its first so many of `clips` right, each clip being a group of its own."""
    hits = {name: {part: np.arange(clips) < right.get(name, 20) for part in parts} for name in ROWS}
    return Outcome(hits, {part: [f"{part}{i}" for i in range(clips)] for part in parts}, "")


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
    table = controls_table(outcome({THIS_MODEL: 38, "frames shuffled": 20}))
    assert [row.name for row in table.rows] == ROWS
    assert table.rows[-1].test_accuracy == pytest.approx(38 / 40)
    low, high = table.rows[-1].interval
    assert 0.8 < low < 38 / 40 < high < 1.0


def test_a_model_far_above_its_shuffled_self_is_said_to_be_helped_by_time() -> None:
    table = controls_table(outcome({THIS_MODEL: 38, "frames shuffled": 20}))
    assert table.order_points == pytest.approx(45.0)
    assert table.p < 0.01
    assert table.sentence.startswith("Time helps: order adds 45.0 points")


def test_one_clip_more_is_not_said_to_be_help() -> None:
    table = controls_table(outcome({THIS_MODEL: 21, "frames shuffled": 20}))
    assert table.sentence.startswith("Time is not shown to help")


def test_without_a_test_part_validation_is_judged() -> None:
    table = controls_table(outcome({THIS_MODEL: 38}, parts=(Part.VAL,)))
    assert all(row.test_accuracy is None for row in table.rows)
    assert table.rows[-1].interval[0] < 38 / 40 < table.rows[-1].interval[1]
    assert table.order_points == pytest.approx(45.0)


def test_outcomes_of_folds_are_pooled_clip_by_clip() -> None:
    pooled = outcome({THIS_MODEL: 10}, clips=10).joined(outcome({THIS_MODEL: 0}, clips=30))
    table = controls_table(pooled)
    assert table.rows[-1].test_accuracy == pytest.approx(10 / 40)
    assert [len(pooled.groups[part]) for part in (Part.VAL, Part.TEST)] == [40, 40]
    assert len(pooled.hits[THIS_MODEL][Part.TEST]) == 40


def test_the_control_of_one_frame_is_shown_the_middle_one_and_the_others_all() -> None:
    features = np.arange(10, dtype=np.float32).reshape(5, 2)
    none = HeadConfig(name="none")
    assert Control("one frame", none, "mean", 1).seen(features).tolist() == [[4.0, 5.0]]
    assert np.array_equal(Control("mean of frames", none, "mean", 4).seen(features), features)


def test_a_training_ends_with_all_rows_and_says_that_its_encoder_was_trained(tiny_run: TinyRun) -> None:
    controls = controls_of_run(tiny_run)
    assert [row.name for row in controls.rows] == ROWS
    assert controls.rows[0].test_accuracy == 0.5
    assert "trained encoder" in controls.remark
    assert controls.sentence.startswith("Time ")


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
    rows = {row.name: row for row in controls_of_run(run).rows}
    mine = rows[THIS_MODEL].test_accuracy
    assert mine is not None
    assert mine >= 0.9
    for name in ("majority class", "one frame", "mean of frames"):
        other = rows[name].test_accuracy
        assert other is not None
        assert other <= 0.65, name
    shuffled = rows["frames shuffled"].test_accuracy
    assert shuffled is not None
    assert mine - shuffled >= 0.2
    assert controls_of_run(run).order_points == pytest.approx(100 * (mine - shuffled))
