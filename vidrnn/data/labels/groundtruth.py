"""Folders as those of 50Salads, GTEA and Breakfast: groundTruth/FILM.txt has the label of a frame on each line."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from vidrnn.data.label_text import read_text, tidy
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError
from vidrnn.values import Bout, Part

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig

FOLDER = "groundTruth"
_BUNDLE = re.compile(r"(train|val|test)\.(?:split(\d+)\.)?bundle", re.IGNORECASE)


class GroundTruth(LabelFormat):
    """Frames count from 0, every frame has a label. Of several splits the first one is used."""

    title: ClassVar[str] = "groundTruth folder"
    silence: ClassVar[Silence] = "none"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        return data.is_dir() and any((data / FOLDER).glob("*.txt"))

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        files = sorted((data / FOLDER).glob("*.txt"))
        if not files:
            raise DataError(f"{data}: has no folder {FOLDER} with text files in it.")
        parts, notes = _parts(data)
        return LabelFile(
            tuple(_film(file, parts.get(file.stem)) for file in files),
            base="frames from 0, one on each line",
            behaviours=_behaviours(data / "mapping.txt"),
            notes=notes,
        )


def _film(file: Path, part: Part | None) -> NamedLabels:
    lines = [tidy(line) for line in read_text(file).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    bouts = []
    position = 0
    for label, frames in groupby(lines):
        end = position + sum(1 for _ in frames)
        if label:
            bouts.append(Bout(position, end, label))
        position = end
    return NamedLabels(file.stem, tuple(bouts), unit="frames", known=((0.0, float(len(lines))),), part=part)


def _behaviours(mapping: Path) -> tuple[str, ...]:
    """The names of mapping.txt, such as `0 dig`; none if there is no such file."""
    if not mapping.is_file():
        return ()
    lines = [line.split(maxsplit=1) for line in read_text(mapping).splitlines() if line.strip()]
    if wrong := next((line for line in lines if len(line) != 2 or not line[0].isdecimal()), None):
        raise DataError(f"{mapping}: has the line {' '.join(wrong)!r}, where a number and a name belong.")
    return tuple(tidy(name) for _, name in lines)


def _parts(data: Path) -> tuple[dict[str, Part], tuple[str, ...]]:
    """The part of each film by the first split, and a note if there are more splits."""
    found = {file: match for file in sorted((data / "splits").glob("*")) if (match := _BUNDLE.fullmatch(file.name))}
    numbers = sorted({int(match[2] or 0) for match in found.values()})
    parts: dict[str, Part] = {}
    for file, match in found.items():
        if int(match[2] or 0) == numbers[0]:
            for line in read_text(file).split():
                parts[Path(line.replace("\\", "/")).stem] = Part(match[1].lower())
    more = f"split {numbers[0]} of {len(numbers)} splits is used" if len(numbers) > 1 else None
    return parts, (more,) if more else ()
