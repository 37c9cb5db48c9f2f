"""Findings on files: those that cannot be read, damage, odd clocks, wrong rates, flags of orientation, several streams.

A scan says what is odd of a video in sentences. Here those of one kind become one finding.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from vidrnn.check.finding import Concern, Finding, Level
from vidrnn.data.dataset import MISSING
from vidrnn.data.films import counted
from vidrnn.events import Note
from vidrnn.values import FilmFailure, FilmScan

_OTHER_RATE = 0.05
"""A claimed rate that is off by more is wrong, not rounded."""
_FEWEST_FRAMES = 10
"""Of a film whose rate can be compared with the claimed one."""
_FASTEST_CLAIM = 240.0
"""Claims above it are units of time stamps, not rates."""
_OTHER_SHAPE = 1.2
"""A picture whose ratio of sides differs by more from that of most is of another shape."""


@dataclass(frozen=True, slots=True)
class OddityKind:
    """Sentences of a scan that mean the same for a training."""

    name: str
    level: Level
    pattern: re.Pattern[str]
    """It matches the beginning of the sentences."""
    one: str
    """What is said of one video, after `1 video`."""
    many: str
    advice: str


KINDS = (
    OddityKind(
        "damage",
        "warning",
        re.compile(r"Damaged|Cut short|Only one frame could be read|The size of the picture changes|Its container has"),
        "is damaged or cut short",
        "are damaged or cut short",
        "Copy or convert them again from the source. A training uses what can be read of them.",
    ),
    OddityKind(
        "clock",
        "warning",
        re.compile(
            r"There are no time stamps|\d+ frames have (no time stamp|the time stamp)|The time stamps go back|"
            r"The time jumps"
        ),
        "has a clock that cannot be trusted",
        "have a clock that cannot be trusted",
        "Times in seconds may be wrong in them. --rate FPS, or a column fps in a manifest, counts frames instead.",
    ),
    OddityKind(
        "orientation",
        "warning",
        re.compile(r"The pictures are (mirrored|turned by 180)"),
        "is shown mirrored or upside down, as its file asks",
        "are shown mirrored or upside down, as their files ask",
        "vidrnn obeys the flag; some players do not. Look at one of them: left and right must be as in the labels.",
    ),
    OddityKind(
        "streams",
        "warning",
        re.compile(r"The file holds \d+ streams of pictures"),
        "holds several streams of pictures",
        "hold several streams of pictures",
        "One stream is read. If it is not the right one, write the other one into a file of its own.",
    ),
    OddityKind(
        "brightness",
        "warning",
        re.compile(r"\d+ frames hold brighter numbers"),
        "holds brighter pictures than its first frames",
        "hold brighter pictures than their first frames",
        "These parts became white. Convert the videos to 8 bits.",
    ),
    OddityKind(
        "variable-rate",
        "note",
        re.compile(r"The frame rate varies"),
        "has a frame rate that varies",
        "have a frame rate that varies",
        "vidrnn goes by time stamps. Labels that count frames must have been made on the same frames.",
    ),
)
USUAL = re.compile(
    r"The container claims|The first frame is at|The pictures are turned by (90|270)|Times are counted at|"
    r"There is only one frame|The pictures use \d+ bits"
)
"""Sentences that are no finding of their own: usual, or part of another one."""


def file_findings(
    failures: Sequence[FilmFailure], scans: Sequence[FilmScan], notes: Sequence[Note] = ()
) -> Iterator[Finding]:
    """The findings on files.

    Args:
        failures: of rows and videos that cannot be used.
        scans: of the videos that can be read.
        notes: of the training, one of which may say how many are missing of each class.
    """
    if failures:
        missing = next((note.text for note in notes if note.text.startswith(MISSING)), "")
        of_class = f" ({missing.removeprefix(MISSING).lstrip(': ')})" if missing else ""
        them = "it" if len(failures) == 1 else "them"
        yield Finding(
            "unreadable",
            "warning",
            f"{counted(len(failures), 'video')} cannot be read or used, and a training leaves {them} out{of_class}",
            "Repair or replace them, or take them out; --fix DIR writes a manifest without them.",
            tuple(Concern(failure.path, failure.reason) for failure in dict.fromkeys(failures)),
        )
    for kind in KINDS:
        concerns = [
            Concern(scan.facts.path, oddity)
            for scan in scans
            if (oddity := next(filter(kind.pattern.match, scan.facts.oddities), None)) is not None
        ]
        if concerns:
            what = f"{counted(len(concerns), 'video')} {kind.one if len(concerns) == 1 else kind.many}"
            yield Finding(kind.name, kind.level, what, kind.advice, tuple(concerns))
    yield from _wrong_rates(scans)
    yield from _other_shapes(scans)


def _wrong_rates(scans: Sequence[FilmScan]) -> Iterator[Finding]:
    """Films whose frames come at another rate than their container claims."""
    wrong = []
    for scan in scans:
        facts = scan.facts
        claimed, counted_rate = facts.claimed_fps, scan.rate is not None or any("--rate" in o for o in facts.oddities)
        if counted_rate or not 0 < claimed <= _FASTEST_CLAIM or facts.frames < _FEWEST_FRAMES or not facts.fps:
            continue
        if abs(facts.fps / claimed - 1) > _OTHER_RATE:
            detail = f"{facts.fps:.4g} frames per second by its time stamps, {claimed:.4g} by its claim"
            wrong.append(Concern(facts.path, detail))
    if wrong:
        has = "has" if len(wrong) == 1 else "have"
        yield Finding(
            "rate",
            "warning",
            f"{counted(len(wrong), 'video')} {has} another frame rate than the file claims",
            "vidrnn goes by time stamps. If the claim is right, say --rate FPS; a labelling tool may have believed it.",
            tuple(wrong),
        )


def _other_shapes(scans: Sequence[FilmScan]) -> Iterator[Finding]:
    """Films whose pictures have another shape than those of most: a training squeezes all to one size."""
    ratios = [scan.facts.size.width / scan.facts.size.height for scan in scans]
    if not ratios:
        return
    usual = median(ratios)
    other, sizes = [], Counter[str]()
    for scan, ratio in zip(scans, ratios, strict=True):
        if usual / _OTHER_SHAPE < ratio < usual * _OTHER_SHAPE:
            sizes[f"{scan.facts.size}"] += 1
        else:
            other.append(Concern(scan.facts.path, f"{scan.facts.size}"))
    if other and sizes:
        size = sizes.most_common(1)[0][0]
        has, shape = ("has", "picture") if len(other) == 1 else ("have", "pictures")
        yield Finding(
            "shape",
            "warning",
            f"{counted(len(other), 'video')} {has} {shape} of another shape than most, which are {size}",
            "All pictures are squeezed to one size, so things look thinner or wider in them. Crop them, or turn them.",
            tuple(other),
        )
