"""Subtitles as labels, in SubRip (`.srt`) and in WebVTT (`.vtt`): the text of a cue is the behaviour.

Format of WebVTT: https://www.w3.org/TR/webvtt1
"""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from vidrnn.data.films import counted
from vidrnn.data.label_markup import check_order, seconds_of, sorted_bouts
from vidrnn.data.label_text import read_text
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError
from vidrnn.values import Bout

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig

_ARROW = "-->"
_TIME = r"(?:\d+:)?\d+:\d\d[.,]\d{1,3}"
_CUE = re.compile(rf"^\s*{_TIME}\s*{_ARROW}\s*{_TIME}", re.MULTILINE)
_PROBABILITY = re.compile(r"  [01]\.\d\d$")
"""What vidrnn writes after a label."""
_VOICE = re.compile(r"^<v(?:\.\S*)?\s+([^>]+)>")
"""In WebVTT: who speaks."""
_TAG = re.compile(r"</?(?:[cibuv]|ruby|rt|lang)(?:[.\s][^>]*)?>|<[\d:.]+>")
_BLOCKS = ("NOTE", "STYLE", "REGION", "WEBVTT")


class Captions(LabelFormat):
    """The film has the name of its file. In WebVTT, the voice of a cue is the subject.

    Moments without a cue have no behaviour: subtitles are written from the beginning of a film to its end, and they
    have no cue for nothing.
    """

    title = "subtitle file"
    silence: ClassVar[Silence] = "none"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        text = beginning.lstrip()
        return text.startswith("WEBVTT") or (text[:1].isdigit() and _CUE.search(text[:4096]) is not None)

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        bouts, empty = _read(data)
        note = f"{data.name}: {counted(empty, 'cue')} without a text left out"
        film = NamedLabels(data.stem, sorted_bouts(bouts))
        return LabelFile((film,), "milliseconds, the end not included", notes=(note,) if empty else ())


def _read(file: Path) -> tuple[list[Bout], int]:
    """The cues of a file as bouts, and how many have no text."""
    text = read_text(file).replace("\r\n", "\n")
    web = text.lstrip().startswith("WEBVTT")
    bouts: list[Bout] = []
    empty = 0
    line = 1
    for block in re.split(r"(\n[ \t]*(?:\n[ \t]*)+)", text):
        rows = block.split("\n")
        times = next((place for place, row in enumerate(rows[:2]) if _ARROW in row), None)
        if times is not None:
            bout, filled = _bout(rows[times:], web, f"{file}: line {line + times}")
            bouts += [bout] if filled else []
            empty += not filled
        elif block.strip() and not (web and block.lstrip().startswith(_BLOCKS)) and len(rows) > 1:
            raise DataError(
                f"{file}: line {line}: wanted a number and times such as 00:00:01,000 --> 00:00:02,000, "
                f"found {block.strip()[:60]!r}. Correct it."
            )
        line += block.count("\n")
    if not bouts and not web:
        raise DataError(f"{file}: holds no cue with a text. Export the subtitles again.")
    return bouts, empty


def _bout(rows: list[str], web: bool, place: str) -> tuple[Bout, bool]:
    """The bout of a cue, whose first row has its times, and whether it has a text."""
    first, _, rest = rows[0].partition(_ARROW)
    end_text = (rest.split() or [""])[0]
    start, end = seconds_of(first, place), seconds_of(end_text, place)
    check_order(start, end, place)
    text, subject = "\n".join(rows[1:]).strip(), ""
    if web:
        voice = _VOICE.match(text)
        subject = unescape(voice.group(1)).strip() if voice else ""
        text = _TAG.sub("", text)
    text = unescape(text)
    label = _PROBABILITY.sub("", " ".join(row.strip() for row in text.split("\n")))
    return Bout(start, end, label.strip(), subject), bool(label.strip())
