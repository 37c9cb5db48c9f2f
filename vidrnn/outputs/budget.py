"""A time budget: how often each behaviour occurs and how long it lasts, with the columns of the time budget of BORIS.

Segments begin where a probability passes a threshold, and so the total duration of a rare behaviour comes out too
short. The expected duration has no threshold: it is the sum of the probabilities, each times the time that it stands.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from typing_extensions import override

from vidrnn.atomic import write_text
from vidrnn.errors import OutputError
from vidrnn.outputs.base import Answered, Output, rounded
from vidrnn.text import table_cell
from vidrnn.timeline.budget import budget_of
from vidrnn.values import Budget

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


class TimeBudget(Output):
    """Has a row for each class of the model. Durations are in seconds."""

    suffix = ".budget.csv"

    @override
    def write(self, answered: Answered, file: Path) -> None:
        prediction = answered.prediction
        timeline = prediction.timeline
        if timeline is None:
            raise OutputError(
                f"{file}: the model answers for the video as a whole, so there is no time budget to write. "
                "Choose another --format: jsonl."
            )
        budgets = prediction.budget or budget_of(prediction.segments, timeline, prediction.duration_seconds)
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(_COLUMNS)
        table.writerows(
            [table_cell(answered.name), table_cell(name), *_cells(budget)] for name, budget in budgets.items()
        )
        write_text(file, text.getvalue())


def _cells(budget: Budget) -> Sequence[float | str]:
    """The columns of BORIS, and the expected duration."""
    numbers = (
        budget.total_seconds,
        budget.mean_seconds,
        budget.std_seconds,
        budget.interval_mean_seconds,
        budget.interval_std_seconds,
        100 * budget.share,
        budget.expected_seconds,
    )
    return [budget.occurrences, *(_NONE if number is None else rounded(number) for number in numbers)]
