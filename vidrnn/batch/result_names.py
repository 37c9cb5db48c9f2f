"""The names of films in results: pure functions of paths. Nothing is opened here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Self


@dataclass(frozen=True)
class Roots:
    """The folders that names in results begin at: the lowest one above all sources, one for each drive of Windows."""

    folders: Mapping[str, PurePath]
    """By the drive, which is empty on Linux and macOS."""

    @classmethod
    def of(cls, starts: Iterable[PurePath]) -> Self:
        """The roots of folders to read, and of the folders of single films. Links are not followed."""
        folders: dict[str, PurePath] = {}
        for start in map(_absolute, starts):
            drive = start.drive.casefold()
            folders[drive] = _common(folders.get(drive, start), start)
        return cls(folders)

    def name(self, film: PurePath) -> str:
        """The name of a film in results: its path below its root, with slashes.

        Where films lie on several drives, the drive is its first folder: `C/one.mp4`, or `server/share/one.mp4`.
        """
        path = _absolute(film)
        below = path.relative_to(self.folders[path.drive.casefold()]).as_posix()
        if len(self.folders) == 1:
            return below
        return "/".join([*filter(None, path.drive.upper().replace(":", "").replace("\\", "/").split("/")), below])


def shown(name: str) -> str:
    """The name as text: a byte that is not UTF-8 becomes a question mark."""
    return name.encode(errors="replace").decode()


def _common(one: PurePath, other: PurePath) -> PurePath:
    """The lowest folder that is or holds both, which lie on one drive."""
    return next(folder for folder in (one, *one.parents) if other.is_relative_to(folder))


def _absolute(path: PurePath) -> PurePath:
    """A path of this system as an absolute one, without dots; one of another system is absolute already."""
    return Path(os.path.abspath(path)) if isinstance(path, Path) else path  # noqa: PTH100
