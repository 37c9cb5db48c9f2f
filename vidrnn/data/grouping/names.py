"""Groups by a pattern in the names of films: a word with a number that stands for a subject or a place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidrnn.data.films import counted
from vidrnn.data.grouping.base import Grouping, film_names
from vidrnn.values import LabelledFilm

SUBJECT_WORDS = (
    *("person", "subject", "subj", "participant", "actor", "speaker", "performer", "player", "patient", "figure"),
    *("user", "people", "man", "woman", "child", "animal", "mouse", "rat", "sub", "pid", "sid", "id", "p", "s"),
)
PLACE_WORDS = ("group", "grp", "g", "source", "src", "session", "sess", "scene", "place", "site", "room", "day", "cam")
COUNTER_WORDS = frozenset(
    (
        *("c", "clip", "take", "t", "trial", "try", "run", "rep", "repeat", "e", "r", "x", "n", "no", "nr", "num"),
        *("number", "v", "vid", "video", "film", "movie", "mov", "part", "seg", "segment", "cut", "copy", "sample"),
        *("f", "frame", "frames", "img", "image", "pic", "fps", "hz", "px"),
    )
)
MOST_ODD_SHARE = 0.1
"""The share of films whose names may lack a pattern. One film may always lack it."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A word and a number at one place in the names, or the name of a folder."""

    word: str
    """The letters before the number, or '' for the name of a whole folder."""
    shown: str
    """The pattern in words, such as _gNN_."""
    values: tuple[str | None, ...]
    """(films,): the value of each film; None if the name of a film lacks the pattern."""


def from_names(films: Sequence[LabelledFilm]) -> Grouping | None:
    """Groups by the best pattern of the names; None if no pattern looks like a subject or a place."""
    labels = [film.label for film in films]
    candidates = [pattern for pattern in _patterns(films) if _is_grouping(pattern, labels)]
    if not candidates:
        return None
    best = min(candidates, key=lambda pattern: _rank(pattern.word))
    names = film_names(films)
    groups = tuple(value or name for value, name in zip(best.values, names, strict=True))
    without = best.values.count(None)
    notes = (
        (f"without {best.shown} in the name, so each is a group of its own: {counted(without, 'video')}",)
        if without
        else ()
    )
    return Grouping(groups, f"from names: {best.shown}", notes)


def _rank(word: str) -> int:
    """The order of preference: words for subjects, words for places, folders, all other words."""
    preferred = (*SUBJECT_WORDS, *PLACE_WORDS, "")
    return preferred.index(word) if word in preferred else len(preferred)


def _is_grouping(pattern: _Pattern, labels: Sequence[str]) -> bool:
    """Whether the values of a pattern look like groups of films, and not like a counter, a class or a setting."""
    pairs = [(label, value) for label, value in zip(labels, pattern.values, strict=True) if value is not None]
    counts = Counter(value for _, value in pairs)
    if len(labels) - len(pairs) > max(1, MOST_ODD_SHARE * len(labels)) or len(counts) < 3 or len(pairs) <= len(counts):
        return False
    if len(set(pairs)) == len(counts) and len(counts) < 3 * len(set(labels)):
        return False  # each value occurs in one class only, with few values per class: it is another name of the class
    if _rank(pattern.word) < _rank(""):
        return True
    counter = len(pairs) < 1.5 * len(set(pairs))
    return not counter and len(counts) >= 5 and max(counts.values()) <= 0.4 * len(pairs)


def _patterns(films: Sequence[LabelledFilm]) -> list[_Pattern]:
    """Every word with a number, and every folder level below the class folder, in the order of the names."""
    places = [_places(film, Path(name)) for film, name in zip(films, film_names(films), strict=True)]
    keys = dict.fromkeys(key for film in places for key in film)
    patterns = []
    for key in keys:
        _, word, occurrence = key
        if word in COUNTER_WORDS or occurrence:
            continue
        values, looks = zip(*(film.get(key, (None, "")) for film in places), strict=True)
        shown = Counter(filter(None, looks)).most_common(1)[0][0]
        patterns.append(_Pattern(word, shown, tuple(_uniform(word, values))))
    return patterns


_Place = tuple[int, str, int]
"""Level (0 is the film's own name, 1 its folder), word, and the count of the same word before it in that name."""


_WORD_AND_NUMBER = re.compile(r"(?<=([-_]))?([^\W\d_]+)([-_ ]?)(\d+)(?=([-_]))?")

_LEADING_NUMBER = re.compile(r"(?![^\W\d_]+\d+[-_ ])([^\W_]*\d[^\W_]*)([-_ ])(?=.*\d)")
"""A number, or a serial number with letters in it, at the beginning of a name with another number, such as 012_3 or
4F7A_003. A word with a number, such as p12, is a pattern of its own."""
_LEADING = "#"
"""Stands for the word that a leading number lacks."""


def _places(film: LabelledFilm, name: Path) -> dict[_Place, tuple[str, str]]:
    """The value at each place (a number or the name of a folder), with the pattern in words, such as _gNN_."""
    folders = [part for part in name.parent.parts if part != film.label][::-1]
    values: dict[_Place, tuple[str, str]] = {}
    for level, text in enumerate([name.stem if not film.path.is_dir() else name.name, *folders]):
        seen: Counter[str] = Counter()
        for match in _WORD_AND_NUMBER.finditer(text):
            before, word, between, digits, after = (bit or "" for bit in match.groups())
            place = (level, word.casefold(), seen[word.casefold()])
            values[place] = (digits, f"{before}{word}{between}{'N' * len(digits)}{after}")
            seen[word.casefold()] += 1
        if not level and (leading := _LEADING_NUMBER.match(text)):
            values[0, _LEADING, 0] = (leading[1].casefold(), f"{'N' * len(leading[1])}{leading[2]}")
        if level:
            values[level, "", 0] = (text, "folders")
    return values


def _uniform(word: str, values: Sequence[str | None]) -> Iterator[str | None]:
    """The values with the same number of digits, so that person1 and person01 are one person."""
    width = min((len(value) for value in values if value), default=0)
    for value in values:
        shown = word.removeprefix(_LEADING)
        yield value if value is None or not word else f"{shown}{(value.lstrip('0') or '0').zfill(width)}"
