"""DeepEthogram's label files: FILM_labels.csv, a row for each frame and a column of 0 and 1 for each behaviour."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from typing_extensions import override

from vidrnn.data.label_text import first_rows, numbers_of, read_table, runs_of, spans_of, tidy
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence
from vidrnn.errors import DataError
from vidrnn.values import Bout

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig

BACKGROUND = "background"
UNLABELLED = -1


class DeepEthogram(LabelFormat):
    """A frame with -1 is not known. Background gives way to any behaviour that the same frame shows."""

    title: ClassVar[str] = "DeepEthogram labels"
    silence: ClassVar[Silence] = "none"

    @override
    def recognises(self, data: Path, beginning: str) -> bool:
        rows = first_rows(beginning)
        return (
            len(rows) > 1
            and rows[0][0] in ("", "Unnamed: 0")
            and BACKGROUND in rows[0]
            and rows[1][0] == "0"
            and set(rows[1][1:]) <= {"0", "1", "-1", "0.0", "1.0", "-1.0"}
        )

    @override
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        table = read_table(data)
        names = [tidy(name) for name in table.names[1:]]
        values = numbers_of(data, table.rows, range(len(names) + 1))
        wrong = np.flatnonzero((values[:, 0] != np.arange(len(values))) | ~np.isin(values[:, 1:], (0, 1, -1)).all(1))
        if len(wrong):
            line, cells = table.rows[wrong[0]]
            raise DataError(
                f"{data}: line {line} is {','.join(cells)[:60]}; a row is the number of its frame, from 0 on, and then "
                "0, 1 or -1 for each behaviour."
            )
        shown = values[:, 1:] == 1
        known = (values[:, 1:] != UNLABELLED).all(1)
        if BACKGROUND in names:
            place = names.index(BACKGROUND)
            shown[:, place] &= shown.sum(1) == 1
        bouts = tuple(
            Bout(start, end, name)
            for place, name in enumerate(names)
            for start, end in spans_of(shown[:, place] & known)
        )
        film = NamedLabels(
            data.stem.removesuffix("_labels"), bouts, unit="frames", known=runs_of(np.flatnonzero(known).tolist())
        )
        return LabelFile((film,), base="frames from 0", behaviours=tuple(names))
