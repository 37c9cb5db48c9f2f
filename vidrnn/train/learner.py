"""One encoder and one head learn the films of a run: what is prepared for them, what they see, how they are judged."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event

import numpy as np
import torch
from numpy.typing import NDArray

from vidrnn.config import HeadConfig, RunConfig
from vidrnn.data.cache import Array, Cache, Encoding, Rendering, Steps
from vidrnn.data.dataset import Dataset
from vidrnn.data.splits import Split
from vidrnn.errors import DataError
from vidrnn.evaluate.metrics import classify_scores
from vidrnn.events import EpochDone, Progress, RunEvent
from vidrnn.model.weights import give_weights
from vidrnn.nets.class_scores import Scores
from vidrnn.nets.classifier import Model, build_encoder, build_sequence, encoding_of, fingerprint, seed_everything
from vidrnn.nets.scoring import Features, score_clips
from vidrnn.nets.spec import EncoderConfig
from vidrnn.tasks.base import Task
from vidrnn.threads import map_in_order
from vidrnn.timeline.segments import softmax
from vidrnn.train.augment import draw_augmentation
from vidrnn.train.fit import Epoch, Fit, Lesson, Plan, Validation
from vidrnn.train.loss import ClassifyLoss
from vidrnn.train.minibatches import Clips, ClipSampler, Minibatch
from vidrnn.train.sharded_encoder import Shards
from vidrnn.values import FilmFailure, Part, Sampling, Size
from vidrnn.video.sampling import HALVES, default_spacing


@dataclass(frozen=True)
class Habits:
    """How a kind of training is done where the user says nothing; found on validation parts, see benchmarks/."""

    steps: int
    fewest_epochs: int
    """Training takes `steps` minibatches, but never less passes over the clips than this."""
    minibatch: int
    """At most; a twelfth of the clips where those are few."""
    learning_rate: float
    dropout: float


FROZEN = Habits(steps=200, fewest_epochs=12, minibatch=64, learning_rate=2e-3, dropout=0.5)
TRAINED = Habits(steps=405, fewest_epochs=25, minibatch=16, learning_rate=2e-3, dropout=0.1)
FINE_TUNED = Habits(steps=300, fewest_epochs=12, minibatch=16, learning_rate=3e-4, dropout=0.3)
_MOST_EPOCHS = 60
_UNBOUNDED = 1_000_000
"""Epochs, where the clock decides."""
_TIMED_PATIENCE = 40
_SIDES = re.compile(r"(?<![a-z])(left|right)(?![a-z])")


@dataclass(frozen=True)
class Choice:
    """An encoder and the size of the pictures that it sees."""

    encoder: EncoderConfig
    size: Size
    weights: str
    """Where its first weights are: `imagenet`, `none` or a path, which stays on this machine."""


@dataclass
class Clock:
    """The time a run may take, if it was given any."""

    minutes: float | None
    started: float = field(default_factory=time.monotonic)

    @property
    def elapsed_seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self.started

    def share_left(self, share: float) -> float | None:
        """Seconds: a share of what is left; None where time is not bounded."""
        if self.minutes is None:
            return None
        return max(0.0, share * (self.minutes * 60 - self.elapsed_seconds))


@dataclass(frozen=True)
class Setting:
    """What every training of a run shares."""

    task: Task
    dataset: Dataset
    split: Split
    config: RunConfig
    sampling: Sampling
    cache: Cache
    clock: Clock
    stop: Event
    device: torch.device

    @property
    def flip(self) -> bool:
        """Whether a mirrored film is of the same class."""
        if self.config.flip is not None:
            return self.config.flip
        return not any(has_side(name) for name in self.dataset.classes)

    def places(self, part: Part) -> tuple[int, ...]:
        """Where the clips of a part stand in the dataset."""
        return self.split.indices(part)

    def evenly(self, places: Sequence[int]) -> list[int]:
        """The clips at `places` in random order, but so that its beginning always has every class by its share."""
        labels = self.dataset.labels[list(places)]
        order = np.random.default_rng(self.config.seed).permutation(len(places))
        rank = np.empty(len(places), dtype=np.int64)
        for label in np.unique(labels):
            members = order[labels[order] == label]
            rank[members] = np.arange(len(members)) * len(places) // len(members)
        return [places[i] for i in np.argsort(rank, kind="stable").tolist()]


class Learner:
    """A model in the making, and the clips of the run as it wants them: features where its encoder stays as it is,
    frames where it learns.
    """

    def __init__(self, setting: Setting, choice: Choice) -> None:
        config = setting.config
        self.setting = setting
        self.choice = choice
        seed_everything(config.seed)
        encoder = build_encoder(choice.encoder, choice.size)
        give_weights(encoder, choice.encoder.name, choice.weights)
        self.head = head_for(config, self.habits, motion=config.motion and not choice.encoder.differences)
        sequence = build_sequence(encoder.width, self.head, config.readout, len(setting.dataset.classes))
        self.network = Model(encoder, sequence).to(setting.device).to(memory_format=torch.channels_last)
        if self.frozen:
            encoder.eval().requires_grad_(False)
        self.fine: dict[int, Steps] = {}
        """By place in the dataset, (copies, steps, ...) on a grid `HALVES` times finer than the model's."""
        self.plain: dict[int, Steps] = {}
        """By place in the dataset, (1, steps, ...) on the model's own grid."""

    @property
    def frozen(self) -> bool:
        """Whether the encoder stays as it is."""
        return self.choice.encoder.frozen

    @property
    def habits(self) -> Habits:
        """How this kind of training is done."""
        if self.frozen:
            return FROZEN
        return TRAINED if self.choice.encoder.origin == "none" else FINE_TUNED

    def prepare(self, places: Sequence[int], to_train: bool, seconds: float | None = None) -> Iterator[RunEvent]:
        """Decode or encode the clips at `places` that are not ready yet, from the cache where they are known.

        Clips to train on stand on a finer grid, and features are also made of each picture's mirror image where that
        is of the same class. After `seconds` the rest is left as it is.
        """
        started = time.monotonic()
        ready = self.fine if to_train else self.plain
        missing = [place for place in places if place not in ready]
        stage, frames = ("features", 0) if self.frozen else ("decoding", 0)
        for done, (place, made) in enumerate(zip(missing, self._made(missing, to_train), strict=False), 1):
            if isinstance(made, FilmFailure):
                raise DataError(f"{made.path}: could be read before, and not now: {made.reason}")
            ready[place] = made
            frames += len(made.indices)
            yield Progress(stage, done, len(missing), frames)
            if self.setting.stop.is_set():
                raise KeyboardInterrupt
            if seconds is not None and time.monotonic() - started > seconds:
                break

    def _made(self, places: Sequence[int], to_train: bool) -> Iterator[Steps | FilmFailure]:
        setting, cache = self.setting, self.setting.cache
        scans = [setting.dataset.scans[place] for place in places]
        spacing = setting.sampling.spacing_seconds / (HALVES if to_train else 1)
        grid = Rendering(spacing, self.choice.size, rate=setting.config.rate)
        if not self.frozen:
            return (made if isinstance(made, FilmFailure) else one_copy(made) for made in cache.frames(scans, grid))
        encoding = Encoding(encoding_of(self.network.encoder), fingerprint(self.network.encoder))
        return cache.features(scans, grid, encoding, mirrored=to_train and setting.flip)

    def ready(self, part: Part) -> list[int]:
        """The clips of a part that are prepared to be judged on."""
        return [place for place in self.setting.places(part) if place in self.plain]

    def clips(self, places: Sequence[int]) -> Clips:
        """The clips at `places`, prepared to train on."""
        task, dataset = self.setting.task, self.setting.dataset
        steps = [self.fine[place] for place in places]
        targets = [
            task.target(dataset.films[place], dataset.classes, one.indices)
            for place, one in zip(places, steps, strict=True)
        ]
        return Clips([one.array for one in steps], targets)

    def features(self, places: Sequence[int]) -> list[Features]:
        """The features (steps, width) of the clips at `places`, as predict would make them."""
        return self._encoded([self.plain[place].array[0] for place in places])

    def feature_clips(self, places: Sequence[int]) -> Clips:
        """The clips at `places`, prepared to train on, as features whether or not the encoder has learnt."""
        clips = self.clips(places)
        if self.frozen:
            return clips
        phases = [array[0][phase::HALVES] for array in clips.arrays for phase in range(min(HALVES, array.shape[1]))]
        made = iter(self._encoded(phases))
        return Clips(
            [interleaved([next(made) for _ in range(min(HALVES, array.shape[1]))])[None] for array in clips.arrays],
            clips.targets,
        )

    def _encoded(self, arrays: Sequence[Array]) -> list[Features]:
        """Features as they are; frames through the encoder as it is now, a clip at a time on each core."""
        if self.frozen:
            return list(arrays)
        encode = encoding_of(self.network.encoder)
        return list(map_in_order(encode, arrays, self.setting.cache.threads))

    def scores(self, places: Sequence[int]) -> NDArray[np.float64]:
        """Scores (clips, classes) as predict would give them."""
        return score_clips(self.network.sequence, self.features(places), self.setting.sampling.frames)

    def anew(self) -> Learner:
        """The same choice with fresh weights, and the clips that are ready."""
        fresh = Learner(self.setting, self.choice)
        fresh.fine, fresh.plain = self.fine, self.plain
        return fresh

    def fit(self, places: Sequence[int], val: Sequence[int], seconds: float | None) -> Fit:
        """A training on the clips at `places`, judged on those at `val`."""
        config, clips = self.setting.config, self.clips(places)
        draw = ClipSampler(
            frames=self.setting.sampling.frames,
            minibatch=config.minibatch or minibatch_for(self.habits, clips),
            seed=config.seed,
            cut=config.label_holds == "always",
            lead=self.choice.encoder.differences,
        )
        truth = self.setting.dataset.labels[list(val)]
        ready = self.features(val) if self.frozen else None

        def validate() -> Validation:
            features = self.features(val) if ready is None else ready
            return judged(score_clips(self.network.sequence, features, draw.frames), truth, self.setting)

        lesson = Lesson(
            network=self.network.sequence if self.frozen else self.network,
            answer=self._answer(),
            loss=loss_of(self.setting, clips),
            minibatches=lambda epoch: (some.on(self.setting.device) for some in draw.epoch(clips, epoch)),
            steps=draw.steps(clips),
            validate=validate,
        )
        return Fit(lesson, self._plan(lesson.steps, seconds), self.setting.stop)

    def _answer(self) -> Callable[[Minibatch], Scores]:
        """How a minibatch is answered in training: features go straight to the head, frames are changed and encoded."""
        device, sequence, flip = self.setting.device, self.network.sequence, self.setting.flip
        strength = self.setting.config.augment
        shards = None
        if not self.frozen:
            shards = Shards(self.network.encoder, self.setting.cache.threads if device.type == "cpu" else 1)

        def answer(minibatch: Minibatch) -> Scores:
            inputs = minibatch.inputs
            if shards:
                inputs = shards(inputs, minibatch.mask, draw_augmentation(len(inputs), flip, strength))
            scores, _ = sequence(inputs, mask=minibatch.mask)
            given: Scores = scores
            return given

        return answer

    def _plan(self, steps: int, seconds: float | None) -> Plan:
        config, habits = self.setting.config, self.habits
        epochs = config.epochs or epochs_for(habits, steps)
        if seconds is not None and config.epochs is None:
            epochs = _UNBOUNDED
        return Plan(
            epochs=epochs,
            learning_rate=config.learning_rate or habits.learning_rate,
            weight_decay=config.weight_decay,
            patience=config.patience or (_TIMED_PATIENCE if epochs == _UNBOUNDED else max(10, 2 * epochs // 3)),
            seed=config.seed,
            seconds=seconds,
        )


def sampling_of(dataset: Dataset, split: Split, config: RunConfig) -> Sampling:
    """Which frames a window holds: as was asked, else so that it covers the median training clip."""
    spacing = config.spacing_seconds
    if spacing is None:
        spacing = default_spacing(dataset.durations_seconds(split.indices(Part.TRAIN)), config.frames)
    return Sampling(config.frames, spacing)


def one_copy(frames: Steps) -> Steps:
    """Frames (steps, ...) as the only copy of a clip: (1, steps, ...)."""
    return Steps(frames.array[None], frames.indices)


def head_for(config: RunConfig, habits: Habits, *, motion: bool = False) -> HeadConfig:
    """The head that was asked for, with the usual dropout where none was named, and motion in features or not."""
    dropout = habits.dropout if config.head.dropout is None else config.head.dropout
    return config.head.model_copy(update={"dropout": dropout, "motion": motion})


def interleaved(phases: Sequence[Features]) -> Features:
    """Every `HALVES`th step from each, as they stood on the fine grid."""
    whole = np.empty((sum(map(len, phases)), *phases[0].shape[1:]), dtype=phases[0].dtype)
    for phase, steps in enumerate(phases):
        whole[phase::HALVES] = steps
    return whole


def minibatch_for(habits: Habits, clips: Clips) -> int:
    """Clips in a minibatch: as many as is usual, fewer where there would be less than twelve minibatches."""
    return min(habits.minibatch, max(8, len(clips) // 12))


def epochs_for(habits: Habits, steps_per_epoch: int) -> int:
    """How many epochs make about as many steps as is usual."""
    return min(_MOST_EPOCHS, max(habits.fewest_epochs, round(habits.steps / max(1, steps_per_epoch))))


def loss_of(setting: Setting, clips: Clips) -> ClassifyLoss:
    """The cost of mistakes on these clips."""
    counts = np.bincount(clips.labels, minlength=len(setting.dataset.classes))
    return ClassifyLoss(counts.tolist(), setting.config.label_smoothing).to(setting.device)


def judged(scores: NDArray[np.float64], truth: NDArray[np.int64], setting: Setting) -> Validation:
    """What an epoch is judged by: macro-F1, and the loss where that is level."""
    given = softmax(scores, 1.0)
    found = classify_scores(given, truth, setting.dataset.classes)
    loss = float(-np.log(given[np.arange(len(truth)), truth].clip(1e-12)).mean())
    return Validation(found.macro_f1, loss, {"accuracy": found.accuracy})


def epoch_event(epoch: Epoch, training: str, timed: bool) -> EpochDone:
    """An epoch as an event."""
    found = epoch.validation
    return EpochDone(
        training=training,
        number=epoch.number,
        of=None if timed else epoch.of,
        train_loss=epoch.train_loss,
        loss=found.loss,
        measures={"acc": found.shown["accuracy"], "F1": found.score},
        best=epoch.best,
        seconds=epoch.seconds,
    )


def has_side(name: str) -> bool:
    """Whether a class name has the word left or right in it: `turn-left`, `TurnLeft`, not `bright`."""
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()
    return _SIDES.search(words) is not None
