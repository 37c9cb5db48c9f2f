"""The sample films keep what sample_videos/README.md promises."""

import csv
import importlib.util
import itertools
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

SAMPLES = Path(__file__).parent.parent / "sample_videos"
MOST_BYTES = 6_000_000


@pytest.fixture(scope="module")
def paint() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sample_videos_paint", SAMPLES / "paint.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def read(path: Path) -> tuple[int, list[float]]:
    """How many frames a film has, and when each is shown, in seconds."""
    film = cv2.VideoCapture(str(path))
    seconds = []
    while film.read()[0]:
        seconds.append(film.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    return len(seconds), seconds


def films() -> list[Path]:
    return sorted(SAMPLES.glob("*/figure*.webm"))


def test_six_classes_of_twenty_or_more_clips_in_six_megabytes(paint: ModuleType) -> None:
    counts = {action: sum(path.parent.name == action for path in films()) for action in paint.ACTIONS}
    assert len(counts) == 6
    assert min(counts.values()) >= 20
    assert {path.parent.name for path in films()} == set(counts)
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.suffix in {".webm", ".csv"}) <= MOST_BYTES


def test_every_clip_reads_and_lasts_about_two_seconds() -> None:
    for path in films():
        count, seconds = read(path)
        assert count >= 18, path
        assert seconds[0] == 0, path
        assert np.all(np.diff(seconds) > 0), path
        assert 1.4 <= seconds[-1] <= 2.7, path


def test_every_figure_has_every_class(paint: ModuleType) -> None:
    by_figure: dict[str, set[str]] = {}
    for path in films():
        by_figure.setdefault(path.stem.split("_")[0], set()).add(path.parent.name)
    assert len(by_figure) >= 8
    assert all(actions == set(paint.ACTIONS) for actions in by_figure.values())


def test_the_intervals_cover_the_long_film_without_a_gap(paint: ModuleType) -> None:
    with (SAMPLES / "a_day.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} == set(paint.ACTIONS)
    assert {row["path"] for row in rows} == {"a_day.webm"}
    starts = [float(row["start_seconds"]) for row in rows]
    ends = [float(row["end_seconds"]) for row in rows]
    _, seconds = read(SAMPLES / "a_day.webm")
    frame = seconds[1] - seconds[0]
    assert starts[0] == 0
    assert starts[1:] == ends[:-1]
    assert all(start < end for start, end in zip(starts, ends, strict=True))
    assert ends[-1] == pytest.approx(seconds[-1] + frame, abs=0.05)
    assert 28 <= ends[-1] <= 32


def test_one_seed_paints_one_film(paint: ModuleType) -> None:
    for action, number in (("sit-down", 0), ("put-down", 5)):
        once, fps = paint.clip(action, number, 1, 7)
        again, fps_again = paint.clip(action, number, 1, 7)
        assert fps == fps_again
        assert np.array_equal(once, again)
    other, _ = paint.clip("sit-down", 0, 1, 8)
    assert len(other) != len(once) or not np.array_equal(other, once)


def test_twins_are_each_other_backwards(paint: ModuleType) -> None:
    for forward, backward in paint.PAIRS:
        for number in range(paint.FIGURES):
            for take in range(paint.TAKES):
                poses = paint.poses_of(forward, number, take, 7)
                assert poses == paint.poses_of(backward, number, take, 7)[::-1]
                assert poses != poses[::-1]
    frames, _ = paint.clip("walk-right", 2, 0, 7)
    assert np.array_equal(frames, paint.clip("walk-left", 2, 0, 7)[0][::-1])


def test_the_long_film_has_no_jumps(paint: ModuleType) -> None:
    poses = paint.new_day(7).poses
    for one, next_one in itertools.pairwise(poses):
        assert abs(next_one.x - one.x) < 0.06
        assert abs(next_one.sit - one.sit) < 0.15
        assert abs(next_one.reach - one.reach) < 0.3
        assert one.spot == next_one.spot or (one.holds and next_one.holds)


def test_equal_frames_are_equal_files_and_nothing_half_written_stays(paint: ModuleType, tmp_path: Path) -> None:
    frames, fps = paint.clip("pick-up", 1, 0, 7)
    for name in ("a.webm", "b.webm"):
        paint.write_film(tmp_path / name, frames, fps)
    assert (tmp_path / "a.webm").read_bytes() == (tmp_path / "b.webm").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.webm", "b.webm"]
    count, seconds = read(tmp_path / "a.webm")
    assert count == len(frames)
    assert seconds[-1] == pytest.approx((count - 1) / fps, abs=0.002)


def test_the_model_moments_says_what_the_long_film_shows_when() -> None:
    import vidrnn

    with (SAMPLES / "a_day.csv").open(encoding="utf-8") as file:
        truth = [(row["label"], float(row["start_seconds"])) for row in csv.DictReader(file)]
    segments = vidrnn.load(SAMPLES.parent / "models" / "moments").predict(SAMPLES / "a_day.webm").segments
    assert [segment.label for segment in segments] == [label for label, _ in truth]
    assert all(abs(segment.start_seconds - start) < 0.6 for segment, (_, start) in zip(segments, truth, strict=True))


def test_another_long_film_shows_what_its_table_says(paint: ModuleType) -> None:
    day, actions = paint.new_random_day(7, 3)
    again, same = paint.new_random_day(7, 3)
    assert (day.poses, actions) == (again.poses, same)
    assert round(sum(seconds for _, seconds in actions) * paint.DAY_FPS) == len(day.poses)
    held = [pose.holds for pose in day.poses]
    assert any(held), "something is picked up"
    start = 0
    for action, seconds in actions:
        end = start + round(seconds * paint.DAY_FPS)
        first, last = day.poses[start], day.poses[end - 1]
        assert (last.x > first.x) == (action == "walk-right") and (last.x < first.x) == (action == "walk-left")
        assert (last.sit > first.sit) == (action == "sit-down") and (last.sit < first.sit) == (action == "stand-up")
        assert (last.holds and not first.holds) == (action == "pick-up")
        assert (first.holds and not last.holds) == (action == "put-down")
        start = end
