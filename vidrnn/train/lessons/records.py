"""What a run stores of its answers, so that its page can be drawn without its films: `answers.json`."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np

from vidrnn.data.dataset import Dataset
from vidrnn.data.splits import fold_films
from vidrnn.evaluate.tracks import FilmTracks
from vidrnn.events import Progress, RunEvent
from vidrnn.report.answers import Answers, FilmAnswers, Scored, rounded
from vidrnn.report.recording import film_record, histograms_of, with_answer, with_curve, with_guess
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.tasks.next_frame import FrameJudge
from vidrnn.timeline.segments import softmax
from vidrnn.train.controls import THIS_MODEL, ClipOutcome
from vidrnn.train.frame_sequences import FrameSequence
from vidrnn.train.label_controls import LabelOutcome
from vidrnn.train.learner import Learner, Setting
from vidrnn.train.lessons.guesses import guess_clips, guess_films
from vidrnn.train.moments import Moments
from vidrnn.values import DecisionRule, Floats, Part, Pixels

_JUDGED_FRAMES = 600
"""The most frames of all films whose anomaly scores are stored, so that this costs seconds."""
_OF_FOLDS = "The models of the folds said this, each of groups that it had not seen."


def record_clips(
    learner: Learner, decision: DecisionRule, outcome: ClipOutcome | None, folder: Path
) -> Generator[RunEvent, None, Answers]:
    """The answers of a model of clips; `folder`: that of DATA."""
    setting, dataset = learner.setting, learner.setting.dataset
    assert isinstance(decision.temperature, float)
    answers = np.full((len(dataset.films), len(dataset.classes)), np.nan)
    scored: Scored = "test" if learner.ready(Part.TEST) else "val"
    places = learner.ready(Part(scored))
    answers[places] = softmax(learner.scores(places), decision.temperature)
    if outcome and outcome.folds:
        scored = "folds"
        answers[_order_of_folds(setting, outcome.folds)] = softmax(outcome.scores[Part.TEST], decision.temperature)
        guesses, how = answers, _OF_FOLDS
    else:
        guesses, how = yield from guess_clips(learner)
    films = []
    for place, record in enumerate(_films(dataset, setting.split.parts, folder)):
        update = {
            "truth": int(dataset.labels[place]),
            "answer": None if np.isnan(answers[place]).any() else rounded(answers[place]),
            "guess": None if np.isnan(guesses[place]).any() else rounded(guesses[place]),
        }
        films.append(record.model_copy(update=update))
    return Answers(scored=scored, classes=dataset.classes, films=tuple(films), guessed_by=how)


def record_films(
    learner: Learner,
    moments: Moments,
    decision: DecisionRule,
    tracks: Sequence[FilmTracks],
    outcome: LabelOutcome | None,
    folder: Path,
) -> Generator[RunEvent, None, Answers]:
    """The answers of a model of frames.

    Args:
        learner: holds the model.
        moments: turns its scores into tracks.
        decision: the rule of the model.
        tracks: of the films of the test part, else of validation.
        outcome: of the folds, if there were any.
        folder: that of DATA.
    """
    setting, answer = learner.setting, learner.setting.answer
    scored: Scored = "test" if setting.places(Part.TEST) else "val"
    places = list(setting.places(Part(scored)))
    if outcome and outcome.folds:
        scored, tracks = "folds", outcome.tracks[THIS_MODEL][Part.TEST]
        places = _order_of_folds(setting, outcome.folds)
        guesses, how = dict(zip(places, tracks, strict=True)), _OF_FOLDS
    else:
        found, how = yield from guess_films(learner, moments, decision)
        guesses = dict(enumerate(found))
    mine = dict(zip(places, tracks, strict=True))
    films = []
    for place, film in enumerate(_films(setting.dataset, setting.split.parts, folder)):
        record = with_guess(film, guesses[place], answer) if place in guesses else film
        films.append(with_answer(record, mine[place], answer) if place in mine else record)
    shares, sure = histograms_of(tracks, answer)
    return Answers(
        scored=scored,
        classes=answer.classes,
        films=tuple(films),
        several=answer.kind == "several",
        shares=shares,
        sure=sure,
        guessed_by=how,
    )


def record_sequences(
    runtime: TorchRuntime, decision: DecisionRule, films: Sequence[tuple[FilmAnswers, Pixels]], scored: Part
) -> Generator[RunEvent, None, Answers]:
    """The anomaly scores of a model of the next frames.

    Args:
        runtime: of the model.
        decision: its rule.
        films: each with its frames (steps, height, width, 3) on the grid of the model.
        scored: the part whose films are judged.
    """
    spacing = runtime.handling.sampling.spacing_seconds
    left, records = _JUDGED_FRAMES if decision.anomaly else 0, []
    for film, frames in films:
        if film.part is scored and left > 0:
            yield Progress("anomaly scores", _JUDGED_FRAMES - left, _JUDGED_FRAMES)
            some = frames[:left]
            left -= len(some)
            seconds = film.start_seconds + spacing * np.arange(len(some))
            records.append(with_curve(film, np.asarray(seconds), _judged(runtime, decision, some)))
        else:
            records.append(film)
    part: Scored = "test" if scored is Part.TEST else "val"
    return Answers(scored=part, classes=(), films=tuple(records))


def sequence_record(sequence: FrameSequence, dataset: Dataset, spacing_seconds: float, folder: Path) -> FilmAnswers:
    """The record of a film without labels, or of the part of one that is on one side of the split."""
    place = sequence.place
    film = film_record(dataset.films[place], dataset.scans[place], sequence.part, dataset.groups[place], folder)
    start = film.start_seconds + sequence.first * spacing_seconds
    end = min(film.end_seconds, start + len(sequence.frames) * spacing_seconds)
    return film.model_copy(update={"start_seconds": start, "end_seconds": end, "frames": len(sequence.frames)})


def _judged(runtime: TorchRuntime, decision: DecisionRule, frames: Pixels) -> Floats:
    """(steps,) the anomaly score of each frame of a film; NaN for the first ones."""
    judge = FrameJudge(runtime, decision)
    judged = [judge.push(frame) for frame in frames]
    return np.asarray([np.nan if one is None else one.raw for one in judged])


def _films(dataset: Dataset, parts: Sequence[Part], folder: Path) -> list[FilmAnswers]:
    return [
        film_record(film, scan, part, group, folder)
        for film, scan, part, group in zip(dataset.films, dataset.scans, parts, dataset.groups, strict=True)
    ]


def _order_of_folds(setting: Setting, folds: int) -> list[int]:
    """The places of the clips in the order in which folds answer them."""
    splits = fold_films(setting.dataset.films, setting.dataset.grouping, folds, seed=setting.config.seed)
    return [place for split in splits for place in split.indices(Part.TEST)]
