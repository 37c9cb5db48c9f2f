"""CSV tables, as text: UTF-8 or UTF-16, any usual delimiter, blank lines. This module knows nothing of films."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidrnn.errors import DataError
from vidrnn.text import cell_text

DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a manifest: its cells by column name. A missing cell is an empty string."""

    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


def columns_of(data: Path, expected: Sequence[str]) -> list[str]:
    """The column names of the first line, in lower case.

    The delimiter is the one that gives the most names of `expected`.

    Raises:
        DataError: the file cannot be read, or it is not text.
    """
    return _header(_text(data), expected)[1]


def read_rows(data: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> list[Row]:
    """The lines of the manifest that are not blank, without the header.

    Args:
        data: the CSV file.
        needed: columns that the header must have.
        optional: columns that the header may have. All other columns are ignored.

    Raises:
        DataError: the file cannot be read, or its header or one of its lines is wrong.
    """
    text, wanted = _text(data), (*needed, *optional)
    delimiter, columns = _header(text, wanted)
    _check_header(data, columns, needed, optional)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        lines = [(reader.line_num, [cell_text(cell.strip()) for cell in cells]) for cells in reader]
    except csv.Error as problem:
        raise DataError(
            f"{data}: line {reader.line_num} is not CSV: {problem}. Perhaps a quotation mark is not closed."
        ) from problem
    lines = [(number, cells) for number, cells in lines if any(cells)]
    header = [name.casefold() for name in lines[0][1]]
    return [_row(data, header, number, cells, wanted) for number, cells in lines[1:]]


def _row(data: Path, header: list[str], number: int, cells: list[str], wanted: Sequence[str]) -> Row:
    if any(cells[len(header) :]):
        raise DataError(
            f"{data}: line {number} has {len(cells)} cells where the header has {len(header)}; "
            "put a path or a label that contains a comma in quotation marks."
        )
    named = dict(zip(header, cells, strict=False))
    return Row(number, {column: named[column] for column in wanted if column in named})


def _text(data: Path) -> str:
    """The file's text: UTF-8 with or without a byte order mark, or UTF-16 with one."""
    try:
        raw = data.read_bytes()
    except OSError as problem:
        raise DataError(f"{data}: cannot be read: {problem.strerror or problem}.") from problem
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        raise DataError(f"{data}: is not a CSV manifest in UTF-8; save it as 'CSV UTF-8' (path,label).") from None


def _header(text: str, expected: Sequence[str]) -> tuple[str, list[str]]:
    """The delimiter and the column names. The delimiter is the one that gives the most names of `expected`."""
    line = next((line for line in text.splitlines() if line.strip(" \t,;")), "")
    columns = {
        mark: [cell.strip().casefold() for cell in next(csv.reader([line], delimiter=mark), [])] for mark in DELIMITERS
    }
    mark = max(DELIMITERS, key=lambda each: (len(set(expected) & set(columns[each])), len(columns[each])))
    return mark, columns[mark]


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
