"""The view of `vidrnn labels`."""

from __future__ import annotations

from collections.abc import Generator

from vidrnn.cli.views.base import View, plain
from vidrnn.data.films import counted
from vidrnn.events import RunEvent
from vidrnn.outputs.convert import Converted
from vidrnn.text import json_line

_SHOWN_FILES = 5


class LabelsView(View):
    """Shows what was understood of the labels, then the files that were written."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__(to_stderr=as_json)
        self._as_json = as_json

    def follow(self, events: Generator[RunEvent, None, Converted]) -> Converted:
        """Show the events on the way, then the files."""
        converted = self.outcome(events)
        if self._as_json:
            print(_json(converted))
            return converted
        for file in converted.files[:_SHOWN_FILES]:
            self.console.print(f"[bold]{plain(str(file))}[/bold]", soft_wrap=True)
        if len(converted.files) > _SHOWN_FILES:
            self.console.print(f"and {len(converted.files) - _SHOWN_FILES:,} more")
        names = ", ".join(converted.behaviours)
        counts = f"{counted(converted.films, 'video')}, {counted(converted.bouts, 'bout')} of {names or 'no behaviour'}"
        self.console.print(plain(counts), soft_wrap=True)
        return converted


def _json(converted: Converted) -> str:
    record = {
        "files": [str(file) for file in converted.files],
        "films": converted.films,
        "bouts": converted.bouts,
        "behaviours": list(converted.behaviours),
        "failures": [{"path": str(one.path), "error": one.reason} for one in converted.failures],
        "notes": list(converted.notes),
    }
    return json_line(record)
