"""Next-frame prediction: a frame that differs from its prediction is an anomaly.

The model reads one frame at a time and carries its state, so a film may have any length. It reads pictures of 8 bits,
also where they are its own predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vidrnn.data.films import LabelledData
from vidrnn.data.frame_labels import is_frame_manifest, read_frame_labels
from vidrnn.errors import ModelError
from vidrnn.runtimes.base import Runtime, State
from vidrnn.tasks.base import Task
from vidrnn.timeline.anomaly import FrameError, Surprise, TrailingMean, decibels, frame_error, normalised_in_film
from vidrnn.timeline.reading import Ending, Moments, Reader
from vidrnn.timeline.segments import ANOMALY, NORMAL, for_class
from vidrnn.values import (
    AnswerSpec,
    DecisionRule,
    FilmMoments,
    FilmPrediction,
    Floats,
    ForecastFrame,
    LabelledFilm,
    Pixels,
    PredictionOptions,
    Timeline,
)
from vidrnn.video.reader import open_film

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig, RunConfig
    from vidrnn.data.dataset import Dataset
    from vidrnn.data.splits import Split
    from vidrnn.events import RunEvent

Picture = NDArray[np.float32]
"""(..., height, width, channels) in [0, 1]."""

WARM_FRAMES = 2
"""The first frames of a film have no score, since motion shows only after them."""
MEASURES = ("mse", "worst_block", "raw", "score")
"""Of each moment: the squared error of a pixel, that of the worst block, the anomaly score, and the smoothed score."""
_FLOW, _WEIGHT = "decoder.flow", "decoder.weight"
"""In the state of a model with a flow: the weighted sum of the flow, and the sum of the weights."""
_LEAST_WEIGHT = 1e-3
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""The weights of red, green and blue in brightness: ITU-R BT.601."""


class NextFrame(Task):
    """What the next frames are, and where a video is not as it normally is."""

    name = "next-frame"
    lesson = "vidrnn.train.lessons.next_frame:NextFrameTeacher"
    scorer = "vidrnn.evaluate.next_frame:NextFrameScorer"
    outputs = ("next",)
    settings = frozenset(
        {
            *("track", "license"),
            *("data", "task", "encoder", "weights", "fine_tune", "grey", "head", "context", "horizon", "decoder"),
            *("spacing_seconds", "height", "width", "rate", "max_pixels", "flip"),
            *("epochs", "minutes", "minibatch", "learning_rate", "weight_decay", "patience", "seed"),
            *("jobs", "shares", "checkpoint_minutes", "cache_size", "test", "report"),
            *("threshold", "hysteresis", "shortest", "rollout", "normalised"),
        }
    )
    columns = ("anomaly", "mse", "segments", "duration_seconds", "frames", "notes")
    labelled = False
    defaults: ClassVar[Mapping[str, Any]] = {"head.name": "convgru", "weight_decay": 1e-4}

    @override
    def read(
        self, data: Path, *, to_train: bool, features: Path | None = None, labels: LabelsConfig | None = None
    ) -> LabelledData:
        """Films without labels; to evaluate, a CSV with a label for each frame as well."""
        from vidrnn.data.listing.labelled import read_films  # here, since a prediction reads no DATA

        if to_train or not is_frame_manifest(data):
            return read_films(data)
        labelled = read_frame_labels(data)
        labelled.check_two_kinds(data)
        films = tuple(LabelledFilm(film.path, frames=film.labels) for film in labelled.films)
        return LabelledData(films, labelled.failures, labelled.notes)

    @override
    def usable(self, dataset: Dataset, config: RunConfig, data: Path) -> Generator[RunEvent, None, Dataset]:
        from vidrnn.data.usable.stretches import usable_stretches

        return (yield from usable_stretches(dataset, config, data))

    @override
    def split(self, dataset: Dataset, config: RunConfig, *, test: bool) -> Split:
        from vidrnn.data.usable.stretches import split_stretches

        return split_stretches(dataset, config, test=test)

    @override
    def target(self, film: LabelledFilm, answer: AnswerSpec, frames: NDArray[np.int64]) -> NDArray[Any]:
        """No truth: a prediction is compared with the next frames themselves."""
        return np.asarray(-1, dtype=np.int64)

    @override
    def reader(self, model: Runtime, rule: DecisionRule) -> Reader:
        return AnomalyReader(model, rule)

    @override
    def live_reader(self, model: Runtime, rule: DecisionRule) -> Reader:
        if rule.anomaly is None:
            raise ModelError(
                "the model: was trained without validation videos, so it does not know how large errors normally are, "
                "and cannot tell anomalies. Train it on more videos."
            )
        return self.reader(model, rule)

    @override
    def prediction(self, film: FilmMoments, options: PredictionOptions) -> FilmPrediction:
        measures = film.timeline.measures
        scores, mse = measures["score"], measures["mse"]
        shown = {"mse": mse, "psnr": decibels(mse), "worst_block": measures["worst_block"], "anomaly": scores}
        if options.normalised:
            shown["anomaly_in_film"] = normalised_in_film(mse)
        known = ~np.isnan(mse)
        notes = film.notes
        if not known.any():
            count = len(mse)
            notes += (f"Only {count} frame{'s' * (count != 1)}: too few to predict and judge any.",)
        timeline = film.timeline
        return FilmPrediction(
            path=film.path,
            segments=film.segments,
            duration_seconds=float(film.end_seconds - timeline.seconds[0]),
            frames=film.frames,
            measures={
                "anomaly": float(np.nanmax(scores)) if not np.isnan(scores).all() else float("nan"),
                "mse": float(mse[known].mean()) if known.any() else float("nan"),
            },
            notes=notes,
            threshold=for_class(options.rule.threshold, ANOMALY, 0.5),
            timeline=Timeline(timeline.classes, timeline.seconds, timeline.probabilities, timeline.indices, shown),
        )

    @override
    def pictures(
        self, model: Runtime, path: Path, options: PredictionOptions
    ) -> Callable[[], Iterator[ForecastFrame]] | None:
        return lambda: forecast_frames(model, path, options)


def as_picture(frames: Pixels, channels: int) -> Picture:
    """Frames (..., 3) uint8 in the form of predictions: (..., channels) in [0, 1], brightness if `channels` is 1."""
    if channels == 1:
        return np.asarray(frames @ (_LUMA / 255), dtype=np.float32)[..., None]
    return np.asarray(frames / np.float32(255), dtype=np.float32)


def as_pixels(picture: Picture) -> Pixels:
    """A predicted picture as pixels (..., 3) of 8 bits; a grey one has three equal colours."""
    pixels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return np.repeat(pixels, 3, -1) if pixels.shape[-1] == 1 else pixels


def predict_next(model: Runtime, frames: Pixels, state: State | None) -> tuple[Picture, State]:
    """Predict the frame after the newest one of each video.

    Args:
        model: a runtime whose answer is a picture.
        frames: (batch, height, width, 3) uint8 RGB at the model's size, one frame of each video.
        state: what this returned for the frames before; None for a fresh start.

    Returns:
        (batch, height, width, channels) in [0, 1], and the state.
    """
    outputs, state = model.read(frames[:, None], state)
    return outputs["next"][:, 0], state


def channels_of(model: Runtime) -> int:
    """The channels of the pictures that a model predicts: 1 if they are grey, else 3."""
    assert model.handling.forecast is not None
    return model.handling.forecast.channels


def rollouts(model: Runtime, contexts: Pixels, horizon: int) -> Picture:
    """Predictions (batch, horizon, height, width, channels) after contexts (batch, time, height, width, 3).

    The state starts fresh. After the context the model reads its own predictions.
    """
    state: State | None = None
    for step in range(contexts.shape[1]):
        predicted, state = predict_next(model, contexts[:, step], state)
    ahead = [predicted]
    for _ in range(horizon - 1):
        predicted, state = predict_next(model, as_pixels(predicted), state)
        ahead.append(predicted)
    return np.stack(ahead, 1)


@dataclass(frozen=True)
class Judgement:
    """A frame beside its prediction."""

    predicted: Picture
    """(height, width, channels), predicted from the frames before."""
    error: FrameError
    squared: NDArray[np.float32]
    """(height, width): the squared error of each pixel."""
    speed: NDArray[np.float32] | None
    """(height, width): how fast each pixel moves, in pixels a frame; None for a model without a flow."""
    raw: float
    """The anomaly score in (0, 1) of this frame alone; NaN where the model has no calibration."""
    score: float
    """The anomaly score, averaged over the last frames."""


class FrameJudge:
    """Compares each frame of one film with its prediction. Its memory does not grow."""

    def __init__(self, model: Runtime, rule: DecisionRule) -> None:
        self._model = model
        self._channels = channels_of(model)
        normal = rule.anomaly
        self._surprise = Surprise(normal) if normal else None
        self._mean = TrailingMean(normal.smoothing_frames if normal else 1)
        self._seen = 0
        self._state: State | None = None
        self._next: Picture | None = None

    def push(self, pixels: Pixels) -> Judgement | None:
        """Judge the next frame (height, width, 3) of the model's size and grid; None for the first frames of a film."""
        predicted = self._next if self._seen >= WARM_FRAMES else None
        following, self._state = predict_next(self._model, pixels[None], self._state)
        self._next = following[0]
        self._seen += 1
        return None if predicted is None else self._judge(predicted, as_picture(pixels, self._channels))

    def go_on(self, frames: int) -> Iterator[Picture]:
        """Predict frames beyond the newest one. The judge stays as it is."""
        picture, state = self._next, self._state
        for step in range(frames):
            if picture is None:
                raise ValueError("there is no frame to go on from")
            yield picture
            if step + 1 < frames:
                batch, state = predict_next(self._model, as_pixels(picture)[None], state)
                picture = batch[0]

    def _judge(self, predicted: Picture, true: Picture) -> Judgement:
        squared, speed = np.square(predicted - true).mean(-1), self._speed()
        surprise = self._surprise.of(squared, speed) if self._surprise else float("nan")
        raw = self._surprise.score(surprise) if self._surprise else float("nan")
        return Judgement(predicted, frame_error(predicted, true), squared, speed, raw, self._mean.push(raw))

    def _speed(self) -> NDArray[np.float32] | None:
        """The speed of each pixel of the newest frame, in pixels a frame; None for a model without a flow."""
        state = self._state or {}
        if _FLOW not in state:
            return None
        down, across = state[_FLOW][0] / np.maximum(state[_WEIGHT][0], _LEAST_WEIGHT)
        return np.asarray(np.hypot(down, across)[: self._model.handling.size.height, : self._model.handling.size.width])


class AnomalyReader(Reader):
    """Gives for each frame of one film the probability of an anomaly, and the errors of the prediction.

    A prediction needs the frames right before it: after lost frames the judge starts afresh.
    """

    classes = (NORMAL, ANOMALY)

    def __init__(self, model: Runtime, rule: DecisionRule) -> None:
        self._model, self._rule = model, rule
        self._judge = FrameJudge(model, rule)
        self._newest = np.full(2, np.nan)

    @override
    def prepare(self, pixels: Pixels, before: Pixels | None) -> Pixels:
        return np.array(pixels)

    @override
    def read(self, prepared: Pixels) -> Moments:
        rows = [_row(self._judge.push(pixels)) for pixels in prepared]
        numbers = np.asarray(rows, dtype=np.float64).reshape(-1, len(MEASURES))
        score = numbers[:, MEASURES.index("score")]
        if len(score):
            self._newest = np.asarray([1 - score[-1], score[-1]])
        return Moments(np.stack([1 - score, score], 1), dict(zip(MEASURES, numbers.T, strict=True)))

    @override
    def now(self) -> Floats:
        return self._newest

    @override
    def finish(self) -> Ending:
        nothing = np.zeros(0)
        return Ending(Moments(np.zeros((0, 2)), dict.fromkeys(MEASURES, nothing)), None)

    @override
    def skip(self, frames: int) -> None:
        if frames:
            self._judge = FrameJudge(self._model, self._rule)


def _row(judged: Judgement | None) -> tuple[float, ...]:
    if judged is None:
        return (float("nan"),) * len(MEASURES)
    return judged.error.mse, judged.error.worst_block, judged.raw, judged.score


def forecast_frames(model: Runtime, path: Path, options: PredictionOptions) -> Iterator[ForecastFrame]:
    """The frames of a film on the model's grid with their predictions, then predictions beyond the film's end.

    Raises:
        FilmError: the film cannot be read.
    """
    handling, channels = model.handling, channels_of(model)
    judge = FrameJudge(model, options.rule)
    size, nan = handling.size, float("nan")
    seconds = 0.0
    with open_film(path, rate=options.rate) as film:
        for frame in film.sampled(handling.sampling.spacing_seconds, size=size):
            judged, seconds = judge.push(frame.pixels), frame.seconds
            shown = as_pixels(as_picture(frame.pixels, channels))
            predicted = as_pixels(judged.predicted) if judged else None
            yield ForecastFrame(frame.seconds, shown, predicted, judged.score if judged else nan)
    black = np.zeros((size.height, size.width, 3), np.uint8)
    for step, picture in enumerate(judge.go_on(options.rollout), 1):
        at = seconds + step * handling.sampling.spacing_seconds
        yield ForecastFrame(at, black, as_pixels(picture), nan, beyond=step)
