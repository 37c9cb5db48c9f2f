"""Findings on what videos show: nothing at all, one still picture, or stretches without change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from vidrnn.check.finding import Concern, Finding
from vidrnn.data.films import counted
from vidrnn.values import FilmScan, Span

_USUAL_SHARE = 0.5
"""What more of the videos have is the way they were made."""
_LEAST_SECONDS, _LEAST_SHARE = 2.0, 0.1
"""Stretches count if they last for so long and are so much of their video."""


def picture_findings(scans: Sequence[FilmScan]) -> Iterator[Finding]:
    """The findings on what videos show; `scans` are of whole videos with pictures."""
    blank = [scan for scan in scans if is_blank(scan)]
    if blank:
        shows = "shows" if len(blank) == 1 else "show"
        yield Finding(
            "blank",
            "warning",
            f"{counted(len(blank), 'video')} {shows} nothing: black, or of one colour from beginning to end",
            "Take them out; --fix DIR writes a manifest without them.",
            tuple(Concern(scan.facts.path) for scan in blank),
        )
    rest = [scan for scan in scans if not is_blank(scan)]
    stills = [scan for scan in rest if _is_still(scan)]
    if stills:
        is_one = "is one still picture" if len(stills) == 1 else "are still pictures"
        yield Finding(
            "still",
            "warning",
            f"{counted(len(stills), 'video')} {is_one}: nothing changes from beginning to end",
            "Nothing happens in them over time. Check how they were recorded or cut.",
            tuple(Concern(scan.facts.path, counted(scan.facts.frames, "frame")) for scan in stills),
        )
    moving = [scan for scan in rest if not _is_still(scan)]
    yield from _partly(
        moving,
        lambda scan: scan.blank,
        "black-stretch",
        "black, or of one colour, for a part of their time",
        "If nothing can be seen there, cut these parts off, or leave them without labels.",
    )
    yield from _partly(
        moving,
        lambda scan: tuple(span for span in scan.still if span not in scan.blank),
        "frozen-stretch",
        "frozen for a part of their time: nothing changes",
        "The recording may have stopped there. Labels of such parts mislead.",
        usual="This is as it should be for drawings, screens and pictures that a camera compresses strongly.",
    )


def is_blank(scan: FilmScan) -> bool:
    """Whether a video shows nothing from its first picture to its last."""
    return _covers(scan, scan.blank)


def _is_still(scan: FilmScan) -> bool:
    return scan.facts.frames == 1 or _covers(scan, scan.still)


def _covers(scan: FilmScan, stretches: Sequence[Span]) -> bool:
    """Whether one stretch is all of a video, but for what lies after the last picture that was looked at."""
    if len(stretches) != 1:
        return False
    (start, end) = stretches[0]
    facts = scan.facts
    return start <= facts.first_seconds + 1e-6 and end >= facts.last_seconds - max(0.5, 0.02 * facts.duration_seconds)


def _partly(
    scans: Sequence[FilmScan],
    stretches: Callable[[FilmScan], Sequence[Span]],
    kind: str,
    what: str,
    advice: str,
    usual: str = "",
) -> Iterator[Finding]:
    """A finding for videos of which a part shows nothing; a note where most have such parts and that may be `usual`."""
    concerns = []
    for scan in scans:
        spans = stretches(scan)
        seconds = sum(end - start for start, end in spans)
        if spans and seconds >= max(_LEAST_SECONDS, _LEAST_SHARE * scan.facts.duration_seconds):
            first = ", ".join(f"{start:.1f} to {end:.1f} s" for start, end in spans[:3])
            more = f" and {len(spans) - 3} more" if len(spans) > 3 else ""
            concerns.append(Concern(scan.facts.path, first + more))
    if concerns:
        verb = "is" if len(concerns) == 1 else "are"
        what = what.replace("their", "its") if len(concerns) == 1 else what
        text = f"{counted(len(concerns), 'video')} {verb} {what}"
        if usual and len(concerns) > max(2, _USUAL_SHARE * len(scans)):
            yield Finding(kind, "note", text, usual, tuple(concerns))
        else:
            yield Finding(kind, "warning", text, advice, tuple(concerns))
