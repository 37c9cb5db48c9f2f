"""XML, fields of JSON, workbooks and names of films, as label files have them. This module knows no labelling tool."""

from __future__ import annotations

import csv
import io
import math
import re
import zipfile
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from vidrnn.data.label_text import clock_seconds, read_text
from vidrnn.data.listing.tables import read_bytes
from vidrnn.errors import DataError
from vidrnn.values import Bout

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_ROOT_OF_DRIVE = re.compile(r"^/(?=[A-Za-z]:/)")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_DELIMITERS = "\t;,"
_FIRST_ROWS = 60
_LARGEST = 10**15
"""No number of seconds or frames is larger."""
Value = TypeVar("Value")


def read_xml(file: Path, title: str) -> Element:
    """The root of an XML file. Entities are refused, and nothing is fetched that the file refers to.

    Raises:
        DataError: it cannot be read, is empty or damaged, or declares entities.
    """
    from xml.etree.ElementTree import ParseError  # here and not above, since a prediction reads no labels

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    raw = read_bytes(file)
    if not raw.strip():
        raise DataError(f"{file}: is empty. Export the labels again.")
    try:
        root: Element = fromstring(raw)
    except ParseError as problem:
        line = problem.position[0]
        raise DataError(f"{file}: is damaged as XML in line {line}: {problem.msg}. Save it again.") from None
    except DefusedXmlException:
        raise DataError(
            f"{file}: declares entities or refers to other files, which vidrnn does not follow in a {title}. "
            "Remove the DOCTYPE at its beginning."
        ) from None
    except (ValueError, LookupError) as problem:
        raise DataError(f"{file}: cannot be read as XML: {problem}. Save it in UTF-8.") from None
    return root


Rows = list[list[object]]
"""The cells of a table; empty ones are None or an empty text."""


def is_workbook(file: Path) -> bool:
    """Whether a file is an Excel workbook in the form of `.xlsx`."""
    try:
        if not file.is_file() or not zipfile.is_zipfile(file):
            return False
        with zipfile.ZipFile(file) as packed:
            return "xl/workbook.xml" in packed.namelist()
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile):  # damage shows in many ways
        return False


def read_tables(file: Path) -> list[Rows]:
    """The tables of a file: each sheet of a workbook, or the one table of a text.

    The cells of a text are separated by tabs, by semicolons or else by commas. Where semicolons separate, commas may
    be decimal points.

    Raises:
        DataError: it cannot be read, is empty, or is damaged.
    """
    if is_workbook(file):
        return _sheets(file, None)
    lines = read_text(file).splitlines()
    first = lines[:_FIRST_ROWS]
    mark = next((mark for mark in _DELIMITERS if sum(mark in line for line in first) * 2 > len(first)), ",")
    try:
        return [[[cell.strip() for cell in row] for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=mark)]]
    except csv.Error as problem:
        raise DataError(f"{file}: is no table: {problem}. Export it again.") from None


def first_rows(workbook: Path) -> list[Rows]:
    """The first rows of each sheet, by which its format is recognised; none of a workbook that is damaged."""
    try:
        return _sheets(workbook, _FIRST_ROWS)
    except DataError:
        return []


def _sheets(file: Path, most: int | None) -> list[Rows]:
    from openpyxl import load_workbook  # here and not above, since a prediction reads no labels

    try:
        with file.open("rb") as opened:  # openpyxl refuses names with other suffixes
            book = load_workbook(opened, read_only=True, data_only=True)
            return [[list(row) for row in sheet.iter_rows(max_row=most, values_only=True)] for sheet in book.worksheets]
    except Exception as problem:  # openpyxl lets through whatever a damaged workbook causes
        raise DataError(f"{file}: is damaged as an Excel workbook: {problem}. Export it again.") from None


def columns_where(table: Rows, needed: Collection[str]) -> tuple[int, dict[str, int]] | None:
    """The first row that has all `needed` names, and the place of each of its names, in small letters; None: no row."""
    for place, row in enumerate(table):
        names = [str(cell).strip().casefold() if cell is not None else "" for cell in row]
        if set(needed) <= set(names):
            return place, {name: names.index(name) for name in names if name}
    return None


def cell_of(row: Sequence[object], place: int | None) -> str:
    """The text of a cell; empty where the row is too short, or has no such column."""
    cell = row[place] if place is not None and place < len(row) else None
    return "" if cell is None else str(cell).strip()


def cell_seconds(cell: object, where: str) -> float:
    """Seconds of a cell: a time of day or a length of time of Excel, or a text as `seconds_of` takes it.

    Raises:
        DataError: the cell is no time; `where` begins the sentence.
    """
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    if isinstance(cell, datetime):
        cell = cell.time()
    if isinstance(cell, time):
        return cell.hour * 3600 + cell.minute * 60 + cell.second + cell.microsecond / 1e6
    return seconds_of("" if cell is None else cell, where)


def member(record: Any, name: str, kind: type[Value], where: str) -> Value:
    """A field of a JSON object.

    Args:
        record: the object.
        name: of the field.
        kind: that the value must have; `float` takes whole numbers too.
        where: begins the sentence of the error: the file and the place in it.

    Raises:
        DataError: the record is no object, or has no such field of that kind.
    """
    value = record.get(name) if isinstance(record, dict) else None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < _LARGEST else math.inf
    if (
        not isinstance(value, kind)
        or isinstance(value, bool)
        or (isinstance(value, float) and not math.isfinite(value))
    ):
        words = {list: "a list", dict: "an object", str: "a text", float: "a number"}
        found = "nothing" if value is None else repr(value)[:60]
        raise DataError(f"{where}: wanted {words[kind]} as {name!r}, found {found}. Export the file again.")
    return value


def number(text: object, where: str) -> float:
    """A number as people write it: with a point, or with the decimal comma of many countries.

    Raises:
        DataError: the text is no number; `where` begins the sentence.
    """
    try:
        value = float(str(text).strip().replace(",", "."))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: wanted a number, found {str(text)[:60]!r}. Correct it or export the file again.")
    return value


def seconds_of(text: object, where: str) -> float:
    """Seconds of a time such as `1:02:03.5`, `02:03,5` or `123.5`.

    Raises:
        DataError: the text is no time; `where` begins the sentence.
    """
    try:
        return clock_seconds(str(text).strip())
    except ValueError:
        raise DataError(
            f"{where}: wanted a time such as 0:01:02.5, found {str(text).strip()[:60]!r}. Export the file again."
        ) from None


def film_name(text: str) -> str:
    """The name of a film from the path or the address that a tool stored: with slashes, without the machine's name."""
    text = text.strip()
    if _DRIVE.match(text):
        return text.replace("\\", "/")
    if "://" not in text and not text.startswith("file:"):
        return text
    try:
        return _ROOT_OF_DRIVE.sub("", unquote(urlsplit(text).path))
    except ValueError:  # it is no address
        return text


def sorted_bouts(bouts: Iterable[Bout]) -> tuple[Bout, ...]:
    """The bouts by their start; those that begin together by their end, label and subject."""
    return tuple(sorted(bouts, key=lambda bout: (bout.start, bout.end, bout.label, bout.subject)))


def check_order(start: float, end: float, where: str) -> None:
    """Refuse a stretch that ends before it starts.

    Raises:
        DataError: it does; `where` begins the sentence.
    """
    if end < start:
        raise DataError(f"{where}: starts at {start:g} and ends before that, at {end:g}. Correct it in its tool.")
