"""The groups of films, and the names that films have among others."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidrnn.data.films import counted, natural_key
from vidrnn.values import LabelledFilm


@dataclass(frozen=True, slots=True)
class Grouping:
    """The group of each film, in the films' order, and the source of the groups."""

    groups: tuple[str, ...]
    source: str
    """The source in words, such as 'from names: _gNN_'."""
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """The number of films in each group, sorted by the name of the group."""
        return dict(sorted(Counter(self.groups).items(), key=lambda item: natural_key(Path(item[0]))))

    def __str__(self) -> str:
        shared = {name: count for name, count in self.counts.items() if count > 1}
        shown = [f"{name} ({count})" for name, count in list(shared.items())[:30]]
        more = [f"and {len(shared) - 30} more"] if len(shared) > 30 else []
        return f"{counted(len(self.counts), 'group')} ({self.source})" + (
            ": " + ", ".join(shown + more) if shown else ""
        )


def film_names(films: Sequence[LabelledFilm]) -> list[str]:
    """A unique name for each film: its path below the folder that all films share."""
    paths = [film.path.absolute() for film in films]
    root = os.path.commonpath([path.parent for path in paths])
    return [path.relative_to(root).as_posix() for path in paths]
