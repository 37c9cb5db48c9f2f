"""The clocks of films and live streams: what their stamps are worth, and whether they come earlier than life would."""

from __future__ import annotations

from itertools import pairwise

import pytest

from vidrnn.video.clock import Clock, Grid, LiveClock, Pace


def ticked(clock: LiveClock, frames: list[tuple[float, float]]) -> list[float]:
    """The times of frames: stamp and arrival."""
    return [round(clock.tick(raw, arrived), 4) for raw, arrived in frames]


def begun(claimed_fps: float = 25.0, *, stamped: bool = True) -> LiveClock:
    clock = LiveClock()
    clock.begin(claimed_fps, stamped=stamped)
    return clock


def test_stamps_are_followed_and_counted_from_the_first_frame_however_unevenly_frames_arrive() -> None:
    clock = begun()
    assert ticked(clock, [(5.0, 100.0), (5.1, 100.9), (5.2, 100.9), (5.3, 100.91)]) == [0.0, 0.1, 0.2, 0.3]
    assert not clock.remark


def test_a_film_that_comes_faster_than_life_keeps_its_own_time() -> None:
    clock = begun()
    assert ticked(clock, [(i / 10, 100 + i / 1000) for i in range(1000)])[-1] == 99.9
    assert not clock.remark


def test_without_stamps_times_are_those_of_arrival() -> None:
    clock = begun()
    assert ticked(clock, [(0.0, 100.0), (0.0, 100.2), (0.0, 100.3), (0.0, 103.0)]) == [0.0, 0.2, 0.3, 3.0]
    assert "no time stamps" in clock.remark


def test_a_cameras_stamps_are_not_asked_for() -> None:
    clock = begun(stamped=False)
    assert ticked(clock, [(7.0, 100.0), (9.0, 100.2), (9.5, 100.3)]) == [0.0, 0.2, 0.3]
    assert not clock.remark


def test_stamps_that_are_made_up_are_found_out_when_they_fall_behind() -> None:
    clock = begun()
    times = ticked(clock, [(i / 25, 100 + i / 10) for i in range(100)])
    steps = [round(after - before, 4) for before, after in pairwise(times)]
    assert "fall behind" in clock.remark
    assert set(steps) == {0.04, 0.1}
    assert steps == sorted(steps), "time never jumps: from one frame on it goes as fast as frames arrive"
    assert steps.index(0.1) < 40


def test_time_goes_on_while_a_stream_is_away_and_its_new_stamps_are_counted_from_there() -> None:
    clock = begun()
    ticked(clock, [(5.0, 100.0), (5.1, 100.1)])
    clock.begin(25.0)
    assert ticked(clock, [(900.0, 107.1), (900.5, 107.2)]) == [7.1, 7.6]


def test_times_only_go_forward() -> None:
    clock = begun()
    times = ticked(clock, [(raw, 100 + i / 50) for i, raw in enumerate([1, 1.04, 1.02, 0.2, 0.24, 1.0, 0.0, 1.1])])
    assert times == sorted(set(times))


def test_times_that_are_passed_over_are_served_by_no_later_frame() -> None:
    grid = Grid(0.1)
    assert grid.pass_over(7.0) == 0
    assert grid.times_served(1.0) == [1.0], "there is nothing to pass over before the first frame"
    assert grid.pass_over(1.5) == 4
    assert grid.times_served(1.6) == pytest.approx([1.5, 1.6])
    assert grid.pass_over(1.2) == 0
    assert grid.times_served(1.7) == pytest.approx([1.7]), "time does not go back"


def test_after_a_gap_every_frame_is_served_again_whatever_is_passed_over() -> None:
    camera, reader = Grid(0.315), Grid(0.315)
    assert camera.times_served(0.0) == reader.times_served(0.0) == [0.0]
    lost = []
    for at in (12.05, 12.365, 12.68, 30.0, 30.315):
        assert camera.times_served(at) == pytest.approx([at])
        lost.append(reader.pass_over(at))
        assert reader.times_served(at) == pytest.approx([at])
    assert lost[0] > 30 and lost[3] > 30, "what a gap took is lost"
    assert [lost[place] for place in (1, 2, 4)] == [0, 0, 0]


def test_a_slow_grid_loses_nothing_though_its_times_are_as_far_apart_as_a_gap() -> None:
    grid = Grid(15.0)
    for at in (0.0, 15.0, 30.0):
        assert grid.pass_over(at) == 0
        assert grid.times_served(at) == [at]


def test_times_that_are_passed_over_right_after_a_gap_are_served_by_no_later_frame() -> None:
    grid = Grid(0.1)
    grid.times_served(0.0)
    grid.pass_over(20.0)
    assert grid.pass_over(20.5) == 5
    assert grid.times_served(20.6) == pytest.approx([20.5, 20.6])


def test_passing_over_nothing_changes_nothing() -> None:
    plain, asked = Grid(0.132), Grid(0.132)
    for index in range(200):
        at = index * 0.041
        times = plain.times_served(at)
        if times:
            assert asked.pass_over(times[0]) == 0
        assert asked.times_served(at) == pytest.approx(times)


def came(frames: list[tuple[float, float, float]]) -> Pace:
    """After frames: their time in the stream, when each was asked for, and when it was there."""
    pace = Pace()
    for seconds, asked, now in frames:
        pace.add_frame(seconds, asked, now)
    return pace


def test_a_frame_that_was_waited_for_cannot_be_kept() -> None:
    assert came([(0.0, 0.0, 1.0), (0.1, 1.0, 1.1), (0.2, 1.1, 1.2)]).spare_seconds(1.2) == 0


def test_frames_that_come_together_can_be_kept_as_long_as_life_would_take() -> None:
    pace = came([(0.0, 0.0, 1.0), (0.5, 1.0, 1.0), (1.0, 1.0, 1.0)])
    assert pace.spare_seconds(1.0) == pytest.approx(1.0)
    assert pace.spare_seconds(1.5) == pytest.approx(0.5)
    assert pace.spare_seconds(2.5) < 0, "then it is too late"


def test_who_was_behind_is_up_to_date_again_when_a_frame_had_to_be_waited_for() -> None:
    late = [(i / 10, 1 + i / 5, 1 + i / 5 + 0.001) for i in range(10)]
    assert came(late).spare_seconds(3.0) < -0.9
    assert came([*late, (1.0, 3.0, 3.09)]).spare_seconds(3.09) == 0


def test_a_jump_of_the_streams_time_gives_no_time() -> None:
    assert came([(0.0, 0.0, 1.0), (3600.0, 1.0, 1.0)]).spare_seconds(1.0) == 0


def test_a_jump_of_the_streams_time_takes_no_time_from_what_came_before_it() -> None:
    assert came([(0.0, 0.0, 1.0), (2.0, 1.0, 1.0), (3602.0, 1.0, 1.0)]).spare_seconds(1.5) == pytest.approx(1.5)
    waited = came([(0.0, 0.0, 1.0), (0.1, 1.0, 1.1), (12.1, 1.1, 13.1)])
    assert waited.spare_seconds(13.1) == 0


@pytest.mark.parametrize("step", [15.0, 60.0, 3600.0])
def test_the_steps_of_a_slow_film_are_no_jumps(step: float) -> None:
    clock, unclaimed, grid = Clock(1 / step), Clock(0), Grid(step)
    for index in range(6):
        clock.tick(index * step)
        unclaimed.tick(index * step)
        assert grid.times_served(index * step) == [pytest.approx(index * step)]
    assert list(clock.notes()) == []
    assert clock.duration_seconds == pytest.approx(6 * step)
    assert len(list(unclaimed.notes())) == 1, "the first step alone may be a jump"


def test_a_jump_in_a_quick_film_stays_a_jump() -> None:
    clock = Clock(25)
    for seconds in (0, 0.04, 0.08, 20.0, 20.04, 40.0):
        clock.tick(seconds)
    assert [note[:34] for note in clock.notes()] == ["The time jumps forward by 20 secon"] * 2


def test_a_grid_can_be_as_close_as_the_frames_of_the_quickest_camera() -> None:
    grid = Grid(0.0005)
    served = [grid.times_served(index / 2000) for index in range(20)]
    assert [len(times) for times in served] == [1] * 20
    with pytest.raises(ValueError, match="apart"):
        Grid(0.00005)


def test_the_last_frame_lasts_as_long_as_its_neighbours() -> None:
    clock = Clock(25)
    for seconds in (0, 0.04, 0.08, 0.12, 5.0, 10.0, 15.0):
        clock.tick(seconds)
    assert clock.duration_seconds == pytest.approx(20.0)


def test_one_wrong_stamp_does_not_move_all_later_times() -> None:
    clock = Clock(25)
    stamps = [index / 25 for index in range(200)]
    stamps[50] += 1.5
    times = [clock.tick(stamp) for stamp in stamps]
    assert times[-1] == pytest.approx(stamps[-1])
    assert all(earlier < later for earlier, later in pairwise(times))


def test_stamps_that_are_too_coarse_for_the_rate_are_spread() -> None:
    clock = Clock(2000)
    times = [clock.tick(round(index / 2, 0) / 1000 or 0.0001) for index in range(20)]
    assert all(earlier < later for earlier, later in pairwise(times))
    assert any("have the time stamp of the frame before" in note for note in clock.notes())
    assert not any("go back" in note for note in clock.notes())
