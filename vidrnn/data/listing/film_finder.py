"""Names that label files have for films, and the films that they mean. This module decodes no film."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from vidrnn.data.films import counted, find_listed_file, folder_content, natural_key
from vidrnn.data.label_text import listed, tidy
from vidrnn.data.listing.own_results import OwnResults
from vidrnn.errors import UsageError
from vidrnn.video.reader import is_film


class FilmFinder:
    """Finds films by the names that label files have for them.

    A film lies where its name says, as seen from the label file or from the folder of films. Else it is the one film
    of that name, or of that stem, whose folders agree with the name the longest.
    """

    def __init__(self, data: Path, films: str | None, label_files: Sequence[Path]) -> None:
        """Search the folder `films`, or DATA if it is a folder, or else the folder of DATA, itself only.

        Raises:
            UsageError: `films` is no folder.
        """
        if films is not None and not Path(films).is_dir():
            raise UsageError(f"--films {films}: there is no such folder.")
        self._own = data if data.is_dir() else data.parent
        self._root = self._own if films is None else Path(films)
        self._deep = films is not None or data.is_dir()
        self._label_files = {path.resolve() for path in label_files}
        self._below: tuple[Path, ...] | None = None
        self._index: dict[str, list[Path]] = {}

    def find(self, beside: Path, names: Sequence[str]) -> tuple[Path, bool] | str:
        """The film, and whether it lies where its name says; or the reason why there is none, as a clause.

        Args:
            beside: the folder of the label file.
            names: of the film, tried in order.
        """
        reason = ""
        for name in names:
            found = self._find(beside, name)
            if not isinstance(found, str):
                return found
            reason = reason or found
        return reason

    def numbered(self, number: int) -> tuple[Path, bool] | str:
        """The film of a number, for labels that only count their films; the result is that of `find`.

        It is the film whose name ends in the number, such as Test003.avi. Where no name ends in a number, it is the
        film at this place, from 1, in natural order.
        """
        ends = {path: re.search(r"\d+$", path.stem) for path in self.films}
        if not any(ends.values()):
            films = sorted(self.films, key=natural_key)
            return (films[number - 1], False) if number <= len(films) else self._absent
        matches = [path for path, end in ends.items() if end is not None and int(end[0]) == number]
        if len(matches) > 1:
            return f"{counted(len(matches), 'video')} end in {number}: {listed(map(str, matches))}. Rename one of them"
        return (matches[0], False) if matches else self._absent

    def _find(self, beside: Path, name: str) -> tuple[Path, bool] | str:
        if not name.strip():
            return "the labels do not name their video"
        for folder in dict.fromkeys((beside, self._root)):
            path = find_listed_file(folder, name)
            if path is not None and path.resolve() not in self._label_files and (path.is_file() or is_film(path)):
                return path, True
        parts = [part for part in name.replace("\\", "/").split("/") if part and not re.fullmatch(r"[A-Za-z]:", part)]
        matches = self._closest(parts) if parts else []
        if near := [path for path in matches if path.parent == beside and len(parts) == 1]:
            matches = near
        if len(matches) > 1:
            return f"{counted(len(matches), 'video')} may be it: {listed(map(str, matches))}. Give one by --films DIR"
        if matches:
            return matches[0], bool(near) and matches[0].stem == parts[0]
        return self._absent

    @property
    def _absent(self) -> str:
        below = "in it or below it" if self._deep else "beside the labels"
        return f"there is no such video {below} ({self._root}). --films DIR names the folder of the videos"

    def _closest(self, parts: list[str]) -> list[Path]:
        """The films of the same name, or else of the same stem, whose folders agree with the name the longest."""
        index = self._index or self._make_index()
        name = tidy(parts[-1])
        stem = Path(name).stem
        for key in dict.fromkeys((f"name {name}", f"stem {name}", f"stem {stem}")):
            if found := index.get(key.casefold()):
                exact = [path for path in found if tidy(path.name) == name] or found
                shared = {path: _shared_folders(path, parts) for path in exact}
                return [path for path in exact if shared[path] == max(shared.values())]
        return []

    def _make_index(self) -> dict[str, list[Path]]:
        for path in self.films:
            self._index.setdefault(f"name {tidy(path.name)}".casefold(), []).append(path)
            self._index.setdefault(f"stem {tidy(path.stem)}".casefold(), []).append(path)
        return self._index

    @property
    def films(self) -> tuple[Path, ...]:
        """The films among which labels find theirs; answers that vidrnn wrote are none of them."""
        if self._below is None:
            films = folder_content(self._root)[0] if self._deep else sorted(filter(is_film, self._root.iterdir()))
            own = OwnResults()
            self._below = tuple(film for film in films if film not in own)
        return self._below

    def notes(self, used: Iterable[Path]) -> Iterator[str]:
        """A note if there are films without labels."""
        left = {path.resolve() for path in self.films} - {path.resolve() for path in used}
        if left:
            shown = listed(sorted(path.name for path in left))
            yield f"{counted(len(left), 'video')} without labels {'is' if len(left) == 1 else 'are'} left out: {shown}"


def _shared_folders(path: Path, parts: list[str]) -> int:
    """How many folders above a film agree with the end of a name."""
    count = 0
    for own, other in zip(path.parts[-2::-1], parts[-2::-1], strict=False):
        if tidy(own).casefold() != tidy(other).casefold():
            break
        count += 1
    return count
