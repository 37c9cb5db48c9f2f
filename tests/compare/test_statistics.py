"""The statistics of a comparison, on numbers with a known result."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from vidrnn.compare.statistics import Comparison, Cost, Scale, Training, compare_heads
from vidrnn.evaluate.metrics import interval95
from vidrnn.values import Part

CLIPS = 40
GROUPS = [str(clip) for clip in range(CLIPS)]


def training(head: str, seed: int, right: int, *, val: float | None = None, factor: float = 0.5) -> Training:
    """One that answered the first `right` clips rightly, and whose gradient falls by a factor from frame to frame."""
    norms = tuple(factor**back for back in reversed(range(6)))
    share = right / CLIPS
    hits = tuple(float(clip < right) for clip in range(CLIPS))
    interval = interval95(np.asarray(hits) > 0, GROUPS)
    val = share if val is None else val
    return Training(head, seed, val, share, share, interval, hits, 10.0 + seed, 3, norms, norms)


def together(*trainings: Training, costs: dict[str, Cost] | None = None) -> Comparison:
    names = dict.fromkeys(one.head for one in trainings)
    costs = costs or {name: Cost(1000 * place + 1, 50.0) for place, name in enumerate(names)}
    return compare_heads(trainings, costs, GROUPS, "model", Part.TEST, Scale("accuracy", "clip"))


def test_a_head_has_a_mean_over_seeds_with_students_interval() -> None:
    found = together(*(training("gru", seed, right) for seed, right in enumerate([30, 32, 34])))
    [row] = found.rows
    assert row.accuracy.mean == pytest.approx(0.8)
    assert row.accuracy.each == (0.75, 0.8, 0.85)
    reach = 4.303 * 0.05 / math.sqrt(3)
    assert row.accuracy.interval == pytest.approx((0.8 - reach, 0.8 + reach))
    assert row.training_seconds == 11.0
    assert (found.seeds, found.clips, found.part) == (3, CLIPS, "test")


def test_one_seed_has_the_interval_of_its_clips() -> None:
    [row] = together(training("gru", 0, 20)).rows
    low, high = row.accuracy.interval
    assert 0.3 < low < 0.4 and 0.6 < high < 0.7


def test_the_best_is_chosen_on_validation_and_scored_on_test() -> None:
    found = together(
        training("none", 0, 20, val=0.5), training("gru", 0, 38, val=0.6), training("rnn", 0, 40, val=0.55)
    )
    assert found.best == "gru", "rnn is better on test, which may not choose"
    assert found.p is not None and found.p < 0.01
    assert "Memory helps: +45.0 points over none" in found.sentence


def test_a_lead_within_chance_is_reported_as_such() -> None:
    found = together(training("none", 0, 30, val=0.5), training("gru", 0, 31, val=0.6))
    assert found.p is not None and found.p > 0.5
    assert "may be chance" in found.sentence


@pytest.mark.parametrize(
    ("heads", "sentence"),
    [(("none", "gru"), "Memory is not shown to help here"), (("gru", "lstm"), "Add --head none")],
)
def test_without_a_pair_to_test_there_is_no_p(heads: tuple[str, str], sentence: str) -> None:
    found = together(training(heads[0], 0, 30, val=0.9), training(heads[1], 0, 30, val=0.5))
    assert found.p is None and sentence in found.sentence


def test_the_simplest_within_a_standard_error_of_the_best_is_named() -> None:
    trainings = [training("big", seed, 30, val=val) for seed, val in enumerate([0.8, 0.9])]
    trainings += [training("near", seed, 30, val=0.81) for seed in range(2)]
    trainings += [training("far", seed, 30, val=0.79) for seed in range(2)]
    costs = {"big": Cost(900, 1.0), "near": Cost(500, 1.0), "far": Cost(100, 1.0)}
    found = together(*trainings, costs=costs)
    assert (found.best, found.simplest) == ("big", "near")
    assert "the simplest within a standard error of it: near" in found.sentence


def test_the_memory_of_a_head_is_the_mean_over_seeds() -> None:
    found = together(training("gru", 0, 30, factor=0.25), training("gru", 1, 30, factor=1.0))
    [row] = found.rows
    assert row.after.factor == pytest.approx(0.5)
    assert row.after.memory_frames == pytest.approx(1 / math.log(2))


def test_json_has_only_finite_numbers() -> None:
    rows = [training("none", 0, 30, factor=0.0), training("gru", 0, 35, factor=1.0)]
    found = together(*rows, costs={"none": Cost(1, 2.0), "gru": Cost(2, None)})
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert [row["after"]["memory_frames"] for row in told["rows"]] == [0.0, None]
    assert told["rows"][1]["stream_microseconds"] is None
    assert told["rows"][1]["accuracy"]["each"] == [0.875]
    assert told["best"] == "gru" and told["clips"] == CLIPS
