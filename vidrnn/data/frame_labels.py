"""What the owner of films says of each frame: a CSV manifest of path,frame,label. No film is opened.

Frames are counted from 0, or from 1 where no film has a frame 0. Every frame of a film that is named has its label.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrnn.data.films import counted, find_listed_file
from vidrnn.data.manifest import Row, columns_of, read_rows
from vidrnn.errors import DataError, FilmError
from vidrnn.values import FilmFailure
from vidrnn.video.reader import is_film

COLUMNS = ("path", "frame", "label")
NORMAL_WORDS = frozenset({"normal", "usual", "ordinary", "0"})
ANOMALY_WORDS = frozenset({"anomaly", "anomalous", "abnormal", "unusual", "1"})
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class FrameLabels:
    """A film and what each of its frames is called."""

    path: Path
    labels: tuple[str, ...]
    """From the film's first frame to its last."""

    @property
    def anomalies(self) -> NDArray[np.bool_]:
        """Which frames are anomalies (frames,), of labels that are words of two kinds; see `check_two_kinds`."""
        return np.asarray([label.casefold() in ANOMALY_WORDS for label in self.labels], dtype=np.bool_)

    def check_length(self, frames: int) -> None:
        """Hold the labels against the film.

        Raises:
            FilmError: it has more or fewer frames than labels.
        """
        if frames != len(self.labels):
            raise FilmError(
                f"{self.path}: {counted(frames, 'frame')} could be read, but {len(self.labels):,} are labelled. "
                "Labels are for every frame of the film as it is, in order."
            )


@dataclass(frozen=True, slots=True)
class FrameLabelledData:
    """Films with the truth about their frames, films that cannot be used, and what the user should know."""

    films: tuple[FrameLabels, ...]
    failures: tuple[FilmFailure, ...] = ()
    notes: tuple[str, ...] = ()

    def check_two_kinds(self, data: Path) -> None:
        """See that frames are called normal or anomaly, and both.

        Raises:
            DataError: there is another label, or only one kind.
        """
        found = {label for film in self.films for label in film.labels}
        if others := sorted(each for each in found if each.casefold() not in NORMAL_WORDS | ANOMALY_WORDS):
            raise DataError(
                f"{data}: frames are labelled {_named(others)}. To tell anomalies from normal frames, call each "
                "'normal' or 'anomaly' (or usual, unusual; 0, 1)."
            )
        anomalies = sum(int(film.anomalies.sum()) for film in self.films)
        if anomalies in (0, sum(len(film.labels) for film in self.films)):
            raise DataError(
                f"{data}: every frame is labelled {_named(sorted(found))}; telling anomalies from normal frames is "
                "measured where there are both."
            )


def is_frame_manifest(data: Path) -> bool:
    """Whether this is a CSV with a label for each frame: the columns path, frame and label. A film is none.

    Raises:
        DataError: the file cannot be read, or is not text.
    """
    return data.is_file() and not is_film(data) and set(COLUMNS) <= set(columns_of(data, COLUMNS))


def read_frame_labels(data: Path) -> FrameLabelledData:
    """Films and the labels of their frames, from a CSV manifest of path,frame,label.

    A film that is not there, or some of whose frames have no label or two, is a failure.

    Raises:
        DataError: the manifest cannot be used at all.
    """
    if not data.is_file():
        raise DataError(f"{data}: there is no such CSV file.")
    rows = read_rows(data, COLUMNS)
    by_film: dict[Path, list[Row]] = {}
    failures: dict[str, FilmFailure] = {}
    for row in rows:
        path = find_listed_file(data.parent, row["path"]) if row["path"] else None
        if path is None or (path.is_dir() and not is_film(path)):
            failures.setdefault(row["path"], _not_there(data.parent, row))
        else:
            by_film.setdefault(path, []).append(row)
    numbered = {path: [(_number(data, row), row) for row in rows] for path, rows in by_film.items()}
    first = int(bool(numbered) and all(min(n for n, _ in rows) >= 1 for rows in numbered.values()))
    found = [_film(path, rows, first) for path, rows in numbered.items()]
    films = tuple(each for each in found if isinstance(each, FrameLabels))
    bad = (*failures.values(), *(each for each in found if isinstance(each, FilmFailure)))
    if not films:
        problem = f" First problem: {bad[0].path}: {bad[0].reason}." if bad else ""
        raise DataError(
            f"{data}: found no film with a label for each frame in {counted(len(rows), 'row')}.{problem} "
            "Paths are relative to the CSV."
        )
    return FrameLabelledData(films, bad, ("frames are counted from 1: none has the number 0",) if first else ())


def _not_there(folder: Path, row: Row) -> FilmFailure:
    names = "has no path" if not row["path"] else "names a file that is not there"
    return FilmFailure(folder / row["path"], f"line {row.line} of the manifest {names}")


def _number(data: Path, row: Row) -> int:
    if not (row["frame"].isascii() and row["frame"].isdecimal()):
        raise DataError(
            f"{data}: line {row.line} has the frame {row['frame']!r}; frames are whole numbers, counted from 0."
        )
    return int(row["frame"])


def _film(path: Path, rows: Sequence[tuple[int, Row]], first: int) -> FrameLabels | FilmFailure:
    """The labels of one film in order, or why they are none."""
    labels: dict[int, str] = {}
    for number, row in rows:
        if not row["label"]:
            return FilmFailure(path, f"line {row.line} of the manifest has no label")
        if labels.setdefault(number - first, row["label"]) != row["label"]:
            return FilmFailure(
                path, f"frame {number} is labelled twice, {labels[number - first]!r} and {row['label']!r}"
            )
    if len(labels) <= max(labels):
        missing = _first_missing(labels, first)
        return FilmFailure(
            path,
            f"{max(labels) + 1 - len(labels):,} of its frames {first} to {max(labels) + first} have no label "
            f"(the first is {next(missing)})",
        )
    return FrameLabels(path, tuple(labels[number] for number in sorted(labels)))


def _first_missing(labels: dict[int, str], first: int) -> Iterator[int]:
    return (number + first for number in range(len(labels) + 1) if number not in labels)


def _named(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _MOST_NAMED} more" if len(labels) > _MOST_NAMED else ""
    return ", ".join(map(repr, labels[:_MOST_NAMED])) + more
