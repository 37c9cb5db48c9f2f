"""A CSV table with a row for each labelled frame: path,frame,label."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from vidrnn.data.label_rows import COLUMNS, FilmRows, columns_found, rows_by_film
from vidrnn.data.label_text import header_of, read_table, runs_of
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError
from vidrnn.values import Bout

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig

NEEDED = {"path", "frame", "label"}
MOST_DIGITS = 9
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
        return columns_found(header_of(beginning)) >= NEEDED

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        table = read_table(data)
        if missing := sorted(NEEDED - columns_found(table.header)):
            raise DataError(f"{data}: needs the columns path, frame and label; {' and '.join(missing)} is missing.")
        frame = table.column(*COLUMNS["frame"])
        label = table.column(*COLUMNS["label"])
        subject = table.column(*COLUMNS["subject"])
        assert frame is not None and label is not None
        films = rows_by_film(data, table)
        numbers = [[_number(data, line, cells[frame]) for line, cells in film.rows] for film in films]
        first = int(all(min(each) > 0 for each in numbers))
        return LabelFile(
            tuple(
                NamedLabels(
                    film.name,
                    _bouts(film, [number - first for number in each], label, subject),
                    unit="frames",
                    group=film.group,
                    part=film.part,
                    annotator=film.annotator,
                )
                for film, each in zip(films, numbers, strict=True)
            ),
            base=f"frames from {first}",
            notes=(FROM_ONE,) if first else (),
        )


def _number(data: Path, line: int, cell: str) -> int:
    if not (cell.isascii() and cell.isdecimal() and len(cell) <= MOST_DIGITS):
        raise DataError(f"{data}: line {line} has the frame {cell!r}; frame numbers are whole numbers from 0.")
    return int(cell)


def _bouts(film: FilmRows, numbers: list[int], label: int, subject: int | None) -> tuple[Bout, ...]:
    frames: dict[tuple[str, str], list[int]] = {}
    for number, (_, cells) in zip(numbers, film.rows, strict=True):
        if cells[label]:
            frames.setdefault((cells[label], "" if subject is None else cells[subject]), []).append(number)
    return tuple(Bout(start, end, *key) for key, places in frames.items() for start, end in runs_of(places))
