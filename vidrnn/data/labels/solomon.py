"""Solomon Coder's CSV: a row for each step of time, and a column of behaviours for each group of them."""

from __future__ import annotations

from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from vidrnn.data.label_text import Table, clock_seconds, first_rows, read_table, tidy
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError
from vidrnn.values import Bout

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig


class Solomon(LabelFormat):
    """Each row stands until the next one. An empty cell is no behaviour."""

    title: ClassVar[str] = "Solomon Coder table"
    silence: ClassVar[Silence] = "none"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        rows = first_rows(beginning, 1000)
        if (
            len(rows) < 3
            or rows[0][0].casefold() != "time"
            or len(rows[0]) < 2
            or "status" in map(str.casefold, rows[0])
        ):
            return False
        try:
            ordered = clock_seconds(rows[1][0]) < clock_seconds(rows[2][0])
        except ValueError:
            return False
        cells = {cell for row in rows[1:] for cell in row[1:]}
        return ordered and not (cells and cells <= {"0", "1"})

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        table = read_table(data)
        times = _times(data, table)
        columns = [tidy(name) for name in table.names[1:]]
        groups = [{cells[place] for _, cells in table.rows} - {""} for place in range(1, len(table.names))]
        bouts = []
        for place, column in enumerate(columns):
            elsewhere = set().union(*(other for each, other in enumerate(groups) if each != place))
            position = 0
            for word, rows in groupby(cells[place + 1] for _, cells in table.rows):
                end = position + sum(1 for _ in rows)
                if word:
                    label = f"{column}: {word}" if word in elsewhere else word
                    bouts.append(Bout(times[position], times[end], label))
                position = end
        film = NamedLabels(data.stem, tuple(bouts), known=((times[0], times[-1]),))
        return LabelFile((film,), base=f"seconds, a row each {times[1] - times[0]:g} s")


def _times(data: Path, table: Table) -> list[float]:
    """The time of each row, and the end of the last one."""
    times = []
    for line, cells in table.rows:
        try:
            times.append(clock_seconds(cells[0]))
        except ValueError:
            raise DataError(f"{data}: line {line} has the time {cells[0]!r}; a time is seconds or h:m:s.") from None
        if len(times) > 1 and times[-1] <= times[-2]:
            raise DataError(f"{data}: line {line} has the time {cells[0]}, which is not after the line before it.")
    if len(times) < 2:
        raise DataError(f"{data}: has one row only, so that the step of its times is not known.")
    steps = sorted(later - earlier for earlier, later in pairwise(times))
    return [*times, times[-1] + steps[len(steps) // 2]]
