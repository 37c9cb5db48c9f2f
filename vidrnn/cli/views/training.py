"""What is shown of a training while it goes on."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from vidrnn.cli.views.base import View
from vidrnn.cli.views.gallery import show_foretold
from vidrnn.events import (
    Controls,
    ControlScore,
    Done,
    EpochDone,
    Event,
    ForecasterDone,
    ForecastScores,
    FrameEpoch,
    LeftOut,
    Note,
)
from vidrnn.events import Progress as Step


class TrainingView(View):
    """Shows a training's events as they come."""

    _training = ""

    def show(self, event: Event) -> None:
        """One event."""
        if isinstance(event, Note):
            self.note(event)
        elif isinstance(event, Step):
            self._progress(event)
        elif isinstance(event, LeftOut):
            self.left_out(event, ", see left_out.csv in the run")
        elif isinstance(event, EpochDone):
            self._epoch(event)
        elif isinstance(event, Controls):
            self._controls(event)
        elif isinstance(event, FrameEpoch):
            self._frame_epoch(event)
        elif isinstance(event, ForecastScores):
            show_foretold(event, self.console)
        elif isinstance(event, ForecasterDone):
            self._forecaster_done(event)
        else:
            self._done(event)

    def _progress(self, event: Step) -> None:
        self.step(event.stage, event.done, event.total, f"{event.frames:,} frames" if event.frames else "")

    def _epoch(self, event: EpochDone) -> None:
        of = f"/{event.of}" if event.of else ""
        mark = "[green]best[/green]" if event.best == event.number else f"best {event.best}"
        if event.training not in ("model", self._training):
            self.console.print(event.training, style="dim")
        self._training = event.training
        self.console.print(
            f"epoch {event.number:>2}{of}  loss {event.train_loss:.3f}  val loss {event.loss:.3f} "
            f"acc {event.accuracy:.3f} F1 {event.macro_f1:.3f}  {event.seconds:.1f} s  {mark}"
        )
        self.step("epochs", event.number, event.of)

    def _frame_epoch(self, event: FrameEpoch) -> None:
        of = f"/{event.of}" if event.of else ""
        mark = "[green]best[/green]" if event.best == event.number else f"best {event.best}"
        self.console.print(
            f"epoch {event.number:>2}{of}  loss {event.train_loss:.3f}  val MSE of a pixel {event.mse:.2e}, "
            f"one step ahead {event.first_mse:.2e}  {event.seconds:.1f} s  {mark}"
        )
        self.step("epochs", event.number, event.of)

    def _forecaster_done(self, event: ForecasterDone) -> None:
        if event.stopped:
            self.console.print("Stopped; the best model so far is kept.")
        last = f"model: {escape(str(event.model))}     next: vidrnn predict FILM     {event.seconds:.0f} s in all"
        self.console.print(last, style="bold", soft_wrap=True)

    def _controls(self, event: Controls) -> None:
        self.console.print(controls_table(event.rows))
        if event.remark:
            self.console.print(event.remark, style="dim")
        self.console.print(event.sentence, style="bold")

    def _done(self, event: Done) -> None:
        if event.confused:
            self.console.print(f"Most confused: {escape(event.confused)}.")
        stopped = "Stopped; the best model so far is kept. " if event.stopped else ""
        self.console.print(
            f"{stopped}{event.part}: accuracy {event.accuracy:.3f}, macro-F1 {event.macro_f1:.3f}, "
            f"calibration error {event.ece:.3f}; {event.seconds:.0f} s in all"
        )
        last = f"model: {escape(str(event.model))}     next: vidrnn predict FILM"
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
