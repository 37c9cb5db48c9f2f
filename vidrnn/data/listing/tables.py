"""Tables of text, CSV or JSON Lines: UTF-8 or UTF-16, any usual delimiter, blank lines. It knows nothing of films."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from vidrnn.errors import DataError
from vidrnn.plain_json import json_text
from vidrnn.text import cell_text

DELIMITERS = ",;\t"
JSON_LINES_SUFFIXES = frozenset({".jsonl", ".ndjson"})
LARGEST_BYTES = 1 << 30
"""Of a table or a file of labels."""
_MOST_FAULTS = 10
_SEPARATOR_LINE = re.compile(r'\A\s*"?sep=(.)"?[ \t]*(?=[\r\n]|\Z)', re.IGNORECASE)
"""The first line that Excel writes and reads, but does not show."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a manifest: its cells by column name. A missing cell is an empty string."""

    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


def refuse(data: Path, faults: Sequence[str]) -> None:
    """Raise a DataError that lists the faults of a file, the first ten and the number of all. Without faults, nothing.

    Each fault is a clause or sentence that goes on after the name of the file.
    """
    if faults:
        raise DataError(f"{data}: {listed_faults(faults)}")


def listed_faults(faults: Sequence[str]) -> str:
    """One fault as it is; of several the first ten, each on a line of its own, and the number of all."""
    if len(faults) == 1:
        return faults[0]
    more = [f"and {len(faults) - _MOST_FAULTS:,} more"] if len(faults) > _MOST_FAULTS else []
    return "\n  ".join([f"{len(faults):,} faults:", *faults[:_MOST_FAULTS], *more])


def columns_of(data: Path, expected: Sequence[str]) -> list[str]:
    """The column names of the first line, in lower case.

    The delimiter is the one that gives the most names of `expected`.

    Raises:
        DataError: the file cannot be read, or it is not text.
    """
    if data.suffix.casefold() in JSON_LINES_SUFFIXES:
        return list(dict.fromkeys(name for _, cells in _json_lines(data, read_text(data)) for name in cells))
    mark, text = without_separator_line(read_text(data))
    return _header(text, expected, mark)[1]


def read_rows(
    data: Path, needed: Sequence[str], optional: Sequence[str] = (), synonyms: Mapping[str, str] | None = None
) -> list[Row]:
    """The lines of the manifest that are not blank, without the header.

    Args:
        data: the CSV file, or JSON Lines with an object in each line.
        needed: columns that the header must have.
        optional: columns that the header may have. All other columns are ignored.
        synonyms: other names of columns. A synonym counts where the column itself is not there.

    Raises:
        DataError: the file cannot be read, or its header or one of its lines is wrong.
    """
    text, wanted = read_text(data), (*needed, *optional)
    if data.suffix.casefold() in JSON_LINES_SUFFIXES:
        return _rows_of_json(data, text, needed, optional, synonyms or {})
    mark, text = without_separator_line(text)
    delimiter, columns = _header(text, (*wanted, *(synonyms or ())), mark)
    columns = _renamed(columns, synonyms or {})
    _check_header(data, columns, needed, optional)
    faults: list[str] = []
    lines = csv_lines(data, text, delimiter, len(columns), skip_spaces=True)
    places = {column: columns.index(column) for column in wanted if column in columns}
    rows = [_row(places, len(columns), number, cells, faults) for number, cells in islice(lines, 1, None)]
    refuse(data, faults)
    return rows


def csv_lines(
    data: Path, text: str, delimiter: str, width: int, *, skip_spaces: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line that is not blank, and its number, that of the first line of a cell with several lines.

    Args:
        data: the file, for errors.
        text: all of it.
        delimiter: the mark between two cells.
        width: the number of cells of a usual row.
        skip_spaces: whether spaces after a delimiter are left out before a quotation mark.

    Raises:
        DataError: a quotation that is not closed has swallowed further lines, or a cell is too large.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=skip_spaces)
    first = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as problem:
            raise DataError(
                f"{data}: line {first} is not CSV: {problem}. Perhaps a quotation mark is not closed."
            ) from problem
        if cells is None:
            return
        last = reader.line_num
        if last > first and any(_holds_rows(cell, delimiter, width) for cell in cells):
            raise DataError(
                f"{data}: line {first} opens a quotation that goes on to line {last}, so that the lines between would "
                'be one cell. Close the quotation mark, or write a mark that is part of a name twice ("").'
            )
        stripped = [cell_text(cell) if cell[:1] == "'" else cell for cell in map(str.strip, cells)]
        if any(stripped):
            yield first, stripped
        first = last + 1


def _holds_rows(cell: str, delimiter: str, width: int) -> bool:
    """Whether a cell of several lines holds a line that looks like a row of the table."""
    return width > 1 and any(line.count(delimiter) >= width - 1 for line in cell.splitlines()[1:])


def _row(places: Mapping[str, int], width: int, number: int, cells: list[str], faults: list[str]) -> Row:
    """A line with the cells at `places`; `width`: the number of cells of the header."""
    if any(cells[width:]):
        faults.append(
            f"line {number} has {len(cells)} cells where the header has {width}; "
            "put a path or a label that contains a comma in quotation marks."
        )
    return Row(number, {column: cells[place] for column, place in places.items() if place < len(cells)})


# --- JSON Lines ------------------------------------------------------------------------------------------------------


def _json_lines(data: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The object of each line that is not blank, its keys in lower case, and the number of the line."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise DataError(f"{data}: line {number} is no JSON object. Write one in each line, or give a CSV manifest.")
        yield number, {str(name).strip().casefold(): value for name, value in content.items()}


def _rows_of_json(
    data: Path, text: str, needed: Sequence[str], optional: Sequence[str], synonyms: Mapping[str, str]
) -> list[Row]:
    lines = list(_json_lines(data, text))
    columns = _renamed(list(dict.fromkeys(name for _, cells in lines for name in cells)), synonyms)
    _check_header(data, columns, needed, optional)
    faults, rows = [], []
    for number, content in lines:
        cells = dict(zip(_renamed(list(content), synonyms), content.values(), strict=True))
        found: dict[str, str] = {}
        for column in (*needed, *optional):
            value = cells.get(column)
            if isinstance(value, dict | list | bool):
                faults.append(f"line {number} has {json_text(value)[:40]} as its {column}; write a text or a number.")
            else:
                found[column] = "" if value is None else str(value).strip()
        rows.append(Row(number, found))
    refuse(data, faults)
    return rows


# --- text ------------------------------------------------------------------------------------------------------------


def read_text(data: Path) -> str:
    """The text of a table: UTF-8 with or without a byte order mark, or UTF-16 with one.

    Raises:
        DataError: the file cannot be read, is no ordinary file, is too large, or is no such text.
    """
    raw = read_bytes(data)
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        raise DataError(f"{data}: is not a CSV manifest in UTF-8; save it as 'CSV UTF-8' (path,label).") from None


def read_bytes(data: Path) -> bytes:
    """The content of a table or a file of labels.

    Raises:
        DataError: the file cannot be read, is no ordinary file, or is larger than `LARGEST_BYTES`.
    """
    try:
        if data.exists() and not data.is_file():  # a pipe or a device would be read for ever
            raise DataError(f"{data}: is no ordinary file. Give a file.")
        if data.stat().st_size > LARGEST_BYTES:
            raise DataError(f"{data}: has {data.stat().st_size:,} bytes; {LARGEST_BYTES:,} are allowed. Divide it.")
        return data.read_bytes()
    except OSError as problem:
        raise DataError(f"{data}: cannot be read: {problem.strerror or problem}.") from problem


def without_separator_line(text: str) -> tuple[str | None, str]:
    """The delimiter that a first line `sep=;` names, and the text with that line blank; None where there is none."""
    found = _SEPARATOR_LINE.match(text)
    return (None, text) if found is None else (found[1], text[found.end() :])


def _header(text: str, expected: Sequence[str], mark: str | None = None) -> tuple[str, list[str]]:
    """The delimiter and the column names. The delimiter is the one that gives the most names of `expected`."""
    line = next((line for line in text.splitlines() if line.strip(" \t,;")), "")
    columns = {
        each: [cell.strip().casefold() for cell in next(csv.reader([line], delimiter=each, skipinitialspace=True), [])]
        for each in (mark or DELIMITERS)
    }
    mark = max(columns, key=lambda each: (len(set(expected) & set(columns[each])), len(columns[each])))
    return mark, columns[mark]


def _renamed(columns: Sequence[str], synonyms: Mapping[str, str]) -> list[str]:
    """The columns under the names that they are synonyms of, each name for the first of its synonyms only."""
    taken = set(columns)
    renamed = []
    for column in columns:
        name = synonyms.get(column, column)
        if name != column and name in taken:
            name = column
        taken.add(name)
        renamed.append(name)
    return renamed


def _check_header(data: Path, columns: Sequence[str], needed: Sequence[str], optional: Sequence[str]) -> None:
    if missing := [column for column in needed if column not in columns]:
        follow = f" ({_listed(optional)} may follow)" if optional else ""
        raise DataError(
            f"{data}: the first line has the columns {', '.join(columns) or 'none'}; it needs {_listed(needed)}"
            f"{follow}, and {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing."
        )
    if twice := [column for column in (*needed, *optional) if columns.count(column) > 1]:
        raise DataError(f"{data}: the header has the column {twice[0]} more than once; keep one.")


def _listed(names: Sequence[str]) -> str:
    """The names as a phrase, such as `path`, `path and label` or `path, frame and label`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
