"""Labels at each frame: what happens when, one behaviour at a time or several at once."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vidrnn.data.annotations import behaviour_tracks, class_track
from vidrnn.data.films import LabelledData
from vidrnn.runtimes.base import Runtime
from vidrnn.tasks.base import Task
from vidrnn.tasks.scores import ScoreReader
from vidrnn.timeline.budget import budget_of
from vidrnn.timeline.reading import Reader
from vidrnn.values import (
    Annotation,
    AnswerSpec,
    Bout,
    DecisionRule,
    FilmMoments,
    FilmPrediction,
    LabelledFilm,
    PredictionOptions,
)

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig, RunConfig
    from vidrnn.data.dataset import Dataset
    from vidrnn.data.splits import Split
    from vidrnn.events import RunEvent

_LONGER_THAN_ANY_FILM = 1e9
"""Seconds: the end of a bout that lasts as long as its film."""


class Label(Task):
    """What happens at each frame."""

    name = "label"
    lesson = "vidrnn.train.lessons.labels:LabelTeacher"
    scorer = "vidrnn.evaluate.labels:LabelScorer"
    outputs = ("steps",)
    settings = frozenset(
        {
            *("track", "license"),
            *("data", "task", "encoder", "features", "search", "weights", "fine_tune", "grey", "grid", "motion"),
            *("motion_seconds", "head", "labels", "live", "members"),
            *("frames", "spacing_seconds", "height", "width", "rate", "max_pixels", "flip", "augment"),
            *("epochs", "minutes", "minibatch", "learning_rate", "weight_decay", "label_smoothing", "loss", "patience"),
            *("seed", "jobs", "shares", "checkpoint_minutes", "cache_size", "test", "folds", "report"),
            *("threshold", "hysteresis", "shortest", "smoothing", "reset", "threads"),
        }
    )
    defaults: ClassVar[Mapping[str, Any]] = {"frames": 64}
    columns = ("segments", "duration_seconds", "frames", "notes")

    @override
    def read(
        self, data: Path, *, to_train: bool, features: Path | None = None, labels: LabelsConfig | None = None
    ) -> LabelledData:
        """Label files of any known format; or class folders, whose class holds in all of each film."""
        from vidrnn.config import LabelsConfig
        from vidrnn.data.labelled_frames import holds_labels, read_frame_labelled
        from vidrnn.data.listing.labelled import read_labelled

        options = labels or LabelsConfig()
        if holds_labels(data, options):
            return read_frame_labelled(data, options)
        labelled = read_labelled(data, fewest_classes=1, features=features, complete=to_train)
        films = tuple(replace(film, label="", annotation=_whole(film.label)) for film in labelled.films)
        return replace(labelled, films=films)

    @override
    def usable(self, dataset: Dataset, config: RunConfig, data: Path) -> Generator[RunEvent, None, Dataset]:
        from vidrnn.data.usable.moments import usable_moments

        return (yield from usable_moments(dataset, config, data)).dataset

    @override
    def split(self, dataset: Dataset, config: RunConfig, *, test: bool) -> Split:
        from vidrnn.data.usable.moments import split_moments

        return split_moments(dataset, config, test=test)

    @override
    def target(self, film: LabelledFilm, answer: AnswerSpec, frames: NDArray[np.int64]) -> NDArray[Any]:
        """(frames,) class indices, or (frames, classes) numbers where several may hold; the annotation is in frames."""
        assert film.annotation is not None
        if answer.kind == "several":
            return behaviour_tracks(film.annotation, answer.classes, frames)
        return class_track(film.annotation, answer.classes, frames, answer.background)

    @override
    def reader(self, model: Runtime, rule: DecisionRule) -> Reader:
        return ScoreReader(model, rule, 0.0, centred=rule.direction == "both")

    @override
    def prediction(self, film: FilmMoments, options: PredictionOptions) -> FilmPrediction:
        duration = float(film.end_seconds - film.timeline.seconds[0])
        return FilmPrediction(
            path=film.path,
            segments=film.segments,
            budget=budget_of(film.segments, film.timeline, duration, leave_out=options.background),
            duration_seconds=duration,
            frames=film.frames,
            notes=film.notes,
            timeline=film.timeline,
        )


def _whole(label: str) -> Annotation:
    """The annotation of a film that shows one class from its beginning to its end."""
    return Annotation((Bout(0.0, _LONGER_THAN_ANY_FILM, label),))
