"""Subtitles as browsers read them (WebVTT)."""

from __future__ import annotations

from html import escape
from pathlib import Path

from vidrnn.atomic import write_text
from vidrnn.outputs.base import Answered, Output, captions, clock


class Vtt(Output):
    """A caption for each segment: its label and probability."""

    suffix = ".vtt"

    def write(self, answered: Answered, file: Path) -> None:
        """As the contract says."""
        shown = [
            f"{clock(start, '.')} --> {clock(end, '.')}\n{escape(text, quote=False)}\n"
            for start, end, text in captions(answered.prediction)
        ]
        write_text(file, "\n".join(["WEBVTT\n", *shown]))
