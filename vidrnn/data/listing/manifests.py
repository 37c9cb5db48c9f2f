"""Films that the rows of a table name, with class, group and part, and the part of the film that a row is of."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vidrnn.data.films import LabelledData, find_listed_file, in_one_form
from vidrnn.data.listing.excerpts import ExcerptColumns
from vidrnn.data.listing.features import find_features, why_no_features
from vidrnn.data.listing.parts import PART_WORDS
from vidrnn.data.listing.tables import Row, columns_of, read_rows, refuse
from vidrnn.errors import DataError
from vidrnn.values import FilmFailure, LabelledFilm, Part
from vidrnn.video.inspection.diagnosis import why_no_file
from vidrnn.video.reader import is_film

COLUMNS = ("path", "label", "group", "split")
SYNONYMS = {"file_name": "path", "frame_rate": "fps", "framerate": "fps"}
"""`file_name` is the column of VideoFolder in Hugging Face's datasets."""
_LIMITING_WORDS = frozenset(
    (
        "bbox",
        "box",
        "roi",
        "crop",
        "x",
        "y",
        "x1",
        "y1",
        "x2",
        "y2",
        "xmin",
        "ymin",
        "xmax",
        "ymax",
        "left",
        "top",
        "track",
    )
)
"""Words in the names of columns that tell a part of the picture."""
_FASTEST = 100_000.0
"""Frames per second of a film."""
_MOST_NAMED = 8


def read_manifest(data: Path, features: Path | None, *, labelled: bool = True) -> LabelledData:
    """The films of the rows of a manifest. A row that names no film is a failure.

    Args:
        data: CSV (path,label[,group][,split][,start][,end]) or JSON Lines.
        features: the folder of features that are read in place of the films; None: the films themselves.
        labelled: whether rows have labels; else the labels are empty.

    Raises:
        DataError: the manifest is wrong, or no row names a film that exists.
    """
    columns = columns_of(data, (*COLUMNS, "frame", *SYNONYMS))
    if labelled and {"path", "frame", "label"} <= set(columns):
        raise DataError(
            f"{data}: has a label for each frame (path,frame,label). This version does not train on such labels. "
            "Give a manifest with one label for each video (path,label)."
        )
    excerpts = ExcerptColumns.of([column for column in columns if column not in COLUMNS])
    names = () if excerpts is None else excerpts.names
    needed, optional = (COLUMNS[:2], COLUMNS[2:]) if labelled else (COLUMNS[:1], COLUMNS[2:])
    rows = read_rows(data, needed, (*optional, "fps", *names), SYNONYMS)
    table = _Table(data, rows, needed, features, excerpts)
    labelled_data = table.films()
    notes = []
    if excerpts is not None and any(film.excerpt is not None for film in labelled_data.films):
        notes.append(f"each row is of a part of its video, by the columns {' and '.join(names)}")
    if any(film.rate is not None for film in labelled_data.films):
        notes.append("times are counted by the column fps, in place of the videos' own time stamps")
    used = {*COLUMNS, "fps", *names, *SYNONYMS, ""}
    if unused := [column for column in columns if column not in used]:
        more = f" and {len(unused) - _MOST_NAMED} more" if len(unused) > _MOST_NAMED else ""
        notes.append(f"columns without effect: {', '.join(unused[:_MOST_NAMED])}{more}")
    warnings: tuple[str, ...] = ()
    if limiting := [column for column in unused if not _LIMITING_WORDS.isdisjoint(re.findall(r"[^\W_]+", column))]:
        warnings = (
            f"the columns {', '.join(limiting[:_MOST_NAMED])} look as if they limit what a row shows, and they have no "
            "effect: whole pictures are read. Cut the videos, if their labels are of a part of the picture",
        )
    return replace(labelled_data, notes=tuple(notes), warnings=warnings)


@dataclass
class _Table:
    """The rows of a manifest on their way to films."""

    data: Path
    rows: Sequence[Row]
    needed: Sequence[str]
    features: Path | None
    excerpts: ExcerptColumns | None
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = self.data.parent

    def films(self) -> LabelledData:
        """The films of the rows; a row with an empty cell in a needed column is a failure."""
        split = any(row["split"] for row in self.rows)
        films: list[LabelledFilm] = []
        failures: list[FilmFailure] = []
        absent: list[str] = []
        for row in self.rows:
            film = self._film(row, self._part(row) if split else None)
            if isinstance(film, LabelledFilm):
                films.append(film)
            else:
                failures.append(film)
                absent += [in_one_form(row["label"])] if row["label"] else []
        refuse(self.data, self.faults)
        if not films:
            first = f" First problem: {failures[0].reason}." if failures else ""
            raise DataError(
                f"{self.data}: no row of it names a video that exists.{first} Paths are relative to the CSV."
            )
        return LabelledData(tuple(films), tuple(failures), absent=tuple(absent))

    def _film(self, row: Row, part: Part | None) -> LabelledFilm | FilmFailure:
        folder, features = self.folder, self.features
        excerpt = None if self.excerpts is None else self.excerpts.read(row, self.faults)
        rate = self._rate(row) if row["fps"] else None
        for column in self.needed:
            if not row[column]:
                return FilmFailure(folder / row["path"], f"line {row.line} of the manifest has no {column}")
        path: Path | None
        if features is not None:
            path, mode = find_features(features, folder, row["path"]), 0
        elif not (mode := _mode_of(path := folder / row["path"])):
            path = find_listed_file(folder, row["path"])
        if path is None and features is not None:
            reason = f"line {row.line} of the manifest has no features: {why_no_features(features, row['path'])}"
            return FilmFailure(folder / row["path"], reason)
        if path is None:
            return FilmFailure(folder / row["path"], f"line {row.line} of the manifest names {_missing(folder, row)}")
        mode = mode or _mode_of(path)
        if stat.S_ISDIR(mode) and not is_film(path):
            return FilmFailure(path, f"line {row.line} of the manifest names a folder that holds no numbered pictures")
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            return FilmFailure(path, f"line {row.line} of the manifest names a pipe or a device, which is no file")
        label, group = in_one_form(row["label"]), in_one_form(row["group"]) or None
        return LabelledFilm(path, label, group, part, excerpt=excerpt, rate=rate)

    def _rate(self, row: Row) -> float | None:
        try:
            rate = float(row["fps"])
        except ValueError:
            rate = 0.0
        if not 0 < rate <= _FASTEST:
            self.faults.append(
                f"line {row.line} has the fps {row['fps'][:40]!r}; write frames per second, such as 29.97."
            )
            return None
        return rate

    def _part(self, row: Row) -> Part | None:
        word = row["split"]
        part = PART_WORDS.get(word.casefold())
        if part is None:
            cell = f"the split {word!r}" if word else "no split, though other rows have one"
            self.faults.append(f"line {row.line} has {cell}; write train, val or test.")
        return part


def _mode_of(path: Path) -> int:
    """What kind of file a path names; 0 where it is none."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116
    except (OSError, ValueError):  # no file can have such a name
        return 0


def _missing(folder: Path, row: Row) -> str:
    """What a row names that is no file: a broken link, or nothing."""
    try:
        reason = why_no_file(folder / row["path"]) if (folder / row["path"]).is_symlink() else None
    except (OSError, ValueError):
        reason = None
    return f"what {reason.rstrip('.')}" if reason else "a file that is not there"
