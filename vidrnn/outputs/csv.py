"""The timeline as a table: a row for each segment."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from vidrnn.atomic import write_text
from vidrnn.outputs.base import SEGMENT_COLUMNS, Answered, Output, segment_rows


class Csv(Output):
    """The columns of `SEGMENT_COLUMNS`; every spreadsheet reads it."""

    suffix = ".segments.csv"

    def write(self, answered: Answered, file: Path) -> None:
        """As the contract says."""
        text = io.StringIO()
        table = csv.DictWriter(text, SEGMENT_COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(segment_rows(answered))
        write_text(file, text.getvalue())
