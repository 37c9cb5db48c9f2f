"""What results call a film: pure functions of names. Nothing is opened here.

Two films never share a file, but where a file system does not tell large letters from small: `alike` finds those.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path


def common_root(starts: Iterable[Path]) -> Path:
    """The folder that all of `starts`, folders to read or the folders of single films, stand in or are."""
    return Path(os.path.commonpath([os.path.abspath(start) for start in starts]))  # noqa: PTH100


def name_below(film: Path, root: Path) -> str:
    """What results call a film: its path below `root`, with slashes. Links are not followed."""
    return Path(os.path.abspath(film)).relative_to(root).as_posix()  # noqa: PTH100


def shown(name: str) -> str:
    """The name as text: what is not UTF-8 in it becomes a question mark."""
    return name.encode(errors="replace").decode()


def alike(names: Iterable[str]) -> tuple[str, str] | None:
    """Two names that differ by large and small letters only, or by how accents are spelt; None where all are apart."""
    first: dict[str, str] = {}
    for name in names:
        before = first.setdefault(unicodedata.normalize("NFC", name.casefold()), name)
        if before != name:
            return before, name
    return None
