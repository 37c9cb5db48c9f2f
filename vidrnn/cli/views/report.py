"""The view of `vidrnn report`."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from vidrnn.cli.views.base import View, plain
from vidrnn.data.films import counted
from vidrnn.events import RunEvent
from vidrnn.text import json_line

if TYPE_CHECKING:
    from vidrnn.report.reporter import Reported
    from vidrnn.report.suspects import Suspect

_SHOWN = 10


class ReportView(View):
    """Shows the files that were written, and the first labels that are probably wrong."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__(to_stderr=as_json)
        self._as_json = as_json

    def follow(self, events: Generator[RunEvent, None, Reported]) -> Reported:
        """Show the events on the way, then the files."""
        reported = self.outcome(events)
        if self._as_json:
            print(json_line(_record(reported)))
            return reported
        if reported.suspects is not None:
            self._suspects(reported.suspects)
        for file in reported.files:
            self.console.print(f"[bold]{plain(str(file))}[/bold]", soft_wrap=True)
        return reported

    def _suspects(self, suspects: tuple[Suspect, ...]) -> None:
        for one in suspects[:_SHOWN]:
            self.console.print(plain(f"{one.doubt:.2f}  {one.film.path}: {one.sentence}"), soft_wrap=True)
        found = f"{counted(len(suspects), 'label')} may be wrong. A suspect may still be right: look at it."
        self.console.print(found if suspects else "No label looks wrong.")


def _record(reported: Reported) -> dict[str, object]:
    suspects = None if reported.suspects is None else [one.as_json() for one in reported.suspects]
    return {"files": [str(file) for file in reported.files], "suspects": suspects}
