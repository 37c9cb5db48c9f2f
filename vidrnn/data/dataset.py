"""The dataset of a training: the films of DATA that can be read, each with its content hash, class and group."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from vidrnn.data.films import LabelledData, counted
from vidrnn.data.grouping.base import Grouping
from vidrnn.data.grouping.groups import drop_duplicates, group_films
from vidrnn.data.scan import scan_films
from vidrnn.errors import DataError
from vidrnn.events import LeftOut, Note, Pace, Progress, RunEvent
from vidrnn.values import FilmFailure, FilmScan, LabelledFilm, Misfit, Size

_MOST_NAMED = 8
MISSING = "videos that are missing or cannot be read"
"""The beginning of the warning that says how many there are of each class."""
_RARELY = (200_000, 50, 50)
"""New objects, and rounds of the first and second kind, between two searches of Python for cycles."""
_LATE_SECONDS = 0.5
"""An end that lies further behind the last frame is more than rounding."""


@contextmanager
def index_in_making() -> Iterator[None]:
    """Let Python look for unused cycles of objects rarely: an index has millions of objects, and none of them is one.

    The search through them would take a fifth of the time in which an index is read.
    """
    usual = gc.get_threshold()
    gc.set_threshold(*_RARELY)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


@dataclass(frozen=True)
class Dataset:
    """Films that can be read. All fields have the films in the same order."""

    films: tuple[LabelledFilm, ...]
    scans: tuple[FilmScan, ...]
    grouping: Grouping
    classes: tuple[str, ...]
    failures: tuple[FilmFailure, ...]

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The class index of each film; -1 where the film as a whole has no class, as where frames have labels."""
        places = {label: place for place, label in enumerate(self.classes)}
        return np.fromiter((places.get(film.label, -1) for film in self.films), np.int64, len(self.films))

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each film."""
        return self.grouping.groups

    @property
    def frames(self) -> int:
        """The number of frames of all films."""
        return sum(scan.facts.frames for scan in self.scans)

    def at(self, places: Sequence[int]) -> Dataset:
        """The films at `places` only."""
        grouping = replace(self.grouping, groups=tuple(self.groups[place] for place in places))
        films, scans = tuple(self.films[i] for i in places), tuple(self.scans[i] for i in places)
        return Dataset(films, scans, grouping, self.classes, self.failures)

    def durations_seconds(self, places: Sequence[int]) -> list[float]:
        """The durations of the films at `places`."""
        return [self.scans[i].facts.duration_seconds for i in places]

    @property
    def median_size(self) -> Size:
        """The median height and width of the films, as shown."""
        sizes = [scan.facts.size for scan in self.scans]
        return Size(round(median(size.height for size in sizes)), round(median(size.width for size in sizes)))


def read_dataset(
    named: LabelledData, data: Path, cache: Path | None, jobs: int, *, rate: float | None = None, labelled: bool = True
) -> Generator[RunEvent, None, Dataset]:
    """Read each film of DATA once. Events come first, the dataset comes last.

    Args:
        named: the films of DATA with their truth.
        data: the path of DATA, for errors.
        cache: the folder that holds the scans of films, so that a film is read once only; None: no such folder.
        jobs: films read at once.
        rate: frames per second, in place of the films' own time stamps.
        labelled: whether the films have labels; without labels there is one class with an empty name.

    Raises:
        DataError: no film can be read, or no film of one of the classes.
    """
    yield from (Note(text) for text in named.notes)
    yield from (Note(text, warning=True) for text in named.warnings)
    scans = yield from scan_data(named, cache, jobs, rate=rate)
    return (yield from dataset_of(named, data, scans, labelled=labelled))


def scan_data(
    named: LabelledData, cache: Path | None, jobs: int, *, rate: float | None = None
) -> Generator[RunEvent, None, dict[Path, FilmScan | FilmFailure]]:
    """The scan of each whole film of DATA, or its failure, by its path."""
    rates = {film.path: film.rate for film in named.films}  # a film of several excerpts is read once
    whole: dict[Path, FilmScan | FilmFailure] = {}
    shown = Pace()
    for told in dict.fromkeys(rates.values()):
        paths = [path for path, each in rates.items() if each == told]
        for path, scan in scan_films(paths, rate=told or rate, cache=cache, jobs=jobs):
            whole[path] = scan if isinstance(scan, FilmFailure) or told is None else scan.at_rate(told)
            if shown.is_due() or len(whole) == len(rates):
                yield Progress("reading", len(whole), len(rates))
    return whole


def dataset_of(
    named: LabelledData, data: Path, whole: Mapping[Path, FilmScan | FilmFailure], *, labelled: bool = True
) -> Generator[RunEvent, None, Dataset]:
    """The dataset of films that were scanned. Events come first, the dataset comes last.

    Args:
        named: the films of DATA with their truth.
        data: the path of DATA, for errors.
        whole: as `scan_data` gives it.
        labelled: whether the films have labels.

    Raises:
        DataError: no film can be read, or no film of one of the classes.
    """
    scans = [_scan_of(film, whole[film.path]) for film in named.films]
    readable = [(film, scan) for film, scan in zip(named.films, scans, strict=True) if isinstance(scan, FilmScan)]
    failures = (*named.failures, *dict.fromkeys(each for each in scans if isinstance(each, FilmFailure)))
    if failures:
        yield LeftOut(failures)
    _refuse_the_unusable(data, named, readable, failures)
    yield from (Note(text, warning=True) for text in _incomplete(named, readable))
    films, distinct, notes = drop_duplicates([film for film, _ in readable], [scan for _, scan in readable])
    yield from (Note(text) for text in notes)
    grouping = group_films(films, distinct)
    classes = tuple(sorted({film.label for film in films}))
    dataset = Dataset(films, distinct, grouping, classes, failures)
    of_clips = labelled and all(film.annotation is None for film in films)
    what = f"{counted(len(films), 'clip')}, {len(classes)} classes" if of_clips else counted(len(films), "video")
    yield Note(f"{what}, {dataset.frames:,} frames; {counted(grouping.number, 'group')} ({grouping.source})")
    yield from (Note(text, warning=True) for text in grouping.notes)
    return dataset


def _refuse_the_unusable(
    data: Path,
    labelled: LabelledData,
    readable: Sequence[tuple[LabelledFilm, FilmScan]],
    failures: Sequence[FilmFailure],
) -> None:
    if not readable:
        raise DataError(
            f"{data}: none of its {len(labelled.films)} videos can be read; the first: "
            f"{failures[0].path}: {failures[0].reason}"
        )
    lost = sorted(set(labelled.classes) - {film.label for film, _ in readable})
    if lost:
        first = next(film for film in labelled.films if film.label == lost[0])
        reason = next((each.reason for each in failures if each.path == first.path), "")
        raise DataError(
            f"{data}: no video of the class {', '.join(lost)} can be read. Repair one, or leave the class out. "
            f"First problem: {first.path}: {reason}"
        )


def _incomplete(named: LabelledData, readable: Sequence[tuple[LabelledFilm, FilmScan]]) -> Iterator[str]:
    """A warning with the number of clips of each class that are missing or cannot be read, and one on late ends."""
    wanted = Counter([*(film.label for film in named.films), *named.absent])
    found = Counter(film.label for film, _ in readable)
    short = [f"{label} {wanted[label] - found[label]} of {wanted[label]}" for label in sorted(wanted - found) if label]
    if short:
        more = f" and {len(short) - _MOST_NAMED} more classes" if len(short) > _MOST_NAMED else ""
        yield f"{MISSING}: {', '.join(short[:_MOST_NAMED])}{more}"
    if late := late_parts(readable):
        yield late.text


def late_parts(readable: Sequence[tuple[LabelledFilm, FilmScan]]) -> Misfit | None:
    """The parts of films that end after the film does; None if there are none."""
    late = [(_seconds_beyond(scan), film) for film, scan in readable if scan.excerpt is not None]
    late = [each for each in late if each[0] > _LATE_SECONDS]
    if not late:
        return None
    most, film = max(late, key=lambda each: each[0])
    text = (
        f"{counted(len(late), 'part')} of videos end after the video does, by {most:.1f} s at most "
        f"({film.path.name}, {film.excerpt}); they end with it. If start and end count frames, call the columns "
        "start_frame and end_frame"
    )
    return Misfit("beyond-end", text, tuple(dict.fromkeys(each.path for _, each in late)))


def _seconds_beyond(scan: FilmScan) -> float:
    """How long after the last frame an excerpt in seconds would end."""
    if scan.excerpt is None or scan.excerpt.end is None or scan.excerpt.unit == "frames":
        return 0.0
    return scan.excerpt.end - scan.facts.first_seconds - scan.facts.duration_seconds


def _scan_of(film: LabelledFilm, scan: FilmScan | FilmFailure) -> FilmScan | FilmFailure:
    """The scan of a film's excerpt, from the scan of the whole film: its facts and times are those of its frames."""
    if film.excerpt is None or isinstance(scan, FilmFailure):
        return scan
    seconds, excerpt = scan.frame_seconds, film.excerpt
    inside = np.flatnonzero(excerpt.inside(seconds))
    if not len(inside):
        facts = scan.facts
        return FilmFailure(
            film.path,
            f"no frame lies in its part from {excerpt}; it has {facts.frames} frames from {facts.first_seconds:.3f} to "
            f"{facts.last_seconds:.3f} seconds",
        )
    first, last = int(inside[0]), int(inside[-1])
    step = scan.facts.duration_seconds / scan.facts.frames
    after = float(seconds[last + 1]) if last + 1 < len(seconds) else float(seconds[last]) + step
    facts = replace(
        scan.facts,
        frames=last + 1 - first,
        first_seconds=float(seconds[first]),
        last_seconds=float(seconds[last]),
        duration_seconds=after - float(seconds[first]),
    )
    return scan.cut(excerpt, first, facts)
