"""Scores of moments become means over the time around them. It needs numpy only."""

from __future__ import annotations

import numpy as np

from vidrnn.values import Floats


class Smoother:
    """A weighted mean over the steps around each step: the nearer a step, the more it weighs.

    Law: how the steps are cut into pieces changes nothing. A step is certain once the steps behind it have come, so
    what is given lags `reach` steps. Its memory does not grow.
    """

    def __init__(self, reach: int) -> None:
        """`reach`: how many steps count on each side; 0 changes nothing."""
        self.reach = reach
        self._weights = 1 - np.abs(np.arange(-reach, reach + 1)) / (reach + 1)
        self._steps: Floats | None = None
        """The steps that later ones still need, up to `reach` of them certain already, at the end the newest."""
        self._given = 0
        """How many of them were given."""

    def read(self, scores: Floats) -> Floats:
        """The next steps that are certain, (steps, classes), after `scores` (new steps, classes) came."""
        if not self.reach:
            return scores
        known = scores if self._steps is None else np.concatenate([self._steps, scores])
        certain = max(self._given, len(known) - self.reach)
        found = self._means(known, self._given, certain)
        spare = max(0, certain - self.reach)
        self._steps, self._given = known[spare:].copy(), certain - spare
        return found

    def finish(self, scores: Floats) -> Floats:
        """The steps that were not certain, if `scores` are the last ones. The smoother stays as it is."""
        if not self.reach:
            return scores
        known = scores if self._steps is None else np.concatenate([self._steps, scores])
        return self._means(known, self._given, len(known))

    def _means(self, known: Floats, start: int, end: int) -> Floats:
        """The means of the steps from `start` to before `end`; beyond the first and last step there is nothing."""
        found = np.empty((end - start, *known.shape[1:]))
        for place, step in enumerate(range(start, end)):
            low, high = max(0, step - self.reach), min(len(known), step + self.reach + 1)
            weights = self._weights[low - step + self.reach : high - step + self.reach]
            found[place] = weights @ known[low:high] / weights.sum()
        return found


def smoothed(scores: Floats, reach: int) -> Floats:
    """The scores (steps, classes) of a whole film as means over `reach` steps on each side."""
    return Smoother(reach).finish(scores)


def reach_of(smoothing_seconds: float, spacing_seconds: float) -> int:
    """How many steps on each side are nearer than `smoothing_seconds`."""
    return max(0, int(np.ceil(smoothing_seconds / spacing_seconds - 1e-6)) - 1)
