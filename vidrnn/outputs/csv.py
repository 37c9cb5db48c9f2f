"""The segments as a table, a row for each."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from typing_extensions import override

from vidrnn.atomic import write_text
from vidrnn.outputs.base import SEGMENT_COLUMNS, Answered, Output, segment_rows


class Csv(Output):
    """Has the columns of `SEGMENT_COLUMNS`; every spreadsheet reads it."""

    suffix = ".segments.csv"

    @override
    def write(self, answered: Answered, file: Path) -> None:
        text = io.StringIO()
        table = csv.DictWriter(text, SEGMENT_COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(segment_rows(answered, file))
        write_text(file, text.getvalue())
