"""Time stamps to times in seconds: arithmetic only; no film is opened here."""

from __future__ import annotations

import math
from collections.abc import Iterator

JUMP_SECONDS = 10.0
"""A longer gap between two frames is a jump of the clock, not a still picture."""
_TOLERANCE_SECONDS = 0.002  # containers round to 1 ms
_REWIND_SECONDS = 0.5  # frames in the wrong order go back less than this, joined films more
_HOLD_SECONDS = 0.001
_QUICK_SECONDS = 0.005  # a frame that is there sooner was not waited for
_BEHIND_SECONDS = 2.0  # a live stream whose stamps fall further behind the clock is not told by them
_USUAL_FPS = 25.0


class Grid:
    """Which of the times t0, t0 + spacing, t0 + 2 spacing, ... a frame stands for; t0 is the time of the first frame.

    A time is served by the first frame at or after it (2 ms of tolerance), so a frame after a gap serves several times.
    After a jump of more than 10 s the grid starts anew, at the frame or at the time that comes after it. No answer
    depends on a later frame: a live stream can use it.
    """

    def __init__(self, spacing_seconds: float) -> None:
        if not 0.001 <= spacing_seconds < float("inf"):
            raise ValueError(f"grid times are 1 ms or more apart, not {spacing_seconds} seconds")
        self.spacing_seconds = spacing_seconds
        self._start = float("-inf")
        self._served = 0
        self._last = float("-inf")

    def times_served(self, seconds: float) -> list[float]:
        """The grid times, in seconds, that the frame at `seconds` stands for; mostly none or one."""
        if seconds - self._last > JUMP_SECONDS:
            self._start, self._served = seconds, 0
        self._last = seconds
        times = []
        while (time := self._start + self._served * self.spacing_seconds) <= seconds + _TOLERANCE_SECONDS:
            times.append(time)
            self._served += 1
        return times

    def pass_over(self, seconds: float) -> int:
        """Leave out the times before this one, since the frames for them are lost; how many there were."""
        if self._last == float("-inf") or seconds <= self._start:
            return 0
        gap, self._last = seconds - self._last, max(self._last, seconds)
        lost = max(0, math.ceil((seconds - self._start) / self.spacing_seconds - 1e-6) - self._served)
        if gap > JUMP_SECONDS:
            self._start, self._served = seconds, 0
        else:
            self._served += lost
        return lost


class Clock:
    """Raw time stamps in, times that only go forward out.

    A missing stamp reads as 0. One that goes back a little holds the clock still; one that goes back far begins a new
    count, as in films that were joined.
    """

    def __init__(self, claimed_fps: float) -> None:
        self._guess = 1 / claimed_fps if 1 <= claimed_fps <= 240 else 1 / _USUAL_FPS
        self.first_seconds = self.seconds = self._offset = 0.0
        self._ticks = self._missing = self._back = self._steps = 0
        self._steps_sum = self._widest = 0.0
        self._narrowest = float("inf")
        self._jumps: list[tuple[int, float]] = []

    @property
    def step_seconds(self) -> float:
        """How long a frame stands: the mean of what was measured, else what the container claims."""
        return self._steps_sum / self._steps if self._steps else self._guess

    @property
    def duration_seconds(self) -> float:
        """From the first frame to the end of the last."""
        return self.seconds - self.first_seconds + self.step_seconds

    def tick(self, raw: float) -> float:
        """The time of the next frame in seconds, later than all before."""
        if self._ticks == 0:
            self.first_seconds = self.seconds = max(raw, 0.0)
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
        self._back += 1
        if self.seconds - raw - self._offset < _REWIND_SECONDS:
            self.seconds += _HOLD_SECONDS
            self._steps += 1
            self._steps_sum += _HOLD_SECONDS
        else:
            self.seconds += self.step_seconds
            self._offset = self.seconds - raw

    def _go_on(self, seconds: float) -> None:
        step = seconds - self.seconds
        self.seconds = seconds
        if step > JUMP_SECONDS:
            self._jumps.append((self._ticks, step))
            return
        self._steps += 1
        self._steps_sum += step
        self._widest, self._narrowest = max(self._widest, step), min(self._narrowest, step)

    def notes(self) -> Iterator[str]:
        """A sentence for each thing that was wrong with the stamps so far."""
        if self._missing and self._missing == self._ticks - 1:
            yield f"There are no time stamps: {1 / self._guess:.5g} frames per second were taken."
        elif self._missing > 1:
            yield f"{self._missing} frames have no time stamp: their times are estimated."
        if self._back:
            yield f"The time stamps go back {self._back} times: the times there are estimated."
        for index, step in self._jumps[:3]:
            yield f"The time jumps forward by {step:.0f} seconds at frame {index}."

    def oddities(self) -> Iterator[str]:
        """A sentence for each thing that is unusual and not wrong."""
        if self.first_seconds > _TOLERANCE_SECONDS:
            yield f"The first frame is at {self.first_seconds:.3f} seconds."
        spread = self._widest - self._narrowest
        if self._steps > 1 and spread > max(0.25 * self.step_seconds, _TOLERANCE_SECONDS):
            narrowest, widest = 1000 * self._narrowest, 1000 * self._widest
            yield f"The frame rate varies: frames are {narrowest:.0f} to {widest:.0f} ms apart."


class LiveClock:
    """Time stamps of a live stream, and when its frames arrived, in; seconds that only go forward out.

    The stamps are followed, since frames travel in bursts, and a pipe may bring a film faster than it happened. Two
    kinds of stamps are not: none at all, and those that fall behind the clock of this machine, which are made up, as
    for a camera that sends single pictures more slowly than is usual. Then, and for as long as a stream is away, time
    goes on as frames arrive. `claimed_fps` is the rate that the stream claims.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.remark = ""
        """Why the stamps are not followed, once they are not."""
        self._stamps = Clock(0)
        self._follows = self._begins = True
        self._raw = self._first_seconds = self._first_arrived = 0.0
        self._arrived: float | None = None

    def begin(self, claimed_fps: float, *, stamped: bool = True) -> None:
        """A stream begins, for the first time or again; `stamped`: whether it can have stamps worth following."""
        self._stamps, self._follows, self._begins, self.remark = Clock(claimed_fps), stamped, True, ""

    def tick(self, raw: float, arrived: float) -> float:
        """The time of the next frame, from its stamp and from a clock of this machine that never jumps, in seconds."""
        stamp = self._stamps.tick(max(raw, 0.0)) - self._stamps.first_seconds
        if self._begins:
            self.seconds, self._begins = self._by_arrival(arrived), False
            self._first_seconds, self._first_arrived = self.seconds, arrived
        else:
            self._doubt(raw, stamp, arrived)
            by_stamp = max(self.seconds + _HOLD_SECONDS, self._first_seconds + stamp)
            self.seconds = by_stamp if self._follows else self._by_arrival(arrived)
        self._raw, self._arrived = raw, arrived
        return self.seconds

    def _by_arrival(self, arrived: float) -> float:
        """As much later than the frame before as it arrived later."""
        return 0.0 if self._arrived is None else self.seconds + max(_HOLD_SECONDS, arrived - self._arrived)

    def _doubt(self, raw: float, stamp: float, arrived: float) -> None:
        """Follow the stamps no longer where they are none."""
        if not self._follows:
            return
        if raw <= 0 and self._raw <= 0:
            self.remark = "there are no time stamps: times are those of arrival."
        elif arrived - self._first_arrived - stamp > _BEHIND_SECONDS:
            self.remark = "the time stamps fall behind the clock: from here on times are those of arrival."
        self._follows = not self.remark


class Pace:
    """Whether a live stream brings its frames earlier than they would come in life: several at once, or a whole film.

    It was up to date when a frame had last to be waited for; from there on life is counted. Times are in seconds.
    """

    def __init__(self) -> None:
        self._seconds = self._fresh_seconds = self._fresh_now = 0.0
        self._begins = True

    def add_frame(self, seconds: float, asked: float, now: float) -> None:
        """A frame of a stream's time came now; it had been asked for then, by the same clock."""
        step, self._seconds = seconds - self._seconds, seconds
        if step > JUMP_SECONDS:
            self._fresh_seconds += step  # life is not waited for where the clock jumped
        if self._begins or now - asked > max(_QUICK_SECONDS, step / 2):
            self._fresh_seconds, self._fresh_now, self._begins = seconds, now, False

    def spare_seconds(self, now: float) -> float:
        """How long the newest frame may be kept until it would have come in life; less than 0 if it is late already."""
        return self._seconds - self._fresh_seconds - (now - self._fresh_now)
