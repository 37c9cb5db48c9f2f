"""Ranges of frames in a MATLAB script, such as the truth of UCSD Ped1 and Ped2. The script is text and never runs.

    gt(1).frame = [61:180];
    TestVideoFile{end+1}.gt_frame = [5:90, 140:200];

Frames are counted from 1, and a range includes both of its ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from vidrnn.data.label_markup import check_order, sorted_bouts
from vidrnn.data.label_text import read_text
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError
from vidrnn.values import Bout

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig

_FIELD = re.compile(
    r"^[ \t]*\w+[ \t]*[({][ \t]*(?P<film>\d{1,9}|end[ \t]*\+[ \t]*1)[ \t]*[)}][ \t]*\.[ \t]*(?P<name>\w+)[ \t]*="
    r"[ \t]*(?P<ranges>\[[^\]]*\]|[^;\n]*)",
    re.MULTILINE,
)
_COMMENT = re.compile(r"%[^\n]*")
_RANGE = re.compile(r"(\d{1,12})(?::(\d{1,12}))?(?::(\d{1,12}))?")
_ANOMALY, _ANOMALY_FIELDS = "anomaly", frozenset({"frame", "frames", "gt_frame", "gt_frames", "gt"})
"""Fields of these names hold anomalies; every other field is a behaviour of its own name."""


class Matlab(LabelFormat):
    """Entry 3 is of the film whose name ends in 3, or else of the third film in natural order.

    Frames outside of the ranges have no behaviour: a benchmark labels every frame.
    """

    title = "MATLAB script of frame ranges"
    silence: ClassVar[Silence] = "none"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        found = _FIELD.search(_COMMENT.sub("", beginning))
        return found is not None and ("[" in found["ranges"] or ":" in found["ranges"])

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        text = _COMMENT.sub("", read_text(data).replace("\r\n", "\n").replace("...\n", " "))
        films: dict[int, list[Bout]] = {}
        names: dict[str, None] = {}
        for found in _FIELD.finditer(text):
            film = int(found["film"]) if found["film"].isdecimal() else max(films, default=0) + 1
            place = f"{data}: line {text.count(chr(10), 0, found.start()) + 1}"
            label = _ANOMALY if found["name"].casefold() in _ANOMALY_FIELDS else found["name"]
            names[label] = None
            films.setdefault(film, []).extend(_bouts(found["ranges"], label, place))
        if not films:
            raise DataError(f"{data}: has no line such as gt(1).frame = [61:180]; with the frames of a video.")
        named = (NamedLabels(str(film), sorted_bouts(films[film]), "frames", number=film) for film in sorted(films))
        return LabelFile(tuple(named), "frames from 1, the last one included", tuple(names))


def _bouts(ranges: str, label: str, place: str) -> Iterator[Bout]:
    for part in re.split(r"[,;\s]+", re.sub(r"\s*:\s*", ":", ranges.strip().strip("[]")).strip()):
        if not part:
            continue
        found = _RANGE.fullmatch(part)
        if found is None or int(found[1]) < 1:
            raise DataError(
                f"{place}: wanted ranges of frames from 1 such as [61:180], found {part[:60]!r}. Correct it."
            )
        first, second, third = found.groups()
        if third is not None and int(second) != 1:
            raise DataError(f"{place}: {part!r} takes only each {second}th frame. Write whole ranges such as 61:180.")
        start, end = int(first) - 1, int(third or second or first)
        check_order(start + 1, end, place)
        yield Bout(float(start), float(end), label)
