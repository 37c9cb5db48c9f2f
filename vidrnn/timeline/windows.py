"""Features come in pieces of any length, windows of them are scored; how they are cut changes nothing. Memory does not
grow: what is certain of a moment is handed out and forgotten. No frames, no files."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np

from vidrnn.runtimes.base import Features, Runtime, State
from vidrnn.values import Floats
from vidrnn.video.sampling import default_hop


@dataclass(frozen=True)
class Ending:
    """What is said of features when there are no more."""

    steps: Floats
    """(steps, classes) of those that were not certain yet."""
    clip: Floats
    """(classes,) of all that was read."""


class Reader(Protocol):
    """Reads features on and on; scores are before softmax."""

    def read(self, features: Features, cuts: Sequence[int] = ()) -> Floats:
        """Read on from features (steps, width), some of which follow a cut: the scores (steps, classes) of the next
        steps that are certain now."""

    def now(self) -> Floats:
        """What is to be seen now (classes,)."""

    def finish(self) -> Ending:
        """What is to be said if there are no more; nothing is changed by asking."""


@dataclass
class _Window:
    """A window that has begun: its state, and what it has said of its steps and of itself so far."""

    start: int
    state: State | None = None
    steps: list[Floats] = field(default_factory=list)
    clip: Floats | None = None


class WindowReader:
    """Windows begin every quarter of a window, and the state starts anew with each, as in training.

    The last one ends where the film ends, and a film shorter than a window is one window. Where features can be gone on
    from, each open window carries its state; otherwise, for a head that must see the whole clip, windows are scored
    from the features kept. What is to be seen now is what the oldest open window says, which has seen most.
    """

    def __init__(self, model: Runtime) -> None:
        self._model = model
        self._length = model.handling.sampling.frames
        self._hop = default_hop(self._length)
        self._kept: deque[Features] = deque(maxlen=self._length)
        self._open: deque[_Window] = deque()
        self._read = 0
        self._newest: Floats | None = None
        self._sum, self._closed = np.zeros(len(model.handling.classes)), 0
        self._line = _Line(len(model.handling.classes))

    def read(self, features: Features, cuts: Sequence[int] = ()) -> Floats:
        """As the contract says; cuts are passed over."""
        before, self._read = self._read, self._read + len(features)
        first = -(-before // self._hop) * self._hop
        self._open.extend(_Window(start) for start in range(first, self._read, self._hop))
        if self._model.carries:
            self._follow(features, before)
            self._kept.extend(features)
        else:
            self._gather(features, before)
        return self._line.before(self._read - self._length)

    def now(self) -> Floats:
        """As the contract says."""
        if self._newest is None:
            oldest = self._open[0]
            self._newest = self._model.score([self._last(self._read - oldest.start)]).clip[0]
        return self._newest

    def finish(self) -> Ending:
        """As the contract says: the film as a whole is the mean over its windows."""
        last, line = self._last_window(), deepcopy(self._line)
        if last is None:
            return Ending(line.before(self._read), self._sum / self._closed)
        assert last.clip is not None
        line.add(last.start, np.concatenate(last.steps), last.clip)
        return Ending(line.before(self._read), (self._sum + last.clip) / (self._closed + 1))

    def _last_window(self) -> _Window | None:
        """The window that ends where the film ends, if none has ended there by itself."""
        if self._closed and (self._read - self._length) % self._hop == 0:
            return None
        if not self._closed and self._model.carries:
            return self._open[0]
        length = min(self._read, self._length)
        last = _Window(self._read - length)
        self._score([last], [self._last(length)])
        return last

    def _follow(self, features: Features, before: int) -> None:
        """Let each open window go on; those that have as many steps here go together."""
        together: dict[tuple[int, bool], list[_Window]] = {}
        for window in self._open:
            steps = min(window.start + self._length, self._read) - max(window.start, before)
            together.setdefault((steps, window.state is None), []).append(window)
        for (steps, fresh), windows in together.items():
            pieces = [features[max(window.start - before, 0) :][:steps] for window in windows]
            scores, after = self._model.follow(np.stack(pieces), None if fresh else _stacked(windows))
            for row, window in enumerate(windows):
                window.state = {name: tensor[row : row + 1] for name, tensor in after.items()}
                window.steps.append(scores.steps[row])
                window.clip = scores.clip[row]
        self._newest = next(one.clip for one in self._open if one.start + self._length >= self._read)
        self._close_ended()

    def _gather(self, features: Features, before: int) -> None:
        """Keep the features, and score the windows that end among them."""
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
        scores = self._model.score(features)
        for row, window in enumerate(windows):
            window.clip, window.steps = scores.clip[row], [scores.steps[row]]

    def _close_ended(self) -> None:
        while self._open and self._open[0].start + self._length <= self._read:
            self._close(self._open.popleft())

    def _close(self, window: _Window) -> None:
        assert window.clip is not None
        self._sum, self._closed = self._sum + window.clip, self._closed + 1
        self._line.add(window.start, np.concatenate(window.steps), window.clip)

    def _last(self, count: int) -> Features:
        """The last so many features (count, width)."""
        return np.stack([self._kept[place] for place in range(len(self._kept) - count, len(self._kept))])


class ShotReader:
    """Windows that begin anew at each cut: every shot is read as a film of its own.

    What the film shows as a whole is said as if there were no cuts, as training scores its clips.
    """

    def __init__(self, model: Runtime) -> None:
        self._model = model
        self._shot = WindowReader(model)
        self._whole: WindowReader | None = None

    def read(self, features: Features, cuts: Sequence[int] = ()) -> Floats:
        """As the contract says."""
        certain = []
        for start, end in pairwise(sorted({0, *cuts, len(features)})):
            if start in cuts:
                certain.append(self._begin_anew())
            certain.append(self._shot.read(features[start:end]))
            if self._whole:
                self._whole.read(features[start:end])
        return np.concatenate(certain)

    def now(self) -> Floats:
        """As the contract says."""
        return self._shot.now()

    def finish(self) -> Ending:
        """As the contract says."""
        shot = self._shot.finish()
        return Ending(shot.steps, self._whole.finish().clip if self._whole else shot.clip)

    def _begin_anew(self) -> Floats:
        steps = self._shot.finish().steps
        self._whole = self._whole or self._shot
        self._shot = WindowReader(self._model)
        return steps


class CarryingReader:
    """One state for ever: it starts anew never."""

    def __init__(self, model: Runtime) -> None:
        self._model = model
        self._state: State | None = None
        self._newest = np.zeros(len(model.handling.classes))

    def read(self, features: Features, cuts: Sequence[int] = ()) -> Floats:
        """As the contract says: a step's own scores are certain at once, and cuts are passed over."""
        scores, self._state = self._model.follow(features[None], self._state)
        self._newest = scores.clip[0]
        steps: Floats = scores.steps[0]
        return steps

    def now(self) -> Floats:
        """As the contract says."""
        return self._newest

    def finish(self) -> Ending:
        """As the contract says."""
        return Ending(np.zeros((0, len(self._newest))), self._newest)


class _Line:
    """Scores at each step, of windows that overlap.

    A step's own scores tell what is to be seen then, and keep boundaries sharp; the scores of the windows that hold it
    tell what it is part of, and know of order. Both count the same; a window counts the more, the nearer its middle.
    """

    def __init__(self, classes: int) -> None:
        self._first = 0
        self._own, self._shared = np.zeros((0, classes)), np.zeros((0, classes))
        self._count, self._weight = np.zeros((0, 1)), np.zeros((0, 1))

    def add(self, start: int, steps: Floats, clip: Floats) -> None:
        """A window's step scores (steps, classes) and clip scores (classes,)."""
        length = len(steps)
        self._lengthen(start + length - self._first - len(self._own))
        place = slice(start - self._first, start - self._first + length)
        near = (np.minimum(np.arange(length), np.arange(length)[::-1]) + 1.0)[:, None]
        self._own[place] += steps
        self._count[place] += 1
        self._shared[place] += near * clip
        self._weight[place] += near

    def before(self, step: int) -> Floats:
        """The scores of the steps before this one that were not handed out yet; they are forgotten."""
        ready = max(0, step - self._first)
        scores: Floats = (self._own[:ready] / self._count[:ready] + self._shared[:ready] / self._weight[:ready]) / 2
        self._own, self._shared, self._count, self._weight = (array[ready:] for array in self._arrays())
        self._first += ready
        return scores

    def _lengthen(self, by: int) -> None:
        if by > 0:
            longer = (np.concatenate([array, np.zeros((by, array.shape[1]))]) for array in self._arrays())
            self._own, self._shared, self._count, self._weight = longer

    def _arrays(self) -> Iterator[Floats]:
        yield from (self._own, self._shared, self._count, self._weight)


def _stacked(windows: list[_Window]) -> State:
    """The states of several windows as one."""
    states = [window.state or {} for window in windows]
    return {name: np.concatenate([state[name] for state in states]) for name in states[0]}
