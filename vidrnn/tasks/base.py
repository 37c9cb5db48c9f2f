"""The contract of a task: how to read its data, and how its outputs become answers. It does not import torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vidrnn.data.films import LabelledData
from vidrnn.registry import load_member
from vidrnn.runtimes.base import Runtime
from vidrnn.tasks import TASKS
from vidrnn.timeline.reading import Reader
from vidrnn.values import (
    AnswerSpec,
    DecisionRule,
    FilmMoments,
    FilmPrediction,
    ForecastFrame,
    LabelledFilm,
    PredictionOptions,
)

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig, RunConfig
    from vidrnn.data.dataset import Dataset
    from vidrnn.data.splits import Split
    from vidrnn.events import RunEvent


class Task(ABC):
    """A question that a model answers."""

    name: ClassVar[str]
    """As `--task` takes it."""
    lesson: ClassVar[str]
    """`module:class` of the Teacher, which trains the model and needs torch."""
    scorer: ClassVar[str]
    """`module:class` of the Scorer, which compares answers with the truth."""
    outputs: ClassVar[tuple[str, ...]]
    """The names of the network's outputs, also in an exported file."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Of fields of `RunConfig` that the user leaves out."""
    settings: ClassVar[frozenset[str]]
    """The fields of `RunConfig` and `PredictConfig` that this task uses; others are refused when given."""
    columns: ClassVar[tuple[str, ...]]
    """The fields of a film's answer that the summary of a folder shows."""
    labelled: ClassVar[bool] = True
    """Whether training needs labels."""
    answers: ClassVar[bool] = True
    """False: training only makes an encoder, so `predict` and `evaluate` refuse the model."""

    @abstractmethod
    def read(
        self, data: Path, *, to_train: bool, features: Path | None = None, labels: LabelsConfig | None = None
    ) -> LabelledData:
        """The films in DATA with their truth; no film is opened.

        Args:
            data: the path of DATA.
            to_train: whether a model is to learn from them.
            features: the folder of features that stand for the films; None where the films themselves are read.
            labels: how labels at each frame are read; None for the defaults.

        Raises:
            DataError: DATA cannot be used.
        """

    def usable(self, dataset: Dataset, config: RunConfig, data: Path) -> Generator[RunEvent, None, Dataset]:
        """The films of a dataset that a model can learn from. Notes come first, the films come last.

        Args:
            dataset: the films that can be read.
            config: the settings of the training.
            data: the path of DATA, for errors.

        Raises:
            DataError: no model can learn from them.
        """
        yield from ()
        return dataset

    def split(self, dataset: Dataset, config: RunConfig, *, test: bool) -> Split:
        """The split that a training makes of usable films; `test`: whether a new one has a test part.

        Raises:
            DataError: there is no split that can be used.
        """
        from vidrnn.data.splits import split_films  # here, since a prediction splits nothing

        return split_films(dataset.films, dataset.grouping, test=test, seed=config.seed)

    @abstractmethod
    def target(self, film: LabelledFilm, answer: AnswerSpec, frames: NDArray[np.int64]) -> NDArray[Any]:
        """The truth at frames of a film, counted from 0, as a model that gives `answer` is to give it.

        Returns:
            () for a clip; (frames,) class indices or (frames, classes) numbers for labels at each frame. Unknown truth
            is -1 or NaN.
        """

    @abstractmethod
    def reader(self, model: Runtime, rule: DecisionRule) -> Reader:
        """A fresh reader of one film.

        Raises:
            ModelError: the model cannot be read by this rule.
        """

    def live_reader(self, model: Runtime, rule: DecisionRule) -> Reader:
        """A fresh reader of a stream, which gives answers while frames come.

        Raises:
            ModelError: the model cannot be read by this rule, or cannot answer live.
        """
        return self.reader(model, rule)

    @abstractmethod
    def prediction(self, film: FilmMoments, options: PredictionOptions) -> FilmPrediction:
        """The answer for a film that was read: names, probabilities and seconds."""

    def pictures(
        self, model: Runtime, path: Path, options: PredictionOptions
    ) -> Callable[[], Iterator[ForecastFrame]] | None:
        """A function that reads the film again, with a prediction for each frame; None without predicted pictures."""
        return None


def task_named(name: str) -> Task:
    """The task that `--task` calls `name`.

    Raises:
        UsageError: there is none of that name.
    """
    task: Task = load_member(TASKS, "--task", name)()
    return task
