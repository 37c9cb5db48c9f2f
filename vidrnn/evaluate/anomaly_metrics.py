"""How well a model tells anomalies from normal frames, beside baselines that need no learning, on the same frames.

Scores and labels in, a report out; nothing here knows films or networks. Chance is reckoned by drawing films anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.errors import DataError
from vidrnn.evaluate.metrics import equal_error_rate, roc_auc
from vidrnn.tables import Report, Table
from vidrnn.timeline.anomaly import normalised_in_film, smoothed, spread_in_film

_DRAWS = 2000
_STRETCHES = 10  # that a film by itself is cut into, to be drawn anew

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]


@dataclass(frozen=True)
class Detector:
    """What a method says of every frame of some films."""

    name: str
    scores: tuple[Floats, ...]
    """(frames,) of each film, the higher the more likely an anomaly; not a number where there is none."""
    errors: tuple[Floats, ...] | None = None
    """Squared errors (frames,) behind the scores, where they come from some: their PSNR is what papers stretch."""


@dataclass(frozen=True)
class DetectorScores:
    """How well one method tells anomalies."""

    name: str
    auc: float
    """Area under the ROC curve over the frames of all films joined."""
    interval: tuple[float, float]
    """95 % of it, films drawn anew."""
    eer: float
    """Equal error rate, all films joined."""
    auc_normalised: float
    """The area when the scores of each film are first stretched from 0 to 1, as many papers do."""
    per_film: tuple[float | None, ...]
    """The area in each film; None where all its frames are of one kind."""

    def as_json(self, films: Sequence[str]) -> dict[str, Any]:
        """The numbers by name, the films' by path."""
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
    """A model beside what needs no learning."""

    films: tuple[str, ...]
    frames: int
    """That were scored, by every method."""
    anomalies: int
    left_out: int
    """Frames that one of the methods has no score for, such as a film's first."""
    smoothing_frames: int
    model: DetectorScores
    baselines: tuple[DetectorScores, ...]
    """The best first."""
    ahead: float
    """By how much the model's area is larger than the best baseline's."""
    ahead_interval: tuple[float, float]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a person should know beside the numbers."""
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
        columns = ("anomalies", "AUC", "95 %", "EER", "stretched")
        return Report(
            tables=(Table(columns, rows, strong=frozenset({len(rows) - 1})), Table(("film", "AUC"), films)),
            sentences=self.sentences,
            notes=("EER: equal error rate; stretched: AUC of scores from 0 to 1 in each film.",),
            numbers=self.as_json(),
        )

    def as_json(self) -> dict[str, Any]:
        """The part of `vidrnn evaluate --json` that is about anomalies."""
        return {
            **{name: value for name, value in self.model.as_json(self.films).items() if name != "name"},
            "scored_frames": self.frames,
            "anomaly_frames": self.anomalies,
            "left_out_frames": self.left_out,
            "smoothing_frames": self.smoothing_frames,
            "ahead": self.ahead,
            "ahead_interval": list(self.ahead_interval),
            "without_learning": [row.as_json(self.films) for row in self.baselines],
            "sentences": list(self.sentences),
        }

    def _frames_sentence(self) -> str:
        left = f"; {self.left_out:,} left out, with nothing before them to go by" if self.left_out else ""
        return (
            f"{self.frames:,} frames of {len(self.films):,} film{'s' * (len(self.films) != 1)}, "
            f"{self.anomalies:,} of them anomalies{left}. AUC and equal error rate are over all films joined."
        )

    def _smoothing_sentence(self) -> str:
        if self.smoothing_frames == 1:
            return "No score is smoothed."
        return f"Every score, the baselines' too, is the mean of the last {self.smoothing_frames} frames up to it."

    def _verdict(self) -> str:
        best, mine = self.baselines[0], self.model.auc
        interval = f"95 % interval {self.ahead_interval[0]:+.3f} to {self.ahead_interval[1]:+.3f}"
        if best.auc >= mine:
            return (
                f"{_sentence_case(best.name)} is as good as this model, without any learning: AUC {best.auc:.3f} "
                f"against {mine:.3f} ({interval}). The model is not worth having here."
            )
        if self.ahead_interval[0] <= 0:
            return (
                f"As far as these films can tell, {best.name} is as good as this model, without any learning: AUC "
                f"{best.auc:.3f} against {mine:.3f}, which may be chance ({interval})."
            )
        return (
            f"This model beats what needs no learning: AUC {mine:.3f} against {best.auc:.3f} of the best, {best.name} "
            f"({interval})."
        )

    def _normalised_sentence(self) -> str:
        best = max(self.baselines, key=lambda row: row.auc_normalised)
        return (
            f"Stretched from 0 to 1 in each film, as in many papers, the model reaches {self.model.auc_normalised:.3f} "
            f"and {best.name} {best.auc_normalised:.3f}. That takes a film's end to score its beginning, and finds "
            "anomalies in every film: it means little."
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
    """How well the model and the baselines tell anomalies, from the truth (frames,) of each film.

    All are scored on the same frames, those for which each has a score, and smoothed alike, looking back only.

    Raises:
        DataError: the frames that are left are all of one kind.
        ValueError: there is no baseline, or films and scores do not fit together.
    """
    _check(films, truth, (model, *baselines))
    kept = [np.logical_and.reduce([~np.isnan(one.scores[i]) for one in (model, *baselines)]) for i in range(len(films))]
    seen = [labels[keep] for labels, keep in zip(truth, kept, strict=True)]
    joined = np.concatenate(seen)
    if not 0 < joined.sum() < len(joined):
        raise DataError(
            f"{len(joined):,} frames of {len(films)} films can be scored, {int(joined.sum()):,} of them anomalies: "
            "telling them apart is measured where there are both kinds."
        )
    units = _units(seen)
    draws = _draws(units, np.random.default_rng(seed))
    reports, areas = [], []
    for one in (model, *baselines):
        smooth = [smoothed(scores, smoothing_frames)[keep] for scores, keep in zip(one.scores, kept, strict=True)]
        areas.append(_areas(smooth, units, draws))
        reports.append(_scored(one, smooth, seen, kept, areas[-1], smoothing_frames))
    order = sorted(range(1, len(reports)), key=lambda i: -reports[i].auc)
    return DetectionReport(
        films=tuple(films),
        frames=len(joined),
        anomalies=int(joined.sum()),
        left_out=sum(int((~keep).sum()) for keep in kept),
        smoothing_frames=smoothing_frames,
        model=reports[0],
        baselines=tuple(reports[i] for i in order),
        ahead=reports[0].auc - reports[order[0]].auc,
        ahead_interval=_interval(areas[0] - areas[order[0]]),
    )


def _check(films: Sequence[str], truth: Sequence[Truth], detectors: Sequence[Detector]) -> None:
    if len(detectors) < 2:
        raise ValueError("a model is reported beside one baseline or more")
    for one in detectors:
        lengths = [len(scores) for scores in one.scores]
        if len(films) != len(truth) or lengths != [len(labels) for labels in truth]:
            raise ValueError(f"{one.name} has scores of {lengths} frames, the truth of {[len(each) for each in truth]}")


def _scored(
    one: Detector,
    smooth: Sequence[Floats],
    truth: Sequence[Truth],
    kept: Sequence[Truth],
    areas: Floats,
    smoothing_frames: int,
) -> DetectorScores:
    joined, unusual = np.concatenate(smooth), np.concatenate(truth)
    per_film = tuple(roc_auc(scores, labels) for scores, labels in zip(smooth, truth, strict=True))
    stretch = [normalised_in_film(e) for e in one.errors] if one.errors else [spread_in_film(s) for s in one.scores]
    stretched = [smoothed(scores, smoothing_frames)[keep] for scores, keep in zip(stretch, kept, strict=True)]
    auc, eer = roc_auc(joined, unusual), equal_error_rate(joined, unusual)
    normalised = roc_auc(np.concatenate(stretched), unusual)
    assert auc is not None and eer is not None and normalised is not None, "both kinds of frame are there"
    return DetectorScores(one.name, auc, _interval(areas), eer, normalised, per_film)


@dataclass(frozen=True)
class _Units:
    """What is drawn anew: films, or stretches of the only one there is."""

    of_frame: NDArray[np.int64]
    """The unit of each frame, all films joined (frames,)."""
    truth: Truth
    count: int

    @property
    def anomalies(self) -> Floats:
        """Anomalies in each unit (units,)."""
        return _counted(self.of_frame, self.truth, self.count)

    @property
    def normal(self) -> Floats:
        """Normal frames in each unit (units,)."""
        return _counted(self.of_frame, ~self.truth, self.count)


def _units(truth: Sequence[Truth]) -> _Units:
    joined = np.concatenate(truth)
    if len(truth) == 1:
        return _Units(np.arange(len(joined)) * _STRETCHES // len(joined), joined, _STRETCHES)
    return _Units(np.repeat(np.arange(len(truth)), [len(labels) for labels in truth]), joined, len(truth))


def _draws(units: _Units, rng: np.random.Generator) -> Floats:
    """How often each unit is drawn (draws, units); draws without both kinds of frame are left out."""
    drawn = rng.multinomial(units.count, np.full(units.count, 1 / units.count), size=_DRAWS).astype(np.float64)
    return drawn[(drawn @ units.anomalies > 0) & (drawn @ units.normal > 0)]


def _areas(scores: Sequence[Floats], units: _Units, draws: Floats) -> Floats:
    """The area under the ROC curve in each draw: pairs of an anomaly and a normal frame that stand in the right order.

    Pairs are counted once between units, so that a draw is a product of small matrices.
    """
    joined = np.concatenate(scores)
    high, home = joined[units.truth], units.of_frame[units.truth]
    pairs = np.zeros((units.count, units.count))
    for unit in range(units.count):
        low = np.sort(joined[~units.truth & (units.of_frame == unit)])
        above = (np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")) / 2
        pairs[:, unit] = _counted(home, above, units.count)
    right = np.einsum("du,uv,dv->d", draws, pairs, draws, optimize=True)
    found: Floats = right / ((draws @ units.anomalies) * (draws @ units.normal))
    return found


def _counted(units: NDArray[np.int64], weights: Floats | Truth, count: int) -> Floats:
    """The sum of the weights in each unit (units,)."""
    return np.bincount(units, weights=weights, minlength=count).astype(np.float64)


def _interval(values: Floats) -> tuple[float, float]:
    """The middle 95 %; of no value, all there is."""
    if not len(values):
        return -1.0, 1.0
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _sentence_case(name: str) -> str:
    return name[:1].upper() + name[1:]
