"""Pieces of one recording, told by their names: the chapters that cameras cut, and pieces with the time of their start.

Sources: GoPro's naming conventions (GH010034, GX020034, GOPR0034, GP010034); DJI and dash cameras put date and time in
the name.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import PurePath

_CHAPTER = re.compile(
    r"(?<![^\W_])(?:G(?P<kind>[HXLPS])(?P<chapter>\d\d)(?P<number>\d{4})|GOPR(?P<first>\d{4}))(?!\d)", re.IGNORECASE
)
"""GoPro: two digits count the chapter, four the recording. Older ones call the first chapter GOPR, later ones GP."""
_MOMENT = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)[-_.]?(?P<month>\d\d)[-_.]?(?P<day>\d\d)[-_.T ]{0,3}"
    r"(?P<hour>\d\d)[-_.:h]?(?P<minute>\d\d)[-_.:m]?(?P<second>\d\d)(?!\d{4})",
    re.IGNORECASE,
)
"""A date and a time of day, such as 20240131_235959 or 2024-01-31 23.59.59."""
_SLACK_SECONDS = 2.0
"""Names hold whole seconds, and a camera may need a moment between two pieces."""
_SLACK_SHARE = 0.02
_FEWEST_GROUPS = 3
"""A class needs so many groups for train, val and test."""


def chapters(names: Sequence[str]) -> list[str | None]:
    """The recording of each name that is a chapter of one; None for other names.

    A recording with one chapter only is none. Folders do not count: chapters of one recording may show two classes.
    """
    recordings = [_recording_of(PurePath(name).stem) for name in names]
    counts = Counter(recordings)
    return [each if each is not None and counts[each] > 1 else None for each in recordings]


def _recording_of(stem: str) -> str | None:
    found = _CHAPTER.search(stem)
    if found is None:
        return None
    rest = stem[: found.start()] + stem[found.end() :]  # such as a camera's name that people put before
    kind = (found["kind"] or "P").upper()
    return f"{rest}|{kind}|{found['number'] or found['first']}".casefold()


def pieces(names: Sequence[str], seconds: Sequence[float]) -> list[str | None]:
    """The recording of each name with date and time that begins where another one ends; None for other names.

    Args:
        names: of the films; those of one camera are equal but for date, time and a counter.
        seconds: the length of each film.
    """
    cameras: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for place, name in enumerate(names):
        moment = _moment_of(PurePath(name).stem)
        if moment is not None:
            camera, begins = moment
            cameras[camera].append((begins, place))
    found: list[str | None] = [None] * len(names)
    for some in cameras.values():
        some.sort()
        for (begins, place), (then, after) in pairwise(some):
            slack = max(_SLACK_SECONDS, _SLACK_SHARE * seconds[place])
            if abs(then - begins - seconds[place]) <= slack:
                found[place] = found[place] or names[place]
                found[after] = found[place]
    return found


def _moment_of(stem: str) -> tuple[str, float] | None:
    """The name without its moment and numbers, and the moment in seconds."""
    found = _MOMENT.search(stem)
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat(
            f"{found['year']}-{found['month']}-{found['day']}T{found['hour']}:{found['minute']}:{found['second']}"
        )
    except ValueError:
        return None
    rest = re.sub(r"\d+", "#", stem[: found.start()] + "|" + stem[found.end() :])
    return rest.casefold(), (moment - datetime.min).total_seconds()


def leaves_groups(labels: Sequence[str], before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether each class that has enough groups for a split still has enough when groups are joined."""
    counts = [Counter(label for label, _ in set(zip(labels, groups, strict=True))) for groups in (before, after)]
    return all(counts[1][label] >= min(_FEWEST_GROUPS, count) for label, count in counts[0].items())
