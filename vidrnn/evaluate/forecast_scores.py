"""Errors of predicted frames at each step ahead, of a model and of baselines without learning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from vidrnn.evaluate.baselines import RULES, MeanImage
from vidrnn.evaluate.metrics import FrameMeter, FrameScores, StepScores
from vidrnn.runtimes.base import Runtime
from vidrnn.tables import Report, Table
from vidrnn.tasks.next_frame import Picture, as_picture, rollouts
from vidrnn.values import Pixels

THIS_MODEL = "this model"
_AT_ONCE = 8
"""Stretches that the model predicts at the same time."""
Rule = Callable[[Picture, int], Picture]


def score_forecasts(model: Runtime, stretches: Sequence[Pixels], mean: MeanImage | None, part: str) -> Report:
    """Score a model and the baselines on stretches (context + horizon, height, width, 3).

    Args:
        model: any runtime whose answer is a picture.
        stretches: one or more, at the size and the spacing of the model.
        mean: the mean image of the training films; None if it is not known.
        part: the name of the part that the stretches come from.
    """
    forecast = model.handling.forecast
    assert forecast is not None
    rules: dict[str, Rule] = dict(RULES) | ({mean.name: mean.predict} if mean else {})
    meters = {name: FrameMeter() for name in (*rules, THIS_MODEL)}
    for start in range(0, len(stretches), _AT_ONCE):
        some = np.stack(stretches[start : start + _AT_ONCE])
        contexts, truth = some[:, : forecast.context], as_picture(some[:, forecast.context :], forecast.channels)
        pictures = as_picture(contexts, forecast.channels)
        meters[THIS_MODEL].add(rollouts(model, contexts, forecast.horizon), truth)
        for name, rule in rules.items():
            meters[name].add(np.stack([rule(one, forecast.horizon) for one in pictures]), truth)
    return forecast_report({name: meter.scores() for name, meter in meters.items()}, part, len(stretches))


def forecast_report(scores: Mapping[str, FrameScores], part: str, stretches: int) -> Report:
    """The scores as tables, a sentence and numbers. `scores` holds the baselines, and the model as the last one."""
    ours = scores[THIS_MODEL]
    numbers: dict[str, Any] = {
        "part": part,
        "stretches": stretches,
        **asdict(ours.overall),
        "per_step": [asdict(step) for step in ours.per_step],
        "baselines": {
            name: {**asdict(one.overall), "per_step": [asdict(step) for step in one.per_step]}
            for name, one in scores.items()
            if name != THIS_MODEL
        },
        "sentence": verdict(scores),
        "definitions": list(ours.definitions),
    }
    overall = tuple(_overall_row(name, one.overall) for name, one in scores.items())
    title = f"{part}: {stretches} stretches, mean over the steps ahead"
    columns = ("", "MSE", "MAE", "MSE of a pixel", "PSNR", "SSIM")
    tables = Table(columns, overall, title, strong=frozenset({len(scores) - 1})), _by_step(scores)
    return Report("", tables, (verdict(scores),), ours.definitions, numbers)


def _overall_row(name: str, one: StepScores) -> tuple[str, ...]:
    return name, f"{one.mse_sum:.1f}", f"{one.mae_sum:.1f}", f"{one.mse:.2e}", f"{one.psnr:.2f}", _ssim(one)


def _by_step(scores: Mapping[str, FrameScores]) -> Table:
    shown = _shown_steps(len(scores[THIS_MODEL].per_step))
    rows: list[tuple[str, ...]] = []
    for name, one in scores.items():
        steps = [one.per_step[step - 1] for step in shown]
        rows += [(name, *(f"{step.mse_sum:.1f}" for step in steps)), ("", *(_ssim(step) for step in steps))]
    title = "one step ahead and further: squared error summed over a frame; SSIM"
    strong = frozenset({len(rows) - 2, len(rows) - 1})
    return Table(("step ahead", *map(str, shown)), tuple(rows), title, strong=strong, in_card=False)


def _shown_steps(steps: int) -> list[int]:
    """The steps that a table shows, as many as fit into a line: 1 to 3, then evenly chosen ones, with the last."""
    if steps <= 8:
        return list(range(1, steps + 1))
    return sorted({1, 2, 3, *(round(1 + (steps - 1) * part / 5) for part in range(1, 6))})


def _ssim(one: StepScores) -> str:
    return "-" if one.ssim is None else f"{one.ssim:.3f}"


def verdict(scores: Mapping[str, FrameScores]) -> str:
    """A sentence that names each baseline that is as good as the model, and at which steps ahead."""
    ours = scores[THIS_MODEL].per_step
    as_good = []
    for name, other in scores.items():
        if name == THIS_MODEL:
            continue
        steps = [
            number
            for number, (mine, its) in enumerate(zip(ours, other.per_step, strict=True), 1)
            if its.mse <= mine.mse or _higher_ssim(its, mine)
        ]
        if steps:
            as_good.append(f"{name} at {_steps(steps, len(ours))}")
    if not as_good:
        return "Better than every baseline at every step, in MSE and SSIM."
    return f"These baselines are as good as this model, or better, in MSE or SSIM: {'; '.join(as_good)}."


def _higher_ssim(its: StepScores, mine: StepScores) -> bool:
    """Whether SSIM is higher. Small frames have no SSIM."""
    return its.ssim is not None and mine.ssim is not None and its.ssim > mine.ssim


def _steps(steps: Sequence[int], of: int) -> str:
    if len(steps) == of:
        return "every step" if of > 1 else "the only step"
    if len(steps) > 1 and list(steps) == list(range(steps[0], steps[-1] + 1)):
        return f"steps {steps[0]} to {steps[-1]}"
    return f"step{'s' * (len(steps) > 1)} {', '.join(map(str, steps))}"
