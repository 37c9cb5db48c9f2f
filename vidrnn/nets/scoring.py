"""Scores of windows and clips of features. Training validates by them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from vidrnn.nets.classifier import SequenceModel
from vidrnn.values import Floats
from vidrnn.video.sampling import default_hop, window_starts

_WINDOWS_AT_ONCE = 256
_CLIPS_AT_ONCE = 4096
"""So many clips have all of their windows in memory."""

Features = NDArray[np.float32]


def score_windows(sequence: SequenceModel, windows: Sequence[Features]) -> Floats:
    """The scores (windows, classes) of windows (steps, width) that all have the same number of steps."""
    device = next(sequence.parameters()).device
    with torch.inference_mode():
        outputs, _ = sequence(torch.from_numpy(np.stack(windows)).to(device))
    return np.asarray(outputs["clip"].double().cpu())


def score_steps(
    sequence: SequenceModel,
    clips: Iterable[Features],
    frames: int,
    *,
    carry: bool,
    shuffle: np.random.Generator | None = None,
) -> Iterator[Floats]:
    """The scores (steps, classes) of each clip's features (steps, width), as prediction reads them.

    With `carry` one state goes through the whole clip. Without, windows of `frames` steps overlap, and a step's score
    is the mean over the windows that hold it; those in whose middle it lies weigh most. With `shuffle` the steps of
    each window go through the network in random order.
    """
    device = next(sequence.parameters()).device
    for features in clips:
        length = len(features) if carry and shuffle is None else min(frames, len(features))
        starts = window_starts(len(features), length, default_hop(length))
        total, weight = np.zeros(0), np.zeros((len(features), 1))
        near = np.minimum(np.arange(length), np.arange(length)[::-1])[:, None] + 1.0
        for first in range(0, len(starts), _WINDOWS_AT_ONCE // 4):
            some = starts[first : first + _WINDOWS_AT_ONCE // 4]
            order = np.arange(length) if shuffle is None else shuffle.permutation(length)
            windows = np.stack([features[start : start + length][order] for start in some])
            with torch.inference_mode():
                outputs, _ = sequence(torch.from_numpy(windows).to(device))
            for start, shown in zip(some, outputs["steps"].double().cpu().numpy(), strict=True):
                scores = np.empty_like(shown)
                scores[order] = shown
                total = total if len(total) else np.zeros((len(features), scores.shape[1]))
                total[start : start + length] += near * scores
                weight[start : start + length] += near
        yield total / weight


def score_clips(
    sequence: SequenceModel, clips: Iterable[Features], frames: int, shuffle: np.random.Generator | None = None
) -> Floats:
    """The mean scores (clips, classes) over the windows of each clip's features (steps, width).

    With `shuffle` the frames of each window are in random order. The difference shows what order is worth.
    """
    remaining = iter(clips)
    portions = iter(lambda: list(islice(remaining, _CLIPS_AT_ONCE)), [])
    return np.concatenate([_score_some(sequence, some, frames, shuffle) for some in portions])


def _score_some(
    sequence: SequenceModel, clips: Sequence[Features], frames: int, shuffle: np.random.Generator | None
) -> Floats:
    windows: list[Features] = []
    counts: list[int] = []
    for features in clips:
        starts = window_starts(len(features), frames, default_hop(frames))
        for start in starts:
            window = features[start : start + frames]
            windows.append(window if shuffle is None else shuffle.permutation(window))
        counts.append(len(starts))
    by_length: dict[int, list[int]] = {}
    for place, window in enumerate(windows):
        by_length.setdefault(len(window), []).append(place)
    scores: dict[int, Floats] = {}
    for places in by_length.values():
        for some in _portions(places, _WINDOWS_AT_ONCE):
            scores |= dict(zip(some, score_windows(sequence, [windows[i] for i in some]), strict=True))
    table = np.stack([scores[place] for place in range(len(windows))])
    ends = np.cumsum(counts).tolist()
    return np.stack([table[end - count : end].mean(0) for end, count in zip(ends, counts, strict=True)])


def _portions(places: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(places), size):
        yield places[start : start + size]
