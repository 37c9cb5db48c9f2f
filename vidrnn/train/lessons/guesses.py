"""Guesses out of fold: what a linear model says of each clip or frame after it has learnt from other groups only.

They tell which labels are probably wrong. A model that has learnt a wrong label repeats it, so the model of a run says
little of its own training data. Linear models of frozen features cost seconds.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from vidrnn.data.splits import hold_out_groups
from vidrnn.evaluate.tracks import FilmTracks
from vidrnn.events import Progress, RunEvent
from vidrnn.nets.scoring import Features
from vidrnn.timeline.segments import softmax
from vidrnn.train.label_controls import with_neighbours
from vidrnn.train.learner import Learner
from vidrnn.train.moments import Moments, Scored
from vidrnn.train.search import probes
from vidrnn.train.search.evidence import small_clips
from vidrnn.values import DecisionRule, Floats

_FOLDS = 5
_MOST_CLIPS, _MOST_STEPS = 1500, 6000
"""The most clips or steps that one linear model learns from, so that large sets cost seconds, too."""
_COMPONENTS, _STRENGTH = 128, 0.05
"""Principal components of the vectors of steps, and the inverse strength of the regularisation."""
_PIECE = 8192
"""Steps whose vectors are in memory at once."""
_NEVER = -30.0
"""The score of a class that no step shows."""
_NEAR_SECONDS = 1.0
"""A step's guess sees the mean of the features over so much time on both sides."""
OF_CLIPS = "A linear model of the features said this of each clip, after it had learnt from clips of other groups only."
OF_PICTURES = (
    "A linear model of small pictures said this of each clip, after it had learnt from clips of other groups only. The "
    "features are not used, since their encoder has learnt these labels."
)
OF_STEPS = "A linear model of the features said this of each video, after it had learnt from other groups only."
OF_LEARNT_ENCODER = (
    "There are no suspects: the encoder of this run has learnt these labels, so its features repeat them. Train with "
    "--folds, or without --fine-tune and with a pretrained --encoder."
)


def guess_clips(learner: Learner) -> Generator[RunEvent, None, tuple[Floats, str]]:
    """The probabilities (clips, classes) of each clip out of fold, NaN for clips that are not ready; and how."""
    dataset, setting = learner.setting.dataset, learner.setting
    places = [place for place in range(len(dataset.films)) if place in learner.plain or place in learner.fine]
    if learner.frozen:
        yield from learner.prepare(places, to_train=False)
        change = learner.head.motion
        vectors = np.stack([probes.statistics_of(clip, change=change) for clip in learner.features(places)])
        kind, settings, how = probes.fit_logistic, probes.STRENGTHS, OF_CLIPS
    else:
        clips = yield from small_clips(setting, places)
        vectors = np.stack([probes.small_pictures(clip) for clip in clips])
        kind, settings, how = probes.fit_discriminants, tuple(map(float, probes.COMPONENTS)), OF_PICTURES  # type: ignore[assignment]
    films, groups = [dataset.films[place] for place in places], [dataset.groups[place] for place in places]
    folds = hold_out_groups(films, groups, _FOLDS, setting.config.seed)
    found = np.full((len(dataset.films), len(dataset.classes)), np.nan)
    scores = yield from _out_of_fold(kind, vectors, dataset.labels[places], len(dataset.classes), folds, settings)
    found[places] = softmax(scores, 1.0)
    return found, how


def _out_of_fold(
    kind: Any, vectors: Floats, labels: Any, classes: int, folds: probes.Folds, settings: Sequence[float]
) -> Generator[RunEvent, None, Floats]:
    """The scores (clips, classes) of models of the other folds; the first fold chooses their setting."""
    scores, rng = np.zeros((len(labels), classes)), np.random.default_rng(0)
    for done, held in enumerate(folds):
        yield Progress("suspect labels", done, len(folds))
        some = rng.permutation(np.flatnonzero(~held))[:_MOST_CLIPS]
        with threadpool_limits(limits=1, user_api="blas"):
            answers = kind(vectors[some], labels[some], classes, settings)
        found = [answer(vectors[held]) for answer in answers]
        if done == 0:
            right = [float((one.argmax(1) == labels[held]).mean()) for one in found]
            settings, found = [settings[int(np.argmax(right))]], [found[int(np.argmax(right))]]
        scores[held] = found[0]
    return scores


def guess_films(
    learner: Learner, moments: Moments, rule: DecisionRule
) -> Generator[RunEvent, None, tuple[list[FilmTracks], str]]:
    """The tracks of each film out of fold, none where the encoder has learnt the labels; and how."""
    setting, answer = learner.setting, learner.setting.answer
    if not learner.frozen:
        return [], OF_LEARNT_ENCODER
    places = list(range(len(setting.dataset.films)))
    yield from learner.prepare(places, to_train=False)
    yield Progress("suspect labels", 0, _FOLDS)
    targets = [np.asarray(one) for one in learner.targets(places)]
    near = max(1, round(_NEAR_SECONDS / setting.sampling.spacing_seconds))
    vectors = _small_vectors(learner.features(places), near)
    folds = hold_out_groups(setting.dataset.films, setting.dataset.groups, _FOLDS, setting.config.seed)
    several = answer.kind == "several"
    plain = replace(rule, temperature=1.0, threshold=0.5 if several else 0.0, hysteresis=0.0)
    found: dict[int, FilmTracks] = {}
    for done, held in enumerate(folds):
        yield Progress("suspect labels", done, len(folds))
        learnt = [place for place in places if not held[place]]
        shown = np.concatenate([vectors[place][: len(targets[place])] for place in learnt])
        truth = np.concatenate([targets[place][: len(vectors[place])] for place in learnt])
        some = np.random.default_rng(done).permutation(len(shown))[:_MOST_STEPS]
        with threadpool_limits(limits=1, user_api="blas"):
            scores_of = _fitted(shown[some], truth[some], len(answer.classes), several=several)
            scored = [Scored(place, scores_of(vectors[place])) for place in np.flatnonzero(held).tolist()]
        found |= dict(zip((one.place for one in scored), moments.tracks(scored, plain), strict=True))
    return [found[place] for place in places], OF_STEPS


def _small_vectors(films: Sequence[Features], near: int) -> list[Floats]:
    """(steps, components) of each film: principal components of the features of each step and of the time around it."""
    total = sum(map(len, films))
    every = max(1, total // _MOST_STEPS)
    some = np.concatenate([with_neighbours(film[:_PIECE], near)[::every] for film in films])
    scaler = StandardScaler().fit(some)
    most = max(1, min(_COMPONENTS, len(some) - 1, some.shape[1]))
    projection = PCA(most, whiten=True, svd_solver="randomized", random_state=0).fit(scaler.transform(some))

    def small(film: Features) -> Floats:
        pieces = []
        for start in range(0, len(film), _PIECE):
            first, end = max(0, start - near), min(len(film), start + _PIECE + near)
            rows = with_neighbours(film[first:end], near)[start - first :][:_PIECE]
            pieces.append(projection.transform(scaler.transform(rows)))
        return np.concatenate(pieces)

    return [small(film) for film in films]


def _fitted(vectors: Floats, truth: Any, classes: int, *, several: bool) -> probes.Answer:
    """Logistic regression of steps: of one class of several, or of each behaviour by itself."""
    if not several:
        return _logistic(vectors, truth.astype(np.int64), classes)
    labels = np.nan_to_num(truth, nan=-1.0).astype(np.int64)
    each = [_logistic(vectors, labels[:, place], 2) for place in range(classes)]

    def scores(rows: Floats) -> Floats:
        pairs = [one(rows) for one in each]
        return np.stack([pair[:, 1] - pair[:, 0] for pair in pairs], 1)

    return scores


def _logistic(vectors: Floats, labels: Any, classes: int) -> probes.Answer:
    """Logistic regression of the vectors whose label is known; a class that none of them has is never the answer."""
    known = labels >= 0
    shown = np.unique(labels[known])
    if len(shown) < 2:
        constant = np.full(classes, _NEVER)
        constant[shown] = 0.0
        return lambda rows: np.repeat(constant[None], len(rows), 0)
    model = LogisticRegression(C=_STRENGTH, max_iter=200).fit(vectors[known], labels[known])

    def scores(rows: Floats) -> Floats:
        whole = np.full((len(rows), classes), _NEVER)
        whole[:, model.classes_] = np.maximum(model.predict_log_proba(rows), _NEVER)
        return whole

    return scores
