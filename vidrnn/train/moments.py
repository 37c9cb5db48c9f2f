"""The moments of a run's films: scores of steps become answers and tracks, and the rule that does so is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from vidrnn.evaluate.label_scores import label_scores
from vidrnn.evaluate.metrics import fit_temperature
from vidrnn.evaluate.tracks import FilmTracks, tracks_of
from vidrnn.timeline.segments import segmenter_for, softmax
from vidrnn.timeline.smoothing import reach_of, smoothed
from vidrnn.train.learner import Setting
from vidrnn.values import AnswerSpec, DecisionRule, FilmMoments, Floats, Timeline
from vidrnn.video.clock import Grid

_STEADIED = tuple(product((0.0, 0.1, 0.2, 0.35), (0.0, 0.25, 0.5, 1.0)))
"""Candidates for the hysteresis, and for the shortest segment as a share of the tenth percentile of true bouts."""
_STEADIED_FURTHER = tuple(product((0.0, 0.2), (0.0, 0.5)))
"""The same where scores are smoothed."""
_LEAST_THRESHOLD = 0.005
_SMOOTHING_SHARES = (0.0, 0.5, 1.0)
"""Of the same lengths, their median over classes: candidates for the time that scores are smoothed over."""


@dataclass(frozen=True)
class Scored:
    """The scores of the steps of one film."""

    place: int
    """Of the film in the dataset."""
    scores: Floats
    """(steps, classes), before softmax or the logistic function."""


class Moments:
    """Turns scores of steps into the tracks of films, as prediction does."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    @property
    def answer(self) -> AnswerSpec:
        """What the model answers."""
        return self._setting.answer

    def tracks(self, films: Sequence[Scored], rule: DecisionRule) -> list[FilmTracks]:
        """Each film at each of its frames, by a rule."""
        return [self._tracks(film, rule) for film in films]

    def smooth(self, scores: Floats, rule: DecisionRule) -> Floats:
        """The scores (steps, classes) of a film with the smoothing of a rule."""
        return smoothed(scores, reach_of(rule.smoothing_seconds, self._setting.sampling.spacing_seconds))

    def _tracks(self, film: Scored, rule: DecisionRule) -> FilmTracks:
        dataset = self._setting.dataset
        scan = dataset.scans[film.place]
        seconds = step_seconds(scan.frame_seconds, self._setting.sampling.spacing_seconds)[: len(film.scores)]
        probabilities = probabilities_of(self.smooth(film.scores[: len(seconds)], rule), self.answer, rule)
        end = scan.facts.first_seconds + scan.facts.duration_seconds
        segmenter = segmenter_for(self.answer, rule, self.answer.classes)
        segments = segmenter.push(seconds, probabilities) + segmenter.finish(end)
        timeline = Timeline(self.answer.classes, seconds, probabilities.astype(np.float32))
        moments = FilmMoments(
            scan.facts.path, None, timeline, segments, end, scan.facts.frames, frame_seconds=scan.frame_seconds
        )
        return tracks_of(dataset.films[film.place], moments, self.answer, rule)


@dataclass(frozen=True)
class RuleSearch:
    """The search for the rule that fits films of validation best."""

    moments: Moments
    films: Sequence[Scored]
    targets: Sequence[NDArray[np.float64] | NDArray[np.int64]]
    """The truth at the steps of each film."""
    first: DecisionRule
    """The rule to begin with: its reset and its direction stay."""
    shortest_bouts: Floats
    """(classes,) seconds that nine of ten true bouts of each class last longer than; NaN where there are none."""

    def best(self) -> DecisionRule:
        """The rule by which frames and bouts agree best; of equally good rules the first one, which is the simplest.

        Smoothed scores flicker less, so fewer ways to steady them further are tried.
        """
        plain, *smooth = map(self._calibrated, self._smoothings())
        rules = [
            replace(rule, hysteresis=hysteresis, shortest_seconds=self._shortest(share))
            for rule, ways in ((plain, _STEADIED), *((rule, _STEADIED_FURTHER) for rule in smooth))
            for hysteresis, share in ways
        ]
        return max(rules, key=self._agreement)

    def _calibrated(self, smoothing_seconds: float) -> DecisionRule:
        """The rule with this smoothing, and with the temperature or the thresholds that fit it."""
        rule = replace(self.first, smoothing_seconds=smoothing_seconds)
        scores, truth = self._steps(rule)
        if self.moments.answer.kind == "several":
            return replace(rule, threshold=self._thresholds(scores, truth))
        return replace(rule, temperature=self._temperature(scores, truth))

    def _steps(self, rule: DecisionRule) -> tuple[Floats, NDArray[np.float64] | NDArray[np.int64]]:
        """All steps of all films: their smoothed scores and their truth."""
        pairs = list(zip(self.films, self.targets, strict=True))
        scores = np.concatenate([self.moments.smooth(film.scores, rule)[: len(target)] for film, target in pairs])
        return scores, np.concatenate([target[: len(film.scores)] for film, target in pairs])

    def _temperature(self, scores: Floats, truth: NDArray[np.float64] | NDArray[np.int64]) -> float:
        known = np.flatnonzero(truth >= 0)
        some = known[:: max(1, len(known) // 20_000)]
        return fit_temperature(scores[some], truth[some].astype(np.int64))

    def _thresholds(self, scores: Floats, truth: NDArray[np.float64] | NDArray[np.int64]) -> dict[str, float]:
        """For each behaviour the threshold with the highest F1."""
        shares = 1 / (1 + np.exp(-scores))
        found = {}
        for place, name in enumerate(self.moments.answer.classes):
            known = ~np.isnan(truth[:, place])
            share, shown = shares[known, place], truth[known, place] == 1
            found[name] = _best_threshold(share, shown) if shown.any() else 0.5
        return found

    def _smoothings(self) -> list[float]:
        """Candidates for the time that scores are smoothed over: none for a model that answers at once."""
        known = self.shortest_bouts[~np.isnan(self.shortest_bouts)]
        if self.first.direction == "causal" or not len(known):
            return [0.0]
        return [float(np.floor(1000 * share * np.median(known))) / 1000 for share in _SMOOTHING_SHARES]

    def _shortest(self, share: float) -> dict[str, float]:
        names = self.moments.answer.classes
        return {
            name: 0.0 if np.isnan(seconds) else float(np.floor(1000 * share * seconds + 1e-6)) / 1000
            for name, seconds in zip(names, self.shortest_bouts, strict=True)
        }

    def _agreement(self, rule: DecisionRule) -> float:
        """Frames and bouts that agree with the truth, each between 0 and 1."""
        answer = self.moments.answer
        scores = label_scores(
            self.moments.tracks(self.films, rule), answer.classes, answer.background, answer.kind == "several"
        )
        frames = scores.macro_f1 if scores.frame_accuracy is None else scores.frame_accuracy
        return round((frames or 0.0) + (scores.macro_f1 or 0.0) + scores.f1_at[-1] + 0.5 * scores.edit, 4)


def probabilities_of(scores: Floats, answer: AnswerSpec, rule: DecisionRule) -> Floats:
    """The probabilities (steps, classes) of scores, by the temperature of a rule."""
    assert isinstance(rule.temperature, float)
    if answer.kind == "several":
        return np.asarray(1 / (1 + np.exp(-scores / rule.temperature)))
    return softmax(scores, rule.temperature)


def step_seconds(frame_seconds: Floats, spacing_seconds: float) -> Floats:
    """(steps,) the time of each step of the grid that a film of these frames is read on."""
    grid = Grid(spacing_seconds)
    return np.asarray([time for seconds in frame_seconds.tolist() for time in grid.times_served(seconds)])


def _best_threshold(shares: Floats, shown: NDArray[np.bool_]) -> float:
    """The threshold with the highest F1, between two neighbouring probabilities; the middle of the best ones."""
    ordered, positive = np.sort(shares), np.sort(shares[shown])
    middles = (ordered[1:] + ordered[:-1]) / 2
    candidates = np.unique(np.append(np.clip(middles, _LEAST_THRESHOLD, 1 - _LEAST_THRESHOLD), 0.5))
    hits = len(positive) - np.searchsorted(positive, candidates)
    said = len(ordered) - np.searchsorted(ordered, candidates)
    f1 = 2 * hits / np.maximum(said + len(positive), 1)
    best = np.flatnonzero(f1 >= f1.max() - 1e-3)
    return float(round(candidates[best[len(best) // 2]], 3))
