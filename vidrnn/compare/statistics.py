"""The statistics of a comparison of heads: means and intervals over seeds, and the best head against the control."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.compare.gradients import GradientFlow, flow_from_norms
from vidrnn.evaluate.metrics import mean_interval95, paired_p
from vidrnn.values import Part

CONTROL = "none"
_SURE = 0.05


@dataclass(frozen=True)
class Training:
    """The result of training one head with one seed."""

    head: str
    seed: int
    val_accuracy: float
    accuracy: float
    macro_f1: float
    interval: tuple[float, float] | None
    """The 95 % interval of the accuracy, over groups of films; None where there are too few."""
    hits: tuple[float, ...]
    """(films,): the share of right answers in each scored film; 0 or 1 for the class of a clip."""
    seconds: float
    """The time of training, with the validation after each epoch."""
    epochs: int
    before: tuple[float, ...]
    """(time,): the norm of the gradient at each frame of a window before training; see `vidrnn.compare.gradients`."""
    after: tuple[float, ...]
    """(time,): the same after training."""


@dataclass(frozen=True)
class Spread:
    """The distribution of a number over seeds."""

    mean: float
    interval: tuple[float, float] | None
    """The 95 % interval of the mean over seeds. With one seed: the interval over groups of films, or
    None where there are too few."""
    each: tuple[float, ...]
    """(seeds,): the number with each seed."""


@dataclass(frozen=True)
class HeadRow:
    """One row of the table, for one head."""

    head: str
    accuracy: Spread
    macro_f1: Spread
    val_accuracy: Spread
    parameters: int
    """The number of parameters of head and readout, and of the encoder if it is trained."""
    training_seconds: float
    """The median over seeds."""
    stream_microseconds: float | None
    """The time per frame of head and readout, one frame at a time with carried state. None: the head cannot stream."""
    before: GradientFlow
    after: GradientFlow


@dataclass(frozen=True)
class Comparison:
    """The compared heads, in the order of the request."""

    model: str
    """The parts that all heads share, in one line."""
    measure: str
    """The name of the accuracy: that of clips or of frames, or macro-F1 where several behaviours may hold."""
    unit: str
    """What is scored, in the singular: a clip, a video."""
    part: str
    clips: int
    """The number of scored clips or videos."""
    seeds: int
    epochs: int
    rows: tuple[HeadRow, ...]
    best: str
    """The head with the highest mean validation accuracy."""
    p: float | None
    """The p-value of the difference between the best head and `none`; None if there is no such pair."""
    simplest: str
    """The head with the fewest parameters within a standard error of the best on validation."""
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """The JSON object of `vidrnn compare --json`. An infinite memory is null."""
        rows = []
        for row in self.rows:
            shown = asdict(row)
            for when in ("before", "after"):
                flow: GradientFlow = getattr(row, when)
                memory = flow.memory_frames if np.isfinite(flow.memory_frames) else None
                shown[when] = {"factor": flow.factor, "memory_frames": memory, "norms": flow.norms.tolist()}
            rows.append(shown)
        return {**asdict(replace(self, rows=())), "rows": rows}


@dataclass(frozen=True)
class Cost:
    """The costs of a head, which do not depend on its weights."""

    parameters: int
    stream_microseconds: float | None


@dataclass(frozen=True)
class Scale:
    """What accuracy means, and what is scored, in words."""

    measure: str
    unit: str


def compare_heads(
    trainings: Sequence[Training], costs: dict[str, Cost], groups: Sequence[str], model: str, part: Part, scale: Scale
) -> Comparison:
    """Compare the heads of `costs`.

    Args:
        trainings: the trainings of all heads, each head with the same seeds.
        costs: the costs of each head.
        groups: (clips,), the groups of the scored clips.
        model: the parts that all heads share, in one line.
        part: the part of the scored clips.
        scale: what accuracy means.
    """
    by_head = {name: [one for one in trainings if one.head == name] for name in costs}
    rows = tuple(_row(by_head[name], cost) for name, cost in costs.items())
    best = max(rows, key=lambda row: row.val_accuracy.mean)
    simplest = min(_near_best(best, rows), key=lambda row: row.parameters)
    p = None
    if CONTROL in by_head and best.head != CONTROL:
        p = paired_p(_mean_hits(by_head[best.head]), _mean_hits(by_head[CONTROL]), groups)
    return Comparison(
        model=model,
        measure=scale.measure,
        unit=scale.unit,
        part=part.value,
        clips=len(groups),
        seeds=len(by_head[best.head]),
        epochs=trainings[0].epochs,
        rows=rows,
        best=best.head,
        p=p,
        simplest=simplest.head,
        sentence=_sentence({row.head: row for row in rows}, best, simplest, p),
    )


def _row(trainings: Sequence[Training], cost: Cost) -> HeadRow:
    accuracies = [one.accuracy for one in trainings]
    alone = len(trainings) == 1
    return HeadRow(
        head=trainings[0].head,
        accuracy=Spread(accuracies[0], trainings[0].interval, tuple(accuracies)) if alone else spread(accuracies),
        macro_f1=spread([one.macro_f1 for one in trainings]),
        val_accuracy=spread([one.val_accuracy for one in trainings]),
        parameters=cost.parameters,
        training_seconds=statistics.median(one.seconds for one in trainings),
        stream_microseconds=cost.stream_microseconds,
        before=_mean_flow([one.before for one in trainings]),
        after=_mean_flow([one.after for one in trainings]),
    )


def spread(values: Sequence[float]) -> Spread:
    """The distribution of values (seeds,). One value has no interval."""
    interval = mean_interval95(values) if len(values) > 1 else None
    return Spread(statistics.fmean(values), interval, tuple(values))


def _mean_flow(norms: Sequence[tuple[float, ...]]) -> GradientFlow:
    """The gradient flow of the geometric mean of norms (seeds, time), in which all seeds have the same weight."""
    with np.errstate(divide="ignore"):  # a norm of 0 gives a mean of 0
        return flow_from_norms(np.exp(np.log(np.asarray(norms)).mean(0)))


def _mean_hits(trainings: Sequence[Training]) -> NDArray[np.float64]:
    """(clips,): the share of seeds with the true class."""
    hits: NDArray[np.float64] = np.asarray([one.hits for one in trainings], dtype=np.float64).mean(0)
    return hits


def _near_best(best: HeadRow, rows: Sequence[HeadRow]) -> list[HeadRow]:
    """The heads with a mean validation accuracy within a standard error of the best one."""
    each = best.val_accuracy.each
    error = statistics.stdev(each) / len(each) ** 0.5 if len(each) > 1 else 0.0
    return [row for row in rows if row.val_accuracy.mean >= best.val_accuracy.mean - error]


def _sentence(rows: dict[str, HeadRow], best: HeadRow, simplest: HeadRow, p: float | None) -> str:
    text = f"Best on validation: {best.head}"
    text += f"; the simplest within a standard error of it: {simplest.head}." if simplest is not best else "."
    if best.head == CONTROL:
        return f"{text} Memory is not shown to help here."
    if p is None:
        return f"{text} Add --head none to learn whether memory helps."
    points = 100 * (best.accuracy.mean - rows[CONTROL].accuracy.mean)
    if p < _SURE:
        return f"{text} Memory {'helps' if points > 0 else 'hurts'}: {points:+.1f} points over none (p = {p:.2g})."
    return f"{text} Memory is not shown to help: {points:+.1f} points over none, which may be chance (p = {p:.2g})."
