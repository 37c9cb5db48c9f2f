"""Subtitles in SubRip, which every player reads."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from vidrnn.outputs.base import EventOutput, FilmEvents, captions, clock
from vidrnn.text import caption


class Srt(EventOutput):
    """Has a caption for each segment: its label and probability."""

    suffix = ".srt"

    @override
    def text(self, films: Sequence[FilmEvents]) -> str:
        return "\n".join(
            f"{number}\n{clock(start, ',')} --> {clock(end, ',')}\n{caption(text, web=False)}\n"
            for number, (start, end, _, text) in enumerate(captions(*films), 1)
        )
