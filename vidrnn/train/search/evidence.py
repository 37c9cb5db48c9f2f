"""What linear probes tell of the clips before anything is trained: colour, halves, mirror images, and motion.

Both kinds of evidence ask the same: a model that has learnt from whole clips of other groups answers for other versions
of a clip. If it answers for half a clip as it does for the whole, the class shows all the time. If it answers for the
mirror image as for the clip, a mirrored clip is of the same class. A class name is no evidence.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from vidrnn.data.cache import Rendering
from vidrnn.errors import DataError
from vidrnn.events import Progress, RunEvent
from vidrnn.nets.scoring import Features
from vidrnn.train.learner import Learner, Setting
from vidrnn.train.search import probes
from vidrnn.train.search.candidates import small_size
from vidrnn.values import FilmFailure, Floats, MotionName, Pixels

_ENOUGH = 0.1
"""A probe that is not so much better than the commonest class tells nothing of other versions of a clip."""
_KEPT = 0.8
"""So much of the probe's knowledge must be left for a version of a clip to be as good as the clip."""
_COLOUR_GAIN = 0.02
_GREY = 3.0
"""Films whose channels differ by less than this from their mean, of 255, have no colour."""
_MIRRORED_CLIPS = 60
_AREA = 32 * 28
"""In pixels: the small pictures that are read for the probe."""

LEVEL = 0.005
"""Scores this near to the best are level with it, and the simplest of them is taken."""

Motion = tuple[MotionName, ...]
MOTIONS: tuple[Motion, ...] = ((), ("change",), ("difference",), ("change", "difference"))
"""The motion of a known encoder that is tried, the simplest first."""


@dataclass(frozen=True)
class Mirrors:
    """Whether mirrored clips are of the same class."""

    mirror: bool
    sentence: str


class Evidence(ABC):
    """A probe, and what it says of other versions of the same clips."""

    labels: probes.Labels
    """(clips,)"""

    @property
    @abstractmethod
    def probe(self) -> probes.Probe:
        """The probe of whole clips."""

    @abstractmethod
    def of_halves(self) -> float:
        """The accuracy of the probe on the halves of clips."""

    @abstractmethod
    def of_mirrors(self) -> Generator[RunEvent, None, tuple[float, float]]:
        """The accuracies of the probe on mirrored clips, and on the same clips as they are."""

    @property
    def accuracy(self) -> float:
        """Of the probe."""
        return self.probe.accuracy

    @property
    def _chance(self) -> float:
        return float(np.bincount(self.labels).max() / len(self.labels))

    def halves_tell(self) -> bool:
        """Whether half a clip is shown to be as good as the whole."""
        return self._as_good(self.of_halves(), self.accuracy)

    def mirrors_tell(self) -> Generator[RunEvent, None, Mirrors]:
        """Whether the mirror image of a clip is shown to be of its class."""
        if self.accuracy < self._chance + _ENOUGH:
            return Mirrors(False, "Clips are not mirrored: nothing shows that mirrored ones are of the same class.")
        mirrored, plain = yield from self.of_mirrors()
        found = f"a linear model is right on {mirrored:.0%} of mirrored clips, and on {plain:.0%} as they are"
        if self._as_good(mirrored, plain):
            return Mirrors(True, f"Clips are mirrored in training too: {found}.")
        return Mirrors(False, f"Clips are not mirrored: {found}.")

    def _as_good(self, version: float, whole: float) -> bool:
        sure = whole - self._chance
        return sure >= _ENOUGH and version - self._chance >= _KEPT * sure


class PictureEvidence(Evidence):
    """PCA and linear discriminants of a dozen small pictures of each clip."""

    def __init__(self, clips: Sequence[Pixels], labels: probes.Labels, classes: int, draws: Sequence[probes.Folds]):
        self.labels, self._clips, self._classes, self._draws = labels, clips, classes, draws
        self._probe = self._judge(colour=False)
        self.grey = self._without_colour()

    @classmethod
    def gather(
        cls, setting: Setting, places: Sequence[int], draws: Sequence[probes.Folds]
    ) -> Generator[RunEvent, None, PictureEvidence]:
        """Read small pictures of the clips at `places`."""
        clips = yield from small_clips(setting, places)
        return cls(clips, setting.dataset.labels[list(places)], len(setting.dataset.classes), draws)

    @property
    @override
    def probe(self) -> probes.Probe:
        return self._probe

    @override
    def of_halves(self) -> float:
        parts = [probes.halves(clip) for clip in self._clips]
        return float(np.mean([self._accuracy_on([part[half] for part in parts]) for half in (0, 1)]))

    @override
    def of_mirrors(self) -> Generator[RunEvent, None, tuple[float, float]]:
        yield from ()
        return self._accuracy_on([clip[:, :, ::-1] for clip in self._clips]), self._accuracy_on(self._clips)

    def _accuracy_on(self, clips: Sequence[Pixels]) -> float:
        return self._probe.accuracy_on(_pictures(clips), self.labels)

    def _judge(self, *, colour: bool) -> probes.Probe:
        vectors = _pictures(self._clips, colour=colour)
        return probes.judge(
            probes.fit_discriminants, vectors, self.labels, self._classes, self._draws, probes.COMPONENTS
        )

    def _without_colour(self) -> bool:
        """Whether the clips have no colour, or colour is not shown to tell the classes."""
        some = np.stack([clip[len(clip) // 2].astype(np.float64).reshape(-1, 3).mean(0) for clip in self._clips])
        tinted = [np.abs(clip[0].astype(np.float64) - clip[0].mean(-1, keepdims=True)).mean() for clip in self._clips]
        if max(float(np.median(tinted)), float(np.ptp(some, 1).mean())) < _GREY:
            return True
        return self._judge(colour=True).accuracy < self._probe.accuracy + _COLOUR_GAIN


def small_clips(setting: Setting, places: Sequence[int]) -> Generator[RunEvent, None, list[Pixels]]:
    """Small pictures (steps, height, width, 3) of the clips at `places`, at least a dozen of the median clip.

    Raises:
        DataError: a film cannot be read any more.
        KeyboardInterrupt: the training was stopped.
    """
    dataset = setting.dataset
    everywhere = range(len(dataset.films))  # so that search and controls read the same pictures from the cache
    duration = float(np.median(dataset.durations_seconds(everywhere)))
    spacing = max(0.002, round(duration / (2 * probes.PICTURES), 4))
    rendering = Rendering(spacing, small_size(dataset.median_size, _AREA), rate=setting.config.rate)
    clips: list[Pixels] = []
    for steps in setting.cache.frames([dataset.scans[place] for place in places], rendering):
        if isinstance(steps, FilmFailure):
            raise DataError(f"{steps.path}: could be read before, and not now: {steps.reason}")
        clips.append(np.array(steps.array))
        yield Progress("small pictures", len(clips), len(places))
        if setting.stop.is_set():
            raise KeyboardInterrupt
    return clips


def _pictures(clips: Sequence[Pixels], *, colour: bool = False) -> Floats:
    return np.stack([probes.small_pictures(clip, colour=colour) for clip in clips])


class FeatureEvidence(Evidence):
    """Logistic regression on statistics of the features of a known encoder, with several kinds of motion."""

    def __init__(
        self, learner: Learner, places: Sequence[int], draws: Sequence[probes.Folds], motions: Sequence[Motion]
    ) -> None:
        dataset = learner.setting.dataset
        self._learner, self._places = learner, places
        self.labels = dataset.labels[list(places)]
        self._features = learner.features(places)
        classes = len(dataset.classes)
        self.probes: dict[Motion, probes.Probe] = {}
        """By the motion that the model sees."""
        for motion in motions:
            vectors = self._vectors(self._features, motion)
            self.probes[motion] = probes.judge(
                probes.fit_logistic, vectors, self.labels, classes, draws, probes.STRENGTHS
            )

    @classmethod
    def gather(
        cls, learner: Learner, places: Sequence[int], draws: Sequence[probes.Folds], motions: Sequence[Motion]
    ) -> Generator[RunEvent, None, FeatureEvidence]:
        """Encode the clips at `places`. The encoder of the learner sees all the motion that `motions` name."""
        yield from learner.prepare(places, to_train=False)
        yield Progress("linear probes", 0, 1)
        found = cls(learner, places, draws, motions)
        yield Progress("linear probes", 1, 1)
        return found

    @property
    def best_motion(self) -> Motion:
        """The motion with the best probe; the simpler one of those that are level."""
        best = max(probe.accuracy for probe in self.probes.values())
        return next(motion for motion, probe in self.probes.items() if probe.accuracy >= best - LEVEL)

    @property
    @override
    def probe(self) -> probes.Probe:
        return self.probes[self.best_motion]

    @override
    def of_halves(self) -> float:
        parts = [probes.halves(features) for features in self._features]
        return float(np.mean([self._accuracy_on([part[half] for part in parts]) for half in (0, 1)]))

    @override
    def of_mirrors(self) -> Generator[RunEvent, None, tuple[float, float]]:
        """On some clips only, since each has to be encoded again."""
        places = self._learner.setting.evenly(self._places)[:_MIRRORED_CLIPS]
        rows = [self._places.index(place) for place in places]
        mirrored = yield from self._learner.mirrored_features(places)
        plain = [self._features[row] for row in rows]
        return self._accuracy_on(mirrored, rows), self._accuracy_on(plain, rows)

    def _accuracy_on(self, features: Sequence[Features], rows: Sequence[int] | None = None) -> float:
        return self.probe.accuracy_on(self._vectors(features, self.best_motion), self.labels, rows)

    def _vectors(self, features: Sequence[Features], motion: Motion) -> Floats:
        """The statistics (clips, width) of features (steps, width), of the views of this motion."""
        encoder = self._learner.network.encoder
        seen = [view == "appearance" or view in motion for view in encoder.views]
        columns = np.repeat(seen, encoder.view_width)
        change = "change" in motion
        return np.stack([probes.statistics_of(one[:, columns], change=change) for one in features])
