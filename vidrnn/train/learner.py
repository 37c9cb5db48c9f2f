"""One encoder and one head learn the films of a run: the preparation of clips, training and validation."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidrnn.config import RunConfig
from vidrnn.data.cache import Array, Cache, Encoding, Rendering, Steps
from vidrnn.data.dataset import Dataset
from vidrnn.data.splits import Split
from vidrnn.errors import DataError
from vidrnn.evaluate.metrics import classify_scores
from vidrnn.events import EpochDone, Pace, Progress, RunEvent
from vidrnn.model.weights import give_weights
from vidrnn.nets.class_scores import Scores
from vidrnn.nets.classifier import (
    Model,
    SequenceModel,
    build_encoder,
    build_sequence,
    encoding_of,
    fingerprint,
    pictures_at_once,
    seed_everything,
)
from vidrnn.nets.encoders.base import Encoder
from vidrnn.nets.scoring import Features, score_clips
from vidrnn.nets.spec import EncoderConfig, ModelSpec
from vidrnn.tasks.base import Task
from vidrnn.timeline.segments import softmax
from vidrnn.train.augment import draw_augmentation
from vidrnn.train.fit import Epoch, Fit, Lesson, Plan, Validation
from vidrnn.train.journal import Journal
from vidrnn.train.loss import ClassifyLoss
from vidrnn.train.objective import Objective, Truth
from vidrnn.train.recipes import Recipe, ends_with_last, epochs_for, head_for, weight_decay_for
from vidrnn.train.shares.encoding import encode_share
from vidrnn.train.shares.minibatches import Clips, Minibatch, Targets
from vidrnn.train.shares.randomness import Randomness
from vidrnn.train.shares.workers import Workers
from vidrnn.values import AnswerSpec, FilmFailure, Part, Sampling, Size, ViewName
from vidrnn.video.sampling import HALVES, default_spacing

_UNBOUNDED = 1_000_000
"""Epochs of a training that the clock ends."""
_TIMED_PATIENCE = 40
_FRAMES_AT_ONCE = 64
"""Read from a film before they are encoded, at least."""
_STRETCH = 0.2
"""While an encoder trains, clips play up to a fifth faster or slower, times the strength of augmentation."""


@dataclass(frozen=True)
class Choice:
    """An encoder and the size of the pictures that it sees."""

    encoder: EncoderConfig
    size: Size
    weights: str
    """The source of its first weights: `imagenet`, `none` or a path. The path is not stored."""


@dataclass
class Clock:
    """The time of a run, and its limit if there is one."""

    minutes: float | None
    started: float = field(default_factory=time.monotonic)

    @property
    def elapsed_seconds(self) -> float:
        """The time since the command began."""
        return time.monotonic() - self.started

    def share_left(self, share: float) -> float | None:
        """A share of the seconds that are left; None without a limit."""
        if self.minutes is None:
            return None
        return max(0.0, share * (self.minutes * 60 - self.elapsed_seconds))


@dataclass(frozen=True)
class Setting:
    """The part that every training of a run shares."""

    task: Task
    objective: Objective
    answer: AnswerSpec
    dataset: Dataset
    split: Split
    config: RunConfig
    sampling: Sampling
    cache: Cache
    clock: Clock
    stop: Event
    device: torch.device
    workers: Workers
    journal: Journal = field(default_factory=Journal)
    """Of the tries of a search."""

    @property
    def readout(self) -> str | None:
        """The readout of each head; None where only the steps are scored."""
        return self.config.readout_name if self.answer.resolution == "clip" else None

    @property
    def flip(self) -> bool:
        """Whether a mirrored film is taken for one of the same class."""
        return bool(self.config.flip)

    def places(self, part: Part) -> tuple[int, ...]:
        """The places of a part's clips in the dataset."""
        return self.split.indices(part)

    def evenly(self, places: Sequence[int]) -> list[int]:
        """The clips at `places` in random order. Every beginning of that order holds each class by its share."""
        labels = self.dataset.labels[list(places)]
        order = np.random.default_rng(self.config.seed).permutation(len(places))
        rank = np.empty(len(places), dtype=np.int64)
        by_class = order[np.argsort(labels[order], kind="stable")]
        for members in np.split(by_class, np.flatnonzero(np.diff(labels[by_class])) + 1):
            rank[members] = np.arange(len(members)) * len(places) // max(len(members), 1)
        return [places[i] for i in np.argsort(rank, kind="stable").tolist()]


class Learner:
    """A model in training, and the clips of the run: as features if its encoder is frozen, else as frames."""

    def __init__(self, setting: Setting, choice: Choice) -> None:
        config = setting.config
        self.setting = setting
        self.choice = choice
        seed_everything(config.seed)
        encoder = build_encoder(choice.encoder, choice.size)
        give_weights(encoder, choice.encoder.name, choice.weights)
        self.head = head_for(config, self.recipe, motion="change" in config.motion)
        sequence = build_sequence(
            encoder.width,
            self.head,
            setting.readout,
            len(setting.answer.classes),
            members=config.members,
            kind=setting.answer.kind,
        )
        self.network = Model(encoder, sequence).to(setting.device).to(memory_format=torch.channels_last)
        if self.frozen:
            encoder.eval().requires_grad_(False)
        self.fine: dict[int, Steps] = {}
        """By place in the dataset, (copies, steps, ...) on a grid `HALVES` times finer than the model's."""
        self.plain: dict[int, Steps] = {}
        """By place in the dataset, (1, steps, ...) on the model's own grid."""

    @property
    def frozen(self) -> bool:
        """Whether the encoder is not trained."""
        return self.choice.encoder.frozen

    @property
    def recipe(self) -> Recipe:
        """The default settings of this kind of training."""
        recipes = self.setting.objective.recipes
        if self.frozen:
            return self.recipe_behind
        return recipes.trained if self.choice.encoder.origin == "none" else recipes.fine_tuned

    @property
    def recipe_behind(self) -> Recipe:
        """The default settings of a head behind the features of these clips, as they are."""
        return self.setting.objective.recipes.behind_frozen(len(self.setting.places(Part.TRAIN)))

    @property
    def few(self) -> str:
        """Where the training clips are few, sentences on the settings that this decides; else nothing."""
        setting, recipe = self.setting, self.recipe
        if recipe is not setting.objective.recipes.frozen_few or self.head.name == "linear":
            return ""
        last = ends_with_last(setting.config, recipe, timed=setting.clock.minutes is not None)
        end = " Training ends with the weights of its last epoch." if last else ""
        return (
            f"{len(setting.places(Part.TRAIN))} training clips are few: the head has {self.head.units} units, dropout "
            f"{self.head.dropout:g} and weight decay {weight_decay_for(setting.config, recipe):g}.{end}"
        )

    def prepare(self, places: Sequence[int], to_train: bool, seconds: float | None = None) -> Iterator[RunEvent]:
        """Decode or encode the clips at `places` that are not ready, from the cache if they are in it.

        Clips for training have a finer grid. They also have the features of the mirrored pictures if mirrored films
        have the same class. After `seconds` the other clips stay unprepared.
        """
        started = time.monotonic()
        ready = self.fine if to_train else self.plain
        if not to_train:  # the fine grid holds the model's own
            ready |= {place: own_grid(self.fine[place]) for place in places if place in self.fine}
        missing = [place for place in places if place not in ready]
        stage, frames, shown = "features" if self.frozen else "decoding", 0, Pace()
        for done, (place, steps) in enumerate(zip(missing, self._load(missing, to_train), strict=False), 1):
            if isinstance(steps, FilmFailure):
                raise DataError(f"{steps.path}: could be read before, and not now: {steps.reason}")
            ready[place] = steps
            frames += len(steps.indices)
            if shown.is_due() or done == len(missing):
                yield Progress(stage, done, len(missing), frames)
            if self.setting.stop.is_set():
                raise KeyboardInterrupt
            if seconds is not None and time.monotonic() - started > seconds:
                break

    def share_out(self, places: Sequence[int], to_train: bool) -> Iterator[RunEvent]:
        """Let each process decode or encode some of the clips at `places` into the cache, for all of them."""
        workers = self.setting.workers
        if workers.size > 1:
            own = list(places)[workers.rank :: workers.size]
            stage = "features" if self.frozen else "decoding"
            for done, _ in enumerate(self._load(own, to_train), 1):
                yield Progress(stage, done, len(own))
            workers.agree(None)  # waits for all

    def _load(self, places: Sequence[int], to_train: bool) -> Iterator[Steps | FilmFailure]:
        setting, cache = self.setting, self.setting.cache
        scans = [setting.dataset.scans[place] for place in places]
        spacing = setting.sampling.spacing_seconds / (HALVES if to_train else 1)
        grid = Rendering(spacing, self.choice.size, rate=setting.config.rate)
        if not self.frozen:
            motion_seconds = self.choice.encoder.motion_seconds if self.network.inputs else None
            films = cache.frames(scans, grid, motion_seconds)
            return (film if isinstance(film, FilmFailure) else one_copy(film) for film in films)
        encodings = encodings_of(self.network.encoder, self.choice.encoder.motion_seconds)
        return cache.features(scans, grid, list(encodings.values()), mirrored=to_train and setting.flip)

    @property
    def phases(self) -> int:
        """Steps of the grid of the training clips for each step of a window."""
        return HALVES if self.fine else 1

    def ready(self, part: Part) -> list[int]:
        """The clips of a part that are ready for scoring."""
        return [place for place in self.setting.places(part) if place in self.plain]

    def clips(self, places: Sequence[int]) -> Clips:
        """The clips at `places` with their truth, for training: on the fine grid, or on the model's own if need be."""
        grid = self.fine or self.plain
        steps = [grid[place] for place in places]
        before = [one.before for one in steps if one.before is not None]
        return Clips([one.array for one in steps], self._targets(places, grid), before or None)

    def targets(self, places: Sequence[int]) -> list[Truth]:
        """The truth of the clips at `places`, on the model's own grid."""
        return self._targets(places, self.plain)

    def _targets(self, places: Sequence[int], grid: Mapping[int, Steps]) -> list[Truth]:
        task, films, answer = self.setting.task, self.setting.dataset.films, self.setting.answer
        return [task.target(films[place], answer, grid[place].indices) for place in places]

    def features(self, places: Sequence[int]) -> list[Features]:
        """The features (steps, width) of the clips at `places`, as `vidrnn predict` computes them."""
        return self._encoded(self._shown(places))

    def _shown(self, places: Sequence[int]) -> list[tuple[Array, Array | None]]:
        """The clips at `places` on the model's own grid, and the frames before their frames."""
        steps = [self.plain[place] for place in places]
        return [(one.array[0], None if one.before is None else one.before[0]) for one in steps]

    def view_features(self, places: Sequence[int], view: ViewName) -> list[Features]:
        """The part of `features` that is of one view of the encoder."""
        encoder = self.network.encoder
        start = encoder.views.index(view) * encoder.view_width
        return [features[:, start : start + encoder.view_width] for features in self.features(places)]

    def feature_clips(self, places: Sequence[int]) -> Clips:
        """The clips at `places`, ready for training, as features of the encoder as it is now."""
        clips = self.clips(places)
        if self.frozen:
            return clips
        frames = [
            (array[0], None if clips.before is None else clips.before[place][0])
            for place, array in enumerate(clips.arrays)
        ]
        return Clips([features[None] for features in self._encoded(frames)], clips.targets)

    def _encoded(self, clips: Sequence[tuple[Array, Array | None]], workers: Workers | None = None) -> list[Features]:
        """Features unchanged; frames and the frames before them encoded, a clip at a time on each core.

        `workers`: who encodes them together; by default the threads of this process alone.
        """
        if self.frozen:
            return [features for features, _ in clips]
        encode = encoding_of(self.network.encoder)
        return (workers or self.setting.workers.alone()).together(lambda clip: encode(*clip), clips)

    def scores(self, places: Sequence[int]) -> NDArray[np.float64]:
        """Scores (clips, classes) as `vidrnn predict` computes them."""
        return score_clips(self.network.sequence, self.features(places), self.setting.sampling.frames)

    def mirrored_features(self, places: Sequence[int]) -> Generator[RunEvent, None, list[Features]]:
        """The features (steps, width) of the mirrored clips at `places`, on the model's own grid."""
        scans, found = [self.setting.dataset.scans[place] for place in places], []
        encodings = list(encodings_of(self.network.encoder, self.choice.encoder.motion_seconds).values())
        grid = Rendering(self.setting.sampling.spacing_seconds, self.choice.size, rate=self.setting.config.rate)
        for steps in self.setting.cache.features(scans, grid, encodings, mirrored=True):
            if isinstance(steps, FilmFailure):
                raise DataError(f"{steps.path}: could be read before, and not now: {steps.reason}")
            found.append(steps.array[1])
            yield Progress("mirrored clips", len(found), len(places))
        return found

    def with_fresh_weights(self, seed: int | None = None) -> Learner:
        """A learner of the same choice with fresh weights, and with the clips that are ready."""
        config = self.setting.config
        setting = (
            self.setting if seed is None else replace(self.setting, config=config.model_copy(update={"seed": seed}))
        )
        fresh = Learner(setting, self.choice)
        fresh.fine, fresh.plain = self.fine, self.plain
        return fresh

    def fit(self, places: Sequence[int], val: Sequence[int], seconds: float | None) -> Fit:
        """A training on the clips at `places`, validated on those at `val`."""
        clips, objective = self.clips(places), self.setting.objective
        ready, truth = self.features(val) if self.frozen else None, self.targets(val)

        def validate() -> Validation:
            features = self._encoded(self._shown(val), self.setting.workers) if ready is None else ready
            return objective.validate(self.setting, self.network.sequence, features, truth)

        lesson = self._lesson(clips, validate)
        return Fit(lesson, self.planned(lesson.steps, seconds), self.setting.stop, self.setting.workers)

    def fit_blind(self, places: Sequence[int], share: float, most_epochs: int) -> Fit:
        """A training on the clips at `places` without validation, which ends with its last weights.

        Args:
            places: in the dataset.
            share: of the epochs of a whole training.
            most_epochs: the largest number of epochs.
        """
        lesson = self._lesson(self.clips(places), None)
        plan = self.planned(lesson.steps, None)
        epochs = max(1, min(most_epochs, round(share * plan.epochs)))
        return Fit(lesson, replace(plan, epochs=epochs, patience=epochs), self.setting.stop, self.setting.workers)

    def _lesson(self, clips: Clips, validate: Callable[[], Validation] | None) -> Lesson:
        config, members = self.setting.config, self.network.sequence.members
        draw = self.setting.objective.sampler(
            self.setting,
            config.minibatch or self.setting.objective.minibatch(self.recipe, clips),
            phases=self.phases,
            stretch=0.0 if self.frozen else _STRETCH * config.augment,
            shuffled=False,
        )
        member_loss = self.setting.objective.loss(self.setting, clips)

        def loss(answers: Sequence[Scores], share: Minibatch, whole: Targets) -> Tensor:
            return torch.stack([member_loss(scores, share, whole) for scores in answers]).sum()

        return Lesson(
            network=self.network.sequence if self.frozen else self.network,
            answer=self._answer(),
            loss=loss,
            minibatches=lambda epoch: draw.epoch(clips, epoch),
            steps=draw.steps(clips),
            validate=validate,
            members=members if len(members) > 1 else (),
            device=self.setting.device,
        )

    def _answer(self) -> Callable[[Any, Minibatch, Randomness], Sequence[Scores]]:
        """The function from a share to the scores of each member. Frames are changed at random and encoded first."""
        flip, strength, drawing = self.setting.flip, self.setting.config.augment, bool(self.head.dropout)

        def score(sequence: SequenceModel, inputs: Tensor, share: Minibatch, randomness: Randomness) -> list[Scores]:
            with randomness.of_layers(needed=drawing):
                return [member(inputs, mask=share.mask)[0] for member in sequence.members]

        def answer_frames(network: Model, share: Minibatch, randomness: Randomness) -> list[Scores]:
            change = draw_augmentation(len(share.inputs), flip, strength, randomness.generator())
            inputs, members = encode_share(network.encoder, share, change), len(network.sequence.members)
            if members > 1:  # the encoder learns from the mean of the members' losses, not from their sum
                inputs.register_hook(lambda gradient: gradient / members)  # type: ignore[no-untyped-call]
            return score(network.sequence, inputs, share, randomness)

        def answer_features(sequence: SequenceModel, share: Minibatch, randomness: Randomness) -> list[Scores]:
            return score(sequence, share.inputs, share, randomness)

        return answer_features if self.frozen else answer_frames

    def planned(self, steps: int, seconds: float | None) -> Plan:
        """The length and the strength of a training: `steps` minibatches in an epoch, and so many seconds at most."""
        config, recipe = self.setting.config, self.recipe
        epochs = config.epochs or epochs_for(recipe, steps)
        if seconds is not None and config.epochs is None:
            epochs = _UNBOUNDED
        return Plan(
            epochs=epochs,
            learning_rate=config.learning_rate or recipe.learning_rate,
            weight_decay=weight_decay_for(config, recipe),
            patience=config.patience or (_TIMED_PATIENCE if epochs == _UNBOUNDED else max(10, 2 * epochs // 3)),
            seed=config.seed,
            shares=config.shares,
            seconds=seconds,
            last_weights=ends_with_last(config, recipe, timed=seconds is not None),
        )


def sampling_of(dataset: Dataset, split: Split, config: RunConfig) -> Sampling:
    """The frames of a window: as the settings say, else a window covers the median training clip."""
    spacing = config.spacing_seconds
    if spacing is None:
        spacing = default_spacing(dataset.durations_seconds(split.indices(Part.TRAIN)), config.frames)
    return Sampling(config.frames, spacing)


def own_grid(fine: Steps) -> Steps:
    """The steps of the model's own grid among those of the fine grid, without mirrored copies."""
    before = None if fine.before is None else fine.before[:1, ::HALVES]
    return Steps(fine.array[:1, ::HALVES], fine.indices[::HALVES], before)


def one_copy(frames: Steps) -> Steps:
    """Frames (steps, ...) as the only copy of a clip: (1, steps, ...)."""
    return Steps(frames.array[None], frames.indices, None if frames.before is None else frames.before[None])


def encodings_of(encoder: Encoder, motion_seconds: float) -> dict[ViewName, Encoding]:
    """The encoding of each view of a frozen encoder, in their order, for the cache.

    `motion_seconds`: how much earlier the frame is that views of motion compare a frame with.
    """
    weights, encodings = fingerprint(encoder), dict[ViewName, Encoding]()
    for view in encoder.views:
        single = encoder.of_view(view)
        name = weights if view == "appearance" else f"{weights}-{view}"  # the key of a model without motion
        reach, at_once = motion_seconds if single.inputs else None, max(_FRAMES_AT_ONCE, pictures_at_once(single))
        encodings[view] = Encoding(encoding_of(single), name, single.width, reach, at_once)
    return encodings


def loss_of(setting: Setting, clips: Clips) -> ClassifyLoss:
    """The loss, weighted by the classes of these clips."""
    counts = np.bincount(clips.labels[clips.labels >= 0], minlength=len(setting.dataset.classes))
    return ClassifyLoss(counts.tolist(), setting.config.label_smoothing).to(setting.device)


def validation_of(scores: NDArray[np.float64], truth: NDArray[np.int64], setting: Setting) -> Validation:
    """The validation of an epoch: its macro-F1, and its loss."""
    probabilities = softmax(scores, 1.0)
    result = classify_scores(probabilities, truth, setting.dataset.classes)
    loss = float(-np.log(probabilities[np.arange(len(truth)), truth].clip(1e-12)).mean())
    return Validation(result.macro_f1, loss, {"accuracy": result.accuracy, "F1": result.macro_f1})


def epoch_event(epoch: Epoch, training: str, timed: bool) -> EpochDone:
    """An epoch as an event."""
    validation = epoch.validation
    return EpochDone(
        training=training,
        number=epoch.number,
        of=None if timed else epoch.of,
        train_loss=epoch.train_loss,
        loss=validation.loss,
        measures=validation.shown,
        best=epoch.best,
        seconds=epoch.seconds,
    )


def spec_of(learner: Learner) -> ModelSpec:
    """The parts and sizes of a learner's network."""
    size, sampling = learner.choice.size, learner.setting.sampling
    return ModelSpec(
        network="scores",
        encoder=learner.choice.encoder,
        head=learner.head,
        readout=learner.setting.readout,
        members=learner.setting.config.members,
        height=size.height,
        width=size.width,
        frames=sampling.frames,
        spacing_seconds=sampling.spacing_seconds,
    )
