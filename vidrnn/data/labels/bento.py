"""BENTO's .annot files: bouts in seconds, each behaviour with a table of Start, Stop and Duration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from vidrnn.data.label_text import clock_seconds, read_text, tidy
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError
from vidrnn.values import Bout, Span

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig

FIRST_LINE = "bento annotation file"


class Bento(LabelFormat):
    """Stop is the last frame: Duration = Stop - Start + one frame. Of several channels each is a subject."""

    title: ClassVar[str] = "BENTO annotation"
    silence: ClassVar[Silence] = "none"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        return beginning.lstrip().casefold().startswith(FIRST_LINE)

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        lines = [line.strip() for line in read_text(data).splitlines()]
        if not lines or lines[0].casefold() != FIRST_LINE:
            raise DataError(f"{data}: does not begin with 'Bento annotation file'.")
        rate = _number(data, lines, "Annotation framerate")
        if rate is None or not rate > 0:
            raise DataError(f"{data}: has no line 'Annotation framerate'. Perhaps a part of it is missing.")
        bouts = _bouts(data, lines, rate)
        if len({bout.subject for bout in bouts}) < 2:
            bouts = [Bout(one.start, one.end, one.label) for one in bouts]
        first, last = (_number(data, lines, f"Annotation {end} frame") for end in ("start", "stop"))
        known: tuple[Span, ...] | None = None
        if first is not None and last is not None and last >= first:
            known = (((first - 1) / rate, last / rate),)
        names = dict.fromkeys([*_films(lines), data.stem])
        film = NamedLabels(next(iter(names)), tuple(bouts), known=known, rate=rate, aliases=tuple(list(names)[1:]))
        return LabelFile(
            (film,), base="seconds, the last frame included", behaviours=tuple(_section(lines, "List of annotations"))
        )


def _number(data: Path, lines: list[str], key: str) -> float | None:
    text = next((line.partition(":")[2] for line in lines if line.casefold().startswith(f"{key.casefold()}:")), None)
    try:
        return clock_seconds(text) if text else None
    except ValueError:
        raise DataError(f"{data}: has {text!r} as its {key!r}, where a number belongs.") from None


def _films(lines: list[str]) -> list[str]:
    """The first of the films that the file names, behind `Movie file(s):` or on the line below."""
    place = next((place for place, line in enumerate(lines) if line.casefold().startswith("movie file(s):")), None)
    if place is None:
        return []
    text = lines[place].partition(":")[2].strip() or (lines[place + 1] if place + 1 < len(lines) else "")
    return re.findall(r"\S.*?\.\w{2,4}(?=\s|$)", text)[:1]


def _section(lines: list[str], title: str) -> list[str]:
    """The lines below a title, as far as the next blank one."""
    start = next((place for place, line in enumerate(lines) if line.casefold() == f"{title}:".casefold()), len(lines))
    names = []
    for line in lines[start + 1 :]:
        if not line:
            break
        names.append(tidy(line))
    return names


def _bouts(data: Path, lines: list[str], rate: float) -> list[Bout]:
    bouts = []
    channel = label = ""
    for number, line in enumerate(lines, 1):
        if line.endswith("----------"):
            channel, label = line.rstrip("-"), ""
        elif line.startswith(">"):
            label = tidy(line[1:])
        elif line and label and not line.casefold().startswith("start"):
            bouts.append(_bout(data, number, line, rate, label, channel))
    return bouts


def _bout(data: Path, number: int, line: str, rate: float, label: str, channel: str) -> Bout:
    try:
        start, stop, duration = map(clock_seconds, line.split())
    except ValueError:
        raise DataError(f"{data}: line {number} is {line[:60]!r}, where Start, Stop and Duration belong.") from None
    last_frame = 0.0 if abs(duration - (stop - start)) < 0.25 / rate else 1 / rate
    if stop < start:
        raise DataError(f"{data}: line {number} stops at {stop:g}, before it starts at {start:g}.")
    return Bout(start, stop + last_frame, label, channel)
