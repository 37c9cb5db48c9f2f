"""A model and labelled films become a report. Films that the model learnt from are left out unless `split` asks."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vidrnn.config import LabelsConfig
from vidrnn.data.films import content_hash, counted
from vidrnn.errors import DataError, FilmError
from vidrnn.evaluate.base import ScoredFilm, Scorer
from vidrnn.events import LeftOut, Note, Progress, RunEvent
from vidrnn.predict.predictor import Predictor, Reading
from vidrnn.registry import load_attribute
from vidrnn.tables import Report
from vidrnn.values import FilmFailure, LabelledFilm, Part

SplitName = Literal["train", "val", "test", "all"]


@dataclass(frozen=True)
class Evaluation:
    """The scores of a model on labelled films."""

    report: Report
    films: int
    """The number of scored films."""
    seen: int
    """The number of films left out because the model learnt from them or was chosen on them."""
    failures: tuple[FilmFailure, ...]
    seconds: float

    @property
    def numbers(self) -> Mapping[str, Any]:
        """The object that `vidrnn evaluate --json` prints."""
        head = {"seen": self.seen, "skipped": len(self.failures), "seconds": round(self.seconds, 3)}
        failures = [{"path": str(one.path), "error": one.reason} for one in self.failures]
        return {**self.report.numbers, **head, "failures": failures}

    @property
    def counts(self) -> str:
        """A sentence with the number of scored films and the number of films left out."""
        left_out = f"; {counted(self.seen, 'video')} of its training and validation were left out" if self.seen else ""
        return f"{counted(self.films, 'video')} in {self.seconds:.1f} s{left_out}"


def evaluate(
    predictor: Predictor,
    source: Path,
    data: Path,
    split: SplitName | None = None,
    labels: LabelsConfig | None = None,
) -> Generator[RunEvent, None, Evaluation]:
    """Read the films of a part and score the model on them. Events come first, the evaluation comes last.

    Args:
        predictor: the model.
        source: the path that the model was read from.
        data: labelled films, as the model's task reads them.
        split: the part; None: all films but those that the model learnt from or was chosen on.
        labels: how labels at each frame are read; None for the defaults.

    Raises:
        DataError: there is no film to score.
    """
    started = time.monotonic()
    scorer: Scorer = load_attribute(predictor.task.scorer)(predictor.model, source)
    features = (data if data.is_dir() else data.parent) if predictor.model.handling.features else None
    named = predictor.task.read(data, to_train=False, features=features, labels=labels)
    labelled = scorer.usable(named, data)
    yield from (Note(text) for text in named.notes)
    yield from (Note(text, warning=True) for text in named.warnings)
    if len(labelled.films) < len(named.films):
        left_out = len(named.films) - len(labelled.films)
        yield Note(f"{counted(left_out, 'video')} of classes that the model does not know, left out", warning=True)
    films, seen = of_split(labelled.films, predictor.model.header.seen, split, data)
    scored: list[ScoredFilm] = []
    failures = list(labelled.failures)
    results = predictor.read_all(
        [film.path for film in films], scorer.observer(films), [Reading(film.excerpt, film.rate) for film in films]
    )
    for done, (film, moments) in enumerate(zip(films, results, strict=True), 1):
        try:
            if isinstance(moments, FilmFailure):
                failures.append(moments)
            else:
                scorer.check(film, moments)
                scored.append(ScoredFilm(film, moments))
        except FilmError as error:
            failures.append(FilmFailure.of(film.path, error))
        yield Progress("scoring", done, len(films), sum(one.moments.frames for one in scored[-1:]))
    if failures:
        yield LeftOut(tuple(failures))
    if not scored:
        raise DataError(
            f"{data}: none of its {len(films)} videos can be used; the first: {failures[0].path}: {failures[0].reason}"
        )
    report = yield from scorer.report(scored)
    return Evaluation(report, len(scored), seen, tuple(failures), time.monotonic() - started)


def of_split(
    films: Sequence[LabelledFilm], seen: Mapping[str, Part], split: SplitName | None, data: Path
) -> tuple[list[LabelledFilm], int]:
    """The films of a part, and the number of films left out because the model has seen them.

    Raises:
        DataError: the part is empty.
    """
    if split == "all":
        return list(films), 0
    parts = [_part_seen(film, seen) for film in films]
    if split is None:
        unseen = [film for film, part in zip(films, parts, strict=True) if part in (None, Part.TEST)]
        if not unseen:
            raise DataError(
                f"{data}: the model learnt from all of its {len(films)} videos. "
                "To score them all the same, use --split train, val or all."
            )
        return unseen, len(films) - len(unseen)
    named = [film for film, part in zip(films, parts, strict=True) if (part or film.part) == Part(split)]
    if not named:
        raise DataError(f"{data}: none of its {len(films)} videos is in the model's {split} part. Leave out --split.")
    return named, 0


def _part_seen(film: LabelledFilm, seen: Mapping[str, Part]) -> Part | None:
    try:
        return seen.get(content_hash(film.path))
    except FilmError:
        return None  # reading the film gives the reason, in a row of its own
