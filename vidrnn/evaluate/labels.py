"""Scores of models that give labels at each frame."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from vidrnn.data.annotations import in_frames
from vidrnn.data.films import LabelledData, counted
from vidrnn.data.grouping.groups import named_groups
from vidrnn.errors import DataError, FilmError
from vidrnn.evaluate.base import ScoredFilm, Scorer
from vidrnn.evaluate.bouts import bouts_of
from vidrnn.evaluate.label_scores import label_scores
from vidrnn.evaluate.label_tables import label_report
from vidrnn.evaluate.tracks import FilmTracks, known_truth, tracks_of
from vidrnn.events import RunEvent
from vidrnn.tables import Report
from vidrnn.timeline.segments import UNKNOWN
from vidrnn.values import Annotation, AnswerSpec, FilmMoments, LabelledFilm

_WORST = 10
_MOST_NAMES = 8
"""Of classes in a sentence."""


class LabelScorer(Scorer):
    """Scores of frames and bouts, counts and times beside the truth, agreement with annotators, wrong stretches."""

    @override
    def usable(self, labelled: LabelledData, data: Path) -> LabelledData:
        answer = self.model.handling.answer
        annotated = [film for film in labelled.films if film.annotation is not None]
        if not annotated:
            raise DataError(
                f"{data}: wanted labels at the moments of its {counted(len(labelled.films), 'video')}, found none. "
                "Give the export of a labelling tool."
            )
        shown = {bout.label for film in annotated for bout in _annotation(film).bouts}
        if shown and not shown & set(answer.classes):
            raise DataError(
                f"{data}: its behaviours ({_some(sorted(shown))}) are none of the model's ({_some(answer.classes)}). "
                "Give videos with labels of the model's classes."
            )
        films = tuple(film for film in annotated if _fits(_annotation(film), answer))
        if not films:
            raise DataError(
                f"{data}: found no label in its {counted(len(annotated), 'video')}, and this model has no background "
                f"for moments without a label. Give videos with labels of its classes ({_some(answer.classes)})."
            )
        return replace(labelled, films=films)

    @override
    def observer(self, films: Sequence[LabelledFilm]) -> None:
        return None

    @override
    def check(self, film: LabelledFilm, moments: FilmMoments) -> None:
        annotation, answer = _annotation(film), self.model.handling.answer
        tracks = self._tracks(film, moments)
        framed = in_frames(annotation, tracks.seconds, moments.end_seconds)
        if annotation.bouts and not framed.bouts:
            end = moments.end_seconds if annotation.unit == "seconds" else len(tracks.seconds)
            raise FilmError(
                f"{film.path}: its labels lie between {annotation.bouts[0].start:g} and {annotation.bouts[-1].end:g}, "
                f"outside of the video, which ends at {end:g} {annotation.unit}. Are they of this video?"
            )
        if not known_truth(tracks.truth).any():
            raise FilmError(
                f"{film.path}: none of its {len(tracks.seconds)} frames has a label of the model's classes "
                f"({_some(answer.classes)})."
            )

    @override
    def report(self, films: Sequence[ScoredFilm]) -> Generator[RunEvent, None, Report]:
        yield from ()
        answer = self.model.handling.answer
        tracks = [self._tracks(one.film, one.moments) for one in films]
        names = [str(one.film.path) for one in films]
        scores = label_scores(tracks, answer.classes, answer.background, answer.kind == "several")
        interval = scores.interval(named_groups([one.film for one in films]))
        worst = wrong_stretches(names, tracks, answer)
        return label_report(scores, interval, task=answer.task, names=names, worst=worst)

    def _tracks(self, film: LabelledFilm, moments: FilmMoments) -> FilmTracks:
        return tracks_of(film, moments, self.model.handling.answer, self.model.handling.decision)


def wrong_stretches(names: Sequence[str], films: Sequence[FilmTracks], answer: AnswerSpec) -> list[dict[str, Any]]:
    """The longest stretches of one true class with one wrong answer, at most ten, the longest first.

    If several behaviours may hold, each behaviour is looked at by itself; the background is left out.

    Args:
        names: the name of each film.
        films: the tracks of each film.
        answer: what the model answers.
    """
    rows = [row for name, film in zip(names, films, strict=True) for row in _wrong_in(name, film, answer)]
    return sorted(rows, key=lambda row: row["start_seconds"] - row["end_seconds"])[:_WORST]


def _wrong_in(name: str, film: FilmTracks, answer: AnswerSpec) -> Iterator[dict[str, Any]]:
    borders = np.append(film.seconds, max(film.end_seconds, film.seconds[-1]))
    for truth, given, words in _sides(film, answer):
        width = len(words)
        wrong = np.where((truth >= 0) & (truth != given), truth * width + given, -1)
        for bout in bouts_of(wrong):
            yield {
                "path": name,
                "start_seconds": float(borders[bout.first]),
                "end_seconds": float(borders[bout.end]),
                "truth": words[bout.label // width],
                "answer": words[bout.label % width],
            }


def _sides(film: FilmTracks, answer: AnswerSpec) -> Iterator[tuple[Any, Any, tuple[str, ...]]]:
    """Truth and answer as indices of words, truth -1 where it is not known: once, or for each behaviour."""
    if film.truth.ndim == 1:
        unknown = len(answer.classes)
        yield film.truth, np.where(film.answer < 0, unknown, film.answer), (*answer.classes, UNKNOWN)
        return
    for place, label in enumerate(answer.classes):
        if label != answer.background:
            truth = np.nan_to_num(film.truth[:, place], nan=-1.0).astype(np.int64)
            yield truth, film.answer[:, place].astype(np.int64), (f"not {label}", label)


def _annotation(film: LabelledFilm) -> Annotation:
    assert film.annotation is not None, "only films with an annotation come here"
    return film.annotation


def _fits(annotation: Annotation, answer: AnswerSpec) -> bool:
    """Whether the annotation says something of the model's classes: by a bout, or by silence that counts."""
    if any(bout.label in answer.classes for bout in annotation.bouts):
        return True
    silence = answer.kind == "several" or answer.background in answer.classes
    return silence and annotation.known != ()


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_NAMES])
