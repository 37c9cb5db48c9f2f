"""Films with the class that their folder names, and what a folder holds beside them. No film is opened."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from vidrnn.data.films import LabelledData, Walk, counted, in_one_form, is_hidden, walk_folder
from vidrnn.data.listing.features import find_features, why_no_features
from vidrnn.data.listing.own_results import OwnResults, is_own_folder
from vidrnn.data.listing.parts import doubtful_classes, part_of_folder, split_of_folders
from vidrnn.errors import DataError
from vidrnn.values import FilmFailure, LabelledFilm
from vidrnn.video.pictures import PICTURE_SUFFIXES
from vidrnn.video.reader import is_film

MANIFEST_SUFFIXES = frozenset({".csv", ".tsv", ".jsonl"})
# fmt: off
_COMPANIONS = frozenset([
    "", ".aac", ".ass", ".boris", ".cfg", ".csv", ".db", ".doc", ".docx", ".eaf", ".flac", ".h5", ".html", ".ini",
    ".ipynb", ".json", ".jsonl", ".log", ".m", ".m4a", ".mat", ".md", ".mp3", ".npy", ".npz", ".ods", ".ogg", ".onnx",
    ".parquet", ".pdf", ".pkl", ".py", ".rst", ".rtf", ".safetensors", ".sh", ".srt", ".sub", ".toml", ".tsv", ".txt",
    ".vtt", ".wav", ".xls", ".xlsx", ".xml", ".yaml", ".yml",
])
# fmt: on
"""Suffixes of files that lie beside films and are none: text, tables, sound, numbers."""
_MOST_NAMED = 5


def read_folder(data: Path, features: Path | None, *, complete: bool) -> LabelledData:
    """The films of a folder of class folders, which may lie in folders for the parts of a split.

    Args:
        data: the folder.
        features: the folder of features that are read in place of the films; None: the films themselves.
        complete: whether a class folder without a film is an error; else it is a warning.

    Raises:
        DataError: there is no film in a class folder, or a class folder holds none.
    """
    walk, results = _without_results(walk_folder(data, features=features is not None))
    if not walk.films:
        own = f" {_passed_over(data, results)}." if results else ""
        raise DataError(f"{data}: wanted a folder of class folders, found no video in it.{own}")
    inside = [film.relative_to(data).parts for film in walk.films]
    below: defaultdict[str, set[str]] = defaultdict(set)
    for parts in inside:
        if len(parts) > 1:
            below[parts[0]].update(parts[1:2] if len(parts) > 2 else ())
    split = split_of_folders(data, below)
    depth = 2 if split else 1
    films = tuple(
        LabelledFilm(film, label=in_one_form(parts[depth - 1]), part=split[parts[0]] if split else None)
        for film, parts in zip(walk.films, inside, strict=True)
        if len(parts) > depth or (len(parts) == depth and _is_closed(film))
    )
    if not films:
        raise DataError(
            f"{data}: wanted class folders with videos in them, found {counted(len(inside), 'video')} {_hint(walk)}"
        )
    warnings = list(_missing_films(data, walk, films, list(split) if split else None, complete=complete))
    if split and any(name.casefold() != part for name, part in split.items()):
        warnings.append(f"a given split: {', '.join(f'{name} is {part}' for name, part in sorted(split.items()))}")
    elif not split and (doubt := doubtful_classes(below)):
        warnings.append(doubt)
    notes = list(_notes(walk, unlabelled=len(inside) - len(films)))
    if results:
        notes.append(_passed_over(data, results))
    labelled = LabelledData(films, notes=tuple(notes), warnings=tuple(warnings))
    return labelled if features is None else _with_features(data, labelled, features)


def _is_closed(path: Path) -> bool:
    """Whether a path among films is a folder that may not be read: a class whose films are not known."""
    return path.is_dir() and not is_film(path)


def read_unlabelled_folder(data: Path) -> LabelledData:
    """The films below a folder without labels; first-level folders that are all parts of a split give the split.

    Raises:
        DataError: there is no film.
    """
    walk, results = _without_results(walk_folder(data))
    if not walk.films:
        own = f" {_passed_over(data, results)}." if results else ""
        raise DataError(f"{data}: wanted a folder with videos in it, found none.{own}")
    firsts = [film.relative_to(data).parts[:-1][:1] for film in walk.films]
    told = {first[0]: part_of_folder(first[0]) for first in firsts if first}
    split = all(firsts) and all(told.values())
    films = tuple(
        LabelledFilm(film, "", part=told[first[0]] if split else None)
        for film, first in zip(walk.films, firsts, strict=True)
    )
    notes = list(_notes(walk, unlabelled=0))
    if results:
        notes.append(_passed_over(data, results))
    return LabelledData(films, notes=tuple(notes), warnings=tuple(_unknown_endings(data, walk.others)))


def _without_results(walk: Walk) -> tuple[Walk, list[Path]]:
    """A walk without the videos that vidrnn wrote, and those."""
    own = OwnResults()
    results = [film for film in walk.films if film in own]
    return replace(walk, films=tuple(film for film in walk.films if film not in set(results))), results


def _passed_over(data: Path, results: Sequence[Path]) -> str:
    folders = sorted({film.parent.relative_to(data).as_posix() for film in results})
    where = ", ".join(data.name if folder == "." else folder for folder in folders[:_MOST_NAMED])
    more = f" and {len(folders) - _MOST_NAMED} more folders" if len(folders) > _MOST_NAMED else ""
    return f"passed over: {counted(len(results), 'video')} that vidrnn wrote as answers, in {where}{more}"


def _hint(walk: Walk) -> str:
    manifests = sorted(other.name for other in walk.others if other.suffix.casefold() in MANIFEST_SUFFIXES)
    if manifests:
        return f"at its top and the manifest {' or '.join(manifests)}: give the manifest as DATA instead."
    return "at its top. Put the videos of each class in a folder with the name of the class."


def _notes(walk: Walk, unlabelled: int) -> Iterator[str]:
    ignored = {
        f"{counted(unlabelled, 'video')} outside of the class folders": unlabelled,
        f"{counted(len(walk.others), 'file')} of other kinds": len(walk.others),
        counted(walk.hidden, "hidden file"): walk.hidden,
    }
    if words := [text for text, count in ignored.items() if count]:
        yield f"ignored: {', '.join(words)}"


# --- classes without films -------------------------------------------------------------------------------------------


def _missing_films(
    data: Path, walk: Walk, films: Sequence[LabelledFilm], parts: Sequence[str] | None, *, complete: bool
) -> Iterator[str]:
    """Warnings on class folders that hold no film, and on files in class folders that may be films.

    Raises:
        DataError: `complete` is asked for, and a class folder holds files that may be films, but no film.
    """
    labels = {film.label for film in films}
    lost: dict[str, str] = {}
    for folder in _class_folders(data, parts):
        label = in_one_form(folder.name)
        if label in labels or is_own_folder(folder) or is_film(folder):
            continue
        unknown = [other for other in walk.others if folder in other.parents and _may_be_film(other)]
        if unknown:
            lost[label] = _endings(unknown)
        elif not any(os.scandir(folder)):
            yield f"the folder {label} is empty, so it is no class"
    for link in _broken_links(data, parts, walk):
        lost.setdefault(in_one_form(link.name), f"a link to {link.readlink()}, which is not there")
    if lost and complete:
        classes = "; ".join(f"{label!r} ({endings})" for label, endings in sorted(lost.items()))
        raise DataError(
            f"{data}: no video is known in {classes}. Where that is a class to learn, give its videos a known ending, "
            "such as .mp4, or convert them. Where it is not, move it out of DATA."
        )
    for label, endings in sorted(lost.items()):
        yield f"no video is known in {label} ({endings}), so it is no class"
    yield from _unknown_endings(data, [other for other in walk.others if not _is_below(other, data, lost)])


def _broken_links(data: Path, parts: Sequence[str] | None, walk: Walk) -> list[Path]:
    """Links beside the class folders that lead nowhere: perhaps to a class."""
    tops = {data} if parts is None else {data / part for part in parts}
    return [each for each in walk.others if each.parent in tops and each.is_symlink() and not each.exists()]


def _class_folders(data: Path, parts: Sequence[str] | None) -> list[Path]:
    tops = [data] if parts is None else [data / part for part in parts]
    return [each for top in tops for each in sorted(top.iterdir()) if each.is_dir() and not is_hidden(each.name)]


def _is_below(path: Path, data: Path, names: dict[str, str]) -> bool:
    return any(in_one_form(part) in names for part in path.relative_to(data).parts[:-1])


def _may_be_film(path: Path) -> bool:
    return path.suffix.casefold() not in _COMPANIONS


def _is_pipe(path: Path) -> bool:
    """Whether a path is a pipe or a device, which would be read for ever."""
    return path.exists() and not path.is_file()


def _endings(files: Sequence[Path]) -> str:
    """How many files have which ending, the most frequent first, and how many are pipes."""
    pipes = [path for path in files if _is_pipe(path)]
    counts = Counter(path.suffix.casefold() for path in files if path not in pipes).most_common(_MOST_NAMED)
    known = [f"{counted(count, 'file')} {suffix}" for suffix, count in counts]
    return ", ".join([*known, *([counted(len(pipes), "pipe")] if pipes else [])])


def _unknown_endings(data: Path, others: Sequence[Path]) -> Iterator[str]:
    """A warning for each folder with files that may be films of an unknown kind. Pictures beside films are usual."""
    folders: defaultdict[str, list[Path]] = defaultdict(list)
    for other in others:
        if _may_be_film(other) and other.suffix.casefold() not in PICTURE_SUFFIXES and not _is_pipe(other):
            folders[other.parent.relative_to(data).as_posix()].append(other)
    for folder, files in sorted(folders.items())[:_MOST_NAMED]:
        where = "" if folder == "." else f"in {folder} "
        yield f"left out {where}since no video is known by such an ending: {_endings(files)}"
    for pipe in [other for other in others if _is_pipe(other)][:_MOST_NAMED]:
        yield f"left out: {pipe.relative_to(data).as_posix()} is a pipe or a device, which is no file"


# --- features --------------------------------------------------------------------------------------------------------


def _with_features(data: Path, labelled: LabelledData, folder: Path) -> LabelledData:
    """The features of each film of a folder in the place of the film.

    Raises:
        DataError: no film has features.
    """
    found: list[LabelledFilm] = []
    failures: list[FilmFailure] = []
    absent: list[str] = []
    for film in labelled.films:
        name = film.path.relative_to(data).as_posix()
        path = find_features(folder, data, name)
        if path is None:
            failures.append(FilmFailure(film.path, why_no_features(folder, name)))
            absent.append(film.label)
        else:
            found.append(replace(film, path=path))
    if not found:
        raise DataError(f"{data}: none of its {len(failures)} videos has features: {failures[0].reason}.")
    return replace(
        labelled, films=tuple(found), failures=(*labelled.failures, *failures), absent=(*labelled.absent, *absent)
    )
