"""Subtitles in WebVTT, which browsers read."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import ClassVar

from typing_extensions import override

from vidrnn.outputs.base import EventOutput, FilmEvents, captions, clock


class Vtt(EventOutput):
    """Has a caption for each segment: its label and probability. A subject is the voice of the caption."""

    suffix = ".vtt"
    subjects: ClassVar[bool] = True

    @override
    def text(self, films: Sequence[FilmEvents]) -> str:
        shown = [
            f"{clock(start, '.')} --> {clock(end, '.')}\n{_voice(subject)}{escape(text, quote=False)}\n"
            for start, end, subject, text in captions(*films)
        ]
        return "\n".join(["WEBVTT\n", *shown])


def _voice(subject: str) -> str:
    return f"<v {escape(' '.join(subject.split()), quote=False)}>" if subject else ""
