"""Text of label files: encodings, clock times, tables of CSV and xlsx, JSON, and runs of equal frames.

This module knows no labelling tool and no films.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.errors import DataError
from vidrnn.text import cell_text
from vidrnn.values import Span

BEGINNING_BYTES = 65_536
"""How much of a file is read to recognise its format."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = ",;\t"
_MOST_LISTED = 12

Cells = list[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table as text: its header and its rows, blank rows left out, each with the number of its line."""

    names: tuple[str, ...]
    """Of the columns, as they are written."""
    rows: list[tuple[int, Cells]]
    """Each row has at least as many cells as the header."""

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns in lower case."""
        return tuple(name.casefold() for name in self.names)

    def column(self, *names: str) -> int | None:
        """The place of the first column that has one of the names, or None."""
        header = self.header
        return next((header.index(name) for name in names if name in header), None)


def tidy(name: str) -> str:
    """The name with single spaces, none around it, and accents in one form."""
    return unicodedata.normalize("NFC", " ".join(name.split()))


def listed(names: Iterable[str]) -> str:
    """The names with commas between, the first few of many."""
    every = list(names)
    more = f" and {len(every) - _MOST_LISTED} more" if len(every) > _MOST_LISTED else ""
    return ", ".join(every[:_MOST_LISTED]) + more


def clock_seconds(text: str) -> float:
    """Seconds of a time: `12.5`, `12,5`, `1:02.5` or `00:01:02.500`.

    Raises:
        ValueError: it is no time.
    """
    try:
        seconds = float(text)
    except ValueError:
        clock = text.strip().replace(",", ".")
        sign = -1 if clock.startswith("-") else 1
        parts = clock.lstrip("+-").split(":")
        if len(parts) > 3:
            raise ValueError(f"{text!r} is no time") from None
        seconds = 0.0
        for part in parts:
            seconds = 60 * seconds + float(part)
        seconds *= sign
    if not math.isfinite(seconds):
        raise ValueError(f"{text!r} is no time")
    return seconds


def spans_of(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The runs of true values: the first place of each, and the place after its last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def runs_of(numbers: Iterable[int]) -> tuple[Span, ...]:
    """The runs of whole numbers that follow each other, half open."""
    places = np.unique(np.fromiter(numbers, dtype=np.int64))
    if not len(places):
        return ()
    breaks = np.flatnonzero(np.diff(places) > 1)
    firsts = places[np.concatenate([[0], breaks + 1])]
    lasts = places[np.concatenate([breaks, [len(places) - 1]])]
    return tuple(zip(firsts.astype(float).tolist(), (lasts + 1).astype(float).tolist(), strict=True))


# --- files -----------------------------------------------------------------------------------------------------------


def beginning_of(data: Path) -> str:
    """The first 64 KiB of a file as text, without a byte order mark; empty for a folder or binary data.

    Raises:
        DataError: the file cannot be read.
    """
    if data.is_dir():
        return ""
    try:
        with data.open("rb") as file:
            raw = file.read(BEGINNING_BYTES)
    except OSError as problem:
        raise DataError(f"{data}: cannot be read: {problem.strerror or problem}.") from problem
    if raw[:2] in _UTF16:
        return raw.decode("utf-16", errors="ignore")
    if b"\0" in raw:
        return ""
    return raw.decode("utf-8-sig", errors="replace").rstrip("\ufffd")


def read_text(data: Path) -> str:
    """All of a file: UTF-8 with or without a byte order mark, or UTF-16 with one.

    Raises:
        DataError: the file cannot be read, is empty, or is no such text.
    """
    return _decoded(data, _bytes(data))


def read_json(data: Path) -> Any:
    """The content of a JSON file, which may be packed with gzip.

    Raises:
        DataError: the file cannot be read, or is damaged.
    """
    raw = _bytes(data)
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as problem:
            raise DataError(f"{data}: is a damaged .gz file: {problem}. Copy or export it again.") from problem
    try:
        return json.loads(_decoded(data, raw))
    except json.JSONDecodeError as problem:
        raise DataError(
            f"{data}: is damaged JSON: {problem.msg} in line {problem.lineno}. Copy or export it again."
        ) from problem
    except (RecursionError, ValueError):
        raise DataError(f"{data}: is JSON of more levels, or of longer numbers, than a label file has.") from None


def json_mentions(data: Path, beginning: str, *keys: str) -> bool:
    """Whether a file is a JSON object whose text has all these keys, at any place."""
    if not beginning.lstrip().startswith("{"):
        return False
    raw = beginning.encode()
    if len(raw) >= BEGINNING_BYTES - 4:
        raw = data.read_bytes()
    return all(f'"{key}"'.encode() in raw for key in keys)


def _bytes(data: Path) -> bytes:
    try:
        raw = data.read_bytes()
    except OSError as problem:
        raise DataError(f"{data}: cannot be read: {problem.strerror or problem}.") from problem
    if not raw.strip():
        raise DataError(f"{data}: is empty. Export the labels again.")
    return raw


def _decoded(data: Path, raw: bytes) -> str:
    try:
        return raw.decode("utf-16" if raw[:2] in _UTF16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{data}: is not text in UTF-8. Save it again, as UTF-8.") from None


# --- tables ----------------------------------------------------------------------------------------------------------


def first_rows(beginning: str, count: int = 3) -> list[Cells]:
    """The first rows of a table that are not blank. The last row of a beginning may be cut."""
    lines = [line for line in beginning.splitlines()[: 100 + count] if line.strip(" \t,;")][:count]
    if not lines:
        return []
    mark = delimiter_of(lines[0])
    try:
        return [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=mark)]
    except csv.Error:
        return []


def header_of(beginning: str) -> tuple[str, ...]:
    """The names of the first row of a table, in lower case."""
    rows = first_rows(beginning, 1)
    return tuple(cell.casefold() for cell in rows[0]) if rows else ()


def delimiter_of(line: str) -> str:
    """The mark that divides a line into the most cells: comma, semicolon or tab."""
    return max(_DELIMITERS, key=lambda mark: len(next(csv.reader([line], delimiter=mark), [])))


def read_table(data: Path, first_cell: str | None = None) -> Table:
    """A CSV, TSV or xlsx table.

    Args:
        data: the file.
        first_cell: the first cell of the header, in lower case, where rows of another kind stand above it; None: the
            first row that is not blank is the header.

    Raises:
        DataError: the file cannot be read, is damaged, has no row below its header, or has rows that are too short.
    """
    rows = read_rows(data)
    if first_cell is not None:
        start = next((place for place, (_, cells) in enumerate(rows) if cells[0].casefold() == first_cell), None)
        if start is None:
            raise DataError(f"{data}: has no row that begins with {first_cell!r}. Perhaps a part of it is missing.")
        rows = rows[start:]
    names = rows[0][1]
    while names and not names[-1]:
        names = names[:-1]
    if len(rows) < 2:
        raise DataError(f"{data}: has a header and no row below it.")
    for line, cells in rows[1:]:
        if len(cells) < len(names) or (len(cells) > len(names) and any(cells[len(names) :])):
            raise DataError(
                f"{data}: line {line} has {len(cells)} cells where the header has {len(names)}. Perhaps the file was "
                "cut, or a cell with a comma lacks its quotation marks."
            )
    return Table(tuple(names), rows[1:])


def read_rows(data: Path) -> list[tuple[int, Cells]]:
    """The rows of a CSV, TSV or xlsx file that are not blank, each with the number of its line; at least one.

    Raises:
        DataError: the file cannot be read, is damaged, or has no row.
    """
    raw = _bytes(data)
    rows = _sheet_rows(data, raw) if raw[:4] == b"PK\x03\x04" else _text_rows(data, _decoded(data, raw))
    if not rows:
        raise DataError(f"{data}: has no row. Export the labels again.")
    return rows


def _text_rows(data: Path, text: str) -> list[tuple[int, Cells]]:
    first = next((line for line in text.splitlines() if line.strip(" \t,;")), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(first))
    try:
        rows = [(reader.line_num, [cell_text(cell.strip()) for cell in cells]) for cells in reader]
    except csv.Error as problem:
        raise DataError(
            f"{data}: line {reader.line_num} is not CSV: {problem}. Perhaps a quotation mark is not closed."
        ) from problem
    return [(line, cells) for line, cells in rows if any(cells)]


def _sheet_rows(data: Path, raw: bytes) -> list[tuple[int, Cells]]:
    import openpyxl

    try:
        sheet = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True).worksheets[0]
        rows = [[_cell_text(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    except Exception as problem:  # openpyxl has no error of its own for damage: any can come
        raise DataError(f"{data}: is a damaged xlsx file: {problem}. Save or export it again.") from problem
    width = max(map(len, rows), default=0)
    padded = [row + [""] * (width - len(row)) for row in rows]
    return [(line, cells) for line, cells in enumerate(padded, 1) if any(cells)]


def _cell_text(cell: object) -> str:
    return "" if cell is None else str(cell).strip()


def numbers_of(data: Path, rows: Sequence[tuple[int, Cells]], columns: Sequence[int]) -> NDArray[np.float64]:
    """(rows, columns): the cells of these columns as numbers.

    Raises:
        DataError: a cell is no number.
    """
    cells = ([row[column] for column in columns] for _, row in rows)
    try:
        flat = np.fromiter(map(float, chain.from_iterable(cells)), dtype=np.float64)
    except ValueError:
        line, column = next((line, column) for line, row in rows for column in columns if not _is_number(row[column]))
        cell = dict(rows)[line][column]
        raise DataError(f"{data}: line {line} has {cell!r} where a number belongs.") from None
    return flat.reshape(len(rows), len(columns))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
