"""How well the bouts of an answer fit the bouts of the truth: edit score, F1@k, borders, counts, mAP at temporal IoU.

A bout is a run of frames with one class. Frames are counted from 0, and ends are half open. Frames whose truth is not
known belong to no bout, so a bout that touches them ends there, in the truth and in the answer alike. This module
knows no films and no networks. It needs numpy only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.values import Floats

IOUS = (0.1, 0.25, 0.5)
"""The overlaps at which bouts are matched for F1@k, precision and recall: k of F1@10, F1@25 and F1@50."""
THUMOS_IOUS = (0.3, 0.4, 0.5, 0.6, 0.7)
"""The overlaps over which THUMOS14 takes the mean of mAP."""
ACTIVITYNET_IOUS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""The overlaps over which ActivityNet takes the mean of mAP."""
_FEWEST_FILMS = 3
"""Of a concordance. Two films always lie on a line."""


@dataclass(frozen=True, slots=True)
class TrackBout:
    """A run of frames with one class."""

    label: int
    """The index of the class."""
    first: int
    """The first frame."""
    end: int
    """The frame after the last one."""


@dataclass(frozen=True, slots=True)
class FilmBouts:
    """The bouts of one film."""

    truth: tuple[TrackBout, ...]
    answer: tuple[TrackBout, ...]
    borders: Floats
    """(frames + 1,) the time at which each frame begins, and the end of the film."""


@dataclass(frozen=True, slots=True)
class BoutCounts:
    """The numbers of bouts that fit and do not fit. They add up over films and classes."""

    found: int = 0
    """True positives: bouts of the answer that are matched with a bout of the truth."""
    extra: int = 0
    """False positives: the other bouts of the answer."""
    missed: int = 0
    """False negatives: the bouts of the truth that are matched with none."""

    def __add__(self, other: BoutCounts) -> BoutCounts:
        return BoutCounts(self.found + other.found, self.extra + other.extra, self.missed + other.missed)

    @property
    def precision(self) -> float | None:
        """The share of the answer's bouts that are found; None if the answer has none."""
        return self.found / (self.found + self.extra) if self.found + self.extra else None

    @property
    def recall(self) -> float | None:
        """The share of the true bouts that are found; None if there are none."""
        return self.found / (self.found + self.missed) if self.found + self.missed else None

    @property
    def f1(self) -> float:
        """2 found / (2 found + extra + missed); 1 if neither the truth nor the answer has a bout."""
        bouts = 2 * self.found + self.extra + self.missed
        return 2 * self.found / bouts if bouts else 1.0


@dataclass(frozen=True, slots=True)
class BorderErrors:
    """How far the borders of matched bouts lie apart, in seconds, whichever of the two is earlier."""

    median: float
    high: float
    """Nine in ten errors are at most this large."""


@dataclass(frozen=True, slots=True)
class BoutScores:
    """How well bouts fit that are matched at one overlap."""

    iou: float
    counts: BoutCounts
    start: BorderErrors | None
    """None if no bout is matched."""
    end: BorderErrors | None


@dataclass(frozen=True, slots=True)
class BoutTimes:
    """The numbers of one behaviour in one film that go into papers."""

    count: int
    seconds: float
    """The length of all bouts together."""
    mean_seconds: float | None
    """The mean length of a bout; None if there is none."""
    latency_seconds: float | None
    """The time from the first frame of the film to the first bout; None if there is none."""


def bouts_of(
    track: NDArray[np.int64], known: NDArray[np.bool_] | None = None, left_out: Iterable[int] = ()
) -> tuple[TrackBout, ...]:
    """The bouts of a track in order.

    Args:
        track: (frames,) class indices. A frame below 0 belongs to no bout.
        known: (frames,) whether the truth of each frame is known; None: all of it.
        left_out: classes without bouts, such as the background.
    """
    silent = np.isin(track, list(left_out)) | (track < 0)
    if known is not None:
        silent |= ~known
    labels = np.where(silent, -1, track)
    borders = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
    runs = [(first, end) for first, end in pairwise(borders) if first < end and labels[first] >= 0]
    return tuple(TrackBout(int(labels[first]), first, end) for first, end in runs)


def edit_score(truth: Sequence[TrackBout], answer: Sequence[TrackBout]) -> float:
    """The likeness of two sequences of bouts, whatever their lengths in time, from 0 to 1.

    It is 1 - Levenshtein distance / length of the longer sequence of classes (Lea et al., "Segmental spatiotemporal
    CNNs for fine-grained action segmentation", ECCV 2016), and 1 if both are empty.
    """
    longer = max(len(truth), len(answer))
    if not longer:
        return 1.0
    wanted, given = (np.asarray([bout.label for bout in bouts], dtype=np.int64) for bouts in (truth, answer))
    steps = np.arange(len(given) + 1)
    distances = steps.copy()
    for label in wanted:
        replaced = distances[:-1] + (given != label)
        changed = np.minimum(distances + 1, np.append(distances[0] + 1, replaced))
        distances = np.minimum.accumulate(changed - steps) + steps  # insertions, all at once
    return 1.0 - float(distances[-1]) / longer


def matched(truth: Sequence[TrackBout], answer: Sequence[TrackBout], iou: float) -> tuple[tuple[int, int], ...]:
    """The bouts of one film that fit each other: pairs of places in `truth` and in `answer`.

    Each bout of the answer, in order, is compared with the bout of its class that it overlaps most. They are a pair if
    the overlap is at least `iou` and the true bout has no pair yet. A bout whose best one is taken is not compared with
    the next best. This is the rule of F1@k: Lea et al., "Temporal convolutional networks for action segmentation and
    detection", CVPR 2017, as in the evaluation of MS-TCN.

    Args:
        truth: the true bouts of the film.
        answer: the bouts of the answer.
        iou: frames in both bouts divided by frames in either.
    """
    if not truth:
        return ()
    labels, firsts, ends = np.asarray([(bout.label, bout.first, bout.end) for bout in truth], dtype=np.int64).T
    taken: dict[int, int] = {}
    for place, bout in enumerate(answer):
        overlaps = np.where(labels == bout.label, _overlaps(firsts, ends, bout.first, bout.end), 0.0)
        best = int(overlaps.argmax())
        if overlaps[best] >= iou and best not in taken:
            taken[best] = place
    return tuple(taken.items())


def bout_scores(films: Sequence[FilmBouts], iou: float) -> BoutScores:
    """Counts of matched bouts pooled over films, and the errors of their borders."""
    counts, starts, ends = BoutCounts(), [], []
    for film in films:
        pairs = matched(film.truth, film.answer, iou)
        counts += BoutCounts(len(pairs), len(film.answer) - len(pairs), len(film.truth) - len(pairs))
        for place, other in pairs:
            true, given = film.truth[place], film.answer[other]
            starts.append(abs(float(film.borders[true.first] - film.borders[given.first])))
            ends.append(abs(float(film.borders[true.end] - film.borders[given.end])))
    return BoutScores(iou, counts, _border_errors(starts), _border_errors(ends))


def bout_times(bouts: Sequence[TrackBout], borders: Floats) -> BoutTimes:
    """Count, length and first start of the bouts of one behaviour in a film; `borders` as in `FilmBouts`."""
    if not bouts:
        return BoutTimes(0, 0.0, None, None)
    seconds = sum(float(borders[bout.end] - borders[bout.first]) for bout in bouts)
    return BoutTimes(len(bouts), seconds, seconds / len(bouts), float(borders[bouts[0].first] - borders[0]))


def concordance(truth: Sequence[float], answer: Sequence[float]) -> float | None:
    """How close pairs of numbers lie to the line of equality, from -1 to 1: Lin, Biometrics 45, 1989.

    None with fewer than three pairs, or if all numbers are the same.
    """
    if len(truth) < _FEWEST_FILMS:
        return None
    wanted, given = np.asarray(truth, dtype=np.float64), np.asarray(answer, dtype=np.float64)
    spread = float(wanted.var() + given.var() + (wanted.mean() - given.mean()) ** 2)
    if spread == 0:
        return None
    together = float(((wanted - wanted.mean()) * (given - given.mean())).mean())
    return 2 * together / spread


def average_precision_at_iou(truth: Sequence[Floats], answer: Sequence[Floats], ious: Sequence[float]) -> Floats:
    """(ious,) the average precision with which the bouts of one class are found, as for ActivityNet and THUMOS14.

    Bouts of the answer, from the most probable one of all films on, each take the free true bout of their film that
    they overlap most, if the overlap is at least the IoU. Precision is interpolated at each recall, as for Pascal VOC
    2011. The numbers are those of `average_precision_at_temporal_iou` of MMAction2.

    Args:
        truth: (bouts, 2) start and end, of each film.
        answer: (bouts, 3) start, end and score, of each film.
        ious: overlaps.

    Returns:
        One number for each overlap; NaN if there is no true bout.
    """
    number = sum(len(bouts) for bouts in truth)
    if not number:
        return np.full(len(ious), np.nan)
    rows = [(float(row[2]), film, row) for film, bouts in enumerate(answer) for row in bouts]
    rows.sort(key=lambda one: -one[0])
    free = [np.ones((len(ious), len(bouts)), dtype=np.bool_) for bouts in truth]
    right = np.zeros((len(ious), len(rows)))
    for place, (_, film, row) in enumerate(rows):
        if not len(truth[film]):
            continue
        overlaps = _overlaps(truth[film][:, 0], truth[film][:, 1], float(row[0]), float(row[1]))
        for step, iou in enumerate(ious):
            best = int(np.where(free[film][step], overlaps, -1.0).argmax())
            if free[film][step, best] and overlaps[best] >= iou:
                free[film][step, best], right[step, place] = False, 1.0
    found = right.cumsum(1)
    return np.asarray([_interpolated(one / np.arange(1, len(rows) + 1), one / number) for one in found])


def _interpolated(precision: Floats, recall: Floats) -> float:
    """The area under the highest precision at each recall or a higher one."""
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0.0) * highest).sum())


def _overlaps(firsts: NDArray[Any], ends: NDArray[Any], first: float, end: float) -> Floats:
    """(bouts,) intersection over union of each bout with one other."""
    common = np.maximum(np.minimum(ends, end) - np.maximum(firsts, first), 0)
    either = np.maximum(ends, end) - np.minimum(firsts, first)
    shares: Floats = common / either
    return shares


def _border_errors(seconds: Sequence[float]) -> BorderErrors | None:
    if not seconds:
        return None
    median, high = np.quantile(seconds, [0.5, 0.9])
    return BorderErrors(float(median), float(high))
