"""The view of `vidrnn check`: what is wrong first, then what was understood."""

from __future__ import annotations

from collections.abc import Generator

from rich.padding import Padding

from vidrnn.check.checker import Checked
from vidrnn.check.finding import Concern, Finding
from vidrnn.cli.views.base import View, plain
from vidrnn.cli.views.reports import as_table
from vidrnn.events import RunEvent
from vidrnn.tables import Report
from vidrnn.text import json_line

_SHOWN = 3
"""Videos of a finding that are named; the JSON names all."""
_BEFORE = {
    "refusal": "vidrnn train would refuse this DATA: ",
    "next-refusal": "After that is mended, it would still refuse it: ",
}
_STYLES = {"refusal": "bold red", "warning": "yellow", "note": ""}


class CheckView(View):
    """Shows the findings, each with some of its videos and what to do, and the report; or one JSON object."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__(to_stderr=as_json)
        self._as_json = as_json

    def follow(self, events: Generator[RunEvent, None, Checked]) -> Checked:
        """Show the progress on the way, then what was found."""
        checked = self.outcome(events)
        if self._as_json:
            print(json_line(dict(checked.report.numbers)))
            return checked
        for finding in checked.findings:
            self._show(finding)
        self._show_report(checked.report)
        return checked

    def _show_report(self, report: Report) -> None:
        """What was understood: sentences that wrap at words, tables apart from each other, what follows last."""
        *others, verdict = report.sentences
        understood = bool(report.notes or report.tables)
        if understood:
            self.console.print(plain(report.title), style="bold")
            for note in report.notes:
                self.console.print(plain(note))
            for table in report.tables:
                self.console.print()
                self.console.print(as_table(table))
            self.console.print()
        for sentence in others:
            self.console.print(plain(sentence))
        if understood:  # else the refusal is all that there is to say
            self.console.print(plain(verdict), style="bold")

    def _show(self, finding: Finding) -> None:
        """A finding as a paragraph that wraps at words."""
        text = plain(_BEFORE.get(finding.kind, "") + finding.text.rstrip(".") + ".", lines=True)
        self.console.print(text, style=_STYLES[finding.level])
        for concern in finding.concerns[:_SHOWN]:
            self.console.print(Padding(plain(_shown(concern)), (0, 0, 0, 2)), style="dim")
        if (more := len(finding.concerns) - _SHOWN) > 0:
            self.console.print(Padding(f"and {more:,} more", (0, 0, 0, 2)))
        if finding.advice:
            self.console.print(Padding(f"[italic]{plain(finding.advice)}[/italic]", (0, 0, 0, 2)))
        self.console.print()


def _shown(concern: Concern) -> str:
    name = f"{concern.path.parent.name}/{concern.path.name}" if concern.path.parent.name else concern.path.name
    return f"{name}: {concern.detail}" if concern.detail else name
