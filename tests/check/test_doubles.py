"""Findings on videos that are nearly the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from scans import make_dataset, make_scan

from vidrnn.check.doubles import double_findings, near_pairs
from vidrnn.check.reading import CheckRequest, Understood
from vidrnn.config import RunConfig
from vidrnn.data.splits import Split
from vidrnn.tasks.base import task_named
from vidrnn.values import FilmScan, Part

TRAIN, TEST = Part.TRAIN, Part.TEST


def nearly(scan: FilmScan, name: str) -> FilmScan:
    """As after another encoding."""
    noise = np.random.default_rng(9).integers(-1, 2, scan.thumbnails.shape)
    pixels = np.clip(scan.thumbnails + noise, 0, 255).astype(np.uint8)
    return replace(scan, facts=replace(scan.facts, path=Path(name)), content_hash=name, thumbnails=pixels)


def read_as(labels: list[str], scans: list[FilmScan], parts: list[Part] | None = None) -> Understood:
    request = CheckRequest(Path("data"), task_named("classify"), RunConfig(), None, 1)
    split = None if parts is None else Split(tuple(parts))
    return Understood(request, usable=make_dataset(labels, scans), split=split)


def test_near_duplicates_with_different_classes_and_on_different_sides_are_found() -> None:
    scans = [make_scan(f"{place}.mp4", seed=place) for place in range(5)]
    scans.append(nearly(scans[2], "copy.mp4"))
    read = read_as(["walk", "walk", "run", "run", "run", "walk"], scans, [TRAIN] * 5 + [TEST])
    across, sides = double_findings(read)
    assert (across.kind, sides.kind) == ("double-classes", "double-sides")
    assert [(each.path.name, each.detail) for each in across.concerns] == [
        ("2.mp4", "'run', like copy.mp4, 'walk'"),
        ("copy.mp4", "'walk', like 2.mp4, 'run'"),
    ]
    assert sides.concerns[0].detail == "train, like copy.mp4, test"


def test_near_duplicates_of_one_class_on_one_side_are_no_finding() -> None:
    scans = [make_scan(f"{place}.mp4", seed=place) for place in range(5)]
    scans.append(nearly(scans[2], "copy.mp4"))
    assert [*double_findings(read_as(["run"] * 6, scans, [TRAIN] * 6))] == []


def test_videos_of_one_fixed_camera_are_not_all_doubles() -> None:
    scene = make_scan(seed=1)
    scans = [nearly(scene, f"{place}.mp4") for place in range(6)]
    rng = np.random.default_rng(3)
    scans = [
        replace(scan, thumbnails=np.clip(scene.thumbnails + rng.integers(-2, 3, (8, 12, 16)), 0, 255).astype(np.uint8))
        for scan in scans
    ]
    assert near_pairs(scans) == []


def test_a_video_that_is_played_backwards_or_has_another_length_is_no_double() -> None:
    scans = [make_scan(f"{place}.mp4", seed=place) for place in range(4)]
    backwards = replace(scans[0], thumbnails=scans[0].thumbnails[::-1], content_hash="b")
    longer = replace(nearly(scans[1], "c"), facts=replace(scans[1].facts, duration_seconds=6.0))
    assert near_pairs([*scans, backwards, longer]) == []
    assert near_pairs([*scans, nearly(scans[0], "d")]) == [(0, 4)]
