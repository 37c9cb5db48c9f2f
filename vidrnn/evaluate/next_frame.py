"""Scores of models that predict the next frames: errors at each step ahead, and how well errors tell anomalies.

If each frame is labelled, anomaly scores one step ahead stand beside baselines without learning, on the same frames.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vidrnn.data.films import LabelledData
from vidrnn.data.frame_labels import FrameLabels
from vidrnn.errors import ModelError
from vidrnn.evaluate.anomaly_metrics import Detector, detection_report
from vidrnn.evaluate.base import ScoredFilm, Scorer
from vidrnn.evaluate.baselines import SIGNS, MeanImage, Signs
from vidrnn.evaluate.forecast_scores import score_forecasts
from vidrnn.evaluate.metrics import StepScores
from vidrnn.events import Note, Progress, RunEvent
from vidrnn.model.checkpoint import stored_tensor
from vidrnn.predict.predictor import Observe
from vidrnn.runtimes.base import Runtime
from vidrnn.tables import Report
from vidrnn.tasks.next_frame import as_picture, channels_of
from vidrnn.values import FilmMoments, LabelledFilm, Pixels

_MOST_STRETCHES = 256
"""The largest number of stretches that the steps ahead are measured on. They are evenly chosen."""
_WITHOUT_STRETCHES: dict[str, Any] = {
    "stretches": 0,
    **dict.fromkeys(field.name for field in fields(StepScores)),
    "per_step": [],
    "baselines": {},
}
"""The numbers of the steps ahead if every film is shorter than a context and a horizon."""


class NextFrameScorer(Scorer):
    """Errors at each step ahead beside baselines; with a label for each frame, also the area under the ROC curve."""

    def __init__(self, model: Runtime, source: Path) -> None:
        super().__init__(model, source)
        self._observers: dict[Path, _Observer] = {}

    @override
    def usable(self, labelled: LabelledData, data: Path) -> LabelledData:
        return labelled

    @override
    def observer(self, films: Sequence[LabelledFilm]) -> Observe:
        labelled = {film.path for film in films if film.frames is not None}
        forecast = self.model.handling.forecast
        assert forecast is not None

        def observe(path: Path) -> Callable[[Pixels], None]:
            seen = _Observer(forecast.context + forecast.horizon, channels_of(self.model), signs=path in labelled)
            self._observers[path] = seen
            return seen.see

        return observe

    @override
    def check(self, film: LabelledFilm, moments: FilmMoments) -> None:
        if film.frames is not None:
            FrameLabels(film.path, film.frames).check_length(moments.frames)

    @override
    def report(self, films: Sequence[ScoredFilm]) -> Generator[RunEvent, None, Report]:
        reports = []
        if all(one.film.frames is not None for one in films):
            reports.append(self._anomalies(films))
        yield Progress("steps ahead", 0, 1)
        stretches = [stretch for one in films for stretch in self._observers[one.film.path].stretches.chosen]
        if stretches:
            places = np.unique(np.linspace(0, len(stretches) - 1, _MOST_STRETCHES).round().astype(int))
            some = [stretches[place] for place in places]
            reports.insert(0, score_forecasts(self.model, some, _mean(self.source), "these videos"))
        else:
            yield Note("no video is as long as a context and a horizon: steps ahead were not scored", warning=True)
        numbers: dict[str, Any] = {"task": self.model.handling.answer.task, "films": len(films), **_WITHOUT_STRETCHES}
        for report in reports:
            numbers |= report.numbers
        return Report(
            tables=tuple(table for report in reports for table in report.tables),
            sentences=tuple(sentence for report in reports for sentence in report.sentences),
            notes=tuple(note for report in reports for note in report.notes),
            numbers=numbers,
        )

    def _anomalies(self, films: Sequence[ScoredFilm]) -> Report:
        """How well the score of each frame by itself tells anomalies."""
        normal = self.model.handling.decision.anomaly
        measures = [one.moments.timeline.measures for one in films]
        scores = tuple(each["raw" if normal else "worst_block"] for each in measures)
        ours = Detector("this model", scores, tuple(each["mse"] for each in measures))
        signs = [np.asarray(self._observers[one.film.path].signs) for one in films]
        others = [Detector(name, tuple(one[:, place] for one in signs)) for place, name in enumerate(SIGNS)]
        truth = [_truth(one) for one in films]
        names = [str(one.film.path) for one in films]
        frames = normal.smoothing_frames if normal else 1
        return detection_report(names, truth, ours, others, smoothing_frames=frames).report()


def _truth(scored: ScoredFilm) -> NDArray[np.bool_]:
    """(steps,) whether each moment of the timeline is an anomaly."""
    assert scored.film.frames is not None and scored.moments.timeline.indices is not None
    anomalies: NDArray[np.bool_] = FrameLabels(scored.film.path, scored.film.frames).anomalous
    return anomalies[scored.moments.timeline.indices]


class _Observer:
    """Sees the frames of one film. It stores stretches of them and, with `signs`, the signs of motion."""

    def __init__(self, frames: int, channels: int, *, signs: bool) -> None:
        self.stretches = _Stretches(frames)
        self.signs: list[tuple[float, ...]] = []
        self._channels = channels
        self._signs = Signs() if signs else None

    def see(self, pixels: Pixels) -> None:
        """The next frames (count, height, width, 3)."""
        for frame in pixels:
            self.stretches.push(frame)
            if self._signs is not None:
                self.signs.append(self._signs.push(as_picture(frame, self._channels)))


class _Stretches:
    """Stretches of a film, without overlap and evenly spread. Their number is bounded, so that memory does not grow."""

    def __init__(self, frames: int) -> None:
        self.chosen: list[Pixels] = []
        self._frames, self._every, self._number = frames, 1, 0
        self._running: list[Pixels] = []

    def push(self, pixels: Pixels) -> None:
        """The next frame."""
        self._running.append(pixels)
        if len(self._running) < self._frames:
            return
        if self._number % self._every == 0:
            self.chosen.append(np.stack(self._running))
        self._running = []
        self._number += 1
        if len(self.chosen) > _MOST_STRETCHES:
            self.chosen, self._every = self.chosen[::2], 2 * self._every


def _mean(source: Path) -> MeanImage | None:
    """The mean image of the films that the model learnt from; None without the model's weights."""
    try:
        picture = stored_tensor(source, "mean_image")
    except ModelError:
        return None
    mean = MeanImage()
    mean.add(np.ascontiguousarray(picture.transpose(1, 2, 0)[None]))
    return mean
