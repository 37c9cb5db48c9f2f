"""The sections of a model that predicts the next frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import exp
from typing import Any

import numpy as np

from vidrnn.report.blocks import Block, Figures, Rows, Section, Words
from vidrnn.report.evidence import Evidence
from vidrnn.report.figures import lines, timeline
from vidrnn.report.sections import shared
from vidrnn.report.strips import Pictures, Stretch
from vidrnn.report.suspects import Suspect
from vidrnn.report.worst import Mistake
from vidrnn.tables import Table
from vidrnn.timeline.segments import ANOMALY, for_class

_MOST_TIMELINES = 8
_MEASURES = (("mse", "MSE of a pixel", True), ("ssim", "SSIM", False))


def forecast_sections(
    evidence: Evidence, worst: list[Mistake], suspects: list[Suspect], pictures: Mapping[Stretch, Pictures]
) -> Iterator[Section]:
    """The page of a model of next frames, in the order of reading."""
    yield shared.verdict(evidence, [])
    yield from _horizon(evidence)
    yield from _anomalies(evidence)
    if evidence.answers is not None and worst:
        yield shared.mistakes(worst, pictures, "Where it was surprised most", "No moment has a score.")
    yield from shared.training(evidence)
    yield from shared.data(evidence)
    yield shared.run(evidence)


def _horizon(evidence: Evidence) -> Iterator[Section]:
    """Errors at each step ahead beside baselines without learning."""
    scores = evidence.scores
    steps, baselines = scores.get("per_step"), scores.get("baselines")
    if not isinstance(steps, list) or not steps or not isinstance(baselines, dict):
        return
    rows: dict[str, Mapping[str, Any]] = {**baselines, shared.THIS_MODEL: scores}
    pictures = []
    for key, title, log in _MEASURES:
        curves = {name: _numbers(one.get("per_step") or (), key) for name, one in rows.items()}
        known = {name: curve for name, curve in curves.items() if curve}
        if shared.THIS_MODEL in known:
            positive = all(value > 0 for curve in known.values() for value in curve)
            pictures.append(lines(known, title, "frames ahead", shared.THIS_MODEL, log=log and positive))
    table = Table(
        ("", "MSE of a pixel", "PSNR", "SSIM"),
        tuple(
            (name, _plain(one.get("mse"), ".2e"), _plain(one.get("psnr"), ".2f"), _plain(one.get("ssim"), ".3f"))
            for name, one in rows.items()
        ),
        "mean over the frames ahead",
        strong=frozenset({len(rows) - 1}),
    )
    blocks: list[Block] = [Figures(tuple(pictures)), Rows(table)]
    yield Section("horizon", "How far ahead?", [*blocks, Words(("The baselines need no learning.",), quiet=True)])


def _numbers(steps: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    found = [step.get(key) for step in steps]
    return [float(value) for value in found if value is not None] if None not in found else []


def _anomalies(evidence: Evidence) -> Iterator[Section]:
    """What is normal, and the scores of held-out films."""
    decision = evidence.header.decision
    normal = decision.anomaly
    if normal is None:
        words = "The model does not know how large errors normally are, so it tells no anomalies."
        yield Section("anomalies", "Anomalies", [Words((words,))])
        return
    threshold = for_class(decision.threshold, ANOMALY, 0.5)
    words = (
        f"In normal videos the median surprise is {exp(normal.middle):.3g}, and one frame in a hundred exceeds "
        f"{exp(normal.high):.3g}. A frame's score is the mean over {normal.smoothing_frames} frames; an anomaly begins "
        f"at {threshold:g}."
    )
    blocks: list[Block] = [Words((words,))]
    films = [film for film in (evidence.answers.films if evidence.answers else ()) if film.curve]
    if films:
        above = np.concatenate([np.asarray(film.curve) >= threshold for film in films])
        found = tuple(
            timeline(
                shared.film_name(film, film.start_seconds, film.end_seconds),
                np.asarray(film.curve_seconds),
                np.asarray(film.curve),
                threshold,
            )
            for film in films[:_MOST_TIMELINES]
        )
        share = (
            f"{100 * above.mean():.1f} % of the moments of {evidence.answered} shown here score {threshold:g} or more."
        )
        blocks += [Figures(found, "Scores of single frames; the dotted line is the threshold."), Words((share,))]
    yield Section("anomalies", "Anomalies", blocks)


def _plain(value: Any, form: str) -> str:
    return "-" if value is None else format(value, form)
