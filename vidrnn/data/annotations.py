"""Arithmetic of annotations: bouts in seconds become bouts in frames, and bouts become the truth at each frame.

A frame shows a bout if the middle of the time for which the frame stands lies in the bout. So a time that was rounded
to the nearest frame gives that frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vidrnn.values import Annotation, Bout, Floats, Span

UNLABELLED = "(unlabelled)"
"""The background class of films whose labels leave gaps that count."""
OVERLAP_SECONDS = 0.2
"""Behaviours that overlap for longer are taken to hold at once."""


def frame_middles(frame_seconds: Floats, end_seconds: float) -> Floats:
    """(frames,) the middle of the time for which each frame stands; the last one stands until `end_seconds`."""
    ends = np.append(frame_seconds[1:], max(end_seconds, frame_seconds[-1]))
    middles: Floats = (frame_seconds + ends) / 2
    return middles


def in_frames(annotation: Annotation, frame_seconds: Floats, end_seconds: float) -> Annotation:
    """The annotation in frames of its film, cut at the film's ends. A bout of less than a frame has one frame.

    A bout without a length is a point event, and has one frame too. A bout outside the film is left out.

    Args:
        annotation: in seconds or frames.
        frame_seconds: (frames,) the time of each frame.
        end_seconds: the end of the film.
    """
    count = len(frame_seconds)
    if annotation.unit == "frames":

        def places(start: float, end: float) -> tuple[int, int]:
            return round(start), max(round(end), round(start) + 1)

    else:
        middles = frame_middles(frame_seconds, end_seconds)
        earliest = 2 * frame_seconds[0] - middles[0]  # a time that was rounded to the first frame is no earlier

        def places(start: float, end: float) -> tuple[int, int]:
            first, after = map(int, np.searchsorted(middles, (start, end)))
            if first == after and earliest <= start < end_seconds:
                first = min(first, count - 1)
                after = first + 1
            return first, after

    bouts = []
    for bout in annotation.bouts:
        start, end = places(bout.start, bout.end)
        if max(start, 0) < min(end, count):
            bouts.append(replace(bout, start=float(max(start, 0)), end=float(min(end, count))))
    known = None
    if annotation.known is not None:
        ranges = [places(*span) for span in annotation.known]
        known = tuple((float(max(a, 0)), float(min(b, count))) for a, b in ranges if max(a, 0) < min(b, count))
    return Annotation(tuple(bouts), known, "frames")


def known_frames(annotation: Annotation, frames: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(frames,): whether something is known at each of these frames; the annotation is in frames."""
    if annotation.known is None:
        return np.ones(len(frames), dtype=np.bool_)
    known = np.zeros(len(frames), dtype=np.bool_)
    for start, end in annotation.known:
        known |= (frames >= start) & (frames < end)
    return known


def class_track(
    annotation: Annotation, classes: Sequence[str], frames: NDArray[np.int64], background: str | None = None
) -> NDArray[np.int64]:
    """(frames,): the class at each of these frames, for classes that exclude each other; -1 where it is not known.

    Where no bout is, the class is the background; without a background nothing is known there. A behaviour that is none
    of the classes is not known. Overlaps are cut as by `without_overlaps`.
    """
    empty = classes.index(background) if background in classes else -1
    track = np.where(known_frames(annotation, frames), empty, -1).astype(np.int64)
    for bout in without_overlaps(annotation.bouts)[0]:
        place = classes.index(bout.label) if bout.label in classes else -1
        track[(frames >= bout.start) & (frames < bout.end)] = place
    return track


def behaviour_tracks(annotation: Annotation, classes: Sequence[str], frames: NDArray[np.int64]) -> Floats:
    """(frames, classes): whether each behaviour is seen at each of these frames, 0 or 1; NaN where it is not known."""
    tracks = np.where(known_frames(annotation, frames)[:, None], 0.0, np.nan).repeat(len(classes), 1)
    for bout in annotation.bouts:
        if bout.label in classes:
            tracks[(frames >= bout.start) & (frames < bout.end), classes.index(bout.label)] = 1.0
    return tracks


def joined_bouts(bouts: Iterable[Bout]) -> tuple[tuple[Bout, ...], int]:
    """The bouts sorted by time, those of one behaviour and subject that overlap or touch joined; and how many overlap.

    Bouts that only touch are joined without being counted.
    """
    joined: list[Bout] = []
    newest: dict[tuple[str, str], int] = {}
    overlaps = 0
    for bout in sorted(bouts, key=lambda one: (one.start, one.end, one.label, one.subject)):
        key = (bout.label, bout.subject)
        place = newest.get(key)
        if place is not None and joined[place].end >= bout.start:
            overlaps += joined[place].end > bout.start
            joined[place] = replace(joined[place], end=max(joined[place].end, bout.end))
            continue
        newest[key] = len(joined)
        joined.append(bout)
    return tuple(joined), overlaps


def joined_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The spans sorted, those that overlap or touch joined."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and joined[-1][1] >= start:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return tuple(joined)


def longest_overlap(bouts: Sequence[Bout]) -> float:
    """The longest time for which two different behaviours overlap, in the unit of the bouts; 0 if none do."""
    longest = 0.0
    open_bouts: list[Bout] = []
    for bout in sorted(bouts, key=lambda one: one.start):
        open_bouts = [one for one in open_bouts if one.end > bout.start]
        for other in open_bouts:
            if other.label != bout.label:
                longest = max(longest, min(other.end, bout.end) - bout.start)
        open_bouts.append(bout)
    return longest


def without_overlaps(bouts: Sequence[Bout]) -> tuple[tuple[Bout, ...], int]:
    """The bouts so that no two overlap, sorted, each overlap cut at its middle; and how many bouts were cut.

    A bout that lies within another one stays whole, and the other one goes on after it. Bouts of one behaviour are
    joined, whoever showed it.

    Args:
        bouts: in frames; cuts are whole frames.
    """
    pieces: list[Bout] = []
    overlaps = 0
    one_subject, _ = joined_bouts(replace(bout, subject="") for bout in bouts)
    for bout in sorted(one_subject, key=lambda one: (one.start, -one.end, one.label)):
        touched: list[Bout] = []
        while pieces and pieces[-1].end > bout.start:
            touched.insert(0, pieces.pop())
        overlaps += bool(touched)
        around = [one for one in touched if _lies_within(bout, one)]
        before = [one for one in touched if not _lies_within(bout, one)]
        start = (bout.start + max(one.end for one in before)) // 2 if before else bout.start
        pieces += [replace(one, end=min(one.end, start)) for one in before if one.start < start]
        pieces += [replace(one, end=start) for one in around if one.start < start]
        pieces.append(replace(bout, start=start))
        pieces += [replace(one, start=max(one.start, bout.end)) for one in around if one.end > bout.end]
    return tuple(pieces), overlaps


def _lies_within(inner: Bout, outer: Bout) -> bool:
    return inner.end < outer.end or (inner.end == outer.end and inner.start > outer.start)
