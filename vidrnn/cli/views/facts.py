"""Views of the facts of a film, a model, and an exported file."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table

from vidrnn.cli.views.base import View, clock, open_console, plain
from vidrnn.events import RunEvent
from vidrnn.text import json_line, seen_json
from vidrnn.values import AnswerSpec, DecisionRule, FilmFacts

if TYPE_CHECKING:
    from vidrnn.export.exporter import Portable
    from vidrnn.model.metadata import ModelHeader


def show_film(facts: FilmFacts, *, as_json: bool) -> None:
    """Print the facts that reading a film measured."""
    if as_json:
        shown = {**asdict(facts), "path": str(facts.path), "fps": facts.fps}
        print(json_line(shown))
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
    console = open_console()
    console.print(plain(str(facts.path)), style="bold")
    console.print(_facts(rows))
    for oddity in facts.oddities:
        console.print(f"  odd: {plain(oddity)}", style="yellow")


class ExportView(View):
    """Shows an export, then the file and how exact it is."""

    def follow(self, events: Generator[RunEvent, None, Portable]) -> Portable:
        """Show the events on the way, then the file."""
        portable = self.outcome(events)
        size = f"{portable.size_bytes / 1e6:.1f} MB"
        self.console.print(
            f"[bold]{plain(str(portable.file))}[/bold]  {size}  {plain(portable.sentence)}", soft_wrap=True
        )
        return portable


def show_model(header: ModelHeader, name: str, *, as_json: bool) -> None:
    """Print the facts of a model."""
    if as_json:
        print(seen_json(header.to_json()))
        return
    parts = [str(part) for part in header.seen.values()]
    learnt, chosen, tested = (parts.count(part) for part in ("train", "val", "test"))
    rows = {
        "task": header.answer.task,
        "classes": ", ".join(header.answer.classes),
        **_frame_rows(header.answer, header.decision),
        "network": header.spec.describe(),
        "scores": " ".join(header.summary),
        "trained on": f"{learnt} videos, chosen on {chosen}, tested on {tested}",
        "made by": f"vidrnn {header.vidrnn_version}, format {header.format_version}",
    }
    console = open_console()
    console.print(plain(name), style="bold")
    console.print(_facts({title: value for title, value in rows.items() if value}))


def _frame_rows(answer: AnswerSpec, decision: DecisionRule) -> dict[str, str]:
    """What holds at a frame, and which way the model reads; empty for a model that names no classes of frames."""
    if answer.resolution != "frame" or answer.kind not in ("one", "several"):
        return {}
    background = f"the background is {answer.background}" if answer.background else "no class is the background"
    reads = {
        "causal": "forward only: it can answer a camera at once",
        "both": "both ways: an answer depends on later frames too",
    }
    return {
        "at each frame": "no behaviour, one, or several"
        if answer.kind == "several"
        else f"one behaviour; {background}",
        "reads": reads[decision.direction],
    }


def _facts(rows: dict[str, str]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    for name, value in rows.items():
        table.add_row(name, plain(value))
    return table
