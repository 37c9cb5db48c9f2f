"""Scores of labels at each frame: how well an answer fits the truth frame by frame, bout by bout and film by film.

Frames whose truth is not known count nowhere. The background counts in frame accuracy and in the kappa of classes that
exclude each other, and nowhere else. This module knows no networks and prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, average_precision_score, precision_recall_fscore_support

from vidrnn.evaluate.agreement import Agreement, agreement_of, kappa_of, mean_of
from vidrnn.evaluate.bouts import (
    ACTIVITYNET_IOUS,
    IOUS,
    THUMOS_IOUS,
    BoutCounts,
    BoutScores,
    BoutTimes,
    FilmBouts,
    TrackBout,
    average_precision_at_iou,
    bout_scores,
    bout_times,
    bouts_of,
    concordance,
    edit_score,
)
from vidrnn.evaluate.metrics import grouped_interval95
from vidrnn.evaluate.tracks import FilmTracks, Mask, Track, known_truth
from vidrnn.values import Floats

TIOUS = tuple(sorted({*THUMOS_IOUS, *ACTIVITYNET_IOUS}))
"""The temporal IoUs of `LabelScores.map_tiou`."""
_TIMES = ("count", "seconds", "mean_seconds", "latency_seconds")
"""The numbers of `BoutTimes`."""


@dataclass(frozen=True)
class BehaviourScores:
    """The scores of one class that is not the background."""

    label: str
    support: int
    """The number of frames of the truth that show it."""
    predicted: int
    """The number of frames of the answer that show it, of those whose truth is known."""
    f1: float | None
    """Of frames; None if neither the truth nor the answer shows it."""
    precision: float | None
    """None if the answer never shows it."""
    recall: float | None
    """None if the truth never shows it."""
    average_precision: float | None
    """Of frames; None if the truth never shows it."""
    kappa: float | None
    """Of this behaviour against all else; None if truth and answer are one and the same throughout."""
    edit: float
    """Of the bouts of this behaviour alone, so it depends on their numbers only; mean over films."""
    expected_seconds: float
    """The sum of probability times duration over the frames whose truth is known."""
    bouts: tuple[BoutScores, ...]
    """At each of `IOUS`, over all films."""
    films: tuple[tuple[BoutTimes, BoutTimes] | None, ...]
    """Truth and answer in each film; None for a film without a frame whose truth is known."""
    concordance: Mapping[str, float | None]
    """Lin's coefficient over films of `count`, `seconds`, `mean_seconds` and `latency_seconds`."""
    precision_at_iou: tuple[float, ...] | None
    """Average precision of bouts at each of `TIOUS`; None without a true bout."""

    @property
    def occurs(self) -> bool:
        """Whether the truth or the answer shows it."""
        return bool(self.support or self.predicted)

    def pairs(self, name: str) -> list[tuple[Any, Any]]:
        """A number of `BoutTimes` in truth and answer, of each film with known truth."""
        return [(getattr(both[0], name), getattr(both[1], name)) for both in self.films if both is not None]

    def totals(self, name: str) -> tuple[float, float]:
        """The sum over films of `count` or `seconds`, in truth and answer."""
        pairs = self.pairs(name)
        return sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)

    def medians(self, name: str) -> tuple[float | None, float | None]:
        """The median of `mean_seconds` or `latency_seconds` over the films that have bouts, in truth and answer."""
        pairs = self.pairs(name)
        return _median(pair[0] for pair in pairs), _median(pair[1] for pair in pairs)


@dataclass(frozen=True)
class FilmScores:
    """The scores of one film; its bouts stand in `BehaviourScores.films`."""

    frames: int
    """The number of frames with known truth."""
    hits: int | None
    """The number of right ones; None if several behaviours may hold."""
    edit: float | None
    """If several behaviours may hold, the mean over those that occur in any film; None if there is none."""


@dataclass(frozen=True)
class LabelScores:
    """The scores of labels at each frame of some films."""

    classes: tuple[str, ...]
    background: str | None
    several: bool
    """Whether several behaviours may hold at once."""
    frames: int
    """The number of frames with known truth; if several may hold, with known truth of any behaviour."""
    frame_accuracy: float | None
    """None if several may hold."""
    majority: float | None
    """The frame accuracy of the most frequent class alone; None if several may hold."""
    macro_f1: float | None
    """None if no behaviour occurs in the truth."""
    edit: float
    f1_at: tuple[float, ...]
    """F1 of bouts at each of `IOUS`."""
    kappa: float | None
    """None if it is not defined: truth and answer are one and the same class throughout."""
    per_class: tuple[BehaviourScores, ...]
    """All classes but the background."""
    map_tiou: tuple[float, ...] | None
    """The mean over behaviours of average precision at each of `TIOUS`; None if no behaviour occurs in the truth."""
    agreement: Agreement | None
    """None where no film has a second annotator."""
    films: tuple[FilmScores, ...]
    counts: Floats
    """(films, behaviours, 3) true positive, false positive and false negative frames, in the order of `per_class`."""

    def map_over(self, ious: Sequence[float]) -> float | None:
        """The mean of `map_tiou` over some of `TIOUS`."""
        if self.map_tiou is None:
            return None
        return float(np.mean([self.map_tiou[TIOUS.index(iou)] for iou in ious]))

    def interval(self, groups: Sequence[str], seed: int = 0) -> tuple[float, float] | None:
        """The 95 % interval of frame accuracy, or of macro-F1 if several may hold; None with fewer than three groups.

        Args:
            groups: (films,) the group of each film.
            seed: the seed of the bootstrap.
        """
        if self.several:
            return grouped_interval95(self.counts.reshape(len(self.films), -1), groups, _macro_f1, seed)
        shares = np.asarray([(film.hits, film.frames) for film in self.films], dtype=np.float64)
        return grouped_interval95(shares, groups, lambda sums: sums[:, 0] / np.maximum(sums[:, 1], 1), seed)


def label_scores(
    films: Sequence[FilmTracks], classes: Sequence[str], background: str | None, several: bool
) -> LabelScores:
    """Score the answers of films against their truth.

    Args:
        films: tracks of one film or more.
        classes: the names of the classes, in the order of the tracks.
        background: the class that stands for none of the others, if there is one.
        several: whether several behaviours may hold at once.

    Raises:
        ValueError: no frame of these films has a known truth, or a track has another shape than it must have.
    """
    _check(films, len(classes), several)
    known = [_known(film.truth) for film in films]
    places = [place for place, name in enumerate(classes) if name != background]
    tracks = {classes[place]: [_behaviour(film, place) for film in films] for place in places}
    per_class = tuple(_behaviour_scores(label, behaviour) for label, behaviour in tracks.items())
    shown, occurring = [one for one in per_class if one.occurs], [one for one in per_class if one.support]
    joined = [tracks[one.label] for one in shown]
    rows = tuple(_film_scores(film, known[place], [each[place] for each in joined]) for place, film in enumerate(films))
    if several:
        edit = mean_of(one.edit for one in shown)
        f1_at = [mean_of(one.bouts[place].counts.f1 for one in shown) for place in range(len(IOUS))]
    else:
        edit = mean_of(film.edit for film in rows)
        f1_at = [sum((one.bouts[place].counts for one in shown), BoutCounts()).f1 for place in range(len(IOUS))]
    truth = np.concatenate([film.truth[where] for film, where in zip(films, known, strict=True)])
    answer = np.concatenate([film.answer[where] for film, where in zip(films, known, strict=True)])
    return LabelScores(
        classes=tuple(classes),
        background=background,
        several=several,
        frames=len(truth),
        frame_accuracy=None if several else float(accuracy_score(truth, answer)),
        majority=None if several else float(np.bincount(truth).max() / len(truth)),
        macro_f1=mean_of(one.f1 for one in occurring),
        edit=1.0 if edit is None else edit,
        f1_at=tuple(1.0 if f1 is None else f1 for f1 in f1_at),
        kappa=mean_of(one.kappa for one in per_class) if several else kappa_of(truth, answer),
        per_class=per_class,
        map_tiou=_map_tiou([one.precision_at_iou for one in per_class if one.precision_at_iou is not None]),
        agreement=agreement_of(films, places if several else None),
        films=rows,
        counts=_counts(list(tracks.values()), len(films)),
    )


@dataclass(frozen=True)
class _Behaviour:
    """One behaviour in one film: whether each frame shows it."""

    known: Mask
    truth: Mask
    """False where it is not known."""
    answer: Mask
    probabilities: Floats
    bouts: FilmBouts

    def counts(self) -> tuple[int, int, int]:
        """True positive, false positive and false negative frames."""
        truth, answer = self.truth[self.known], self.answer[self.known]
        return int((truth & answer).sum()), int((~truth & answer).sum()), int((truth & ~answer).sum())

    def times(self) -> tuple[BoutTimes, BoutTimes] | None:
        """The bouts of truth and answer in numbers; None if no frame is known."""
        if not self.known.any():
            return None
        return bout_times(self.bouts.truth, self.bouts.borders), bout_times(self.bouts.answer, self.bouts.borders)

    def detections(self) -> tuple[Floats, Floats]:
        """True bouts (bouts, 2), and those of the answer (bouts, 3) with their mean probability."""
        truth = [(bout.first, bout.end) for bout in self.bouts.truth]
        given = np.nan_to_num(self.probabilities)
        answer = [(bout.first, bout.end, given[bout.first : bout.end].mean()) for bout in self.bouts.answer]
        return np.asarray(truth, dtype=np.float64).reshape(-1, 2), np.asarray(answer, dtype=np.float64).reshape(-1, 3)


def _check(films: Sequence[FilmTracks], classes: int, several: bool) -> None:
    for film in films:
        frames = len(film.seconds)
        shape = (frames, classes) if several else (frames,)
        shapes = {track.shape for track in (film.truth, film.answer, *film.others)}
        if shapes != {shape} or film.probabilities.shape != (frames, classes):
            raise ValueError(f"wanted tracks of the shape {shape}, found {sorted(shapes)} in a film of {frames} frames")
    if not any(_known(film.truth).any() for film in films):
        raise ValueError("no frame of these films has a known truth")


def _known(truth: Track) -> Mask:
    """(frames,) whether the truth of a frame is known; if several may hold, that of any behaviour."""
    known = known_truth(truth)
    return known if known.ndim == 1 else np.asarray(known.any(1))


def _behaviour(film: FilmTracks, place: int) -> _Behaviour:
    if film.truth.ndim == 1:
        known, truth, answer = film.truth >= 0, film.truth == place, film.answer == place
    else:
        known, truth, answer = ~np.isnan(film.truth[:, place]), film.truth[:, place] == 1, film.answer[:, place] == 1
    both = [bouts_of(np.where(one, place, -1), known) for one in (truth, answer)]
    bouts = FilmBouts(both[0], both[1], np.append(film.seconds, max(film.end_seconds, film.seconds[-1])))
    return _Behaviour(known, truth, answer, film.probabilities[:, place], bouts)


def _behaviour_scores(label: str, films: Sequence[_Behaviour]) -> BehaviourScores:
    truth = np.concatenate([one.truth[one.known] for one in films])
    answer = np.concatenate([one.answer[one.known] for one in films])
    given = np.concatenate([one.probabilities[one.known] for one in films])
    lasting = np.concatenate([np.diff(one.bouts.borders)[one.known] for one in films])
    support, predicted = int(truth.sum()), int(answer.sum())
    precision = recall = f1 = None
    if support or predicted:
        precision, recall, f1, _ = precision_recall_fscore_support(truth, answer, average="binary", zero_division=0)
    times = tuple(one.times() for one in films)
    edits = [edit_score(one.bouts.truth, one.bouts.answer) for one in films if one.known.any()]
    return BehaviourScores(
        label=label,
        support=support,
        predicted=predicted,
        f1=None if f1 is None else float(f1),
        precision=None if precision is None or not predicted else float(precision),
        recall=None if recall is None or not support else float(recall),
        average_precision=_average_precision(truth, given) if support else None,
        kappa=kappa_of(truth, answer),
        edit=float(np.mean(edits)) if edits else 1.0,
        expected_seconds=float((np.nan_to_num(given) * lasting).sum()),
        bouts=tuple(bout_scores([one.bouts for one in films], iou) for iou in IOUS),
        films=times,
        concordance={name: _concordance([both for both in times if both is not None], name) for name in _TIMES},
        precision_at_iou=_precision_at_iou(films) if support else None,
    )


def _film_scores(film: FilmTracks, known: Mask, behaviours: Sequence[_Behaviour]) -> FilmScores:
    """The scores of a film; `behaviours` are those that occur in any film."""
    frames = int(known.sum())
    if film.truth.ndim == 2:
        pairs = [one.bouts for one in behaviours if one.known.any()]
        return FilmScores(frames, None, mean_of(edit_score(one.truth, one.answer) for one in pairs))
    truth = _in_order(bout for one in behaviours for bout in one.bouts.truth)
    answer = _in_order(bout for one in behaviours for bout in one.bouts.answer)
    hits = int((film.truth == film.answer)[known].sum())
    return FilmScores(frames, hits, edit_score(truth, answer) if frames else None)


def _in_order(bouts: Iterable[TrackBout]) -> list[TrackBout]:
    return sorted(bouts, key=lambda bout: bout.first)


def _average_precision(truth: Mask, given: Floats) -> float:
    """Average precision of frames; one without a probability comes last."""
    return float(average_precision_score(truth, np.where(np.isnan(given), -1.0, given)))


def _precision_at_iou(films: Sequence[_Behaviour]) -> tuple[float, ...]:
    truth, answer = zip(*(one.detections() for one in films), strict=True)
    return tuple(average_precision_at_iou(truth, answer, TIOUS).tolist())


def _map_tiou(behaviours: Sequence[tuple[float, ...]]) -> tuple[float, ...] | None:
    return tuple(np.mean(behaviours, axis=0).tolist()) if behaviours else None


def _counts(behaviours: Sequence[Sequence[_Behaviour]], films: int) -> Floats:
    counts = [[each[film].counts() for each in behaviours] for film in range(films)]
    return np.asarray(counts, dtype=np.float64).reshape(films, len(behaviours), 3)


def _macro_f1(sums: Floats) -> Floats:
    """(draws,) macro-F1 from sums (draws, behaviours * 3) of `LabelScores.counts`; NaN if no behaviour occurs."""
    hits, extra, missed = np.moveaxis(sums.reshape(len(sums), -1, 3), 2, 0)
    occurs = hits + missed > 0
    f1 = 2 * hits / np.maximum(2 * hits + extra + missed, 1)
    number = occurs.sum(1)
    return np.where(number > 0, (f1 * occurs).sum(1) / np.maximum(number, 1), np.nan)


def _concordance(films: Sequence[tuple[BoutTimes, BoutTimes]], name: str) -> float | None:
    """Over films in which truth and answer have the number."""
    pairs = [(getattr(true, name), getattr(given, name)) for true, given in films]
    both = [pair for pair in pairs if None not in pair]
    return concordance([pair[0] for pair in both], [pair[1] for pair in both])


def _median(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.median(there)) if there else None
