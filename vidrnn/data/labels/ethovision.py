"""Manual scoring logs that Noldus EthoVision XT exports, as .xlsx or as text.

A header of keys and values says how many rows it has and which film was scored. The last two rows of the header are the
names of the columns and their units.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from vidrnn.data.films import counted
from vidrnn.data.label_events import Event, Status, UnpairedError, paired
from vidrnn.data.label_markup import (
    Rows,
    cell_of,
    cell_seconds,
    columns_where,
    film_name,
    first_rows,
    is_workbook,
    number,
    read_tables,
    sorted_bouts,
)
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig

_MARK = "number of header lines:"
_NEEDED = ("recording time", "behavior", "event")
_KINDS: dict[str, Status] = {
    "state start": "start",
    "state stop": "stop",
    "point event": "point",
    "point": "point",
}
_HEADER_ROWS = 5


class EthoVision(LabelFormat):
    """Each sheet with a log is a film. Sheets of tracks are left out.

    Moments without a state have no behaviour: a recording is scored from its beginning to its end.
    """

    title = "EthoVision export"
    silence: ClassVar[Silence] = "none"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        if is_workbook(data):
            return any(_mark(row) for table in first_rows(data) for row in table[:_HEADER_ROWS])
        return any(_MARK in line.casefold() for line in beginning.splitlines()[:_HEADER_ROWS])

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        tables = read_tables(data)
        films = tuple(film for table in tables if (film := _film(data, table)) is not None)
        if not films:
            raise DataError(
                f"{data}: none of its {counted(len(tables), 'sheet')} has the columns Recording time, Behavior and "
                "Event. Export the manual scoring log from EthoVision."
            )
        others = len(tables) - len(films)
        note = f"{data.name}: {counted(others, 'sheet')} without behaviours left out"
        base = "seconds since the start of the recording, the end not included"
        return LabelFile(films, base, notes=(note,) if others else ())


def _mark(row: list[object]) -> bool:
    return cell_of(row, 0).casefold() == _MARK


def _film(file: Path, table: Rows) -> NamedLabels | None:
    """The labels of a sheet; None for a sheet without behaviours."""
    found = columns_where(table, _NEEDED)
    if found is None:
        return None
    row, columns = found
    header = table[:row]
    values = {cell_of(one, 0).casefold().rstrip(":"): cell_of(one, 1) for one in header}
    count = next((cell_of(one, 1) for one in header if _mark(one)), None)
    first = row + 2 if count is None else max(row + 1, int(number(count, f"{file}: Number of header lines")))
    try:
        bouts = paired(_events(file, table, first, columns))
    except UnpairedError as problem:
        raise DataError(f"{file}: {problem}. Correct it in EthoVision and export again.") from None
    return NamedLabels(film_name(values.get("video file", "")) or file.stem, sorted_bouts(bouts))


def _events(file: Path, table: Rows, first: int, columns: dict[str, int]) -> Iterator[Event]:
    for count, row in enumerate(table[first:], first + 1):
        if not any(cell_of(row, place) for place in range(len(row))):
            continue
        place = f"{file}: row {count}"
        written, label = cell_of(row, columns["event"]), cell_of(row, columns["behavior"])
        kind = _KINDS.get(written.casefold())
        if kind is None or not label:
            raise DataError(
                f"{place}: has the behavior {label!r} and the event {written!r}; "
                "wanted a behavior with state start, state stop or point event. Export the scoring log again."
            )
        time = columns["recording time"]
        seconds = cell_seconds(row[time] if time < len(row) else None, place)
        yield Event(seconds, label, kind, cell_of(row, columns.get("subject")))
