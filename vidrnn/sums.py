"""Checksums: what vidrnn stored is what it reads. They tell damage and exchange, and do not protect against forgery.

A file that holds metadata is sealed: one entry of the metadata is a seal, a word and 32 digits. The digits are the sum
of the whole file with zeros in their place, so they travel inside the file, in any format that stores text as it is:
.safetensors, .onnx, .xml. A file without a seal is of an earlier vidrnn, and counts as whole.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

SEAL_KEY = "vidrnn.seal"
"""The key of the seal in the metadata of a file."""
_WORD, _DIGITS = b"vidrnn-sum-", 32
EMPTY_SEAL = _WORD.decode() + "0" * _DIGITS
"""The value under that key until the file is sealed."""
_MOST_SEALS = 8
"""A name that a user gave may look like a seal. So any of the first few may be the true one."""
_CHUNK_BYTES = 1 << 22
_NEAR_BYTES = 1 << 16


def sum_of(content: bytes) -> str:
    """The sum of bytes, 32 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def sum_of_file(file: Path) -> str:
    """The sum of a file's bytes, 32 hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:_DIGITS]


def seal(file: Path, companions: Sequence[Path] = ()) -> None:
    """Put the sum of a file, and of the files that belong to it, in the place of its empty seal.

    Raises:
        ValueError: the file has no empty seal.
        OSError: it cannot be read or written.
    """
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as content:
        place = content.find(EMPTY_SEAL.encode())
        if place < 0:
            raise ValueError(f"{file} has no empty seal")
        place += len(_WORD)
        content[place : place + _DIGITS] = _sum_with_zeros(content, place, companions).encode()


def is_whole(file: Path, companions: Sequence[Path] = ()) -> bool:
    """Whether a file is as it was when it was sealed; True for a file that was never sealed.

    Raises:
        OSError: it cannot be read.
    """
    if not file.stat().st_size:
        return True  # it has no seal; its own format tells that it is empty
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        sealed = False
        for place in _seals(content):
            if content[place : place + _DIGITS] == _sum_with_zeros(content, place, companions).encode():
                return True
            sealed = True
        return not sealed


def seal_in(head: bytes) -> str:
    """The digits of the first seal in the head of a file; empty where it has none."""
    found = re.search(re.escape(_WORD) + b"([0-9a-f]{%d})" % _DIGITS, head)
    return found[1].decode() if found else ""


def _seals(content: mmap.mmap) -> Iterator[int]:
    """Where the digits of each seal begin. Most seals are near an end of the file, so these places come first."""
    size, found = len(content), set[int]()
    for start, end in ((0, _NEAR_BYTES), (max(0, size - _NEAR_BYTES), size), (0, size)):
        place = start
        while len(found) < _MOST_SEALS and (word := content.find(_WORD, place, end)) >= 0:
            place = word + len(_WORD)
            if place not in found:
                found.add(place)
                yield place


def _sum_with_zeros(content: mmap.mmap, place: int, companions: Sequence[Path]) -> str:
    """The sum of the content with zeros at the `place` of the digits, and then of the companions."""
    whole = hashlib.sha256()
    with memoryview(content) as view:
        whole.update(view[:place])
        whole.update(b"0" * _DIGITS)
        whole.update(view[place + _DIGITS :])
    for companion in companions:
        with companion.open("rb") as opened:
            while chunk := opened.read(_CHUNK_BYTES):
                whole.update(chunk)
    return whole.hexdigest()[:_DIGITS]


_LAST_KEY = ', "sum": "'


def with_sum(text: str) -> str:
    """A JSON object as text, with its sum as a further entry, the last one."""
    return f'{text.removesuffix("}")}{_LAST_KEY}{sum_of(text.encode())}"}}'


def has_right_sum(text: str) -> bool | None:
    """Whether a JSON object, as text, is as `with_sum` gave it; None where it has no sum."""
    body, key, end = text.rstrip().rpartition(_LAST_KEY)
    if not key or len(end) != _DIGITS + len('"}'):
        return None
    return end == f'{sum_of((body + "}").encode())}"}}'


def read_summed(text: str) -> dict[str, Any]:
    """The JSON object that `with_sum` gave, or one without a sum, of an earlier vidrnn.

    Raises:
        ValueError: it is damaged, or no object.
    """
    value = json.loads(text)
    if not isinstance(value, dict) or has_right_sum(text) is False:
        raise ValueError("it is not as it was written")
    value.pop("sum", None)
    return value
