"""The films of a SOURCE, the walk through a folder, and what films are known by. This module decodes no film.

A SOURCE is a film, a folder or a glob pattern. Which films DATA names with which labels is the subject of `listing`.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from vidrnn.errors import FilmError, UsageError
from vidrnn.values import FilmFailure, LabelledFilm
from vidrnn.video.features import holds_features
from vidrnn.video.inspection.diagnosis import why_no_file, why_system_refuses
from vidrnn.video.pictures import PICTURE_SUFFIXES
from vidrnn.video.reader import FILM_SUFFIXES, is_film


@dataclass(frozen=True, slots=True)
class LabelledData:
    """The labelled films of DATA, a failure for each row that names no film, and notes for the user."""

    films: tuple[LabelledFilm, ...]
    failures: tuple[FilmFailure, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """Notes on what is not as its owner may think."""
    absent: tuple[str, ...] = ()
    """The class of each row or file that DATA names and that is no film."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The distinct labels, sorted."""
        return tuple(sorted({film.label for film in self.films}))


def find_films(sources: Sequence[str]) -> tuple[Path, ...]:
    """The films of the sources, in their order and each once. The films of a folder are sorted by `natural_key`.

    A source is a film, a folder or a glob pattern. A file that the user names counts as a film, with any suffix.

    Raises:
        UsageError: a source names no film.
    """
    films: dict[Path, Path] = {}
    for source in sources:
        for film in _films_of(source):
            films.setdefault(film.resolve(), film)
    return tuple(films.values())


def folder_content(folder: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The films below a folder, sorted by `natural_key`, and its other files; hidden ones are left out."""
    walk = walk_folder(folder)
    return walk.films, walk.others


def source_folder(source: str) -> Path:
    """The folder of a source: the source itself, the folder of a film, or a pattern's part before its wildcards."""
    path = Path(source)
    if _exists(path):
        return path if path.is_dir() and not is_film(path) else path.parent
    fixed = Path()
    for part in path.parts[:-1]:
        if glob.has_magic(part):
            break
        fixed /= part
    return fixed


def content_hash(path: Path) -> str:
    """The hash of a film's bytes, 32 hexadecimal digits. For a folder of pictures: of their names and bytes, in order.

    Raises:
        FilmError: the bytes cannot be read.
    """
    try:
        if not path.is_dir():
            if reason := why_no_file(path):  # a pipe or a device would be read for ever
                raise FilmError(f"{path}: {reason}")
            with path.open("rb") as file:
                return hashlib.file_digest(file, _blake).hexdigest()
        whole = _blake()
        for picture in sorted(_pictures(path), key=natural_key):
            whole.update(f"{picture.name}\0{picture.stat().st_size}\0".encode("utf-8", "surrogateescape"))
            whole.update(picture.read_bytes())
        return whole.hexdigest()
    except OSError as problem:
        raise FilmError(f"{path}: {why_system_refuses(problem)}") from problem


def natural_key(path: Path) -> tuple[tuple[tuple[tuple[int, int, str], ...], ...], str]:
    """A sort key that compares numbers by value: clip2 before clip10. Equal numbers sort by text: clip01, clip1."""
    parts = tuple(
        tuple(
            _number_key(bit) if bit.isdecimal() else (1, 0, bit) for bit in re.split(r"(\d+)", part.casefold()) if bit
        )
        for part in path.parts
    )
    return parts, os.fspath(path)


def _number_key(digits: str) -> tuple[int, int, str]:
    """Digits sort by their number, then by its digits: Python converts no number of thousands of digits."""
    number = digits.lstrip("0")
    return 0, len(number), number


def counted(number: int, noun: str) -> str:
    """A number and its noun, such as `1 film`, `2 films` or `1,200 films`."""
    return f"{number:,} {noun}" + "s" * (number != 1)


def _blake() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


def _films_of(source: str) -> list[Path]:
    path = Path(source)
    if not source.strip():
        raise UsageError("A source is empty. Name a video, a folder or a pattern.")
    if _exists(path) and path.is_dir():
        films = [path] if is_film(path) else _films_below_source(path)
        if not films:
            raise UsageError(f"{source}: this folder holds no video.")
        return films
    if _exists(path):
        return [path]
    if not glob.has_magic(source):
        raise UsageError(f"{source}: there is no such video or folder.")
    matches = sorted((Path(match) for match in glob.glob(source, recursive=True)), key=natural_key)  # noqa: PTH207
    films = [film for match in matches for film in _films_of_match(match)] or [
        match for match in matches if _is_input(match, features=True)
    ]
    if not films:
        others = f", but {counted(len(matches), 'other file')}" if matches else ""
        raise UsageError(f"{source}: this pattern matches no video{others}.")
    return films


def _films_below_source(folder: Path) -> list[Path]:
    """The films below a folder; the files of features below it where there is no film."""
    return list(walk_folder(folder).films or walk_folder(folder, features=True).films)


def _exists(path: Path) -> bool:
    """Whether the path exists. A name that no file can have does not."""
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def _films_of_match(match: Path) -> Sequence[Path]:
    if _is_input(match, features=False):
        return [match]
    return walk_folder(match).films if match.is_dir() else []


# --- folders ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Walk:
    """The films below a folder, and the files that are no films."""

    films: tuple[Path, ...]
    hidden: int
    others: tuple[Path, ...]


def _is_input(path: Path, *, features: bool) -> bool:
    """Whether a path is a film, or with `features` a file of features."""
    if is_film(path) or (features and holds_features(path) and path.is_file()):
        return True
    # A link whose target is away names a film all the same: opening it gives the error.
    return path.suffix.lower() in FILM_SUFFIXES and path.is_symlink() and not path.exists()


def walk_folder(folder: Path, *, features: bool = False) -> Walk:
    """Every film below `folder`, sorted by `natural_key`; with `features` every file of features too.

    A folder of pictures is one film.

    A folder without permission to read it is among the films, so that opening it gives the error.
    """
    films: list[Path] = []
    refused: list[OSError] = []
    others: list[Path] = []
    hidden = 0
    visited: set[str] = set()
    for here, folders, files in os.walk(folder, onerror=refused.append, followlinks=True):
        if (real := os.path.realpath(here)) in visited:
            folders.clear()
            continue
        visited.add(real)
        hidden += sum(map(is_hidden, files))
        shown = [Path(here) / name for name in files if not is_hidden(name)]
        films += (file for file in shown if _is_input(file, features=features))
        others += (file for file in shown if not _is_input(file, features=features))
        inside = [
            Path(here) / name for name in sorted(folders) if not is_hidden(name)
        ]  # sorted, so that the same one of two links comes first
        pictures = [each for each in inside if is_film(each)]
        films += pictures
        folders[:] = [each.name for each in inside if each not in pictures]
    films += (Path(problem.filename) for problem in refused)
    return Walk(tuple(sorted(films, key=natural_key)), hidden, tuple(others))


class RealPaths:
    """The real path of each file: links are followed. Each folder is looked at once, however many files it holds."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def of(self, path: Path) -> str:
        """The path as `Path.resolve` gives it, as text."""
        folder, name = os.path.split(path)
        # Windows knows a file under several names
        if os.name == "nt" or name in ("", ".", "..") or os.path.islink(path):  # noqa: PTH114
            return os.path.realpath(path)
        if (real := self._folders.get(folder)) is None:
            real = self._folders[folder] = os.path.join(os.path.realpath(folder), "")  # noqa: PTH118
        return real + name


def in_one_form(text: str) -> str:
    """The text in the Unicode form NFC. Some systems store accents apart, and classes must match on all systems."""
    return unicodedata.normalize("NFC", text)


def is_hidden(name: str) -> bool:
    """Whether a walk passes over a file or folder of this name."""
    return name.startswith(".") or name == "__MACOSX"


def _pictures(folder: Path) -> Iterator[Path]:
    return (each for each in folder.iterdir() if each.suffix.lower() in PICTURE_SUFFIXES and not is_hidden(each.name))


def find_listed_file(folder: Path, text: str) -> Path | None:
    """The file that a manifest names, or None. Names from other systems may have backslashes or other accents."""
    path = folder / text
    if _exists(path):
        return path
    for spelling in (text, text.replace("\\", "/")):
        for form in (spelling, unicodedata.normalize("NFC", spelling), unicodedata.normalize("NFD", spelling)):
            if _exists(folder / form):
                return folder / form
    return None if text.isascii() else _file_in_any_form(folder, text.replace("\\", "/"))


def _file_in_any_form(folder: Path, text: str) -> Path | None:
    """The file below a folder whose name is equal to `text` once accents are in one form, folder by folder."""
    path = Path(folder)
    for part in PurePosixPath(text).parts:
        if part == ".." or _exists(path / part):
            path /= part
            continue
        try:
            name = _names_in_one_form(path, path.stat().st_mtime_ns).get(in_one_form(part))
        except (OSError, ValueError):
            return None
        if name is None:
            return None
        path /= name
    return path


@lru_cache(maxsize=64)
def _names_in_one_form(folder: Path, changed: int) -> dict[str, str]:
    """The names in a folder by their form NFC. `changed` is the time of its last change, for the memory only."""
    return {in_one_form(entry.name): entry.name for entry in folder.iterdir()}
