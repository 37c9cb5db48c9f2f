"""A film and the answer for it become an explanation."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from vidrnn.errors import FilmError
from vidrnn.events import Progress, through
from vidrnn.explain.anomalies import anomaly_stretches, find_blocks
from vidrnn.explain.base import Curve, Explanation, Places, Reason
from vidrnn.explain.moments import Question, film_question, find_curve, segment_question, stretches_of
from vidrnn.explain.places import Moment, decisive_steps, find_places, moment_of, patches_of
from vidrnn.explain.reading import FRAMES_ALONG, EncodedFilm, Judge, encode_film, read_frames, small, steps_along
from vidrnn.predict.predictor import Predictor
from vidrnn.runtimes.base import Features
from vidrnn.values import FilmPrediction, Pixels, Segment

Result = TypeVar("Result")
MOST_REASONS = 24
"""So many answers are explained at most: the longest segments."""
MOST_MAPPED = 8
"""For so many of them it is shown where."""
_MOMENTS_OF_FILM, _MOMENTS_OF_SEGMENT = 3, 1
"""So many moments of an answer are mapped at most."""


def explain(predictor: Predictor, prediction: FilmPrediction) -> Generator[Progress, None, Explanation]:
    """Say why a model gave its answers for a film. The film is read again, two or three times.

    Args:
        predictor: the model with the options that the answer was given with.
        prediction: the answer.

    Raises:
        FilmError: the film cannot be read once more.
        ModelError: answers of this kind cannot be explained.
    """
    if predictor.model.handling.answer.kind == "picture":
        return (yield from _explain_anomalies(predictor, prediction))
    return (yield from _explain_scores(predictor, prediction))


@dataclass(frozen=True, eq=False)
class _Asked:
    """An answer to be explained."""

    label: str
    probability: float
    start_seconds: float
    end_seconds: float
    question: Question
    of_film: bool

    @property
    def answer(self) -> tuple[str, float, float, float]:
        """The label, its probability, and the seconds at which it begins and ends."""
        return self.label, self.probability, self.start_seconds, self.end_seconds


@dataclass
class _Sight:
    """What is to be seen of an answer: maps of moments, and frames along its curve."""

    places: tuple[Places, ...] = ()
    frames: tuple[tuple[float, Pixels], ...] = ()


def _explain_scores(predictor: Predictor, prediction: FilmPrediction) -> Generator[Progress, None, Explanation]:
    model, task, rule = predictor.model, predictor.task, predictor.options.rule
    rate, window = predictor.rate_for(prediction.path), model.handling.sampling.frames
    film = yield from encode_film(model, task, rule, prediction.path, rate)
    asked, notes = _asked(predictor, prediction, film, Judge(model, task, rule))
    hidden, curves = film.features.mean(0), list[Curve]()
    counts = [len(stretches_of(len(one.question.film.seconds), window)) for one in asked]
    for number, one in enumerate(asked):
        curve = find_curve(one.question, hidden, window)
        curves.append((yield from _of_all(curve, sum(counts[:number]), sum(counts))))
    sights = [_Sight() for _ in asked]
    if model.handling.features is None:
        sights = yield from _look(predictor, film, asked, curves)
        if len(asked) > MOST_MAPPED:
            notes += (f"Where: only for the first {MOST_MAPPED} of {len(asked)} answers.",)
    elif asked:
        notes += ("Where: this model reads features, which show no places.",)
    reasons = [
        Reason(*one.answer, curve, sight.places, sight.frames, one.of_film)
        for one, curve, sight in zip(asked, curves, sights, strict=True)
    ]
    return Explanation(prediction, "evidence", tuple(reasons), notes)


def _asked(
    predictor: Predictor, prediction: FilmPrediction, film: EncodedFilm, judge: Judge
) -> tuple[list[_Asked], tuple[str, ...]]:
    """The answers to be explained, that of the film first, and what is left out."""
    handling, notes = predictor.model.handling, list[str]()
    asked: list[_Asked] = []
    first = float(film.seconds[0])
    if prediction.top:
        best = prediction.top[0]
        if prediction.label != best.label:
            notes.append(f"The answer is {prediction.label}, so the most probable class is explained: {best.label}.")
        question = film_question(judge, film, best.label)
        end = first + prediction.duration_seconds
        asked.append(_Asked(best.label, best.probability, first, end, question, of_film=True))
    known = [segment for segment in prediction.segments if segment.label in handling.answer.classes]
    if asked and len(known) < 2:  # the one segment is the film
        known = []
    for segment in _longest(known, MOST_REASONS - len(asked)):
        question = segment_question(judge, film, segment, handling.sampling.frames)
        span = (segment.start_seconds, segment.end_seconds)
        asked.append(_Asked(segment.label, segment.probability, *span, question, of_film=False))
    if len(known) > MOST_REASONS - bool(prediction.top):
        notes.append(f"Only the longest of {len(known)} segments are explained.")
    if not asked:
        notes.append("There is no segment with a label, so there is nothing to explain.")
    return asked, tuple(notes)


def _longest(segments: Sequence[Segment], count: int) -> list[Segment]:
    """The longest segments, in the order of the film."""
    longest = sorted(segments, key=lambda one: one.start_seconds - one.end_seconds)[:count]
    return sorted(longest, key=lambda one: one.start_seconds)


def _look(
    predictor: Predictor, film: EncodedFilm, asked: Sequence[_Asked], curves: Sequence[Curve]
) -> Generator[Progress, None, list[_Sight]]:
    """For each answer the maps of its most decisive moments, and frames along its curve."""
    model, sights = predictor.model, [_Sight() for _ in asked]
    mapped = list(zip(asked, curves, strict=True))[:MOST_MAPPED]
    moments = [_moments(one, curve, film.features.mean(0)) for one, curve in mapped]
    along = [steps_along(len(curve.seconds), FRAMES_ALONG) for _, curve in mapped]
    wanted = {
        one.question.first + step
        for (one, _), each, shown in zip(mapped, moments, along, strict=True)
        for step in (*shown, *(step for moment in each for step in moment.together))
    }
    frames = yield from read_frames(model, film, wanted)
    if missing := wanted - set(frames):
        raise FilmError(f"{film.path}: frame {min(missing)} cannot be read once more. Has the video changed?")
    parts, mapped_before = len(patches_of(model.handling.size)), 0
    total = parts * sum(map(len, moments))
    for sight, (one, curve), each, shown in zip(sights, mapped, moments, along, strict=False):
        first = one.question.first
        sight.frames = tuple((float(curve.seconds[step]), small(frames[first + step].shown)) for step in shown)
        for moment in each:
            places = find_places(model, one.question, moment, frames)
            sight.places += ((yield from _of_all(places, parts * mapped_before, total)),)
            mapped_before += 1
    return sights


def _of_all(steps: Generator[Progress, None, Result], before: int, total: int) -> Generator[Progress, None, Result]:
    """One of several pieces of work, whose steps are counted together; `before` of them were done before."""
    return through(steps, lambda event: [Progress(event.stage, before + event.done, total)])


def _moments(asked: _Asked, curve: Curve, hidden: Features) -> list[Moment]:
    steps = len(curve.seconds)
    spacing = float(np.median(np.diff(curve.seconds))) if steps > 1 else 1.0
    length = max(1, round(curve.stretch_seconds / spacing))
    count = _MOMENTS_OF_FILM if asked.of_film else _MOMENTS_OF_SEGMENT
    return [moment_of(asked.question, hidden, step) for step in decisive_steps(curve, count, length)]


def _explain_anomalies(predictor: Predictor, prediction: FilmPrediction) -> Generator[Progress, None, Explanation]:
    rule = predictor.options.rule
    stretches = anomaly_stretches(prediction)
    shown = _longest(stretches, MOST_REASONS)
    curve, blocks, frames = yield from find_blocks(
        predictor.model, rule, prediction, tuple(shown), predictor.rate_for(prediction.path)
    )
    reasons = []
    for stretch, places in zip(shown, blocks, strict=True):
        if places is not None:
            answer = (stretch.label, stretch.probability, stretch.start_seconds, stretch.end_seconds)
            reasons.append(Reason(*answer, curve, (places,), frames))
    notes = []
    if not {*stretches} & {*prediction.segments}:
        notes.append("No frame is an anomaly. The frame that is nearest to one is shown.")
    if rule.anomaly is None:
        notes.append("The model does not know what is normal, so the numbers are root errors of brightness.")
    if len(stretches) > len(shown):
        notes.append(f"Only the longest of {len(stretches)} anomalies are explained.")
    if not reasons:
        notes.append("The video is too short: no frame has a prediction.")
    return Explanation(prediction, "surprise", tuple(reasons), tuple(notes))
