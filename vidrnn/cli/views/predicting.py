"""Views of predictions: of single films, of folders, and of live sources."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.table import Table

from vidrnn.cli.views.base import View, clock, open_console, plain, show_model_name
from vidrnn.outputs.base import prediction_json
from vidrnn.text import json_line
from vidrnn.values import Change, FilmFailure, FilmPrediction, Now, Stretch

if TYPE_CHECKING:
    from pathlib import Path

    from vidrnn.batch.batch import FilmDone
    from vidrnn.live.watcher import Happening

_SECONDS_BETWEEN_LINES = 30.0
"""Between two lines of progress where there is no terminal, as in the log of a cluster."""
_SECONDS_BETWEEN_MOVES = 1.0


class PredictionView(View):
    """Shows predictions as they come, or prints them all as one JSON object at the end."""

    def __init__(self, model: str, films: int, *, as_json: bool) -> None:
        super().__init__(to_stderr=as_json)
        self._model, self._films, self._as_json = model, films, as_json
        self._rows: list[dict[str, Any]] = []
        self.failed = 0
        show_model_name(model)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._as_json and (kind is None or issubclass(kind, KeyboardInterrupt)):
            print(json_line({"model": self._model, "films": self._rows}))

    def going(self, seconds: float, of_seconds: float) -> None:
        """How much of a single film has been read; for several films the bar counts films."""
        if self._films == 1:
            self.step("seconds of the video", int(seconds), int(of_seconds) or None)

    def show(self, prediction: FilmPrediction | FilmFailure) -> None:
        """Show one film's answer, or why there is none."""
        self._rows.append(_row(prediction))
        if isinstance(prediction, FilmFailure):
            self.failed += 1
            self.console.print(f"{plain(str(prediction.path))}  [red]{plain(prediction.reason)}[/red]", soft_wrap=True)
        elif not self._as_json:
            self._answer(prediction)
        if self._films > 1:
            self.step("videos", len(self._rows), self._films)

    def explained(self, files: Sequence[Path]) -> None:
        """Say in which files the reasons of an answer are."""
        self.console.print(f"  why: {plain(str(files[0].parent))}", style="bold", soft_wrap=True)
        for file in files:
            self.console.print(f"    {plain(file.name)}", style="dim", soft_wrap=True)

    def _answer(self, prediction: FilmPrediction) -> None:
        fps = prediction.frames / prediction.duration_seconds if prediction.duration_seconds else 0
        frames = f"{prediction.frames:,} frame{'s' * (prediction.frames != 1)}, {fps:.4g} fps"
        film = f"[bold]{plain(str(prediction.path))}[/bold]  {clock(prediction.duration_seconds)}  {frames}"
        self.console.print(f"{film}  {_headline(prediction)}", soft_wrap=True)
        for note in prediction.notes:
            self.console.print(f"  {plain(note)}", style="yellow", soft_wrap=True)
        if len(prediction.segments) > 1 or (prediction.segments and prediction.label is None):
            self.console.print(_segments(prediction))
        elif prediction.label is None:
            self.console.print(" no segments", style="dim")


class BatchView(View):
    """Shows the progress of a folder, then the summary or one JSON object, also when the work was stopped."""

    def __init__(self, model: str, films: Mapping[str, int], *, as_json: bool) -> None:
        """`films`: their names in the rows, in the order of the summary, and the bytes of each."""
        super().__init__(to_stderr=as_json, remaining=False)
        self._model, self._films, self._as_json = model, dict(films), as_json
        self._rows: list[dict[str, Any]] = []
        self._missing = self._before = self._frames = 0
        self._read_bytes, self._unread_bytes = 0, sum(films.values())
        self._began = time.monotonic()
        self._over = Event()
        self._ticking = Thread(target=self._tick, daemon=True)
        self.failed = 0
        show_model_name(model)

    def __enter__(self) -> Self:
        super().__enter__()
        self._move()  # from here on the bar is only moved, which threads may do
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
            self.remark(f"Stopped: {self._count()}. The same command continues.")
        if self._as_json and (kind is None or stopped):
            place = {name: number for number, name in enumerate(self._films)}
            rows = sorted(self._rows, key=lambda row: place.get(row["path"], -1))
            print(json_line({"model": self._model, "films": rows}))

    def missing(self, failure: FilmFailure) -> None:
        """Show a source that names no film."""
        self._missing += 1
        self._fail(str(failure.path), failure.reason)
        self._rows.append(_row(failure))

    def show(self, done: FilmDone) -> None:
        """Show one more film."""
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
        """Print the totals, and the file of the summary."""
        self._over.set()
        self._bars.stop()
        rows = len(self._rows)
        before = f", {self._before:,} done before" if self._before else ""
        noted = sum(bool(row.get("notes")) for row in self._rows)
        notes = f", {noted:,} with notes" if noted else ""
        counts = f"{rows:,} video{'s' * (rows != 1)}{before}, {self.failed:,} failed{notes}"
        seconds = time.monotonic() - self._began
        self.console.print(f"{counts}; {self._frames:,} frames in {seconds:.1f} s  {plain(str(out))}", soft_wrap=True)

    def _tick(self) -> None:
        """In a thread: show the progress, also while no film ends for a long time."""
        while not self._over.wait(_SECONDS_BETWEEN_LINES if self._bars.disable else _SECONDS_BETWEEN_MOVES):
            if self._bars.disable:
                self.remark(f"{self._count()}  {self._pace()}")
            else:
                self._move()

    def _move(self) -> None:
        self.step("videos", len(self._rows), len(self._films) + self._missing, self._pace())

    def _fail(self, path: str, reason: str) -> None:
        self.failed += 1
        self.console.print(f"{plain(path)}  [red]{plain(reason)}[/red]", soft_wrap=True)

    def _count(self) -> str:
        return f"{len(self._rows):,} of {len(self._films) + self._missing:,} videos done"

    def _pace(self) -> str:
        """Frames per second, failures, and the time that is left by the bytes that were read so far."""
        seconds = max(1e-3, time.monotonic() - self._began)
        failed = f"  {self.failed:,} failed" if self.failed else ""
        left = f"  {clock(seconds * self._unread_bytes / self._read_bytes)} left" if self._read_bytes else ""
        return f"{self._frames / seconds:,.0f} frames/s{failed}{left}"


class LiveView:
    """Prints a line of JSON for each change of the answer at once; all else goes to standard error."""

    def __init__(self, model: str, source: str, remark: str) -> None:
        self._stderr = open_console(to_stderr=True)
        show_model_name(model)
        if remark:
            self._stderr.print(plain(remark), style="yellow", soft_wrap=True)
        self._stderr.print(f"watching {plain(source)}; Ctrl-C stops", style="dim", soft_wrap=True)
        self.now: Now | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.now is not None:
            lost = f"{self.now.dropped:,} frame{'s' * (self.now.dropped != 1)}"
            self._stderr.print(f"watched {clock(self.now.answer.seconds)}; {lost} dropped", style="dim")

    def show(self, event: Happening | None) -> None:
        """Show one event."""
        if isinstance(event, str):
            self._stderr.print(plain(event), style="yellow", soft_wrap=True)
        elif isinstance(event, Change):
            print(live_line(event), flush=True)
        elif isinstance(event, Now):
            self.now = event


def live_line(event: Change | Stretch) -> str:
    """One line of JSON, its numbers as precise as they are known."""
    known = {name: value for name, value in asdict(event).items() if value is not None}
    return json_line({name: round(value, 4) if isinstance(value, float) else value for name, value in known.items()})


def _segments(prediction: FilmPrediction) -> Table:
    table = Table(box=None, padding=(0, 1), show_header=False)
    table.add_column(justify="right")
    table.add_column(justify="right")
    table.add_column()
    table.add_column(justify="right")
    for segment in prediction.segments:
        times = f"{clock(segment.start_seconds)} to", clock(segment.end_seconds)
        table.add_row(*times, plain(segment.label), f"{segment.probability:.2f}")
    return table


def _row(prediction: FilmPrediction | FilmFailure) -> dict[str, Any]:
    """One film of `vidrnn predict --json`."""
    if isinstance(prediction, FilmFailure):
        return {"path": str(prediction.path), "error": prediction.reason}
    return prediction_json(str(prediction.path), prediction)


def _headline(prediction: FilmPrediction) -> str:
    """The answer for the whole film: its label, or its measures."""
    if prediction.label is not None and prediction.probability is not None:
        return f"[bold]{plain(prediction.label)}[/bold]  {prediction.probability:.2f}"
    known = {name: value for name, value in prediction.measures.items() if math.isfinite(value)}
    return "  ".join(f"{name} {value:.3g}" for name, value in known.items())
