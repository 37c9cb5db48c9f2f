"""A model of the next frames and films become scores: how near it foretells them, and how well it tells unusual frames.

Films that the model learnt from are left out unless they are named. Where each frame is labelled, what is unusual is
told by one step ahead, beside baselines that need no learning, on the same frames.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.data.films import read_films
from vidrnn.data.frame_labels import FrameLabels, is_frame_manifest, read_frame_labels
from vidrnn.errors import DataError, FilmError, ModelError
from vidrnn.evaluate.anomaly_metrics import DetectionReport, Detector, detection_report
from vidrnn.evaluate.baselines import SIGNS, MeanImage, Signs
from vidrnn.evaluate.evaluator import SplitName, of_split
from vidrnn.evaluate.forecast_scores import appraise
from vidrnn.events import ForecastScores, LeftOut, Note, Progress, RunEvent
from vidrnn.model.checkpoint import stored_tensor
from vidrnn.runtimes.base import FrameRuntime
from vidrnn.tasks.next_frame import Showing, as_painted
from vidrnn.threads import map_in_order
from vidrnn.values import FilmFailure, LabelledFilm, Pixels

_MOST_STRETCHES = 256
"""That the steps ahead are measured on, evenly chosen."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FramesEvaluation:
    """What a model of the next frames scores."""

    foretold: ForecastScores | None
    """None where no film is as long as a context and a horizon."""
    detection: DetectionReport | None
    """None where frames are not labelled."""
    films: int
    seen: int
    """Films left out because the model learnt from them or was chosen on them."""
    failures: tuple[FilmFailure, ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The object that `vidrnn evaluate --json` prints."""
        told: dict[str, Any] = {
            "task": "next-frame",
            "films": self.films,
            "skipped": len(self.failures),
            "seen": self.seen,
            "seconds": round(self.seconds, 3),
        }
        if self.foretold:
            told |= {
                "stretches": self.foretold.stretches,
                **asdict(self.foretold.model.overall),
                "per_step": [asdict(step) for step in self.foretold.model.per_step],
                "baselines": {
                    row.name: {**asdict(row.overall), "per_step": [asdict(step) for step in row.per_step]}
                    for row in self.foretold.rows[:-1]
                },
                "sentence": self.foretold.sentence,
                "definitions": list(self.foretold.definitions),
            }
        if self.detection:
            told |= self.detection.as_json()
        return told | {"failures": [{"path": str(one.path), "error": one.reason} for one in self.failures]}


@dataclass(frozen=True)
class _Watched:
    """One film, watched to its end."""

    film: LabelledFilm
    truth: NDArray[np.bool_] | None
    """Of the frames that the model saw."""
    score: Floats
    mse: Floats
    signs: Floats
    """(frames, signs)"""
    stretches: tuple[Pixels, ...]


def evaluate_frames(
    model: FrameRuntime, source: Path, data: Path, split: SplitName | None, *, rate: float | None, jobs: int
) -> Generator[RunEvent, None, FramesEvaluation]:
    """Watch every film that `split` names; events on the way, the evaluation in the end.

    Args:
        model: any runtime.
        source: where the model was read from, for the mean image of its training films.
        data: films, a folder of them, a CSV of paths, or one of path,frame,label.
        split: None: all films but those that the model learnt from or was chosen on.
        rate: frames per second of films that are folders of pictures.
        jobs: films worked on at once.

    Raises:
        DataError: there is nothing to score.
    """
    started = time.monotonic()
    labels: dict[Path, FrameLabels] = {}
    if is_frame_manifest(data):
        labelled = read_frame_labels(data)
        labelled.check_two_kinds(data)
        labels = {one.path: one for one in labelled.films}
        named, failures, notes = [LabelledFilm(path, "") for path in labels], [*labelled.failures], labelled.notes
    else:
        listed = read_films(data)
        named, failures, notes = [*listed.films], [*listed.failures], listed.notes
    yield from (Note(text) for text in notes)
    films, seen = of_split(named, model.header.seen, split, data)

    def watch(film: LabelledFilm) -> _Watched | FilmFailure:
        try:
            return _watched(model, film, labels.get(film.path), rate)
        except FilmError as error:
            return FilmFailure.of(film.path, error)

    watched: list[_Watched] = []
    for done, found in enumerate(map_in_order(watch, films, jobs), 1):
        if isinstance(found, FilmFailure):
            failures.append(found)
        else:
            watched.append(found)
        yield Progress("watching", done, len(films))
    if failures:
        yield LeftOut(tuple(failures))
    if not watched:
        raise DataError(
            f"{data}: none of its {len(films)} films can be used; the first: {failures[0].path}: {failures[0].reason}"
        )
    detection = _detection(model, watched) if labels else None
    yield Progress("steps ahead", 0, 1)
    foretold = _foretold(model, source, watched)
    if foretold is None:
        yield Note("no film is as long as a context and a horizon: steps ahead were not scored", warning=True)
    seconds = time.monotonic() - started
    return FramesEvaluation(foretold, detection, len(watched), seen, tuple(failures), seconds)


class _Stretches:
    """Stretches of a film that do not overlap, evenly over it; of a long one not all, so that memory does not grow."""

    def __init__(self, frames: int) -> None:
        self.kept: list[Pixels] = []
        self._frames, self._every, self._number = frames, 1, 0
        self._running: list[Pixels] = []

    def push(self, pixels: Pixels) -> None:
        """The next frame."""
        self._running.append(pixels)
        if len(self._running) < self._frames:
            return
        if self._number % self._every == 0:
            self.kept.append(np.stack(self._running))
        self._running = []
        self._number += 1
        if len(self.kept) > _MOST_STRETCHES:
            self.kept, self._every = self.kept[::2], 2 * self._every


def _watched(model: FrameRuntime, film: LabelledFilm, labels: FrameLabels | None, rate: float | None) -> _Watched:
    handling = model.handling
    showing, signs = Showing(model, film.path, rate), Signs()
    stretches = _Stretches(handling.context + handling.horizon)
    told: list[tuple[float, ...]] = []
    for frame, _ in showing.frames():
        stretches.push(frame.pixels)
        if labels:
            told.append(signs.push(as_painted(frame.pixels, handling.channels)))
    found = showing.found
    assert found is not None
    truth = None
    if labels:
        labels.check_length(found.frames)
        truth = labels.anomalous[np.asarray(found.errors.indices)]
    score = np.asarray(found.errors.raw if handling.usual else found.errors.worst_block)
    return _Watched(film, truth, score, np.asarray(found.errors.mse), np.asarray(told), tuple(stretches.kept))


def _detection(model: FrameRuntime, watched: Sequence[_Watched]) -> DetectionReport:
    """How well the raw score, from the past alone, tells unusual frames."""
    usual = model.handling.usual
    ours = Detector("this model", tuple(one.score for one in watched), tuple(one.mse for one in watched))
    others = [Detector(name, tuple(one.signs[:, place] for one in watched)) for place, name in enumerate(SIGNS)]
    truth = [one.truth for one in watched if one.truth is not None]
    names = [str(one.film.path) for one in watched]
    return detection_report(names, truth, ours, others, smoothing_frames=usual.smoothing_frames if usual else 1)


def _foretold(model: FrameRuntime, source: Path, watched: Sequence[_Watched]) -> ForecastScores | None:
    stretches = [stretch for one in watched for stretch in one.stretches]
    if not stretches:
        return None
    places = np.unique(np.linspace(0, len(stretches) - 1, _MOST_STRETCHES).round().astype(int))
    return appraise(model, [stretches[place] for place in places], _mean(source), "these films")


def _mean(source: Path) -> MeanImage | None:
    """The mean image of the films that a model learnt from; None where its weights are not at hand."""
    try:
        picture = stored_tensor(source, "mean_image")
    except ModelError:
        return None
    mean = MeanImage()
    mean.add(np.ascontiguousarray(picture.transpose(1, 2, 0)[None]))
    return mean
