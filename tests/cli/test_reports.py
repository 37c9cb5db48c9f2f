"""A report on the screen: tables with words to the left and numbers to the right, and what they mean below."""

from __future__ import annotations

import io

from rich.console import Console

from vidrnn.cli.views.reports import show_report
from vidrnn.tables import Report, Table


def printed(report: Report, *, width: int = 60, colour: bool = False) -> str:
    text = io.StringIO()
    colours = "standard" if colour else None
    show_report(report, Console(file=text, width=width, highlight=False, force_terminal=colour, color_system=colours))
    return text.getvalue()


def test_a_report_is_printed_from_its_title_to_its_sentences() -> None:
    rows = (("copy [last]", "0.500"), ("this model", "12.250"))
    table = Table(("method", "MSE"), rows, title="one [step] ahead")
    text = printed(Report("test: 7 stretches", (table,), ("Better [everywhere].",), ("MSE: a sum.",)))
    assert [line.rstrip() for line in text.splitlines()] == [
        "test: 7 stretches",
        "one [step] ahead",
        "  method            MSE",
        "  copy [last]     0.500",
        "  this model     12.250",
        "MSE: a sum.",
        "Better [everywhere].",
    ]


def test_a_table_of_many_columns_is_narrow() -> None:
    table = Table(("step", *map(str, range(1, 11))), (("MSE", *["0.123"] * 10),))
    assert max(map(len, printed(Report(tables=(table,)), width=90).splitlines())) <= 80


def test_rows_and_cells_stand_out() -> None:
    table = Table(("class", "F1"), (("a", "1.0"), ("b", "0.1")), strong=frozenset({0}), styles={(1, 1): "bad"})
    strong, bad = printed(Report(tables=(table,)), colour=True).splitlines()[1:3]
    assert "\x1b[1m" in strong and "\x1b[1m" not in bad
    assert "\x1b[31m0.1" in bad and "\x1b[31m" not in strong


def test_an_empty_report_prints_nothing() -> None:
    assert printed(Report(numbers={"accuracy": 1.0})) == ""
