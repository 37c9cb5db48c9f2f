"""`--fix DIR`: a manifest of DATA without what can be mended without a person.

Rows that cannot be used, copies and blank videos are left out, names that differ in spelling only are joined, and
labels end with their videos. Which of two labels is right, and what a damaged video showed, only its owner knows.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vidrnn.atomic import write_text
from vidrnn.check.pictures import is_blank
from vidrnn.check.reading import Understood
from vidrnn.config import RunConfig
from vidrnn.data.annotations import in_frames, known_frames
from vidrnn.data.films import counted
from vidrnn.data.listing.labelled import alike_names
from vidrnn.data.splits import shown_classes
from vidrnn.errors import OutputError, UsageError
from vidrnn.outputs.convert import film_events
from vidrnn.text import table_cell
from vidrnn.values import FilmScan, LabelledFilm, Part

FILE_NAME = "manifest.csv"
_ENDLESS = 1e8
"""A bout that ends later means the whole of its video."""
_SLACK = 1e-3
"""Times are rounded."""
_ORDER = {None: 0, Part.TRAIN: 0, Part.VAL: 1, Part.TEST: 2}
"""Of two copies in a given split the one in the later part stays, as in a training."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A manifest that was written, and what is another in it than in DATA."""

    file: Path
    rows: int
    changes: tuple[str, ...]
    flags: str
    """What `vidrnn train` needs beside the file."""

    @property
    def sentence(self) -> str:
        """What was written, what changed, and the command that trains on it."""
        changed = "; ".join(self.changes) or "nothing had to be changed"
        return (
            f"Written: {self.file} with {counted(self.rows, 'row')}: {changed}. "
            f"Train on it: vidrnn train {self.file}{self.flags}"
        )

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {"file": str(self.file), "rows": self.rows, "changes": list(self.changes), "flags": self.flags.strip()}


def refuse_place(folder: Path, read_features: str | None) -> None:
    """Refuse a place for the manifest before any work is done.

    Raises:
        UsageError: features stand for the videos.
        OutputError: there is such a file already.
    """
    if read_features:
        raise UsageError(f"--fix {folder}: works on videos, not on features. Leave out --features.")
    if (folder / FILE_NAME).exists():
        raise OutputError(f"{folder / FILE_NAME}: exists already. Choose another --fix DIR, or remove it.")


def write_repaired(read: Understood, folder: Path) -> Repair | None:
    """Write the manifest into a folder, which is made if needed; None if no row would remain.

    Raises:
        OutputError: it cannot be written.
    """
    file = folder / FILE_NAME
    films, changes = _mended(read)
    if not films:
        return None
    names = _Names.of(films)
    changes += [f"{len(old)} names joined as {new!r}" for new, old in names.joined.items()]
    columns, rows, cut = _rows(films, read, names, folder)
    if cut:
        changes.append(f"{counted(cut, 'label')} cut at the end of the video, or left out behind it")
    if any(film.others for film in films):
        changes.append("labels of further annotators left out")
    flags, remark = _flags(read, films)
    _write(file, columns, rows)
    return Repair(file, len(rows), (*changes, *([remark] if remark else [])), flags)


def _mended(read: Understood) -> tuple[list[LabelledFilm], list[str]]:
    """The films that stay, and what was left out."""
    named = read.named.films if read.named is not None else ()
    changes = []
    if read.left_out:
        changes.append(f"{counted(len(read.left_out), 'video')} that cannot be used left out")
    out = {failure.path for failure in read.left_out}
    kept = [film for film in named if film.path not in out and isinstance(read.whole.get(film.path), FilmScan)]
    blank = [film for film in kept if is_blank(_scan(read, film))]
    if blank:
        changes.append(f"{counted(len(blank), 'clip')} of blank videos left out")
        kept = [film for film in kept if film not in blank]
    spelling = _Names.of(kept).new
    contents: defaultdict[object, list[LabelledFilm]] = defaultdict(list)
    for film in kept:
        contents[_scan(read, film).content_hash, film.excerpt].append(film)
    stay: set[int] = set()
    copies = doubtful = 0
    for alike in contents.values():
        if len({spelling.get(film.label, film.label) for film in alike}) > 1:
            doubtful += len(alike)
            continue
        copies += len(alike) - 1
        stay.add(id(max(alike, key=lambda film: _ORDER[film.part])))
    if copies:
        what = "1 exact copy of another video" if copies == 1 else f"{copies:,} exact copies of other videos"
        changes.append(f"{what} left out")
    if doubtful:
        changes.append(f"{counted(doubtful, 'clip')} left out that are one video with different labels")
    return [film for film in kept if id(film) in stay], changes


def _scan(read: Understood, film: LabelledFilm) -> FilmScan:
    scan = read.whole[film.path]
    assert isinstance(scan, FilmScan)
    return scan


@dataclass(frozen=True, slots=True)
class _Names:
    """The one spelling of names that differ in spelling only: the most frequent one."""

    new: Mapping[str, str]
    """By the spellings that are given up."""
    joined: Mapping[str, tuple[str, ...]]
    """All spellings by the one that stays."""

    @classmethod
    def of(cls, films: Sequence[LabelledFilm]) -> _Names:
        counts = Counter(name for film in films for name in shown_classes(film))
        joined = {max(alike, key=lambda name: counts[name]): alike for alike in alike_names(counts)}
        return cls({old: new for new, alike in joined.items() for old in alike if old != new}, joined)

    def __call__(self, name: str) -> str:
        return self.new.get(name, name)


# --- rows ------------------------------------------------------------------------------------------------------------


def _rows(
    films: Sequence[LabelledFilm], read: Understood, names: _Names, folder: Path
) -> tuple[list[str], list[dict[str, Any]], int]:
    """The columns, the rows, and how many labels were cut."""
    of_moments = any(film.annotation is not None for film in films)
    groups = _groups(films, read)
    rows: list[dict[str, Any]] = []
    cut = 0
    for film in films:
        common = {
            "path": table_cell(_path(film.path, folder)),
            "group": table_cell(groups.get(film.path, "")),
            "split": str(film.part or ""),
            "fps": "" if film.rate is None else f"{film.rate:g}",
        }
        if of_moments:
            events, lost = _bouts(film, _scan(read, film), names)
            cut += lost
            rows += [{**common, **event} for event in events]
        else:
            rows.append({**common, "label": table_cell(names(film.label)), **_excerpt(film, _scan(read, film))})
    wanted = ("path", "start", "end", "start_frame", "end_frame", "label", "subject", "group", "split", "fps")
    return (
        [name for name in wanted if name == "path" or any(row.get(name) not in (None, "") for row in rows)],
        rows,
        cut,
    )


def _groups(films: Sequence[LabelledFilm], read: Understood) -> dict[Path, str]:
    """The group of each film, where groups are shared: those of the names may look otherwise once rows are gone."""
    dataset = read.dataset
    if dataset is None or len(dataset.grouping.counts) == len(dataset.films):
        return {film.path: film.group for film in films if film.group}
    return {film.path: group for film, group in zip(dataset.films, dataset.groups, strict=True)}


def _path(film: Path, folder: Path) -> str:
    """The path of a film from the folder of the manifest; the whole path where there is none, as between two disks."""
    try:
        return Path(os.path.relpath(film.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return str(film.resolve())


def _excerpt(film: LabelledFilm, scan: FilmScan) -> dict[str, Any]:
    """The columns of the part that a clip is of, which ends with its film."""
    if film.excerpt is None:
        return {}
    excerpt = film.excerpt
    last = scan.facts.frames if excerpt.unit == "frames" else scan.facts.first_seconds + scan.facts.duration_seconds
    end = last if excerpt.end is None else min(excerpt.end, last)
    if excerpt.unit == "frames":
        return {"start_frame": f"{excerpt.start:.0f}", "end_frame": f"{end:.0f}"}
    return {"start": f"{excerpt.start:.6g}", "end": f"{end:.6f}".rstrip("0").rstrip(".")}


def _bouts(film: LabelledFilm, scan: FilmScan, names: _Names) -> tuple[list[dict[str, Any]], int]:
    """A row for each bout, in seconds and cut at the end of the film; and how many were cut or lie behind it."""
    assert film.annotation is not None
    bouts = tuple(replace(bout, label=names(bout.label)) for bout in film.annotation.bouts)
    events = film_events(str(film.path), replace(film.annotation, bouts=bouts), scan).events
    end = (
        scan.facts.frames
        if film.annotation.unit == "frames"
        else scan.facts.first_seconds + scan.facts.duration_seconds
    )
    cut = sum(end + _SLACK < bout.end < _ENDLESS for bout in bouts)
    rows = [
        {
            "start": f"{event.start_seconds:.4f}",
            "end": f"{event.end_seconds:.4f}",
            "label": table_cell(event.label),
            "subject": table_cell(event.subject),
        }
        for event in events
    ]
    return rows, cut


def _flags(read: Understood, films: Sequence[LabelledFilm]) -> tuple[str, str]:
    """The flags with which a training reads the manifest as it reads DATA, and what the manifest cannot say."""
    task, config = read.request.task, read.request.config
    flags = "" if task.name == RunConfig.model_fields["task"].default else f" --task {task.name}"
    empty, unknown = (any(each) for each in zip(*(_silences(film, _scan(read, film)) for film in films), strict=True))
    remark = ""
    if empty and unknown:
        remark = "moments that were annotated and show no behaviour count as not known, as all others without a label"
    elif empty:
        flags += " --unlabelled none"
    return flags + (f" --rate {config.rate:g}" if config.rate else ""), remark


def _silences(film: LabelledFilm, scan: FilmScan) -> tuple[bool, bool]:
    """Whether some moment of a film is known to show no behaviour, and whether some moment is not known."""
    if film.annotation is None:
        return False, False
    frames = np.arange(scan.facts.frames)
    annotation = in_frames(film.annotation, scan.frame_seconds, scan.facts.first_seconds + scan.facts.duration_seconds)
    known, shown = known_frames(annotation, frames), np.zeros(len(frames), dtype=np.bool_)
    for bout in annotation.bouts:
        shown[int(bout.start) : int(bout.end)] = True
    return bool((known & ~shown).any()), bool((~known).any())


def _write(file: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(file, text.getvalue(), advice="Choose another --fix DIR.")
