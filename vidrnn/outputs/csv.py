"""The segments as a table, a row for each."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from typing_extensions import override

from vidrnn.outputs.base import SEGMENT_COLUMNS, Event, EventOutput, FilmEvents, rounded
from vidrnn.text import table_cell


class Csv(EventOutput):
    """Has the columns of `SEGMENT_COLUMNS`; every spreadsheet reads it.

    What people said has no probability. It has the column `subject` where subjects are known.
    """

    suffix = ".segments.csv"
    joins: ClassVar[bool] = True
    subjects: ClassVar[bool] = True
    silence: ClassVar[Literal["none", "ignore"]] = "ignore"

    @override
    def text(self, films: Sequence[FilmEvents]) -> str:
        columns = list(SEGMENT_COLUMNS)
        if all(film.model is None for film in films):
            columns.remove("probability")
        if any(event.subject for film in films for event in film.events):
            columns.insert(columns.index("label") + 1, "subject")
        text = io.StringIO()
        table = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(_row(film, event) for film in films for event in film.events)
        return text.getvalue()


def _row(film: FilmEvents, event: Event) -> dict[str, Any]:
    return {
        "path": table_cell(film.name),
        "start_seconds": rounded(event.start_seconds),
        "end_seconds": rounded(event.end_seconds),
        "label": table_cell(event.label),
        "subject": table_cell(event.subject),
        "probability": "" if event.probability is None else rounded(event.probability),
    }
