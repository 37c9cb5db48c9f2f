"""Scores of models that give one class for a clip."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vidrnn.data.films import LabelledData
from vidrnn.data.grouping.groups import named_groups
from vidrnn.errors import DataError
from vidrnn.evaluate.base import ScoredFilm, Scorer
from vidrnn.evaluate.metrics import ClassifyScores, classify_scores, interval95
from vidrnn.events import RunEvent
from vidrnn.tables import Report, Style, Table
from vidrnn.values import FilmMoments, Floats, LabelledFilm

_WORST = 10
_MOST_CLASSES = 20
"""Of a confusion matrix that is shown."""


class ClassScorer(Scorer):
    """Accuracy, macro-F1, calibration error, confusion, and the worst clips."""

    @override
    def usable(self, labelled: LabelledData, data: Path) -> LabelledData:
        classes = self.model.handling.answer.classes
        films = tuple(film for film in labelled.films if film.label in classes)
        if not films:
            others = ", ".join(sorted({film.label for film in labelled.films})[:8])
            raise DataError(
                f"{data}: its classes ({others}) are none of the model's ({', '.join(classes[:8])}). "
                "Give videos of the model's classes."
            )
        return replace(labelled, films=films)

    @override
    def observer(self, films: Sequence[LabelledFilm]) -> None:
        return None

    @override
    def check(self, film: LabelledFilm, moments: FilmMoments) -> None:
        """Nothing: a class fits a film of any length."""

    @override
    def report(self, films: Sequence[ScoredFilm]) -> Generator[RunEvent, None, Report]:
        yield from ()
        answer = self.model.handling.answer
        given = np.stack([one.moments.clip for one in films if one.moments.clip is not None])
        truth = np.asarray([answer.classes.index(one.film.label) for one in films], dtype=np.int64)
        scores = classify_scores(given, truth, answer.classes)
        interval = interval95(given.argmax(1) == truth, named_groups([one.film for one in films]))
        majority = float(np.bincount(truth).max() / len(truth))
        worst = _worst([one.film for one in films], given, truth, answer.classes)
        return class_report(scores, interval, task=answer.task, majority=majority, worst=worst)


def class_report(
    scores: ClassifyScores,
    interval: tuple[float, float],
    *,
    task: str,
    majority: float | None = None,
    worst: Sequence[dict[str, Any]] = (),
    title: str = "",
) -> Report:
    """The scores of clips as tables, a sentence and numbers.

    Args:
        scores: the scores.
        interval: the 95 % interval of the accuracy.
        task: the name of the task.
        majority: the accuracy of the most frequent class alone.
        worst: the clips with the lowest probability of the true class.
        title: the title of the report.
    """
    by_class = {row.label: asdict(row) for row in scores.per_class}
    for numbers_of_class in by_class.values():
        del numbers_of_class["label"]
    rows = tuple((row.label, str(row.clips), f"{row.precision:.3f}", f"{row.recall:.3f}") for row in scores.per_class)
    tables = [Table(("class", "clips", "precision", "recall"), rows)]
    if len(rows) <= _MOST_CLASSES:
        tables.append(_confusion(scores))
    if worst:
        tables.append(_worst_table(worst))
    most_frequent = "" if majority is None else f", majority class {majority:.3f}"
    sentence = (
        f"Accuracy {scores.accuracy:.3f} ({interval[0]:.2f} to {interval[1]:.2f}), macro-F1 {scores.macro_f1:.3f}, "
        f"calibration error {scores.ece:.3f}{most_frequent}, {scores.clips} clips."
    )
    numbers: dict[str, Any] = {
        "task": task,
        "clips": scores.clips,
        "accuracy": scores.accuracy,
        "macro_f1": scores.macro_f1,
        "ece": scores.ece,
        "accuracy_interval": list(interval),
        "majority": majority,
        "classes": list(by_class),
        "confusion": [list(row) for row in scores.confusion],
        "per_class": by_class,
        "worst": list(worst),
    }
    return Report(title, tuple(tables), (sentence,), (), numbers)


def most_confused(scores: ClassifyScores) -> str:
    """A sentence with the pair of classes that is confused most often; empty if no clip is wrong."""
    table = np.array(scores.confusion)
    np.fill_diagonal(table, 0)
    if not table.any():
        return ""
    truth, answer = np.unravel_index(int(table.argmax()), table.shape)
    names = [one.label for one in scores.per_class]
    return f"Most confused: {names[truth]} with {names[answer]}."


def _confusion(scores: ClassifyScores) -> Table:
    labels = [row.label for row in scores.per_class]
    columns = ("", *(str(number + 1) for number in range(len(labels))))
    rows: list[tuple[str, ...]] = []
    styles: dict[tuple[int, int], Style] = {}
    for place, (label, counts) in enumerate(zip(labels, scores.confusion, strict=True)):
        cells = [str(count) if count or column == place else "." for column, count in enumerate(counts)]
        rows.append((f"{place + 1} {label}", *cells))
        for column, count in enumerate(counts):
            styles[place, column + 1] = "good" if column == place else "bad" if count else "faint"
    return Table(columns, tuple(rows), "confusion: rows are the truth", styles=styles, in_card=False)


def _worst(
    films: Sequence[LabelledFilm], given: Floats, truth: NDArray[np.int64], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """The wrongly classified clips with the lowest probability of their true class."""
    answer = given.argmax(1)
    order = np.argsort(given[np.arange(len(truth)), truth], kind="stable")[:_WORST]
    return [
        {
            "path": str(films[place].path),
            **({} if films[place].excerpt is None else {"part": str(films[place].excerpt)}),
            "truth": classes[truth[place]],
            "answer": classes[answer[place]],
            "answer_probability": float(given[place, answer[place]]),
            "truth_probability": float(given[place, truth[place]]),
        }
        for place in order
        if answer[place] != truth[place]
    ]


def _worst_table(worst: Sequence[dict[str, Any]]) -> Table:
    rows = tuple(
        (
            *(f"{Path(clip['path']).name} {clip.get('part', '')}".rstrip(), clip["truth"], clip["answer"]),
            *(f"{clip['answer_probability']:.2f}", f"{clip['truth_probability']:.2f}"),
        )
        for clip in worst
    )
    return Table(("clip", "is", "answer", "probability", "of the truth"), rows, "worst clips", in_card=False)
