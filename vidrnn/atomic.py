"""A file or a folder is written whole or not at all, and one process at a time may hold a lock.

Everything is written under a hidden name beside its place and then moved there. This module does not know the contents.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from vidrnn.errors import OutputError

if TYPE_CHECKING:
    from filelock import FileLock

_PART = ".part-"
"""Begins the name of a file or folder that is not finished; it is hidden, so that a walk does not read it as input."""
_MOVE_SECONDS, _MOVE_PAUSE_SECONDS = 1.0, 0.02
"""How long a refused move is tried again. Windows refuses while a virus scanner or a reader has the target open."""
_KEPT = "What was finished before it is kept."


_WAITS_FOR_NOTHING: ContextVar[bool] = ContextVar("waits_for_nothing", default=False)


@contextmanager
def without_waiting() -> Iterator[None]:
    """Within the block no file waits until it is on the disk: the system brings it there some seconds later.

    It is for many small files whose sums are stored, so that a later run notices what a power cut destroyed.
    """
    token = _WAITS_FOR_NOTHING.set(True)
    try:
        yield
    finally:
        _WAITS_FOR_NOTHING.reset(token)


@contextmanager
def write_file(file: Path, part: str = "", advice: str = _KEPT, *, lasting: bool = True) -> Iterator[Path]:
    """A path to write to. The file there becomes `file` when the block ends; if the block fails, nothing is left.

    Args:
        file: where the finished file stands; its folder is made. The yielded path has the same suffix.
        part: tells apart writers that may write the same file at the same time.
        advice: the last sentence of the error.
        lasting: whether the file survives a power cut too. Without it, writing is some milliseconds faster; it is for
            files that can be made again and whose damage is noticed.

    Raises:
        OutputError: the file cannot be written. Every OSError in the block becomes this error.
    """
    with write_files([file], part, advice, lasting=lasting) as (beside,):
        yield beside


@contextmanager
def write_files(
    files: Sequence[Path], part: str = "", advice: str = _KEPT, *, lasting: bool = True
) -> Iterator[list[Path]]:
    """As `write_file`, for files that belong together: all are finished before the first is moved to its place."""
    besides = [_beside(file, part) for file in files]
    file = files[0]
    lasting = lasting and not _WAITS_FOR_NOTHING.get()
    try:
        for folder in {file.parent for file in files}:
            folder.mkdir(parents=True, exist_ok=True)
        yield besides
        if lasting:
            for beside in besides:
                bring_to_disk(beside)
        for beside, file in zip(besides, files, strict=True):
            move(beside, file)
        if lasting:
            for folder in {file.parent for file in files}:
                bring_to_disk(folder)
    except OSError as problem:
        raise _not_written(file, problem, advice) from problem
    finally:
        for beside in besides:
            with suppress(OSError):  # where nothing could be written, nothing can be removed
                beside.unlink()


def write_text(file: Path, text: str, part: str = "", advice: str = _KEPT, *, lasting: bool = True) -> None:
    """Write text in UTF-8, with its line ends as they are. The arguments and the error are those of `write_file`.

    Raises:
        OutputError: the file cannot be written.
    """
    with write_file(file, part, advice, lasting=lasting) as beside:
        beside.write_text(text, encoding="utf-8", newline="")


def write_bytes(file: Path, content: bytes, part: str = "", advice: str = _KEPT) -> None:
    """Write bytes. The arguments and the error are those of `write_file`.

    Raises:
        OutputError: the file cannot be written.
    """
    with write_file(file, part, advice) as beside:
        beside.write_bytes(content)


@contextmanager
def write_folder(
    folder: Path, main: str, own: Iterable[str] = (), needed: Sequence[str] = (), advice: str = _KEPT
) -> Iterator[Path]:
    """A folder to fill, with `main` and other files. It becomes `folder` when the block ends well.

    If `folder` exists, its files are replaced one by one, so that files of other origin stay. Old files that could
    contradict the new `main` go first, then `main` is replaced in one step, then the others follow. Whoever reads at
    any moment, also after a kill, finds the old `main` or the new one, and beside it only files that fit. Only between
    the moves of a `needed` file and of `main` the old `main` stands beside a new needed file, where the two differ.

    Args:
        folder: where the files come to stand; the folders above it are made.
        main: the name of the file that the others are derived from.
        own: the names of other files that the writer may have written there before, such as `model.onnx`.
        needed: the names of files that `main` cannot be read without. They are replaced just before it, and removed
            after it if the new folder has none.
        advice: the last sentence of the error.

    Raises:
        OutputError: the folder cannot be written. Every OSError in the block becomes this error.
    """
    beside = _beside(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(beside, ignore_errors=True)  # of a writer that was killed
        beside.mkdir()
        yield beside
        for each in (*(file for file in beside.rglob("*") if file.is_file()), beside):
            bring_to_disk(each)
        if folder.exists():
            _exchange(beside, folder, main, own, needed)
        else:
            move(beside, folder)
        for each in (folder, folder.parent):
            bring_to_disk(each)
    except OSError as problem:
        raise _not_written(folder, problem, advice, "folder") from problem
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _exchange(beside: Path, folder: Path, main: str, own: Iterable[str], needed: Sequence[str]) -> None:
    for name in own:
        (folder / name).unlink(missing_ok=True)
    old = [name for name in needed if not (beside / name).exists()]
    for name in (*needed, main):
        if name not in old:
            move(beside / name, folder / name)
    for name in old:
        (folder / name).unlink(missing_ok=True)
    for new in sorted(beside.iterdir()):
        move(new, folder / new.name)


def bring_to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk and not only in the memory of the system.

    Raises:
        OSError: the disk refuses the content of a file.
    """
    folder = path.is_dir()
    if folder and os.name != "posix":  # Windows opens no folders, and keeps their names by itself
        return
    try:
        opened = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    except PermissionError:
        return  # a file or a folder that may not be opened is brought to the disk by the system, some seconds later
    try:
        os.fsync(opened)
    except OSError as problem:
        if problem.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that have no such request
            raise
    finally:
        os.close(opened)


def move(source: Path, target: Path) -> None:
    """Give `source` the name `target`, in place of a file that has it; both are on one disk.

    Raises:
        OSError: the system refuses, on Windows also after some tries.
    """
    _try_for_a_while(lambda: source.replace(target))


def _try_for_a_while(act: Callable[[], object]) -> None:
    """Do what Windows refuses while another program has the file open.

    Raises:
        OSError: the system refuses it for another reason, or for too long.
    """
    end = time.monotonic() + _MOVE_SECONDS
    while True:
        try:
            act()
            return
        except PermissionError:
            if time.monotonic() > end:
                raise
        time.sleep(_MOVE_PAUSE_SECONDS)


def put_aside(file: Path, ending: str) -> Path:
    """Give a file a name with a further ending, and a number if that name is taken; the new path.

    Raises:
        OutputError: it cannot be moved.
    """
    number = 1
    while (place := file.with_name(f"{file.name}{ending}{'' if number == 1 else number}")).exists():
        number += 1
    try:
        move(file, place)
    except OSError as problem:
        raise OutputError(f"{file}: could not be moved to {place.name}: {problem.strerror or problem}.") from problem
    return place


def find_obstacle(path: Path, kind: str = "file") -> str:
    """The clause that names what stands in the place of `path`, a file or a folder; empty where nothing does."""
    with suppress(OSError):  # in a folder that cannot be read nothing is known
        if kind == "file" and path.is_dir():
            return f"{path} is a folder, where a file is to be. Move it away"
        places = path.parents if kind == "file" else (path, *path.parents)
        lowest = next((folder for folder in places if folder.exists()), None)
        if lowest is not None and not lowest.is_dir():
            return f"{lowest} is a file, where a folder is to be. Move it away"
    return ""


def remove_file(file: Path) -> None:
    """Remove a file if it exists.

    Raises:
        OutputError: it exists and cannot be removed.
    """
    try:
        if file.is_file():
            _try_for_a_while(lambda: file.unlink(missing_ok=True))
    except OSError as problem:
        raise OutputError(f"{file}: could not be removed: {problem.strerror or problem}.") from problem


def remove_part(file: Path) -> None:
    """Remove the unfinished file that a killed writer of `file` left beside it."""
    with suppress(OSError):
        _beside(file).unlink()


def finished_name(file: Path) -> str | None:
    """The name that an unfinished file is to have, with what tells its writer apart; None for any other file."""
    return file.name.removeprefix(_PART) if file.name.startswith(_PART) else None


def try_lock(file: Path, patience_seconds: float = 0.0) -> FileLock | None:
    """Hold the lock that `file` stands for; None if another process or another object holds it.

    The lock is held until `release()` of the result or until the result is no longer referenced. The system releases
    the lock of a killed process. A file system without locks counts as unlocked. `file` holds no data: Windows lets
    nobody read a locked file.

    Args:
        file: a file for the lock alone; it and its folder are made, and the file stays.
        patience_seconds: how long to wait for another holder.

    Raises:
        OSError: the file cannot be made.
    """
    from filelock import FileLock, Timeout  # here, since most commands lock nothing

    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(
        file, timeout=patience_seconds, poll_interval=_MOVE_PAUSE_SECONDS, thread_local=False, fallback_to_soft=False
    )
    try:
        lock.acquire()
    except Timeout:
        return None
    except OSError:
        file.open("a").close()  # the file system refuses the file itself, or only the lock
    return lock


def _beside(path: Path, part: str = "") -> Path:
    return path.with_name(_PART + part + path.name)


def _not_written(path: Path, problem: OSError, advice: str, kind: str = "file") -> OutputError:
    reason = find_obstacle(path, kind) or problem.strerror or str(problem)
    return OutputError(f"{path}: could not be written: {reason}. {advice}")
