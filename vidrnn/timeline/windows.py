"""Readers of features: they score windows of features that come in pieces of any length.

How the features are cut changes nothing. Memory does not grow, since scores that are certain are given and dropped. It
knows no frames and no files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from typing_extensions import override

from vidrnn.errors import ModelError
from vidrnn.runtimes.base import Features, Outputs, Runtime, State
from vidrnn.values import Floats, Reset
from vidrnn.video.sampling import default_hop


@dataclass(frozen=True)
class ScoreEnding:
    """The scores that are certain when there are no more features."""

    steps: Floats
    """(steps, classes) of the steps whose scores were not certain yet."""
    clip: Floats
    """(classes,) of the film as a whole."""


class FeatureReader(ABC):
    """Reads the features of one film, in order. Its scores are before softmax."""

    @abstractmethod
    def read(self, features: Features, cuts: Sequence[int] = ()) -> Floats:
        """Read on from features (steps, width); `cuts` are the places of those that follow a cut.

        Returns:
            the scores (steps, classes) of the next steps whose scores are certain now.
        """

    @abstractmethod
    def now(self) -> Floats:
        """The scores (classes,) of the newest step."""

    @abstractmethod
    def finish(self) -> ScoreEnding:
        """The scores if there are no more features. The reader stays as it is."""


@dataclass
class _Window:
    """A window that has begun: its state, and the scores of its steps and of itself so far."""

    start: int
    state: State | None = None
    steps: list[Floats] = field(default_factory=list)
    clip: Floats | None = None


class WindowReader(FeatureReader):
    """Windows begin every quarter of a window, and the state starts anew with each, as in training.

    The last window ends where the film ends, and a film shorter than a window is one window. If the head streams, each
    open window carries its state. Otherwise the reader keeps the features of a window, and scores it when it is whole.
    The newest scores are those of the oldest open window, which has seen most, and the scores of the film are the mean
    over its windows. Cuts are ignored.
    """

    def __init__(self, model: Runtime, clip_share: float = 0.5, centred: bool = False) -> None:
        """Begin before the first step.

        Args:
            model: what scores windows.
            clip_share: the weight of the scores of whole windows in the scores of their steps, from 0 to 1.
            centred: whether a step's own scores weigh more in a window, the nearer they are to its middle.
        """
        self._model = model
        self._length = model.handling.sampling.frames
        self._hop = default_hop(self._length)
        self._kept: deque[Features] = deque(maxlen=self._length)
        self._open: deque[_Window] = deque()
        self._read = 0
        self._newest: Floats | None = None
        classes = len(model.handling.answer.classes)
        self._sum, self._closed = np.zeros(classes), 0
        self._line = _Line(classes, clip_share, centred)

    @override
    def read(self, features: Features, cuts: Sequence[int] = ()) -> Floats:
        before, self._read = self._read, self._read + len(features)
        first = -(-before // self._hop) * self._hop
        self._open.extend(_Window(start) for start in range(first, self._read, self._hop))
        if self._model.streams:
            self._follow(features, before)
            self._kept.extend(features)
        else:
            self._gather(features, before)
        return self._line.before(self._read - self._length)

    @override
    def now(self) -> Floats:
        if self._newest is None:
            oldest = self._open[0]
            self._newest = self._scores([self._last(self._read - oldest.start)])[1][0]
        return self._newest

    @override
    def finish(self) -> ScoreEnding:
        last, line = self._last_window(), deepcopy(self._line)
        if last is None:
            return ScoreEnding(line.before(self._read), self._sum / self._closed)
        assert last.clip is not None
        line.add(last.start, np.concatenate(last.steps), last.clip)
        return ScoreEnding(line.before(self._read), (self._sum + last.clip) / (self._closed + 1))

    def _last_window(self) -> _Window | None:
        """The window that ends where the film ends; None if one has ended there already."""
        if self._closed and (self._read - self._length) % self._hop == 0:
            return None
        if not self._closed and self._model.streams:
            return self._open[0]
        length = min(self._read, self._length)
        last = _Window(self._read - length)
        self._score([last], [self._last(length)])
        return last

    def _follow(self, features: Features, before: int) -> None:
        """Read on in each open window; windows with the same number of steps go through the head together."""
        together: dict[tuple[int, bool], list[_Window]] = {}
        for window in self._open:
            steps = min(window.start + self._length, self._read) - max(window.start, before)
            together.setdefault((steps, window.state is None), []).append(window)
        for (steps, fresh), windows in together.items():
            pieces = [features[max(window.start - before, 0) :][:steps] for window in windows]
            outputs, after = self._model.follow(np.stack(pieces), None if fresh else _stacked(windows))
            steps_of, clips = step_and_clip(outputs)
            for row, window in enumerate(windows):
                window.state = {name: tensor[row : row + 1] for name, tensor in after.items()}
                window.steps.append(steps_of[row])
                window.clip = clips[row]
        self._newest = next(one.clip for one in self._open if one.start + self._length >= self._read)
        self._close_ended()

    def _gather(self, features: Features, before: int) -> None:
        """Keep the features of a window, and score the windows that end here."""
        self._newest = None
        some = np.concatenate([self._last(len(self._kept)), features]) if self._kept else features
        self._kept.extend(features)
        lead = before + len(features) - len(some)
        ended = [window for window in self._open if window.start + self._length <= self._read]
        if ended:
            self._score(ended, [some[window.start - lead :][: self._length] for window in ended])
            self._newest = ended[-1].clip if ended[-1].start + self._length == self._read else None
        self._close_ended()

    def _score(self, windows: list[_Window], features: list[Features]) -> None:
        steps, clips = self._scores(features)
        for row, window in enumerate(windows):
            window.clip, window.steps = clips[row], [steps[row]]

    def _scores(self, windows: Sequence[Features]) -> tuple[Floats, Floats]:
        """The scores of whole windows, which all have the same number of steps."""
        return step_and_clip(self._model.follow(np.stack(windows))[0])

    def _close_ended(self) -> None:
        while self._open and self._open[0].start + self._length <= self._read:
            self._close(self._open.popleft())

    def _close(self, window: _Window) -> None:
        assert window.clip is not None
        self._sum, self._closed = self._sum + window.clip, self._closed + 1
        self._line.add(window.start, np.concatenate(window.steps), window.clip)

    def _last(self, count: int) -> Features:
        """The last features (count, width)."""
        return np.stack([self._kept[place] for place in range(len(self._kept) - count, len(self._kept))])


class ShotReader(FeatureReader):
    """Windows that begin anew at each cut: every shot is read as a film of its own.

    The scores of the film as a whole ignore cuts, as in training.
    """

    def __init__(self, model: Runtime, clip_share: float = 0.5, centred: bool = False) -> None:
        self._model, self._clip_share, self._centred = model, clip_share, centred
        self._shot = WindowReader(model, clip_share, centred)
        self._whole: WindowReader | None = None

    @override
    def read(self, features: Features, cuts: Sequence[int] = ()) -> Floats:
        certain = []
        for start, end in pairwise(sorted({0, *cuts, len(features)})):
            if start in cuts:
                certain.append(self._begin_anew())
            certain.append(self._shot.read(features[start:end]))
            if self._whole:
                self._whole.read(features[start:end])
        return np.concatenate(certain)

    @override
    def now(self) -> Floats:
        return self._shot.now()

    @override
    def finish(self) -> ScoreEnding:
        shot = self._shot.finish()
        return ScoreEnding(shot.steps, self._whole.finish().clip if self._whole else shot.clip)

    def _begin_anew(self) -> Floats:
        steps = self._shot.finish().steps
        self._whole = self._whole or self._shot
        self._shot = WindowReader(self._model, self._clip_share, self._centred)
        return steps


class CarryingReader(FeatureReader):
    """One state for the whole film, however long it is: scores are certain at once, and cuts are ignored."""

    def __init__(self, model: Runtime) -> None:
        self._model = model
        self._state: State | None = None
        self._newest = np.zeros(len(model.handling.answer.classes))

    @override
    def read(self, features: Features, cuts: Sequence[int] = ()) -> Floats:
        outputs, self._state = self._model.follow(features[None], self._state)
        steps, clips = step_and_clip(outputs)
        self._newest = clips[0]
        first: Floats = steps[0]
        return first

    @override
    def now(self) -> Floats:
        return self._newest

    @override
    def finish(self) -> ScoreEnding:
        return ScoreEnding(np.zeros((0, len(self._newest))), self._newest)


class _Line:
    """The scores of each step, from windows that overlap.

    The step's own scores keep boundaries sharp; the scores of the windows that hold it depend on the order of frames.
    `clip_share` is the weight of the windows. A window weighs more, the nearer its middle is to the step; with
    `centred` that holds for the step's own scores too.
    """

    def __init__(self, classes: int, clip_share: float, centred: bool) -> None:
        self._clip_share, self._centred = clip_share, centred
        self._first = 0
        self._own, self._shared = np.zeros((0, classes)), np.zeros((0, classes))
        self._count, self._weight = np.zeros((0, 1)), np.zeros((0, 1))

    def add(self, start: int, steps: Floats, clip: Floats) -> None:
        """Add a window: the scores of its steps (steps, classes) and of itself (classes,)."""
        length = len(steps)
        self._lengthen(start + length - self._first - len(self._own))
        place = slice(start - self._first, start - self._first + length)
        near = nearness(length)[:, None]
        own = near if self._centred else np.ones_like(near)
        self._own[place] += own * steps
        self._count[place] += own
        self._shared[place] += near * clip
        self._weight[place] += near

    def before(self, step: int) -> Floats:
        """Take out the scores of the steps before this one."""
        ready = max(0, step - self._first)
        own, shared = self._own[:ready] / self._count[:ready], self._shared[:ready] / self._weight[:ready]
        scores: Floats = (1 - self._clip_share) * own + self._clip_share * shared
        self._own, self._shared, self._count, self._weight = (array[ready:] for array in self._arrays())
        self._first += ready
        return scores

    def _lengthen(self, by: int) -> None:
        if by > 0:
            longer = (np.concatenate([array, np.zeros((by, array.shape[1]))]) for array in self._arrays())
            self._own, self._shared, self._count, self._weight = longer

    def _arrays(self) -> Iterator[Floats]:
        yield from (self._own, self._shared, self._count, self._weight)


def nearness(steps: int) -> Floats:
    """(steps,) how near each step of a window is to its middle: 1 at both ends, more towards the middle."""
    return np.minimum(np.arange(steps), np.arange(steps)[::-1]) + 1.0


def step_and_clip(outputs: Outputs) -> tuple[Floats, Floats]:
    """The scores of each step (batch, time, classes) and of the clip (batch, classes).

    For a model that answers for frames only, the newest step stands for the clip: it does not depend on how the
    features were cut into pieces.
    """
    steps = outputs["steps"].astype(np.float64)
    return steps, outputs["clip"].astype(np.float64) if "clip" in outputs else steps[:, -1]


def feature_reader(model: Runtime, reset: Reset, clip_share: float = 0.5, *, centred: bool = False) -> FeatureReader:
    """The reader of features for a rule of resets; the other arguments are those of `WindowReader`.

    Raises:
        ModelError: the rule never resets the state, and the model cannot carry its state from frame to frame.
    """
    if reset == "never":
        if not model.streams:
            raise ModelError(
                "--reset never: this model's state cannot be carried from frame to frame, since the model reads in "
                "both directions. Say --reset cut."
            )
        return CarryingReader(model)
    return ShotReader(model, clip_share, centred) if reset == "cut" else WindowReader(model, clip_share, centred)


def _stacked(windows: list[_Window]) -> State:
    """The states of several windows as one."""
    states = [window.state or {} for window in windows]
    return {name: np.concatenate([state[name] for state in states]) for name in states[0]}
