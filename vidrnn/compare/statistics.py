"""What trainings of several heads came to: means and intervals over seeds, and whether the best is better by chance."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.compare.gradients import GradientFlow, flow_of
from vidrnn.evaluate.metrics import interval95, mean_interval95, paired_p
from vidrnn.values import Part

CONTROL = "none"
_SURE = 0.05


@dataclass(frozen=True)
class Training:
    """What came of one head with one seed."""

    head: str
    seed: int
    val_accuracy: float
    accuracy: float
    macro_f1: float
    hits: tuple[bool, ...]
    """Which of the clips that are judged on were answered rightly."""
    seconds: float
    """Of training, validation after each epoch included."""
    epochs: int
    before: tuple[float, ...]
    """Gradient norms by frame of a window before training, see `vidrnn.compare.gradients`."""
    after: tuple[float, ...]


@dataclass(frozen=True)
class Spread:
    """A number over seeds."""

    mean: float
    interval: tuple[float, float]
    """95 %: of the mean over seeds; with one seed, of the share of clips."""
    each: tuple[float, ...]


@dataclass(frozen=True)
class HeadRow:
    """One head of the table."""

    head: str
    accuracy: Spread
    macro_f1: Spread
    val_accuracy: Spread
    parameters: int
    """Of head and readout, and of the encoder where it learns."""
    training_seconds: float
    """Median over seeds."""
    stream_microseconds: float | None
    """Per frame, read one at a time with carried state; head and readout, without the encoder. None: cannot stream."""
    before: GradientFlow
    after: GradientFlow


@dataclass(frozen=True)
class Comparison:
    """Heads side by side, in the order in which they were asked for."""

    model: str
    """What all have in common, in a line."""
    part: str
    clips: int
    seeds: int
    epochs: int
    rows: tuple[HeadRow, ...]
    best: str
    """The head with the highest mean validation accuracy."""
    p: float | None
    """How often chance would set the best this far from `none` on these clips; None if there is no such pair."""
    simplest: str
    """The head with the fewest parameters within a standard error of the best on validation."""
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """The object that `vidrnn compare --json` prints; an infinite memory is null."""
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
    """What a head costs whatever it has learnt."""

    parameters: int
    stream_microseconds: float | None


def compare_heads(
    trainings: Sequence[Training], costs: dict[str, Cost], groups: Sequence[str], model: str, part: Part
) -> Comparison:
    """Set the heads of `costs` side by side; `groups` are those of the clips that were judged on."""
    by_head = {name: [one for one in trainings if one.head == name] for name in costs}
    rows = tuple(_row(by_head[name], cost, groups) for name, cost in costs.items())
    best = max(rows, key=lambda row: row.val_accuracy.mean)
    simplest = min(_level_with(best, rows), key=lambda row: row.parameters)
    p = None
    if CONTROL in by_head and best.head != CONTROL:
        p = paired_p(_mean_hits(by_head[best.head]), _mean_hits(by_head[CONTROL]), groups)
    return Comparison(
        model=model,
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


def _row(trainings: Sequence[Training], cost: Cost, groups: Sequence[str]) -> HeadRow:
    one_seed = interval95(np.asarray(trainings[0].hits), groups) if len(trainings) == 1 else None
    return HeadRow(
        head=trainings[0].head,
        accuracy=spread([one.accuracy for one in trainings], one_seed),
        macro_f1=spread([one.macro_f1 for one in trainings], one_seed),
        val_accuracy=spread([one.val_accuracy for one in trainings], one_seed),
        parameters=cost.parameters,
        training_seconds=statistics.median(one.seconds for one in trainings),
        stream_microseconds=cost.stream_microseconds,
        before=_mean_flow([one.before for one in trainings]),
        after=_mean_flow([one.after for one in trainings]),
    )


def spread(values: Sequence[float], of_one: tuple[float, float] | None = None) -> Spread:
    """The mean over seeds with its interval; `of_one` where there is but one."""
    interval = of_one or mean_interval95(values)
    return Spread(statistics.fmean(values), interval, tuple(values))


def _mean_flow(norms: Sequence[tuple[float, ...]]) -> GradientFlow:
    """The flow of the mean over seeds of the norms' logarithms, so that no seed outweighs the others."""
    with np.errstate(divide="ignore"):
        return flow_of(np.exp(np.log(np.asarray(norms)).mean(0)))  # where one has vanished, the mean has: exp(-inf)


def _mean_hits(trainings: Sequence[Training]) -> NDArray[np.float64]:
    """For each clip, how often it was answered rightly over the seeds."""
    hits: NDArray[np.float64] = np.asarray([one.hits for one in trainings], dtype=np.float64).mean(0)
    return hits


def _level_with(best: HeadRow, rows: Sequence[HeadRow]) -> list[HeadRow]:
    """The heads whose mean on validation is within a standard error of the best one's."""
    each = best.val_accuracy.each
    error = statistics.stdev(each) / len(each) ** 0.5 if len(each) > 1 else 0.0
    return [row for row in rows if row.val_accuracy.mean >= best.val_accuracy.mean - error]


def _sentence(rows: dict[str, HeadRow], best: HeadRow, simplest: HeadRow, p: float | None) -> str:
    told = f"Best on validation: {best.head}"
    told += f"; the simplest within a standard error of it: {simplest.head}." if simplest is not best else "."
    if best.head == CONTROL:
        return f"{told} Memory is not shown to help here."
    if p is None:
        return f"{told} Add --head none to learn whether memory helps."
    points = 100 * (best.accuracy.mean - rows[CONTROL].accuracy.mean)
    if p < _SURE:
        return f"{told} Memory {'helps' if points > 0 else 'hurts'}: {points:+.1f} points over none (p = {p:.2g})."
    return f"{told} Memory is not shown to help: {points:+.1f} points over none, which may be chance (p = {p:.2g})."
