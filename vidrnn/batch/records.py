"""The record of each film in a folder of results: which files belong to it, and by which work they were written.

A record is a hidden file. It is written before the files of a film, with the names that these may have, and again after
them, with the row, the size and time of the film, the sums of the files, and the identity of the work. Nothing else is
needed to go on after a kill. A record or a file that is not as it was written counts as none. This module does not know
what is done with a film.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vidrnn.atomic import find_obstacle, put_aside, remove_file, remove_part, without_waiting, write_text
from vidrnn.batch.engines.base import Item, ItemFunction, Lost
from vidrnn.batch.result_names import shown
from vidrnn.data.listing.own_results import HIDDEN_NAME, RECORD_FORMAT, RECORD_SUFFIX, record_content, result_file
from vidrnn.errors import SHORT_OF_MEMORY, FilmError, VidrnnError, fault_clause, is_memory_shortage
from vidrnn.plain_json import json_text
from vidrnn.registry import load_attribute
from vidrnn.sums import sum_of_file, with_sum
from vidrnn.values import FilmFailure

Row = dict[str, Any]
"""The answer for one film as JSON: its `path`, and either `error` or the results."""
FilmReader = Callable[[Path, str, Callable[[str], Path]], Row]
"""Reads one film: (the film, its name in results, suffix -> the file to write) -> its row.

Raises FilmError where the film is at fault; the files that it wrote are then removed.
"""


@dataclass(frozen=True)
class Work:
    """The work on each film, in a form that travels between processes and machines."""

    opener: str
    """`module:function`; called with `settings`, it gives the FilmReader."""
    settings: dict[str, Any]
    identity: str
    """A hash of everything that decides about results, such as the model; where it differs, a film is read again."""
    suffixes: tuple[str, ...]
    """Of the files that each film gets."""
    columns: tuple[str, ...]
    """The keys of a row that the summary shows; `error` is added."""

    def open_reader(self) -> FilmReader:
        """The reader, with its model loaded."""
        reader: FilmReader = load_attribute(self.opener)(self.settings)
        return reader


@dataclass(frozen=True)
class Record:
    """The state of one film in a folder of results."""

    film: list[int]
    """The film's fingerprint when it was read."""
    work: str
    """The identity of the work."""
    files: list[str]
    """The suffixes of all files that may exist for the film, by this work or earlier work."""
    current: list[str]
    """Those of them that this work wrote."""
    again: bool
    """Whether the film is to be read again although it has a row."""
    row: Row | None
    """None until the film is finished."""
    states: dict[str, list[Any]] = field(default_factory=dict)
    """Of the current files, by suffix: bytes and sum. No times, since shards give the records that one run gives.
    Records of an earlier vidrnn have none."""


_CHANGED = ".changed"
"""The end of the name of a result that was not as vidrnn wrote it."""
_KEYS = frozenset(Record.__dataclass_fields__) - {"states"}


def read_record(out: Path, name: str) -> Record | None:
    """The record of a film; None if there is none or it is damaged or of another format."""
    content = record_content(out, name)
    if content is None or not content.keys() >= _KEYS:
        return None
    return Record(**{key: content[key] for key in _KEYS}, states=content.get("states", {}))


def _state(file: Path) -> list[Any]:
    """Bytes and sum of a result.

    Raises:
        OSError: it cannot be read.
    """
    return [file.stat().st_size, sum_of_file(file)]


def _is_as_written(file: Path, state: list[Any] | None) -> bool:
    """Whether a result is there as it was written; whether it is there at all where no state is known."""
    try:
        if not file.is_file() or state is None:
            return file.is_file()
        size, digits = state
        return bool(file.stat().st_size == size and sum_of_file(file) == digits)
    except (OSError, ValueError):
        return False


def _aside_note(moved: Sequence[Path]) -> str:
    names = ", ".join(file.name for file in moved)
    return f"A result had been changed since vidrnn wrote it. It is kept as {names}, and was made anew."


def fingerprint(film: Path) -> list[int]:
    """Bytes, time of change and number of files, to tell whether a film changed; of a folder of pictures, over all."""
    try:
        parts = [each.stat() for each in film.iterdir()] if film.is_dir() else [film.stat()]
    except OSError:
        return [0, 0, 0]
    return [sum(part.st_size for part in parts), max((part.st_mtime_ns for part in parts), default=0), len(parts)]


@dataclass(frozen=True)
class Results:
    """The files and records of films in a folder of results."""

    work: Work
    out: Path
    places: Mapping[str, str] = field(default_factory=dict)
    """The paths that stand in place of a film's name, for films whose results some system would take for one file."""

    def find_finished(self, film: Path, name: str) -> tuple[Row, bool] | None:
        """The row of a film that this work finished and whether it is to be read again; None if it is not finished.

        The film must not have changed, and its files must be there as they were written.
        """
        record = read_record(self.out, self._place(name))
        if record is None or record.row is None or record.work != self.work.identity:
            return None
        if record.film != fingerprint(film):
            return None
        wanted = set() if "error" in record.row else {*self.work.suffixes}
        if not wanted <= {*record.current}:
            return None
        if not all(_is_as_written(self._file(name, suffix), record.states.get(suffix)) for suffix in wanted):
            return None
        return record.row, record.again

    def find_row(self, film: Path, name: str, *, changed: bool) -> Row | None:
        """The row that this work has for a film; None if there is none.

        `changed`: the row counts also if the film has changed since.
        """
        finished = self.find_finished(film, name)
        if finished is None and changed:
            record = read_record(self.out, self._place(name))
            return record.row if record is not None and record.work == self.work.identity else None
        return None if finished is None else finished[0]

    def read_film(self, film: Path, name: str, read: FilmReader) -> Row:
        """Read a film and write its record; every fault of the film becomes its row.

        Raises:
            VidrnnError: the fault is not the film's, and the work cannot go on.
        """
        before = fingerprint(film)
        if reason := self._too_long(name):
            return {"path": shown(name), "error": shown(reason)}  # nor has a record of it any place
        if obstacle := next(filter(None, map(find_obstacle, self._wanted_files(name))), ""):
            return self._keep(
                name, before, self._error_row(name, f"its results have no place: {obstacle}."), again=True
            )
        aside = self._put_aside(name)
        self._write(
            name, Record(before, self.work.identity, self._suffixes(name), self._current(name, before), True, None)
        )
        try:
            with without_waiting():  # to wait for each small file takes longer than to read a short film
                row = read(film, shown(name), lambda suffix: self._file(name, suffix))
        except Exception as error:
            reason, again = _reason(film, error)
            return self._keep(name, before, self._error_row(name, reason), again=again)
        if aside:
            row = {**row, "notes": [*(row.get("notes") or ()), _aside_note(aside)]}
        return self._keep(name, before, row)

    def _put_aside(self, name: str) -> list[Path]:
        """Give results that were changed since they were written another name, since a person may have edited them.

        Raises:
            OutputError: a result cannot be moved.
        """
        record, moved = read_record(self.out, self._place(name)), []
        for suffix, state in (record.states if record else {}).items():
            file = self._file(name, suffix)
            if file.is_file() and file.stat().st_size and not _is_as_written(file, state):
                moved.append(put_aside(file, _CHANGED))
        return moved

    def _too_long(self, name: str) -> str:
        """The clause for a film whose results would have paths that are too long for the system; empty for others."""
        for file in (self._record_file(name), *self._wanted_files(name)):
            beside = file.with_name(f".part-{file.name}")
            try:
                os.lstat(beside)
            except OSError as error:
                if error.errno == errno.ENAMETOOLONG:
                    return (
                        f"its results have no place: a path of {len(os.fsencode(beside))} bytes is longer than the "
                        "system allows. Name a folder with a shorter path: --out DIR."
                    )
        return ""

    def keep_lost(self, film: Path, name: str, outcome: Lost) -> Row:
        """The row of a film whose process broke down; the film is read again when the work is started again."""
        if reason := self._too_long(name):
            return {"path": shown(name), "error": shown(reason)}
        return self._keep(name, fingerprint(film), self._error_row(name, outcome.reason), again=True)

    def remove_parts(self, names: Iterable[str]) -> None:
        """Remove the unfinished files of films whose processes were killed."""
        for name in names:
            for suffix in self._suffixes(name):
                remove_part(self._file(name, suffix))
            remove_part(self._record_file(name))

    def _error_row(self, name: str, reason: str) -> Row:
        """The row of a film without an answer; its files are removed."""
        self.remove_parts([name])
        for suffix in self._suffixes(name):
            remove_file(self._file(name, suffix))
        return {"path": shown(name), "error": shown(reason)}

    def _keep(self, name: str, film: list[int], row: Row, *, again: bool = False) -> Row:
        files = [suffix for suffix in self._suffixes(name) if self._file(name, suffix).is_file()]
        current = {*self._current(name, film), *self.work.suffixes}
        written = [suffix for suffix in files if suffix in current]
        states = {suffix: _state(self._file(name, suffix)) for suffix in written}
        self._write(name, Record(film, self.work.identity, files, written, again, row, states))
        return row

    def _write(self, name: str, record: Record) -> None:
        content = {"format": RECORD_FORMAT, **asdict(record)}
        write_text(self._record_file(name), with_sum(json_text(content)) + "\n", lasting=False)

    def _file(self, name: str, suffix: str) -> Path:
        return result_file(self.out, self._place(name), suffix)

    def _record_file(self, name: str) -> Path:
        return result_file(self.out / HIDDEN_NAME, self._place(name), RECORD_SUFFIX)

    def _place(self, name: str) -> str:
        return self.places.get(name, name)

    def _wanted_files(self, name: str) -> list[Path]:
        return [self._file(name, suffix) for suffix in self.work.suffixes]

    def _current(self, name: str, film: list[int]) -> list[str]:
        """The suffixes of files that this work wrote for the film before, as other formats of the same answer."""
        record = read_record(self.out, self._place(name))
        same = record is not None and record.film == film and record.work == self.work.identity
        return record.current if record is not None and same else []

    def _suffixes(self, name: str) -> list[str]:
        """Of all files that may exist for a film, those of earlier work included."""
        record = read_record(self.out, self._place(name))
        return sorted({*self.work.suffixes, *(record.files if record else ())})


def _reason(film: Path, error: Exception) -> tuple[str, bool]:
    """The clause for a film that cost an error, after its name, and whether the film is to be read again.

    A fault of vidrnn, or of a library, costs this film its answer and no other. So does a lack of memory, which is not
    the film's damage.

    Raises:
        VidrnnError: the fault is not the film's, and the work cannot go on.
    """
    if isinstance(error, FilmError):
        return FilmFailure.of(film, error).reason, is_memory_shortage(error)
    if is_memory_shortage(error):
        return SHORT_OF_MEMORY, True
    if isinstance(error, VidrnnError):
        raise error
    return fault_clause(error), True


def open_worker(settings: dict[str, Any]) -> ItemFunction:
    """The function that a process of an engine calls for each film; `settings` hold the work and the folder."""
    fields = settings["work"]
    work = Work(**{**fields, "suffixes": tuple(fields["suffixes"]), "columns": tuple(fields["columns"])})
    results, read = Results(work, Path(settings["out"]), settings["places"]), work.open_reader()

    def work_on(item: Item) -> Row:
        return results.read_film(Path(item["film"]), item["name"], read)

    return work_on
