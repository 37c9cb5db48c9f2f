"""A report: results as tables, sentences and numbers. The screen, the model card and JSON each render it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from vidrnn.text import visible

Style = Literal["", "good", "bad", "strong", "faint"]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of words and numbers; the first column is words."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    strong: frozenset[int] = frozenset()
    """Rows that stand out, counted from 0."""
    styles: Mapping[tuple[int, int], Style] = field(default_factory=dict)
    """Of single cells, by row and column."""
    in_card: bool = True
    """Whether the model card shows it, too."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured."""

    title: str = ""
    tables: tuple[Table, ...] = ()
    sentences: tuple[str, ...] = ()
    """What the numbers mean, the most important one last."""
    notes: tuple[str, ...] = ()
    """What the numbers are."""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """The same as JSON, by the names that `vidrnn evaluate --json` has."""


def as_markdown(report: Report) -> list[str]:
    """The lines of a report in a Markdown file, an empty line last."""
    lines = [f"## {report.title}", ""] if report.title else []
    for table in report.tables:
        if table.in_card:
            lines += [table.title, ""] if table.title else []
            lines += [*_markdown_table(table), ""]
    for sentence in (*report.notes, *report.sentences):
        lines += [sentence, ""]
    return lines


def _markdown_table(table: Table) -> list[str]:
    return [_markdown_row(table.columns), "|---" * len(table.columns) + "|", *map(_markdown_row, table.rows)]


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(markdown_cell, cells))} |"


def markdown_cell(text: str) -> str:
    """A text for a cell of a Markdown table, in one line: nothing in it is a tag or ends the cell."""
    return visible(text).replace("|", "/").replace("<", "&lt;")
