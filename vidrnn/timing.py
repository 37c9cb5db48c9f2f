"""Time stamps to times in seconds: arithmetic only; no film is opened here."""

from __future__ import annotations

from collections.abc import Iterator

_JUMP_SECONDS = 10.0  # a longer gap between two frames is a jump of the clock, not a still picture
_TOLERANCE_SECONDS = 0.002  # containers round to 1 ms
_REWIND_SECONDS = 0.5  # frames in the wrong order go back less than this, joined films more
_HOLD_SECONDS = 0.001
_USUAL_FPS = 25.0


class Grid:
    """Which of the times t0, t0 + spacing, t0 + 2 spacing, ... a frame stands for; t0 is the time of the first frame.

    A time is served by the first frame at or after it (2 ms of tolerance), so a frame after a gap serves several times.
    After a jump of more than 10 s the grid starts anew. No answer depends on a later frame: a live stream can use it.
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
        if seconds - self._last > _JUMP_SECONDS:
            self._start, self._served = seconds, 0
        self._last = seconds
        times = []
        while (time := self._start + self._served * self.spacing_seconds) <= seconds + _TOLERANCE_SECONDS:
            times.append(time)
            self._served += 1
        return times


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
        if step > _JUMP_SECONDS:
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
