"""Many films: one result or one error for each, kept as it comes, so that a killed run goes on where it stopped.

The folder of results holds the files of each film, a hidden record of each film, and the summary. This module does not
know what is done with a film.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from vidrnn.atomic import write_text
from vidrnn.batch.engines.base import Engine, Finished, Item, Job, Outcome
from vidrnn.batch.records import Results, Row, Work, fingerprint
from vidrnn.batch.result_names import Roots
from vidrnn.batch.shards import Shard, hold_shard
from vidrnn.data.films import counted
from vidrnn.data.listing.own_results import HIDDEN_NAME, OwnResults
from vidrnn.errors import OutputError, UsageError
from vidrnn.file_names import apart
from vidrnn.text import table_cell

SUMMARY_NAME = "summary.csv"
_PATIENCE_SECONDS, _PATIENCE_PER_MEGABYTE = 300.0, 60.0
"""How long a film may take where the user does not say it: for a start, and for each megabyte."""

_ALL = Shard(1, 1)


@dataclass(frozen=True)
class FilmDone:
    """A film that has its row."""

    row: Row
    before: bool
    """Whether an earlier run read it."""


@dataclass(frozen=True)
class Batch:
    """Films to be worked on, and the folder of their results."""

    work: Work
    films: tuple[Path, ...]
    """In the order of the summary."""
    starts: tuple[Path, ...]
    """Folders to read, or the folders of single films: names in results are paths below their common root."""
    out: Path
    shard: Shard = _ALL
    timeout_seconds: float | None = None
    """For one film; None: by its size."""
    _read_rows: dict[str, Row] = field(default_factory=dict, init=False, repr=False)
    """The rows of this run by the film's name: also those of films whose record has no place on the disk."""

    @cached_property
    def names(self) -> dict[str, Path]:
        """The films by their names in results. Results of any run, which may lie among the films, are left out.

        Raises:
            UsageError: all of them are results.
        """
        roots, earlier = Roots.of(self.starts), OwnResults()
        names = {roots.name(film): film for film in self.films if film not in earlier}
        if self.films and not names:
            raise UsageError(
                f"{self.films[0]}: was written by vidrnn as the answer to a video. Name videos that it did not write."
            )
        return names

    @property
    def remark(self) -> str:
        """A sentence if videos are passed over because vidrnn wrote them; else empty."""
        count = len(self.films) - len(self.names)
        verb = "is an answer" if count == 1 else "are answers"
        return f"{counted(count, 'video')} {verb} that vidrnn wrote, and passed over." if count else ""

    @property
    def summary(self) -> Path:
        """The file with a row for each film."""
        return self.out / SUMMARY_NAME

    def of_shard(self) -> list[str]:
        """The names of the films of this shard."""
        return list(self.names)[self.shard.number - 1 :: self.shard.count]

    def sizes(self) -> dict[str, int]:
        """The names of this shard's films, and the bytes of each."""
        return {name: fingerprint(self.names[name])[0] for name in self.of_shard()}

    def run(self, engine: Engine) -> Generator[FilmDone]:
        """Read the films that are missing; each film is yielded once, first those that an earlier run read.

        The summary is written at the end, and also when the run is stopped.

        Raises:
            OutputError: results cannot be written, or another run writes them; what is whole is kept.
            VidrnnError: the work cannot go on, such as with a damaged model.
        """
        with hold_shard(self.out, self.out / HIDDEN_NAME, self.shard):
            try:
                yield from self._read(engine)
            except BaseException:
                with suppress(OutputError):  # the first error is the one to show
                    self.summarise()
                raise
            self.summarise()

    def rows(self) -> list[Row]:
        """The rows of all films that have one so far, from all shards.

        A film that changes or goes while films are read keeps the row that it got.
        """
        mine = {*self.of_shard()}
        found = (
            self._read_rows.get(name) or self._results.find_row(film, name, changed=name not in mine)
            for name, film in self.names.items()
        )
        return [row for row in found if row is not None]

    def summarise(self) -> None:
        """Write the summary of all rows. Shards may do so at once: the last to write has read all rows."""
        rows = None
        while rows != (now := self.rows()):
            rows = now
            part = "" if self.shard.count == 1 else f"{self.shard.number}-of-{self.shard.count}-"
            write_text(self.summary, _summary(rows, self.work.columns), part)

    def _read(self, engine: Engine) -> Iterator[FilmDone]:
        missing = []
        for name in self.of_shard():
            finished = self._results.find_finished(self.names[name], name)
            if finished is None or finished[1]:
                missing.append(name)
            else:
                yield FilmDone(finished[0], before=True)
        if missing:
            yield from self._read_missing(engine, missing)

    def _read_missing(self, engine: Engine, missing: Sequence[str]) -> Iterator[FilmDone]:
        here = Path.cwd()
        items: list[Item] = [{"film": os.fspath(here / self.names[name]), "name": name} for name in missing]
        settings = {
            "work": asdict(self.work),
            "out": os.fspath(here / self.out),
            "places": {name: place for name in missing if (place := self._results.places.get(name))},
        }
        job = Job("vidrnn.batch.records:open_worker", settings)
        outcomes = engine.run(job, items, [self._patience_seconds(name) for name in missing])
        waiting = dict.fromkeys(missing)
        self._results.remove_parts(waiting)
        try:
            with closing(outcomes):  # a caller that stops ends the workers at once, not when garbage is collected
                for outcome in outcomes:
                    row = self._row(missing, outcome)
                    self._read_rows[missing[outcome.index]] = row
                    del waiting[missing[outcome.index]]
                    yield FilmDone(row, before=False)
        finally:
            self._results.remove_parts(waiting)

    @cached_property
    def _results(self) -> Results:
        return Results(self.work, self.out, apart(self.names))

    def _row(self, missing: Sequence[str], outcome: Outcome) -> Row:
        if isinstance(outcome, Finished):
            return outcome.result
        name = missing[outcome.index]
        return self._results.keep_lost(self.names[name], name, outcome)

    def _patience_seconds(self, name: str) -> float:
        if self.timeout_seconds is not None:
            return self.timeout_seconds
        return _PATIENCE_SECONDS + _PATIENCE_PER_MEGABYTE * fingerprint(self.names[name])[0] / 1e6


def _summary(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """The rows as CSV: a line for each film, with empty cells where a row has no value."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["path", *columns, "error"])
    table.writerows([_cell(column, row.get(column, "")) for column in ("path", *columns, "error")] for row in rows)
    return text.getvalue()


def _cell(column: str, value: Any) -> Any:
    """A value of a row in one cell: of segments their number, of notes all of them."""
    if isinstance(value, list):
        value = len(value) if column == "segments" else " ".join(map(str, value))
    return table_cell(value)
