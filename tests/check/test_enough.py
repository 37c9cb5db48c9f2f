"""Whether more clips would help."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import followed
from scans import make_dataset, make_scan

from vidrnn.check.enough import LearningCurve, learning_curve
from vidrnn.check.shortcuts import Interval
from vidrnn.data.dataset import Dataset


def dataset_of(noise: float) -> Dataset:
    """120 clips in 24 groups whose pictures are those of their class, behind so much noise."""
    rng = np.random.default_rng(0)
    scenes = {label: rng.uniform(60, 190, (12, 16)) for label in ("walk", "run", "sit")}
    labels = ["walk", "run", "sit"] * 40
    scans = []
    for place, label in enumerate(labels):
        picture = scenes[label] + rng.normal(0, noise, (12, 16)) + rng.normal(0, 2, (8, 12, 16))
        scans.append(make_scan(f"{place}.mp4", thumbnails=np.clip(picture, 0, 255).astype(np.uint8)))
    return make_dataset(labels, scans, [f"g{place // 5}" for place in range(120)])


def test_a_curve_that_still_climbs_says_that_more_clips_help() -> None:
    curve, _ = followed(learning_curve(dataset_of(noise=150.0)))
    assert curve is not None
    assert curve.accuracy[0] < curve.accuracy[-1] and curve.clips[0] < curve.clips[1] < curve.clips[2] <= 96
    assert "more clips of new groups are likely to help" in curve.sentence


def test_a_curve_at_its_end_says_that_more_clips_hardly_help() -> None:
    curve, _ = followed(learning_curve(dataset_of(noise=5.0)))
    assert curve is not None and curve.accuracy == (1.0, 1.0, 1.0)
    assert "would hardly help such a model" in curve.sentence


def test_nothing_is_said_where_the_interval_says_nothing() -> None:
    unsure = Interval(0.03, -0.04, 0.1)
    assert LearningCurve((10, 20, 40), (0.4, 0.45, 0.48), 0.3, unsure, Interval(0.18, 0.1, 0.3)).sentence == ""
    sure = Interval(0.08, 0.04, 0.1)
    assert LearningCurve((10, 20, 40), (0.3, 0.3, 0.38), 0.3, sure, Interval(0.08, -0.1, 0.2)).sentence == ""


@pytest.mark.parametrize("groups", [1, 6])
def test_a_few_groups_give_no_curve(groups: int) -> None:
    data = dataset_of(5.0)
    few = make_dataset(
        [film.label for film in data.films], [*data.scans], [str(place % groups) for place in range(120)]
    )
    assert followed(learning_curve(few))[0] is None


def test_features_without_pictures_give_no_curve() -> None:
    scans = [make_scan(f"{place}.npy", thumbnails=np.zeros((1, 12, 16), np.uint8)) for place in range(60)]
    data = make_dataset(["walk", "run", "sit"] * 20, scans)
    assert followed(learning_curve(data))[0] is None
