"""Labels of one tool as those of another: `vidrnn labels`. Reading is of vidrnn.data, writing of the formats here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vidrnn.atomic import write_files
from vidrnn.data.annotations import joined_bouts
from vidrnn.data.films import counted
from vidrnn.data.scan import cache_folder, scan_films
from vidrnn.errors import DataError, OutputError, UsageError
from vidrnn.events import LeftOut, Note, Progress, RunEvent
from vidrnn.outputs import OUTPUTS
from vidrnn.outputs.base import Event, EventOutput, FilmEvents
from vidrnn.registry import load_member
from vidrnn.threads import available_cores
from vidrnn.values import Annotation, FilmFailure, FilmScan, LabelledFilm

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig
    from vidrnn.data.films import LabelledData


@dataclass(frozen=True)
class Conversion:
    """Which labels are to be written, how and where."""

    data: Path
    to: str
    out: Path | None = None
    """The file to write; a folder for a format that holds one film only. None: beside the labels."""
    films: Path | None = None
    """The folder of the films; None: that of the labels."""
    overwrite: bool = False


@dataclass(frozen=True)
class Converted:
    """The files that were written, and what they hold."""

    files: tuple[Path, ...]
    films: int
    bouts: int
    behaviours: tuple[str, ...]
    notes: tuple[str, ...]
    failures: tuple[FilmFailure, ...]


def convert_labels(wanted: Conversion, options: LabelsConfig) -> Generator[RunEvent, None, Converted]:
    """Read labels in the format of any tool and write them in the format of another one.

    Raises:
        UsageError: the format holds no labels, or the labels themselves would be overwritten.
        DataError: the labels cannot be read, or no film of theirs can be used.
        OutputError: a file exists already, or cannot be written.
    """
    from vidrnn.data.labelled_frames import read_frame_labelled

    output = output_named(wanted.to)
    return (yield from write_labels(read_frame_labelled(wanted.data, options), output, wanted))


def output_named(name: str) -> EventOutput:
    """The format of that name.

    Raises:
        UsageError: there is none, or it holds no labels.
    """
    output = load_member(OUTPUTS, "--to", name)()
    if not isinstance(output, EventOutput):
        raise UsageError(f"--to {name}: is a format of predictions. Choose csv, boris, elan, labelstudio or audacity.")
    return output


def write_labels(
    labelled: LabelledData, output: EventOutput, wanted: Conversion
) -> Generator[RunEvent, None, Converted]:
    """Write labels that were read. All files are written, or none.

    Raises:
        UsageError: the labels themselves would be overwritten.
        DataError: no film can be used, or two have one name.
        OutputError: a file exists already, or cannot be written.
    """
    films = [(film.path, film.annotation) for film in labelled.films if film.annotation is not None]
    names = _names([film for film, _ in films], output, wanted)
    files = _files(names, output, wanted)
    for file in files:
        _check_place(file, wanted)
    done, failures = yield from _events_of(films, names, output)
    failures = (*labelled.failures, *failures)
    if failures:
        yield LeftOut(failures)
    if not done:
        reason = f" First problem: {failures[0].path.name}: {failures[0].reason}." if failures else ""
        raise DataError(f"{wanted.data}: no video of these labels can be used.{reason}")
    notes = (*labelled.notes, *_losses(labelled.films, output))
    for note in notes:
        yield Note(note)
    files = _files([film.name for film in done], output, wanted)
    with write_files(files) as besides:
        for beside, group in zip(besides, [done] if output.joins else [[film] for film in done], strict=True):
            beside.write_text(output.text(group), encoding="utf-8", newline="")
    bouts = sum(len(film.events) for film in done)
    return Converted(tuple(files), len(done), bouts, done[0].behaviours, notes, failures)


def _events_of(
    films: Sequence[tuple[Path, Annotation]], names: Sequence[str], output: EventOutput
) -> Generator[RunEvent, None, tuple[list[FilmEvents], tuple[FilmFailure, ...]]]:
    """The events of each film, and the films that cannot be read. A film is read only if its frames are needed."""
    labels = sorted({bout.label for _, annotation in films for bout in annotation.bouts})
    needed = [film for film, annotation in films if output.counts_frames or annotation.unit == "frames"]
    scans: dict[Path, FilmScan | FilmFailure] = {}
    for film, scan in scan_films(needed, cache=cache_folder(), jobs=available_cores()):
        scans[film] = scan
        yield Progress("reading videos", len(scans), len(needed))
    failures = tuple(scan for scan in scans.values() if isinstance(scan, FilmFailure))
    done = [
        film_events(name, annotation, found, labels)
        for (film, annotation), name in zip(films, names, strict=True)
        if not isinstance(found := scans.get(film), FilmFailure)
    ]
    return done, failures


def film_events(name: str, annotation: Annotation, scan: FilmScan | None, behaviours: Sequence[str] = ()) -> FilmEvents:
    """The bouts of a film as events in seconds of its clock.

    Args:
        name: of the film in the file.
        annotation: in seconds or frames.
        scan: of the film; not needed for bouts in seconds.
        behaviours: all that occur in any film.
    """
    bouts, _ = joined_bouts(annotation.bouts)
    times = [(bout.start, bout.end) for bout in bouts]
    first = duration = 0.0
    frames = 0
    if scan is not None:
        first, duration, frames = scan.facts.first_seconds, scan.facts.duration_seconds, scan.facts.frames
        if annotation.unit == "frames":
            edges = np.append(scan.frame_seconds, first + duration)
            places = np.clip(np.rint(times).astype(np.int64), 0, frames)
            times = [(float(edges[start]), float(edges[end])) for start, end in places]
    pairs = zip(bouts, times, strict=True)
    events = tuple(Event(start, end, bout.label, bout.subject) for bout, (start, end) in pairs)
    return FilmEvents(name, events, tuple(behaviours), first, duration, frames)


def _names(films: Sequence[Path], output: EventOutput, wanted: Conversion) -> list[str]:
    """The names of films in the file: paths below the folder of the file, of the films, or of the labels; else names.

    A format that holds one film names its files so, too, and they need not lie beside the films.
    """
    beside = (wanted.out or wanted.data).parent if output.joins else None
    roots = [folder.resolve() for folder in (beside, wanted.films, wanted.data.parent) if folder is not None]
    names = []
    for film in films:
        path = film.resolve()
        root = next((root for root in roots if path.is_relative_to(root)), path.parent)
        names.append(path.relative_to(root).as_posix())
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{wanted.data}: two of its videos would be called {twice[0]}. Give --films, the folder above both."
        )
    return names


def _files(names: Sequence[str], output: EventOutput, wanted: Conversion) -> list[Path]:
    """The files to write: one for all films, or one for each."""
    data = wanted.data if wanted.data.name else wanted.data.resolve()
    stem = data.name if data.is_dir() else data.stem
    if output.joins:
        return [wanted.out or data.with_name(stem + output.suffix)]
    folder = wanted.out or data.with_name(f"{stem}-{wanted.to}")
    return [folder / f"{name}{output.suffix}" for name in names]


def _check_place(file: Path, wanted: Conversion) -> None:
    if file.resolve() == wanted.data.resolve():
        raise UsageError(f"--out {file}: are the labels that are read. Choose another --out.")
    if file.is_dir():
        raise OutputError(f"{file}: is a folder, where a file is to be. Name a file: --out {file / 'labels'}.")
    if file.exists() and not wanted.overwrite:
        raise OutputError(f"{file}: exists already. Choose another place with --out, or say --overwrite.")


def _losses(films: Sequence[LabelledFilm], output: EventOutput) -> list[str]:
    """A sentence for each thing that the labels say and the format cannot."""
    annotations = [film.annotation for film in films if film.annotation is not None]
    notes = []
    if others := sum(len(film.others) for film in films):
        notes.append(
            f"{counted(others, 'set')} of labels of other annotators left out: the file holds one of each video"
        )
    if any(annotation.known is not None for annotation in annotations):
        notes.append("some parts of the videos were not labelled, and the file cannot say which")
    subjects = {bout.subject for bout in chain.from_iterable(one.bouts for one in annotations) if bout.subject}
    if subjects and not output.subjects:
        notes.append(f"the format holds no subjects: those of {', '.join(sorted(subjects))} are left out")
    return notes
