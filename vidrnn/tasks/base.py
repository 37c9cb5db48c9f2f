"""The contract of a task: how its data are read, and how its outputs become answers. No torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vidrnn.data.films import LabelledData
from vidrnn.registry import load_member
from vidrnn.runtimes.base import Runtime
from vidrnn.tasks import TASKS
from vidrnn.timeline.reading import Reader
from vidrnn.values import DecisionRule, FilmMoments, FilmPrediction, ForecastFrame, LabelledFilm, PredictionOptions


class Task(ABC):
    """What a model is asked."""

    name: ClassVar[str]
    """As `--task` takes it."""
    lesson: ClassVar[str]
    """`module:class` of the Teacher, the half that needs torch."""
    scorer: ClassVar[str]
    """`module:class` of the Scorer, which turns answers and truth into a report."""
    outputs: ClassVar[tuple[str, ...]]
    """The names of the network's outputs, in the exported file too."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Of `RunConfig`, where the user says nothing."""
    settings: ClassVar[frozenset[str]]
    """The fields of `RunConfig` and `PredictConfig` that mean something here; others are refused when given."""
    columns: ClassVar[tuple[str, ...]]
    """Of a film's answer, as far as the summary of a folder shows them."""
    labelled: ClassVar[bool] = True
    """Whether training needs labels."""
    comparable: ClassVar[bool] = False
    """Whether `vidrnn compare` can set its heads side by side."""
    answers: ClassVar[bool] = True
    """False: training only makes an encoder, so `predict` and `evaluate` refuse the model."""

    @abstractmethod
    def read(self, data: Path, *, to_train: bool) -> LabelledData:
        """The films that DATA names, with their truth; no film is opened.

        Raises:
            DataError: DATA cannot be used.
        """

    @abstractmethod
    def target(self, film: LabelledFilm, classes: Sequence[str], frames: NDArray[np.int64]) -> NDArray[Any]:
        """The truth at frames of a film, counted from 0.

        Returns:
            () for a clip; (frames,) class indices, or (frames, classes) numbers, for labels at each frame. Truth that
            is not known is -1 or not a number.
        """

    @abstractmethod
    def reader(self, model: Runtime, rule: DecisionRule) -> Reader:
        """A fresh reader of one film.

        Raises:
            ModelError: the model cannot be read by this rule.
        """

    def live_reader(self, model: Runtime, rule: DecisionRule) -> Reader:
        """A fresh reader of a stream that is answered while it goes on.

        Raises:
            ModelError: the model cannot be read by this rule, or has no answers to give live.
        """
        return self.reader(model, rule)

    @abstractmethod
    def prediction(self, film: FilmMoments, options: PredictionOptions) -> FilmPrediction:
        """The answer for people."""

    def pictures(
        self, model: Runtime, path: Path, options: PredictionOptions
    ) -> Callable[[], Iterator[ForecastFrame]] | None:
        """Reads a film once more and gives each frame beside its prediction; None where nothing predicts pictures."""
        return None


def task_named(name: str) -> Task:
    """The task that `--task` calls `name`.

    Raises:
        UsageError: there is none of that name.
    """
    task: Task = load_member(TASKS, "--task", name)()
    return task
