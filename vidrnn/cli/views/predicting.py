"""What is shown of films that are read, one by one, in folders, and live."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vidrnn.cli.views.base import View, clock, tell_model
from vidrnn.outputs.base import prediction_json
from vidrnn.values import Change, FilmFailure, FilmPrediction, Now, Stretch

if TYPE_CHECKING:
    from pathlib import Path

    from vidrnn.batch.batch import FilmDone
    from vidrnn.live.watcher import Happening

_SECONDS_BETWEEN_LINES = 30.0
"""Of progress, where no bar can move, as in the log of a cluster."""
_SECONDS_BETWEEN_MOVES = 1.0


class PredictionView(View):
    """Shows predictions as they come, or prints them all as one JSON object at the end."""

    def __init__(self, model: str, films: int, *, as_json: bool) -> None:
        super().__init__(to_stderr=as_json)
        self._model, self._films, self._as_json = model, films, as_json
        self._rows: list[dict[str, Any]] = []
        self.failed = 0
        tell_model(model)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._as_json and (kind is None or issubclass(kind, KeyboardInterrupt)):
            print(json.dumps({"model": self._model, "films": self._rows}, ensure_ascii=False))

    def going(self, seconds: float, of_seconds: float) -> None:
        """How much of a film has been read; where there are many, it is their number that tells."""
        if self._films == 1:
            self.step("seconds of the film", int(seconds), int(of_seconds) or None)

    def show(self, found: FilmPrediction | FilmFailure) -> None:
        """One film's answer, or why there is none."""
        self._rows.append(_row(found))
        if isinstance(found, FilmFailure):
            self.failed += 1
            self.console.print(f"{escape(str(found.path))}  [red]{escape(found.reason)}[/red]", soft_wrap=True)
        elif not self._as_json:
            self._answer(found)
        if self._films > 1:
            self.step("films", len(self._rows), self._films)

    def _answer(self, found: FilmPrediction) -> None:
        fps = found.frames / found.duration_seconds if found.duration_seconds else 0
        frames = f"{found.frames:,} frame{'s' * (found.frames != 1)}, {fps:.4g} fps"
        self.console.print(
            f"[bold]{escape(str(found.path))}[/bold]  {clock(found.duration_seconds)}  {frames}  {_headline(found)}",
            soft_wrap=True,
        )
        for note in found.notes:
            self.console.print(f"  {escape(note)}", style="yellow", soft_wrap=True)
        if len(found.segments) > 1 or (found.segments and found.label is None):
            self.console.print(_segments(found))


class BatchView(View):
    """Shows how many films go on, and the summary or one JSON object of all that is done at the end, stopped or not."""

    def __init__(self, model: str, films: Mapping[str, int], *, as_json: bool) -> None:
        """`films`: what their rows will call them, in the order of the summary, and how many bytes each has."""
        super().__init__(to_stderr=as_json, remaining=False)
        self._model, self._films, self._as_json = model, dict(films), as_json
        self._rows: list[dict[str, Any]] = []
        self._missing = self._before = self._frames = 0
        self._read_bytes, self._unread_bytes = 0, sum(films.values())
        self._began = time.monotonic()
        self._over = Event()
        self._ticking = Thread(target=self._tick, daemon=True)
        self.failed = 0
        tell_model(model)

    def __enter__(self) -> Self:
        super().__enter__()
        self._move()  # from here on the bar is only moved, which threads may
        self._ticking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._ticking.join()
        super().__exit__(kind, error, trace)
        stopped = kind is not None and issubclass(kind, KeyboardInterrupt)
        if stopped:
            self.remark(f"Stopped: {self._count()}. The same command goes on.")
        if self._as_json and (kind is None or stopped):
            place = {name: number for number, name in enumerate(self._films)}
            rows = sorted(self._rows, key=lambda row: place.get(row["path"], -1))
            print(json.dumps({"model": self._model, "films": rows}, ensure_ascii=False))

    def missing(self, failure: FilmFailure) -> None:
        """A source that names no film."""
        self._missing += 1
        self._fail(str(failure.path), failure.reason)
        self._rows.append(_row(failure))

    def show(self, done: FilmDone) -> None:
        """One film more."""
        size = self._films.get(done.row["path"], 0)
        self._unread_bytes -= size
        self._read_bytes += 0 if done.before else size
        self._rows.append(done.row)
        self._before += done.before
        if "error" in done.row:
            self._fail(done.row["path"], done.row["error"])
        elif not done.before:
            self._frames += done.row.get("frames", 0)
        self._move()

    def end(self, out: Path) -> None:
        """What it came to, and where it is."""
        self._over.set()
        self._bars.stop()
        rows = len(self._rows)
        before = f", {self._before:,} done before" if self._before else ""
        counts = f"{rows:,} film{'s' * (rows != 1)}{before}, {self.failed:,} failed"
        seconds = time.monotonic() - self._began
        self.console.print(f"{counts}; {self._frames:,} frames in {seconds:.1f} s  {escape(str(out))}", soft_wrap=True)

    def _tick(self) -> None:
        """From a thread: tell how it goes on, also while no film ends for long."""
        while not self._over.wait(_SECONDS_BETWEEN_LINES if self._bars.disable else _SECONDS_BETWEEN_MOVES):
            if self._bars.disable:
                self.remark(f"{self._count()}  {self._pace()}")
            else:
                self._move()

    def _move(self) -> None:
        self.step("films", len(self._rows), len(self._films) + self._missing, self._pace())

    def _fail(self, path: str, reason: str) -> None:
        self.failed += 1
        self.console.print(f"{escape(path)}  [red]{escape(reason)}[/red]", soft_wrap=True)

    def _count(self) -> str:
        return f"{len(self._rows):,} of {len(self._films) + self._missing:,} films done"

    def _pace(self) -> str:
        """Frames per second, failures, and how long it will take by the bytes that were read so far."""
        seconds = max(1e-3, time.monotonic() - self._began)
        failed = f"  {self.failed:,} failed" if self.failed else ""
        left = f"  {clock(seconds * self._unread_bytes / self._read_bytes)} left" if self._read_bytes else ""
        return f"{self._frames / seconds:,.0f} frames/s{failed}{left}"


class LiveView:
    """Prints a line of JSON for each change of answer as it comes; all else goes to standard error."""

    def __init__(self, model: str, source: str, remark: str) -> None:
        self._people = Console(stderr=True, highlight=False)
        tell_model(model)
        if remark:
            self._people.print(escape(remark), style="yellow", soft_wrap=True)
        self._people.print(f"watching {escape(source)}; Ctrl-C stops", style="dim", soft_wrap=True)
        self.now: Now | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.now is not None:
            lost = f"{self.now.dropped:,} frame{'s' * (self.now.dropped != 1)}"
            self._people.print(
                f"watched {clock(self.now.answer.seconds)}; {lost} could not be kept up with", style="dim"
            )

    def show(self, happening: Happening | None) -> None:
        """One thing that happened."""
        if isinstance(happening, str):
            self._people.print(escape(happening), style="yellow", soft_wrap=True)
        elif isinstance(happening, Change):
            print(live_line(happening), flush=True)
        elif isinstance(happening, Now):
            self.now = happening


def live_line(happening: Change | Stretch) -> str:
    """One line of JSON, its numbers as precise as they are known."""
    told = {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(happening).items()}
    return json.dumps(told, ensure_ascii=False)


def _segments(found: FilmPrediction) -> Table:
    table = Table(box=None, padding=(0, 1), show_header=False)
    table.add_column(justify="right")
    table.add_column(justify="right")
    table.add_column()
    table.add_column(justify="right")
    for segment in found.segments:
        times = f"{clock(segment.start_seconds)} to", clock(segment.end_seconds)
        table.add_row(*times, escape(segment.label), f"{segment.probability:.2f}")
    return table


def _row(found: FilmPrediction | FilmFailure) -> dict[str, Any]:
    """One film of `vidrnn predict --json`."""
    if isinstance(found, FilmFailure):
        return {"path": str(found.path), "error": found.reason}
    return prediction_json(str(found.path), found)


def _headline(found: FilmPrediction) -> str:
    """The answer for the whole film: its label, or its measures."""
    if found.label is not None and found.probability is not None:
        return f"[bold]{escape(found.label)}[/bold]  {found.probability:.2f}"
    known = {name: value for name, value in found.measures.items() if math.isfinite(value)}
    return "  ".join(f"{name} {value:.3g}" for name, value in known.items())
