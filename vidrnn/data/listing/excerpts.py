"""The columns of a manifest that say which part of a video a row is of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vidrnn.data.label_text import clock_seconds
from vidrnn.data.listing.tables import Row
from vidrnn.values import Excerpt

_START_WORDS = frozenset(
    {"start", "starts", "begin", "begins", "beginning", "onset", "from", "starttime", "startframe"}
)
_END_WORDS = frozenset({"end", "ends", "stop", "stops", "finish", "offset", "to", "endtime", "endframe"})
_DURATION_WORDS = frozenset({"duration", "length"})
_WEAK = frozenset({"from", "to", "offset", "onset"})
"""Words that count only where the other edge is told as well."""
_UNITS: dict[str, float] = dict.fromkeys(("seconds", "second", "secs", "sec", "s", "time", "timestamp"), 1.0)
_UNITS |= dict.fromkeys(("ms", "msec", "milliseconds", "millisecond"), 0.001)
_FRAME_WORDS = frozenset({"frame", "frames", "startframe", "endframe"})
_FILLERS = frozenset({"clip", "video", "segment", "temporal", "in", "t", "label", "action", "event", "bout"})


@dataclass(frozen=True, slots=True)
class _Edge:
    """What one column tells."""

    column: str
    kind: Literal["start", "end", "duration"]
    seconds: float | None
    """The seconds of one unit; None: the unit is frames."""


@dataclass(frozen=True, slots=True)
class ExcerptColumns:
    """The columns that tell where the part of a video begins and ends."""

    start: _Edge | None
    end: _Edge | None
    length: _Edge | None

    @classmethod
    def of(cls, columns: Sequence[str]) -> ExcerptColumns | None:
        """The columns of a header in lower case; None if there are none. Seconds are preferred to frames."""
        edges = sorted(filter(None, map(_edge_of, columns)), key=lambda edge: edge.seconds is None)
        for unit in dict.fromkeys(edge.seconds is None for edge in edges):
            of_unit = [edge for edge in edges if (edge.seconds is None) == unit]
            start = next((edge for edge in of_unit if edge.kind == "start"), None)
            end = next((edge for edge in of_unit if edge.kind == "end"), None)
            length = next((edge for edge in of_unit if edge.kind == "duration"), None)
            length = length if start is not None and end is None else None
            pair = (start, end or length)
            if any(each is not None and not _is_weak(each) for each in (start, end)) or None not in pair:
                return cls(start, end, length)
        return None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(edge.column for edge in (self.start, self.end, self.length) if edge is not None)

    def read(self, row: Row, faults: list[str]) -> Excerpt | None:
        """The part that a row is of; None for the whole video. A wrong number is added to `faults`."""
        start = self._number(row, self.start, faults)
        end = self._number(row, self.end, faults)
        length = self._number(row, self.length, faults)
        if start is None and end is None and length is None:
            return None
        begin = start or 0.0
        end = begin + length if length is not None else end
        if begin < 0 or (end is not None and end <= begin):
            faults.append(
                f"line {row.line} is of {begin:g} to {end:g}; a part of a video ends after it begins, from 0."
            )
            return None
        edges = [edge for edge in (self.start, self.end) if edge is not None]
        return Excerpt(begin, end, "frames" if edges[0].seconds is None else "seconds")

    @staticmethod
    def _number(row: Row, edge: _Edge | None, faults: list[str]) -> float | None:
        text = "" if edge is None else row[edge.column]
        if edge is None or not text:
            return None
        try:
            number = clock_seconds(text)
        except ValueError:
            faults.append(
                f"line {row.line} has {text[:40]!r} as its {edge.column}; write seconds such as 12.5 or 0:12.5."
            )
            return None
        if edge.seconds is None and number != int(number):
            faults.append(f"line {row.line} has {text[:40]!r} as its {edge.column}; frames are whole numbers from 0.")
            return None
        return number if edge.seconds is None else number * edge.seconds


def _edge_of(column: str) -> _Edge | None:
    """What a column tells by its name, such as `start`, `end_seconds`, `t_start`, `stop (s)` or `begin frame`."""
    words = re.findall(r"[^\W\d_]+", column)
    kinds: list[Literal["start", "end", "duration"]] = []
    seconds: float | None = 1.0
    for word in words:
        if word in _START_WORDS:
            kinds.append("start")
        elif word in _END_WORDS:
            kinds.append("end")
        elif word in _DURATION_WORDS:
            kinds.append("duration")
        elif word not in _UNITS.keys() | _FRAME_WORDS | _FILLERS:
            return None
        if word in _FRAME_WORDS:
            seconds = None
        elif word in _UNITS and seconds is not None:
            seconds = _UNITS[word]
    if len(kinds) != 1 or (kinds[0] == "duration" and "video" in words):  # the length of the whole video says no part
        return None
    return _Edge(column, kinds[0], seconds)


def _is_weak(edge: _Edge) -> bool:
    return not set(re.findall(r"[^\W\d_]+", edge.column)).isdisjoint(_WEAK)
