"""Findings on the truth: what a training refuses or warns of, with the videos that each sentence concerns.

The sentences are those of the training. Where several functions know which videos a sentence is of, they are asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from vidrnn.check.finding import Concern, Finding, concerning, sentence
from vidrnn.check.reading import Understood
from vidrnn.data.dataset import MISSING, Dataset, late_parts
from vidrnn.data.grouping.groups import copies_note
from vidrnn.data.labelled_frames import misfits
from vidrnn.data.listing.labelled import alike_names, alike_note
from vidrnn.data.splits import leak_words, shown_classes
from vidrnn.values import FilmScan, LabelledFilm

_NAMES = "Choose one spelling; --fix DIR writes a manifest with one."
_BEYOND = "Check the rate that the labels count by. --fix DIR writes labels that end with their videos."
_MISFIT = "Check that these are the videos that were labelled, and --label-rate."
_COPIES = "Check that they are meant to be there twice; --fix DIR writes a manifest with each once."
_LEAK = "Give each group one side in the split column, or leave the split out and let vidrnn split by group."


def truth_findings(read: Understood) -> Iterator[Finding]:
    """The findings on labels, names, groups and the split."""
    for place, text in enumerate(read.refusals):
        yield Finding("next-refusal" if place else "refusal", "refusal", text)
    known: dict[str, Finding] = {}
    for finding in _with_films(read):
        known.setdefault(finding.text, finding)
    for note in read.notes:
        if note.text in known:
            yield _as_sentence(known.pop(note.text))
        elif note.warning and not note.text.startswith(MISSING):  # the finding on such files says it
            yield Finding("training", "warning", sentence(note.text))
    yield from map(_as_sentence, known.values())


def _as_sentence(finding: Finding) -> Finding:
    return Finding(finding.kind, finding.level, sentence(finding.text), finding.advice, finding.concerns)


def _with_films(read: Understood) -> Iterator[Finding]:
    """The notes of a training whose videos are known, word for word."""
    if read.named is not None:
        of_moments = any(film.annotation is not None for film in read.named.films)
        noun = "behaviours" if of_moments else "classes"
        counts = Counter(name for film in read.named.films for name in shown_classes(film))
        for alike in alike_names(counts):
            rare = {name for name in alike if name != max(alike, key=lambda name: counts[name])}
            concerns = [
                Concern(film.path, f"{name!r}")
                for film in read.named.films
                for name in sorted(rare & shown_classes(film))
            ]
            yield Finding("names", "warning", alike_note(alike, noun), _NAMES, tuple(dict.fromkeys(concerns)))
    if read.dataset is None:
        return
    films, scans = read.dataset.films, read.dataset.scans
    late = late_parts(list(zip(films, scans, strict=True)))
    for misfit in (*misfits(films, scans), *([late] if late else [])):
        advice = _BEYOND if misfit.kind == "beyond-end" else _MISFIT
        yield Finding(misfit.kind, "warning", misfit.text, advice, concerning(misfit.films))
    yield from _copies(read)
    yield from _leaks(read)


def _copies(read: Understood) -> Iterator[Finding]:
    """The exact copies that a training leaves out, each with the video that stays."""
    assert read.named is not None and read.dataset is not None
    kept = {(scan.content_hash, scan.excerpt): film.path for film, scan in _pairs(read.dataset)}
    concerns = []
    for film in read.named.films:
        scan = read.whole[film.path]
        stays = kept.get((scan.content_hash, film.excerpt)) if isinstance(scan, FilmScan) else None
        if stays is not None and stays != film.path:
            concerns.append(Concern(film.path, f"the same as {stays.name}"))
    if concerns:
        yield Finding("copies", "note", copies_note(len(concerns)), _COPIES, tuple(concerns))


def _pairs(dataset: Dataset) -> Iterator[tuple[LabelledFilm, FilmScan]]:
    return zip(dataset.films, dataset.scans, strict=True)


def _leaks(read: Understood) -> Iterator[Finding]:
    if read.split is None or read.usable is None or not read.split.leaking_groups:
        return
    leaking = set(read.split.leaking_groups)
    pairs = zip(read.usable.films, read.usable.groups, strict=True)
    concerns = concerning(film.path for film, group in pairs if group in leaking)
    words = leak_words(read.split.leaking_groups)
    text = next((note.text for note in read.notes if note.text.startswith(words)), words)
    yield Finding("leak", "warning", text, _LEAK, concerns)
