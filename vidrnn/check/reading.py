"""DATA as a training reads it: the same functions in the same order, so that a check and a training cannot disagree.

Where a training would end with an error, the error is a refusal here, and what can still be read is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from vidrnn.config import RunConfig
from vidrnn.data.dataset import Dataset, dataset_of, scan_data
from vidrnn.data.films import LabelledData
from vidrnn.data.splits import Split, fold_films
from vidrnn.errors import DataError, UsageError
from vidrnn.events import LeftOut, Note, RunEvent, through
from vidrnn.tasks.base import Task
from vidrnn.values import FilmFailure, FilmScan, LabelledFilm

Result = TypeVar("Result")


@dataclass(frozen=True)
class CheckRequest:
    """DATA, and the settings that reading it knows."""

    data: Path
    task: Task
    config: RunConfig
    """With the defaults of the task."""
    cache: Path | None
    jobs: int


@dataclass
class Understood:
    """What was understood of DATA. What is None could not be read, and a refusal says why."""

    request: CheckRequest
    named: LabelledData | None = None
    whole: Mapping[Path, FilmScan | FilmFailure] = field(default_factory=dict)
    """The scan of each whole video, or its failure."""
    dataset: Dataset | None = None
    """The videos that can be read, each content once."""
    usable: Dataset | None = None
    """Those that a training can use, with the truth as it uses it."""
    split: Split | None = None
    folded: bool = False
    """Whether the folds that were asked for can be made."""
    refusals: list[str] = field(default_factory=list)
    """The sentence with which a training would end, first; then those that would come after it."""
    notes: list[Note] = field(default_factory=list)
    """What a training would say on its way."""
    left_out: list[FilmFailure] = field(default_factory=list)
    """The videos that a training would leave out."""

    @property
    def best(self) -> Dataset | None:
        """The videos as far as they are known."""
        return self.usable or self.dataset

    @property
    def scans(self) -> list[FilmScan]:
        """The scans of whole videos, in the order of DATA."""
        return [scan for scan in self.whole.values() if isinstance(scan, FilmScan)]


def understand(request: CheckRequest) -> Generator[RunEvent, None, Understood]:
    """Read DATA as a training does, as far as it can be read. Only progress is yielded.

    Raises:
        UsageError: a setting has a value that it cannot have, whatever DATA is.
    """
    read = Understood(request)
    config, task = request.config, request.task
    read.named = _named(read)
    if read.named is None:
        return read
    read.notes += [Note(text) for text in read.named.notes]
    read.notes += [Note(text, warning=True) for text in read.named.warnings]
    read.whole = yield from scan_data(read.named, request.cache, request.jobs, rate=config.rate)
    read.dataset = yield from _dataset(read, read.named)
    if read.dataset is None:
        return read
    dataset = read.dataset
    try:
        read.usable = yield from _heard(read, task.usable(dataset, config, request.data))
    except (DataError, UsageError) as error:
        read.refusals.append(str(error))
        return read
    _split(read, read.usable)
    return read


def _named(read: Understood) -> LabelledData | None:
    """The videos of DATA; where a training refuses it, as far as an evaluation reads them."""
    request = read.request

    def names(*, to_train: bool) -> LabelledData:
        config = request.config
        return request.task.read(request.data, to_train=to_train, features=config.features_folder, labels=config.labels)

    try:
        return names(to_train=True)
    except DataError as error:
        read.refusals.append(str(error))
    try:
        return names(to_train=False)
    except DataError:
        return None


def _dataset(read: Understood, named: LabelledData) -> Generator[RunEvent, None, Dataset | None]:
    """The dataset; where a training refuses it, that of the videos that raise no question."""
    request = read.request

    def dataset(named: LabelledData) -> Generator[RunEvent, None, Dataset]:
        return dataset_of(named, request.data, read.whole, labelled=request.task.labelled)

    try:
        return (yield from _heard(read, dataset(named)))
    except DataError as error:
        read.refusals.append(str(error))
    films = _without_questions(named, read.whole)
    if not films:
        return None
    unheard = Understood(request)
    return (yield from _heard(unheard, dataset(replace(named, films=films))))


def _without_questions(named: LabelledData, whole: Mapping[Path, FilmScan | FilmFailure]) -> tuple[LabelledFilm, ...]:
    """The films that can be read and whose content has one label."""
    labels: defaultdict[object, set[str]] = defaultdict(set)
    keys: dict[int, object] = {}
    for place, film in enumerate(named.films):
        if isinstance(scan := whole[film.path], FilmScan):
            keys[place] = scan.content_hash, film.excerpt
            labels[keys[place]].add(film.label)
    return tuple(named.films[place] for place, key in keys.items() if len(labels[key]) == 1)


def _split(read: Understood, usable: Dataset) -> None:
    """The split that a training makes: of the model itself first, then of the folds."""
    request, config = read.request, read.request.config

    def fold() -> None:
        if config.folds:
            fold_films(usable.films, usable.grouping, config.folds, seed=config.seed)
            read.folded = True

    def split() -> None:
        read.split = request.task.split(usable, config, test=config.test and not config.folds)
        read.notes += [Note(text, warning=True) for text in read.split.notes]

    steps: tuple[Callable[[], None], ...] = (split, fold)
    for step in steps:
        try:
            step()
        except (DataError, UsageError) as error:
            read.refusals.append(str(error))


def _heard(read: Understood, events: Generator[RunEvent, None, Result]) -> Generator[RunEvent, None, Result]:
    """The result of a generator. Its notes are kept, and its progress goes on to the screen."""

    def passed(event: RunEvent) -> list[RunEvent]:
        if isinstance(event, Note):
            read.notes.append(event)
            return []
        if isinstance(event, LeftOut):
            read.left_out += event.failures
            return []
        return [event]

    return through(events, passed)
