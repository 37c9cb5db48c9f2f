"""Views of an evaluation and of a comparison."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from rich.table import Table

from vidrnn.cli.views.base import View, plain, show_model_name
from vidrnn.cli.views.reports import show_report
from vidrnn.data.films import counted
from vidrnn.events import RunEvent
from vidrnn.text import json_line

if TYPE_CHECKING:
    from pathlib import Path

    from vidrnn.compare.statistics import Comparison
    from vidrnn.evaluate.evaluator import Evaluation

_LONG_MEMORY_FRAMES = 10_000
"""A gradient that takes longer to fade does not fade."""


class EvaluationView(View):
    """Shows an evaluation, as tables or as one JSON object."""

    def __init__(self, model: str, *, as_json: bool) -> None:
        super().__init__(to_stderr=as_json)
        self._as_json = as_json
        show_model_name(model)

    def follow(self, events: Generator[RunEvent, None, Evaluation]) -> Evaluation:
        """Show the events on the way, then the evaluation."""
        evaluation = self.outcome(events)
        if self._as_json:
            print(json_line(evaluation.numbers))
        else:
            show_report(evaluation.report, self.console)
            self.console.print(plain(evaluation.counts))
        return evaluation


class ComparisonView(View):
    """Shows the progress of a comparison, then its table or one JSON object."""

    def __init__(self, *, as_json: bool, gradients: bool) -> None:
        super().__init__(to_stderr=as_json)
        self._as_json, self._gradients = as_json, gradients

    def follow(self, events: Generator[RunEvent, None, Comparison]) -> Comparison:
        """Show the events on the way, then the comparison."""
        comparison = self.outcome(events)
        if self._as_json:
            print(json_line(comparison.as_json()))
            return comparison
        self.console.print(plain(comparison.model), soft_wrap=True)
        self.console.print(comparison_table(comparison))
        seeds = f"{counted(comparison.seeds, 'seed')} of {counted(comparison.epochs, 'epoch')}"
        self.console.print(
            f"{comparison.measure} of {comparison.clips} {comparison.part} {comparison.unit}s, {seeds}; "
            "a frame: streaming, encoder not counted; back: frames over which the gradient falls to 1/e",
            style="dim",
        )
        if self._gradients:
            self.console.print(gradients_table(comparison))
        self.console.print(plain(comparison.sentence), style="bold", soft_wrap=True)
        return comparison

    def show_folder(self, folder: Path) -> None:
        """Print where the table and the plots are."""
        self.console.print(f"written to {plain(str(folder))}: comparison.json, comparison.png, gradients.png")


def comparison_table(comparison: Comparison) -> Table:
    """A row for each head, the best one bold."""
    table = Table(box=None, padding=(0, 1))
    table.add_column("head", no_wrap=True)
    for name in (f"{comparison.part}, 95 %", "F1", "val", "weights", "train", "a frame", "back"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in comparison.rows:
        interval = "" if row.accuracy.interval is None else "  {:.2f}-{:.2f}".format(*row.accuracy.interval)
        table.add_row(
            row.head,
            f"{row.accuracy.mean:.3f}{interval}",
            f"{row.macro_f1.mean:.3f}",
            f"{row.val_accuracy.mean:.3f}",
            f"{row.parameters / 1e6:.2f} M",
            f"{row.training_seconds:.0f} s",
            "no" if row.stream_microseconds is None else f"{row.stream_microseconds:.0f} µs",
            _memory(row.after.memory_frames),
            style="bold" if row.head == comparison.best else None,
        )
    return table


def gradients_table(comparison: Comparison) -> Table:
    """The gradient's factor from frame to frame and the memory that it means, before training and after."""
    table = Table(box=None, padding=(0, 1))
    table.add_column("gradient")
    for name in ("factor before", "sees back", "factor after", "sees back"):
        table.add_column(name, justify="right")
    for row in comparison.rows:
        flows = (f"{row.before.factor:.3f}", _memory(row.before.memory_frames))
        table.add_row(row.head, *flows, f"{row.after.factor:.3f}", _memory(row.after.memory_frames))
    return table


def _memory(frames: float) -> str:
    """Frames over which the last frame's gradient falls to 1/e."""
    return "all" if frames > _LONG_MEMORY_FRAMES else f"{frames:.1f}"
