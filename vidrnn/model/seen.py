"""The films that a model has seen: each with its part, by the hash of its content.

Very many films are stored as the beginnings of their hashes, 8 bytes each. Of a million films and a million others, two
have the same 8 bytes with a probability of less than one in ten million.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vidrnn.values import Part

MANY = 10_000
"""With more films than this, only the beginnings of their hashes are stored."""
_DIGITS = 16
"""Of a beginning, hexadecimal."""
_STORED = np.dtype(">u8")


class ManySeen(Mapping[str, Part]):
    """The part of each film by the beginning of its hash; a whole hash finds it too."""

    def __init__(self, films: Mapping[Part, NDArray[np.uint64]]) -> None:
        """`films`: the sorted beginnings of each part."""
        self._films = dict(films)

    @classmethod
    def of(cls, seen: Mapping[str, Part]) -> ManySeen:
        """The same films."""
        films: dict[Part, list[int]] = {}
        for name, part in seen.items():
            films.setdefault(part, []).append(int(name[:_DIGITS], 16))
        return cls({part: np.unique(np.array(numbers, np.uint64)) for part, numbers in films.items()})

    @classmethod
    def from_json(cls, stored: Mapping[str, str]) -> ManySeen:
        """The films that `as_json` gave.

        Raises:
            ValueError: it is damaged.
        """
        try:
            content = {Part(part): base64.b64decode(text, validate=True) for part, text in stored.items()}
        except (binascii.Error, TypeError) as error:
            raise ValueError("the videos that the model has seen") from error
        return cls({part: np.frombuffer(each, _STORED).astype(np.uint64) for part, each in content.items()})

    def as_json(self) -> dict[str, str]:
        """The beginnings of each part, sorted, as one text."""
        films = self._films.items()
        return {part.value: base64.b64encode(numbers.astype(_STORED).tobytes()).decode() for part, numbers in films}

    @override
    def __getitem__(self, name: str) -> Part:
        number = np.uint64(int(name[:_DIGITS], 16))
        for part, numbers in self._films.items():
            place = int(np.searchsorted(numbers, number))
            if place < len(numbers) and numbers[place] == number:
                return part
        raise KeyError(name)

    @override
    def __iter__(self) -> Iterator[str]:
        return (f"{number:016x}" for numbers in self._films.values() for number in numbers.tolist())

    @override
    def __len__(self) -> int:
        return sum(map(len, self._films.values()))


def seen_of(stored: object) -> Mapping[str, Part]:
    """The films of a header, from its JSON or as they are.

    Raises:
        ValueError: it is damaged.
    """
    if isinstance(stored, ManySeen):
        return stored
    if not isinstance(stored, Mapping) or not all(isinstance(name, str) for name in stored):
        raise ValueError("the videos that the model has seen")
    if stored and {*stored} <= {*Part}:
        return ManySeen.from_json(stored)
    return {name: Part(part) for name, part in stored.items()}


def seen_as_json(seen: Mapping[str, Part]) -> dict[str, str]:
    """The films as a header stores them."""
    if isinstance(seen, ManySeen):
        return seen.as_json()
    if len(seen) > MANY:
        return ManySeen.of(seen).as_json()
    return {name: part.value for name, part in seen.items()}
