"""The contract of a runtime: what computes a model. Frames and state go in, scores and state come out; numpy only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.model.header import HEADER_KEY, read_handling
from vidrnn.values import FramesHandling, Handling, Pixels, WindowScores

if TYPE_CHECKING:
    from vidrnn.config import ModelHeader, ModelSpec

STATE_KEY, STREAMS_KEY, HEAD_KEY, CARRIES_KEY = "vidrnn.state", "vidrnn.streams", "vidrnn.head", "vidrnn.carries"
"""Of the metadata: what the state's tensors are, whether the model streams (yes or no), the network from the features
on, as base64, and whether that one takes and gives its part of the state too (yes or no)."""

Array = NDArray[Any]
State = dict[str, Array]
"""All that a model remembers between two frames, by name; the minibatch is the first axis of each."""
Features = NDArray[np.float32]

_PICTURES_AT_ONCE = 8
"""Few enough to stay in a processor's caches."""
_ENCODER = "encoder."
"""Begins the names of what an encoder remembers."""


@dataclass(frozen=True)
class StateTensor:
    """One tensor of a state: its shape without the minibatch, its type by numpy's name, and what a fresh one holds."""

    shape: tuple[int, ...]
    type: str
    fresh: float

    def made(self, batch: int) -> NDArray[Any]:
        """As it is at a fresh start."""
        return np.full((batch, *self.shape), self.fresh, dtype=self.type)


def next_of(name: str) -> str:
    """The output that a state tensor's new value comes out of."""
    return f"{name}.next"


def past_encoder(names: Iterable[str]) -> list[str]:
    """The tensors of a state that belong to the network from the features on."""
    return [name for name in names if not name.startswith(_ENCODER)]


class Runtime:
    """A model that can be asked, whatever computes it. Several threads may ask at once."""

    name: str
    """As `--runtime` takes it."""
    frames_at_once: int = 32
    """How many to hand to `encode` while a film is read: enough to keep what computes busy."""
    handling: Handling
    """How it is fed, and how its scores are read."""

    @property
    def header(self) -> ModelHeader:
        """All that it says of itself."""
        raise TypeError(f"{type(self).__name__} must say where its header is")

    @property
    def streams(self) -> bool:
        """Whether a film can be read in pieces with the state handed on."""
        raise TypeError(f"{type(self).__name__} must say whether it streams")

    @property
    def carries(self) -> bool:
        """Whether `follow` can be asked: the model streams, and is stored so that features can be gone on from."""
        return self.streams

    @property
    def spec(self) -> ModelSpec:
        """What the network is."""
        return self.header.spec

    def read(self, frames: Pixels, state: State | None = None) -> tuple[WindowScores, State]:
        """Read on from `state`, None for a fresh start.

        Args:
            frames: (batch, time, height, width, 3) uint8 RGB at the model's size.
            state: what this returned for the frames before.

        Returns:
            the scores for all since the fresh start and for each frame given, and the state.
        """
        raise TypeError(f"{type(self).__name__} must say how it reads frames")

    def encode(self, pixels: Pixels, before: Pixels | None = None) -> Features:
        """Successive pictures (count, height, width, 3) -> features (count, width).

        `before` is the picture before the first, None if there is none; only encoders of differences look at it.
        """
        raise TypeError(f"{type(self).__name__} must say how it encodes pictures")

    def follow(self, features: Features, state: State | None = None) -> tuple[WindowScores, State]:
        """As `read`, of frames that are encoded already: features (batch, time, width).

        The state is that of the network from the features on; what the encoder remembers is not in it.
        """
        raise TypeError(f"{type(self).__name__} must say how it follows features")

    def score(self, windows: Sequence[Features]) -> WindowScores:
        """The scores of whole windows of features (steps, width) that all have the same number of steps."""
        raise TypeError(f"{type(self).__name__} must say how it scores windows")


class GraphRuntime(Runtime):
    """A model in a file that holds it as graphs: what is the same for all that read such files.

    The file holds the whole network, frames and state -> scores, features and state. Windows overlap, and each frame is
    to be encoded once; so its metadata also hold the network from the features on, as a graph of its own.
    """

    frames_at_once = 16
    """Fewer than torch gets, so that little is left to do when a film has been decoded."""

    def __init__(self, metadata: Mapping[str, str], source: str) -> None:
        self.metadata = metadata
        self._source = source
        self.handling = read_handling(metadata[HEADER_KEY], source)
        self._tensors = {name: StateTensor(**told) for name, told in json.loads(metadata[STATE_KEY]).items()}

    def run_whole(self, wanted: Sequence[str], given: dict[str, Array]) -> Sequence[Array]:
        """The outputs wanted of the whole network, given its inputs."""
        raise TypeError(f"{type(self).__name__} must say how it runs the network")

    def run_head(self, wanted: Sequence[str], given: dict[str, Array]) -> Sequence[Array]:
        """The outputs wanted of the network from the features on, given its inputs."""
        raise TypeError(f"{type(self).__name__} must say how it runs the network from the features on")

    @property
    def header(self) -> ModelHeader:
        """As the contract says."""
        from vidrnn.config import ModelHeader

        return ModelHeader.from_json(self.metadata[HEADER_KEY], self._source)

    @property
    def streams(self) -> bool:
        """As the contract says."""
        return self.metadata[STREAMS_KEY] == "yes"

    @property
    def carries(self) -> bool:
        """As the contract says; files of vidrnn 0.1 hold a head for whole windows only."""
        return self.metadata.get(CARRIES_KEY) == "yes"

    def read(self, frames: Pixels, state: State | None = None) -> tuple[WindowScores, State]:
        """As the contract says."""
        after = self._run(["clip", "steps", *map(next_of, self._tensors)], frames, state or {})
        scores = WindowScores(after["clip"].astype(np.float64), after["steps"].astype(np.float64))
        return scores, {name: after[next_of(name)] for name in self._tensors}

    def encode(self, pixels: Pixels, before: Pixels | None = None) -> Features:
        """As the contract says."""
        state: State = {}
        remembered = [name for name in self._tensors if name.startswith(_ENCODER)]
        if remembered and before is not None:
            state = self._encoded(before[None], remembered, state)[1]
        features = []
        for start in range(0, len(pixels), _PICTURES_AT_ONCE):
            some, state = self._encoded(pixels[start : start + _PICTURES_AT_ONCE], remembered, state)
            features.append(some)
        return np.concatenate(features)

    def _encoded(self, pixels: Pixels, remembered: Sequence[str], state: State) -> tuple[Features, State]:
        after = self._run(["features", *map(next_of, remembered)], pixels[None], state)
        return after["features"][0], {name: after[next_of(name)] for name in remembered}

    def _run(self, wanted: Sequence[str], frames: Pixels, state: State) -> State:
        """The outputs wanted, by name; what `state` does not hold begins afresh."""
        given = {name: state.get(name, tensor.made(len(frames))) for name, tensor in self._tensors.items()}
        return dict(zip(wanted, self.run_whole(wanted, {"frames": np.ascontiguousarray(frames), **given}), strict=True))

    def follow(self, features: Features, state: State | None = None) -> tuple[WindowScores, State]:
        """As the contract says."""
        names, held = past_encoder(self._tensors), state or {}
        given = {name: held[name] if held else self._tensors[name].made(len(features)) for name in names}
        clip, steps, *after = self.run_head(["clip", "steps", *map(next_of, names)], {"features": features, **given})
        return WindowScores(clip.astype(np.float64), steps.astype(np.float64)), dict(zip(names, after, strict=True))

    def score(self, windows: Sequence[Features]) -> WindowScores:
        """As the contract says."""
        if self.carries:
            return self.follow(np.stack(windows))[0]
        clip, steps = self.run_head(["clip", "steps"], {"features": np.stack(windows)})
        return WindowScores(clip.astype(np.float64), steps.astype(np.float64))


class FrameRuntime:
    """A model of the next frames that can be asked, whatever computes it."""

    name: str
    """As `--runtime` takes it."""
    handling: FramesHandling
    """How it is fed, and how its errors are read."""

    @property
    def header(self) -> ModelHeader:
        """All that it says of itself."""
        raise TypeError(f"{type(self).__name__} must say where its header is")

    def foretell(self, frames: Pixels, state: State | None = None) -> tuple[NDArray[np.float32], State]:
        """What comes after the newest frame of each film.

        Args:
            frames: (batch, height, width, 3) uint8 RGB at the model's size, one frame of each film.
            state: what this returned for the frames before; None for a fresh start.

        Returns:
            the frame after each, (batch, height, width, channels) in [0, 1], and the state.
        """
        raise TypeError(f"{type(self).__name__} must say how it foretells frames")
