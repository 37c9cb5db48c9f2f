"""Subtitles as every player reads them (SubRip)."""

from __future__ import annotations

from pathlib import Path

from vidrnn.atomic import write_text
from vidrnn.outputs.base import Answered, Output, captions, clock


class Srt(Output):
    """A caption for each segment: its label and probability."""

    suffix = ".srt"

    def write(self, answered: Answered, file: Path) -> None:
        """As the contract says."""
        shown = [
            f"{number}\n{clock(start, ',')} --> {clock(end, ',')}\n{text}\n"
            for number, (start, end, text) in enumerate(captions(answered.prediction), 1)
        ]
        write_text(file, "\n".join(shown))
