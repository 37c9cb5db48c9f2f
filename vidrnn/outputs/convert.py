"""Labels of one tool as those of another: `vidrnn labels`. Reading is of vidrnn.data, writing of the formats here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from vidrnn.atomic import write_files
from vidrnn.data.annotations import in_frames, joined_bouts, known_frames
from vidrnn.data.films import counted
from vidrnn.data.labelled_frames import check_against_films, read_frame_labelled
from vidrnn.data.scan import scan_films
from vidrnn.data.store import cache_folder
from vidrnn.errors import DataError, OutputError, UsageError
from vidrnn.events import LeftOut, Note, Progress, RunEvent
from vidrnn.file_names import apart, portable_path
from vidrnn.outputs import OUTPUTS
from vidrnn.outputs.base import Event, EventOutput, FilmEvents
from vidrnn.registry import load_member
from vidrnn.threads import available_cores
from vidrnn.values import Annotation, Bout, FilmFailure, FilmScan, LabelledFilm

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
    films = [film for film in labelled.films if film.annotation is not None]
    names = dict(zip((film.path for film in films), _names([film.path for film in films], output, wanted), strict=True))
    for file in _files([*names.values()], output, wanted):
        _check_place(file, wanted)
    scans = yield from _scans(films, output)
    failures = (*labelled.failures, *(scan for scan in scans.values() if isinstance(scan, FilmFailure)))
    if failures:
        yield LeftOut(failures)
    usable = [film for film in films if not isinstance(scans.get(film.path), FilmFailure)]
    if not usable:
        reason = f" First problem: {failures[0].path.name}: {failures[0].reason}." if failures else ""
        raise DataError(f"{wanted.data}: no video of these labels can be used.{reason}")
    read = {path: scan for path, scan in scans.items() if isinstance(scan, FilmScan)}
    notes = (*labelled.notes, *_fit(usable, read), *_losses(usable, read, output))
    for note in notes:
        yield Note(note)
    behaviours = sorted({bout.label for film in usable for bout in _annotation(film).bouts})
    done = [film_events(names[film.path], _annotation(film), read.get(film.path), behaviours) for film in usable]
    files = _files([film.name for film in done], output, wanted)
    with write_files(files) as besides:
        for beside, group in zip(besides, [done] if output.joins else [[film] for film in done], strict=True):
            beside.write_text(output.text(group), encoding="utf-8", newline="")
    bouts = sum(len(film.events) for film in done)
    return Converted(tuple(files), len(done), bouts, tuple(behaviours), notes, failures)


def _annotation(film: LabelledFilm) -> Annotation:
    assert film.annotation is not None
    return film.annotation


def _scans(
    films: Sequence[LabelledFilm], output: EventOutput
) -> Generator[RunEvent, None, dict[Path, FilmScan | FilmFailure]]:
    """The scan of each film whose frames are needed, or its failure."""
    needed = [film.path for film in films if output.counts_frames or _annotation(film).unit == "frames"]
    scans: dict[Path, FilmScan | FilmFailure] = {}
    for path, scan in scan_films(needed, cache=cache_folder(), jobs=available_cores()):
        scans[path] = scan
        yield Progress("reading videos", len(scans), len(needed))
    return scans


def _fit(films: Sequence[LabelledFilm], scans: Mapping[Path, FilmScan]) -> tuple[str, ...]:
    """Sentences on how the labels fit the films that were read."""
    read = [film for film in films if film.path in scans]
    return check_against_films(read, [scans[film.path] for film in read])


def film_events(name: str, annotation: Annotation, scan: FilmScan | None, behaviours: Sequence[str] = ()) -> FilmEvents:
    """The bouts of a film as events in seconds of its clock.

    Args:
        name: of the film in the file.
        annotation: in seconds or frames.
        scan: of the film; not needed for bouts in seconds.
        behaviours: all that occur in any film.
    """
    assert scan is not None or annotation.unit == "seconds"
    bouts, _ = joined_bouts(annotation.bouts)
    if scan is not None:
        bouts = tuple(_within(bouts, annotation.unit, scan))
    film = FilmEvents(
        name,
        tuple(Event(bout.start, bout.end, bout.label, bout.subject) for bout in bouts),
        tuple(behaviours),
    )
    if scan is None:
        return film
    facts = scan.facts
    return replace(
        film, first_seconds=facts.first_seconds, duration_seconds=facts.duration_seconds, frames=facts.frames
    )


def _within(bouts: Sequence[Bout], unit: Literal["seconds", "frames"], scan: FilmScan) -> Iterator[Bout]:
    """The bouts in seconds, cut at the end of the film."""
    end = scan.facts.first_seconds + scan.facts.duration_seconds
    edges = np.append(scan.frame_seconds, end)
    for bout in bouts:
        if unit == "frames":
            first, last = (float(edges[np.clip(round(place), 0, len(edges) - 1)]) for place in (bout.start, bout.end))
        else:
            first, last = bout.start, min(bout.end, end)
        if first < end:
            yield replace(bout, start=first, end=last)


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
    places = apart(names)
    return [folder / f"{portable_path(places.get(name, name))}{output.suffix}" for name in names]


def _check_place(file: Path, wanted: Conversion) -> None:
    if file.resolve() == wanted.data.resolve():
        raise UsageError(f"--out {file}: are the labels that are read. Choose another --out.")
    if file.is_dir():
        raise OutputError(f"{file}: is a folder, where a file is to be. Name a file: --out {file / 'labels'}.")
    if file.exists() and not wanted.overwrite:
        raise OutputError(f"{file}: exists already. Choose another place with --out, or say --overwrite.")


def _losses(films: Sequence[LabelledFilm], scans: Mapping[Path, FilmScan], output: EventOutput) -> list[str]:
    """A sentence for each thing that the labels say and the format cannot."""
    notes = []
    if others := sum(len(film.others) for film in films):
        notes.append(
            f"{counted(others, 'set')} of labels of other annotators left out: the file holds one of each video"
        )
    partly = sum(not _is_known(_annotation(film), scans.get(film.path)) for film in films)
    if output.silence == "none" and partly:
        notes.append(
            f"the file cannot say which moments nobody labelled, as there may be in {counted(partly, 'video')}"
        )
    if output.silence == "ignore" and partly < len(films):
        notes.append("in the file, moments without a label count as not known; read it with --unlabelled none")
    subjects = {bout.subject for film in films for bout in _annotation(film).bouts if bout.subject}
    if subjects and not output.subjects:
        notes.append(f"the format holds no subjects: those of {', '.join(sorted(subjects))} are left out")
    return notes


def _is_known(annotation: Annotation, scan: FilmScan | None) -> bool:
    """Whether all of a film was labelled, as far as that can be told without reading the film."""
    if annotation.known is None or scan is None:
        return annotation.known is None
    end = scan.facts.first_seconds + scan.facts.duration_seconds
    known = in_frames(annotation, scan.frame_seconds, end)
    return bool(known_frames(known, np.arange(scan.facts.frames)).all())
