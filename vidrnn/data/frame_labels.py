"""Labels of single frames, from a CSV manifest of path,frame,label. This module opens no film.

Frame numbers start at 0. They start at 1 if no film has a frame 0. A film in the manifest has one label for each of its
frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrnn.data.films import counted, find_listed_file
from vidrnn.data.listing.tables import Row, columns_of, read_rows, refuse
from vidrnn.errors import DataError, FilmError
from vidrnn.values import FilmFailure
from vidrnn.video.reader import is_film

COLUMNS = ("path", "frame", "label")
NORMAL_WORDS = frozenset({"normal", "usual", "ordinary", "0"})
ANOMALY_WORDS = frozenset({"anomaly", "anomalous", "abnormal", "unusual", "1"})
_MOST_SHOWN = 5
_MOST_DIGITS = 18
"""Of the number of a frame."""


@dataclass(frozen=True, slots=True)
class FrameLabels:
    """A film and the label of each of its frames."""

    path: Path
    labels: tuple[str, ...]
    """From the first frame of the film to the last."""

    @property
    def anomalous(self) -> NDArray[np.bool_]:
        """(frames,): whether each frame is an anomaly. The labels must pass `check_two_kinds` before."""
        return np.asarray([label.casefold() in ANOMALY_WORDS for label in self.labels], dtype=np.bool_)

    def check_length(self, frames: int) -> None:
        """Compare the number of labels with the number of frames of the film.

        Raises:
            FilmError: the numbers differ.
        """
        if frames != len(self.labels):
            raise FilmError(
                f"{self.path}: {counted(frames, 'frame')} could be read, but {len(self.labels):,} are labelled. "
                "Give one label for each frame of the video, in order."
            )


@dataclass(frozen=True, slots=True)
class FrameLabelledData:
    """Films with labels of their frames, films that cannot be used, and notes for the user."""

    films: tuple[FrameLabels, ...]
    failures: tuple[FilmFailure, ...] = ()
    notes: tuple[str, ...] = ()

    def check_two_kinds(self, data: Path) -> None:
        """Check that the labels are words for normal frames and for anomalies, and that both kinds occur.

        Raises:
            DataError: there is another label, or only one kind occurs.
        """
        labels = {label for film in self.films for label in film.labels}
        if others := sorted(each for each in labels if each.casefold() not in NORMAL_WORDS | ANOMALY_WORDS):
            raise DataError(
                f"{data}: frames are labelled {_quoted(others)}. To score anomalies, label each frame 'normal' "
                "or 'anomaly' (or 0, 1)."
            )
        anomalous = sum(int(film.anomalous.sum()) for film in self.films)
        if anomalous in (0, sum(len(film.labels) for film in self.films)):
            raise DataError(
                f"{data}: every frame is labelled {_quoted(sorted(labels))}. To score anomalies, label normal frames "
                "and anomalies."
            )


def is_frame_manifest(data: Path) -> bool:
    """Whether `data` is a CSV manifest with the columns path, frame and label.

    Raises:
        DataError: the file cannot be read, or it is not text.
    """
    return data.is_file() and not is_film(data) and set(COLUMNS) <= set(columns_of(data, COLUMNS))


def read_frame_labels(data: Path) -> FrameLabelledData:
    """Films and the labels of their frames, from a CSV manifest of path,frame,label.

    A missing film is a failure. So is a film with a frame that has no label or two labels.

    Raises:
        DataError: the manifest is wrong, or it gives no film that can be used.
    """
    if not data.is_file():
        raise DataError(f"{data}: there is no such CSV file.")
    rows = read_rows(data, COLUMNS)
    by_film: dict[Path, list[Row]] = {}
    failures: dict[str, FilmFailure] = {}
    for row in rows:
        path = find_listed_file(data.parent, row["path"]) if row["path"] else None
        if path is None or (path.is_dir() and not is_film(path)):
            failures.setdefault(row["path"], _missing_film(data.parent, row))
        else:
            by_film.setdefault(path, []).append(row)
    refuse(data, [fault for rows in by_film.values() for row in rows if (fault := _fault(row))])
    numbered = {path: [(int(row["frame"]), row) for row in rows] for path, rows in by_film.items()}
    first = int(bool(numbered) and all(min(n for n, _ in rows) >= 1 for rows in numbered.values()))
    results = [_film(path, rows, first) for path, rows in numbered.items()]
    films = tuple(each for each in results if isinstance(each, FrameLabels))
    unusable = (*failures.values(), *(each for each in results if isinstance(each, FilmFailure)))
    if not films:
        problem = f" First problem: {unusable[0].path}: {unusable[0].reason}." if unusable else ""
        raise DataError(
            f"{data}: found no video with a label for each frame in {counted(len(rows), 'row')}.{problem} "
            "Paths are relative to the CSV."
        )
    return FrameLabelledData(films, unusable, ("frame numbers start at 1: no frame has the number 0",) if first else ())


def _missing_film(folder: Path, row: Row) -> FilmFailure:
    names = "has no path" if not row["path"] else "names a file that is not there"
    return FilmFailure(folder / row["path"], f"line {row.line} of the manifest {names}")


def _fault(row: Row) -> str:
    """What is wrong with the number of a row; empty if nothing is."""
    number = row["frame"]
    if number.isascii() and number.isdecimal() and len(number) <= _MOST_DIGITS:
        return ""
    return f"line {row.line} has the frame {number[:40]!r}; frame numbers are whole numbers from 0."


def _film(path: Path, rows: Sequence[tuple[int, Row]], first: int) -> FrameLabels | FilmFailure:
    """The labels of one film, in order, or its failure."""
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


def _quoted(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _MOST_SHOWN} more" if len(labels) > _MOST_SHOWN else ""
    return ", ".join(map(repr, labels[:_MOST_SHOWN])) + more
