"""CSV tables of films as people really write them: any encoding, any delimiter, blank lines. No film is named here."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidrnn.errors import DataError

DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a manifest, cells by column name; a cell that is not there is empty."""

    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


def columns_of(data: Path, known: Sequence[str]) -> list[str]:
    """The names in the first line, in lower case, split by the delimiter that shows the most of those that are known.

    Raises:
        DataError: the file cannot be read, or is not text.
    """
    return _header(_text(data), known)[1]


def read_rows(data: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> list[Row]:
    """The manifest's lines that are not blank, below a header with the columns that are needed; others are passed over.

    Raises:
        DataError: the file cannot be read, or its header or one of its lines is not as it must be.
    """
    text, wanted = _text(data), (*needed, *optional)
    delimiter, found = _header(text, wanted)
    _check_header(data, found, needed, optional)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as problem:
        raise DataError(
            f"{data}: line {reader.line_num} is not CSV: {problem}. Is a quotation mark left open?"
        ) from problem
    lines = [(number, cells) for number, cells in lines if any(cells)]
    header = [name.casefold() for name in lines[0][1]]
    return [_row(data, header, number, cells, wanted) for number, cells in lines[1:]]


def _row(data: Path, header: list[str], number: int, cells: list[str], wanted: Sequence[str]) -> Row:
    if any(cells[len(header) :]):
        raise DataError(
            f"{data}: line {number} has {len(cells)} cells where the header has {len(header)}; "
            "put quotes around a path or label with a comma in it."
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


def _header(text: str, known: Sequence[str]) -> tuple[str, list[str]]:
    """What stands between the columns, and their names: judged by which delimiter shows the columns that are known."""
    line = next((line for line in text.splitlines() if line.strip(" \t,;")), "")
    columns = {
        mark: [cell.strip().casefold() for cell in next(csv.reader([line], delimiter=mark), [])] for mark in DELIMITERS
    }
    mark = max(DELIMITERS, key=lambda each: (len(set(known) & set(columns[each])), len(columns[each])))
    return mark, columns[mark]


def _check_header(data: Path, found: Sequence[str], needed: Sequence[str], optional: Sequence[str]) -> None:
    if missing := [column for column in needed if column not in found]:
        follow = f" ({_listed(optional)} may follow)" if optional else ""
        raise DataError(
            f"{data}: the first line has the columns {', '.join(found) or 'none'}; needed are {_listed(needed)}"
            f"{follow}, and {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing."
        )
    if twice := [column for column in (*needed, *optional) if found.count(column) > 1]:
        raise DataError(f"{data}: the column {twice[0]} is there more than once; keep one.")


def _listed(names: Sequence[str]) -> str:
    """path; path and label; path, frame and label."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
