"""The films of DATA with their labels, from a folder of class folders or a manifest; or the films without labels."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from vidrnn.data.films import LabelledData, RealPaths, counted
from vidrnn.data.listing.folders import read_folder, read_unlabelled_folder
from vidrnn.data.listing.manifests import read_manifest
from vidrnn.data.listing.tables import refuse
from vidrnn.errors import DataError
from vidrnn.values import Excerpt, LabelledFilm
from vidrnn.video.reader import is_film


def read_labelled(
    data: Path, *, fewest_classes: int = 2, features: Path | None = None, complete: bool | None = None
) -> LabelledData:
    """The films of DATA with their labels. No film is opened.

    Args:
        data: a folder of class folders, or a manifest: CSV (path,label[,group][,split][,start][,end]) or JSON Lines.
        fewest_classes: the smallest number of classes. Training needs 2, evaluation 1.
        features: the folder of features that are read in place of the films. The films need not be there, and the films
            of the result are .npy files.
        complete: whether each class that DATA names must have a film. None: where 2 classes are needed.

    Raises:
        DataError: DATA cannot be used. A row of a manifest that names no film is a failure, not an error.
    """
    complete = fewest_classes > 1 if complete is None else complete
    if data.is_dir():
        labelled = read_folder(data, features, complete=complete)
    elif data.is_file():
        labelled = read_manifest(data, features)
    else:
        raise DataError(_why_no_data(data, "folder or CSV file"))
    labelled = _without_repeats(data, labelled)
    if complete:
        refuse_lost_classes(data, labelled)
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
        data: a film, a folder with films in it, or a manifest: CSV (path[,group][,split]) or JSON Lines.

    Raises:
        DataError: there is no film.
    """
    if data.is_dir() and not is_film(data):
        unlabelled = read_unlabelled_folder(data)
    elif is_film(data):
        unlabelled = LabelledData((LabelledFilm(data, ""),))
    elif data.is_file():
        unlabelled = read_manifest(data, None, labelled=False)
    else:
        raise DataError(_why_no_data(data, "video, folder or CSV file"))
    return _without_repeats(data, unlabelled)


def _why_no_data(data: Path, nouns: str) -> str:
    if data.exists():
        return f"{data}: is a pipe or a device, which is no file. Give a {nouns}."
    return f"{data}: there is no such {nouns}."


def refuse_lost_classes(data: Path, labelled: LabelledData) -> None:
    """Check that each class that DATA names has a film.

    Raises:
        DataError: all files of a class are missing.
    """
    lost = Counter(label for label in labelled.absent if label not in set(labelled.classes))
    if lost:
        names = ", ".join(f"{label!r} ({counted(count, 'video')})" for label, count in sorted(lost.items())[:5])
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        raise DataError(
            f"{data}: all videos of the class {names}{more} are missing. First problem: "
            f"{labelled.failures[0].path}: {labelled.failures[0].reason}. Get the videos, or leave the class out."
        )


def _without_repeats(data: Path, labelled: LabelledData) -> LabelledData:
    """Each file, or each part of a file, once.

    Raises:
        DataError: a file has two labels or two parts. All such files are listed.
    """
    first: dict[tuple[str, Excerpt | None], LabelledFilm] = {}
    rates: dict[str, float | None] = {}
    faults: dict[str, None] = {}
    real_paths = RealPaths()
    for film in labelled.films:
        real = real_paths.of(film.path)
        before = first.setdefault((real, film.excerpt), film)
        if before.label != film.label:
            faults[f"{_shown(film)} is listed as {before.label!r} and as {film.label!r}; keep one label."] = None
        elif before.part is not film.part:
            faults[f"{_shown(film)} is listed for {before.part} and for {film.part}; keep one."] = None
        if (rate := rates.setdefault(real, film.rate)) != film.rate:
            faults[f"{film.path} is listed with the fps {rate} and {film.rate}; keep one."] = None
    refuse(data, list(faults))
    notes = list(labelled.notes)
    if repeats := len(labelled.films) - len(first):
        notes.append(f"{counted(repeats, 'repeated row')}: each video is used once")
    warnings = (
        *labelled.warnings,
        *(alike_note(alike, "classes") for alike in alike_names(film.label for film in first.values())),
        *_overlap_notes(first),
    )
    return replace(labelled, films=tuple(first.values()), notes=tuple(notes), warnings=warnings)


def _shown(film: LabelledFilm) -> str:
    return str(film.path) if film.excerpt is None else f"{film.path} ({film.excerpt})"


def alike_names(names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """The names that may be one name, since they differ in case, spaces or dashes only: each such set, sorted."""
    spellings: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(set(names)):
        spellings[_plainest(name)].append(name)
    return tuple(tuple(alike) for alike in spellings.values() if len(alike) > 1)


def alike_note(alike: Sequence[str], noun: str) -> str:
    """The sentence for one set of `alike_names`; `noun`: what they name, such as classes."""
    names = " and ".join(map(repr, alike))
    return f"the {noun} {names} differ in case, spaces or dashes only; they count as {len(alike)} {noun}"


def _plainest(label: str) -> str:
    """The letters and digits of a name, in small letters and one form."""
    plain = unicodedata.normalize("NFKC", label).casefold()
    return "".join(letter for letter in plain if letter.isalnum() or unicodedata.combining(letter)) or plain


def _overlap_notes(films: Mapping[tuple[str, Excerpt | None], LabelledFilm]) -> Iterator[str]:
    """A sentence if parts of one video overlap and have different classes. `films` by real path and part."""
    by_film: defaultdict[str, list[LabelledFilm]] = defaultdict(list)
    if any(excerpt is not None for _, excerpt in films):
        for (real, _), film in films.items():
            by_film[real].append(film)
    pairs = [pair for each in by_film.values() if len(each) > 1 for pair in _overlaps(each)]
    if pairs:
        one, other = pairs[0]
        both = [f"{film.label!r} ({film.excerpt or 'the whole video'})" for film in (one, other)]
        yield (
            f"{counted(len(pairs), 'part')} of videos overlap with parts of another class; the first: {one.path.name}, "
            f"{' and '.join(both)}"
        )


def _overlaps(films: list[LabelledFilm]) -> Iterator[tuple[LabelledFilm, LabelledFilm]]:
    """Neighbours in time that overlap and have different labels; those of different units are not compared."""
    whole = Excerpt(0.0)
    ordered = sorted(films, key=lambda film: ((film.excerpt or whole).unit, (film.excerpt or whole).start))
    for one, other in pairwise(ordered):
        first, second = one.excerpt or whole, other.excerpt or whole
        ends_late = first.end is None or first.end > second.start
        if first.unit == second.unit and one.label != other.label and ends_late:
            yield one, other
