"""A file whole or not at all: it is written beside its place, then renamed. This module does not know what is in it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from vidrnn.errors import OutputError

_BESIDE = ".part-"
"""Begins the name of a file that is not whole yet; hidden, so that nobody who walks the folder takes it for one."""


@contextmanager
def whole(file: Path, part: str = "") -> Iterator[Path]:
    """Where to write what becomes `file` when the block ends well, with `file`'s suffix; nothing is left otherwise.

    `part` tells apart those who may write the same file at the same time.

    Raises:
        OutputError: it cannot be written there.
    """
    beside = file.with_name(_BESIDE + part + file.name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        beside.replace(file)
    except OSError as problem:
        why = obstacle(file) or problem.strerror or problem
        raise OutputError(f"{file}: could not be written: {why}. What was finished before it is kept.") from problem
    finally:
        with suppress(OSError):  # where nothing could be written, nothing can be removed
            beside.unlink()


def obstacle(file: Path) -> str:
    """What stands where `file` would have to be written, if anything: the reason goes on after a colon."""
    with suppress(OSError):  # where nobody may look, nothing is known to stand
        if file.is_dir():
            return f"{file} is a folder, where a file is to be. Move it away"
        lowest = next((folder for folder in file.parents if folder.exists()), None)
        if lowest is not None and not lowest.is_dir():
            return f"{lowest} is a file, where a folder is to be. Move it away"
    return ""


def locked(file: IO[str] | int, *, shared: bool = False) -> bool:
    """Whether nobody else holds an open file, which is held until it is closed; who is killed lets go.

    `shared`: together with others who share it, after waiting for one who does not. True without locks to be had, too.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def forget(file: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        OutputError: it is, and cannot be removed.
    """
    try:
        if file.is_file():
            file.unlink(missing_ok=True)
    except OSError as problem:
        raise OutputError(f"{file}: could not be removed: {problem.strerror or problem}.") from problem


def forget_part(file: Path) -> None:
    """Remove what somebody who was killed left beside `file`."""
    with suppress(OSError):
        file.with_name(_BESIDE + file.name).unlink()


def write_whole(file: Path, text: str, part: str = "") -> None:
    """Write text, in UTF-8, whole or not at all; `part` as in `whole`.

    Raises:
        OutputError: it cannot be written there.
    """
    with whole(file, part) as beside:
        beside.write_text(text, encoding="utf-8", newline="")
