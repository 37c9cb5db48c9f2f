"""The contract of a teacher, the half of a task that needs torch: from films to a trained network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from vidrnn.config import RunConfig
from vidrnn.data.dataset import Dataset
from vidrnn.data.splits import Split
from vidrnn.events import EpochDone, RunEvent
from vidrnn.nets.network import Network
from vidrnn.nets.spec import ModelSpec
from vidrnn.tables import Report
from vidrnn.tasks.base import Task
from vidrnn.train.controls import Outcome
from vidrnn.train.fit import Epoch, Fit
from vidrnn.train.learner import Clock
from vidrnn.train.run import Request, Run
from vidrnn.values import AnswerSpec, DecisionRule, Pixels


@dataclass(frozen=True)
class Job:
    """One training: the request, what it asks, its time and the wish to stop."""

    request: Request
    task: Task
    clock: Clock
    stop: Event
    """Set from outside to end the running epoch cleanly."""

    @property
    def config(self) -> RunConfig:
        """The settings."""
        return self.request.config


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
    """The last words of the training."""


class Student(ABC):
    """One network, and the films of the run prepared for it."""

    fit: Fit
    trained: bool = False
    """Whether choosing the network has trained it already."""
    choice: str = ""
    """Why the network is as it is, in a sentence."""

    @property
    @abstractmethod
    def network(self) -> Network:
        """The network in training."""

    @property
    @abstractmethod
    def spec(self) -> ModelSpec:
        """What the network is."""

    @property
    @abstractmethod
    def answer(self) -> AnswerSpec:
        """What the model will answer."""

    @abstractmethod
    def report_epoch(self, epoch: Epoch) -> EpochDone:
        """An epoch as an event."""

    @abstractmethod
    def calibrate(self) -> Generator[RunEvent, None, DecisionRule]:
        """The rule that turns outputs into answers, found on validation."""

    @abstractmethod
    def run_controls(self) -> Generator[RunEvent, None, Outcome | None]:
        """Train what stands beside the score; None if there is nothing to train, or training was stopped."""

    @abstractmethod
    def appraise(self, decision: DecisionRule, outcome: Outcome | None) -> Generator[RunEvent, None, Appraisal]:
        """Score the network and its controls."""

    @abstractmethod
    def check_clips(self) -> Sequence[Pixels]:
        """Clips (time, height, width, 3) of real films, to check an exported file with."""


class Teacher(ABC):
    """How a task is taught."""

    def __init__(self, job: Job) -> None:
        self.job = job

    @classmethod
    def complete(cls, config: RunConfig) -> RunConfig:
        """The settings with defaults that depend on other settings."""
        return config

    @abstractmethod
    def refuse_unfit(self) -> None:
        """Refuse settings that do not fit together, before anything is read.

        Raises:
            UsageError: there are some.
        """

    @abstractmethod
    def usable(self, dataset: Dataset) -> Generator[RunEvent, None, Dataset]:
        """The films that the task can learn from.

        Raises:
            DataError: there are none.
        """

    @abstractmethod
    def split(self, dataset: Dataset, *, test: bool) -> Split:
        """Train, validation and test."""

    @abstractmethod
    def student(
        self, dataset: Dataset, split: Split, run: Run | None, share: float = 1.0
    ) -> Generator[RunEvent, None, Student]:
        """Choose the parts that the user left open, build the network and prepare the films.

        Args:
            dataset: the films of the run.
            split: their parts.
            run: opened when the network is chosen; None for a fold, which leaves nothing on disk.
            share: of the time that is left, where time is bounded.
        """


def checkpoint_choice(run: Run) -> Path:
    """Where a run remembers what was chosen, so that a resumed training does not choose again."""
    return run.checkpoint / "choice.json"
