"""A reader for networks with scores of classes: it joins windows, cuts and resets, and gives probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from vidrnn.errors import ModelError
from vidrnn.runtimes.base import Features, Runtime
from vidrnn.timeline.reading import Ending, Moments, Reader
from vidrnn.timeline.segments import for_class, softmax
from vidrnn.timeline.smoothing import Smoother, reach_of
from vidrnn.timeline.windows import feature_reader
from vidrnn.values import DecisionRule, Floats, Pixels
from vidrnn.video.cuts import CutFinder, SmallPictures, small_pictures


@dataclass(frozen=True)
class Prepared:
    """Frames that are encoded."""

    features: Features
    small: SmallPictures | None
    """Small pictures of the frames; None where cuts do not matter."""


class ScoreReader(Reader):
    """Encodes frames, reads on with the head, and turns scores into probabilities.

    If one of the classes holds, by softmax; if several may hold, each by a logistic function.
    """

    def __init__(self, model: Runtime, rule: DecisionRule, clip_share: float, *, centred: bool = False) -> None:
        """Begin before the first frame. `clip_share` and `centred` are those of `WindowReader`.

        Raises:
            ModelError: the rule never resets the state, and the model cannot carry its state from frame to frame; or it
                asks for cuts, and the model sees no pictures.
        """
        answer = model.handling.answer
        if rule.reset == "cut" and model.handling.features is not None:
            raise ModelError("--reset cut: this model reads features, which show no cuts. Say --reset window.")
        self.classes = answer.classes
        self._model, self._several = model, answer.kind == "several"
        self._temperature = np.asarray([for_class(rule.temperature, name, 1.0) for name in self.classes])
        self._features = feature_reader(model, rule.reset, clip_share, centred=centred)
        self._cuts = CutFinder() if rule.reset == "cut" else None
        seconds = rule.smoothing_seconds if rule.direction == "both" else 0.0
        self._smoother = Smoother(reach_of(seconds, model.handling.sampling.spacing_seconds))

    @override
    def prepare(self, pixels: Pixels, before: Pixels | None) -> Prepared:
        return Prepared(self._model.encode(pixels, before), small_pictures(pixels) if self._cuts else None)

    @override
    def read(self, prepared: Prepared) -> Moments:
        return self.read_features(prepared.features, self.find_cuts(prepared))

    def find_cuts(self, prepared: Prepared) -> tuple[int, ...]:
        """The places, in this piece, of the frames that begin a shot; none where cuts do not matter."""
        return self._cuts.find(prepared.small) if self._cuts and prepared.small is not None else ()

    def read_features(self, features: Features, cuts: Sequence[int] = ()) -> Moments:
        """Read on from features (steps, width); `cuts` are the places of those that begin a shot."""
        return Moments(self._probabilities(self._smoother.read(self._features.read(features, cuts))))

    @override
    def now(self) -> Floats:
        return self._probabilities(self._features.now())

    @override
    def finish(self) -> Ending:
        ending = self._features.finish()
        clip = self._probabilities(ending.clip) if self._model.handling.answer.resolution == "clip" else None
        return Ending(Moments(self._probabilities(self._smoother.finish(ending.steps))), clip)

    @override
    def skip(self, frames: int) -> None:
        """Do nothing: the windows go on with the frames that come."""

    def _probabilities(self, scores: Floats) -> Floats:
        scaled = scores / self._temperature
        if self._several:
            return np.asarray(1 / (1 + np.exp(-scaled)))
        return softmax(scaled, 1.0)
