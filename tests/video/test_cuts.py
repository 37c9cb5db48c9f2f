"""Cuts are detected; motion and flicker are not taken for cuts."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import FOOTAGE

from vidrnn.values import Pixels, Size
from vidrnn.video.cuts import CutFinder, small_pictures
from vidrnn.video.reader import open_film

SHOWN = Size(60, 80)


def scene(seed: int, frames: int, *, move: int = 1, noise: float = 4.0) -> list[Pixels]:
    """A picture of large patches around one colour; it moves along and flickers."""
    random = np.random.default_rng(seed)
    colour = (40 + 50 * seed) % 200
    wide = np.kron(colour + random.integers(0, 50, (3, 8, 3)), np.ones((20, 20, 1)))
    shown = [wide[:, move * i % 80 :][:, : SHOWN.width] for i in range(frames)]
    return [np.clip(one + random.normal(0, noise, one.shape), 0, 255).astype(np.uint8) for one in shown]


def cuts_of(frames: list[Pixels], chunk: int = 1) -> list[int]:
    finder = CutFinder()
    return [
        start + place
        for start in range(0, len(frames), chunk)
        for place in finder.find(small_pictures(frames[start : start + chunk]))
    ]


@pytest.mark.parametrize("chunk", [1, 3, 16, 100])
def test_cuts_are_found_however_the_frames_come(chunk: int) -> None:
    frames = [*scene(0, 12), *scene(1, 3), *scene(2, 20), *scene(3, 1), *scene(4, 9)]
    assert cuts_of(frames, chunk) == [12, 15, 35, 36]


@pytest.mark.parametrize("move", [0, 3])
def test_what_moves_and_flickers_is_not_cut(move: int) -> None:
    assert cuts_of(scene(5, 25, move=move)) == []


def test_what_changes_all_the_time_is_not_cut_all_the_time() -> None:
    random = np.random.default_rng(0)
    wild = [random.integers(0, 256, (12, 16, 3), dtype=np.uint8) for _ in range(60)]
    assert cuts_of(wild) == []


def test_a_cut_soon_after_a_larger_one_is_a_cut_too() -> None:
    levels = [100, 101] * 5 + [140, 141] * 2 + [152, 153] * 2
    grey = [np.full((12, 16, 3), level, dtype=np.uint8) for level in levels]
    assert cuts_of(grey) == [10, 14]


def test_the_first_frame_follows_no_cut() -> None:
    assert cuts_of(scene(6, 1)) == []
    assert cuts_of([*scene(6, 1), *scene(7, 1)]) == [], "there is no earlier change to compare with"


@pytest.mark.footage
def test_real_clips_that_are_one_shot_are_hardly_cut() -> None:
    if not FOOTAGE.is_dir():
        pytest.skip("the real footage is not here (../shared/data)")
    cuts, steps = 0, 0
    for film in sorted((FOOTAGE / "ucf9").rglob("*.mp4"))[::120]:
        with open_film(film) as opened:
            frames = [frame.pixels for frame in opened.sampled(0.3, size=SHOWN)]
        cuts, steps = cuts + len(cuts_of(frames)), steps + len(frames)
    assert steps > 50 and cuts <= steps * 0.03
