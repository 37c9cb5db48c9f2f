"""Tables, progress and errors for people, JSON for machines: the only home of rich."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Sequence
from dataclasses import asdict, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from vidrnn.errors import VidrnnError
from vidrnn.gallery import clock, show_detection, show_foretold, show_watched
from vidrnn.records import (
    Controls,
    ControlScore,
    Done,
    EpochDone,
    ForecasterDone,
    Foretold,
    FrameEpoch,
    LeftOut,
    Note,
    Record,
)
from vidrnn.records import Progress as Step
from vidrnn.values import Change, FilmFacts, FilmFailure, FilmPrediction, Now, Stretch

if TYPE_CHECKING:
    from pathlib import Path

    from vidrnn.batch import FilmDone
    from vidrnn.comparison import Comparison
    from vidrnn.config import ModelHeader
    from vidrnn.evaluate import Evaluation
    from vidrnn.frames_evaluate import FramesEvaluation
    from vidrnn.live import Happening
    from vidrnn.portable import Portable

_SHOWN_FAILURES = 5
_MOST_CLASSES = 20
_SECONDS_BETWEEN_LINES = 30.0
"""Of progress, where no bar can move, as in the log of a cluster."""
_LONG_MEMORY_FRAMES = 10_000
"""A gradient that takes longer to fade does not fade."""
Result = TypeVar("Result")


def show_error(error: VidrnnError) -> None:
    """What went wrong, as a panel on standard error."""
    Console(stderr=True).print(Panel(escape(str(error)), title="vidrnn", title_align="left", border_style="red"))


class _View:
    """A console with a bar that comes when there is something to wait for and goes when there is not."""

    def __init__(self, *, to_stderr: bool = False) -> None:
        self.console = Console(stderr=to_stderr, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[extra]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True) if not self.console.is_terminal else self.console,
            transient=True,
        )
        self._bars.disable = not self._bars.console.is_terminal
        self._bar: tuple[str, TaskID] | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def step(self, stage: str, done: int, total: int | None, extra: str = "") -> None:
        """Move the bar of `stage`, which replaces that of the stage before."""
        if self._bar is None or self._bar[0] != stage:
            if self._bar is not None:
                self._bars.remove_task(self._bar[1])
            self._bar = (stage, self._bars.add_task(stage, total=total, extra=extra))
        self._bars.update(self._bar[1], completed=done, total=total, extra=extra)

    def note(self, note: Note) -> None:
        """A sentence, yellow if it is a warning."""
        self.console.print(escape(note.text), style="yellow" if note.warning else None, soft_wrap=True)

    def remark(self, text: str) -> None:
        """A sentence for people on standard error, if there is one."""
        if text:
            Console(stderr=True, highlight=False).print(escape(text), style="yellow", soft_wrap=True)

    def _outcome(self, journey: Generator[Record, None, Result]) -> Result:
        """Show the notes and the progress on the way, and give what the journey ends with."""
        while True:
            try:
                record = next(journey)
            except StopIteration as end:
                found: Result = end.value
                return found
            if isinstance(record, Note):
                self.note(record)
            elif isinstance(record, LeftOut):
                self.left_out(record)
            elif isinstance(record, Step):
                self.step(record.stage, record.done, record.total)

    def left_out(self, record: LeftOut, where: str = "") -> None:
        """How many films were left out, and the first few reasons."""
        count = len(record.failures)
        self.console.print(f"{count} film{'s' * (count > 1)} left out{where}", style="yellow")
        for failure in record.failures[:_SHOWN_FAILURES]:
            line = f"  {escape(failure.path.name)}: {escape(failure.reason)}"
            self.console.print(line, style="yellow", soft_wrap=True)


class TrainingView(_View):
    """Shows a training's records as they come."""

    _training = ""

    def show(self, record: Record) -> None:
        """One record."""
        if isinstance(record, Note):
            self.note(record)
        elif isinstance(record, Step):
            self._progress(record)
        elif isinstance(record, LeftOut):
            self.left_out(record, ", see left_out.csv in the run")
        elif isinstance(record, EpochDone):
            self._epoch(record)
        elif isinstance(record, Controls):
            self._controls(record)
        elif isinstance(record, FrameEpoch):
            self._frame_epoch(record)
        elif isinstance(record, Foretold):
            show_foretold(record, self.console)
        elif isinstance(record, ForecasterDone):
            self._forecaster_done(record)
        else:
            self._done(record)

    def _progress(self, record: Step) -> None:
        self.step(record.stage, record.done, record.total, f"{record.frames:,} frames" if record.frames else "")

    def _epoch(self, record: EpochDone) -> None:
        of = f"/{record.of}" if record.of else ""
        mark = "[green]best[/green]" if record.best == record.number else f"best {record.best}"
        if record.training not in ("model", self._training):
            self.console.print(record.training, style="dim")
        self._training = record.training
        self.console.print(
            f"epoch {record.number:>2}{of}  loss {record.train_loss:.3f}  val loss {record.loss:.3f} "
            f"acc {record.accuracy:.3f} F1 {record.macro_f1:.3f}  {record.seconds:.1f} s  {mark}"
        )
        self.step("epochs", record.number, record.of)

    def _frame_epoch(self, record: FrameEpoch) -> None:
        of = f"/{record.of}" if record.of else ""
        mark = "[green]best[/green]" if record.best == record.number else f"best {record.best}"
        self.console.print(
            f"epoch {record.number:>2}{of}  loss {record.train_loss:.3f}  val MSE of a pixel {record.mse:.2e}, "
            f"one step ahead {record.first_mse:.2e}  {record.seconds:.1f} s  {mark}"
        )
        self.step("epochs", record.number, record.of)

    def _forecaster_done(self, record: ForecasterDone) -> None:
        if record.stopped:
            self.console.print("Stopped; the best model so far is kept.")
        last = f"model: {escape(str(record.model))}     next: vidrnn predict FILM     {record.seconds:.0f} s in all"
        self.console.print(last, style="bold", soft_wrap=True)

    def _controls(self, record: Controls) -> None:
        self.console.print(controls_table(record.rows))
        if record.remark:
            self.console.print(record.remark, style="dim")
        self.console.print(record.sentence, style="bold")

    def _done(self, record: Done) -> None:
        if record.confused:
            self.console.print(f"Most confused: {escape(record.confused)}.")
        stopped = "Stopped; the best model so far is kept. " if record.stopped else ""
        self.console.print(
            f"{stopped}{record.part}: accuracy {record.accuracy:.3f}, macro-F1 {record.macro_f1:.3f}, "
            f"calibration error {record.ece:.3f}; {record.seconds:.0f} s in all"
        )
        last = f"model: {escape(str(record.model))}     next: vidrnn predict FILM"
        self.console.print(last, style="bold", soft_wrap=True)


def controls_table(rows: tuple[ControlScore, ...]) -> Table:
    """The scores of the controls and the model."""
    tested = any(row.test_accuracy is not None for row in rows)
    table = Table(box=None, padding=(0, 2))
    table.add_column("accuracy", justify="left")
    for name in ("val", "test", "95 % interval") if tested else ("val", "95 % interval"):
        table.add_column(name, justify="right")
    for row in rows:
        numbers = [row.val_accuracy, row.test_accuracy] if tested else [row.val_accuracy]
        cells = ["" if number is None else f"{number:.3f}" for number in numbers]
        style = "bold" if row is rows[-1] else None
        table.add_row(row.name, *cells, f"{row.interval[0]:.2f} to {row.interval[1]:.2f}", style=style)
    return table


class PredictionView(_View):
    """Shows predictions as they come, or prints them all as one JSON object at the end."""

    def __init__(self, model: str, films: int, *, as_json: bool) -> None:
        super().__init__(to_stderr=as_json)
        self._model, self._films, self._as_json = model, films, as_json
        self._rows: list[dict[str, Any]] = []
        self.failed = 0
        Console(stderr=True, highlight=False).print(f"model: {escape(model)}", style="dim")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._as_json and (kind is None or issubclass(kind, KeyboardInterrupt)):
            print(json.dumps({"model": self._model, "films": self._rows}, ensure_ascii=False))

    def show(self, found: FilmPrediction | FilmFailure) -> None:
        """One film's answer, or why there is none."""
        self._rows.append(prediction_json(found))
        if isinstance(found, FilmFailure):
            self.failed += 1
            self.console.print(f"{escape(str(found.path))}  [red]{escape(found.reason)}[/red]")
        elif not self._as_json:
            self._answer(found)
        if self._films > 1:
            self.step("films", len(self._rows), self._films)

    def _answer(self, found: FilmPrediction) -> None:
        fps = found.frames / found.duration_seconds if found.duration_seconds else 0
        frames = f"{found.frames:,} frame{'s' * (found.frames != 1)}, {fps:.4g} fps"
        self.console.print(
            f"[bold]{escape(str(found.path))}[/bold]  {clock(found.duration_seconds)}  {frames}  "
            f"[bold]{escape(found.label)}[/bold]  {found.probability:.2f}"
        )
        for note in found.notes:
            self.console.print(f"  {escape(note)}", style="yellow")
        if len(found.segments) > 1:
            self.console.print(_segments(found))


class BatchView(_View):
    """Shows how many films go on, and the summary or one JSON object at the end."""

    def __init__(self, model: str, films: int, *, as_json: bool) -> None:
        super().__init__(to_stderr=as_json)
        self._model, self._films, self._as_json = model, films, as_json
        self._rows: list[dict[str, Any]] = []
        self._before = self._frames = 0
        self._began = self._told = time.monotonic()
        self.failed = 0
        Console(stderr=True, highlight=False).print(f"model: {escape(model)}", style="dim")

    def missing(self, failure: FilmFailure) -> None:
        """A source that names no film."""
        self._films -= 1
        self._fail(str(failure.path), failure.reason)
        self._rows.append(prediction_json(failure))

    def show(self, done: FilmDone) -> None:
        """One film more."""
        self._films = max(self._films, len(self._rows) + 1)
        self._rows.append(done.row)
        self._before += done.before
        if "error" in done.row:
            self._fail(done.row["path"], done.row["error"])
        elif not done.before:
            self._frames += done.row.get("frames", 0)
        if "most_unusual" in done.row and not self._as_json:
            show_watched(done.row, self.console)
        self.step("films", len(self._rows), self._films, self._pace())
        if self._bars.disable and time.monotonic() - self._told > _SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self.remark(f"{len(self._rows):,} of {self._films:,} films  {self._pace()}  {self._left()}")

    def end(self, out: Path, order: Sequence[str]) -> None:
        """What it came to, and where it is."""
        self._bars.stop()
        place = {name: number for number, name in enumerate(order)}
        rows = sorted(self._rows, key=lambda row: place.get(row["path"], -1))
        if self._as_json:
            print(json.dumps({"model": self._model, "films": rows}, ensure_ascii=False))
        before = f", {self._before:,} of them done before" if self._before else ""
        counts = f"{len(rows):,} film{'s' * (len(rows) != 1)}{before}, {self.failed:,} failed"
        seconds = time.monotonic() - self._began
        self.console.print(f"{counts}; {self._frames:,} frames in {seconds:.1f} s  {escape(str(out))}", soft_wrap=True)

    def _fail(self, path: str, reason: str) -> None:
        self.failed += 1
        self.console.print(f"{escape(path)}  [red]{escape(reason)}[/red]", soft_wrap=True)

    def _pace(self) -> str:
        rate = self._frames / max(1e-3, time.monotonic() - self._began)
        return f"{rate:,.0f} frames/s" + (f"  {self.failed:,} failed" if self.failed else "")

    def _left(self) -> str:
        """How long it will take, by the films of this run so far."""
        new = len(self._rows) - self._before
        each = (time.monotonic() - self._began) / max(1, new)
        return f"{clock(each * (self._films - len(self._rows)))} left"


class LiveView:
    """Prints a line of JSON for each change of answer as it comes; all else goes to standard error."""

    def __init__(self, model: str, source: str, remark: str) -> None:
        self._people = Console(stderr=True, highlight=False)
        self._people.print(f"model: {escape(model)}", style="dim", soft_wrap=True)
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


def prediction_json(found: FilmPrediction | FilmFailure) -> dict[str, Any]:
    """One film of `vidrnn predict --json`."""
    if isinstance(found, FilmFailure):
        return {"path": str(found.path), "error": found.reason}
    told = asdict(replace(found, timeline=None))
    del told["timeline"]
    return {**told, "path": str(found.path)}


class EvaluationView(_View):
    """Shows an evaluation, as tables or as one JSON object."""

    def __init__(self, model: str, *, as_json: bool) -> None:
        super().__init__(to_stderr=as_json)
        self._as_json = as_json
        Console(stderr=True, highlight=False).print(f"model: {escape(model)}", style="dim")

    def follow(self, journey: Generator[Record, None, Evaluation]) -> Evaluation:
        """Show the records on the way, then what was found."""
        found = self._outcome(journey)
        self._bars.stop()
        if self._as_json:
            print(json.dumps(found.as_json(), ensure_ascii=False))
        else:
            self._tables(found)
        return found

    def _tables(self, found: Evaluation) -> None:
        scores = found.scores
        classes = Table(box=None, padding=(0, 2))
        for name, side in (("class", "left"), ("clips", "right"), ("precision", "right"), ("recall", "right")):
            classes.add_column(name, justify="left" if side == "left" else "right")
        for row in scores.per_class:
            classes.add_row(escape(row.label), str(row.clips), f"{row.precision:.3f}", f"{row.recall:.3f}")
        self.console.print(classes)
        if len(scores.per_class) <= _MOST_CLASSES:
            self.console.print("\nconfusion: rows are the truth")
            self.console.print(_confusion(found))
        if found.worst:
            self.console.print("\nworst clips")
            worst = Table(box=None, padding=(0, 2))
            for name in ("clip", "is", "answer", "probability", "of the truth"):
                worst.add_column(name)
            for clip in found.worst:
                numbers = f"{clip.answer_probability:.2f}", f"{clip.truth_probability:.2f}"
                worst.add_row(escape(clip.path.name), escape(clip.truth), escape(clip.answer), *numbers)
            self.console.print(worst)
        seen = f"; {found.seen} clips that the model learnt from left out" if found.seen else ""
        self.console.print(
            f"accuracy {scores.accuracy:.3f} ({found.interval[0]:.2f} to {found.interval[1]:.2f})  "
            f"macro-F1 {scores.macro_f1:.3f}  calibration error {scores.ece:.3f}  majority class {found.majority:.3f}",
            style="bold",
        )
        self.console.print(f"{scores.clips} clips in {found.seconds:.1f} s{seen}")


class FramesEvaluationView(_View):
    """Shows an evaluation of a model of the next frames, as tables or as one JSON object."""

    def __init__(self, model: str, *, as_json: bool) -> None:
        super().__init__(to_stderr=as_json)
        self._as_json = as_json
        Console(stderr=True, highlight=False).print(f"model: {escape(model)}", style="dim")

    def follow(self, journey: Generator[Record, None, FramesEvaluation]) -> FramesEvaluation:
        """Show the records on the way, then what was found."""
        found = self._outcome(journey)
        self._bars.stop()
        if self._as_json:
            print(json.dumps(found.as_json(), ensure_ascii=False, allow_nan=False))
            return found
        if found.foretold:
            show_foretold(found.foretold, self.console)
        if found.detection:
            show_detection(found.detection, self.console)
        seen = f"; {found.seen} films that the model learnt from left out" if found.seen else ""
        self.console.print(f"{found.films} films in {found.seconds:.1f} s{seen}")
        return found


def _confusion(found: Evaluation) -> Table:
    table = Table(box=None, padding=(0, 1))
    labels = [row.label for row in found.scores.per_class]
    table.add_column("")
    for number in range(len(labels)):
        table.add_column(str(number + 1), justify="right")
    for number, (label, row) in enumerate(zip(labels, found.scores.confusion, strict=True)):
        cells = [
            f"[bold green]{count}[/]" if column == number else (f"[red]{count}[/]" if count else "[dim].[/]")
            for column, count in enumerate(row)
        ]
        table.add_row(f"{number + 1} {escape(label)}", *cells)
    return table


class ComparisonView(_View):
    """Shows a comparison as it comes, then its table or one JSON object."""

    def __init__(self, *, as_json: bool, gradients: bool) -> None:
        super().__init__(to_stderr=as_json)
        self._as_json, self._gradients = as_json, gradients

    def follow(self, journey: Generator[Record, None, Comparison]) -> Comparison:
        """Show the records on the way, then what was found."""
        found = self._outcome(journey)
        self._bars.stop()
        if self._as_json:
            print(json.dumps(found.as_json(), ensure_ascii=False, allow_nan=False))
            return found
        self.console.print(found.model, soft_wrap=True)
        self.console.print(comparison_table(found))
        self.console.print(
            f"{found.clips} {found.part} clips, {found.seeds} seed{'s' * (found.seeds != 1)} of {found.epochs} epochs; "
            "a frame: streaming, encoder not counted; back: frames over which the gradient falls to 1/e",
            style="dim",
        )
        if self._gradients:
            self.console.print(gradients_table(found))
        self.console.print(found.sentence, style="bold", soft_wrap=True)
        return found

    def kept_in(self, folder: Path) -> None:
        """Where the table and the plots are."""
        self.console.print(f"kept in {escape(str(folder))}: comparison.json, comparison.png, gradients.png")


def comparison_table(found: Comparison) -> Table:
    """A row for each head, the best one bold."""
    table = Table(box=None, padding=(0, 1))
    table.add_column("head", no_wrap=True)
    for name in (f"{found.part}, 95 %", "F1", "val", "weights", "train", "a frame", "back"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in found.rows:
        low, high = row.accuracy.interval
        table.add_row(
            row.head,
            f"{row.accuracy.mean:.3f}  {low:.2f}-{high:.2f}",
            f"{row.macro_f1.mean:.3f}",
            f"{row.val_accuracy.mean:.3f}",
            f"{row.parameters / 1e6:.2f} M",
            f"{row.training_seconds:.0f} s",
            "no" if row.stream_microseconds is None else f"{row.stream_microseconds:.0f} µs",
            _memory(row.after.memory_frames),
            style="bold" if row.head == found.best else None,
        )
    return table


def gradients_table(found: Comparison) -> Table:
    """The gradient's factor from frame to frame and the memory that it means, before training and after."""
    table = Table(box=None, padding=(0, 1))
    table.add_column("gradient")
    for name in ("factor before", "sees back", "factor after", "sees back"):
        table.add_column(name, justify="right")
    for row in found.rows:
        flows = (f"{row.before.factor:.3f}", _memory(row.before.memory_frames))
        table.add_row(row.head, *flows, f"{row.after.factor:.3f}", _memory(row.after.memory_frames))
    return table


def _memory(frames: float) -> str:
    """Frames over which the last frame's gradient falls to 1/e."""
    return "all" if frames > _LONG_MEMORY_FRAMES else f"{frames:.1f}"


def show_film(facts: FilmFacts, *, as_json: bool) -> None:
    """What reading a film found."""
    if as_json:
        shown = {**asdict(facts), "path": str(facts.path), "fps": facts.fps}
        print(json.dumps(shown, ensure_ascii=False))
        return
    rows = {
        "picture": f"{facts.size}",
        "codec": facts.codec,
        "frames": f"{facts.frames:,} (measured; the file claims {facts.claimed_frames:,})",
        "duration": f"{clock(facts.duration_seconds)} ({facts.duration_seconds:.3f} s)",
        "frames per second": f"{facts.fps:.3f} (measured; the file claims {facts.claimed_fps:.3f})",
        "first, last time": f"{facts.first_seconds:.3f} s, {facts.last_seconds:.3f} s",
        "rotation": f"{facts.rotation_degrees} degrees" if facts.rotation_degrees else "none",
    }
    console = Console(highlight=False)
    console.print(escape(str(facts.path)), style="bold")
    console.print(_facts(rows))
    for oddity in facts.oddities:
        console.print(f"  odd: {escape(oddity)}", style="yellow")


class ExportView(_View):
    """Shows how a portable file came to be, and what it is worth."""

    def follow(self, journey: Generator[Record, None, Portable]) -> Portable:
        """Show the records on the way, then what was made."""
        found = self._outcome(journey)
        self._bars.stop()
        self.console.print(
            f"[bold]{escape(str(found.file))}[/bold]  {found.size_bytes / 1e6:.1f} MB  {escape(found.sentence)}",
            soft_wrap=True,
        )
        return found


def show_model(header: ModelHeader, name: str, *, as_json: bool) -> None:
    """What a model is."""
    if as_json:
        print(header.to_json())
        return
    spec = header.spec
    parts = [str(part) for part in header.seen.values()]
    learnt, chosen, tested = (parts.count(part) for part in ("train", "val", "test"))
    rows = {
        "task": spec.task,
        "classes": ", ".join(spec.classes),
        "encoder": f"{spec.encoder.name} ({'frozen' if spec.encoder.frozen else 'trained'}{spec.encoder.sees})",
        "head": f"{spec.head.name}, {spec.head.size} units, {spec.head.depth} layer(s)",
        **(_of_frames(header) if spec.forecast else _of_classes(header)),
        "trained on": f"{learnt} {'films' if spec.forecast else 'clips'}, chosen on {chosen}, tested on {tested}",
        "made by": f"vidrnn {header.vidrnn_version}, format {header.format_version}",
    }
    console = Console(highlight=False)
    console.print(escape(name), style="bold")
    console.print(_facts({title: value for title, value in rows.items() if value}))


def _of_classes(header: ModelHeader) -> dict[str, str]:
    spec, scores = header.spec, header.scores
    return {
        "readout": spec.readout,
        "sees": f"{spec.size} pixels, windows of {spec.frames} frames, {spec.spacing_seconds:g} s apart",
        f"{scores['part']} scores": f"accuracy {scores['accuracy']:.3f}, macro-F1 {scores['macro_f1']:.3f}",
    }


def _of_frames(header: ModelHeader) -> dict[str, str]:
    spec, scores, forecast = header.spec, header.scores, header.spec.forecast
    assert forecast is not None
    ssim = "" if scores["ssim"] is None else f", SSIM {scores['ssim']:.3f}"
    return {
        "paints": f"{forecast.paint}. {forecast.chosen}",
        "sees": f"{spec.size} pixels{', grey' * forecast.grey}, frames {spec.spacing_seconds:g} s apart",
        "foretells": f"{forecast.horizon} frames from {forecast.context}, as in training",
        f"{scores['part']} scores": f"MSE of a pixel {scores['mse']:.2e}, PSNR {scores['psnr']:.2f}{ssim}",
        "beside them": scores["sentence"],
    }


def _facts(rows: dict[str, str]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    for name, value in rows.items():
        table.add_row(name, escape(value))
    return table
