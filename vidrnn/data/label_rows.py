"""Tables of labels that name the film in each row, as people write them by hand: columns by their usual names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vidrnn.data.label_text import Cells, Table
from vidrnn.data.listing.parts import PART_WORDS
from vidrnn.errors import DataError
from vidrnn.values import Part

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "path": ("path", "film", "video", "file", "filename", "video_id"),
    "frame": ("frame",),
    "start": ("start", "start_seconds", "start_time", "start_timestamp", "onset"),
    "end": ("end", "end_seconds", "end_time", "stop", "stop_seconds", "stop_time", "stop_timestamp", "offset"),
    "label": ("label", "behaviour", "behavior", "class", "action", "verb", "narration"),
    "subject": ("subject", "animal", "individual"),
    "group": ("group", "participant_id"),
    "split": ("split", "subset"),
    "annotator": ("annotator", "observer", "coder"),
}
"""What a column is, and the names that it may have, in lower case; the first one that a table has is it."""


def columns_found(header: Iterable[str]) -> set[str]:
    """The columns, by the keys of COLUMNS, that a header has."""
    names = set(header)
    return {key for key, spellings in COLUMNS.items() if names & set(spellings)}


@dataclass(slots=True)
class FilmRows:
    """The rows of one film and one annotator, and what they say of the film as a whole."""

    name: str
    annotator: str
    group: str | None = None
    part: Part | None = None
    rows: list[tuple[int, Cells]] = field(default_factory=list)


def rows_by_film(data: Path, table: Table) -> list[FilmRows]:
    """The rows of each film and annotator, in the order of the table.

    Raises:
        DataError: a row names no film, or a film has two groups or two parts.
    """
    path, annotator = table.column(*COLUMNS["path"]), table.column(*COLUMNS["annotator"])
    assert path is not None
    found: dict[tuple[str, str], FilmRows] = {}
    for line, cells in table.rows:
        name = cells[path]
        if not name:
            raise DataError(f"{data}: line {line} names no video.")
        person = "" if annotator is None else cells[annotator]
        film = found.get((name, person))
        if film is None:
            film = found[name, person] = FilmRows(name, person)
        film.rows.append((line, cells))
    for film in found.values():
        film.group = _one(data, film, table.column(*COLUMNS["group"]), "group")
        film.part = _part(data, film, _one(data, film, table.column(*COLUMNS["split"]), "split"))
    return list(found.values())


def _one(data: Path, film: FilmRows, column: int | None, noun: str) -> str | None:
    """The only text that the rows of a film have in a column; None for an empty one."""
    words = sorted({cells[column] for _, cells in film.rows}) if column is not None else []
    if len(words) > 1:
        raise DataError(f"{data}: {film.name} has the {noun} {words[0]!r} and the {noun} {words[1]!r}; keep one.")
    return words[0] or None if words else None


def _part(data: Path, film: FilmRows, word: str | None) -> Part | None:
    if word is not None and word.casefold() not in PART_WORDS:
        raise DataError(f"{data}: {film.name} has the split {word!r}; write train, val or test.")
    return None if word is None else PART_WORDS[word.casefold()]
