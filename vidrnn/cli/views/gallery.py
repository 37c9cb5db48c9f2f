"""What models of the next frames are told by, as tables for people: rich's other room."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vidrnn.events import ForecastScores, MethodScores, StepNumbers

if TYPE_CHECKING:
    from vidrnn.evaluate.anomaly_metrics import DetectionReport


def clock(seconds: float) -> str:
    """Seconds as people write them: 1:23.4, 2:03:04.5."""
    tenths = round(max(0.0, seconds) * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    shown = f"{minutes:02d}" if hours else f"{minutes}"
    return (f"{hours}:" if hours else "") + f"{shown}:{rest // 10:02d}.{rest % 10}"


def show_watched(row: dict[str, Any], console: Console) -> None:
    """What a model of the next frames found in a film: how unusual it is at most, and when."""
    unusual, cost = row["most_unusual"], row["mean_mse"]
    found = "" if unusual is None else f"  most unusual {unusual:.2f}"
    error = "" if cost is None else f"  MSE of a pixel {cost:.2e}"
    name = f"[bold]{escape(row['path'])}[/bold]"
    console.print(f"{name}  {clock(row['duration_seconds'])}  {row['frames']:,} frames{error}{found}", soft_wrap=True)
    for note in row["notes"]:
        console.print(f"  {escape(note)}", style="yellow", soft_wrap=True)
    for segment in row["segments"]:
        times = f"{clock(segment['start_seconds']):>8} to {clock(segment['end_seconds']):>8}"
        console.print(f" {times}  {segment['label']}  {segment['probability']:.2f}")


def show_foretold(found: ForecastScores, console: Console) -> None:
    """The scores of a model beside those of what needs no learning, at each step ahead, and what the numbers are."""
    console.print(f"{found.part}: {found.stretches} stretches, mean over the steps ahead")
    console.print(_overall(found.rows))
    console.print("one step ahead and further: squared error summed over a frame; SSIM")
    console.print(_by_step(found.rows))
    for definition in found.definitions:
        console.print(escape(definition), style="dim")
    console.print(escape(found.sentence), style="bold", soft_wrap=True)


def show_detection(found: DetectionReport, console: Console) -> None:
    """How well unusual frames are told, by the model and by what needs no learning."""
    table = Table(box=None, padding=(0, 2))
    table.add_column("unusual frames", no_wrap=True)
    for name in ("AUC", "95 %", "EER", "stretched"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in (*found.baselines, found.model):
        interval = f"{row.interval[0]:.2f}-{row.interval[1]:.2f}"
        style = "bold" if row is found.model else None
        table.add_row(
            escape(row.name), f"{row.auc:.3f}", interval, f"{row.eer:.3f}", f"{row.auc_normalised:.3f}", style=style
        )
    console.print(table)
    console.print("EER: equal error rate; stretched: AUC of scores from 0 to 1 in each film", style="dim")
    films = Table(box=None, padding=(0, 2))
    films.add_column("film")
    films.add_column("AUC", justify="right")
    for name, auc in zip(found.films, found.model.per_film, strict=True):
        films.add_row(escape(Path(name).name), "one kind" if auc is None else f"{auc:.3f}")
    console.print(films)
    for sentence in found.sentences:
        console.print(escape(sentence), soft_wrap=True)


def _overall(rows: Sequence[MethodScores]) -> Table:
    table = Table(box=None, padding=(0, 2))
    table.add_column("")
    for name in ("MSE", "MAE", "MSE of a pixel", "PSNR", "SSIM"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        numbers = row.overall
        cells = (f"{numbers.mse_sum:.1f}", f"{numbers.mae_sum:.1f}", f"{numbers.mse:.2e}", f"{numbers.psnr:.2f}")
        table.add_row(escape(row.name), *cells, _ssim(numbers), style="bold" if row is rows[-1] else None)
    return table


def _by_step(rows: Sequence[MethodScores]) -> Table:
    shown = _shown_steps(len(rows[-1].per_step))
    table = Table(box=None, padding=(0, 1))
    table.add_column("step ahead")
    for step in shown:
        table.add_column(str(step), justify="right", no_wrap=True)
    for row in rows:
        style = "bold" if row is rows[-1] else None
        numbers = [row.per_step[step - 1] for step in shown]
        table.add_row(escape(row.name), *(f"{number.mse_sum:.1f}" for number in numbers), style=style)
        table.add_row("", *(_ssim(number) for number in numbers), style=style or "dim")
    return table


def _shown_steps(steps: int) -> list[int]:
    """As many as fit into a line: the first ones and then every so many, the last always."""
    if steps <= 8:
        return list(range(1, steps + 1))
    return sorted({1, 2, 3, *(round(1 + (steps - 1) * part / 5) for part in range(1, 6))})


def _ssim(numbers: StepNumbers) -> str:
    return "-" if numbers.ssim is None else f"{numbers.ssim:.3f}"
