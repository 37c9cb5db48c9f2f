"""Labels of single frames, from a CSV manifest of path,frame,label. This module opens no film.

Frame numbers start at 0. They start at 1 if no film has a frame 0. A film in the manifest has one label for each of its
frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrnn.data.films import counted, find_listed_file
from vidrnn.data.label_rows import FRAME_COLUMNS, FrameRow, columns_found, read_frame_table
from vidrnn.data.listing.tables import columns_of
from vidrnn.errors import DataError, FilmError
from vidrnn.values import FilmFailure
from vidrnn.video.reader import is_film

NORMAL_WORDS = frozenset({"normal", "usual", "ordinary", "0"})
ANOMALY_WORDS = frozenset({"anomaly", "anomalous", "abnormal", "unusual", "1"})
_MOST_SHOWN = 5


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
    needed = set(FRAME_COLUMNS)
    return data.is_file() and not is_film(data) and needed <= columns_found(columns_of(data, FRAME_COLUMNS))


def read_frame_labels(data: Path) -> FrameLabelledData:
    """Films and the labels of their frames, from a CSV manifest of path,frame,label.

    A missing film is a failure. So is a film with a frame that has no label or two labels.

    Raises:
        DataError: the manifest is wrong, or it gives no film that can be used.
    """
    if not data.is_file():
        raise DataError(f"{data}: there is no such CSV file.")
    table = read_frame_table(data)
    by_film: dict[Path, list[FrameRow]] = {}
    failures: dict[str, FilmFailure] = {}
    for listed, rows in table.films:
        path = find_listed_file(data.parent, listed.name)
        if path is None or (path.is_dir() and not is_film(path)):
            reason = f"line {rows[0].line} of the manifest names a file that is not there"
            failures.setdefault(listed.name, FilmFailure(data.parent / listed.name, reason))
        else:
            by_film.setdefault(path, []).extend(rows)
    results = [_film(path, rows, table.first) for path, rows in by_film.items()]
    films = tuple(each for each in results if isinstance(each, FrameLabels))
    unusable = (*failures.values(), *(each for each in results if isinstance(each, FilmFailure)))
    if not films:
        problem = f" First problem: {unusable[0].path}: {unusable[0].reason}." if unusable else ""
        count = counted(sum(len(rows) for _, rows in table.films), "row")
        raise DataError(
            f"{data}: found no video with a label for each frame in {count}.{problem} Paths are relative to the CSV."
        )
    note = "frame numbers start at 1: no frame has the number 0"
    return FrameLabelledData(films, unusable, (note,) if table.first else ())


def _film(path: Path, rows: Sequence[FrameRow], first: int) -> FrameLabels | FilmFailure:
    """The labels of one film, in order, or its failure. `first`: the number that its first frame has in the table."""
    labels: dict[int, str] = {}
    for row in rows:
        if not row.label:
            return FilmFailure(path, f"line {row.line} of the manifest has no label")
        if labels.setdefault(row.frame, row.label) != row.label:
            return FilmFailure(
                path, f"frame {row.frame + first} is labelled twice, {labels[row.frame]!r} and {row.label!r}"
            )
    if len(labels) <= max(labels):
        missing = next(frame for frame in range(len(labels) + 1) if frame not in labels)
        return FilmFailure(
            path,
            f"{max(labels) + 1 - len(labels):,} of its frames {first} to {max(labels) + first} have no label "
            f"(the first is {missing + first})",
        )
    return FrameLabels(path, tuple(labels[frame] for frame in sorted(labels)))


def _quoted(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _MOST_SHOWN} more" if len(labels) > _MOST_SHOWN else ""
    return ", ".join(map(repr, labels[:_MOST_SHOWN])) + more
