"""Many films: one result or one error for each, kept as it comes, so that what was killed goes on where it stopped.

In the folder of results stand the files of each film, a hidden record of each film that was begun, and the summary. A
record is written before a film's files, to say which there may be, and again after them with the row, the film's size
and time and the work that was done: it says all that is to be known by whoever goes on. This module does not know what
is done with a film.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Self

from vidrnn.atomic import forget, forget_part, locked, obstacle, write_whole
from vidrnn.batch.engines.base import Engine, Finished, Item, Job, Lost, Outcome, Worker
from vidrnn.batch.result_names import alike, common_root, name_below, result_file, shown
from vidrnn.errors import FilmError, OutputError, UsageError, VidrnnError
from vidrnn.values import FilmFailure

SUMMARY_NAME = "summary.csv"
_HIDDEN = ".vidrnn"
"""The folder with the records, beside the results."""
_RECORD = ".json"
_TOLD = ("film", "work", "files", "made", "again", "row")
"""In a record: how the film was seen, by what work it was done, the suffixes of all files that there may be of it, and
those of this work, whether it is to be done again, and its row, which is None as long as it is only begun.
"""
_LOCK = "shards.lock"
_PATIENCE_SECONDS, _PATIENCE_PER_MEGABYTE = 300.0, 60.0
"""How long a film may take where nobody says it: for a start, and for what it holds."""

Row = dict[str, Any]
"""What is told of one film, as JSON: its `path`, and either `error` or what was found."""
Reader = Callable[[Path, str, Callable[[str], Path]], Row]
"""Does one film: the film, what results call it, and from a suffix the file that it is to write -> its row.

Raises FilmError where the film is at fault; the files that it wrote are then removed.
"""


@dataclass(frozen=True)
class Work:
    """What is to be done with each film, in words that travel between processes and machines."""

    opener: str
    """`module:function`; called with `settings`, it gives the Reader."""
    settings: dict[str, Any]
    identity: str
    """Of all that decides about results, such as the model's hash; where it differs, a film is done again."""
    suffixes: tuple[str, ...]
    """Of the files that each film gets."""
    columns: tuple[str, ...]
    """Of a row, as far as the summary shows it; `error` comes by itself."""

    def opened(self) -> Reader:
        """Ready to read films."""
        module, _, attribute = self.opener.partition(":")
        reader: Reader = getattr(import_module(module), attribute)(self.settings)
        return reader


@dataclass(frozen=True)
class Shard:
    """One of `count` equal parts of the films; `number` counts from 1."""

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise UsageError(f"shard {self}: shards count from 1 to their number, such as 1/4, 2/4, 3/4 and 4/4.")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def named(cls, text: str) -> Self:
        """The shard of `--shard 2/4`.

        Raises:
            UsageError: it is none.
        """
        number, _, count = text.partition("/")
        if not (number.strip().isdecimal() and count.strip().isdecimal()):
            raise UsageError(f"--shard {text}: wanted which of how many, such as 2/4.")
        return cls(int(number), int(count))

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Self | None:
        """The shard that RANK and WORLD_SIZE tell of, as torchrun sets them; None where there is but one.

        Raises:
            UsageError: they are no numbers, or do not fit each other.
        """
        if "RANK" not in environment or environment.get("WORLD_SIZE", "1") == "1":
            return None
        rank, size = environment["RANK"], environment["WORLD_SIZE"]
        if not (rank.isdecimal() and size.isdecimal() and int(rank) < int(size)):
            raise UsageError(
                f"RANK {rank} and WORLD_SIZE {size} in the environment: wanted numbers, ranks counting from 0. "
                "Unset them, or say --shard 1/1."
            )
        return cls(int(rank) + 1, int(size))


@dataclass(frozen=True)
class FilmDone:
    """A film that has its row."""

    row: Row
    before: bool
    """Whether an earlier run did it."""


@dataclass(frozen=True)
class Batch:
    """Films to be worked on, and the folder of their results."""

    work: Work
    films: tuple[Path, ...]
    """In the order of the summary."""
    starts: tuple[Path, ...]
    """Folders to read, or the folders of single films: names are told from where they all stand."""
    out: Path
    shard: Shard = Shard()
    timeout_seconds: float | None = None
    """For one film; None: by its size."""

    @cached_property
    def names(self) -> dict[str, Path]:
        """What results call each film, and the film; results of any run, which may stand among the films, are none.

        Raises:
            UsageError: all of them are results.
        """
        root, results = common_root(self.starts), _ResultsAbove()
        names = {name_below(film, root): film for film in self.films if film not in results}
        if self.films and not names:
            raise UsageError(
                f"{self.films[0]}: was written by vidrnn as the answer to a film. Name films that it did not write."
            )
        return names

    @property
    def summary(self) -> Path:
        """The file with a row for each film."""
        return self.out / SUMMARY_NAME

    def of_shard(self) -> list[str]:
        """The names of the films that are this shard's."""
        return list(self.names)[self.shard.number - 1 :: self.shard.count]

    def sizes(self) -> dict[str, int]:
        """The names of this shard's films, and how many bytes each has."""
        return {name: _seen(self.names[name])[0] for name in self.of_shard()}

    def run(self, engine: Engine) -> Generator[FilmDone]:
        """Do what is missing, and tell of each film once: first of those that were done before.

        The summary is written at the end, and when it is stopped.

        Raises:
            OutputError: results cannot be written, or another run is at it; what is whole is kept.
            VidrnnError: the work cannot go on, such as with a damaged model.
        """
        with _alone(self.out, self.shard):
            self._told_apart()
            try:
                yield from self._done(engine)
            except BaseException:
                with suppress(OutputError):  # why it ended is what is to be told
                    self.summarise()
                raise
            self.summarise()

    def rows(self) -> list[Row]:
        """The rows of all films that have one so far, whichever shard did them."""
        found = ((name, self._kept(name)) for name in self.names)
        return [record["row"] for _, record in found if record is not None]

    def summarise(self) -> None:
        """Write the summary of what is there, whoever else is writing it: the last to write has seen all."""
        rows = None
        while rows != (now := self.rows()):
            rows = now
            part = "" if self.shard.count == 1 else f"{self.shard.number}-of-{self.shard.count}-"
            write_whole(self.summary, _summary(rows, self.work.columns), part)

    def _told_apart(self) -> None:
        """Look whether each film's results have names of their own, where large letters are not told from small.

        Raises:
            OutputError: they have not.
        """
        if (self.out / _HIDDEN / _LOCK.upper()).exists() and (pair := alike(self.names)):
            one, other = map(shown, pair)
            raise OutputError(
                f"{one} and {other}: their results would be one file in {self.out}, whose file system does not tell "
                "large letters from small. Rename one of them, or name another folder: --out DIR."
            )

    def _done(self, engine: Engine) -> Iterator[FilmDone]:
        todo = []
        for name in self.of_shard():
            record = self._kept(name)
            if record is None or record["again"]:
                todo.append(name)
            else:
                yield FilmDone(record["row"], before=True)
        if todo:
            yield from self._newly_done(engine, todo)

    def _newly_done(self, engine: Engine, todo: Sequence[str]) -> Iterator[FilmDone]:
        here = Path.cwd()
        items: list[Item] = [{"film": os.fspath(here / self.names[name]), "name": name} for name in todo]
        settings = {"work": asdict(self.work), "out": os.fspath(here / self.out)}
        outcomes = engine.run(
            Job("vidrnn.batch.batch:film_worker", settings), items, [self._patience(name) for name in todo]
        )
        waiting = dict.fromkeys(todo)
        self._results.forget_parts(waiting)
        try:
            with closing(outcomes):  # whoever stops asking ends the workers now, not when rubbish is collected
                for outcome in outcomes:
                    row = self._row(todo, outcome)
                    del waiting[todo[outcome.index]]
                    yield FilmDone(row, before=False)
        finally:
            self._results.forget_parts(waiting)

    @property
    def _results(self) -> _Results:
        return _Results(self.work, self.out)

    def _row(self, todo: Sequence[str], outcome: Outcome) -> Row:
        if isinstance(outcome, Finished):
            return outcome.result
        name = todo[outcome.index]
        return self._results.lost(self.names[name], name, outcome)

    def _patience(self, name: str) -> float:
        if self.timeout_seconds is not None:
            return self.timeout_seconds
        return _PATIENCE_SECONDS + _PATIENCE_PER_MEGABYTE * _seen(self.names[name])[0] / 1e6

    def _kept(self, name: str) -> dict[str, Any] | None:
        """The record of a film, if it is of this work and of the film as it is now, and its files are there."""
        record = self._results.record(name)
        if record is None or record["row"] is None or record["work"] != self.work.identity:
            return None
        if record["film"] != _seen(self.names[name]):
            return None
        wanted = set() if "error" in record["row"] else {*self.work.suffixes}
        there = wanted <= {*record["made"]} and all(result_file(self.out, name, suffix).is_file() for suffix in wanted)
        return record if there else None


@dataclass(frozen=True)
class _Results:
    """What stands in the folder of results for each film."""

    work: Work
    out: Path

    def record(self, name: str) -> dict[str, Any] | None:
        """What was written down of a film; None if nothing was, and its `row` is None if it was only begun."""
        return _record(self.out, name)

    def forget_parts(self, names: Iterable[str]) -> None:
        """Remove what was half written for films when those who wrote it were killed."""
        for name in names:
            for suffix in self._suffixes(name):
                forget_part(result_file(self.out, name, suffix))
            forget_part(_record_file(self.out, name))

    def done(self, film: Path, name: str, reader: Reader) -> Row:
        """Do a film and write its record; whatever is wrong with it is its row.

        Raises:
            VidrnnError: something else is wrong, and the work cannot go on.
        """
        seen = _seen(film)
        if taken := next(filter(None, map(obstacle, self._files(name))), ""):
            return self._keep(name, seen, self._failed(name, f"its results have no place: {taken}."), again=True)
        self._write(name, seen, self._suffixes(name), self._made(name, seen), None, again=True)
        try:
            row = reader(film, shown(name), lambda suffix: result_file(self.out, name, suffix))
        except FilmError as error:
            return self._keep(name, seen, self._failed(name, FilmFailure.of(film, error).reason))
        except VidrnnError:
            raise
        except Exception as error:  # a fault of ours, or of a library, costs this film its answer and no other
            said = f"vidrnn failed on it: {type(error).__name__}: {' '.join(str(error).split())}"
            return self._keep(name, seen, self._failed(name, said), again=True)
        return self._keep(name, seen, row)

    def lost(self, film: Path, name: str, outcome: Lost) -> Row:
        """The row of a film whose worker broke down; it is tried again when the work is started again."""
        return self._keep(name, _seen(film), self._failed(name, outcome.reason), again=True)

    def _failed(self, name: str, reason: str) -> Row:
        self.forget_parts([name])
        for suffix in self._suffixes(name):
            forget(result_file(self.out, name, suffix))
        return {"path": shown(name), "error": shown(reason)}

    def _keep(self, name: str, seen: list[int], row: Row, *, again: bool = False) -> Row:
        files = [suffix for suffix in self._suffixes(name) if result_file(self.out, name, suffix).is_file()]
        made = {*self._made(name, seen), *self.work.suffixes}
        self._write(name, seen, files, [suffix for suffix in files if suffix in made], row, again=again)
        return row

    def _write(
        self, name: str, seen: list[int], files: list[str], made: list[str], row: Row | None, *, again: bool
    ) -> None:
        told = dict(zip(_TOLD, (seen, self.work.identity, files, made, again, row), strict=True))
        write_whole(_record_file(self.out, name), json.dumps(told, ensure_ascii=False) + "\n")

    def _files(self, name: str) -> list[Path]:
        """That are to be written of a film."""
        return [result_file(self.out, name, suffix) for suffix in self.work.suffixes]

    def _made(self, name: str, seen: list[int]) -> list[str]:
        """The suffixes of the files that there are of a film by this work already, other forms of its answer."""
        record = self.record(name)
        same = record is not None and record["film"] == seen and record["work"] == self.work.identity
        return record["made"] if record is not None and same else []

    def _suffixes(self, name: str) -> list[str]:
        """Of all files that there may be of a film, those of earlier work included."""
        return sorted({*self.work.suffixes, *(self.record(name) or {"files": ()})["files"]})


def _record_file(out: Path, name: str) -> Path:
    return result_file(out / _HIDDEN, name, _RECORD)


def _record(out: Path, name: str) -> dict[str, Any] | None:
    try:
        found = json.loads(_record_file(out, name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.keys() == {*_TOLD} else None


class _ResultsAbove:
    """Which files are results of a run into a folder that they stand in: those that a record there tells of."""

    def __init__(self) -> None:
        self._known: dict[Path, bool] = {}

    def __contains__(self, film: Path) -> bool:
        film = Path(os.path.abspath(film))  # noqa: PTH100
        return any(self._holds(folder, film) for folder in film.parents if self._has_results(folder))

    def _has_results(self, folder: Path) -> bool:
        if folder not in self._known:
            self._known[folder] = (folder / _HIDDEN).is_dir()
        return self._known[folder]

    def _holds(self, folder: Path, film: Path) -> bool:
        name = film.relative_to(folder).as_posix()
        dots = [place for place, letter in enumerate(name) if letter == "."]
        return any(name[dot:] in (_record(folder, name[:dot]) or {"files": ()})["files"] for dot in dots)


def film_worker(settings: dict[str, Any]) -> Worker:
    """What works on films in a process of its own: from the words of `Batch` to rows and the files of each film."""
    told = settings["work"]
    work = Work(**{**told, "suffixes": tuple(told["suffixes"]), "columns": tuple(told["columns"])})
    results, reader = _Results(work, Path(settings["out"])), work.opened()

    def worker(item: Item) -> Row:
        return results.done(Path(item["film"]), item["name"], reader)

    return worker


def _seen(film: Path) -> list[int]:
    """By what a film is known again: its bytes and when it was changed; of a folder of pictures, all of them."""
    try:
        parts = [each.stat() for each in film.iterdir()] if film.is_dir() else [film.stat()]
    except OSError:
        return [0, 0, 0]
    return [sum(part.st_size for part in parts), max((part.st_mtime_ns for part in parts), default=0), len(parts)]


def _summary(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """The rows as CSV: a line for each film, empty where it has nothing to say."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["path", *columns, "error"])
    table.writerows([_cell(row.get(column, "")) for column in ("path", *columns, "error")] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list) else value


@contextmanager
def _alone(out: Path, shard: Shard) -> Iterator[None]:
    """Nobody else does the same work as long as the block lasts, nor shares it out otherwise; who is killed lets go.

    Where the file system knows no locks there is no such help, and results are whole all the same.

    Raises:
        OutputError: somebody does, or nothing can be written there.
    """
    at_it, remedy = f"{out}: another vidrnn is writing these results", "or name another folder: --out DIR."
    with _opened(out, _LOCK) as shards, _opened(out, f"shard-{shard.number}-of-{shard.count}.lock") as own:
        if (count := _count_agreed(shards, shard.count)) not in {1, shard.count}:
            raise OutputError(f"{at_it} in {count} shards. Do one of them (--shard N/{count}), wait, {remedy}")
        if count != shard.count or not locked(own):
            raise OutputError(f"{at_it}. Wait for it, {remedy}")
        yield


def _opened(out: Path, name: str) -> IO[str]:
    try:
        (out / _HIDDEN).mkdir(parents=True, exist_ok=True)
        return (out / _HIDDEN / name).open("a+")
    except OSError as problem:
        raise OutputError(
            f"{out}: results cannot be written there: {problem.strerror or problem}. Name another folder: --out DIR."
        ) from problem


def _count_agreed(lock: IO[str], count: int) -> int:
    """How many shards there are: `count` for whoever comes first, and for others as many as that one said.

    The first writes its count while nobody else may read; then all share the lock for as long as they are at work.
    """
    if locked(lock):
        lock.truncate(0)
        lock.write(str(count))
        lock.flush()
    locked(lock, shared=True)
    lock.seek(0)
    return int(lock.read() or count)
