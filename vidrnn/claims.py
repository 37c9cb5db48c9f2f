"""A folder that one process at a time works in. Knows neither runs nor comparisons."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vidrnn.atomic import try_lock

if TYPE_CHECKING:
    from filelock import FileLock

LOCK_NAME = ".lock"
"""The file in the folder that the lock is on. It holds nothing."""
_TRIES = 20


@dataclass
class Claim:
    """A folder that this process alone works in, until `release`. The system ends the claim of a killed process."""

    folder: Path
    new: list[Path]
    """The folders that were made for it, the deepest first."""
    _lock: FileLock

    def release(self) -> None:
        """Give the folder back. It is removed if nothing was written into it."""
        if os.name == "posix":  # first, so that nobody gets a lock on a file that is about to go
            self._remove_file()
        self._lock.release()
        if os.name != "posix":  # a system that removes no open file
            self._remove_file()
        for folder in self.new:
            with suppress(OSError):  # something is in it
                folder.rmdir()

    def _remove_file(self) -> None:
        with suppress(OSError):
            (self.folder / LOCK_NAME).unlink()


def claim_folder(folder: Path) -> Claim | None:
    """Make the folder if needed, and claim it; None if another process has it.

    Raises:
        OSError: it cannot be made or written.
    """
    new = [each for each in (folder, *folder.absolute().parents) if not each.exists()]
    for _ in range(_TRIES):
        try:
            lock = try_lock(folder / LOCK_NAME)
        except FileNotFoundError:  # another process has just removed the empty folder
            continue
        if lock is None:
            return None
        if (folder / LOCK_NAME).exists():
            return Claim(folder, new, lock)
        lock.release()  # its holder has just ended and removed the file
    return None


def claim_free_folder(folder: Path) -> Claim:
    """Claim `folder`, or the first of its name with a number, that is not there or empty.

    Raises:
        OSError: it cannot be made or written.
    """
    place, number = folder, 2
    while True:
        if not place.exists() or holds_nothing(place):
            claim = claim_folder(place)
            if claim is not None and holds_nothing(place):
                return claim
            if claim is not None:  # another process wrote it in between
                claim.release()
        place, number = folder.with_name(f"{folder.name}-{number}"), number + 1


def holds_nothing(folder: Path) -> bool:
    """Whether a folder is empty, but for the lock of a process that was killed."""
    return folder.is_dir() and all(each.name == LOCK_NAME for each in folder.iterdir())
