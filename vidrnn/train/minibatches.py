"""Minibatches with a mask, from decoded or encoded films."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidrnn.video.sampling import random_window, step_before


@dataclass(frozen=True)
class Minibatch:
    """Windows of several clips, padded to one length."""

    inputs: Tensor
    """(batch, lead + time, width) features or (batch, lead + time, height, width, 3) uint8 frames; lead is 0 or 1."""
    mask: Tensor
    """(batch, time) bool, True for real steps, which come before the padding."""
    target: Tensor
    """(batch,) class indices."""

    def on(self, device: torch.device) -> Minibatch:
        """The same minibatch on a device."""
        return Minibatch(self.inputs.to(device), self.mask.to(device), self.target.to(device))


@dataclass(frozen=True)
class Clips:
    """Clips on the fine grid, with their classes."""

    arrays: Sequence[NDArray[Any]]
    """For each clip (copies, steps, ...). The copies are equivalent views of one clip: plain and mirrored."""
    labels: NDArray[np.int64]
    """(clips,): class indices."""

    def __post_init__(self) -> None:
        if len(self.arrays) != len(self.labels):
            raise ValueError(f"{len(self.arrays)} clips with {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.arrays)


@dataclass(frozen=True)
class ClipSampler:
    """The sampling of windows from clips."""

    frames: int
    """The length of a window."""
    minibatch: int
    """Clips per minibatch."""
    seed: int
    shuffled: bool = False
    """Whether the frames of each window have a random order. A control uses it to measure the value of order."""
    cut: bool = True
    """Whether some windows are shorter."""
    lead: bool = False
    """Whether the frame before a window comes first in it. Encoders with `differences` need it."""

    def epoch(self, clips: Clips, epoch: int) -> Iterator[Minibatch]:
        """One random window of every clip, in random order. Equal seeds and epochs give equal minibatches."""
        rng = np.random.default_rng((self.seed, epoch))
        for places in _portions(rng.permutation(len(clips)), self.minibatch):
            windows = [self._window(clips.arrays[i], rng) for i in places]
            yield minibatch(windows, clips.labels[places], self.frames, lead=int(self.lead))

    def steps(self, clips: Clips) -> int:
        """The number of minibatches in an epoch."""
        return len(_portions(np.arange(len(clips)), self.minibatch))

    def _window(self, array: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        copy = int(rng.integers(len(array)))
        places = random_window(array.shape[1], self.frames, rng, cut=self.cut)
        if self.shuffled:
            places = rng.permutation(places)
        if self.lead:
            places = np.concatenate([[step_before(int(places[0]))], places])
        window: NDArray[Any] = array[copy][places]
        return window


def minibatch(windows: Sequence[NDArray[Any]], labels: NDArray[np.int64], frames: int, *, lead: int = 0) -> Minibatch:
    """A minibatch of windows (lead + steps, ...) with at most `frames` steps each, padded with zeros."""
    stacked = np.zeros((len(windows), lead + frames, *windows[0].shape[1:]), dtype=windows[0].dtype)
    mask = np.zeros((len(windows), frames), dtype=bool)
    for row, window in enumerate(windows):
        stacked[row, : len(window)] = window
        mask[row, : len(window) - lead] = True
    return Minibatch(torch.from_numpy(stacked), torch.from_numpy(mask), torch.from_numpy(labels.copy()))


def _portions(places: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Portions of about `size` places. None has a single place, which batch normalisation cannot use."""
    count = max(1, min(round(len(places) / size), len(places) // 2))
    return [portion for portion in np.array_split(places, count) if len(portion)]


@dataclass(frozen=True)
class FrameSampler:
    """The sampling of stretches of frames from films without labels."""

    frames: int
    """The length of a stretch."""
    minibatch: int
    """Stretches per minibatch."""
    steps: int
    """Minibatches per epoch."""
    seed: int
    mirror: bool = True
    """Whether half of the stretches are mirrored."""
    crop: int | None = None
    """The longest side in pixels. Larger pictures are cropped at random places. None: no cropping."""

    def epoch(self, films: Sequence[NDArray[np.uint8]], epoch: int) -> Iterator[Minibatch]:
        """Minibatches of random stretches of the films (steps, height, width, 3). Longer films give more stretches."""
        rng = np.random.default_rng((self.seed, epoch))
        begins = np.array([len(film) - self.frames + 1 for film in films], dtype=np.float64)
        chosen = rng.choice(len(films), size=(self.steps, self.minibatch), p=begins / begins.sum())
        for row in chosen:
            stretches = np.stack([self._stretch(films[place], rng) for place in row])
            mask = torch.ones(stretches.shape[:2], dtype=torch.bool)
            yield Minibatch(torch.from_numpy(stretches), mask, torch.zeros(len(row), dtype=torch.long))

    def _stretch(self, film: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        start = int(rng.integers(len(film) - self.frames + 1))
        cut = tuple(self._cut(side, rng) for side in film.shape[1:3])
        stretch = film[start : start + self.frames, cut[0], cut[1]]
        return stretch[:, :, ::-1] if self.mirror and rng.random() < 0.5 else stretch

    def _cut(self, side: int, rng: np.random.Generator) -> slice:
        if self.crop is None or side <= self.crop:
            return slice(None)
        start = int(rng.integers(side - self.crop + 1))
        return slice(start, start + self.crop)
