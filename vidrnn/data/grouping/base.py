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
    def number(self) -> int:
        """The number of groups."""
        return len(set(self.groups))

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
    here = Path.cwd() if any(not film.path.is_absolute() for film in films) else Path()
    paths = [os.path.join(here, film.path) for film in films]  # noqa: PTH118
    root = os.path.commonpath({os.path.dirname(path) for path in paths})  # noqa: PTH120
    start = len(os.path.join(root, ""))  # noqa: PTH118
    return [path[start:].replace(os.sep, "/") for path in paths]
