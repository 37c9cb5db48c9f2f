"""What is shown of models that were evaluated and compared."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from vidrnn.cli.views.base import View, tell_model
from vidrnn.cli.views.gallery import show_detection, show_foretold
from vidrnn.events import RunEvent

if TYPE_CHECKING:
    from pathlib import Path

    from vidrnn.compare.statistics import Comparison
    from vidrnn.evaluate.evaluator import Evaluation
    from vidrnn.evaluate.frames_evaluate import FramesEvaluation

_MOST_CLASSES = 20
_LONG_MEMORY_FRAMES = 10_000
"""A gradient that takes longer to fade does not fade."""


class EvaluationView(View):
    """Shows an evaluation, as tables or as one JSON object."""

    def __init__(self, model: str, *, as_json: bool) -> None:
        super().__init__(to_stderr=as_json)
        self._as_json = as_json
        tell_model(model)

    def follow(self, journey: Generator[RunEvent, None, Evaluation]) -> Evaluation:
        """Show the events on the way, then what was found."""
        found = self.outcome(journey)
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


class FramesEvaluationView(View):
    """Shows an evaluation of a model of the next frames, as tables or as one JSON object."""

    def __init__(self, model: str, *, as_json: bool) -> None:
        super().__init__(to_stderr=as_json)
        self._as_json = as_json
        tell_model(model)

    def follow(self, journey: Generator[RunEvent, None, FramesEvaluation]) -> FramesEvaluation:
        """Show the events on the way, then what was found."""
        found = self.outcome(journey)
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


class ComparisonView(View):
    """Shows a comparison as it comes, then its table or one JSON object."""

    def __init__(self, *, as_json: bool, gradients: bool) -> None:
        super().__init__(to_stderr=as_json)
        self._as_json, self._gradients = as_json, gradients

    def follow(self, journey: Generator[RunEvent, None, Comparison]) -> Comparison:
        """Show the events on the way, then what was found."""
        found = self.outcome(journey)
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
