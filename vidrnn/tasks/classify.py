"""Classification: one class for the whole clip, and segments with one class each."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vidrnn.data.films import LabelledData
from vidrnn.runtimes.base import Runtime
from vidrnn.tasks.base import Task
from vidrnn.tasks.scores import ScoreReader
from vidrnn.timeline.reading import Reader
from vidrnn.timeline.segments import MarginSegmenter
from vidrnn.values import (
    AnswerSpec,
    Candidate,
    DecisionRule,
    FilmMoments,
    FilmPrediction,
    LabelledFilm,
    PredictionOptions,
)

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig, RunConfig
    from vidrnn.data.dataset import Dataset
    from vidrnn.events import RunEvent

HYSTERESIS, SHORTEST_SECONDS = 0.1, 0.5
"""Chosen on films joined from clips (benchmarks/long_films.py): no frame is lost, and fewer boundaries are false."""
_CLIP_SHARE = 0.5
"""The weight of the scores of whole windows at each moment. The moment's own scores keep boundaries sharp; those of the
windows depend on the order of frames."""
_TOP = 5
"""So many candidates are in an answer."""


class Classify(Task):
    """Which of the classes a clip shows."""

    name = "classify"
    lesson = "vidrnn.train.lessons.classes:ClassTeacher"
    scorer = "vidrnn.evaluate.classes:ClassScorer"
    outputs = ("clip", "steps")
    settings = frozenset(
        {
            *("track", "license"),
            *("data", "task", "encoder", "features", "search", "weights", "fine_tune", "grey", "grid", "motion"),
            *("motion_seconds", "head", "readout", "members", "label_holds"),
            *("frames", "spacing_seconds", "height", "width", "rate", "max_pixels", "flip", "augment"),
            *("epochs", "minutes", "minibatch", "learning_rate", "weight_decay", "label_smoothing", "patience"),
            *("seed", "jobs", "shares", "checkpoint_minutes", "cache_size", "test", "folds", "report"),
            *("threshold", "hysteresis", "shortest", "reset", "threads"),
        }
    )
    columns = ("label", "probability", "duration_seconds", "frames", "notes")

    @override
    def read(
        self, data: Path, *, to_train: bool, features: Path | None = None, labels: LabelsConfig | None = None
    ) -> LabelledData:
        from vidrnn.data.listing.labelled import read_labelled  # here, since a prediction reads no DATA

        return read_labelled(data, fewest_classes=2 if to_train else 1, features=features)

    @override
    def usable(self, dataset: Dataset, config: RunConfig, data: Path) -> Generator[RunEvent, None, Dataset]:
        from vidrnn.data.usable.features import refuse_uneven_features

        yield from ()
        refuse_uneven_features(dataset, config)
        return dataset

    @override
    def target(self, film: LabelledFilm, answer: AnswerSpec, frames: NDArray[np.int64]) -> NDArray[Any]:
        return np.asarray(answer.classes.index(film.label), dtype=np.int64)

    @override
    def reader(self, model: Runtime, rule: DecisionRule) -> Reader:
        return ScoreReader(model, rule, _CLIP_SHARE)

    @override
    def prediction(self, film: FilmMoments, options: PredictionOptions) -> FilmPrediction:
        assert film.clip is not None
        classes = film.timeline.classes
        label, probability = MarginSegmenter(classes, options.rule).answer(film.clip)
        order = np.argsort(-film.clip, kind="stable")[:_TOP]
        return FilmPrediction(
            path=film.path,
            label=label,
            probability=probability,
            top=tuple(Candidate(classes[place], float(film.clip[place])) for place in order),
            segments=film.segments,
            duration_seconds=float(film.end_seconds - film.timeline.seconds[0]),
            frames=film.frames,
            notes=film.notes,
            timeline=film.timeline,
        )
