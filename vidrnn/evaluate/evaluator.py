"""A model and labelled films become scores. Films that the model learnt from are left out unless they are named."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vidrnn.data.films import content_hash, read_labelled
from vidrnn.data.groups import named_groups
from vidrnn.errors import DataError, FilmError
from vidrnn.evaluate.metrics import ClassifyScores, classify_scores, interval95
from vidrnn.events import LeftOut, Note, Progress, RunEvent
from vidrnn.predict.predictor import Predictor
from vidrnn.timeline.segments import FilmScores, probabilities
from vidrnn.values import FilmFailure, LabelledFilm, Part

SplitName = Literal["train", "val", "test", "all"]
_WORST = 10


@dataclass(frozen=True)
class WorstClip:
    """A clip whose true class the model thought least likely."""

    path: Path
    truth: str
    answer: str
    answer_probability: float
    truth_probability: float


@dataclass(frozen=True)
class Evaluation:
    """What a model scores on labelled films."""

    task: str
    scores: ClassifyScores
    interval: tuple[float, float]
    """95 % of the accuracy, groups drawn anew."""
    majority: float
    """The accuracy of always naming the commonest class of these films."""
    seen: int
    """Clips left out because the model learnt from them or was chosen on them."""
    failures: tuple[FilmFailure, ...]
    worst: tuple[WorstClip, ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The object that `vidrnn evaluate --json` prints."""
        scores = asdict(self.scores)
        per_class = {row.pop("label"): row for row in scores.pop("per_class")}
        return {
            "task": self.task,
            "clips": self.scores.clips,
            "skipped": len(self.failures),
            "seen": self.seen,
            "seconds": round(self.seconds, 3),
            **{key: scores[key] for key in ("accuracy", "macro_f1", "ece")},
            "accuracy_interval": list(self.interval),
            "majority": self.majority,
            "classes": list(per_class),
            "confusion": [list(row) for row in self.scores.confusion],
            "per_class": per_class,
            "worst": [{**asdict(clip), "path": str(clip.path)} for clip in self.worst],
            "failures": [{"path": str(one.path), "error": one.reason} for one in self.failures],
        }


def evaluate(predictor: Predictor, data: Path, split: SplitName | None = None) -> Generator[RunEvent, None, Evaluation]:
    """Read every film that `split` names and score the answers; events on the way, the evaluation in the end.

    `split` None: all films but those that the model learnt from or was chosen on.

    Raises:
        DataError: there is nothing to score.
    """
    started = time.monotonic()
    labelled = read_labelled(data, fewest_classes=1)
    films = _known(labelled.films, predictor.model.handling.classes, data)
    if len(films) < len(labelled.films):
        yield Note(f"{len(labelled.films) - len(films)} films of classes that the model does not know, left out", True)
    films, seen = of_split(films, predictor.model.header.seen, split, data)
    read: list[tuple[LabelledFilm, FilmScores]] = []
    failures = list(labelled.failures)
    for done, (film, found) in enumerate(zip(films, predictor.score_all([f.path for f in films]), strict=True), 1):
        if isinstance(found, FilmFailure):
            failures.append(found)
        else:
            read.append((film, found))
        yield Progress("scoring", done, len(films), sum(scored.frames for _, scored in read[-1:]))
    if failures:
        yield LeftOut(tuple(failures))
    if not read:
        raise DataError(
            f"{data}: none of its {len(films)} films can be read; the first: {failures[0].path}: {failures[0].reason}"
        )
    return _evaluation(predictor, read, seen, failures, started)


def _known(films: Sequence[LabelledFilm], classes: Sequence[str], data: Path) -> list[LabelledFilm]:
    known = [film for film in films if film.label in classes]
    if not known:
        theirs = ", ".join(sorted({film.label for film in films})[:8])
        raise DataError(
            f"{data}: its classes ({theirs}) are none of the model's ({', '.join(classes[:8])}). "
            "Give it films of its own classes."
        )
    return known


def of_split(
    films: Sequence[LabelledFilm], seen: dict[str, Part], split: SplitName | None, data: Path
) -> tuple[list[LabelledFilm], int]:
    """The films that `split` names, and how many were left out because the model had seen them."""
    if split == "all":
        return list(films), 0
    parts = [_part_seen(film, seen) for film in films]
    if split is None:
        kept = [film for film, part in zip(films, parts, strict=True) if part in (None, Part.TEST)]
        if not kept:
            raise DataError(
                f"{data}: the model learnt from all of its {len(films)} films. "
                "Say --split train, val or all to score them nevertheless."
            )
        return kept, len(films) - len(kept)
    kept = [film for film, part in zip(films, parts, strict=True) if (part or film.part) == Part(split)]
    if not kept:
        raise DataError(f"{data}: none of its {len(films)} films is in the model's {split} part. Leave out --split.")
    return kept, 0


def _part_seen(film: LabelledFilm, seen: dict[str, Part]) -> Part | None:
    try:
        return seen.get(content_hash(film.path))
    except FilmError:
        return None  # reading it will say why, in a row of its own


def _evaluation(
    predictor: Predictor,
    read: Sequence[tuple[LabelledFilm, FilmScores]],
    seen: int,
    failures: Sequence[FilmFailure],
    started: float,
) -> Evaluation:
    classes = predictor.model.handling.classes
    truth = np.asarray([classes.index(film.label) for film, _ in read], dtype=np.int64)
    given = probabilities(np.stack([scored.film_scores for _, scored in read]), predictor.model.handling.temperature)
    answer = given.argmax(1)
    order = np.argsort(given[np.arange(len(truth)), truth], kind="stable")
    worst = [
        WorstClip(
            path=read[i][0].path,
            truth=classes[truth[i]],
            answer=classes[answer[i]],
            answer_probability=float(given[i, answer[i]]),
            truth_probability=float(given[i, truth[i]]),
        )
        for i in order[:_WORST]
        if answer[i] != truth[i]
    ]
    return Evaluation(
        task=predictor.model.spec.task,
        scores=classify_scores(given, truth, classes),
        interval=interval95(answer == truth, named_groups([film for film, _ in read])),
        majority=float(np.bincount(truth).max() / len(truth)),
        seen=seen,
        failures=tuple(failures),
        worst=tuple(worst),
        seconds=time.monotonic() - started,
    )
