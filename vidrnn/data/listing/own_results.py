"""What vidrnn itself wrote, and how it is known again: results are never read as input.

A folder of results has records, which name the files of each film. A video that vidrnn wrote carries a mark, so that it
is known where it was copied to another folder or has another name.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from vidrnn.file_names import portable_path
from vidrnn.sums import has_right_sum
from vidrnn.video.reader import FILM_SUFFIXES

HIDDEN_NAME = ".vidrnn"
"""The folder with the records and the locks, beside the results."""
RECORD_SUFFIX = ".json"
RECORD_FORMAT = 1
"""Part of each record: a record of another format counts as none, and its film is read again."""
MARK = "Answers of a model, written by vidrnn"
"""The comment in each video that shows answers."""
MARKED_SUFFIXES = frozenset({".mp4", ".webm"})
"""Of videos that can carry the mark."""
_MARK_BYTES = 8192
"""The mark is within so many bytes of the beginning of a WebM file, or of the end of an MP4 file."""
RESULT_SUFFIXES = (".segments.csv", ".labelstudio.json", ".labels.txt", ".explain.json")
"""Of label files that vidrnn itself writes beside films."""
AFTER_FILM = frozenset({".srt", ".vtt", ".eaf", ".boris"})
"""Of files that vidrnn writes too, where they follow the whole name of a film, as in `a.mp4.srt`."""
_MODEL_FILES = ("model.safetensors", "model.onnx")
_RUN_FILES = ("config.toml", "metrics.jsonl")


def result_file(out: Path, name: str, suffix: str) -> Path:
    """The file below `out` for a film's result: its name, folders and own suffix included, then `suffix`.

    `a/one.mp4` and `a/one.avi` and `b/one.mp4` thus stay apart. The names are portable: they are the same on every
    system.
    """
    return out / (portable_path(name) + suffix)


def record_content(out: Path, name: str) -> dict[str, Any] | None:
    """The record of a film in a folder of results; None if there is none, or it is damaged or of another format."""
    try:
        text = result_file(out / HIDDEN_NAME, name, RECORD_SUFFIX).read_text(encoding="utf-8")
        content = json.loads(text)
    except (OSError, ValueError, RecursionError):
        return None
    if has_right_sum(text) is False:
        return None
    return content if isinstance(content, dict) and content.get("format") == RECORD_FORMAT else None


class OwnResults:
    """The videos that vidrnn wrote: those that a record names in a folder above them, and those with the mark."""

    def __init__(self) -> None:
        self._known: dict[Path, bool] = {}

    def __contains__(self, film: Path) -> bool:
        film = Path(os.path.abspath(film))  # noqa: PTH100
        if any(_records(folder, film) for folder in film.parents if self._has_records(folder)):
            return True
        return film.suffix.lower() in MARKED_SUFFIXES and carries_mark(film)

    def _has_records(self, folder: Path) -> bool:
        if folder not in self._known:
            try:
                self._known[folder] = (folder / HIDDEN_NAME).is_dir()
            except OSError:  # the path is too long
                self._known[folder] = False
        return self._known[folder]


def _records(folder: Path, film: Path) -> bool:
    """Whether a record of a folder names a film as the result of another one."""
    name = film.relative_to(folder).as_posix()
    dots = [place for place, letter in enumerate(name) if letter == "."]
    contents = ((record_content(folder, name[:dot]), name[dot:]) for dot in dots)
    return any(content is not None and suffix in (content.get("files") or ()) for content, suffix in contents)


def carries_mark(film: Path) -> bool:
    """Whether a video says of itself that vidrnn wrote it. A file that cannot be read says nothing."""
    if not film.is_file():  # reading a pipe would wait for its other end
        return False
    try:
        with film.open("rb") as file:
            found = MARK.encode() in file.read(_MARK_BYTES)
            if not found and file.seek(0, os.SEEK_END) > _MARK_BYTES:
                file.seek(-_MARK_BYTES, os.SEEK_END)
                found = MARK.encode() in file.read(_MARK_BYTES)
    except OSError:
        return False
    return found


def has_result_name(path: Path) -> bool:
    """Whether a label file has a name that vidrnn gives to the results of a film. People give such names as well."""
    if path.suffix.casefold() in AFTER_FILM and Path(path.stem).suffix.casefold() in FILM_SUFFIXES:
        return True
    return path.name.casefold().endswith(RESULT_SUFFIXES)


def is_own_folder(folder: Path) -> bool:
    """Whether a folder is a run, a model or a folder of results of vidrnn."""
    if (folder / HIDDEN_NAME).is_dir() or any((folder / name).is_file() for name in _MODEL_FILES):
        return True
    return all((folder / name).is_file() for name in _RUN_FILES)
