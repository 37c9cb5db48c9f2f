"""The moments as a table: a row for each, a column for each class or measure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typing_extensions import override

from vidrnn.atomic import write_text
from vidrnn.errors import OutputError
from vidrnn.outputs.base import Answered, Output, rounded, significant
from vidrnn.text import table_cell
from vidrnn.values import Timeline


class Steps(Output):
    """Has the columns `seconds`, by the film's own clock, and the classes.

    Where moments have measures, they stand in place of the classes, and the film's frame comes first.
    """

    suffix = ".steps.csv"

    @override
    def write(self, answered: Answered, file: Path) -> None:
        timeline = answered.prediction.timeline
        if timeline is None:
            raise OutputError(
                f"{file}: the model answers for the video as a whole, so there are no steps to write. "
                "Choose another --format: jsonl."
            )
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(_measured(timeline) if timeline.measures else _shares(timeline))
        write_text(file, text.getvalue())


def _shares(timeline: Timeline) -> Iterator[list[Any]]:
    yield ["seconds", *map(table_cell, timeline.classes)]
    for seconds, shares in zip(timeline.seconds, timeline.probabilities, strict=True):
        yield [rounded(seconds), *map(rounded, shares)]


def _measured(timeline: Timeline) -> Iterator[list[Any]]:
    assert timeline.indices is not None
    yield ["frame", "seconds", *timeline.measures]
    for place, (index, seconds) in enumerate(zip(timeline.indices, timeline.seconds, strict=True)):
        yield [int(index), rounded(seconds), *(significant(column[place]) for column in timeline.measures.values())]
