"""The contract of a teacher, the half of a task that needs torch: films become a trained network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, ClassVar, Protocol, TypeVar

import torch
from typing_extensions import override

from vidrnn.config import RunConfig
from vidrnn.data.dataset import Dataset, index_in_making, read_dataset
from vidrnn.data.splits import Split
from vidrnn.errors import FilmError
from vidrnn.events import EpochDone, RunEvent
from vidrnn.nets.heads import HEADS
from vidrnn.nets.network import Network
from vidrnn.nets.spec import ModelSpec
from vidrnn.report.answers import Answers
from vidrnn.tables import Report
from vidrnn.tasks.base import Task
from vidrnn.train.fit import Epoch, Fit
from vidrnn.train.journal import Journal
from vidrnn.train.learner import Clock, Learner, Setting, epoch_event, spec_of
from vidrnn.train.run import Request
from vidrnn.train.search.choice import Found
from vidrnn.train.shares.device import prepare_device
from vidrnn.train.shares.workers import Workers
from vidrnn.values import AnswerSpec, DecisionRule, Part, Window
from vidrnn.video.reader import first_window


@dataclass(frozen=True)
class Job:
    """One training: its request, task, clock, stop signal and workers."""

    request: Request
    task: Task
    clock: Clock
    stop: Event
    """Set from outside to end the training cleanly."""
    workers: Workers

    @property
    def config(self) -> RunConfig:
        """The settings."""
        return self.request.config

    def read(self) -> Generator[RunEvent, None, Dataset]:
        """The films of DATA that can be read, with their truth.

        Raises:
            DataError: DATA cannot be used.
        """
        request, config = self.request, self.config
        with index_in_making():
            named = self.task.read(request.data, to_train=True, features=config.features_folder, labels=config.labels)
            data, labelled = request.data, self.task.labelled
            dataset = read_dataset(named, data, request.cache, request.jobs, rate=config.rate, labelled=labelled)
            return (yield from dataset)


@dataclass(frozen=True)
class Appraisal:
    """The scores of a model at the end of its training."""

    shown: tuple[Report, ...]
    """On the screen."""
    card: tuple[Report, ...]
    """In the model card."""
    scores: Mapping[str, Any]
    """In the header, by the names of `vidrnn evaluate --json`, with `part`, `folds`, `interval` and `controls`."""
    sentences: tuple[str, ...]
    """The last sentences of the training."""


Pooled = TypeVar("Pooled", bound="Outcome")


class Outcome(Protocol):
    """What the controls and the model answer, film by film."""

    def joined(self: Pooled, other: Pooled) -> Pooled:
        """Both outcomes as one, as for folds, where each film is in one test part."""

    def of_folds(self: Pooled, folds: int) -> Pooled:
        """The outcome of so many folds that were joined."""

    def as_plain(self) -> Any:
        """As numbers, words, arrays, and lists and mappings of them, for the journal of a run."""


class Student(ABC):
    """One network, and the films of the run prepared for it."""

    fit: Fit
    trained: bool = False
    """Whether the choice of the network has trained it already."""
    choice: str = ""
    """The reason for the choice of the network, in a sentence."""

    @property
    @abstractmethod
    def network(self) -> Network:
        """The network in training."""

    @property
    @abstractmethod
    def spec(self) -> ModelSpec:
        """The parts and sizes of the network."""

    @property
    @abstractmethod
    def answer(self) -> AnswerSpec:
        """The answer of the model."""

    @abstractmethod
    def report_epoch(self, epoch: Epoch) -> EpochDone:
        """An epoch as an event."""

    @abstractmethod
    def calibrate(self) -> Generator[RunEvent, None, DecisionRule]:
        """The rule that turns outputs into answers, calibrated on validation."""

    @abstractmethod
    def run_controls(self) -> Generator[RunEvent, None, Outcome | None]:
        """Train the controls; None if there are none, or training was stopped."""

    @abstractmethod
    def appraise(self, decision: DecisionRule, outcome: Outcome | None) -> Generator[RunEvent, None, Appraisal]:
        """Score the network and its controls."""

    @abstractmethod
    def answers(
        self, decision: DecisionRule, outcome: Outcome | None, folder: Path
    ) -> Generator[RunEvent, None, Answers]:
        """The answers of the model to its films, for the page of the run; `folder`: that of DATA."""

    @abstractmethod
    def check_clips(self) -> Sequence[Window]:
        """Windows of real films, for the check of an exported file."""


@dataclass(frozen=True)
class Verdict:
    """The score of a network on the films of a part."""

    accuracy: float
    """The share of right answers: of clips, or of frames; the macro-F1 where several behaviours may hold."""
    macro_f1: float
    hits: tuple[float, ...]
    """(films,) the share of right answers in each film; 0 or 1 for a class of a clip."""
    interval: tuple[float, float] | None
    """The 95 % interval of the accuracy, over groups of films; None where there are too few."""


class LearnerStudent(Student):
    """A student that is one encoder and one head, which a `Learner` holds."""

    def __init__(self, learner: Learner, fit: Fit) -> None:
        self.learner, self.fit = learner, fit

    @property
    @override
    def network(self) -> Network:
        return self.learner.network

    @property
    @override
    def spec(self) -> ModelSpec:
        return spec_of(self.learner)

    @property
    @override
    def answer(self) -> AnswerSpec:
        return self.learner.setting.answer

    @override
    def report_epoch(self, epoch: Epoch) -> EpochDone:
        return epoch_event(epoch, "model", timed=self.learner.setting.clock.minutes is not None)

    @abstractmethod
    def verdict(self, part: Part) -> Verdict:
        """The score on the films of a part."""

    @override
    def check_clips(self) -> Sequence[Window]:
        setting, spec = self.learner.setting, self.spec
        path = setting.dataset.scans[setting.places(Part.VAL)[0]].facts.path
        try:
            return [first_window(path, spec.sampling, spec.size, setting.config.rate, spec.motion_seconds)]
        except FilmError:
            return []


class Teacher(ABC):
    """The training of a task."""

    def __init__(self, job: Job) -> None:
        self.job = job
        prepare_device(torch.device(job.request.device))

    @classmethod
    def complete(cls, config: RunConfig) -> RunConfig:
        """The settings with defaults that depend on other settings."""
        return config

    @abstractmethod
    def refuse_unfit(self) -> None:
        """Refuse settings that do not fit together, before any film is read.

        Raises:
            UsageError: some settings do not fit.
        """

    def usable(self, dataset: Dataset) -> Generator[RunEvent, None, Dataset]:
        """The films that the task can learn from.

        Raises:
            DataError: there are none.
        """
        return (yield from self.job.task.usable(dataset, self.job.config, self.job.request.data))

    def split(self, dataset: Dataset, *, test: bool) -> Split:
        """Train, validation and test.

        Raises:
            DataError: there is no such split.
        """
        return self.job.task.split(dataset, self.job.config, test=test)

    def outcome(self, stored: Any) -> Outcome:
        """The outcome that `as_plain` gave.

        Raises:
            NotImplementedError: the task has no controls.
        """
        raise NotImplementedError

    @abstractmethod
    def student(
        self, dataset: Dataset, split: Split, journal: Journal, share: float = 1.0
    ) -> Generator[RunEvent, None, Student]:
        """Choose the open settings, build the network and prepare the films.

        Args:
            dataset: the films of the run.
            split: their parts.
            journal: keeps the choice of the network.
            share: of the time that is left, if time is limited.
        """


class ComparableTeacher(Teacher):
    """The training of a task whose heads can be compared: they read the same features of the same films."""

    unit: ClassVar[str]
    """What is scored, in the singular: a clip, a video."""
    heads: ClassVar[tuple[str, ...]] = tuple(HEADS)
    """The heads that can learn the task."""

    @abstractmethod
    def setting(self, dataset: Dataset, split: Split, config: RunConfig) -> Setting:
        """The setting of a training with these settings."""

    @abstractmethod
    def search(self, setting: Setting, share: float = 1.0) -> Generator[RunEvent, None, Found]:
        """Find the settings that fit the films; `share` is of the budget of work.

        Raises:
            UsageError: the settings do not fit a search.
        """

    @abstractmethod
    def prepare(self, learner: Learner) -> Generator[RunEvent, None, None]:
        """Read the films of all parts for a learner."""

    @abstractmethod
    def student_of(self, learner: Learner, fit: Fit, found: Found) -> LearnerStudent:
        """The student that a learner and its training are."""

    @abstractmethod
    def measure(self, setting: Setting) -> str:
        """The name of `Verdict.accuracy`."""
