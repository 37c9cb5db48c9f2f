"""What is shown of a film, of a model, and of a file that was made of one."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vidrnn.cli.views.base import View
from vidrnn.cli.views.gallery import clock
from vidrnn.events import RunEvent
from vidrnn.values import FilmFacts

if TYPE_CHECKING:
    from vidrnn.config import ModelHeader
    from vidrnn.export.exporter import Portable


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


class ExportView(View):
    """Shows how a portable file came to be, and what it is worth."""

    def follow(self, journey: Generator[RunEvent, None, Portable]) -> Portable:
        """Show the records on the way, then what was made."""
        found = self.outcome(journey)
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
