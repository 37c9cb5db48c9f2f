"""A model of the next frames watches a live source: what comes is usual, or it is unusual; stretches that were unusual.

It answers as a stream of a model of classes does, and its memory does not grow.
"""

from __future__ import annotations

from math import isnan

from vidrnn.errors import ModelError
from vidrnn.foretell import Watcher
from vidrnn.runtimes.base import FrameRuntime
from vidrnn.timing import Grid
from vidrnn.unusual import UNUSUAL, Alarm
from vidrnn.values import Answer, Pixels, Segment

USUAL = "usual"


class Lookout:
    """Frames go in, in order, with their times; at each it is said whether what comes is unusual, and how much so."""

    def __init__(self, model: FrameRuntime, alarm: Alarm) -> None:
        """Begin to watch; what is unusual begins and ends as `alarm` says.

        Raises:
            ModelError: the model does not know what is usual.
        """
        if model.handling.calibration is None:
            raise ModelError(
                "the model: was trained without validation films, so it does not know how large errors are usual, and "
                "cannot say what is unusual. Train it on more films."
            )
        self._alarm, self._watcher = alarm, Watcher(model)
        self._grid = Grid(model.handling.spacing_seconds)
        self._since: float | None = None
        self._highest = self._score = self._seconds = 0.0

    def push(self, pixels: Pixels, seconds: float) -> Answer:
        """A frame (height, width, 3) at the model's size: how unusual it is, as its probability."""
        ended: tuple[Segment, ...] = ()
        for at in self._grid.times_served(seconds):
            judged = self._watcher.push(pixels)
            self._seconds, self._score = at, 0.0 if judged is None or isnan(judged.score) else judged.score
            ended += self._noticed(at)
        return self._answer(ended)

    def pass_over(self, seconds: float) -> None:
        """Frames for times before this one are lost: no later frame is to stand for those times."""
        self._grid.pass_over(seconds)

    def finish(self, end_seconds: float | None = None) -> Answer:
        """It is over: what was unusual until now has ended."""
        return self._answer(self._calm(self._seconds if end_seconds is None else end_seconds))

    def _noticed(self, at: float) -> tuple[Segment, ...]:
        """One more score: whether an unusual stretch has ended with it."""
        if self._since is None:
            if self._score >= self._alarm.threshold:
                self._since, self._highest = at, self._score
            return ()
        if self._score < self._alarm.until:
            return self._calm(at)
        self._highest = max(self._highest, self._score)
        return ()

    def _calm(self, at: float) -> tuple[Segment, ...]:
        """What was unusual has ended; a short stretch is left out, as of a film."""
        since, self._since = self._since, None
        if since is None or at - since < self._alarm.least_seconds - 1e-9:
            return ()
        return (Segment(since, at, UNUSUAL, self._highest),)

    def _answer(self, ended: tuple[Segment, ...]) -> Answer:
        label = USUAL if self._since is None else UNUSUAL
        share = self._score if label == UNUSUAL else 1 - self._score
        return Answer(self._seconds, label, share, (USUAL, UNUSUAL), (1 - self._score, self._score), ended)
