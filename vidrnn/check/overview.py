"""What was understood of DATA, as tables and numbers: classes or behaviours, groups, the split, facts of the files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from vidrnn.check.reading import Understood
from vidrnn.check.shortcuts import Shortcut
from vidrnn.data.dataset import Dataset
from vidrnn.data.films import counted
from vidrnn.data.splits import Split
from vidrnn.tables import Table
from vidrnn.values import Part

_MOST_ROWS = 40
"""Of a table on the screen; the JSON has all."""


@dataclass
class Shown:
    """How much of the videos shows one class or behaviour."""

    seconds: float = 0.0
    videos: set[Path] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    parts: Counter[Part] = field(default_factory=Counter)
    """Clips, or videos that show it, on each side of the split."""
    lengths: list[float] = field(default_factory=list)
    """Seconds of each clip, or of each bout."""
    rates: list[float] = field(default_factory=list)
    """Frames per second of each video that shows it."""
    sizes: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many clips, or bouts."""
        return len(self.lengths)

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "count": self.count,
            "seconds": round(self.seconds, 3),
            "videos": len(self.videos),
            "groups": len(self.groups),
            "median_seconds": round(median(self.lengths), 3),
            "median_fps": round(median(self.rates), 3),
            "sizes": dict(self.sizes.most_common()),
            "parts": {str(part): self.parts[part] for part in Part if self.parts[part]},
        }


def shown_by_name(dataset: Dataset, split: Split | None) -> dict[str, Shown]:
    """What the videos show, by the name of the class or behaviour; empty for videos without labels."""
    shown: defaultdict[str, Shown] = defaultdict(Shown)
    parts = split.parts if split is not None and len(split.parts) == len(dataset.films) else None
    for place, (film, scan) in enumerate(zip(dataset.films, dataset.scans, strict=True)):
        seconds: defaultdict[str, float] = defaultdict(float)
        if film.annotation is None:
            seconds[film.label] = scan.facts.duration_seconds
            shown[film.label].lengths.append(scan.facts.duration_seconds)
        else:
            scale = 1 / scan.facts.fps if film.annotation.unit == "frames" and scan.facts.fps else 1.0
            for bout in film.annotation.bouts:
                end = min(bout.end * scale, scan.facts.first_seconds + scan.facts.duration_seconds)
                seconds[bout.label] += max(0.0, end - bout.start * scale)
                shown[bout.label].lengths.append(max(0.0, end - bout.start * scale))
        for name, amount in seconds.items():
            each = shown[name]
            each.seconds += amount
            each.rates.append(scan.facts.fps)
            each.sizes[f"{scan.facts.size}"] += 1
            each.videos.add(film.path)
            each.groups.add(dataset.groups[place])
            if parts is not None:
                each.parts[parts[place]] += 1
    return {name: shown[name] for name in sorted(shown) if name}


def class_table(dataset: Dataset, split: Split | None) -> Table | None:
    """A row for each class or behaviour; None for videos without labels."""
    shown = shown_by_name(dataset, split)
    if not shown:
        return None
    of_moments = any(film.annotation is not None for film in dataset.films)
    sides = [part for part in Part if split is not None and part in split.parts]
    columns: dict[str, Callable[[Shown], str]] = {
        "bouts" if of_moments else "clips": lambda each: f"{each.count:,}",
        "videos" if of_moments else "groups": lambda each: f"{len(each.videos if of_moments else each.groups):,}",
        "seconds": lambda each: f"{each.seconds:,.0f}" if each.seconds >= 10 else f"{each.seconds:.1f}",
        "median s": lambda each: f"{median(each.lengths):.1f}",
    }
    if len({round(median(each.rates), 1) for each in shown.values()}) > 1:
        columns["fps"] = lambda each: f"{median(each.rates):.3g}"
    if len({each.sizes.most_common(1)[0][0] for each in shown.values()}) > 1:
        columns["size"] = lambda each: each.sizes.most_common(1)[0][0]
    head = ("behaviour" if of_moments else "class", *columns)
    rows = [
        (name, *(shows(each) for shows in columns.values()), *(f"{each.parts[side]:,}" for side in sides))
        for name, each in shown.items()
    ]
    if len(rows) > _MOST_ROWS:
        rest = (f"and {len(rows) - _MOST_ROWS} more",) + ("",) * (len(head) - 1 + len(sides))
        rows = [*rows[:_MOST_ROWS], rest]
    return Table((*head, *map(str, sides)), tuple(rows))


def file_table(read: Understood) -> Table | None:
    """The least, the median and the most of some facts of the videos; None where no video can be read."""
    facts = [scan.facts for scan in read.scans]
    if not facts:
        return None
    numbers: dict[str, tuple[list[float], str]] = {
        "length in seconds": ([each.duration_seconds for each in facts], "{:,.1f}"),
        "frames": ([each.frames for each in facts], "{:,.0f}"),
        "frames per second": ([each.fps for each in facts], "{:.4g}"),
        "width": ([each.size.width for each in facts], "{:.0f}"),
        "height": ([each.size.height for each in facts], "{:.0f}"),
    }
    rows = tuple(
        (name, *(form.format(value) for value in (min(values), median(values), max(values))))
        for name, (values, form) in numbers.items()
    )
    return Table(("videos", "least", "median", "most"), rows)


def shortcut_table(shortcuts: Sequence[Shortcut]) -> Table | None:
    """How well facts of the files tell the class."""
    if not shortcuts:
        return None
    rows = tuple(
        (
            each.fact,
            f"{each.accuracy:.2f}",
            f"{100 * each.gain.value:+.0f}",
            f"{100 * each.gain.low:+.0f} to {100 * each.gain.high:+.0f}",
        )
        for each in shortcuts
    )
    strong = frozenset(place for place, each in enumerate(shortcuts) if each.tells)
    first = f"the class by (most frequent: {shortcuts[0].majority:.2f})"
    return Table((first, "right", "points more", "95 % interval"), rows, strong=strong)


def kinds_of_files(read: Understood) -> Iterator[str]:
    """A sentence on the kinds of the videos."""
    kinds = Counter(f"{scan.facts.codec} in {scan.facts.path.suffix or 'a folder'}" for scan in read.scans)
    if kinds:
        most = ", ".join(f"{kind} ({count:,})" for kind, count in kinds.most_common(5))
        more = f" and {len(kinds) - 5} more kinds" if len(kinds) > 5 else ""
        yield f"{counted(len(read.scans), 'video')} can be read: {most}{more}"


def split_sentence(read: Understood) -> str:
    """The split that a training would make; empty where it makes none."""
    if read.split is None:
        return ""
    folds = read.request.config.folds if read.folded else None
    before = f"{folds} folds, in which each video is in test once; then for the model itself " if folds else ""
    return f"The split of a training: {before}{' '.join(str(read.split).split())}."


def numbers_of(read: Understood) -> dict[str, Any]:
    """What was understood, as plain values."""
    dataset, split = read.best, read.split
    found: dict[str, Any] = {
        "task": read.request.task.name,
        "refusal": read.refusals[0] if read.refusals else None,
        "videos": len(read.scans),
        "seconds": round(sum(scan.facts.duration_seconds for scan in read.scans), 3),
        "notes": [note.text for note in read.notes if not note.warning],
    }
    if dataset is None:
        return {**found, "clips": 0, "classes": {}, "groups": None, "split": None}
    return {
        **found,
        "clips": len(dataset.films),
        "classes": {name: each.as_json() for name, each in shown_by_name(dataset, split).items()},
        "groups": {"count": len(dataset.grouping.counts), "source": dataset.grouping.source},
        "split": None
        if split is None
        else {
            "parts": {str(part): split.parts.count(part) for part in Part if part in split.parts},
            "cut_in_time": split.cut_in_time,
            "notes": list(split.notes),
        },
    }
