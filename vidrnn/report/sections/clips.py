"""The sections of a model that gives one class for a clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from vidrnn.report.blocks import Block, Matrix, Rows, Section, Words
from vidrnn.report.evidence import Evidence
from vidrnn.report.sections import shared
from vidrnn.report.strips import Pictures, Stretch
from vidrnn.report.suspects import Suspect
from vidrnn.report.worst import Mistake
from vidrnn.tables import Table
from vidrnn.timeline.segments import for_class

_LARGEST_MATRIX = 25
_MOST_PAIRS = 12


def clip_sections(
    evidence: Evidence, worst: list[Mistake], suspects: list[Suspect], pictures: Mapping[Stretch, Pictures]
) -> Iterator[Section]:
    """The page of a model of clips, in the order of reading."""
    interval = shared.interval_of(evidence.scores)
    yield shared.verdict(evidence, shared.score_block(evidence, "accuracy", "accuracy", interval))
    yield from shared.controls(evidence, "accuracy")
    yield from _confusion(evidence)
    if evidence.answers is not None:
        yield shared.mistakes(worst, pictures, "The worst clips", "No clip is wrong.")
    yield from shared.curves(evidence, lambda name: _threshold(evidence, name), _points(evidence))
    yield from shared.suspects(evidence, suspects, pictures)
    yield from shared.training(evidence)
    yield from shared.tried(evidence)
    yield from shared.data(evidence)
    yield shared.run(evidence)


def _threshold(evidence: Evidence, name: str) -> float | None:
    return for_class(evidence.header.decision.threshold, name, 0.0) or None


def _counts(evidence: Evidence) -> tuple[tuple[str, ...], list[list[int]]]:
    """The classes and the confusion matrix of the answers, else of the numbers of the header."""
    rows, truth = evidence.rows
    if len(rows) and evidence.answers is not None:
        classes = evidence.answers.classes
        table = np.zeros((len(classes), len(classes)), dtype=int)
        np.add.at(table, (truth, rows.argmax(1)), 1)
        return classes, table.tolist()
    numbers = evidence.scores.get(evidence.part, evidence.scores)
    numbers = numbers if isinstance(numbers, dict) and "confusion" in numbers else evidence.scores
    return tuple(map(str, numbers.get("classes") or ())), list(numbers.get("confusion") or ())


def _confusion(evidence: Evidence) -> Iterator[Section]:
    classes, counts = _counts(evidence)
    if not counts:
        return
    pairs = sorted(
        ((count, row, column) for row, one in enumerate(counts) for column, count in enumerate(one) if row != column),
        key=lambda pair: -pair[0],
    )
    shown = tuple((classes[row], classes[column], str(count)) for count, row, column in pairs[:_MOST_PAIRS] if count)
    blocks: list[Block] = []
    if evidence.answers is not None and evidence.answers.scored != evidence.part:
        blocks.append(Words((f"Answers to {sum(map(sum, counts)):,} clips of {evidence.answered}.",), quiet=True))
    if len(classes) <= _LARGEST_MATRIX:
        blocks.append(Matrix(classes, tuple(tuple(row) for row in counts)))
    if shown and len(classes) > 3:
        blocks.append(Rows(Table(("is", "answer", "clips"), shown, "most confused")))
    if not shown:
        blocks.append(Words(("No clip was taken for one of another class.",)))
    yield Section("confusion", "Confusion", blocks)


def _points(evidence: Evidence) -> dict[str, tuple[float, float]]:
    """Recall and precision of the answers for each class that is answered."""
    classes, counts = _counts(evidence)
    table = np.asarray(counts, dtype=np.float64).reshape(len(classes), len(classes))
    said, true, hits = table.sum(0), table.sum(1), np.diag(table)
    return {
        name: (float(hits[place] / true[place]), float(hits[place] / said[place]))
        for place, name in enumerate(classes)
        if said[place] and true[place]
    }
