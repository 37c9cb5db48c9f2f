"""Subtitles in SubRip, which every player reads."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from vidrnn.atomic import write_text
from vidrnn.outputs.base import Answered, Output, captions, clock


class Srt(Output):
    """Has a caption for each segment: its label and probability."""

    suffix = ".srt"

    @override
    def write(self, answered: Answered, file: Path) -> None:
        shown = [
            f"{number}\n{clock(start, ',')} --> {clock(end, ',')}\n{text}\n"
            for number, (start, end, text) in enumerate(captions(answered.prediction, file), 1)
        ]
        write_text(file, "\n".join(shown))
