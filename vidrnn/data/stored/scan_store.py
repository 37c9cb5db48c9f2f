"""The database of scans in the cache: the facts and arrays of each content, and the content of each known file.

A training of a million films reads their facts in some seconds, since they lie side by side. A file that was read
before is known by its path, size, inode and times, so its bytes are not read again. Thumbnails and the times of frames
lie apart and are read only where they are asked for.

Each row holds its sum. A damaged row is made again, and a database that is damaged as a whole begins anew. Where the
database cannot be read or written, later runs are slower, and none fails. This module does not know what a scan holds.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

Value = TypeVar("Value")

FORMAT = 4
"""The version of the rows, a part of the file's name. A scan of another version is computed again."""
_WAIT_SECONDS = 20.0
"""How long another process may write before this one gives up."""
_FLUSH_SECONDS, _FLUSH_ROWS = 0.5, 512
"""New rows are written together: what a kill costs is the films of the last half second."""
_ROWS_AT_ONCE = 500
_STILL_SECONDS = 2.0
"""A file that has just changed may change again without another time stamp, so it is not known by its stamp yet."""
_DAY_SECONDS = 86_400
_TABLES = """
CREATE TABLE IF NOT EXISTS facts
    (content BLOB, rate TEXT, facts BLOB, sum INTEGER, used INTEGER, PRIMARY KEY (content, rate)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS arrays
    (content BLOB, rate TEXT, thumbnails BLOB, seconds BLOB, sum INTEGER, PRIMARY KEY (content, rate));
CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, stamp BLOB, content BLOB) WITHOUT ROWID;
"""
"""Without a rate, the rate is an empty text."""


@dataclass(frozen=True, slots=True)
class ScanRow:
    """A scan as it is stored."""

    facts: bytes
    thumbnails: bytes
    frame_seconds: bytes
    """Compressed."""


@dataclass
class ScanStore:
    """The database of one cache folder. Several threads and several processes may use it at once."""

    folder: Path
    fails: bool = False
    """Whether the database could not be written."""
    _damaged: int = 0
    _connection: sqlite3.Connection | None = None
    _locked: bool = False
    """Whether another process has kept the database for too long, so that this one does without it."""
    _new: list[tuple[str, tuple[object, ...]]] = field(default_factory=list)
    """Statements that write rows, and the rows."""
    _flushed: float = 0.0
    _lock: RLock = field(default_factory=RLock)

    @property
    def file(self) -> Path:
        """The file of the database, which need not be there."""
        return self.folder / f"scans-{FORMAT}.sqlite"

    @property
    def size_bytes(self) -> int:
        """The size of the database."""
        with suppress(OSError):
            return self.file.stat().st_size
        return 0

    def known(self, paths: Sequence[str], rate: float | None) -> list[tuple[str, bytes] | None]:
        """For each path the content and the facts, if the file is as it was when it was read; else None.

        Paths are absolute. A link counts as the file that it leads to.
        """
        found: list[tuple[str, bytes] | None] = [None] * len(paths)
        stamps = [stamp_of(path) for path in paths]
        for some in _portions(range(len(paths))):
            places = {_digest(paths[place]): place for place in some if stamps[place]}
            rows = self._read(
                "SELECT path, stamp, content, facts, sum, used FROM files JOIN facts USING (content) "
                f"WHERE rate = ? AND path IN ({_marks(places)})",
                (_rate_text(rate), *places),
            )
            today, unmarked = _today(), []
            for path, stamp, content, facts, total, used in rows:
                place = places[path]
                if stamp != stamps[place]:
                    continue
                if total != _sum(content, facts):
                    self._note_damage()
                    continue
                if used != today:
                    unmarked.append(content)
                found[place] = (content.hex(), facts)
            self._mark_used(unmarked)
        return found

    def facts(self, content: str, rate: float | None) -> bytes | None:
        """The facts of a content; None if they are not stored."""
        key = bytes.fromhex(content)
        query = "SELECT facts, sum, used FROM facts WHERE content = ? AND rate = ?"
        for facts, total, used in self._read(query, (key, _rate_text(rate))):
            if total == _sum(key, facts):
                self._mark_used([key] if used != _today() else [])
                return bytes(facts)
            self._note_damage()
        return None

    def arrays(self, contents: Sequence[str], rate: float | None) -> Iterator[tuple[bytes, bytes] | None]:
        """The thumbnails and the compressed times of the frames of each content; None where they are not stored."""
        self.flush()
        for some in _portions(contents):
            keys = [bytes.fromhex(content) for content in some]
            rows = self._read(
                f"SELECT content, thumbnails, seconds, sum FROM arrays WHERE rate = ? AND content IN ({_marks(keys)})",
                (_rate_text(rate), *keys),
            )
            found = {}
            for key, thumbnails, seconds, total in rows:
                if total == _sum(key, thumbnails, seconds):
                    found[key] = thumbnails, seconds
                else:
                    self._note_damage()
            yield from (found.get(key) for key in keys)

    def add(self, content: str, rate: float | None, row: ScanRow) -> None:
        """Store a scan."""
        key, speed = bytes.fromhex(content), _rate_text(rate)
        arrays = (key, speed, row.thumbnails, row.frame_seconds, _sum(key, row.thumbnails, row.frame_seconds))
        self._add("INSERT OR REPLACE INTO arrays VALUES (?, ?, ?, ?, ?)", arrays)
        self._add(
            "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?)",
            (key, speed, row.facts, _sum(key, row.facts), _today()),
        )

    def add_file(self, path: str, stamp: bytes | None, content: str) -> None:
        """Store that a file has a content.

        Args:
            path: absolute.
            stamp: of the file before its content was read. A file that has changed since is not stored.
            content: of the file.
        """
        if stamp is not None and stamp == stamp_of(path, still=True):
            self._add("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (_digest(path), stamp, bytes.fromhex(content)))

    def _add(self, statement: str, row: tuple[object, ...]) -> None:
        with self._lock:
            self._new.append((statement, row))
            if len(self._new) > _FLUSH_ROWS or time.monotonic() - self._flushed > _FLUSH_SECONDS:
                self.flush()

    def flush(self) -> None:
        """Write what is new."""

        def write(database: sqlite3.Connection) -> None:
            for statement, row in new:
                database.execute(statement, row)
            database.commit()

        with self._lock:
            new, self._new, self._flushed = self._new, [], time.monotonic()
            if new:
                self._run(write, None, make=True)

    def take_damage(self) -> int:
        """How many rows and databases were not as they were written, since the last call."""
        with self._lock:
            damaged, self._damaged = self._damaged, 0
        return damaged

    def count(self) -> int:
        """The number of scans."""
        self.flush()
        return next((int(row[0]) for row in self._read("SELECT COUNT(*) FROM facts", ())), 0)

    def shrink(self, size_bytes: int) -> int:
        """Remove the scans that were unused for the longest, until about this size is left. Gives the bytes removed.

        Scans that were used today stay.
        """

        def remove(database: sqlite3.Connection) -> None:
            rows = database.execute(
                "SELECT content, rate FROM facts WHERE used < ? ORDER BY used LIMIT ?", (_today(), wanted)
            ).fetchall()
            for table in ("facts", "arrays"):
                database.executemany(f"DELETE FROM {table} WHERE content = ? AND rate = ?", rows)
            database.execute("DELETE FROM files WHERE content NOT IN (SELECT content FROM facts)")
            database.commit()
            if rows:
                database.execute("VACUUM")

        before, number = self.size_bytes, self.count()
        if before <= size_bytes or not number:
            return 0
        wanted = int(number * (1 - size_bytes / before)) + 1
        self._run(remove, None)
        return max(0, before - self.size_bytes)

    def clear(self) -> int:
        """Remove the database. Gives the number of bytes that were removed."""
        with self._lock:
            self._close()
            self._new, size = [], self.size_bytes
            for file in (self.file, self.file.with_name(f"{self.file.name}-journal")):
                with suppress(OSError):
                    file.unlink()
        return size - self.size_bytes

    def _read(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        return self._run(lambda database: database.execute(query, values).fetchall(), [])

    def _mark_used(self, contents: Sequence[bytes]) -> None:
        """Note the day on which scans were used. A day is exact enough, and so this is written once a day."""

        def mark(database: sqlite3.Connection) -> None:
            database.executemany("UPDATE facts SET used = ? WHERE content = ?", [(_today(), key) for key in contents])
            database.commit()

        if contents:
            self._run(mark, None)

    def _note_damage(self) -> None:
        with self._lock:
            self._damaged += 1

    def _run(self, work: Callable[[sqlite3.Connection], Value], without: Value, *, make: bool = False) -> Value:
        """The result of `work` with the open database; `without` where there is none, or where it fails.

        `make`: whether the database is made where there is none.
        """
        with self._lock:
            if self._locked or not (make or self.file.is_file()):
                return without
            try:
                return work(self._open())
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError) and "no such table" not in str(error):
                    self._give_up(error)  # it is in use, only for reading, or the disk is full
                else:
                    self._note_damage()
                    self.clear()
            return without

    def _give_up(self, error: sqlite3.OperationalError) -> None:
        self.fails, self._locked = True, "locked" in str(error)
        with suppress(sqlite3.Error):
            if self._connection is not None:
                self._connection.rollback()

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and not self.file.is_file():  # another process has cleared the cache
            self._close()
        if self._connection is None:
            with suppress(OSError):
                self.folder.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.file, timeout=_WAIT_SECONDS, check_same_thread=False)
            self._connection.execute("PRAGMA synchronous = OFF")  # sums tell what a power cut destroyed
            with suppress(sqlite3.OperationalError):  # it is only for reading
                self._connection.executescript(_TABLES)
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


_STORES: dict[Path, ScanStore] = {}


def scans_at(folder: Path) -> ScanStore:
    """The scans of a cache folder, one object for each folder in this process."""
    place = folder.absolute()
    return _STORES.get(place) or _STORES.setdefault(place, ScanStore(folder))


def stamp_of(path: str, *, still: bool = False) -> bytes | None:
    """What changes with a file: its size, inode and times; None where there is no file.

    With `still`, None also for a file that has just changed.
    """
    try:
        facts = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(facts.st_mode):  # a folder of pictures does not change with its pictures
        return None
    if still and time.time() - max(facts.st_mtime, facts.st_ctime) < _STILL_SECONDS:
        return None
    return _digest(f"{facts.st_size} {facts.st_ino} {facts.st_mtime_ns} {facts.st_ctime_ns}")


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def _rate_text(rate: float | None) -> str:
    return "" if rate is None else f"{rate:g}"


def _sum(*columns: bytes) -> int:
    """The sum of a row; -1 where damage gave a column another type."""
    try:
        return zlib.crc32(b"".join(columns))
    except TypeError:
        return -1


def _today() -> int:
    return int(time.time() // _DAY_SECONDS)


def _marks(values: Collection[object]) -> str:
    return ",".join("?" * len(values))


def _portions(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    for start in range(0, len(values), _ROWS_AT_ONCE):
        yield values[start : start + _ROWS_AT_ONCE]
