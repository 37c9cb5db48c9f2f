"""Linear probes: what a linear model reads from clips, judged by folds of groups. They are cheap, so they come first.

Two kinds: logistic regression on statistics of the features of each clip, and PCA with linear discriminants on a dozen
small pictures of each clip. Both are scikit-learn's. This module knows arrays only.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from vidrnn.nets.class_scores import LinearSolution
from vidrnn.nets.scoring import Features
from vidrnn.values import Floats, Pixels, Size
from vidrnn.video.resizing import resized

Labels = NDArray[np.int64]
Folds = Sequence[NDArray[np.bool_]]
"""For each fold, which clips are held out."""
Answer = Callable[[Floats], Floats]
"""Vectors (clips, width) -> scores (clips, classes) before softmax."""
Fit = Callable[[Floats, Labels, int, Sequence[float]], Sequence[Answer]]
"""Vectors (clips, width), their classes, the number of classes, settings -> an answer for each setting."""

STRENGTHS = (3e-4, 3e-3, 3e-2)
"""The candidates for C, the inverse strength of the regularisation of logistic regression."""
COMPONENTS = (30, 60, 120)
"""The candidates for the number of principal components."""
PICTURES = 12
"""So many small pictures of a clip are read by PCA with linear discriminants, evenly from its first to its last."""
SMALL_HEIGHT, SMALL_WIDTH = 14, 16
_STEPS, _TOLERANCE = 200, 1e-3
_LEAST_DEVIATION = 0.02
"""The least deviation of a number, as a share of the usual size of numbers. Numbers that hardly differ would be scaled
up until the rounding of another runtime decides."""
_TINY = 1e-6
_MANY_CLIPS = 4096
_NEVER = -30.0
"""The score of a class without a clip to learn from."""


class Linear:
    """Logistic regression of standardised vectors."""

    def __init__(self, solution: LinearSolution) -> None:
        self.solution = solution

    def __call__(self, vectors: Floats) -> Floats:
        """The scores (clips, classes), before softmax."""
        found = self.solution
        scores: Floats = (vectors - found.mean) / found.deviation @ found.weight.T + found.bias
        return scores


def fit_logistic(
    vectors: Floats, labels: Labels, classes: int, strengths: Sequence[float], counts: Floats | None = None
) -> list[Linear]:
    """Logistic regression with each strength C of its L2 penalty; `counts` says how much each vector counts.

    The best weights lie in the span of the training vectors. So the fit is in the coordinates of that span, which are
    at most as many as there are clips, or as there are numbers in a vector. The result is the same.
    """
    mean, deviation = vectors.mean(0), vectors.std(0)
    deviation = np.maximum(deviation, _LEAST_DEVIATION * np.sqrt(np.mean(vectors**2)) + _TINY)
    if _too_few(labels):
        shares = np.log(np.bincount(labels, minlength=classes) / len(labels) + np.exp(_NEVER))
        return [Linear(LinearSolution(np.zeros((classes, len(mean))), shares, mean, deviation)) for _ in strengths]
    scaled = (vectors - mean) / deviation
    many = len(scaled) > max(_MANY_CLIPS, scaled.shape[1])  # the smaller of two tables says the same
    values, basis = np.linalg.eigh(scaled.T @ scaled if many else scaled @ scaled.T)
    lasting = values > _TINY * values[-1]
    lengths = np.sqrt(values[lasting])
    if many:
        span, inside = basis[:, lasting], scaled @ basis[:, lasting]
    else:
        span, inside = scaled.T @ (basis[:, lasting] / lengths), basis[:, lasting] * lengths
    fitted = []
    for strength in strengths:
        weight, bias = _rows(_logistic(inside, labels, strength, counts), classes)
        fitted.append(Linear(LinearSolution(weight @ span.T, bias, mean, deviation)))
    return fitted


def _logistic(inside: Floats, labels: Labels, strength: float, counts: Floats | None) -> LogisticRegression:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the optimum is flat, and the answers have settled
        model: LogisticRegression = LogisticRegression(C=strength, max_iter=_STEPS, tol=_TOLERANCE).fit(
            inside, labels, counts
        )
    return model


def _too_few(labels: Labels) -> bool:
    """Whether there are too few clips for a linear model: then the answer is the commonest class."""
    return len(labels) <= len(np.unique(labels)) or len(np.unique(labels)) < 2


def _rows(model: LogisticRegression, classes: int) -> tuple[Floats, Floats]:
    """The weights (classes, width) and biases (classes,), with a row for each class."""
    rows, biases = np.asarray(model.coef_, np.float64), np.asarray(model.intercept_, np.float64)
    if len(model.classes_) == 2:  # the one row tells the second class from the first
        rows, biases = np.concatenate([-rows, rows]) / 2, np.concatenate([-biases, biases]) / 2
    weight, bias = np.zeros((classes, rows.shape[1])), np.full(classes, _NEVER)
    weight[model.classes_], bias[model.classes_] = rows, biases
    return weight, bias


def fit_discriminants(vectors: Floats, labels: Labels, classes: int, components: Sequence[float]) -> list[Answer]:
    """PCA, then linear discriminants with a shrunk covariance, with each number of components."""
    if _too_few(labels):
        return list(fit_logistic(vectors, labels, classes, components))
    most = max(1, min(int(max(components)), len(vectors) - 1, vectors.shape[1]))
    projection: PCA = PCA(most, random_state=0).fit(vectors)
    inside = projection.transform(vectors)
    return [_discriminants(projection, inside, labels, classes, int(count)) for count in components]


def _discriminants(projection: PCA, inside: Floats, labels: Labels, classes: int, count: int) -> Answer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class may have one clip; the shrunk covariance takes that
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(inside[:, :count], labels)

    def scores(vectors: Floats) -> Floats:
        whole = np.full((len(vectors), classes), _NEVER)
        whole[:, model.classes_] = model.predict_log_proba(projection.transform(vectors)[:, :count])
        bounded: Floats = np.maximum(whole, _NEVER)
        return bounded

    return scores


@dataclass(frozen=True)
class Probe:
    """A linear model that was judged by folds, in several draws of them."""

    setting: float
    """The strength, or the number of components, that has most right answers over all draws."""
    hits: NDArray[np.bool_]
    """(draws, clips): whether the models of the other folds are right."""
    _folds: Folds
    _answers: Sequence[Answer]
    """Those of the first draw, one for each fold."""

    @property
    def accuracy(self) -> float:
        """The mean share of right answers."""
        return float(self.hits.mean())

    def accuracy_on(self, vectors: Floats, labels: Labels, rows: Sequence[int] | None = None) -> float:
        """The share of right answers to other versions of the same clips, such as their mirror images.

        Each is answered by a model that saw nothing of its clip. `rows`: the places of the clips of these vectors; None
        for all.
        """
        places = np.arange(len(labels)) if rows is None else np.asarray(rows)
        right = np.zeros(len(places), dtype=bool)
        for held, answer in zip(self._folds, self._answers, strict=True):
            mine = held[places]
            if mine.any():
                right[mine] = answer(vectors[mine]).argmax(1) == labels[places[mine]]
        return float(right.mean())


def judge(
    fit: Fit, vectors: Floats, labels: Labels, classes: int, draws: Sequence[Folds], settings: Sequence[float]
) -> Probe:
    """Judge a kind of linear model: each clip is answered by a model of the other folds, in each draw."""
    right = np.zeros((len(settings), len(draws), len(labels)), dtype=bool)
    first: list[Sequence[Answer]] = []
    for draw, folds in enumerate(draws):
        for held in folds:
            with threadpool_limits(limits=1, user_api="blas"):  # threads that wait in busy loops slow each other down
                answers = fit(vectors[~held], labels[~held], classes, settings)
            for place, answer in enumerate(answers):
                right[place, draw, held] = answer(vectors[held]).argmax(1) == labels[held]
            if draw == 0:
                first.append(answers)
    best = int(np.argmax(right.mean((1, 2))))
    return Probe(settings[best], right[best], draws[0], [answers[best] for answers in first])


def statistics_of(features: Features, *, change: bool = False) -> Floats:
    """The statistics of a clip's features (steps, width): mean, deviation and maximum of each, one after the other.

    With `change` the absolute change since the step before stands behind the features, as for a linear head.
    """
    seen = features.astype(np.float64)
    if change:
        seen = np.concatenate([seen, np.abs(np.diff(seen, axis=0, prepend=seen[:1]))], 1)
    return np.concatenate([seen.mean(0), seen.std(0), seen.max(0)])


Clip = TypeVar("Clip", Pixels, Features)


def halves(steps: Clip) -> list[Clip]:
    """The first and the second half of a clip (steps, ...); a clip of one step twice."""
    middle = max(1, len(steps) // 2)
    return [steps[:middle], steps[min(middle, len(steps) - 1) :]]


def small_pictures(clip: Pixels, *, colour: bool = False) -> Floats:
    """A dozen small pictures of a clip (steps, height, width, 3) as one vector, evenly chosen, of one light.

    The mean picture of the clip is taken away, since it tells the place and the person, and not what happens. With
    `colour` two further channels hold what red and blue have beyond the brightness.
    """
    places = np.round(np.linspace(0, len(clip) - 1, PICTURES)).astype(int).tolist()
    small = {place: _small(clip[place]) for place in set(places)}
    pictures = np.stack([small[place] for place in places])
    grey = pictures.mean(-1)
    channels = [(grey - grey.mean()) / (grey.std() + 1e-3)]
    channels[0] = channels[0] - channels[0].mean(0)
    if colour:
        channels += [(pictures[..., place] - grey) / (grey.std() + 1e-3) for place in (0, 2)]
    return np.concatenate([channel.ravel() for channel in channels])


def _small(picture: Pixels) -> Floats:
    return np.asarray(resized(picture, Size(SMALL_HEIGHT, SMALL_WIDTH)), dtype=np.float64) / 255
