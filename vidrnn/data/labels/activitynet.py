"""Annotations in the form of ActivityNet: segments in seconds, half open, as JSON.

The films are below `database`, or at the top, as in the files of MMAction2.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from vidrnn.data.label_markup import check_order, member, sorted_bouts
from vidrnn.data.label_text import read_json
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.data.listing.parts import PART_WORDS
from vidrnn.errors import DataError
from vidrnn.values import Bout

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig


class ActivityNet(LabelFormat):
    """`subset` gives the part of a film: training, validation or testing.

    Moments without a segment have no behaviour: the benchmark counts an action that is found there as wrong.
    """

    title = "ActivityNet file"
    silence: ClassVar[Silence] = "none"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        keys = ('"annotations"', '"segment"', '"label"')
        return beginning.lstrip().startswith("{") and all(key in beginning for key in keys)

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        content = read_json(data)
        records = content.get("database", content) if isinstance(content, dict) else None
        if not isinstance(records, dict) or not records:
            raise DataError(f"{data}: wanted an object of videos by name. Give a file in the form of ActivityNet.")
        films = tuple(
            _film(name, record, f"{data}: {name}")
            for name, record in records.items()
            if isinstance(record, dict) and "annotations" in record
        )
        if not films:
            raise DataError(f"{data}: no video in it has annotations. Give a file in the form of ActivityNet.")
        return LabelFile(films, "seconds, the end not included")


def _film(name: str, record: dict[str, Any], where: str) -> NamedLabels:
    bouts = []
    for number, one in enumerate(member(record, "annotations", list, where), 1):
        place = f"{where}, annotation {number}"
        times = member(one, "segment", list, place)
        if len(times) != 2:
            raise DataError(f"{place}: wanted a segment of start and end, found {times}. Correct it.")
        start, end = (member({"segment": time}, "segment", float, place) for time in times)
        check_order(start, end, place)
        bouts.append(Bout(start, end, member(one, "label", str, place)))
    lengths = (record[key] for key in ("duration", "duration_second") if isinstance(record.get(key), int | float))
    part = PART_WORDS.get(str(record.get("subset", "")).strip().casefold())
    return NamedLabels(name, sorted_bouts(bouts), duration_seconds=next(lengths, None), part=part)
