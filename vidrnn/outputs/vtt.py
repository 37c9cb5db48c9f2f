"""Subtitles in WebVTT, which browsers read."""

from __future__ import annotations

from html import escape
from pathlib import Path

from typing_extensions import override

from vidrnn.atomic import write_text
from vidrnn.outputs.base import Answered, Output, captions, clock


class Vtt(Output):
    """Has a caption for each segment: its label and probability."""

    suffix = ".vtt"

    @override
    def write(self, answered: Answered, file: Path) -> None:
        shown = [
            f"{clock(start, '.')} --> {clock(end, '.')}\n{escape(text, quote=False)}\n"
            for start, end, text in captions(answered.prediction, file)
        ]
        write_text(file, "\n".join(["WEBVTT\n", *shown]))
