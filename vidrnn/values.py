"""The nouns that travel between rooms. No networks, no files, no printing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

FORMAT_VERSION = 2
"""Of the model folder. A reader refuses a higher one, and says so."""

Pixels = NDArray[np.uint8]
"""(height, width, 3) RGB, or (time, height, width, 3) for a clip."""
Floats = NDArray[np.float64]

MotionName = Literal["change", "difference", "flow"]
"""What a model sees of motion. `change`: the head sees how the features changed since the step before; `difference`:
the encoder sees the difference between a frame and the frame before it; `flow`: the encoder sees the optical flow."""
PictureMotion = Literal["difference", "flow"]
"""The motion that an encoder sees."""
ViewName = Literal["appearance", "difference", "flow"]
"""What one pass of an encoder sees of a frame: the frame, its difference from the frame before it, or the flow."""
InputName = Literal["before", "flow"]
"""An input of a network beside `frames`."""
INPUT_OF: Mapping[ViewName, InputName] = {"difference": "before", "flow": "flow"}
"""The input that a view needs beside `frames`."""


LONGEST_MOTION_SECONDS = 10.0
"""The longest time between a frame and the frame before it, for a model that sees motion."""
Grid = tuple[int, int]
"""Rows and columns of the cells of a picture."""
WHOLE: Grid = (1, 1)
"""The picture is one cell."""

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
        if not 0.001 <= self.spacing_seconds <= 1e6:
            raise ValueError(f"frames are 0.001 to 1000000 seconds apart, not {self.spacing_seconds}")


Kind = Literal["one", "several", "number", "picture", "vector"]
"""What an answer is: one of the classes, several of them at once, a number, the next picture, or a feature vector."""
Resolution = Literal["clip", "frame"]
"""What an answer is given for: a whole clip, or each frame."""


@dataclass(frozen=True, slots=True)
class AnswerSpec:
    """What a model answers: the record `answer` of its header."""

    task: str
    kind: Kind
    resolution: Resolution
    classes: tuple[str, ...] = ()
    background: str | None = None
    """The class that stands for none of the others, if there is one."""
    unit: str | None = None
    """Of a number."""

    def __post_init__(self) -> None:
        if len({*self.classes}) < len(self.classes) or not all(self.classes):
            raise ValueError("classes: two have one name, or one has none")
        if self.background is not None and self.background not in self.classes:
            raise ValueError("background: is none of the classes")


@dataclass(frozen=True, slots=True)
class AnomalyCalibration:
    """How large prediction errors are, and how fast things move, in normal videos."""

    middle: float
    """Natural logarithm of the median surprise."""
    high: float
    """Natural logarithm of the surprise that one frame in a hundred exceeds."""
    smoothing_frames: int
    """A frame's score is the mean of this many scores up to it."""
    error: float
    """Root of the squared error that the worst block of one frame in a hundred exceeds."""
    motion: float | None = None
    """Speed of the fastest block that one frame in a hundred exceeds, in pixels a frame; None without a flow."""

    def __post_init__(self) -> None:
        numbers = (self.middle, self.high, self.error, 0.0 if self.motion is None else self.motion)
        if not all(math.isfinite(number) for number in numbers) or self.high <= self.middle:
            raise ValueError("anomaly: its numbers are not finite, or high is not above middle")
        if not 1 <= self.smoothing_frames <= MOST_FRAMES or self.error < 0 or (self.motion or 0.0) < 0:
            raise ValueError("anomaly: smoothing_frames, error or motion is out of range")


PerClass = float | dict[str, float]
"""A number for all classes, or one for each class by name."""
LONGEST_SECONDS = 1_000_000.0
"""The longest time that a setting of a model may say: more than eleven days."""
LONGEST_SMOOTHING_SECONDS = 60.0
"""The longest time that scores are smoothed over: so many later frames are waited for."""
_BOUNDS = {
    "temperature": (1e-6, 1e6),
    "threshold": (0.0, 1.0),
    "hysteresis": (0.0, 1.0),
    "shortest_seconds": (0.0, LONGEST_SECONDS),
    "smoothing_seconds": (0.0, LONGEST_SMOOTHING_SECONDS),
}
"""The least and the most of the numbers of a decision rule."""


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """How outputs become answers: the record `decision` of a model's header. Flags overrule it."""

    temperature: PerClass = 1.0
    """Scores are divided by it before softmax."""
    threshold: PerClass = 0.0
    """Answers less probable than this are called unknown; an anomaly begins at it."""
    hysteresis: PerClass = 0.0
    """How much more probable than the current answer another one must be to replace it, or how far below the threshold
    a score must fall to end a segment."""
    shortest_seconds: PerClass = 0.0
    """Shorter segments go to a neighbour, or are left out."""
    smoothing_seconds: float = 0.0
    """Scores become means over the time around them: a moment counts the less the further away it is, and nothing at
    this distance. Only a model that reads both ways has such means, since they wait for later frames."""
    reset: Reset = "window"
    """When the state starts anew."""
    direction: Literal["causal", "both"] = "causal"
    """Whether a frame's answer depends on the frames before it only, or on those after it too."""
    anomaly: AnomalyCalibration | None = None
    """What is normal, for models whose errors tell anomalies; None where that is not known."""

    def __post_init__(self) -> None:
        for name, (least, most) in _BOUNDS.items():
            setting = getattr(self, name)
            numbers = setting.values() if isinstance(setting, dict) else (setting,)
            if not all(least <= number <= most for number in numbers):
                raise ValueError(f"{name}: is not from {least:g} to {most:g}")

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """A rule from the JSON of a header; fields that this version does not know are ignored.

        Raises:
            TypeError: the record lacks a field or is no record.
        """
        known = {name: value for name, value in record.items() if name in {each.name for each in fields(cls)}}
        if isinstance(known.get("anomaly"), dict):
            known["anomaly"] = AnomalyCalibration(**known["anomaly"])
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a model of the next frames was trained for, and what its pictures are."""

    context: int
    """Frames that it was shown in training before it went on by itself."""
    horizon: int
    """Frames that it went on for."""
    channels: int
    """Of a predicted picture: 1 if it is grey, else 3."""

    def __post_init__(self) -> None:
        if self.context < 1 or self.horizon < 1:
            raise ValueError("forecast: context or horizon is below 1")


LARGEST_SIDE, MOST_FRAMES = 4096, 4096
"""The most pixels of a side of the pictures that a model sees, and the most frames of its windows."""
WIDEST_FEATURES = 65_536
"""The most numbers that stand for one picture or one time. More would be a picture, not features."""


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """The features that a model reads in place of pictures."""

    width: int
    """Numbers at each time."""
    rate: float
    """Times per second."""

    def __post_init__(self) -> None:
        if not 1 <= self.width <= WIDEST_FEATURES:
            raise ValueError(f"features have 1 to {WIDEST_FEATURES} numbers at each time, not {self.width}")
        if not 0 < self.rate < float("inf"):
            raise ValueError(f"features come more than 0 times per second, not {self.rate}")


@dataclass(frozen=True, slots=True)
class Handling:
    """How a model is fed, and how its outputs are read: what prediction needs of a header."""

    answer: AnswerSpec
    decision: DecisionRule
    size: Size
    """Of the pictures that the model sees."""
    sampling: Sampling
    forecast: Forecast | None = None
    """Of a model whose answer is a picture."""
    inputs: tuple[InputName, ...] = ()
    """The inputs of the network beside frames."""
    motion_seconds: float | None = None
    """How much earlier the frame before each frame is; None for a model that needs no frame before."""
    features: FeatureSpec | None = None
    """Of a model that reads features in place of pictures; its size then means nothing."""

    def __post_init__(self) -> None:
        answer, rule = self.answer, self.decision
        if (answer.kind == "picture") != (self.forecast is not None):
            raise ValueError(f"kind: is {answer.kind}, and the network is of another kind")
        if answer.kind in ("one", "several") and len(answer.classes) < 2 - (answer.kind == "several"):
            raise ValueError("classes: are too few")
        if (answer.resolution == "clip") and answer.kind != "one":
            raise ValueError(f"resolution: is clip, and the kind is {answer.kind}")
        settings = (rule.temperature, rule.threshold, rule.hysteresis, rule.shortest_seconds)
        if any({*setting} != {*answer.classes} for setting in settings if isinstance(setting, dict)):
            raise ValueError("decision: does not name the classes of the model")
        if max(self.size.height, self.size.width) > LARGEST_SIDE or self.sampling.frames > MOST_FRAMES:
            raise ValueError(f"size, frames: more than {LARGEST_SIDE} pixels a side or {MOST_FRAMES} frames")


@dataclass(frozen=True, slots=True)
class Window:
    """Frames that are read together."""

    frames: Pixels
    """(time, height, width, 3), or (batch, time, height, width, 3). Of a model that reads features: (time, width)."""
    before: Pixels | None = None
    """The frame before each frame, shaped as `frames`; None for a model that needs no frame before."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture and its time."""

    index: int
    seconds: float
    pixels: Pixels
    before: Pixels | None = None
    """The frame before it, shaped as `pixels`; None where it was not asked for."""

    def __repr__(self) -> str:
        return f"Frame(index={self.index}, seconds={self.seconds:.3f}, pixels={self.pixels.shape})"


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
class Bout:
    """A stretch of a film in which its owner saw a behaviour."""

    start: float
    """In the unit of its annotation."""
    end: float
    """The first moment after it: the stretch is half open."""
    label: str
    """The behaviour."""
    subject: str = ""
    """The one who showed it; empty where that was not said."""


Span = tuple[float, float]
"""The start and the end of a part of a film, half open."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What the owner of a film says of its moments: bouts, and the parts of the film that were looked at."""

    bouts: tuple[Bout, ...]
    """Sorted by their start."""
    known: tuple[Span, ...] | None = None
    """The parts that were annotated, sorted and apart; None: all of the film. Outside of them nothing is known."""
    unit: Literal["seconds", "frames"] = "seconds"
    """Of all times: seconds of the film's own clock, or frames of the film, counted from 0."""


_ROUNDED_SECONDS = 0.001
"""How far a time that was rounded to 1 ms may lie beside a frame."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a film that is taken for a clip of its own, half open."""

    start: float
    end: float | None = None
    """None: the end of the film."""
    unit: Literal["seconds", "frames"] = "seconds"
    """Seconds of the film's own clock, or frames of the film, counted from 0."""

    def begins_by(self, index: int, seconds: float) -> bool:
        """Whether the frame of this index and time lies at or after the start. Times may be rounded to 1 ms."""
        return (index if self.unit == "frames" else seconds + _ROUNDED_SECONDS) >= self.start

    def ends_by(self, index: int, seconds: float) -> bool:
        """Whether the frame of this index and time lies at or after the end."""
        return self.end is not None and (index if self.unit == "frames" else seconds + _ROUNDED_SECONDS) >= self.end

    def inside(self, frame_seconds: Floats) -> NDArray[np.bool_]:
        """(frames,) which frames of a film with these times (frames,) lie in it."""
        places = np.arange(len(frame_seconds)) if self.unit == "frames" else frame_seconds + _ROUNDED_SECONDS
        return (places >= self.start) & (places < (np.inf if self.end is None else self.end))

    def __str__(self) -> str:
        end = "the end" if self.end is None else f"{self.end:.10g}"
        return f"{self.start:.10g} to {end} {self.unit}"


@dataclass(frozen=True, slots=True)
class LabelledFilm:
    """A film with the truth about it, as its owner gave it."""

    path: Path
    label: str = ""
    """The class of the whole clip; empty where there is none."""
    group: str | None = None
    part: Part | None = None
    frames: tuple[str, ...] | None = None
    """The label of each frame, from the film's first to its last; None where frames are not labelled."""
    annotation: Annotation | None = None
    """The behaviours at its moments; None where only the whole film has a label."""
    others: tuple[Annotation, ...] = ()
    """What other annotators said of the same moments."""
    label_rate: float | None = None
    """Frames per second of the film that its labels assume; None where they assume none."""
    label_seconds: float | None = None
    """The length of the film that its labels were made on, where they say it."""
    excerpt: Excerpt | None = None
    """The part of the film that the label is of, which counts as a clip of its own; None: the whole film."""
    rate: float | None = None
    """Frames per second, as its owner says it, in place of the film's own time stamps; None: those count."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """One way in which labels do not fit the films that they are of."""

    kind: Literal["beyond-end", "other-rate", "other-length"]
    """Labels end after the film does, or were made on a film of another rate or length."""
    text: str
    """A sentence."""
    films: tuple[Path, ...]
    """The films that it is true of."""


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
    frame_seconds: Floats
    """(frames,) the time of each frame of the film."""
    excerpt: Excerpt | None = None
    """The part of the film that all of this is of; the hash is of the whole film."""
    rate: float | None = None
    """Frames per second that its owner says, which count in place of the film's own time stamps."""

    still: tuple[Span, ...] = ()
    """The stretches of a second or more in which nothing changes, in seconds; all of a film that is one still."""
    blank: tuple[Span, ...] = ()
    """The stretches of a second or more in which pictures are black or of one colour; all of a film that is so."""

    def at_rate(self, rate: float) -> FilmScan:
        """The same scan of a film whose owner says its rate."""
        return replace(self, rate=rate)

    def cut(self, excerpt: Excerpt, first: int, facts: FilmFacts) -> FilmScan:
        """The scan of an excerpt of this film, which begins with its frame `first` and has these facts."""
        seconds = self.frame_seconds[first : first + facts.frames]
        return replace(self, facts=facts, frame_seconds=seconds, excerpt=excerpt)

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
    """What the model says of each moment of a film that it looked at."""

    classes: tuple[str, ...]
    seconds: NDArray[np.float64]
    """(steps,) by the film's own clock."""
    probabilities: NDArray[np.float32]
    """(steps, classes); not a number where there is none."""
    indices: NDArray[np.int64] | None = None
    """(steps,) the film's own frame that each moment shows, counted from 0."""
    measures: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """Further numbers of each moment by name, (steps,) each."""

    def __repr__(self) -> str:
        return f"Timeline({len(self.seconds)} steps, {len(self.classes)} classes)"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a stream says at a moment; it never changes afterwards."""

    seconds: float
    """The newest moment that it knows of."""
    label: str
    """The most probable class now, or `unknown`."""
    probability: float
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    """Of what is to be seen now, in the order of `classes`."""
    holding: tuple[str, ...] = ()
    """The classes that hold now: several where several may hold at once, none where nothing is sure."""
    ended: tuple[Segment, ...] = ()
    """Segments of the timeline that have ended and are certain since the answer before."""

    @property
    def top(self) -> tuple[Candidate, ...]:
        """Every class, from the most probable on."""
        pairs = zip(self.classes, self.probabilities, strict=True)
        return tuple(Candidate(*pair) for pair in sorted(pairs, key=lambda pair: -pair[1]))


@dataclass(frozen=True, slots=True)
class ForecastFrame:
    """A frame beside its prediction."""

    seconds: float
    shown: Pixels
    """The frame (height, width, 3) at the model's size; black beyond the film's end."""
    predicted: Pixels | None
    """(height, width, 3); None where there was too little before it."""
    score: float
    """The anomaly score; not a number where there is none."""
    beyond: int = 0
    """How many frames beyond the film's end it is; 0 within the film."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The time budget of one behaviour in one film, with the numbers of the time budget of BORIS."""

    occurrences: int
    total_seconds: float
    mean_seconds: float | None
    """Of a bout; None if there is none."""
    std_seconds: float | None
    """The sample standard deviation of the lengths of bouts; None with fewer than two."""
    interval_mean_seconds: float | None
    """The mean time from the end of a bout to the start of the next; None with fewer than two bouts."""
    interval_std_seconds: float | None
    """The sample standard deviation of these times; None with fewer than three bouts."""
    share: float
    """`total_seconds` divided by the observed duration, from 0 to 1."""
    expected_seconds: float
    """The sum of the probability times the duration of each moment. It is unbiased where probabilities are calibrated,
    while `total_seconds` counts rare behaviours too low."""


@dataclass(frozen=True, slots=True)
class PredictionOptions:
    """How films are to be read, and how answers are to be given."""

    rule: DecisionRule
    rate: float | None = None
    """Frames per second, in place of the films' own time stamps; None where each has its own."""
    rollout: int = 0
    """Frames to predict beyond the film's end."""
    normalised: bool = False
    """Whether to give, beside each anomaly score, the score that papers normalise within each film."""
    background: str | None = None
    """The class that stands for none of the others, if the model has one."""


@dataclass(frozen=True, slots=True)
class FilmMoments:
    """All that a model said of one film, from its first frame to its end."""

    path: Path
    clip: NDArray[np.float64] | None
    """(classes,) the probabilities of the film as a whole; None for a model that speaks of frames only."""
    timeline: Timeline
    segments: tuple[Segment, ...]
    end_seconds: float
    frames: int
    """Of the film itself."""
    notes: tuple[str, ...] = ()
    frame_seconds: Floats | None = None
    """(frames,) the time of each frame of the film; None where they were not kept."""


@dataclass(frozen=True, slots=True)
class FilmPrediction:
    """The model's answer for one film, in words and seconds."""

    path: Path
    segments: tuple[Segment, ...]
    duration_seconds: float
    frames: int
    label: str | None = None
    """The class of the whole film; None for a model that speaks of frames only."""
    probability: float | None = None
    top: tuple[Candidate, ...] = ()
    budget: Mapping[str, Budget] = field(default_factory=dict)
    """How often and how long each behaviour was shown; empty for a model that does not label frames."""
    measures: Mapping[str, float] = field(default_factory=dict)
    """Further numbers of the film by name; not a number where there is none."""
    notes: tuple[str, ...] = ()
    """What the user should know of how the film was read, such as damage after a certain frame."""
    timeline: Timeline | None = field(default=None, compare=False, repr=False)
    """The moments that the segments were made of."""
    threshold: float = 0.0
    """The score at which a segment begins, for pictures that show it."""
    pictures: Callable[[], Iterator[ForecastFrame]] | None = field(default=None, compare=False, repr=False)
    """Reads the film once more and gives each frame beside its prediction; None where nothing predicts pictures."""


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
    holding: tuple[str, ...] | None = None
    """All behaviours that hold, of a model by which several may hold at once; None for any other model."""


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
