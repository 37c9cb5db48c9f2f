"""The behaviours that films show: their names, whether several may hold at once, and which one is the background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vidrnn.config import LabelsConfig
from vidrnn.data.annotations import (
    OVERLAP_SECONDS,
    UNLABELLED,
    in_frames,
    known_frames,
    longest_overlap,
    without_overlaps,
)
from vidrnn.data.films import counted
from vidrnn.errors import DataError
from vidrnn.values import Annotation, FilmScan, LabelledFilm, Part

BACKGROUND_WORDS = frozenset({"background", "other"})
"""Names of classes that stand for no behaviour, in any case."""
_SLACK_SECONDS = 1e-6
"""Differences of times are not exact."""
_VALIDATES = 0.2
"""Of a single film, the share at its end that validates."""


@dataclass(frozen=True)
class Behaviours:
    """The classes of frames, and the films with annotations in frames that fit them."""

    films: tuple[LabelledFilm, ...]
    classes: tuple[str, ...]
    several: bool
    """Whether several behaviours may hold at once."""
    background: str | None
    """The class that stands for no behaviour, if there is one; never where several may hold."""
    sentences: tuple[str, ...]


def settle_behaviours(films: Sequence[LabelledFilm], scans: Sequence[FilmScan], options: LabelsConfig) -> Behaviours:
    """The behaviours of films that were scanned.

    Behaviours exclude each other unless labels of two of them overlap for more than `OVERLAP_SECONDS`, or the options
    say otherwise. A shorter overlap is cut at its middle.

    Raises:
        DataError: the labels show fewer than two classes, or an option names a class that there is not.
    """
    several, longest = _overlap(films, scans)
    if options.several is not None:
        several = options.several
    sentences = [_kind_sentence(several, longest, options.several)]
    marked, overlaps = [], 0
    for film, scan in zip(films, scans, strict=True):
        assert film.annotation is not None
        end = scan.facts.first_seconds + scan.facts.duration_seconds
        annotation, *others = (in_frames(one, scan.frame_seconds, end) for one in (film.annotation, *film.others))
        if not several:
            bouts, count = without_overlaps(annotation.bouts)
            annotation, overlaps = replace(annotation, bouts=bouts), overlaps + count
        marked.append(replace(film, annotation=annotation, others=tuple(others)))
    if overlaps:
        sentences.append(f"{counted(overlaps, 'overlap')} of labels cut at the middle")
    names = {bout.label for film in marked for bout in (film.annotation.bouts if film.annotation else ())}
    if options.background is not None and options.background not in names:
        raise DataError(
            f"--background {options.background}: no video has that label. There are: {', '.join(sorted(names))}."
        )
    words = (name for name in sorted(names) if name.casefold() in BACKGROUND_WORDS)
    background = options.background or next(words, None)
    if several:
        classes = sorted(names - {background})
        if not classes:
            raise DataError("The labels name no behaviour, so there is nothing to learn.")
        return Behaviours(_without(marked, background), tuple(classes), True, None, tuple(sentences))
    if background is None and any(_has_gaps(film.annotation, scan) for film, scan in zip(marked, scans, strict=True)):
        background = UNLABELLED
        sentences.append(f"moments without a label are the class {UNLABELLED}")
    classes = sorted(names | ({background} if background else set()))
    if len(classes) < 2:
        raise DataError(
            f"The labels show one class only ({', '.join(classes) or 'none'}); a model needs two or more. If moments "
            "without a label show no behaviour, say --unlabelled none."
        )
    if background and background != UNLABELLED:
        sentences.append(f"{background!r} is the background: it counts in frame accuracy only")
    return Behaviours(tuple(marked), tuple(classes), False, background, tuple(sentences))


def _overlap(films: Sequence[LabelledFilm], scans: Sequence[FilmScan]) -> tuple[bool, float]:
    """Whether behaviours of these films hold at once, and the longest overlap of two in seconds."""
    longest = 0.0
    for film, scan in zip(films, scans, strict=True):
        assert film.annotation is not None
        rate = scan.facts.fps if film.annotation.unit == "frames" else 1.0
        longest = max(longest, longest_overlap(film.annotation.bouts) / max(rate, 1e-9))
    return longest > OVERLAP_SECONDS + _SLACK_SECONDS, longest


def _kind_sentence(several: bool, longest: float, given: bool | None) -> str:
    what = "several behaviours may hold at once" if several else "behaviours exclude each other"
    if given is not None:
        return f"{what}, as you said"
    if several:
        return f"{what}: labels overlap for up to {longest:.1f} s (--exclusive to change it)"
    return f"{what}: no labels overlap for more than {OVERLAP_SECONDS:g} s (--several to change it)"


def _without(films: Sequence[LabelledFilm], background: str | None) -> tuple[LabelledFilm, ...]:
    """The films without the bouts of the background: where several may hold, it is the absence of all."""

    def cleared(annotation: Annotation) -> Annotation:
        return replace(annotation, bouts=tuple(bout for bout in annotation.bouts if bout.label != background))

    return tuple(
        replace(film, annotation=film.annotation and cleared(film.annotation), others=tuple(map(cleared, film.others)))
        for film in films
    )


def _has_gaps(annotation: Annotation | None, scan: FilmScan) -> bool:
    """Whether a moment that was annotated shows no behaviour."""
    assert annotation is not None
    frames = np.arange(scan.facts.frames)
    gap = known_frames(annotation, frames)
    for bout in annotation.bouts:
        gap[int(bout.start) : int(bout.end)] = False
    return bool(gap.any())


def is_known(film: LabelledFilm, scan: FilmScan) -> bool:
    """Whether something is known at any frame; the annotation is in frames."""
    assert film.annotation is not None
    return bool(known_frames(film.annotation, np.arange(scan.facts.frames)).any())


def cut_in_time(film: LabelledFilm, scan: FilmScan, gap_frames: int) -> tuple[LabelledFilm, LabelledFilm]:
    """A single film as two: its beginning is known for training, its end for validation, with a gap between.

    The end is the last fifth of what was annotated.

    Args:
        film: with an annotation in frames.
        scan: of the film.
        gap_frames: the frames between both parts, of which nothing is known in either.

    Raises:
        DataError: the film is too short.
    """
    assert film.annotation is not None
    known = np.flatnonzero(known_frames(film.annotation, np.arange(scan.facts.frames)))
    if len(known) < 2 * gap_frames + 4:
        raise DataError(
            f"{film.path}: has {counted(len(known), 'labelled frame')}, too few for a part that trains, a gap of "
            f"{gap_frames} frames and a part that validates. Label more of it, or add another video."
        )
    cut = int(known[min(round((1 - _VALIDATES) * len(known)), len(known) - 1 - gap_frames)])
    first, second = max(cut - gap_frames // 2, 1), cut + gap_frames - gap_frames // 2

    def within(start: float, end: float, part: Part) -> LabelledFilm:
        annotation = film.annotation
        assert annotation is not None
        spans = annotation.known or ((0.0, float(scan.facts.frames)),)
        inside = tuple((max(a, start), min(b, end)) for a, b in spans if max(a, start) < min(b, end))
        bouts = tuple(
            replace(bout, start=max(bout.start, start), end=min(bout.end, end))
            for bout in annotation.bouts
            if max(bout.start, start) < min(bout.end, end)
        )
        return replace(film, annotation=replace(annotation, bouts=bouts, known=inside), part=part)

    return within(0.0, float(first), Part.TRAIN), within(float(second), float(scan.facts.frames), Part.VAL)
