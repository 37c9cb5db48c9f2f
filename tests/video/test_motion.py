"""The frame before a frame is one rule for films of any rate; flow pictures show how things moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import frame_number, make_film, make_uneven

from vidrnn.values import Pixels, Size
from vidrnn.video.motion import FLOW_LEVELS, BeforeFinder, flow_pictures, motion_inputs
from vidrnn.video.reader import open_film

SMALL = Size(24, 32)


def before_each(times: list[float], motion_seconds: float) -> list[int]:
    """The places of the frames before the frames at these times."""
    finder = BeforeFinder(motion_seconds)
    pictures = [np.full((1, 1, 3), place, np.uint8) for place in range(len(times))]
    found = [finder.find(at, picture) for at, picture in zip(times, pictures, strict=True)]
    return [int(one[0, 0, 0]) for one in found]


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (60, [0, 0, 1, 2, 3, 4, 0, 1, 2, 3]),
        (25, [0, 0, 1, 0, 1, 2, 3, 4, 5, 6]),
        (10, [0, 0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (5, [0, 0, 1, 2, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_the_frame_before_is_the_latest_one_that_is_early_enough_or_the_one_right_before(
    fps: int, expected: list[int]
) -> None:
    assert before_each([place / fps for place in range(10)], 0.1) == expected


def test_time_stamps_that_are_rounded_to_a_millisecond_are_early_enough() -> None:
    assert before_each([0.0, 0.033, 0.067, 0.101, 0.133], 0.1)[3:] == [0, 1]
    assert before_each([0.0, 0.034, 0.067, 0.099, 0.133], 0.1)[3:] == [0, 1]


def test_after_a_jump_of_the_clock_nothing_is_before() -> None:
    assert before_each([0.0, 0.1, 0.2, 20.0, 20.1, 20.2], 0.1) == [0, 0, 1, 3, 3, 4]
    assert before_each([0.0, 0.1, 9.0, 9.1], 0.1) == [0, 0, 1, 2], "a still picture is no jump"


@pytest.mark.parametrize("spacing", [0.04, 0.1, 0.13, 0.5])
def test_the_frame_before_depends_on_the_film_and_not_on_the_grid(tmp_path: Path, spacing: float) -> None:
    film = make_uneven(tmp_path / "film.gif", [40, 100, 30, 30, 30, 200, 50, 40, 40, 300, 40, 40])
    with open_film(film) as opened:
        frames = list(opened.frames(size=SMALL))
    expected = before_each([frame.seconds for frame in frames], 0.1)
    with open_film(film) as opened:
        sampled = list(opened.sampled(spacing, size=SMALL, motion_seconds=0.1))
    assert len({frame.index for frame in sampled}) > 1
    for frame in sampled:
        assert frame.before is not None
        assert frame_number(frame.pixels) == frame.index
        assert frame_number(frame.before) == expected[frame.index]


def test_frames_have_no_frame_before_where_it_was_not_asked_for(tmp_path: Path) -> None:
    with open_film(make_film(tmp_path / "film.mkv", frames=5)) as opened:
        assert all(frame.before is None for frame in opened.sampled(0.1))


USUAL = Size(48, 64)


def picture(right: int, down: int, size: Size = USUAL) -> Pixels:
    """A smooth random picture that has moved by so many pixels."""
    rows, columns = np.mgrid[: size.height, : size.width]
    rows, columns = rows - down, columns - right
    waves = np.sin(rows / 4 + 0.5 * np.sin(columns / 7)) + np.sin(columns / 5 + rows / 9)
    return np.repeat((127 + 60 * waves).astype(np.uint8)[..., None], 3, -1)


@pytest.mark.parametrize(("right", "down"), [(3, 0), (-2, 0), (0, 3), (2, -2)])
def test_a_flow_picture_shows_the_motion_right_down_and_its_length(right: int, down: int) -> None:
    [flow] = flow_pictures(picture(right, down)[None], picture(0, 0)[None])
    middle = np.median(flow[12:-12, 12:-12], axis=(0, 1))
    expected = [128.0 + FLOW_LEVELS * right, 128 + FLOW_LEVELS * down, FLOW_LEVELS * np.hypot(right, down)]
    assert middle == pytest.approx(expected, abs=FLOW_LEVELS / 2)


@pytest.mark.parametrize("size", [Size(48, 64), Size(8, 8), Size(3, 40), Size(12, 300), Size(300, 12)], ids=str)
def test_without_motion_a_flow_picture_is_still(size: Size) -> None:
    frames = picture(0, 0, size)[None, None]
    flow = flow_pictures(frames, frames)
    assert flow.shape == frames.shape and flow.dtype == np.uint8
    assert (flow == [128, 128, 0]).all()


def test_each_flow_picture_depends_on_its_own_two_frames_only() -> None:
    frames = np.stack([picture(place, 2 * place) for place in range(6)])
    before = np.stack([picture(0, place) for place in range(6)])
    whole = flow_pictures(frames, before)
    for place in range(6):
        assert np.array_equal(flow_pictures(frames[place], before[place]), whole[place])


def test_a_network_gets_the_inputs_that_it_wants() -> None:
    frames, before = picture(1, 0)[None], picture(0, 0)[None]
    assert motion_inputs((), frames, None) == {}
    inputs = motion_inputs(("before", "flow"), frames, before)
    assert list(inputs) == ["before", "flow"] and inputs["before"] is before
    assert np.array_equal(inputs["flow"], flow_pictures(frames, before))
    with pytest.raises(ValueError, match="`before`"):
        motion_inputs(("flow",), frames, None)
