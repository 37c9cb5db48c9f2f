"""A time budget: how often each behaviour occurs and how long it lasts, with the columns of the time budget of BORIS.

Segments begin where a probability passes a threshold, and so the total duration of a rare behaviour comes out too
short. The expected duration has no threshold: it is the sum of the probabilities, each times the time that it stands.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from typing_extensions import override

from vidrnn.atomic import write_text
from vidrnn.outputs.base import Answered, Output, first_seconds, rounded, segments_of
from vidrnn.values import FilmPrediction, Segment

_COLUMNS = (
    "path",
    "behavior",
    "number of occurrences",
    "total duration",
    "duration mean",
    "duration std dev",
    "inter-event intervals mean",
    "inter-event intervals std dev",
    "% of total subject observation duration",
    "expected duration (s)",
)
_NONE = "NA"
"""As BORIS and R write what is not there."""


class Budget(Output):
    """Has a row for each class of the model. Durations are in seconds."""

    suffix = ".budget.csv"

    @override
    def write(self, answered: Answered, file: Path) -> None:
        prediction = answered.prediction
        segments = segments_of(prediction, file)
        classes = prediction.timeline.classes if prediction.timeline is not None else ()
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(_COLUMNS)
        for label in classes or dict.fromkeys(segment.label for segment in segments):
            mine = [segment for segment in segments if segment.label == label]
            table.writerow(
                [answered.name, label, *_measures(mine, prediction.duration_seconds), _expected(prediction, label)]
            )
        write_text(file, text.getvalue())


def _measures(segments: Sequence[Segment], film_seconds: float) -> list[float | int | str]:
    """The columns of BORIS; standard deviations are those of a sample."""
    durations = [one.end_seconds - one.start_seconds for one in segments]
    intervals = [after.start_seconds - before.end_seconds for before, after in pairwise(segments)]
    share = 100 * sum(durations) / film_seconds if film_seconds > 0 else 0.0
    return [len(segments), rounded(sum(durations)), *_spread(durations), *_spread(intervals), rounded(share)]


def _spread(values: Sequence[float]) -> tuple[float | str, float | str]:
    """The mean, of one value at least, and the standard deviation, of two at least."""
    return rounded(mean(values)) if values else _NONE, rounded(stdev(values)) if len(values) > 1 else _NONE


def _expected(prediction: FilmPrediction, label: str) -> float | str:
    """The sum of a label's probabilities over time, in seconds; each stands until the next moment."""
    timeline = prediction.timeline
    if timeline is None or label not in timeline.classes or not len(timeline.seconds):
        return _NONE
    end = first_seconds(prediction) + prediction.duration_seconds
    lasts = np.diff(timeline.seconds, append=max(end, timeline.seconds[-1]))
    shares = timeline.probabilities[:, timeline.classes.index(label)].astype(np.float64)
    known = ~np.isnan(shares)
    return rounded(float((shares * lasts)[known].sum())) if known.any() else _NONE
