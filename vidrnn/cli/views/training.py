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
    ForecasterDone,
    Foretold,
    FrameEpoch,
    LeftOut,
    Note,
    Record,
)
from vidrnn.events import Progress as Step


class TrainingView(View):
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
