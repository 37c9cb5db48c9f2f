"""A label track for Audacity, which shows it below the sound of a film: `start<tab>end<tab>label`, in seconds."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from vidrnn.outputs.base import EventOutput, FilmEvents
from vidrnn.text import one_line


class Audacity(EventOutput):
    """Has a line for each segment, without its probability."""

    suffix = ".labels.txt"

    @override
    def text(self, films: Sequence[FilmEvents]) -> str:
        return "".join(
            f"{event.start_seconds:.6f}\t{event.end_seconds:.6f}\t{one_line(event.label)}\n"
            for film in films
            for event in film.events
        )
