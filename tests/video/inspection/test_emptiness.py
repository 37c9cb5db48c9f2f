"""Stretches of a film that show nothing: no change, or pictures of one colour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from vidrnn.values import Frame, Pixels
from vidrnn.video.inspection.emptiness import EmptyStretches


def picture(number: int) -> Pixels:
    return np.random.default_rng(number).integers(0, 256, (12, 16, 3), dtype=np.uint8)


def looked_at(pictures: Sequence[Pixels], spacing: float = 0.25) -> EmptyStretches:
    stretches = EmptyStretches()
    for index, pixels in enumerate(pictures):
        stretches.add(Frame(index, index * spacing, pixels))
    return stretches


def test_a_frozen_stretch_is_found_with_its_times() -> None:
    moving = [picture(number) for number in range(12)]
    stretches = looked_at([*moving[:4], *[moving[4]] * 6, *moving[5:]])
    assert stretches.still == ((1.0, 2.25),)
    assert stretches.blank == ()


def test_a_short_pause_is_usual_and_a_still_film_is_found_however_short_it_is() -> None:
    assert looked_at([picture(0), *[picture(1)] * 3, picture(2)]).still == ()
    assert looked_at([picture(1)] * 3).still == ((0.0, 0.5),)


def test_the_noise_of_a_camera_is_change() -> None:
    scene, draw = picture(0) // 2 + 50, np.random.default_rng(1)
    noisy = [scene + (draw.random(scene.shape) < 0.05).astype(np.uint8) for _ in range(10)]
    assert looked_at(noisy).still == ()


@pytest.mark.parametrize("level", [0, 12, 128, 255])
def test_black_pictures_and_pictures_of_one_colour_are_blank(level: int) -> None:
    blank = [np.full((12, 16, 3), level, np.uint8) + np.uint8(index % 2 if level < 255 else 0) for index in range(8)]
    assert looked_at([picture(0), *blank, picture(1)]).blank == ((0.25, 2.0),)


def test_a_frame_that_serves_several_times_is_one_picture() -> None:
    stretches = EmptyStretches()
    for second in range(5):
        for _ in range(4):
            stretches.add(Frame(second, float(second), picture(second)))
    assert stretches.still == ()
