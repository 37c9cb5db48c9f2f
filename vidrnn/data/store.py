"""The folder of the cache: where it is, how large it may grow, and what is removed from it.

Everything in it can be made again, so it is removed without a question: first what was used longest ago, and never what
this process uses. Only files with names that vidrnn gives are counted or removed. This module reads no entry.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock
from typing import TypeVar

from platformdirs import user_cache_dir

from vidrnn.atomic import finished_name
from vidrnn.data.stored.mapped import memory_to_spend
from vidrnn.data.stored.scan_store import ScanStore, scans_at
from vidrnn.errors import UsageError
from vidrnn.events import Note, RunEvent, through

Result = TypeVar("Result")

SHARE_OF_DISK = 0.25
"""Without a limit of the user's, the cache may take this share of its disk: of what is free and what it has already."""
_DAY_SECONDS = 86_400.0
STALE_SECONDS = 3 * 3600.0
"""An unfinished file that nobody has written to for so long is of a process that was killed."""
KEPT_OPEN = 1024
"""Videos of a process whose entries stay open. Others are opened when they are read: a system limits open files."""
_KEPT_SHARE = 0.9
"""Of the limit, once something has to be removed: room for the next films."""
_ENTRY = re.compile(r"[0-9a-f]{2}/([0-9a-f]{32})(\.index)?\.npy")
_PREFIX = re.compile(r"[0-9a-f]{2}")
_OLD_SCANS = re.compile(r"scans-\d+")
_SCAN = re.compile(r"scans-\d+/[0-9a-f]{2}/[0-9a-f]{32}(-[\w.+-]+)?\.json")
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def cache_folder() -> Path | None:
    """The folder of files that vidrnn can write anew: $VIDRNN_CACHE, else $XDG_CACHE_HOME/vidrnn, else the system's.

    That is ~/.cache/vidrnn on Linux, ~/Library/Caches/vidrnn on macOS, and in AppData\\Local on Windows. None where a
    user has no home folder.
    """
    with suppress(RuntimeError):  # a path begins with ~, and there is no home folder
        if own := os.environ.get("VIDRNN_CACHE"):
            return Path(own).expanduser()
        if shared := os.environ.get("XDG_CACHE_HOME"):
            return Path(shared).expanduser() / "vidrnn"
        usual = Path(user_cache_dir("vidrnn", appauthor=False))
        return usual if usual.is_absolute() else None
    return None


def size_in_bytes(text: str) -> int:
    """The bytes of a size such as 20GB, 500MB or 1.5TB.

    Raises:
        UsageError: it is no size.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]?B?)", text.strip().upper())
    unit = found and (found[2] if found[2].endswith("B") and found[2] != "B" else found[2].rstrip("B") + "B")
    if not found or (size := _UNITS.get("" if unit == "B" else unit or "")) is None:
        raise UsageError(f"--cache-size {text}: is no size. Say a number with KB, MB, GB or TB, such as 20GB.")
    return int(float(found[1]) * size)


def shown_size(number: float) -> str:
    """Bytes for people: 1.2 GB."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


@dataclass(frozen=True)
class Contents:
    """The contents of a cache."""

    films: int
    """Films whose facts are stored."""
    entries: int
    """Films as frames or features, each in one way of sampling and encoding."""
    size_bytes: int


@dataclass(frozen=True)
class _Stored:
    """The files of one entry, which are removed together."""

    files: tuple[str, ...]
    size_bytes: int
    used: float
    """When it was last used, in seconds since 1970."""
    scan: bool
    """Whether it is a scan, as earlier versions stored them: a file each."""


@dataclass
class Store:
    """The folder of a cache, as this process uses it. Several threads may call it at once."""

    folder: Path
    limit_bytes: int | None = None
    """None: no limit."""
    _used: set[str] = field(default_factory=set)
    """The names of the entries that this process uses."""
    _verified: set[str] = field(default_factory=set)
    """The names of those that it has opened or written."""
    _size_bytes: int | None = None
    _open: int = 0
    _memory_bytes: int | None = None
    """What is left for arrays in memory; None before the first one."""
    _damaged: int = 0
    _notes: dict[str, bool] = field(default_factory=dict)
    """Sentences for the user, and whether they were told."""
    _lock: Lock = field(default_factory=Lock)

    def is_known(self, file: Path) -> bool:
        """Whether this process has opened the entry before, so that its sum was verified."""
        return _name(file.name) in self._verified

    def use(self, file: Path) -> None:
        """Note that this process uses a file whose sum is right: it stays, and it counts as just used."""
        self._verified.add(_name(file.name))
        self.keep(file)

    def keep(self, file: str | Path, used: float = 0.0) -> None:
        """Note that this process will use a file: it stays, and it counts as just used.

        `used`: the time of its last use, in seconds since 1970. A day is exact enough, so it is written once a day.
        """
        self._used.add(_name(os.path.basename(file)))  # noqa: PTH119
        if time.time() - used > _DAY_SECONDS:
            with suppress(OSError):  # another process has removed it, or the folder is only for reading
                os.utime(file)

    def opens_late(self) -> bool:
        """Whether this process has so many entries open that the next one is opened when it is read."""
        with self._lock:
            self._open += 1
            return self._open > KEPT_OPEN

    def takes_memory(self, size_bytes: int) -> bool:
        """Whether an array of this size may be kept in memory, beside those before it."""
        with self._lock:
            if self._memory_bytes is None:
                self._memory_bytes = memory_to_spend()
            if size_bytes > self._memory_bytes:
                return False
            self._memory_bytes -= size_bytes
            return True

    def add(self, file: Path) -> None:
        """Note a new file, and make room where the cache has grown beyond its limit."""
        self.use(file)
        if self.limit_bytes is None or self._size_bytes is None:
            return
        with self._lock, suppress(OSError):
            self._size_bytes += file.stat().st_size
        if self._size_bytes + self.scans.size_bytes > self.limit_bytes:
            self.prune(int(self.limit_bytes * _KEPT_SHARE))

    def tidy(self) -> int:
        """Remove what killed processes left unfinished. Gives the size of the rest in bytes, which is remembered."""
        for part in self._parts():
            with suppress(OSError):
                if time.time() - part.stat().st_mtime > STALE_SECONDS:
                    part.unlink()
        self._size_bytes = sum(one.size_bytes for one in self._stored())
        return self._size_bytes + self.scans.size_bytes

    def prune(self, size_bytes: int) -> int:
        """Remove entries that this process does not use, the longest unused first, until the rest has this size.

        Gives the number of bytes that were removed.
        """
        stored = sorted(self._stored(), key=lambda one: one.used)
        files, scans, removed = sum(one.size_bytes for one in stored), self.scans.size_bytes, 0
        for one in stored:
            if files + scans - removed <= size_bytes:
                break
            in_use = any(_name(os.path.basename(file)) in self._used for file in one.files)  # noqa: PTH119
            if not in_use and _removed(one.files):
                removed += one.size_bytes
        left = files + scans - removed
        if left > size_bytes:  # scans go last: they take the least room, and each costs the reading of a whole film
            shrunk = self.scans.shrink(max(0, scans - (left - size_bytes)))
            removed, left = removed + shrunk, left - shrunk
        with self._lock:
            self._size_bytes = left - self.scans.size_bytes
        if self.limit_bytes is not None and left > self.limit_bytes:
            self.say(
                f"{self.folder}: this run uses all that is in the cache, and needs more than its limit of "
                f"{shown_size(self.limit_bytes)}. The cache grows until the run ends. --cache-size raises the limit."
            )
            self.limit_bytes = None  # all that is left is in use, so there is nothing more to look for
        return removed

    def clear(self) -> int:
        """Remove everything that vidrnn wrote, unfinished files too. Gives the number of bytes that were removed."""
        removed = sum(one.size_bytes for one in self._stored() if _removed(one.files)) + self.scans.clear()
        for part in self._parts():
            with suppress(OSError):
                part.unlink()
        for place in sorted(self.folder.glob("**/"), reverse=True):
            if place == self.folder or re.fullmatch(r"[0-9a-f]{2}|scans-\d+", place.name):
                with suppress(OSError):  # it holds files of other origin
                    place.rmdir()
        self._size_bytes = None
        return removed

    def contents(self) -> Contents:
        """What is stored, of all trainings."""
        stored = list(self._stored())
        old, size_bytes = sum(one.scan for one in stored), sum(one.size_bytes for one in stored)
        return Contents(old + self.scans.count(), len(stored) - old, size_bytes + self.scans.size_bytes)

    def usual_limit(self, size_bytes: int) -> int:
        """The limit in bytes where the user named none, of a cache of this size."""
        place = next((each for each in (self.folder, *self.folder.absolute().parents) if each.exists()), None)
        free = shutil.disk_usage(place).free if place else 0
        return int(SHARE_OF_DISK * (free + size_bytes))

    def note_damage(self) -> None:
        """Note that an entry was not as it was written, and is made again."""
        with self._lock:
            self._damaged += 1

    def note_unwritten(self, reason: str) -> None:
        """Note, once, that entries cannot be written."""
        self.say(f"{self.folder}: the cache cannot be written ({reason}), so later runs read these videos again.")

    @property
    def scans(self) -> ScanStore:
        """The scans of films in this cache."""
        return scans_at(self.folder)

    def take_notes(self) -> list[str]:
        """The sentences for the user since the last call."""
        self._damaged += self.scans.take_damage()
        with self._lock:
            notes = [text for text, told in self._notes.items() if not told]
            self._notes = dict.fromkeys(self._notes, True)
            damaged, self._damaged = self._damaged, 0
        if damaged:
            was = "entry was" if damaged == 1 else "entries were"
            notes.append(f"{self.folder}: {damaged} {was} damaged and made again from the videos.")
        return notes

    def say(self, text: str) -> None:
        """Have a sentence told to the user, once."""
        with self._lock:
            self._notes.setdefault(text, False)

    def _stored(self) -> Iterator[_Stored]:
        """What is stored as files, entry by entry."""
        together: dict[str, list[tuple[str, int, float]]] = {}
        for name, entry in self._files():
            if _ENTRY.fullmatch(name) or _SCAN.fullmatch(name):
                with suppress(OSError):  # another process has just removed it
                    facts = entry.stat(follow_symlinks=False)
                    together.setdefault(_name(entry.name), []).append((entry.path, facts.st_size, facts.st_mtime))
        for found in together.values():
            yield _Stored(
                tuple(path for path, _, _ in found),
                sum(size for _, size, _ in found),
                max(changed for _, _, changed in found),
                found[0][0].endswith(".json"),
            )

    def _parts(self) -> Iterator[Path]:
        """Unfinished files of vidrnn's own."""
        for name, entry in self._files():
            if entry.name.startswith(".") and (finished := finished_name(Path(entry.path))):
                place = name[: -len(entry.name)] + re.sub(r"^\d+-\d+-", "", finished)
                if _ENTRY.fullmatch(place) or _SCAN.fullmatch(place):
                    yield Path(entry.path)

    def _files(self) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """The files of the folders that vidrnn makes, which are one or two deep, and their names below the cache."""
        tops = _entries_of(self.folder)
        old = [(f"{top.name}/", below) for top in tops if _OLD_SCANS.fullmatch(top.name) for below in _entries_of(top)]
        for above, folder in [*(("", top) for top in tops), *old]:
            if _PREFIX.fullmatch(folder.name):
                yield from ((f"{above}{folder.name}/{entry.name}", entry) for entry in _entries_of(folder))


def _entries_of(folder: os.PathLike[str]) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing where it is none."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _name(file: str) -> str:
    """The name that the files of one entry share."""
    return file.partition(".npy")[0].removesuffix(".index")


def _removed(files: tuple[str, ...]) -> bool:
    try:
        for file in files:
            Path(file).unlink(missing_ok=True)
    except OSError:  # Windows removes no file that is read
        return False
    return True


_STORES: dict[Path, Store] = {}


def store_at(folder: Path) -> Store:
    """The store of a folder, one for each folder in this process."""
    place = folder.absolute()
    return _STORES.get(place) or _STORES.setdefault(place, Store(folder))


def open_cache(size: str | None) -> Path:
    """The folder of the cache, tidied, with its limit set. Where it cannot be written, a folder for this process only.

    Args:
        size: the limit, such as 20GB; None for the usual one.

    Raises:
        UsageError: `size` is no size.
    """
    limit, folder = None if size is None else size_in_bytes(size), cache_folder()
    reason = "there is no home folder" if folder is None else _refusal(folder)
    if folder is None or reason:
        place = f"{folder}: the cache cannot be written" if folder else "There is no place for a cache"
        folder = Path(mkdtemp(prefix="vidrnn-cache-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        store_at(folder).say(
            f"{place} ({reason}), so later runs read these videos again. Name a folder in VIDRNN_CACHE."
        )
        return folder
    store = store_at(folder)
    size_bytes = store.tidy()
    store.limit_bytes = store.usual_limit(size_bytes) if limit is None else limit
    if size_bytes > store.limit_bytes:
        store.prune(int(store.limit_bytes * _KEPT_SHARE))
    return folder


def _refusal(folder: Path) -> str:
    """Why nothing can be written in a folder, which is made if needed; empty where all is well."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return error.strerror or str(error)
    return "" if os.access(folder, os.W_OK | os.X_OK) else "there is no permission"


def with_notes(events: Generator[RunEvent, None, Result], folder: Path) -> Generator[RunEvent, None, Result]:
    """The same events and result, and between them what the user should know of the cache."""
    return through(events, lambda event: [*(Note(text, True) for text in store_at(folder).take_notes()), event])
