"""A report as tables and sentences on the screen."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from vidrnn.cli.views.base import plain
from vidrnn.tables import Report
from vidrnn.tables import Table as Rows

_STYLES = {"good": "bold green", "bad": "red", "strong": "bold", "faint": "dim"}


def show_report(report: Report, console: Console) -> None:
    """Print a report: its tables, then what the numbers are, then what they mean."""
    if report.title:
        console.print(plain(report.title), style="bold")
    for table in report.tables:
        if table.title:
            console.print(plain(table.title))
        console.print(as_table(table))
    for note in report.notes:
        console.print(plain(note), style="dim", soft_wrap=True)
    for sentence in report.sentences:
        console.print(plain(sentence), style="bold", soft_wrap=True)


def as_table(rows: Rows) -> Table:
    """The rows as a table for the screen: words to the left, numbers to the right. No number is ever cut."""
    table = Table(box=None, padding=(0, 2) if len(rows.columns) < 8 else (0, 1))
    for place, column in enumerate(rows.columns):
        cells = [row[place] for row in rows.rows]
        if place == 0:  # words go on in the next line where the screen is narrow
            table.add_column(plain(column), overflow="fold")
        else:
            widest = max(map(len, cells), default=0)
            table.add_column(plain(column), justify="right", no_wrap=len(column) < 20, min_width=widest)
    for number, row in enumerate(rows.rows):
        cells = [_cell(text, rows.styles.get((number, place), "")) for place, text in enumerate(row)]
        table.add_row(*cells, style="bold" if number in rows.strong else None)
    return table


def _cell(text: str, style: str) -> str:
    return f"[{_STYLES[style]}]{plain(text)}[/]" if style else plain(text)
