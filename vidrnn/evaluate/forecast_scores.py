"""How well frames are foretold, at each step ahead, by a model and by what needs no learning, on the same stretches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from vidrnn.evaluate.baselines import RULES, MeanImage
from vidrnn.evaluate.metrics import FrameMeter, FrameScores, StepScores
from vidrnn.events import ForecastScores, MethodScores, StepNumbers
from vidrnn.runtimes.base import FrameRuntime
from vidrnn.tasks.next_frame import Painted, as_painted, rollouts
from vidrnn.values import Pixels

THIS_MODEL = "this model"
_AT_ONCE = 8
"""Stretches that a model goes through side by side."""
Rule = Callable[[Painted, int], Painted]


def appraise(model: FrameRuntime, stretches: Sequence[Pixels], mean: MeanImage | None, part: str) -> ForecastScores:
    """Score a model and the baselines on stretches (context + horizon, height, width, 3).

    Args:
        model: any runtime.
        stretches: one or more, at the model's size, on its grid.
        mean: of the training films; None where it is not known.
        part: what the stretches are of, in a word.
    """
    handling = model.handling
    rules: dict[str, Rule] = dict(RULES) | ({mean.name: mean.foretell} if mean else {})
    meters = {name: FrameMeter() for name in (*rules, THIS_MODEL)}
    for start in range(0, len(stretches), _AT_ONCE):
        some = np.stack(stretches[start : start + _AT_ONCE])
        contexts, truth = some[:, : handling.context], as_painted(some[:, handling.context :], handling.channels)
        painted = as_painted(contexts, handling.channels)
        meters[THIS_MODEL].add(rollouts(model, contexts, handling.horizon), truth)
        for name, rule in rules.items():
            meters[name].add(np.stack([rule(one, handling.horizon) for one in painted]), truth)
    scores = {name: meter.scores() for name, meter in meters.items()}
    ours = scores[THIS_MODEL]
    rows = tuple(_row(name, one) for name, one in scores.items())
    return ForecastScores(part, len(stretches), rows, verdict(scores), ours.definitions)


def verdict(scores: Mapping[str, FrameScores]) -> str:
    """Whether the model is worth having: at which steps ahead which baseline is as good."""
    ours = scores[THIS_MODEL].per_step
    found = []
    for name, other in scores.items():
        if name == THIS_MODEL:
            continue
        steps = [
            number
            for number, (mine, its) in enumerate(zip(ours, other.per_step, strict=True), 1)
            if its.mse <= mine.mse or _more_alike(its, mine)
        ]
        if steps:
            found.append(f"{name} at {_steps(steps, len(ours))}")
    if not found:
        return "Better than every baseline at every step, in MSE and SSIM."
    return f"As good as this model, or better, in MSE or SSIM: {'; '.join(found)}."


def _more_alike(its: StepScores, mine: StepScores) -> bool:
    """Whether SSIM, where frames are large enough to have one, is higher."""
    return its.ssim is not None and mine.ssim is not None and its.ssim > mine.ssim


def _steps(steps: Sequence[int], of: int) -> str:
    if len(steps) == of:
        return "every step" if of > 1 else "the only step"
    if len(steps) > 1 and list(steps) == list(range(steps[0], steps[-1] + 1)):
        return f"steps {steps[0]} to {steps[-1]}"
    return f"step{'s' * (len(steps) > 1)} {', '.join(map(str, steps))}"


def _row(name: str, found: FrameScores) -> MethodScores:
    return MethodScores(name, _numbers(found.overall), tuple(_numbers(step) for step in found.per_step))


def _numbers(step: StepScores) -> StepNumbers:
    return StepNumbers(step.mse_sum, step.mae_sum, step.mse, step.mae, step.psnr, step.ssim)
