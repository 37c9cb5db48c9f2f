"""Subtitles in WebVTT, which browsers read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from typing_extensions import override

from vidrnn.outputs.base import EventOutput, FilmEvents, captions, clock
from vidrnn.text import caption, one_line


class Vtt(EventOutput):
    """Has a caption for each segment: its label and probability. A subject is the voice of the caption."""

    suffix = ".vtt"
    subjects: ClassVar[bool] = True

    @override
    def text(self, films: Sequence[FilmEvents]) -> str:
        shown = [
            f"{clock(start, '.')} --> {clock(end, '.')}\n{_voice(subject)}{caption(text, web=True)}\n"
            for start, end, subject, text in captions(*films)
        ]
        return "\n".join(["WEBVTT\n", *shown])


def _voice(subject: str) -> str:
    return f"<v {caption(one_line(subject), web=True)}>" if subject else ""
