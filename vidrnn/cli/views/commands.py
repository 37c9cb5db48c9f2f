"""The help of `vidrnn` itself. Typer's own help loads a Markdown parser, which takes as long as all the rest."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

_BESIDE_THE_LINES = 6
"""Columns of a panel that hold neither name nor sentence: its frame, and the gap between the two."""


def show_help(usage: str, summary: str, options: Mapping[str, str], commands: Mapping[str, str]) -> None:
    """Print how to call vidrnn. `options` and `commands` map a name to a sentence."""
    console = Console(highlight=False, markup=False, emoji=False)
    width = max(map(len, (*options, *commands)))
    console.print(Padding(Text.assemble(("Usage: ", "yellow"), (usage, "bold")), 1))
    console.print(Padding(Text(summary), (0, 1, 1, 1)))
    for title, lines in (("Options", options), ("Commands", commands)):
        table = _table(lines, width, max(console.width - width - _BESIDE_THE_LINES, 20))
        console.print(Panel(table, title=Text(title), title_align="left", border_style="dim"))
    console.print(Padding(Text("The flags of a command: vidrnn COMMAND --help", style="dim"), (0, 1, 1, 1)))


def _table(lines: Mapping[str, str], width: int, rest: int) -> Text:
    """Names of at most `width` columns, and beside them sentences of `rest`."""
    table = Text()
    for name, line in lines.items():
        table.append(f"{name:{width}}  ", style="bold cyan")
        table.append(f"\n{'':{width}}  ".join(wrap(line, rest)) + "\n")
    table.right_crop(1)
    return table
