"""Raw time stamps become times in seconds. This module is arithmetic only: it opens no film."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from statistics import median

JUMP_SECONDS = 10.0
"""A longer gap between two frames is a jump of the clock, not a still picture, unless the film is as slow itself."""
_JUMP_STEPS = 5
"""In a slow film, such as one picture a minute, a jump is longer than so many usual steps."""
TOLERANCE_SECONDS = 0.002
"""Containers round time stamps to 1 ms."""
_REWIND_SECONDS = 0.5
"""Frames in the wrong order go back by less than this; films that were joined go back by more."""
_SHORTEST_STEP_SECONDS = 0.001
_CLOSEST_SECONDS = 0.0001
_SLOWEST_FPS, _FASTEST_FPS = 1 / 3600, 2000.0
"""Claimed rates outside of these are not believed, nor is 1000, which only says that time stamps are in ms."""
_MILLISECONDS_FPS = 1000.0
_QUICK_SECONDS = 0.005
"""A frame that comes sooner after it was asked for had already arrived."""
_BEHIND_SECONDS = 2.0
"""Time stamps of a live stream that fall further behind the clock are not followed."""
_DEFAULT_FPS = 25.0
_ENDING_STEPS = 3
_SAME_STAMP_SECONDS = 1e-6
_LEAP_STEPS = 5
"""A step of so many usual steps may be a wrong time stamp, after which the right ones come back."""


class Jumps:
    """Tells jumps of a film's clock from its own steps, which are long in a slow film, by the frames so far.

    Where the container claims no rate that can be believed, the first long step counts as a jump, and a second one like
    it as the film's own.
    """

    def __init__(self, claimed_fps: float = 0.0) -> None:
        self._usual, self._steps = 1 / claimed_fps if _is_believed(claimed_fps) else 0.0, 0
        self._long = 0.0
        """The last step, if it was a jump."""

    def is_jump(self, step: float) -> bool:
        """Whether a step in seconds is a jump; a step that is none counts as one of the film's own."""
        if step <= 0:
            return False
        alike = self._long > 0 and 1 / _JUMP_STEPS < step / self._long < _JUMP_STEPS
        if step > max(JUMP_SECONDS, _JUMP_STEPS * self._usual) and not (alike and not self._steps):
            self._long = step
            return True
        self._long, self._steps = 0.0, self._steps + 1
        self._usual += (step - self._usual) / self._steps
        return False


def _is_believed(claimed_fps: float) -> bool:
    return _SLOWEST_FPS <= claimed_fps <= _FASTEST_FPS and claimed_fps != _MILLISECONDS_FPS


class Grid:
    """The times t0, t0 + spacing, t0 + 2 spacing, ..., and the frame that serves each; t0 is the first frame's time.

    A time is served by the first frame at or after it (2 ms of tolerance), so a frame after a gap serves several times.
    After a jump, a gap of more than 10 s, the grid starts again at the frame (or the time) after it. In a slow film a
    jump is also longer than five usual steps. No answer depends on a later frame, so a live stream can use the grid.
    """

    def __init__(self, spacing_seconds: float) -> None:
        """Start with the next frame.

        Raises:
            ValueError: the spacing is less than 0.1 ms or not finite.
        """
        if not _CLOSEST_SECONDS <= spacing_seconds < float("inf"):
            raise ValueError(f"grid times are 0.1 ms or more apart, not {spacing_seconds} seconds")
        self.spacing_seconds = spacing_seconds
        self._tolerance = min(TOLERANCE_SECONDS, spacing_seconds / 4)
        self._jumps = Jumps()
        self._start = float("-inf")
        self._served = 0
        self._last = float("-inf")

    def times_served(self, seconds: float) -> list[float]:
        """The grid times in seconds that the frame at `seconds` serves, mostly none or one."""
        if self._last == float("-inf") or self._jumps.is_jump(seconds - self._last):
            self._start, self._served = seconds, 0
        self._last = seconds
        times = []
        while (time := self._start + self._served * self.spacing_seconds) <= seconds + self._tolerance:
            times.append(time)
            self._served += 1
        return times

    def pass_over(self, seconds: float) -> int:
        """Skip the grid times before `seconds`, because their frames are lost, and give their number."""
        if self._last == float("-inf") or seconds <= self._start:
            return 0
        gap, self._last = seconds - self._last, max(self._last, seconds)
        lost = max(0, math.ceil((seconds - self._start) / self.spacing_seconds - 1e-6) - self._served)
        if self._jumps.is_jump(gap):
            self._start, self._served = seconds, 0
        else:
            self._served += lost
        return lost


class Clock:
    """Turns the raw time stamps of a film into times that only go forward.

    A missing stamp reads as 0. After a stamp that goes back a little, the clock goes on by 1 ms. After a stamp that
    goes back far, as in films that were joined, the clock counts on from there.
    """

    def __init__(self, claimed_fps: float) -> None:
        self._assumed_step = 1 / claimed_fps if _is_believed(claimed_fps) else 1 / _DEFAULT_FPS
        self._jump = Jumps(claimed_fps)
        self._last_steps: deque[float] = deque(maxlen=_ENDING_STEPS)
        self.first_seconds = self.seconds = self._offset = 0.0
        self._ticks = self._missing = self._back = self._steps = 0
        self._steps_sum = self._widest = 0.0
        self._narrowest = float("inf")
        self._jumps: list[tuple[int, float]] = []
        self._before_leap = float("inf")
        self._stamp, self._same = float("-inf"), 0

    @property
    def step_seconds(self) -> float:
        """The mean time between two frames as measured, or as claimed while there is only one frame."""
        return self._steps_sum / self._steps if self._steps else self._assumed_step

    @property
    def duration_seconds(self) -> float:
        """The time from the first frame to the end of the last."""
        return self.seconds - self.first_seconds + self.last_step_seconds

    @property
    def last_step_seconds(self) -> float:
        """How long the last frame lasts: as the film's mean step, or as its neighbours if these are unlike the mean."""
        if not self._last_steps:
            return self.step_seconds
        ending = median(self._last_steps)
        return self.step_seconds if abs(ending - self.step_seconds) < self.step_seconds / 4 else ending

    def tick(self, raw: float) -> float:
        """The time of the next frame in seconds, later than all before. `raw` is its time stamp in seconds."""
        if self._ticks == 0:
            self.first_seconds = self.seconds = self._stamp = max(raw, 0.0)
        elif raw == 0:
            self._missing += 1
            self.seconds += self.step_seconds
        elif raw + self._offset <= self.seconds:
            self._go_back(raw)
        else:
            self._go_on(raw + self._offset)
        self._ticks += 1
        return self.seconds

    def _go_back(self, raw: float) -> None:
        if abs(raw + self._offset - self._stamp) < _SAME_STAMP_SECONDS:
            self._same += 1
            self.seconds += min(_SHORTEST_STEP_SECONDS, self.step_seconds) / 2
            return
        self._back += 1
        leapt = self._before_leap < raw + self._offset  # a wrong stamp went ahead, and the stamps are back from it
        if leapt or self.seconds - raw - self._offset < _REWIND_SECONDS:
            self.seconds += _SHORTEST_STEP_SECONDS
            self._steps += 1
            self._steps_sum += _SHORTEST_STEP_SECONDS
        else:
            self.seconds += self.step_seconds
            self._offset = self.seconds - raw

    def _go_on(self, seconds: float) -> None:
        step = seconds - self.seconds
        if self._steps and step > _LEAP_STEPS * self.step_seconds:
            self._before_leap = self.seconds
        self.seconds = self._stamp = seconds
        if self._jump.is_jump(step):
            self._jumps.append((self._ticks, step))
            return
        self._last_steps.append(step)
        self._steps += 1
        self._steps_sum += step
        self._widest, self._narrowest = max(self._widest, step), min(self._narrowest, step)

    def notes(self) -> Iterator[str]:
        """A sentence for each fault of the time stamps so far."""
        if self._missing and self._missing == self._ticks - 1:
            yield f"There are no time stamps: {1 / self._assumed_step:.5g} frames per second were assumed."
        elif self._missing > 1:
            yield f"{self._missing} frames have no time stamp: their times are estimated."
        if self._same:
            yield f"{self._same} frames have the time stamp of the frame before them: their times are estimated."
        if self._back:
            yield f"The time stamps go back {self._back} times: the times there are estimated."
        for index, step in self._jumps[:3]:
            yield f"The time jumps forward by {step:.0f} seconds at frame {index}."

    def oddities(self) -> Iterator[str]:
        """A sentence for each property that is odd but no fault."""
        if self.first_seconds > TOLERANCE_SECONDS:
            yield f"The first frame is at {self.first_seconds:.3f} seconds."
        spread = self._widest - self._narrowest
        if self._steps > 1 and spread > max(0.25 * self.step_seconds, TOLERANCE_SECONDS):
            narrowest, widest = 1000 * self._narrowest, 1000 * self._widest
            yield f"The frame rate varies: frames are {narrowest:.0f} to {widest:.0f} ms apart."


class LiveClock:
    """Turns the time stamps and arrival times of a live stream into times in seconds that only go forward.

    Time stamps are followed, because frames travel in bursts and a pipe may bring a film faster than real time. They
    are not followed if there are none, or if they fall behind the clock of this machine: then they are invented, as for
    a camera that sends single pictures slowly. From there on, and while a stream is away, arrival times count.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.remark = ""
        """Why the time stamps are not followed; empty while they are."""
        self._stamps = Clock(0)
        self._follows = self._begins = True
        self._raw = self._first_seconds = self._first_arrived = 0.0
        self._arrived: float | None = None

    def begin(self, claimed_fps: float, *, stamped: bool = True) -> None:
        """Begin a stream, for the first time or again. Its claimed rate is in frames per second.

        `stamped`: the stream can have time stamps that are worth following.
        """
        self._stamps, self._follows, self._begins, self.remark = Clock(claimed_fps), stamped, True, ""

    def tick(self, raw: float, arrived: float) -> float:
        """The time of the next frame in seconds. `raw` is its time stamp; `arrived` is read from a monotonic clock."""
        stamp = self._stamps.tick(max(raw, 0.0)) - self._stamps.first_seconds
        if self._begins:
            self.seconds, self._begins = self._by_arrival(arrived), False
            self._first_seconds, self._first_arrived = self.seconds, arrived
        else:
            self._check_stamps(raw, stamp, arrived)
            by_stamp = max(self.seconds + _SHORTEST_STEP_SECONDS, self._first_seconds + stamp)
            self.seconds = by_stamp if self._follows else self._by_arrival(arrived)
        self._raw, self._arrived = raw, arrived
        return self.seconds

    def _by_arrival(self, arrived: float) -> float:
        """The time of the last frame, plus the time between the two arrivals."""
        return 0.0 if self._arrived is None else self.seconds + max(_SHORTEST_STEP_SECONDS, arrived - self._arrived)

    def _check_stamps(self, raw: float, stamp: float, arrived: float) -> None:
        """Stop following the time stamps if they are missing or fall behind."""
        if not self._follows:
            return
        if raw <= 0 and self._raw <= 0:
            self.remark = "there are no time stamps, so arrival times are used."
        elif arrived - self._first_arrived - stamp > _BEHIND_SECONDS:
            self.remark = "the time stamps fall behind the clock, so arrival times are used from here on."
        self._follows = not self.remark


class Pace:
    """Measures how far a live stream is ahead of real time: it may send several frames at once, or a whole film.

    The stream was level with real time when the reader last had to wait for a frame. All times are in seconds.
    """

    def __init__(self) -> None:
        self._seconds = self._level_seconds = self._level_now = 0.0
        self._begins = True

    def add_frame(self, seconds: float, asked: float, now: float) -> None:
        """Count a frame with this time in the stream, which was asked for and came at these times of one clock."""
        step, self._seconds = seconds - self._seconds, seconds
        if step > JUMP_SECONDS:
            self._level_seconds += step  # a jump of the time stamps is no lead
        if self._begins or now - asked > max(_QUICK_SECONDS, step / 2):
            self._level_seconds, self._level_now, self._begins = seconds, now, False

    def spare_seconds(self, now: float) -> float:
        """How long the newest frame can wait until real time reaches it; negative if it is late already."""
        return self._seconds - self._level_seconds - (now - self._level_now)
