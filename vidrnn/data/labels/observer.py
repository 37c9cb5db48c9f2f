"""Event logs that Noldus Observer XT exports, as .xlsx or as text: a row for each start and each stop of a state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from vidrnn.data.label_events import Event, Status, UnpairedError, paired
from vidrnn.data.label_markup import (
    Rows,
    cell_of,
    cell_seconds,
    columns_where,
    first_rows,
    is_workbook,
    read_tables,
    sorted_bouts,
)
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig

_NEEDED = ("observation", "behavior", "event_type")
_TIMES = ("time_relative_sf", "time_relative_hmsf", "time_relative_hms")
"""Columns of times since the start of the observation, the most exact one first."""
_KINDS: dict[str, Status] = {
    "state start": "start",
    "state stop": "stop",
    "state point": "point",
    "point": "point",
    "point event": "point",
}
_HEADER_ROWS = 60
"""The header stands among these."""


class Observer(LabelFormat):
    """The film is the observation: its name is that of the film, with or without a suffix.

    Moments without a state have no behaviour: an observation is coded from its beginning to its end.
    """

    title = "Observer XT export"
    silence: ClassVar[Silence] = "none"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        if is_workbook(data):
            return _header(first_rows(data)) is not None
        lines = [line.casefold() for line in beginning.splitlines()[:_HEADER_ROWS]]
        return any("event_type" in line and "behavior" in line and "observation" in line for line in lines)

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        found = _header(read_tables(data))
        if found is None:
            raise DataError(
                f"{data}: has no table with the columns Observation, Behavior and Event_Type. "
                "Export the event log from Observer XT."
            )
        events: dict[str, list[Event]] = {}
        for name, event in _events(data, *found):
            events.setdefault(name, []).append(event)
        if not events:
            raise DataError(f"{data}: holds no events. Export the event log from Observer XT again.")
        films, failures = [], []
        for name, logged in events.items():
            try:
                films.append(NamedLabels(name, sorted_bouts(paired(logged))))
            except UnpairedError as problem:
                failures.append((name, f"{problem}. Correct it in Observer XT and export again"))
        base = "seconds since the start of the observation, the end not included"
        return LabelFile(tuple(films), base, failures=tuple(failures))


def _header(tables: list[Rows]) -> tuple[Rows, int, dict[str, int]] | None:
    """The last table with the columns, the row of its header, and its columns. The Observer puts the events last."""
    for table in reversed(tables):
        if found := columns_where(table, _NEEDED):
            return table, *found
    return None


def _events(data: Path, table: Rows, header: int, columns: dict[str, int]) -> Iterator[tuple[str, Event]]:
    times = next((columns[name] for name in _TIMES if name in columns), None)
    if times is None:
        raise DataError(f"{data}: has no column Time_Relative_hmsf or Time_Relative_sf. Export the event log with it.")
    modifiers = [place for name, place in columns.items() if name.startswith("modifier")]
    for count, row in enumerate(table[header + 1 :], header + 2):
        if not any(cell_of(row, place) for place in range(len(row))):
            continue
        place = f"{data}: row {count}"
        written = cell_of(row, columns["event_type"])
        kind, label = _KINDS.get(written.casefold()), cell_of(row, columns["behavior"])
        if kind is None or not label:
            raise DataError(
                f"{place}: has the behavior {label!r} and the event type {written!r}; "
                "wanted a behavior with State start, State stop or Point. Export the event log again."
            )
        seconds = cell_seconds(row[times] if times < len(row) else None, place)
        key = "|".join(cell_of(row, modifier) for modifier in modifiers)
        event = Event(seconds, label, kind, cell_of(row, columns.get("subject")), key)
        yield cell_of(row, columns["observation"]), event
