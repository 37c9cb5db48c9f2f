"""Names of files: those that vidrnn writes are the same on every system, whatever the film is called. Opens no file.

Windows refuses some letters and some whole names, and macOS does not tell two spellings of an accent apart. A name
that every system takes stays as it is, so results have the same names on all of them and can be copied between them.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

_REFUSED = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f\ud800-\udfff]')
"""Letters that Windows takes in no name, and bytes that are no text, which macOS takes in none."""
_ENDS = re.compile(r"[ .]+\Z")
"""Windows takes dots and spaces away from the end of a name."""
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3]) *(\..*)?", re.IGNORECASE | re.DOTALL
)
"""Devices of Windows, which answer in every folder and with every suffix."""
_LONGEST_FILE_BYTES, _LONGEST_FOLDER_BYTES = 200, 255
"""A system takes 255, of UTF-8 or of UTF-16 units, which are never more than the bytes. A suffix and a mark come with a
film's name."""
_LONGEST_SUFFIX_BYTES = 16


def portable_name(name: str, longest_bytes: int = _LONGEST_FILE_BYTES) -> str:
    """The name of one file or folder as Linux, macOS and Windows take it. A name that all of them take is given back.

    A name that has to change gets a hash of itself before its suffix, so that two names stay apart. Only the spelling
    of accents changes without one: `apart` finds two names that differ in nothing else.
    """
    changed = _ENDS.sub("_", _REFUSED.sub("_", unicodedata.normalize("NFC", name)))
    if _RESERVED.fullmatch(changed):
        changed = f"_{changed}"
    if changed == unicodedata.normalize("NFC", name) and len(os.fsencode(changed)) <= longest_bytes:
        return changed
    return _marked(changed, name, longest_bytes)


def portable_path(path: str) -> str:
    """A path with slashes below some folder: each of its folders and its file have portable names."""
    *folders, file = path.split("/")
    return "/".join([*(portable_name(folder, _LONGEST_FOLDER_BYTES) for folder in folders), portable_name(file)])


def apart(paths: Iterable[str]) -> dict[str, str]:
    """Portable paths for those of `paths` that a system could take for one file; the others are not in the answer.

    Windows and macOS tell no large letters from small, and macOS no two spellings of an accent. Each of such files gets
    a hash of its own path.
    """
    same: dict[str, list[str]] = {}
    for path in dict.fromkeys(paths):
        same.setdefault(portable_path(path).casefold(), []).append(path)
    return {
        path: _marked_path(path) for paths_of_one in same.values() if len(paths_of_one) > 1 for path in paths_of_one
    }


def _marked_path(path: str) -> str:
    folder, slash, file = portable_path(path).rpartition("/")
    return f"{folder}{slash}{_marked(file, path, _LONGEST_FILE_BYTES)}"


def _marked(name: str, whole: str, longest_bytes: int) -> str:
    """A name with a hash of `whole` before its suffix, cut to its longest."""
    mark = f"~{hashlib.blake2b(os.fsencode(whole), digest_size=8).hexdigest()}"
    suffix = PurePosixPath(name).suffix
    suffix = suffix if len(suffix.encode()) <= _LONGEST_SUFFIX_BYTES else ""
    most = longest_bytes - len(mark) - len(suffix.encode())
    stem = name.removesuffix(suffix).encode()[:most].decode(errors="ignore")
    return f"{stem}{mark}{suffix}"


# --- names for code that takes plain ones only ----------------------------------------------------------------------


def native_path(path: Path, system: str = sys.platform, short_name: Callable[[str], str] | None = None) -> str:
    """The absolute path of a file. On Windows, where it is not ASCII, the short name that Windows keeps for it.

    OpenCV passes names to Windows in the code page of the system, which lacks most letters. A disk may keep no short
    names; the path is then given as it is. An absolute path holds no colon that FFmpeg takes for the end of a
    protocol's name.
    """
    whole = str(path.absolute())
    if system != "win32" or whole.isascii():
        return whole
    return (short_name or _short_name)(whole) or whole


def _short_name(path: str) -> str:
    """The name of a file in letters of 1981, such as FILM~1.MP4; empty where there is none."""
    if sys.platform != "win32":
        return ""
    import ctypes

    ask = ctypes.windll.kernel32.GetShortPathNameW
    room = ask(path, None, 0)
    answer = ctypes.create_unicode_buffer(max(room, 1))
    ask(path, answer, room)
    return answer.value if answer.value.isascii() else ""
