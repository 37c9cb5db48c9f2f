"""The view of a training."""

from __future__ import annotations

from vidrnn.cli.views.base import View, plain
from vidrnn.cli.views.reports import show_report
from vidrnn.events import Done, EpochDone, LeftOut, Note, RunEvent
from vidrnn.events import Progress as Step
from vidrnn.tables import Report
from vidrnn.train.run import how_to_resume


class TrainingView(View):
    """Shows each event of a training at once."""

    _training = ""

    def show(self, event: RunEvent) -> None:
        """Show one event."""
        if isinstance(event, Note):
            self.note(event)
        elif isinstance(event, Step):
            self.step(event.stage, event.done, event.total, f"{event.frames:,} frames" if event.frames else "")
        elif isinstance(event, LeftOut):
            self.left_out(event, ", see left_out.csv in the run")
        elif isinstance(event, EpochDone):
            self._epoch(event)
        elif isinstance(event, Report):
            self.settle()
            show_report(event, self.console)
        else:
            self._done(event)

    def _epoch(self, event: EpochDone) -> None:
        of = f"/{event.of}" if event.of else ""
        mark = "[green]best[/green]" if event.best == event.number else f"best {event.best}"
        if event.training not in ("model", self._training):
            self.console.print(event.training, style="dim")
        self._training = event.training
        measures = " ".join(f"{name} {_number(value)}" for name, value in event.measures.items())
        self.console.print(
            f"epoch {event.number:>2}{of}  loss {_number(event.train_loss)}  "
            f"val loss {_number(event.loss)} {measures}  "
            f"{event.seconds:.1f} s  {mark}"
        )
        self.step("epochs", event.number, event.of)

    def _done(self, event: Done) -> None:
        self.settle()
        if event.stopped:
            self.console.print("Stopped. The best model so far is saved.")
            self.console.print(how_to_resume(event.model.parent), markup=False, soft_wrap=True)
        for sentence in event.sentences:
            self.console.print(plain(sentence), soft_wrap=True)
        last = f"model: {plain(str(event.model))}     next: vidrnn predict VIDEO     {event.seconds:.0f} s in all"
        self.console.print(last, style="bold", soft_wrap=True)


def _number(value: float) -> str:
    """Three digits after the point, or three significant ones of a small number."""
    return f"{value:.3f}" if abs(value) >= 0.01 else f"{value:.2e}"
