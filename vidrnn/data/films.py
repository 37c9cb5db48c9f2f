"""The films of DATA with their labels, and the films of a SOURCE. This module decodes no film.

DATA is a folder of class folders or a CSV manifest. Without labels, DATA is any film or folder of films. A SOURCE is a
film, a folder or a glob pattern.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from vidrnn.data.manifest import Row, columns_of, read_rows
from vidrnn.errors import DataError, FilmError, UsageError
from vidrnn.values import FilmFailure, LabelledFilm, Part
from vidrnn.video.features import FEATURES_SUFFIX, holds_features
from vidrnn.video.pictures import PICTURE_SUFFIXES
from vidrnn.video.reader import is_film

PART_WORDS = {
    "train": Part.TRAIN,
    "training": Part.TRAIN,
    "val": Part.VAL,
    "valid": Part.VAL,
    "validation": Part.VAL,
    "dev": Part.VAL,
    "test": Part.TEST,
    "testing": Part.TEST,
}
COLUMNS = ("path", "label", "group", "split")


@dataclass(frozen=True, slots=True)
class LabelledData:
    """The labelled films of DATA, a failure for each row that names no film, and notes for the user."""

    films: tuple[LabelledFilm, ...]
    failures: tuple[FilmFailure, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The distinct labels, sorted."""
        return tuple(sorted({film.label for film in self.films}))


def read_labelled(data: Path, *, fewest_classes: int = 2, features: Path | None = None) -> LabelledData:
    """The films of DATA with their labels. No film is opened.

    Args:
        data: a folder of class folders, or a CSV manifest (path,label[,group][,split]).
        fewest_classes: the smallest number of classes. Training needs 2, evaluation 1.
        features: the folder of features that are read in place of the films. The films need not be there, and the films
            of the result are .npy files.

    Raises:
        DataError: DATA cannot be used. A row of a manifest that names no film is a failure, not an error.
    """
    if data.is_dir():
        labelled = _read_folder(data, features)
    elif data.is_file():
        labelled = _read_manifest(data, features)
    else:
        raise DataError(f"{data}: there is no such folder or CSV file.")
    labelled = _without_repeats(data, labelled)
    if len(labelled.classes) < fewest_classes:
        raise DataError(
            f"{data}: holds {counted(len(labelled.films), 'video')} of one class, {labelled.classes[0]!r}; "
            f"a classifier needs {fewest_classes} classes or more."
        )
    return labelled


def read_films(data: Path) -> LabelledData:
    """The films of DATA for a training without labels. Their label is an empty string.

    First-level folders train, val and test, or the column split, give a split. A row that names no film is a failure.

    Args:
        data: a film, a folder with films in it, or a CSV manifest (path[,group][,split]).

    Raises:
        DataError: there is no film.
    """
    if data.is_dir() and not is_film(data):
        unlabelled = _films_below(data)
    elif is_film(data):
        unlabelled = LabelledData((LabelledFilm(data, ""),))
    elif data.is_file():
        unlabelled = _films_of_unlabelled_rows(data)
    else:
        raise DataError(f"{data}: there is no such video, folder or CSV file.")
    return _without_repeats(data, unlabelled)


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
    walk = _walk(folder)
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
            with path.open("rb") as file:
                return hashlib.file_digest(file, _blake).hexdigest()
        whole = _blake()
        for picture in sorted(_pictures(path), key=natural_key):
            whole.update(f"{picture.name}\0{picture.stat().st_size}\0".encode("utf-8", "surrogateescape"))
            whole.update(picture.read_bytes())
        return whole.hexdigest()
    except OSError as problem:
        raise FilmError(f"{path}: cannot be read: {problem.strerror or problem}.") from problem


def natural_key(path: Path) -> tuple[tuple[tuple[tuple[int, int | str], ...], ...], str]:
    """A sort key that compares numbers by value: clip2 before clip10. Equal numbers sort by text: clip01, clip1."""
    parts = tuple(
        tuple((0, int(bit)) if bit.isdecimal() else (1, bit) for bit in re.split(r"(\d+)", part.casefold()) if bit)
        for part in path.parts
    )
    return parts, os.fspath(path)


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
    return list(_walk(folder).films or _walk(folder, features=True).films)


def _exists(path: Path) -> bool:
    """Whether the path exists. A name that no file can have does not."""
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def _films_of_match(match: Path) -> Sequence[Path]:
    if is_film(match):
        return [match]
    return _walk(match).films if match.is_dir() else []


# --- folders ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Walk:
    """The films below a folder, and the files that are no films."""

    films: tuple[Path, ...]
    hidden: int
    others: tuple[Path, ...]


def _is_input(path: Path, *, features: bool) -> bool:
    """Whether a path is a film, or with `features` a file of features."""
    return is_film(path) or (features and holds_features(path) and path.is_file())


def _walk(folder: Path, *, features: bool = False) -> _Walk:
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
        hidden += sum(map(_is_hidden, files))
        shown = [Path(here) / name for name in files if not _is_hidden(name)]
        films += (file for file in shown if _is_input(file, features=features))
        others += (file for file in shown if not _is_input(file, features=features))
        inside = [
            Path(here) / name for name in sorted(folders) if not _is_hidden(name)
        ]  # sorted, so that the same one of two links comes first
        pictures = [each for each in inside if is_film(each)]
        films += pictures
        folders[:] = [each.name for each in inside if each not in pictures]
    films += (Path(problem.filename) for problem in refused)
    return _Walk(tuple(sorted(films, key=natural_key)), hidden, tuple(others))


def _name(text: str) -> str:
    """The name in the Unicode form NFC. Some systems store accents apart, and classes must match on all systems."""
    return unicodedata.normalize("NFC", text)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _pictures(folder: Path) -> Iterator[Path]:
    return (each for each in folder.iterdir() if each.suffix.lower() in PICTURE_SUFFIXES and not _is_hidden(each.name))


def _read_folder(data: Path, features: Path | None) -> LabelledData:
    walk = _walk(data, features=features is not None)
    if not walk.films:
        raise DataError(f"{data}: wanted a folder of class folders, found no video in it.")
    inside = [film.relative_to(data).parts for film in walk.films]
    split = _is_split_folder(data, inside)
    depth = 2 if split else 1
    films = tuple(
        LabelledFilm(film, label=_name(parts[depth - 1]), part=PART_WORDS[parts[0].casefold()] if split else None)
        for film, parts in zip(walk.films, inside, strict=True)
        if len(parts) > depth
    )
    if not films:
        raise DataError(
            f"{data}: wanted class folders with videos in them, found {counted(len(inside), 'video')} {_hint(walk)}"
        )
    labelled = LabelledData(films, notes=tuple(_folder_notes(walk, unlabelled=len(inside) - len(films))))
    return labelled if features is None else _with_features(data, labelled, features)


def _with_features(data: Path, labelled: LabelledData, folder: Path) -> LabelledData:
    """The features of each film of a folder in the place of the film.

    Raises:
        DataError: no film has features.
    """
    found: list[LabelledFilm] = []
    failures: list[FilmFailure] = []
    for film in labelled.films:
        path = find_features(folder, data, film.path.relative_to(data).as_posix())
        if path is None:
            failures.append(FilmFailure(film.path, _no_features(folder, film.path.relative_to(data).as_posix())))
        else:
            found.append(replace(film, path=path))
    if not found:
        raise DataError(f"{data}: none of its {len(failures)} videos has features: {failures[0].reason}.")
    return LabelledData(tuple(found), (*labelled.failures, *failures), labelled.notes)


def find_features(folder: Path, data: Path, text: str) -> Path | None:
    """The features of the film that is called `text` below `data`; None if there are none.

    A file of features stands for itself. Those of a/b.mp4 are a/b.npy, a/b.mp4.npy or b.npy below `folder`.
    """
    if holds_features(Path(text)) and (own := find_listed_file(data, text)) is not None:
        return own
    return next((found for name in _feature_names(text) if (found := find_listed_file(folder, name)) is not None), None)


def _feature_names(text: str) -> list[str]:
    path = PurePosixPath(text.replace("\\", "/"))
    if holds_features(Path(text)):
        return list(dict.fromkeys([str(path), path.name]))
    names = [str(path.with_suffix(FEATURES_SUFFIX)), f"{path}{FEATURES_SUFFIX}", path.stem + FEATURES_SUFFIX]
    return list(dict.fromkeys(names))


def _no_features(folder: Path, text: str) -> str:
    return f"{folder} holds none of {', '.join(_feature_names(text))}"


def _films_below(data: Path) -> LabelledData:
    walk = _walk(data)
    if not walk.films:
        raise DataError(f"{data}: wanted a folder with videos in it, found none.")
    firsts = [film.relative_to(data).parts[:-1][:1] for film in walk.films]
    split = all(first and first[0].casefold() in PART_WORDS for first in firsts)
    parts = [PART_WORDS[first[0].casefold()] if split else None for first in firsts]
    films = tuple(LabelledFilm(film, "", part=part) for film, part in zip(walk.films, parts, strict=True))
    return LabelledData(films, notes=tuple(_folder_notes(walk, unlabelled=0)))


def _is_split_folder(data: Path, inside: Sequence[tuple[str, ...]]) -> bool:
    """Whether the only first-level folders are train, val and test, with class folders inside."""
    firsts = {parts[0].casefold() for parts in inside if len(parts) > 1}
    if not firsts or not firsts <= PART_WORDS.keys():
        return False
    if any(len(parts) > 2 for parts in inside):
        return True
    raise DataError(
        f"{data}: {', '.join(sorted(firsts))} hold videos but no class folders; "
        "make a folder for each class in them, or give a CSV manifest with path,label,split."
    )


def _hint(walk: _Walk) -> str:
    manifests = sorted(other.name for other in walk.others if other.suffix.casefold() == ".csv")
    if manifests:
        return f"at its top and the manifest {' or '.join(manifests)}: give the manifest as DATA instead."
    return "at its top. Put the videos of each class in a folder with the name of the class."


def _folder_notes(walk: _Walk, unlabelled: int) -> Iterator[str]:
    ignored = {
        f"{counted(unlabelled, 'video')} outside of the class folders": unlabelled,
        f"{counted(len(walk.others), 'file')} of other kinds": len(walk.others),
        counted(walk.hidden, "hidden file"): walk.hidden,
    }
    if words := [text for text, count in ignored.items() if count]:
        yield f"ignored: {', '.join(words)}"


# --- manifests -------------------------------------------------------------------------------------------------------


def _read_manifest(data: Path, features: Path | None) -> LabelledData:
    return _films_of_rows(data, _rows(data), ("path", "label"), features)


def _films_of_unlabelled_rows(data: Path) -> LabelledData:
    rows = [Row(row.line, row.cells | {"label": ""}) for row in read_rows(data, COLUMNS[:1], COLUMNS[2:])]
    return _films_of_rows(data, rows, ("path",))


def _films_of_rows(
    data: Path, rows: Sequence[Row], needed: Sequence[str], features: Path | None = None
) -> LabelledData:
    """The films of the rows of a manifest. A row with an empty cell in a needed column is a failure."""
    folder = data.parent
    split = any(row["split"] for row in rows)
    films: list[LabelledFilm] = []
    failures: list[FilmFailure] = []
    for row in rows:
        film = _film_of_row(folder, row, _part(data, row) if split else None, needed, features)
        if isinstance(film, LabelledFilm):
            films.append(film)
        else:
            failures.append(film)
    if not films:
        first = f" First problem: {failures[0].reason}." if failures else ""
        raise DataError(f"{data}: no row of it names a video that exists.{first} Paths are relative to the CSV.")
    return LabelledData(tuple(films), tuple(failures))


def _film_of_row(
    folder: Path, row: Row, part: Part | None, needed: Sequence[str], features: Path | None
) -> LabelledFilm | FilmFailure:
    for column in needed:
        if not row[column]:
            return FilmFailure(folder / row["path"], f"line {row.line} of the manifest has no {column}")
    path = find_listed_file(folder, row["path"]) if features is None else find_features(features, folder, row["path"])
    if path is None and features is not None:
        reason = f"line {row.line} of the manifest has no features: {_no_features(features, row['path'])}"
        return FilmFailure(folder / row["path"], reason)
    if path is None:
        return FilmFailure(folder / row["path"], f"line {row.line} of the manifest names a file that is not there")
    if path.is_dir() and not is_film(path):
        return FilmFailure(path, f"line {row.line} of the manifest names a folder that holds no numbered pictures")
    return LabelledFilm(path, _name(row["label"]), _name(row["group"]) or None, part)


def find_listed_file(folder: Path, text: str) -> Path | None:
    """The file that a manifest names, or None. Names from other systems may have backslashes or other accents."""
    for spelling in (text, text.replace("\\", "/")):
        for form in (spelling, unicodedata.normalize("NFC", spelling), unicodedata.normalize("NFD", spelling)):
            if _exists(folder / form):
                return folder / form
    return None


def _part(data: Path, row: Row) -> Part:
    word = row["split"]
    part = PART_WORDS.get(word.casefold())
    if part is None:
        cell = f"the split {word!r}" if word else "no split, though other rows have one"
        raise DataError(f"{data}: line {row.line} has {cell}; write train, val or test.")
    return part


def _rows(data: Path) -> list[Row]:
    if {"path", "frame", "label"} <= set(columns_of(data, (*COLUMNS, "frame"))):
        raise DataError(
            f"{data}: has a label for each frame (path,frame,label). This version does not train on such labels. "
            "Give a manifest with one label for each video (path,label)."
        )
    return read_rows(data, needed=COLUMNS[:2], optional=COLUMNS[2:])


# --- both ------------------------------------------------------------------------------------------------------------


def _without_repeats(data: Path, labelled: LabelledData) -> LabelledData:
    """Each file once.

    Raises:
        DataError: a file has two labels or two parts.
    """
    first: dict[Path, LabelledFilm] = {}
    for film in labelled.films:
        before = first.setdefault(film.path.resolve(), film)
        if before.label != film.label:
            raise DataError(f"{data}: {film.path} is listed as {before.label!r} and as {film.label!r}; keep one label.")
        if before.part is not film.part:
            raise DataError(f"{data}: {film.path} is listed for {before.part} and for {film.part}; keep one.")
    notes = list(labelled.notes)
    if repeats := len(labelled.films) - len(first):
        notes.append(f"{counted(repeats, 'repeated row')}: each video is used once")
    notes += _alike_notes(film.label for film in first.values())
    return LabelledData(tuple(first.values()), labelled.failures, tuple(notes))


def _alike_notes(labels: Iterable[str]) -> Iterator[str]:
    spellings = Counter(label.casefold() for label in set(labels))
    for label, count in sorted(spellings.items()):
        if count > 1:
            yield f"{count} classes differ in case only ({label!r}); they count as different classes"
