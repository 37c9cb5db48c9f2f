"""The dataset of a training: the readable films of DATA, each with its content hash, class, group and given part."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from vidrnn.data.films import LabelledData, counted, read_films, read_labelled
from vidrnn.data.groups import Grouping, drop_duplicates, group_films
from vidrnn.data.scan import scan_films
from vidrnn.errors import DataError
from vidrnn.events import LeftOut, Note, Progress, RunEvent
from vidrnn.values import FilmFailure, FilmScan, LabelledFilm, Size


@dataclass(frozen=True)
class Dataset:
    """The films of DATA that can be read. All sequences are in the order of `films`."""

    films: tuple[LabelledFilm, ...]
    scans: tuple[FilmScan, ...]
    grouping: Grouping
    classes: tuple[str, ...]
    failures: tuple[FilmFailure, ...]

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """(films,): the class index of each film."""
        return np.asarray([self.classes.index(film.label) for film in self.films], dtype=np.int64)

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each film."""
        return self.grouping.groups

    @property
    def frames(self) -> int:
        """The number of frames of all films together."""
        return sum(scan.facts.frames for scan in self.scans)

    def durations_seconds(self, places: Sequence[int]) -> list[float]:
        """The durations of the films at `places`."""
        return [self.scans[i].facts.duration_seconds for i in places]

    @property
    def median_size(self) -> Size:
        """The median height and the median width of the films, after rotation."""
        sizes = [scan.facts.size for scan in self.scans]
        return Size(round(median(size.height for size in sizes)), round(median(size.width for size in sizes)))


def read_dataset(
    data: Path, cache: Path | None, jobs: int, *, rate: float | None = None, labelled: bool = True
) -> Generator[RunEvent, None, Dataset]:
    """Read DATA and each of its films once; yield events, and return the dataset.

    Args:
        data: a folder of class folders or a CSV manifest; without `labelled` also a film or a folder of films.
        cache: the folder of the cache; None caches nothing.
        jobs: the number of films that are read at the same time.
        rate: frames per second, for films that are folders of pictures.
        labelled: whether the films have classes. Without it, all films belong to one class without a name.

    Raises:
        DataError: DATA holds nothing that training can use.
    """
    listed = read_labelled(data) if labelled else read_films(data)
    yield from (Note(text) for text in listed.notes)
    scans: list[FilmScan | FilmFailure] = []
    for _, scan_or_failure in scan_films([film.path for film in listed.films], rate=rate, cache=cache, jobs=jobs):
        scans.append(scan_or_failure)
        yield Progress("reading", len(scans), len(listed.films))
    readable = [(film, scan) for film, scan in zip(listed.films, scans, strict=True) if isinstance(scan, FilmScan)]
    failures = (*listed.failures, *(failure for failure in scans if isinstance(failure, FilmFailure)))
    if failures:
        yield LeftOut(failures)
    _check_readable(data, listed, readable, failures)
    films, unique_scans, notes = drop_duplicates([film for film, _ in readable], [scan for _, scan in readable])
    yield from (Note(text) for text in notes)
    grouping = group_films(films, unique_scans)
    classes = tuple(sorted({film.label for film in films}))
    dataset = Dataset(films, unique_scans, grouping, classes, failures)
    contents = f"{counted(len(films), 'clip')}, {len(classes)} classes" if labelled else counted(len(films), "film")
    yield Note(f"{contents}, {dataset.frames:,} frames; {len(grouping.counts)} groups ({grouping.source})")
    yield from (Note(text, warning=True) for text in grouping.notes)
    return dataset


def _check_readable(
    data: Path,
    labelled: LabelledData,
    readable: Sequence[tuple[LabelledFilm, FilmScan]],
    failures: Sequence[FilmFailure],
) -> None:
    if not readable:
        raise DataError(
            f"{data}: none of its {len(labelled.films)} films can be read. The first failure: "
            f"{failures[0].path}: {failures[0].reason}"
        )
    lost = sorted(set(labelled.classes) - {film.label for film, _ in readable})
    if lost:
        raise DataError(
            f"{data}: no film of the class {', '.join(lost)} can be read. Repair one, or leave the class out."
        )
