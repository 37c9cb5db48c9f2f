"""How probable each class is at each moment that the model looked at: a row for each, a column for each class."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from vidrnn.atomic import write_text
from vidrnn.errors import OutputError
from vidrnn.outputs.base import Answered, Output, rounded


class Steps(Output):
    """The columns are `seconds`, by the film's own clock, and the classes."""

    suffix = ".steps.csv"

    def write(self, answered: Answered, file: Path) -> None:
        """As the contract says."""
        timeline = answered.found.timeline
        if timeline is None:
            raise OutputError(f"{file}: the model tells nothing of single moments. Leave steps out of --format.")
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["seconds", *timeline.classes])
        for seconds, shares in zip(timeline.seconds, timeline.probabilities, strict=True):
            table.writerow([rounded(seconds), *map(rounded, shares)])
        write_text(file, text.getvalue())
