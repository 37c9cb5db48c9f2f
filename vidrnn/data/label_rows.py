"""Tables of labels that name the film in each row, as people write them by hand: columns by their usual names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from vidrnn.data.label_text import Cells, Table, read_table
from vidrnn.data.listing.parts import PART_WORDS
from vidrnn.data.listing.tables import JSON_LINES_SUFFIXES, read_rows, refuse
from vidrnn.errors import DataError
from vidrnn.values import Part

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "path": ("path", "film", "video", "file", "filename", "video_id"),
    "frame": ("frame",),
    "start": ("start", "start_seconds", "start_time", "start_timestamp", "onset"),
    "end": ("end", "end_seconds", "end_time", "stop", "stop_seconds", "stop_time", "stop_timestamp", "offset"),
    "label": ("label", "behaviour", "behavior", "class", "action", "verb", "narration"),
    "subject": ("subject", "animal", "individual"),
    "group": ("group", "participant_id"),
    "split": ("split", "subset"),
    "annotator": ("annotator", "observer", "coder"),
}
"""What a column is, and the names that it may have, in lower case; the first one that a table has is it."""
FRAME_COLUMNS = ("path", "frame", "label")
"""The columns that a table with a row for each labelled frame needs."""
_FURTHER = ("subject", "group", "split", "annotator")
_MOST_DIGITS = 9
"""Of the number of a frame."""


def columns_found(header: Iterable[str]) -> set[str]:
    """The columns, by the keys of COLUMNS, that a header has."""
    names = set(header)
    return {key for key, spellings in COLUMNS.items() if names & set(spellings)}


@dataclass(slots=True)
class FilmRows:
    """The rows of one film and one annotator, and what they say of the film as a whole."""

    name: str
    annotator: str
    group: str | None = None
    part: Part | None = None
    rows: list[tuple[int, Cells]] = field(default_factory=list)


def rows_by_film(data: Path, table: Table) -> list[FilmRows]:
    """The rows of each film and annotator, in the order of the table.

    Raises:
        DataError: a row names no film, or a film has two groups or two parts.
    """
    path, annotator = table.column(*COLUMNS["path"]), table.column(*COLUMNS["annotator"])
    assert path is not None
    found: dict[tuple[str, str], FilmRows] = {}
    for line, cells in table.rows:
        name = cells[path]
        if not name:
            raise DataError(f"{data}: line {line} names no video.")
        person = "" if annotator is None else cells[annotator]
        film = found.get((name, person))
        if film is None:
            film = found[name, person] = FilmRows(name, person)
        film.rows.append((line, cells))
    for film in found.values():
        film.group = _one(data, film, table.column(*COLUMNS["group"]), "group")
        film.part = _part(data, film, _one(data, film, table.column(*COLUMNS["split"]), "split"))
    return list(found.values())


def _one(data: Path, film: FilmRows, column: int | None, noun: str) -> str | None:
    """The only text that the rows of a film have in a column; None for an empty one."""
    words = sorted({cells[column] for _, cells in film.rows}) if column is not None else []
    if len(words) > 1:
        raise DataError(f"{data}: {film.name} has the {noun} {words[0]!r} and the {noun} {words[1]!r}; keep one.")
    return words[0] or None if words else None


def _part(data: Path, film: FilmRows, word: str | None) -> Part | None:
    if word is not None and word.casefold() not in PART_WORDS:
        raise DataError(f"{data}: {film.name} has the split {word!r}; write train, val or test.")
    return None if word is None else PART_WORDS[word.casefold()]


class FrameRow(NamedTuple):  # made once for each frame: a frozen dataclass takes three times as long
    """The row of one labelled frame."""

    line: int
    frame: int
    """The number of the frame, counted from 0."""
    label: str
    """Empty where the row has none."""
    subject: str


@dataclass(frozen=True, slots=True)
class FrameTable:
    """A table of path,frame,label."""

    films: tuple[tuple[FilmRows, tuple[FrameRow, ...]], ...]
    """Each film and annotator, and its frames in the order of the table."""
    first: int
    """The number that the table gives the first frame of a film: 0, or 1 if no film has a frame 0."""


def read_frame_table(data: Path) -> FrameTable:
    """A table with a row for each labelled frame: CSV, xlsx, or JSON Lines with an object in each line.

    Raises:
        DataError: the file cannot be read, a column is missing, or rows have wrong numbers or no film.
    """
    table = _frame_cells(data)
    if missing := [name for name in FRAME_COLUMNS if name not in columns_found(table.header)]:
        are = "is" if len(missing) == 1 else "are"
        raise DataError(f"{data}: needs the columns path, frame and label; {' and '.join(missing)} {are} missing.")
    frame, label, subject = (table.column(*COLUMNS[name]) for name in ("frame", "label", "subject"))
    assert frame is not None and label is not None
    refuse(data, [_fault(line, cells[frame]) for line, cells in table.rows if not _is_number(cells[frame])])
    films = rows_by_film(data, table)
    first = int(all(int(cells[frame]) > 0 for _, cells in table.rows))

    def rows_of(film: FilmRows) -> tuple[FrameRow, ...]:
        return tuple(
            FrameRow(line, int(cells[frame]) - first, cells[label], "" if subject is None else cells[subject])
            for line, cells in film.rows
        )

    return FrameTable(tuple((film, rows_of(film)) for film in films), first)


def _frame_cells(data: Path) -> Table:
    """The table as text; that of JSON Lines has the columns that mean something here."""
    if data.suffix.casefold() not in JSON_LINES_SUFFIXES:
        return read_table(data)
    names = (*FRAME_COLUMNS, *_FURTHER)
    synonyms = {spelling: name for name in names for spelling in COLUMNS[name] if spelling != name}
    rows = read_rows(data, FRAME_COLUMNS, _FURTHER, synonyms)
    return Table(names, [(row.line, [row[name] for name in names]) for row in rows])


def _is_number(cell: str) -> bool:
    return cell.isascii() and cell.isdecimal() and len(cell) <= _MOST_DIGITS


def _fault(line: int, cell: str) -> str:
    """The sentence on a row whose frame is no number."""
    return f"line {line} has the frame {cell[:40]!r}; frame numbers are whole numbers from 0."
