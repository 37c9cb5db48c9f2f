"""The nouns that travel between rooms. No networks, no files, no printing."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

FORMAT_VERSION = 1
"""Of the model folder. A reader refuses a higher one, and says so."""

Pixels = NDArray[np.uint8]
"""(height, width, 3) RGB, or (time, height, width, 3) for a clip."""
Floats = NDArray[np.float64]


Reset = Literal["cut", "window", "never"]
"""When a state starts anew: with each of the windows that overlap, which themselves begin anew where the film is cut;
with each window only; never."""


class Part(StrEnum):
    """The side of a split on which a clip stands."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Size:
    """Height and width of a picture, in pixels."""

    height: int
    width: int

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"a picture has at least one pixel, not {self.height} x {self.width}")

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which frames a window holds: `frames` of them, `spacing_seconds` apart by the film's own clock."""

    frames: int
    spacing_seconds: float

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"a window has at least one frame, not {self.frames}")
        if not self.spacing_seconds > 0:
            raise ValueError(f"frames are more than 0 seconds apart, not {self.spacing_seconds}")


@dataclass(frozen=True, slots=True)
class Handling:
    """How a model is fed, and how its scores are read."""

    classes: tuple[str, ...]
    size: Size
    """Of the pictures that it sees."""
    sampling: Sampling
    temperature: float
    """What scores are divided by before softmax."""
    reset: Reset = "window"
    """When the state starts anew, unless another policy is asked for."""


@dataclass(frozen=True, slots=True)
class Usual:
    """How badly a model foretells frames in which nothing is unusual, and how things move in them."""

    middle: float
    """Natural logarithm of the median surprise."""
    high: float
    """... of the surprise that one frame in a hundred exceeds."""
    smoothing_frames: int
    """A frame's score is the mean of this many scores up to it."""
    error: float
    """Root of the squared error that the worst block of one frame in a hundred exceeds."""
    motion: float | None
    """Pixels a frame, of the fastest block likewise; None for a model that holds no flow."""


@dataclass(frozen=True, slots=True)
class FramesHandling:
    """How a model of the next frames is fed, and how its errors are read."""

    size: Size
    spacing_seconds: float
    """Between the frames that it sees."""
    channels: int
    """Of what it paints: 1 if it is grey, else 3."""
    context: int
    """Frames that it was shown in training before it went on by itself."""
    horizon: int
    usual: Usual | None
    """What is usual in films like those it learnt from; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture and its time."""

    index: int
    seconds: float
    pixels: Pixels

    def __repr__(self) -> str:
        return f"Frame(index={self.index}, seconds={self.seconds:.3f}, pixels={self.pixels.shape})"


@dataclass(frozen=True, slots=True, eq=False)
class WindowScores:
    """What the network says of windows, before softmax."""

    clip: Floats
    """(windows, classes) of each window as a whole."""
    steps: Floats
    """(windows, steps, classes) of each of its steps."""


@dataclass(frozen=True, slots=True)
class FilmFacts:
    """What reading a whole film found; nothing here is the container's claim unless its name says so."""

    path: Path
    size: Size
    """As shown, rotation applied."""
    codec: str
    frames: int
    first_seconds: float
    last_seconds: float
    duration_seconds: float
    """Last timestamp minus the first, plus how long the last frame stands."""
    rotation_degrees: int
    claimed_frames: int
    claimed_fps: float
    oddities: tuple[str, ...] = ()
    """One sentence for each thing a person would want to know."""

    @property
    def fps(self) -> float:
        """Measured frames per second of film."""
        return self.frames / self.duration_seconds if self.duration_seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class LabelledFilm:
    """A film with the truth about it, as its owner gave it."""

    path: Path
    label: str
    group: str | None = None
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class FilmFailure:
    """A film that could not be used, and why: the row that one bad file costs."""

    path: Path
    reason: str
    """A sentence that goes on after the path, and does not name it again."""

    @classmethod
    def of(cls, path: Path, error: Exception) -> Self:
        """The row for an error whose sentence may begin with the path."""
        return cls(path, str(error).removeprefix(f"{path}: "))


@dataclass(frozen=True, slots=True)
class FilmScan:
    """A film read once from end to end: its facts, a hash of its content, and a few thumbnails to know it by."""

    facts: FilmFacts
    content_hash: str
    thumbnails: NDArray[np.uint8]
    """(count, 12, 16) grey pictures spread over the film; the first and last frame are the first and last of them."""

    def __repr__(self) -> str:
        return f"FilmScan({self.facts.path.name}, {self.facts.frames} frames, {self.content_hash[:8]})"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One class and how probable it is."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of film with one answer."""

    start_seconds: float
    end_seconds: float
    label: str
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """How probable each class is at each moment of a film that the model looked at."""

    classes: tuple[str, ...]
    seconds: NDArray[np.float64]
    """(steps,) by the film's own clock."""
    probabilities: NDArray[np.float32]
    """(steps, classes)"""

    def __repr__(self) -> str:
        return f"Timeline({len(self.seconds)} steps, {len(self.classes)} classes)"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a stream says at a moment; nothing in it changes afterwards, and it may be kept or thrown away."""

    seconds: float
    """The newest moment that it knows of."""
    label: str
    """The most probable class of what is to be seen now, or `unknown`."""
    probability: float
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    """Of what is to be seen now, in the order of `classes`."""
    ended: tuple[Segment, ...] = ()
    """Stretches of the timeline that have ended and are certain since the answer before."""

    @property
    def top(self) -> tuple[Candidate, ...]:
        """Every class, from the most probable on."""
        pairs = zip(self.classes, self.probabilities, strict=True)
        return tuple(Candidate(*pair) for pair in sorted(pairs, key=lambda pair: -pair[1]))


@dataclass(frozen=True, slots=True)
class FilmPrediction:
    """What the model says of one film, in words and seconds."""

    path: Path
    label: str
    probability: float
    top: tuple[Candidate, ...]
    segments: tuple[Segment, ...]
    duration_seconds: float
    frames: int
    notes: tuple[str, ...] = ()
    """What the user should know of how the film was read, such as damage after a certain frame."""
    timeline: Timeline | None = field(default=None, compare=False, repr=False)
    """What the segments were made of."""


@dataclass(frozen=True, slots=True)
class Change:
    """From now on a live source shows something else."""

    seconds: float
    time: str
    """Of day, as ISO 8601."""
    label: str
    probability: float
    dropped: int
    """Frames that could not be kept up with, since the beginning."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of one answer of a live source, which has ended."""

    start_seconds: float
    end_seconds: float
    start_time: str
    end_time: str
    label: str
    probability: float
    dropped: int
    """Frames that could not be kept up with, since the beginning and until it was told."""


@dataclass(frozen=True, slots=True)
class Now:
    """The newest answer on a live source, whether or not it has changed."""

    answer: Answer
    dropped: int
