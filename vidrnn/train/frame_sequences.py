"""Films without labels as frames on a model's grid, and the settings that follow from their pixels. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidrnn.config import DecoderName
from vidrnn.data.usable.stretches import held_out
from vidrnn.evaluate.baselines import MeanImage
from vidrnn.tasks.next_frame import as_picture
from vidrnn.values import Part, Pixels, Size

_SHORT_SIDE = 64
"""The short side of the default size, in pixels."""
_CHOSEN_BY = 64
"""The largest number of stretches that choose the decoder."""
_BLACK = 3
"""8-bit pixels up to this value count as black."""


@dataclass(frozen=True)
class FrameSequence:
    """A film, or a part of one, as frames on the model's grid."""

    frames: Pixels
    part: Part
    place: int = 0
    """Of the film in the dataset."""
    first: int = 0
    """The place of its first frame among those of the film."""


@dataclass(frozen=True)
class FrameSequences:
    """All films of a run, as the model sees them."""

    all: tuple[FrameSequence, ...]
    size: Size
    spacing_seconds: float
    grey: bool

    def of(self, part: Part) -> list[Pixels]:
        """The frames of each film of a part."""
        return [sequence.frames for sequence in self.all if sequence.part is part]

    def stretches(self, part: Part, frames: int, most: int) -> list[Pixels]:
        """Stretches (frames, height, width, 3) of a part without overlap, at most `most`, spread evenly."""
        all_stretches = [
            sequence[start : start + frames]
            for sequence in self.of(part)
            for start in range(0, len(sequence) - frames + 1, frames)
        ]
        places = np.unique(np.linspace(0, len(all_stretches) - 1, min(most, len(all_stretches))).round().astype(int))
        return [all_stretches[place] for place in places]


def split_sequence(frames: Pixels, window: int) -> list[FrameSequence]:
    """The beginning of a film for training and its end for validation. A film too short for both is for training."""
    held = held_out(len(frames), window)
    if not held:
        return [FrameSequence(frames, Part.TRAIN)]
    end = FrameSequence(frames[-held:], Part.VAL, first=len(frames) - held)
    return [FrameSequence(frames[:-held], Part.TRAIN), end]


def default_size(films: Size) -> Size:
    """The size of the films, reduced to a short side of 64 pixels. It is never enlarged; no side is below 16."""
    scale = min(1.0, _SHORT_SIDE / min(films.height, films.width))
    return Size(*(max(16, round(side * scale)) for side in (films.height, films.width)))


def is_colourless(frames: Pixels) -> bool:
    """Whether a film has no colour: red, green and blue are almost equal in a sample of its frames."""
    some = frames[:: max(1, len(frames) // 8)].astype(np.int16)
    return bool(np.abs(some - some[..., :1]).mean() < 1.0)


def mean_image(sequences: FrameSequences) -> MeanImage:
    """The mean picture of the training films."""
    mean = MeanImage()
    for frames in sequences.of(Part.TRAIN):
        for start in range(0, len(frames), 256):
            mean.add(as_picture(frames[start : start + 256], 1 if sequences.grey else 3))
    return mean


def baseline_costs(sequences: FrameSequences, context: int, window: int) -> dict[str, float]:
    """The mean squared error of a pixel, for predictions without learning.

    They predict the frame after `context` frames, on stretches of `window` training frames.
    """
    channels = 1 if sequences.grey else 3
    mean = mean_image(sequences).picture
    errors: dict[str, list[float]] = {"a black frame": [], "the mean image": [], "the last frame": []}
    for stretch in sequences.stretches(Part.TRAIN, window, _CHOSEN_BY):
        pictures = as_picture(stretch, channels)
        last, following = pictures[context - 1], pictures[context]
        for name, prediction in zip(errors, (np.zeros_like(last), mean, last), strict=True):
            errors[name].append(float(np.square(following - prediction).mean()))
    return {name: float(np.mean(each)) for name, each in errors.items()}


def is_mostly_black(sequences: FrameSequences) -> bool:
    """Whether more than half of the pixels of the training films are almost black."""
    black = [float((frames[:: max(1, len(frames) // 16)] <= _BLACK).mean()) for frames in sequences.of(Part.TRAIN)]
    return float(np.mean(black)) > 0.5


def choose_decoder(baselines: dict[str, float]) -> tuple[DecoderName, str]:
    """The name of the decoder that fits the best of `baseline_costs`, and a sentence with the reason."""
    best = min(baselines, key=lambda name: baselines[name])
    sparse = best != "the last frame"
    costs = ", ".join(f"{name} {cost:.2e}" for name, cost in baselines.items())
    why = "the frames are sparse, so the decoder moves patches by learnt kernels (kernel)"
    if not sparse:
        why = "so the decoder warps the last frame by its flow and corrects it (flow)"
    return (
        "kernel" if sparse else "flow",
        f"Without learning, {best} is the best prediction one step ahead on the training videos ({costs}): {why}.",
    )


def copy_error(sequences: FrameSequences, window: int) -> float:
    """The mean squared error of a pixel one step ahead, for a copy of the last frame. It is the unit of the loss."""
    channels = 1 if sequences.grey else 3
    stretches = sequences.stretches(Part.TRAIN, window, _CHOSEN_BY)
    errors = [float(np.square(np.diff(as_picture(one, channels), axis=0)).mean()) for one in stretches]
    return max(float(np.mean(errors)), 1e-5)
