"""A model of the next frames watches a live source: what comes is usual, or it is unusual; stretches that were unusual.

It answers as a stream of a model of classes does, and its memory does not grow.
"""

from __future__ import annotations

from vidrnn.errors import ModelError
from vidrnn.runtimes.base import FrameRuntime
from vidrnn.tasks.next_frame import WARM_FRAMES, Watcher
from vidrnn.timeline.anomaly import UNUSUAL, Alarm
from vidrnn.timeline.segments import UNKNOWN
from vidrnn.values import Answer, Pixels, Segment
from vidrnn.video.clock import Grid

USUAL = "usual"
_LONGEST_UNJUDGED = 2 * WARM_FRAMES + 1
"""Frames after which an answer stands no longer if none of them could be judged."""


class Lookout:
    """Frames go in, in order, with their times; at each it is said whether what comes is unusual, and how much so.

    A frame can be judged only by those right before it: when some were lost, it begins afresh, and the answer stands
    until a frame can be judged again. Where that takes long, or none could be judged yet, it is unknown.
    """

    def __init__(self, model: FrameRuntime, alarm: Alarm) -> None:
        """Begin to watch; what is unusual begins and ends as `alarm` says.

        Raises:
            ModelError: the model does not know what is usual.
        """
        if model.handling.usual is None:
            raise ModelError(
                "the model: was trained without validation films, so it does not know how large errors are usual, and "
                "cannot say what is unusual. Train it on more films."
            )
        self._model, self._alarm, self._watcher = model, alarm, Watcher(model)
        self._grid = Grid(model.handling.spacing_seconds)
        self._since: float | None = None
        self._highest = self._score = self._seconds = 0.0
        self._unjudged = _LONGEST_UNJUDGED

    def push(self, pixels: Pixels, seconds: float) -> Answer:
        """A frame (height, width, 3) at the model's size: how unusual it is, as its probability."""
        ended: tuple[Segment, ...] = ()
        for at in self._grid.times_served(seconds):
            self._seconds, judged = at, self._watcher.push(pixels)
            if judged is None:
                self._unjudged += 1
                ended += self._calm(at) if self._unknown else ()
            else:
                self._score, self._unjudged = judged.score, 0
                ended += self._noticed(at)
        return self._answer(ended)

    def pass_over(self, seconds: float) -> None:
        """Frames for times before this one are lost: no later frame is to stand for those times."""
        if self._grid.pass_over(seconds):
            self._watcher = Watcher(self._model)

    def finish(self, end_seconds: float | None = None) -> Answer:
        """It is over: what was unusual until now has ended."""
        return self._answer(self._calm(self._seconds if end_seconds is None else end_seconds))

    @property
    def _unknown(self) -> bool:
        return self._unjudged >= _LONGEST_UNJUDGED

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
        shares = (0.0, 0.0) if self._unknown else (1 - self._score, self._score)
        label = UNKNOWN if self._unknown else USUAL if self._since is None else UNUSUAL
        return Answer(self._seconds, label, shares[label == UNUSUAL], (USUAL, UNUSUAL), shares, ended)
