"""BORIS: projects (.boris), tabular and aggregated exports of events, old and new, and its binary tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from typing_extensions import override

from vidrnn.data.films import counted
from vidrnn.data.label_events import Event, Media, Status, UnpairedError, in_a_row, paired, within
from vidrnn.data.label_text import (
    Cells,
    Table,
    beginning_of,
    clock_seconds,
    first_rows,
    json_mentions,
    numbers_of,
    read_json,
    read_rows,
    read_table,
    spans_of,
    tidy,
)
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError
from vidrnn.values import Bout, Span

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig

NO_SUBJECT = "no focal subject"
EMPTY = frozenset({"", "na", "nan", "none", "not found"})
MOST_SECONDS = 1e8
"""Later times are dates: seconds since 1970."""
_EVENT_COLUMNS = {"observation id", "behavior", "subject"}
_DEEPEST_HEADER = 80
"""An old table has its header among so many rows."""
_STATUS: Mapping[str, Status] = {"start": "start", "stop": "stop", "point": "point"}
_AGAIN = "Correct the observation in BORIS and save the project or export it again"


@dataclass(slots=True)
class _Observation:
    """What was coded while some videos were watched. Times are on one axis, without the observation's time offset."""

    name: str
    players: tuple[tuple[Media, ...], ...] = ()
    """Videos of one player follow each other; those of several players run side by side."""
    bouts: tuple[Bout, ...] = ()
    coded: Span | None = None
    """The part of the axis that was coded, where the file says it."""
    latest: float = float("inf")
    """The first video ends before this time, where its length is not known."""
    problem: str | None = None
    """Why its labels cannot be used, as a clause."""
    skipped: str | None = None
    """Why it has no part in the labels, such as `live`."""
    modifiers: bool = False


class Boris(LabelFormat):
    """An observation covers its videos: moments between its events show no behaviour. Each is an annotator."""

    title: ClassVar[str] = "BORIS events"
    silence: ClassVar[Silence] = "none"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        if data.is_dir():
            return False
        if data.name.casefold().endswith((".boris", ".boris.gz")):
            return True
        if not beginning:
            return data.suffix.casefold() in (".xlsx", ".xlsm") and _is_sheet(data)
        rows = first_rows(beginning, 1000)
        return (
            json_mentions(data, beginning, "behaviors_conf", "observations")
            or _is_event_table(rows[:1])
            or any(_is_old_header(cells) for cells in rows[:_DEEPEST_HEADER])
            or _is_binary(rows)
        )

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        if _is_project(data):
            return _labels(data, _observations_of_project(data))
        rows = read_rows(data)
        if any(_is_old_header(cells) for _, cells in rows[:_DEEPEST_HEADER]):
            known = {cells[0].casefold(): cells[1] for _, cells in rows[:_DEEPEST_HEADER] if len(cells) > 1}
            return _labels(data, _observations_of_table(data, read_table(data, first_cell="time"), known))
        table = read_table(data)
        if _is_event_table([list(table.names)]):
            return _labels(data, _observations_of_table(data, table, {}))
        if _is_binary([cells for _, cells in rows]):
            return _binary(data, table)
        raise DataError(f"{data}: is none of the tables of BORIS: tabular events, aggregated events, binary table.")


def _is_sheet(data: Path) -> bool:
    try:
        rows = [cells for _, cells in read_rows(data)[:_DEEPEST_HEADER]]
    except DataError:
        return False
    return _is_event_table(rows) or any(map(_is_old_header, rows))


def _is_event_table(rows: list[Cells]) -> bool:
    names = {cell.casefold() for cell in rows[0]} if rows else set()
    return names >= _EVENT_COLUMNS and bool(names & {"time", "start (s)"})


def _is_old_header(cells: Cells) -> bool:
    names = {cell.casefold() for cell in cells}
    return cells[0].casefold() == "time" and names >= {"media file path", "behavior", "status"}


def _is_binary(rows: list[Cells]) -> bool:
    cells = {cell for row in rows[1:] for cell in row[1:]}
    return len(rows) > 2 and rows[0][0].casefold() == "time" and bool(cells) and cells <= {"0", "1"}


def _is_project(data: Path) -> bool:
    return data.name.casefold().endswith((".boris", ".boris.gz")) or beginning_of(data).lstrip().startswith("{")


def _labels(data: Path, observations: list[_Observation]) -> LabelFile:
    """The labels of each video of each observation."""
    films: list[NamedLabels] = []
    failures: list[tuple[str, str]] = []
    for observation in observations:
        media = [each for player in observation.players for each in player]
        if observation.problem is not None:
            reason = f"in the observation {observation.name!r} {observation.problem}. {_AGAIN}"
            failures += ((each.name, reason) for each in media)
            continue
        for player in observation.players:
            for each in player:
                if each.start is None:
                    failures.append((each.name, _no_place(observation.name)))
                    continue
                end = None if len(player) == 1 else each.seconds or observation.latest
                films.append(
                    NamedLabels(
                        each.name,
                        within(each, observation.bouts, end),
                        known=_coded_part(observation, each.start),
                        duration_seconds=each.seconds,
                        group=observation.name if len(media) > 1 else None,
                        annotator=observation.name,
                    )
                )
    skipped = Counter(one.skipped for one in observations if one.skipped)
    left_out = [f"{counted(count, 'observation')} {why}" for why, count in skipped.items()]
    if not films and not failures:
        raise DataError(
            f"{data}: has no observation of a video with events in it"
            + (f", but {', '.join(left_out)}." if left_out else ".")
        )
    notes = [f"{', '.join(left_out)}: left out"] if left_out else []
    if any(one.modifiers for one in observations):
        notes.append("modifiers of behaviours are left out")
    return LabelFile(tuple(films), "seconds, less the time offset", notes=tuple(notes), failures=tuple(failures))


def _coded_part(observation: _Observation, start: float) -> tuple[Span, ...] | None:
    """The part of a video that was coded, by its own clock; None where the file does not say it."""
    if observation.coded is None:
        return None
    first, last = (max(seconds - start, 0.0) for seconds in observation.coded)
    return ((first, last),) if last > first else ()


def _no_place(observation: str) -> str:
    return (
        f"plays after another video in the observation {observation!r}, and the file does not say how long that one "
        "is. Give the project (.boris) in place of the table"
    )


# --- projects --------------------------------------------------------------------------------------------------------


def _observations_of_project(data: Path) -> list[_Observation]:
    content = read_json(data)
    try:
        states = {
            str(conf["code"]): str(conf["type"]).casefold().startswith("state")
            for conf in content["behaviors_conf"].values()
        }
        return [_of_project(str(name), record, states) for name, record in content["observations"].items()]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as problem:
        raise DataError(
            f"{data}: is no project of BORIS, or a damaged one ({type(problem).__name__}: {problem}). Open it in BORIS "
            "and save it again."
        ) from problem


def _of_project(name: str, record: dict[str, Any], states: Mapping[str, bool]) -> _Observation:
    kind = str(record.get("type", "MEDIA")).upper()
    if kind != "MEDIA":
        return _Observation(name, skipped="of single images" if kind == "IMAGES" else "without a video (live)")
    if not record["events"]:
        return _Observation(name, skipped="without events")
    info = record.get("media_info") or {}
    lengths, offsets = info.get("length") or {}, info.get("offset") or {}
    players = tuple(
        in_a_row(names, [_length(lengths.get(each)) for each in names], float(offsets.get(player) or 0))
        for player, names in sorted(record["file"].items())
        if names
    )
    offset = float(record.get("time offset") or 0)
    events = []
    for seconds, subject, code, modifiers, *_ in record["events"]:
        if code not in states:
            return _Observation(name, players, problem=f"the behaviour {code!r} is not in the project's ethogram")
        status: Status = "toggle" if states[code] else "point"
        events.append(
            Event(clock_seconds(str(seconds)) - offset, tidy(code), status, _subject(subject), str(modifiers))
        )
    first, last = map(float, record.get("observation time interval") or (0, 0))
    return _coded(_Observation(name, players, coded=(first, last) if last > first else None), events)


def _length(seconds: object) -> float | None:
    return float(seconds) if isinstance(seconds, int | float) and seconds > 0 else None


def _subject(text: str) -> str:
    name = tidy(text)
    return "" if name.casefold() == NO_SUBJECT else name


def _coded(observation: _Observation, events: list[Event]) -> _Observation:
    """The observation with the bouts of the events, or with the problem of them."""
    observation.modifiers = any(part.casefold() not in EMPTY for each in events for part in each.modifiers.split("|"))
    if any(each.seconds > MOST_SECONDS for each in events):
        observation.problem = "times are dates, since the creation date of the video was taken as time offset"
        return observation
    try:
        observation.bouts = paired(events)
    except UnpairedError as problem:
        observation.problem = f"the behaviour {problem}"
    return observation


# --- tables ----------------------------------------------------------------------------------------------------------


def _observations_of_table(data: Path, table: Table, known: Mapping[str, str]) -> list[_Observation]:
    """The observations of a table of events or bouts.

    Args:
        data: the file.
        table: its rows.
        known: what the rows above an old table say of its only observation, by name.
    """
    columns = _Columns(table, known)
    observations: dict[str, list[tuple[int, Cells]]] = {}
    for line, cells in table.rows:
        observations.setdefault(columns.text(cells, "observation id"), []).append((line, cells))
    return [_of_rows(data, name, rows, columns) for name, rows in observations.items()]


@dataclass(frozen=True, slots=True)
class _Columns:
    """The cells of a row by the name of the column."""

    table: Table
    known: Mapping[str, str]

    def text(self, cells: Cells, *names: str) -> str:
        """The cell of the first column of these names; empty where there is none, or where it says so."""
        place = self.table.column(*names)
        text = (
            cells[place] if place is not None else next((self.known[name] for name in names if name in self.known), "")
        )
        return "" if text.casefold() in EMPTY else text

    def modifiers(self, cells: Cells) -> str:
        """All modifiers of a row."""
        places = [place for place, name in enumerate(self.table.header) if name.startswith("modifier")]
        return "|".join(cells[place] for place in places)

    def media(self, cells: Cells) -> str:
        """The video that a row names."""
        return self.text(cells, "media file name", "media file path", "media file")


def _of_rows(data: Path, name: str, rows: list[tuple[int, Cells]], columns: _Columns) -> _Observation:
    first = rows[0][1]
    kind = columns.text(first, "observation type").casefold()
    if kind.startswith("live") or columns.media(first).casefold() == "live":
        return _Observation(name, skipped="without a video (live)")
    if "image" in kind or "directories" in kind:
        return _Observation(name, skipped="of single images")
    observation = _Observation(name)
    events: list[Event] = []
    beginnings: dict[str, float] = {}
    for line, cells in rows:
        try:
            of_row = _events(cells, columns)
        except (ValueError, KeyError):
            raise DataError(
                f"{data}: line {line} is {','.join(cells)[:80]}: wanted START, STOP, POINT or STATE, and its times. "
                "Perhaps the file was cut."
            ) from None
        if film := columns.media(cells):
            beginnings[film] = min(of_row[0].seconds, beginnings.get(film, of_row[0].seconds))
        events += of_row
    source = columns.text(first, "source")
    lengths = columns.text(first, "media duration (s)", "total length")
    if source:
        observation.players = _players(source, lengths)[:1]
    else:
        names = sorted(beginnings, key=lambda film: beginnings[film])
        observation.players = (in_a_row(names, [_number(lengths) if len(names) == 1 else None for _ in names]),)
        observation.latest = beginnings[names[1]] if len(names) > 1 else observation.latest
    return _coded(observation, events)


def _events(cells: Cells, columns: _Columns) -> tuple[Event, ...]:
    """The event of a row, or the start and stop of a bout.

    Raises:
        ValueError: a time is no time.
        KeyError: the type of the event is not known.
    """
    offset = clock_seconds(columns.text(cells, "time offset (s)") or "0")
    label, subject = tidy(columns.text(cells, "behavior")), _subject(columns.text(cells, "subject"))
    kind = columns.text(cells, "behavior type", "status").casefold()
    modifiers = columns.modifiers(cells)
    if columns.table.column("start (s)") is None:
        seconds = clock_seconds(columns.text(cells, "time")) - offset
        return (Event(seconds, label, _STATUS[kind], subject, modifiers),)
    start = clock_seconds(columns.text(cells, "start (s)")) - offset
    if kind == "point":
        return (Event(start, label, "point", subject, modifiers),)
    if kind != "state":
        raise KeyError(kind)
    stop = clock_seconds(columns.text(cells, "stop (s)")) - offset
    return Event(start, label, "start", subject, modifiers), Event(stop, label, "stop", subject, modifiers)


def _number(text: str) -> float | None:
    try:
        return clock_seconds(text) or None
    except ValueError:
        return None


def _players(source: str, lengths: str) -> tuple[tuple[Media, ...], ...]:
    """The videos of `player #1:a.mp4;b.mp4|player #2:c.mp4`, with the lengths `9.96;9.96|19.92`."""
    players = []
    of_players = lengths.split("|")
    for place, text in enumerate(source.split("|")):
        names = [name.strip() for name in re.sub(r"^\s*player #\d+:", "", text).split(";") if name.strip()]
        seconds = [_number(each) for each in (of_players[place] if place < len(of_players) else "").split(";")]
        players.append(in_a_row(names, seconds if len(seconds) == len(names) else [None] * len(names)))
    return tuple(players)


def _binary(data: Path, table: Table) -> LabelFile:
    """A table of 0 and 1 at equal steps of time. A behaviour holds from half a step before its first 1 on."""
    values = numbers_of(data, table.rows, range(len(table.names)))
    times = values[:, 0]
    steps = np.diff(times)
    if len(steps) and (steps <= 0).any():
        line = table.rows[int(np.argmax(steps <= 0)) + 1][0]
        raise DataError(f"{data}: the time of line {line} is not after the time of the line before it.")
    if not np.isin(values[:, 1:], (0, 1)).all() or not len(steps):
        raise DataError(f"{data}: is no binary table of BORIS: wanted times, and 0 or 1 for each behaviour.")
    half = float(np.median(steps)) / 2
    edges = np.maximum(np.append(times, times[-1] + 2 * half) - half, 0.0).tolist()
    names = [tidy(name) for name in table.names[1:]]
    bouts = tuple(
        Bout(edges[start], edges[end], label)
        for place, label in enumerate(names, 1)
        for start, end in spans_of(values[:, place] == 1)
    )
    film = NamedLabels(data.stem, bouts, known=((edges[0], edges[-1]),))
    return LabelFile((film,), f"seconds, a row each {2 * half:g} s", behaviours=tuple(names))
