"""Labelled films, decoded or encoded, become minibatches with a mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidrnn.video.sampling import HALVES, random_window


@dataclass(frozen=True)
class Targets:
    """The truth of a whole minibatch, of which a loss counts what is known."""

    target: Tensor
    """(batch,) class indices; for labels at each frame (batch, time) class indices or (batch, time, classes) numbers.
    The truth that is not known, padding included, is -1 or not a number."""
    mask: Tensor
    """(batch, time) bool, True for real steps, which come before the padding."""

    def on(self, device: torch.device) -> Targets:
        """The same on a device."""
        return Targets(self.target.to(device), self.mask.to(device))


@dataclass(frozen=True)
class Minibatch:
    """Windows of several clips, padded to one length: all of a minibatch, or a share of it."""

    inputs: Tensor
    """(batch, time, width) features or (batch, time, height, width, 3) uint8 frames."""
    mask: Tensor
    """As in `Targets`."""
    target: Tensor
    """As in `Targets`."""
    before: Tensor | None = None
    """The frame before each frame, shaped as `inputs`; None where it is not needed."""

    @property
    def targets(self) -> Targets:
        """The truth of these windows."""
        return Targets(self.target, self.mask)

    def on(self, device: torch.device) -> Minibatch:
        """The same on a device. Copies to an accelerator go on beside its work."""
        before = None if self.before is None else _moved(self.before, device)
        return Minibatch(_moved(self.inputs, device), _moved(self.mask, device), _moved(self.target, device), before)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of it."""
        return tuple(one for one in (self.inputs, self.mask, self.target, self.before) if one is not None)


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


@dataclass(frozen=True)
class Window:
    """A window of a clip that is drawn, and read when it is needed."""

    clip: NDArray[Any]
    """(steps, ...) features or frames, which may lie on a disk."""
    places: NDArray[np.int64] | slice
    """The steps of the clip that the window shows."""
    target: NDArray[Any]
    """Its truth: () or (steps,) or (steps, classes)."""
    steps: int
    before: NDArray[Any] | None = None
    """(steps, ...) the frame before each frame of the clip."""
    crop: tuple[slice, slice] = (slice(None), slice(None))
    """The rows and columns of frames."""
    mirrored: bool = False

    def read(self) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Its features or frames, and the frames before them."""
        before = None if self.before is None else self._part(self.before)
        return self._part(self.clip), before

    def _part(self, clip: NDArray[Any]) -> NDArray[Any]:
        if clip.ndim < 4:
            return np.asarray(clip[self.places])
        shown = np.asarray(clip[self.places][:, self.crop[0], self.crop[1]])
        return shown[:, :, ::-1] if self.mirrored else shown


@dataclass(frozen=True)
class Drawn:
    """The windows of a minibatch. They are drawn in one place and read where they are needed, share by share."""

    windows: Sequence[Window]
    frames: int
    """Steps of the longest window that there may be."""

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def targets(self) -> Targets:
        """The truth of all its windows, without reading them."""
        target = torch.from_numpy(_stack([window.target for window in self.windows], self.frames))
        return Targets(target, torch.from_numpy(_mask([window.steps for window in self.windows], self.frames)))

    def read(self, rows: slice = slice(None)) -> Minibatch:
        """Some of its windows; by default all."""
        chosen = self.windows[rows]
        pairs = [window.read() for window in chosen]
        before = [earlier for _, earlier in pairs if earlier is not None]
        return minibatch([shown for shown, _ in pairs], [window.target for window in chosen], self.frames, before)


@dataclass(frozen=True)
class Clips:
    """Clips on the fine grid, with their truth.

    `arrays[i]` is (copies, steps, ...): the copies are one clip, plain and mirrored.
    """

    arrays: Sequence[NDArray[Any]]
    targets: Sequence[NDArray[Any]] | NDArray[np.int64]
    """For each clip () its class, or (steps,) or (steps, classes) the truth at each of its steps."""
    before: Sequence[NDArray[Any]] | None = None
    """For each clip the frame before each of its frames, shaped as its array; None where it is not needed."""

    def __post_init__(self) -> None:
        if len(self.arrays) != len(self.targets):
            raise ValueError(f"{len(self.arrays)} clips with {len(self.targets)} targets")

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class of each clip (clips,), where a clip has one."""
        return np.asarray(self.targets, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.arrays)

    def window(self, place: int, copy: int, places: NDArray[np.int64], truth: NDArray[Any]) -> Window:
        """A window of one copy of the clip at `place`, of its steps at `places`, which have this truth."""
        before = None if self.before is None else self.before[place][copy]
        return Window(self.arrays[place][copy], places, truth, len(places), before)


@dataclass(frozen=True)
class ClipSampler:
    """Draws random windows from clips for training."""

    frames: int
    minibatch: int
    seed: int
    shuffled: bool = False
    """Whether the frames of each window are in random order, for the control without order."""
    cut: bool = True
    """Whether some windows are cut shorter."""
    phases: int = HALVES
    """Steps of the clips' grid for each step of a window."""
    stretch: float = 0.0
    """How much faster or slower windows may play: by a factor between exp(-stretch) and exp(stretch)."""

    def epoch(self, clips: Clips, epoch: int) -> Iterator[Drawn]:
        """Every clip once, in random order, one random window of each; the same for the same seed and epoch."""
        rng = np.random.default_rng((self.seed, epoch))
        for places in _portions(rng.permutation(len(clips)), self.minibatch):
            yield Drawn([self._window(clips, i, rng) for i in places], self.frames)

    def steps(self, clips: Clips) -> int:
        """Minibatches in an epoch."""
        return len(_portions(np.arange(len(clips)), self.minibatch))

    def _window(self, clips: Clips, place: int, rng: np.random.Generator) -> Window:
        """A random window of a clip."""
        array, target = clips.arrays[place], clips.targets[place]
        copy = int(rng.integers(len(array)))
        places = random_window(array.shape[1], self.frames, rng, cut=self.cut, phases=self.phases, stretch=self.stretch)
        if self.shuffled:
            places = rng.permutation(places)
        truth = np.asarray(target) if np.ndim(target) == 0 else target[places]
        return clips.window(place, copy, places, truth)


@dataclass(frozen=True)
class MomentSampler:
    """Draws windows of long clips whose steps have labels.

    Half of them lie anywhere, and half of them around each class in turn, so that a minibatch holds rare classes too.
    """

    frames: int
    minibatch: int
    seed: int
    steps_per_epoch: int
    shuffled: bool = False
    """Whether the frames of each window are in random order, for the control without order."""
    phases: int = 1
    """Steps of the clips' grid for each step of a window."""
    stretch: float = 0.0
    """How much faster or slower windows may play: by a factor between exp(-stretch) and exp(stretch)."""
    late_loss: bool = False
    """Whether the first half of a window that does not begin with its clip has no truth. The state of its steps is
    younger than that of a film that is read on and on (MiniROAD: An et al., ICCV 2023)."""

    def epoch(self, clips: Clips, epoch: int) -> Iterator[Drawn]:
        """Windows of clips; the same for the same seed and epoch."""
        rng = np.random.default_rng((self.seed, epoch))
        known = [_known_steps(target) for target in clips.targets]
        anywhere = np.concatenate([_pairs(place, np.flatnonzero(steps)) for place, steps in enumerate(known)])
        by_class = self._moments_of_classes(clips)
        turn = 0
        for _ in range(self.steps_per_epoch):
            drawn = []
            for row in range(self.minibatch):
                moments = anywhere
                if row % 2 and by_class:
                    moments, turn = by_class[turn % len(by_class)], turn + 1
                place, step = moments[rng.integers(len(moments))]
                drawn.append(self._window(clips, int(place), int(step), rng))
            yield Drawn(drawn, self.frames)

    def steps(self, clips: Clips) -> int:
        """Minibatches in an epoch."""
        return self.steps_per_epoch

    def _moments_of_classes(self, clips: Clips) -> list[NDArray[np.int64]]:
        """For each class that occurs, the (clip, step) pairs that show it."""
        targets = clips.targets
        if np.ndim(targets[0]) == 2:
            shown = [[np.flatnonzero(target[:, one] == 1) for target in targets] for one in range(targets[0].shape[1])]
        else:
            classes = max((int(target.max(initial=-1)) for target in targets), default=-1) + 1
            shown = [[np.flatnonzero(target == one) for target in targets] for one in range(classes)]
        pairs = [np.concatenate([_pairs(place, steps) for place, steps in enumerate(each)]) for each in shown]
        return [each for each in pairs if len(each)]

    def _window(self, clips: Clips, place: int, step: int, rng: np.random.Generator) -> Window:
        """A window that holds a step of a clip."""
        array, target = clips.arrays[place], clips.targets[place]
        copy = int(rng.integers(len(array)))
        pace = self.phases * (float(np.exp(rng.uniform(-self.stretch, self.stretch))) if self.stretch else 1.0)
        length = array.shape[1]
        reach = (self.frames - 1) * pace
        earliest = reach / 2 if self.late_loss else 0.0  # the step lies where the truth counts
        start = min(max(0.0, step - rng.uniform(earliest, reach) if reach else step), max(0.0, length - 1 - reach))
        places = (start + np.arange(self.frames) * pace).round().astype(np.int64)
        places = places[places < length]
        truth = np.array(target[places])
        if self.late_loss and places[0] > 0:
            truth[: len(truth) // 2] = -1 if np.issubdtype(truth.dtype, np.integer) else np.nan
        if self.shuffled:
            order = rng.permutation(len(places))
            places, truth = places[order], truth[order]
        return clips.window(place, copy, places, truth)


def _known_steps(target: NDArray[Any]) -> NDArray[np.bool_]:
    """(steps,): whether something is known at each step."""
    if target.ndim == 1:
        return np.asarray(target >= 0)
    return np.asarray(~np.isnan(target).all(1))


def _pairs(place: int, steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """(steps, 2): the place beside each step."""
    return np.stack([np.full_like(steps, place), steps], 1)


def minibatch(
    windows: Sequence[NDArray[Any]],
    targets: Sequence[NDArray[Any]],
    frames: int,
    before: Sequence[NDArray[Any]] = (),
) -> Minibatch:
    """Stack windows (steps, ...) of at most `frames` steps, padded with zeros under a mask (batch, frames).

    Targets are () for a window, or (steps,) or (steps, classes); the last two are padded with the unknown truth.
    `before` holds for each window the frames before its frames, if they are needed.
    """
    return Minibatch(
        _padded(windows, frames),
        torch.from_numpy(_mask([len(window) for window in windows], frames)),
        torch.from_numpy(_stack(targets, frames)),
        _padded(before, frames) if before else None,
    )


def _mask(lengths: Sequence[int], frames: int) -> NDArray[np.bool_]:
    """(windows, frames): True for the steps that windows of these lengths have."""
    return np.asarray(np.arange(frames)[None] < np.asarray(lengths)[:, None])


def _padded(windows: Sequence[NDArray[Any]], frames: int) -> Tensor:
    """Windows (steps, ...) as one tensor (batch, frames, ...), padded with zeros."""
    stacked = np.zeros((len(windows), frames, *windows[0].shape[1:]), dtype=windows[0].dtype)
    for row, window in enumerate(windows):
        stacked[row, : len(window)] = window
    return torch.from_numpy(stacked)


def _stack(targets: Sequence[NDArray[Any]], frames: int) -> NDArray[Any]:
    """The targets of windows as one array, those of steps padded to `frames`."""
    if np.ndim(targets[0]) == 0:
        return np.asarray(targets)
    unknown = -1 if np.issubdtype(targets[0].dtype, np.integer) else np.nan
    stacked = np.full((len(targets), frames, *targets[0].shape[1:]), unknown, dtype=targets[0].dtype)
    for row, target in enumerate(targets):
        stacked[row, : len(target)] = target
    return stacked


def _portions(places: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Portions of about `size`. None is a single clip: batch normalisation needs a deviation."""
    count = max(1, min(round(len(places) / size), len(places) // 2))
    return [portion for portion in np.array_split(places, count) if len(portion)]


@dataclass(frozen=True)
class FrameSampler:
    """Draws random stretches of frames from films without labels."""

    frames: int
    """In a stretch."""
    minibatch: int
    steps: int
    """Minibatches in an epoch."""
    seed: int
    mirror: bool = True
    """Whether half of the stretches are mirrored."""
    crop: int | None = None
    """Pixels: pictures with longer sides are cut to this at random places; None: they stay whole."""

    def epoch(self, films: Sequence[NDArray[np.uint8]], epoch: int) -> Iterator[Drawn]:
        """Random stretches of the films (steps, height, width, 3); each possible start is equally likely."""
        rng = np.random.default_rng((self.seed, epoch))
        begins = np.array([len(film) - self.frames + 1 for film in films], dtype=np.float64)
        chosen = rng.choice(len(films), size=(self.steps, self.minibatch), p=begins / begins.sum())
        for row in chosen:
            yield Drawn([self._stretch(films[place], rng) for place in row], self.frames)

    def _stretch(self, film: NDArray[np.uint8], rng: np.random.Generator) -> Window:
        start = int(rng.integers(len(film) - self.frames + 1))
        rows, columns = (self._cut(side, rng) for side in film.shape[1:3])
        mirrored = self.mirror and bool(rng.random() < 0.5)
        places = slice(start, start + self.frames)
        return Window(film, places, np.asarray(-1), self.frames, crop=(rows, columns), mirrored=mirrored)

    def _cut(self, side: int, rng: np.random.Generator) -> slice:
        if self.crop is None or side <= self.crop:
            return slice(None)
        start = int(rng.integers(side - self.crop + 1))
        return slice(start, start + self.crop)
