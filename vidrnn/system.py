"""What a bug report needs of the machine: versions, and how its folders treat names of files. Loads no package."""

from __future__ import annotations

import locale
import os
import platform
import re
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from vidrnn import __version__
from vidrnn.atomic import try_lock
from vidrnn.threads import available_cores

_INSTEAD = {"opencv-python": ("opencv-python-headless",)}
"""Packages that may be installed in place of one that vidrnn names."""


@dataclass(frozen=True)
class Machine:
    """The program and the machine that it runs on."""

    vidrnn: str
    python: str
    system: str
    processor: str
    cores: int
    """Those that this process may use."""
    memory_bytes: int | None
    """None where Python cannot ask for it."""
    names_encoding: str
    """Of the names of files."""
    locale_encoding: str
    """Of text that other programs write."""
    packages: dict[str, str | None]
    """The versions of the packages that vidrnn names; None for one that is not installed."""


@dataclass(frozen=True)
class FolderFacts:
    """How a folder treats files. What could not be tried is None."""

    folder: str
    free_bytes: int | None = None
    writable: bool = False
    tells_case_apart: bool | None = None
    """Whether a.txt and A.txt are two files."""
    tells_accents_apart: bool | None = None
    """Whether two spellings of one accent are two files."""
    locks: bool | None = None
    links: bool | None = None
    """Whether symbolic links can be made."""
    longest_name_bytes: int | None = None


def describe_machine() -> Machine:
    """The facts of this program and this machine."""
    return Machine(
        vidrnn=__version__,
        python=f"{platform.python_version()} ({platform.python_implementation()})",
        system=platform.platform(),
        processor=platform.processor() or platform.machine(),
        cores=available_cores(),
        memory_bytes=_memory_bytes(),
        names_encoding=sys.getfilesystemencoding(),
        locale_encoding=locale.getpreferredencoding(do_setlocale=False),
        packages=_packages(),
    )


def describe_folder(folder: Path) -> FolderFacts:
    """The facts of a folder. Some small files are made in it and removed; a folder that is not there is not made."""
    shown, free = _without_home(folder), None
    with suppress(OSError):
        free = shutil.disk_usage(folder).free
    try:
        with tempfile.TemporaryDirectory(prefix="vidrnn-", dir=folder, ignore_cleanup_errors=True) as made:
            return _tried(Path(made), shown, free)
    except OSError:
        return FolderFacts(shown, free)


def _tried(folder: Path, shown: str, free: int | None) -> FolderFacts:
    (folder / "a").touch()
    (folder / "\u00e4").touch()
    longest = None
    if sys.platform != "win32":
        with suppress(AttributeError, OSError, ValueError):
            longest = os.pathconf(folder, "PC_NAME_MAX")
    return FolderFacts(
        shown,
        free,
        writable=True,
        tells_case_apart=not (folder / "A").exists(),
        tells_accents_apart=not (folder / "a\u0308").exists(),
        locks=_locks(folder / "lock"),
        links=_links(folder),
        longest_name_bytes=longest,
    )


def _locks(file: Path) -> bool:
    """Whether a lock that is held keeps others out."""
    with suppress(OSError):
        first = try_lock(file)
        second = try_lock(file)
        for lock in (first, second):
            if lock is not None:
                lock.release()
        return first is not None and second is None
    return False


def _links(folder: Path) -> bool:
    try:
        (folder / "link").symlink_to(folder / "a")
    except (OSError, NotImplementedError):
        return False
    return True


def _memory_bytes() -> int | None:
    if sys.platform != "win32":
        with suppress(AttributeError, OSError, ValueError):
            return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _packages() -> dict[str, str | None]:
    try:
        needs = metadata.requires("vidrnn") or []
    except metadata.PackageNotFoundError:  # its folder is on Python's path, and it was never installed
        needs = []
    names = [re.split(r"[^\w.-]", need)[0] for need in needs if 'extra == "test"' not in need]
    return {name: _version(name) for name in sorted(dict.fromkeys(names), key=str.casefold)}


def _version(name: str) -> str | None:
    for each in (name, *_INSTEAD.get(name, ())):
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(each) + (f" ({each})" if each != name else "")
    return None


def _without_home(folder: Path) -> str:
    """The path of a folder with ~ for the user's own, so that a report names nobody."""
    with suppress(RuntimeError, ValueError):
        return str(Path("~") / folder.absolute().relative_to(Path.home()))
    return str(folder)
