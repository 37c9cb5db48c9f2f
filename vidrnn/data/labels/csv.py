"""A CSV table with a row for each bout: path,start,end,label. So are the tables that vidrnn itself writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from vidrnn.data.label_rows import COLUMNS, columns_found, rows_by_film
from vidrnn.data.label_text import Cells, clock_seconds, header_of, read_table
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError
from vidrnn.values import Bout

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig

NEEDED = {"path", "start", "end", "label"}


class Intervals(LabelFormat):
    """Times are seconds or h:m:s, half open. A row without an end, or whose end is its start, is a point event."""

    title: ClassVar[str] = "path,start,end,label"
    silence: ClassVar[Silence] = "ignore"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        header = header_of(beginning)
        return columns_found(header) >= NEEDED and "observation id" not in header

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        table = read_table(data)
        if missing := sorted(NEEDED - columns_found(table.header)):
            raise DataError(
                f"{data}: needs the columns path, start, end and label; {' and '.join(missing)} is missing."
            )
        start, end, label = (table.column(*COLUMNS[name]) for name in ("start", "end", "label"))
        subject = table.column(*COLUMNS["subject"])
        assert start is not None and end is not None and label is not None

        def bout(line: int, cells: Cells) -> Bout:
            try:
                first = clock_seconds(cells[start])
                last = clock_seconds(cells[end]) if cells[end] else first
            except ValueError:
                raise DataError(
                    f"{data}: line {line} begins at {cells[start]!r} and ends at {cells[end]!r}; "
                    "write seconds such as 12.5, or a time such as 0:00:12.500."
                ) from None
            if last < first:
                raise DataError(f"{data}: line {line} ends at {cells[end]}, before it begins at {cells[start]}.")
            if not cells[label]:
                raise DataError(f"{data}: line {line} has no label.")
            return Bout(first, last, cells[label], "" if subject is None else cells[subject])

        films = tuple(
            NamedLabels(
                film.name,
                tuple(bout(line, cells) for line, cells in film.rows),
                group=film.group,
                part=film.part,
                annotator=film.annotator,
            )
            for film in rows_by_film(data, table)
        )
        return LabelFile(films, base="seconds")
