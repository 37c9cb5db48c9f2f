"""The help of `vidrnn` itself. Typer's own loads a Markdown parser, which takes as long as all else."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text


def show_help(usage: str, summary: str, options: Mapping[str, str], commands: Mapping[str, str]) -> None:
    """How to call vidrnn: `options` and `commands` are tables from a name to a sentence."""
    width = max(map(len, (*options, *commands)))
    panels = [_panel("Options", options, width), _panel("Commands", commands, width)]
    head = Text.assemble(("Usage: ", "yellow"), usage, style="bold")
    last = Text("The flags of a command: vidrnn COMMAND --help", style="dim")
    Console(highlight=False).print(
        Group(Padding(head, 1), Padding(Text(summary), (0, 1, 1, 1)), *panels, Padding(last, (0, 1, 1, 1)))
    )


def _panel(title: str, lines: Mapping[str, str], width: int) -> Panel:
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(style="bold cyan", no_wrap=True, width=width)
    table.add_column(ratio=1)
    for name, line in lines.items():
        table.add_row(name, Text(line))
    return Panel(table, title=title, title_align="left", border_style="dim")
