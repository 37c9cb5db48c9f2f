"""A model of the next frames watches a live source as it watches a film."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL, make_film
from vidrnn.live.lookout import Lookout

from vidrnn.errors import ModelError
from vidrnn.runtimes.base import FrameRuntime, State
from vidrnn.tasks.next_frame import Showing
from vidrnn.timeline.anomaly import Alarm
from vidrnn.values import FramesHandling, Pixels, Segment, Size, Usual
from vidrnn.video.reader import open_film

KNOWN = Usual(float(np.log(0.1)), float(np.log(0.3)), 1, ((0.1,) * 7,) * 5, ())
HANDLING = FramesHandling(SMALL, 0.1, 3, 10, 10, KNOWN)


class Still(FrameRuntime):
    """Foretells that nothing moves."""

    name = "still"

    def __init__(self, handling: FramesHandling = HANDLING) -> None:
        self.handling, self.asked = handling, 0

    def foretell(self, frames: Pixels, state: State | None = None) -> tuple[np.ndarray, State]:
        self.asked += 1
        return np.asarray(frames / 255, dtype=np.float32), {}


def flickers(index: int, size: Size) -> Pixels:
    """A still picture in which something happens from frame 15 on, for five frames, and at frame 30, for one."""
    bright = 120 if index == 30 else 255 * (index % 2) if 15 <= index < 20 else 100
    return np.full((size.height, size.width, 3), bright, np.uint8)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make_film(tmp_path / "film.mkv", frames=40, fps=10.0, paint=flickers)


@pytest.mark.parametrize("alarm", [Alarm(), Alarm(least_seconds=0.0), Alarm(0.9, 0.1), Alarm(least_seconds=0.7)])
def test_what_is_unusual_is_what_is_unusual_in_a_film(film: Path, alarm: Alarm) -> None:
    showing = Showing(Still(), film, alarm=alarm)
    list(showing.frames())
    assert showing.found is not None
    lookout, told = Lookout(Still(), alarm), list[Segment]()
    with open_film(film) as whole:
        for frame in whole.frames(size=SMALL):
            told += lookout.push(frame.pixels, frame.seconds).ended
        told += lookout.finish(whole.facts().duration_seconds).ended
    assert tuple(told) == showing.found.segments
    assert bool(told) == (alarm.least_seconds < 0.7)


def test_it_is_said_when_it_begins_and_when_it_ends() -> None:
    lookout = Lookout(Still(), Alarm())
    answers = [lookout.push(flickers(index, SMALL), index / 10) for index in range(25)]
    labels = [answer.label for answer in answers]
    assert labels == ["unknown"] * 2 + ["usual"] * 13 + ["unusual"] * 6 + ["usual"] * 4
    assert answers[0].probability == 0, "nothing can be said of the first frames"
    assert answers[16].probability == answers[16].probabilities[1] > 0.5
    assert answers[20].ended == () and answers[21].ended[0].end_seconds == pytest.approx(2.1)


def test_what_is_unusual_at_the_end_ends_there() -> None:
    lookout = Lookout(Still(), Alarm())
    for index in range(18):
        lookout.push(flickers(index, SMALL), index / 10)
    (segment,) = lookout.finish(1.8).ended
    assert (segment.start_seconds, segment.end_seconds) == pytest.approx((1.5, 1.8))


def test_frames_that_are_lost_make_nothing_unusual() -> None:
    lookout, steady = Lookout(Still(), Alarm()), list(range(100, 110)) + list(range(200, 210))
    labels = []
    for place, bright in enumerate(steady):
        at = (place if place < 10 else place + 90) / 10
        lookout.pass_over(at)
        labels.append(lookout.push(np.full((48, 64, 3), bright, np.uint8), at).label)
    assert labels == ["unknown"] * 2 + ["usual"] * 18


def test_where_frames_are_lost_all_the_time_nothing_can_be_said() -> None:
    lookout = Lookout(Still(), Alarm())
    for index in range(17):
        lookout.push(flickers(index, SMALL), index / 10)
    told = []
    for index in range(18, 40, 2):
        lookout.pass_over(index / 10)
        told.append(lookout.push(flickers(index, SMALL), index / 10))
    assert [answer.label for answer in told] == ["unusual"] * 4 + ["unknown"] * 7
    (ended,) = (segment for answer in told for segment in answer.ended)
    assert (ended.start_seconds, ended.end_seconds) == pytest.approx((1.5, 2.6))


def test_a_frame_stands_for_times_before_it_as_in_a_film_unless_their_frames_are_lost() -> None:
    for lost, seen in ((False, 5), (True, 2)):
        model = Still()
        lookout = Lookout(model, Alarm())
        lookout.push(flickers(0, SMALL), 0.0)
        if lost:
            lookout.pass_over(0.4)
        lookout.push(flickers(1, SMALL), 0.4)
        assert model.asked == seen


def test_a_model_that_does_not_know_what_is_usual_is_refused() -> None:
    with pytest.raises(ModelError, match="does not know how large errors are usual"):
        Lookout(Still(replace(HANDLING, usual=None)), Alarm())
