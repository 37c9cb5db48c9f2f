"""Films without labels as frames on a model's grid, and what they say before there is any network: no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from vidrnn.config import DecoderName
from vidrnn.evaluate.baselines import MeanImage
from vidrnn.tasks.next_frame import as_picture
from vidrnn.values import FilmScan, Part, Pixels, Size

_SHORT_SIDE = 64
"""Pixels, where no size was said."""
_CHOSEN_BY = 64
"""Stretches at most that painting is chosen by."""
_BLACK = 3
"""Pixels of 8 bits up to this count as black."""


@dataclass(frozen=True)
class FrameSequence:
    """A film, or a part of one, as frames on the model's grid."""

    frames: Pixels
    part: Part


@dataclass(frozen=True)
class FrameSequences:
    """All films of a run as the model sees them."""

    all: tuple[FrameSequence, ...]
    size: Size
    spacing_seconds: float
    grey: bool

    def of(self, part: Part) -> list[Pixels]:
        """The frames of each film of a part."""
        return [sequence.frames for sequence in self.all if sequence.part is part]

    def stretches(self, part: Part, frames: int, most: int) -> list[Pixels]:
        """Stretches of a part that do not overlap, `most` of them at most, evenly chosen."""
        found = [
            sequence[start : start + frames]
            for sequence in self.of(part)
            for start in range(0, len(sequence) - frames + 1, frames)
        ]
        places = np.unique(np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int))
        return [found[place] for place in places]


def in_time(frames: Pixels, window: int) -> list[FrameSequence]:
    """The beginning of a film to learn from and its end to validate on; a film too short for both is learnt from."""
    held = max(window, len(frames) // 5)
    if len(frames) < held + window:
        return [FrameSequence(frames, Part.TRAIN)]
    return [FrameSequence(frames[:-held], Part.TRAIN), FrameSequence(frames[-held:], Part.VAL)]


def median_spacing(scans: Sequence[FilmScan]) -> float:
    """Seconds between the frames of the median film."""
    known = [1 / scan.facts.fps for scan in scans if scan.facts.frames > 1 and scan.facts.fps > 0]
    return round(median(known), 6) if known else 0.04


def default_size(films: Size) -> Size:
    """The films' size brought to a short side of 64 pixels, never enlarged; no side below 16."""
    scale = min(1.0, _SHORT_SIDE / min(films.height, films.width))
    return Size(*(max(16, round(side * scale)) for side in (films.height, films.width)))


def steps_of(scan: FilmScan, spacing_seconds: float) -> int:
    """How many frames of a film stand on the grid."""
    facts = scan.facts
    return int((facts.last_seconds - facts.first_seconds) / spacing_seconds + 0.5) + 1


def colourless(frames: Pixels) -> bool:
    """Whether a film has no colour: red, green and blue are alike in some of its frames."""
    some = frames[:: max(1, len(frames) // 8)].astype(np.int16)
    return bool(np.abs(some - some[..., :1]).mean() < 1.0)


def mean_image(sequences: FrameSequences) -> MeanImage:
    """The mean of the training films."""
    mean = MeanImage()
    for frames in sequences.of(Part.TRAIN):
        for start in range(0, len(frames), 256):
            mean.add(as_picture(frames[start : start + 256], 1 if sequences.grey else 3))
    return mean


def guesses_of(sequences: FrameSequences, context: int, window: int) -> dict[str, float]:
    """What guesses that need no learning cost on stretches of `window` training frames: of the frame after a context,
    squared and of a pixel.
    """
    channels = 1 if sequences.grey else 3
    mean = mean_image(sequences).picture
    found: dict[str, list[float]] = {"a black frame": [], "the mean image": [], "the last frame": []}
    for stretch in sequences.stretches(Part.TRAIN, window, _CHOSEN_BY):
        painted = as_picture(stretch, channels)
        last, following = painted[context - 1], painted[context]
        for name, guess in zip(found, (np.zeros_like(last), mean, last), strict=True):
            found[name].append(float(np.square(following - guess).mean()))
    return {name: float(np.mean(costs)) for name, costs in found.items()}


def mostly_black(sequences: FrameSequences) -> bool:
    """Whether more than half of all the training films' pixels are as good as black."""
    black = [float((frames[:: max(1, len(frames) // 16)] <= _BLACK).mean()) for frames in sequences.of(Part.TRAIN)]
    return float(np.mean(black)) > 0.5


def choose_decoder(guesses: dict[str, float]) -> tuple[DecoderName, str]:
    """The decoder, by the best guess on the training films, and the reason in a sentence."""
    best = min(guesses, key=lambda name: guesses[name])
    sparse = best != "the last frame"
    costs = ", ".join(f"{name} {cost:.2e}" for name, cost in guesses.items())
    why = "its frames are sparse, and patches are moved, each as a mean of where it may come from (kernel)"
    if not sparse:
        why = "the last frame is warped on by its flow and corrected (flow)"
    return (
        "kernel" if sparse else "flow",
        f"Of guesses {best} is best one step ahead on the training films ({costs}): {why}.",
    )


def one_step_error(sequences: FrameSequences, window: int) -> float:
    """What a copy of the last frame costs one step ahead, squared and of a pixel; what costs are measured by."""
    channels = 1 if sequences.grey else 3
    stretches = sequences.stretches(Part.TRAIN, window, _CHOSEN_BY)
    errors = [float(np.square(np.diff(as_picture(one, channels), axis=0)).mean()) for one in stretches]
    return max(float(np.mean(errors)), 1e-5)
