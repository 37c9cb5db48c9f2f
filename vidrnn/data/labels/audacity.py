"""Label tracks of Audacity: lines of start, end and label with tabs between, in seconds, half open.

Format: https://manual.audacityteam.org/man/importing_and_exporting_labels.html
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from vidrnn.data.films import counted
from vidrnn.data.label_markup import check_order, number, sorted_bouts
from vidrnn.data.label_text import read_text
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError
from vidrnn.values import Bout

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig

_LINE = re.compile(r"-?\d+(?:[.,]\d+)?\t-?\d+(?:[.,]\d+)?(?:\t[^\t]*)?")
_FREQUENCIES = "\\"
"""Begins a line with the frequencies of the label before it."""
_OWN_ENDING = ".labels"
"""`vidrnn predict --format audacity` ends the name of the film with it."""


class Audacity(LabelFormat):
    """The film has the name of its file.

    Moments without a label have no behaviour: a track of labels is written while one plays all of the recording.
    """

    title = "Audacity label track"
    silence: ClassVar[Silence] = "none"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        return _is_one(beginning)

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        film, unnamed = _read(data)
        note = f"{data.name}: {counted(unnamed, 'label')} without a name left out"
        return LabelFile((film,), "seconds, the end not included", notes=(note,) if unnamed else ())


def _is_one(beginning: str) -> bool:
    """Whether all lines are labels, without the last one, which may be cut."""
    lines = [line for line in beginning.splitlines() if line.strip()]
    lines = lines[:-1] if len(lines) > 1 else lines
    return bool(lines) and all(_LINE.fullmatch(line) or line.startswith(_FREQUENCIES) for line in lines)


def _read(file: Path) -> tuple[NamedLabels, int]:
    """The labels of a file, and how many have no name."""
    bouts = []
    unnamed = 0
    for count, line in enumerate(read_text(file).splitlines(), 1):
        if not line.strip() or line.startswith(_FREQUENCIES):
            continue
        cells = line.split("\t", 2)
        place = f"{file}: line {count}"
        if len(cells) < 2:
            raise DataError(f"{place}: wanted start, end and label with tabs between, found {line[:60]!r}.")
        start, end = number(cells[0], place), number(cells[1], place)
        check_order(start, end, place)
        if len(cells) < 3 or not cells[2].strip():
            unnamed += 1
        else:
            bouts.append(Bout(start, end, cells[2].strip()))
    return NamedLabels(file.stem.removesuffix(_OWN_ENDING), sorted_bouts(bouts)), unnamed
