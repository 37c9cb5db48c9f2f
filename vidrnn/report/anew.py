"""The answers of a model without a run, or of an old run: the films of DATA are read once."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from vidrnn.data.films import LabelledData
from vidrnn.data.grouping.groups import named_groups
from vidrnn.errors import DataError, FilmError
from vidrnn.evaluate.base import Scorer
from vidrnn.evaluate.evaluator import SplitName, of_split
from vidrnn.evaluate.tracks import FilmTracks, tracks_of
from vidrnn.events import LeftOut, Note, Progress, RunEvent
from vidrnn.predict.predictor import Predictor, Reading, open_model
from vidrnn.registry import load_attribute
from vidrnn.report.answers import Answers, FilmAnswers, folder_of, rounded, stored_path
from vidrnn.report.recording import histograms_of, with_answer, with_curve
from vidrnn.threads import available_cores
from vidrnn.values import FilmFailure, FilmMoments, LabelledFilm, Part

NO_GUESSES = (
    "There are no suspects: models of other groups are needed for them, and a training makes those. Train with vidrnn "
    "train DATA, and report that run."
)


def answer_anew(source: Path, data: Path) -> Generator[RunEvent, None, Answers]:
    """The answers of a model to the films of DATA that it has not learnt from. Events come first.

    Raises:
        ModelError: there is no model.
        DataError: there is no film to answer, or the model learnt from all of them.
    """
    model, _ = open_model(source)
    answer, rule = model.handling.answer, model.handling.decision
    predictor = Predictor(model, rule, threads=available_cores())
    scorer: Scorer = load_attribute(predictor.task.scorer)(model, source)
    named: LabelledData = predictor.task.read(data, to_train=False)
    if predictor.task.labelled:
        named = scorer.usable(named, data)
    films, scored = _not_learnt_from(named.films, model.header.seen, data)
    if scored == "val":
        yield Note(
            f"{data}: all of its videos were seen in training. The page shows the answers to those of the validation "
            "part, by which the training chose when to end."
        )
    groups, folder = named_groups(films), folder_of(data)
    records: list[FilmAnswers] = []
    tracks: list[FilmTracks] = []
    failures = list(named.failures)
    results = predictor.read_all([film.path for film in films], None, [Reading(one.excerpt, one.rate) for one in films])
    for done, (film, group, moments) in enumerate(zip(films, groups, results, strict=True), 1):
        yield Progress("reading", done, len(films))
        if isinstance(moments, FilmFailure):
            failures.append(moments)
            continue
        record = _record(film, moments, group, folder)
        try:
            if answer.resolution == "clip" and moments.clip is not None:
                update = {"answer": rounded(moments.clip), "truth": answer.classes.index(film.label)}
                record = record.model_copy(update=update)
            elif film.annotation is not None:
                scorer.check(film, moments)
                tracks.append(tracks_of(film, moments, answer, rule))
                record = with_answer(record, tracks[-1], answer)
            else:
                measures = moments.timeline.measures
                record = with_curve(record, moments.timeline.seconds, measures["raw"])
        except FilmError as error:
            failures.append(FilmFailure.of(film.path, error))
            continue
        records.append(record)
    if failures:
        yield LeftOut(tuple(failures))
    if not records:
        raise DataError(f"{data}: none of its {len(films)} videos can be used.")
    shares, sure = histograms_of(tracks, answer) if tracks else ({}, None)
    classes = () if answer.kind == "picture" else answer.classes
    guessed_by = "" if answer.kind == "picture" else NO_GUESSES
    return Answers(
        scored=scored,
        classes=classes,
        films=tuple(records),
        several=answer.kind == "several",
        shares=shares,
        sure=sure,
        guessed_by=guessed_by,
    )


def _not_learnt_from(
    films: Sequence[LabelledFilm], seen: Mapping[str, Part], data: Path
) -> tuple[list[LabelledFilm], Literal["data", "val"]]:
    """The films that a model has not seen; without any, those of its validation part."""
    ways: tuple[tuple[SplitName | None, Literal["data", "val"]], ...] = ((None, "data"), ("val", "val"))
    for split, scored in ways:
        with suppress(DataError):
            return of_split(films, seen, split, data)[0], scored
    raise DataError(
        f"{data}: the model learnt from all of its {len(films)} videos, so its answers to them say little. "
        "Name other videos: --data DATA."
    )


def _record(film: LabelledFilm, moments: FilmMoments, group: str, folder: Path) -> FilmAnswers:
    seconds = moments.timeline.seconds
    return FilmAnswers(
        path=stored_path(film.path, folder),
        part=film.part or Part.TEST,
        group=group,
        start_seconds=float(seconds[0]) if len(seconds) else 0.0,
        end_seconds=float(moments.end_seconds),
        frames=moments.frames,
        rate=film.rate,
        excerpt=film.excerpt is not None,
    )
