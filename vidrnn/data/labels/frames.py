"""A CSV table with a row for each labelled frame: path,frame,label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from vidrnn.data.label_rows import FRAME_COLUMNS, FrameRow, columns_found, read_frame_table
from vidrnn.data.label_text import header_of, runs_of
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.values import Bout

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig

FROM_ONE = (
    "frame numbers are taken to start at 1, since no video has the number 0; a row of frame 0 with an empty label "
    "makes them start at 0"
)


class FrameRows(LabelFormat):
    """Frames count from 0, or from 1 if no film has a frame 0. Two labels of one frame are two behaviours at once."""

    title: ClassVar[str] = "path,frame,label"
    silence: ClassVar[Silence] = "ignore"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        return columns_found(header_of(beginning)) >= set(FRAME_COLUMNS)

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        table = read_frame_table(data)
        return LabelFile(
            tuple(
                NamedLabels(
                    film.name,
                    _bouts(rows),
                    unit="frames",
                    group=film.group,
                    part=film.part,
                    annotator=film.annotator,
                )
                for film, rows in table.films
            ),
            base=f"frames from {table.first}",
            notes=(FROM_ONE,) if table.first else (),
        )


def _bouts(rows: Sequence[FrameRow]) -> tuple[Bout, ...]:
    frames: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        if row.label:
            frames.setdefault((row.label, row.subject), []).append(row.frame)
    return tuple(Bout(start, end, *key) for key, places in frames.items() for start, end in runs_of(places))
