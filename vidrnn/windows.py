"""Features come in pieces of any length, windows of them are scored; how they are cut changes nothing. Memory does not
grow: what is certain of a moment is handed out and forgotten. No frames, no files."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from vidrnn.answers import Floats
from vidrnn.clips import default_hop
from vidrnn.runtimes.base import Features, Runtime, State


class Reader(Protocol):
    """Reads features on and on; scores are before softmax."""

    def read(self, features: Features) -> Floats:
        """Read on from features (steps, width): the scores (steps, classes) of the next steps that are certain now."""

    def now(self) -> Floats:
        """What is to be seen now (classes,)."""

    def finish(self) -> Floats:
        """There are no more: the scores (steps, classes) of all steps that were not certain yet."""

    def overall(self) -> Floats:
        """What all that was read shows (classes,)."""


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

    def read(self, features: Features) -> Floats:
        """As the contract says."""
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

    def finish(self) -> Floats:
        """As the contract says."""
        if self._read < self._length:
            window = self._open[0]
            if not self._model.carries:
                self._score([window], [self._last(self._read)])
            self._close(window)
        elif (self._read - self._length) % self._hop:
            window = _Window(self._read - self._length)
            self._score([window], [self._last(self._length)])
            self._close(window)
        return self._line.before(self._read)

    def overall(self) -> Floats:
        """As the contract says: the mean over windows that have ended, before the first the answer of now."""
        return self._sum / self._closed if self._closed else self.now()

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


class CarryingReader:
    """One state for ever: it starts anew never."""

    def __init__(self, model: Runtime) -> None:
        self._model = model
        self._state: State | None = None
        self._newest = np.zeros(len(model.handling.classes))

    def read(self, features: Features) -> Floats:
        """As the contract says: a step's own scores are certain at once."""
        scores, self._state = self._model.follow(features[None], self._state)
        self._newest = scores.clip[0]
        steps: Floats = scores.steps[0]
        return steps

    def now(self) -> Floats:
        """As the contract says."""
        return self._newest

    def finish(self) -> Floats:
        """As the contract says."""
        return np.zeros((0, len(self._newest)))

    def overall(self) -> Floats:
        """As the contract says."""
        return self._newest


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
