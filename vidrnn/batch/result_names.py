"""Which file a result goes to: pure functions of names. Nothing is opened here.

Two films never share a file, but where a file system does not tell large letters from small: `alike` finds those.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

_LONGEST_NAME_BYTES = 200
"""Of a film's name as results keep it; a file system takes 255, and a suffix and a mark come with it."""


def common_root(starts: Iterable[Path]) -> Path:
    """The folder that all of `starts`, folders to read or the folders of single films, stand in or are."""
    return Path(os.path.commonpath([os.path.abspath(start) for start in starts]))  # noqa: PTH100


def name_below(film: Path, root: Path) -> str:
    """What results call a film: its path below `root`, with slashes. Links are not followed."""
    return Path(os.path.abspath(film)).relative_to(root).as_posix()  # noqa: PTH100


def shown(name: str) -> str:
    """The name as text: what is not UTF-8 in it becomes a question mark."""
    return name.encode(errors="replace").decode()


def result_file(out: Path, name: str, suffix: str) -> Path:
    """The file below `out` for a film's result: its name, folders and own suffix included, then `suffix`.

    `a/one.mp4` and `a/one.avi` and `b/one.mp4` thus stay apart. A name that is too long for a file system with the
    suffix is cut, and a hash of all of it put in.
    """
    folder, _, film = name.rpartition("/")
    raw = os.fsencode(film)
    if len(raw) > _LONGEST_NAME_BYTES:
        digest = hashlib.blake2b(raw, digest_size=8).hexdigest()
        film = f"{raw[: _LONGEST_NAME_BYTES - 20].decode(errors='ignore')}~{digest}"
    return out / folder / (film + suffix)


def alike(names: Iterable[str]) -> tuple[str, str] | None:
    """Two names that differ by large and small letters only, or by how accents are spelt; None where all are apart."""
    first: dict[str, str] = {}
    for name in names:
        before = first.setdefault(unicodedata.normalize("NFC", name.casefold()), name)
        if before != name:
            return before, name
    return None
