"""How well a model tells anomalies from normal frames, beside baselines without learning, on the same frames.

Scores and labels go in, a report comes out. This module knows no films and no networks. Intervals come from a bootstrap
over films.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.data.films import counted
from vidrnn.errors import DataError
from vidrnn.evaluate.metrics import equal_error_rate, roc_auc
from vidrnn.tables import Report, Table
from vidrnn.timeline.anomaly import normalised_in_film, smoothed, spread_in_film

_DRAWS = 2000
"""Of the bootstrap."""
_STRETCHES = 10
"""The number of pieces of a single film that the bootstrap draws."""

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]


@dataclass(frozen=True)
class Detector:
    """The scores that a method gives to every frame of some films."""

    name: str
    scores: tuple[Floats, ...]
    """(frames,) of each film, the higher the more likely an anomaly; NaN for a frame without a score."""
    errors: tuple[Floats, ...] | None = None
    """(frames,) of each film: the squared errors that the scores come from, if any. Papers normalise their PSNR."""


@dataclass(frozen=True)
class DetectorScores:
    """How well one method tells anomalies from normal frames."""

    name: str
    auc: float
    """Area under the ROC curve over the frames of all films together."""
    interval: tuple[float, float]
    """Its 95 % interval, from a bootstrap over films."""
    eer: float
    """Equal error rate over the frames of all films together."""
    auc_normalised: float
    """The area with the scores of each film scaled to the range from 0 to 1, as in many papers."""
    per_film: tuple[float | None, ...]
    """The area in each film; None for a film with frames of one kind only."""

    def as_json(self, films: Sequence[str]) -> dict[str, Any]:
        """The numbers by name. `per_film` has the path of each film as its names."""
        return {
            "name": self.name,
            "auc": self.auc,
            "auc_interval": list(self.interval),
            "eer": self.eer,
            "auc_normalised": self.auc_normalised,
            "per_film": dict(zip(films, self.per_film, strict=True)),
        }


@dataclass(frozen=True)
class DetectionReport:
    """A model beside baselines without learning."""

    films: tuple[str, ...]
    frames: int
    """The number of frames that every method scored."""
    anomalies: int
    left_out: int
    """The number of frames without a score from one of the methods, such as the first frame of a film."""
    smoothing_frames: int
    model: DetectorScores
    baselines: tuple[DetectorScores, ...]
    """The best first."""
    ahead: float
    """The area of the model minus that of the best baseline."""
    ahead_interval: tuple[float, float]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Sentences that say what the numbers mean."""
        return (self._frames_sentence(), self._smoothing_sentence(), self._verdict(), self._normalised_sentence())

    def report(self) -> Report:
        """The same as tables, sentences and numbers."""
        rows = tuple(
            (
                *(row.name, f"{row.auc:.3f}", f"{row.interval[0]:.2f}-{row.interval[1]:.2f}"),
                *(f"{row.eer:.3f}", f"{row.auc_normalised:.3f}"),
            )
            for row in (*self.baselines, self.model)
        )
        films = tuple(
            (Path(name).name, "one kind" if auc is None else f"{auc:.3f}")
            for name, auc in zip(self.films, self.model.per_film, strict=True)
        )
        columns = ("anomalies", "AUC", "95 %", "EER", "normalised")
        return Report(
            tables=(Table(columns, rows, strong=frozenset({len(rows) - 1})), Table(("film", "AUC"), films)),
            sentences=self.sentences,
            notes=("EER: equal error rate; normalised: AUC with the scores of each video scaled from 0 to 1.",),
            numbers=self.numbers,
        )

    @property
    def numbers(self) -> dict[str, Any]:
        """The part of `vidrnn evaluate --json` about anomalies."""
        return {
            **{name: value for name, value in self.model.as_json(self.films).items() if name != "name"},
            "scored_frames": self.frames,
            "anomaly_frames": self.anomalies,
            "left_out_frames": self.left_out,
            "smoothing_frames": self.smoothing_frames,
            "ahead": self.ahead,
            "ahead_interval": list(self.ahead_interval),
            "anomaly_baselines": [row.as_json(self.films) for row in self.baselines],
            "sentences": list(self.sentences),
        }

    def _frames_sentence(self) -> str:
        left = f"; {self.left_out:,} left out, with too few frames before them" if self.left_out else ""
        return (
            f"{counted(self.frames, 'frame')} of {counted(len(self.films), 'video')}, "
            f"{self.anomalies:,} of them anomalies{left}. AUC and equal error rate are over all videos together."
        )

    def _smoothing_sentence(self) -> str:
        if self.smoothing_frames == 1:
            return "No score is smoothed."
        return f"Each score of the model and of the baselines is the mean over {self.smoothing_frames} frames up to it."

    def _verdict(self) -> str:
        best, mine = self.baselines[0], self.model.auc
        interval = f"95 % interval {self.ahead_interval[0]:+.3f} to {self.ahead_interval[1]:+.3f}"
        if best.auc >= mine:
            return (
                f"{_sentence_case(best.name)} is as good as this model, without any learning: AUC {best.auc:.3f} "
                f"against {mine:.3f} ({interval}). The model is of no use here."
            )
        if self.ahead_interval[0] <= 0:
            return (
                f"As far as these videos can tell, {best.name} is as good as this model, without any learning: AUC "
                f"{best.auc:.3f} against {mine:.3f}, which may be chance ({interval})."
            )
        return (
            f"This model is better than every baseline without learning: AUC {mine:.3f} against {best.auc:.3f} of the "
            f"best, {best.name} ({interval})."
        )

    def _normalised_sentence(self) -> str:
        mine, best = self.model.auc_normalised, max(self.baselines, key=lambda row: row.auc_normalised)
        return (
            f"With scores from 0 to 1 in each video, as in many papers, the model has AUC {mine:.3f} and {best.name} "
            f"{best.auc_normalised:.3f}. These scores need the whole video and give every video a frame of score 1, so "
            "they mean little."
        )


def detection_report(
    films: Sequence[str],
    truth: Sequence[Truth],
    model: Detector,
    baselines: Sequence[Detector],
    *,
    smoothing_frames: int = 1,
    seed: int = 0,
) -> DetectionReport:
    """How well the model and the baselines tell anomalies from normal frames.

    All methods are scored on the frames for which each has a score. All scores are smoothed alike, over past frames.

    Args:
        films: the name of each film.
        truth: (frames,) of each film, True for an anomaly.
        model: the scores of the model.
        baselines: the scores of one or more baselines.
        smoothing_frames: the number of frames of the mean.
        seed: the seed of the bootstrap.

    Raises:
        DataError: the scored frames are all of one kind.
        ValueError: there is no baseline, or the numbers of frames differ.
    """
    _check(films, truth, (model, *baselines))
    scored = [
        np.logical_and.reduce([~np.isnan(one.scores[i]) for one in (model, *baselines)]) for i in range(len(films))
    ]
    labels = [each[where] for each, where in zip(truth, scored, strict=True)]
    joined = np.concatenate(labels)
    if not 0 < joined.sum() < len(joined):
        raise DataError(
            f"{counted(len(joined), 'frame')} of {counted(len(films), 'video')} can be scored, {int(joined.sum()):,} "
            "of them anomalies. AUC needs normal frames and anomalies."
        )
    units = _units(labels)
    draws = _draws(units, np.random.default_rng(seed))
    reports, areas = [], []
    for one in (model, *baselines):
        smooth = [smoothed(each, smoothing_frames)[where] for each, where in zip(one.scores, scored, strict=True)]
        areas.append(_areas(smooth, units, draws))
        reports.append(_scores(one, smooth, labels, scored, areas[-1], smoothing_frames))
    order = sorted(range(1, len(reports)), key=lambda i: -reports[i].auc)
    return DetectionReport(
        films=tuple(films),
        frames=len(joined),
        anomalies=int(joined.sum()),
        left_out=sum(int((~where).sum()) for where in scored),
        smoothing_frames=smoothing_frames,
        model=reports[0],
        baselines=tuple(reports[i] for i in order),
        ahead=reports[0].auc - reports[order[0]].auc,
        ahead_interval=_interval(areas[0] - areas[order[0]]),
    )


def _check(films: Sequence[str], truth: Sequence[Truth], detectors: Sequence[Detector]) -> None:
    if len(detectors) < 2:
        raise ValueError("a report needs one baseline or more")
    for one in detectors:
        lengths = [len(scores) for scores in one.scores]
        if len(films) != len(truth) or lengths != [len(labels) for labels in truth]:
            raise ValueError(f"{one.name} has scores of {lengths} frames, the truth of {[len(each) for each in truth]}")


def _scores(
    one: Detector,
    smooth: Sequence[Floats],
    truth: Sequence[Truth],
    scored: Sequence[Truth],
    areas: Floats,
    smoothing_frames: int,
) -> DetectorScores:
    joined, anomalies = np.concatenate(smooth), np.concatenate(truth)
    per_film = tuple(roc_auc(scores, labels) for scores, labels in zip(smooth, truth, strict=True))
    whole = [normalised_in_film(e) for e in one.errors] if one.errors else [spread_in_film(s) for s in one.scores]
    scaled = [smoothed(each, smoothing_frames)[where] for each, where in zip(whole, scored, strict=True)]
    auc, eer = roc_auc(joined, anomalies), equal_error_rate(joined, anomalies)
    normalised = roc_auc(np.concatenate(scaled), anomalies)
    assert auc is not None and eer is not None and normalised is not None, "there are both kinds of frames"
    return DetectorScores(one.name, auc, _interval(areas), eer, normalised, per_film)


@dataclass(frozen=True)
class _Units:
    """The units that the bootstrap draws: films, or the pieces of a single film."""

    of_frame: NDArray[np.int64]
    """(frames,) the unit of each frame of all films."""
    truth: Truth
    count: int

    @property
    def anomalies(self) -> Floats:
        """(units,) the number of anomalies in each unit."""
        return _counted(self.of_frame, self.truth, self.count)

    @property
    def normal(self) -> Floats:
        """(units,) the number of normal frames in each unit."""
        return _counted(self.of_frame, ~self.truth, self.count)


def _units(truth: Sequence[Truth]) -> _Units:
    joined = np.concatenate(truth)
    if len(truth) == 1:
        return _Units(np.arange(len(joined)) * _STRETCHES // len(joined), joined, _STRETCHES)
    return _Units(np.repeat(np.arange(len(truth)), [len(labels) for labels in truth]), joined, len(truth))


def _draws(units: _Units, rng: np.random.Generator) -> Floats:
    """(draws, units) how often each unit is drawn. Draws without both kinds of frames are left out."""
    drawn = rng.multinomial(units.count, np.full(units.count, 1 / units.count), size=_DRAWS).astype(np.float64)
    return drawn[(drawn @ units.anomalies > 0) & (drawn @ units.normal > 0)]


def _areas(scores: Sequence[Floats], units: _Units, draws: Floats) -> Floats:
    """(draws,) the area under the ROC curve: the share of pairs of anomaly and normal frame in the right order.

    Pairs are counted once for each pair of units, so that a draw is a product of small matrices.
    """
    joined = np.concatenate(scores)
    high, home = joined[units.truth], units.of_frame[units.truth]
    pairs = np.zeros((units.count, units.count))
    for unit in range(units.count):
        low = np.sort(joined[~units.truth & (units.of_frame == unit)])
        above = (np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")) / 2
        pairs[:, unit] = _counted(home, above, units.count)
    right = np.einsum("du,uv,dv->d", draws, pairs, draws, optimize=True)
    shares: Floats = right / ((draws @ units.anomalies) * (draws @ units.normal))
    return shares


def _counted(units: NDArray[np.int64], weights: Floats | Truth, count: int) -> Floats:
    """(units,) the sum of the weights in each unit."""
    return np.bincount(units, weights=weights, minlength=count).astype(np.float64)


def _interval(values: Floats) -> tuple[float, float]:
    """The range of the middle 95 %; without values, the range from -1 to 1."""
    if not len(values):
        return -1.0, 1.0
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _sentence_case(name: str) -> str:
    return name[:1].upper() + name[1:]
