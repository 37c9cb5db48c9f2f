"""The figures that every kind of model has, or several: curves of training, controls, precision and recall, and so on.

Numbers go in, SVG comes out. This module knows no run and no page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from vidrnn.report.answers import BINS, Histograms
from vidrnn.report.drawing import BAD, INK, LINE, MAIN, MUTED, OTHER, drawn
from vidrnn.values import Floats

_SMALL, _WIDE = (300, 240), (440, 300)
_RELIABLE_BINS = 10
_LONGEST_NAME = 28


def training_curves(epochs: Sequence[Mapping[str, Any]]) -> tuple[Markup, ...]:
    """The losses of each epoch, and the measures on validation; the best epoch is marked."""
    numbers = [epoch["number"] for epoch in epochs]
    best = epochs[-1].get("best")
    rows = [("loss", {"training": "train_loss", "validation": "loss"}, [dict(epoch) for epoch in epochs])]
    measures = list(epochs[-1].get("measures") or {})
    if measures:
        rows.append(("validation", {name: name for name in measures}, [dict(epoch["measures"]) for epoch in epochs]))
    pictures = []
    for title, names, values in rows:
        last = ", ".join(f"{name} {_number(values[-1].get(key))}" for name, key in names.items())
        text = f"{title} over {len(epochs)} epochs; at the end {last}"
        with drawn(*_WIDE, text) as (axes, found):
            for place, (name, key) in enumerate(names.items()):
                curve = [np.nan if one.get(key) is None else one[key] for one in values]
                colour = (MAIN, OTHER, INK, BAD)[place % 4]
                axes.plot(numbers, curve, label=name, linewidth=1.6, color=colour, marker=".", markersize=4)
            if best is not None and best in numbers:
                axes.axvline(best, color=MUTED, linewidth=0.8, linestyle=":")
                axes.annotate(f"best: epoch {best}", (best, 1.0), (3, -2), *_ABOVE, color=MUTED, va="top", fontsize=10)
            axes.set_title(title)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.margins(x=0.03)
            _legend(axes)
        pictures += found
    return tuple(pictures)


_ABOVE = (("data", "axes fraction"), "offset points")


def dots(rows: Sequence[tuple[str, float, tuple[float, float] | None]], measure: str, strong: str) -> Markup:
    """A dot with its interval for each row; `strong` is the row that stands out."""
    text = f"{measure}: " + ", ".join(f"{name} {value:.3f}" for name, value, _ in rows)
    with drawn(460, 52 + 23 * len(rows), text) as (axes, found):
        for place, (name, value, interval) in enumerate(rows):
            colour = MAIN if name == strong else MUTED
            if interval is not None:
                axes.plot(interval, [place, place], color=colour, linewidth=2, solid_capstyle="round", alpha=0.55)
            axes.plot([value], [place], "o", color=colour, markersize=6 if name == strong else 5)
        axes.set_yticks(range(len(rows)), [f"{shortened(name)}  {value:.3f}" for name, value, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        low = min([value for _, value, _ in rows] + [one[0] for _, _, one in rows if one])
        axes.set_xlim(max(-0.02, low - 0.08), 1.02)
        axes.set_xlabel(measure)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=LINE, linewidth=0.5)
        axes.set_axisbelow(True)
    return found[0]


def precision_recall(
    name: str, shares: Histograms, threshold: float | None, point: tuple[float, float] | None
) -> Markup:
    """Precision over recall for all thresholds.

    Args:
        name: of the class.
        shares: its probabilities, where it is shown and where not.
        threshold: the one that was chosen; None where the most probable class is the answer.
        point: recall and precision of the answers.
    """
    recall, precision, base = curve_of(shares)
    area = area_of(recall, precision)
    text = f"precision over recall of {name}: average precision {area:.3f}, share of the class {base:.3f}"
    if point is not None:
        text += f"; the answers have recall {point[0]:.2f} and precision {point[1]:.2f}"
    with drawn(*_SMALL, text) as (axes, found):
        axes.axhline(base, color=MUTED, linewidth=0.8, linestyle=":")
        axes.step(recall, precision, where="pre", color=MAIN, linewidth=1.6)
        if point is not None:
            axes.plot([point[0]], [point[1]], "o", color=OTHER, markersize=6)
        chosen = "" if threshold is None else f", threshold {threshold:.2f}"
        axes.set_title(f"{shortened(name)}: AP {area:.3f}{chosen}")
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.04)
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
    return found[0]


def curve_of(shares: Histograms) -> tuple[Floats, Floats, float]:
    """Recall and precision at each threshold from high to low, and the share of the class."""
    right, wrong = (np.asarray(side[::-1], dtype=np.float64) for side in (shares.right, shares.wrong))
    hits, said = right.cumsum(), (right + wrong).cumsum()
    total = max(1.0, float(right.sum()))
    there = right + wrong > 0
    recall, precision = hits[there] / total, hits[there] / said[there]
    everything = max(1.0, float(said[-1]))
    return np.append(0.0, recall), np.append(precision[:1], precision), float(right.sum() / everything)


def area_of(recall: Floats, precision: Floats) -> float:
    """Average precision, from a histogram and so to about 0.01."""
    return float((np.diff(recall) * precision[1:]).sum())


def reliability(sure: Histograms, what: str) -> Markup:
    """How often the answers are right that were said with each probability."""
    right, wrong = (np.asarray(side, dtype=np.float64).reshape(_RELIABLE_BINS, -1) for side in (sure.right, sure.wrong))
    middles = (np.arange(BINS) + 0.5).reshape(_RELIABLE_BINS, -1) / BINS
    counts = (right + wrong).sum(1)
    there = counts > 0
    said = ((right + wrong) * middles).sum(1)[there] / counts[there]
    hit = right.sum(1)[there] / counts[there]
    gap = float((np.abs(said - hit) * counts[there]).sum() / max(1.0, counts.sum()))
    text = f"reliability: the mean distance between what is said and what is right is {gap:.3f}"
    with drawn(*_WIDE, text) as (axes, found):
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=":")
        axes.bar(
            (np.arange(_RELIABLE_BINS) + 0.5) / _RELIABLE_BINS,
            counts / max(1.0, counts.max()) * 0.25,
            width=0.9 / _RELIABLE_BINS,
            color=LINE,
        )
        axes.plot(said, hit, color=MAIN, marker="o", markersize=5, linewidth=1.6)
        axes.set_title(f"calibration error {gap:.3f}; bars: how many")
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.04)
        axes.set_xlabel(f"probability that the model says, {what}")
        axes.set_ylabel("share that is right")
    return found[0]


def scatter(name: str, true: Floats, said: Floats, title: str, unit: str) -> Markup:
    """Predicted over true numbers, a dot for each film, with the line on which they agree."""
    text = f"{name}, predicted over true {unit} of {len(true)} videos; {title}"
    with drawn(*_SMALL, text) as (axes, found):
        most = float(max(true.max(initial=0), said.max(initial=0), 1e-9)) * 1.08
        axes.plot([0, most], [0, most], color=MUTED, linewidth=0.8, linestyle=":")
        axes.plot(true, said, "o", color=MAIN, markersize=5, alpha=0.75)
        axes.set_xlim(-most * 0.03, most)
        axes.set_ylim(-most * 0.03, most)
        axes.set_title(f"{shortened(name)}: {title}")
        axes.set_xlabel(f"{unit}, true")
        axes.set_ylabel(f"{unit}, predicted")
    return found[0]


def lines(rows: Mapping[str, Sequence[float]], title: str, across: str, strong: str, *, log: bool = False) -> Markup:
    """A line for each row over 1, 2, 3 and so on; `strong` is the row that stands out."""
    ends = ", ".join(f"{name} {_number(values[-1])}" for name, values in rows.items() if len(values))
    with drawn(*_WIDE, f"{title} by {across}; at the end {ends}") as (axes, found):
        styles = iter(
            [(MUTED, "-"), (OTHER, "-"), (BAD, "-"), (INK, ":"), (MUTED, "--"), (OTHER, "--"), (BAD, "--")] * 4
        )
        for name, values in rows.items():
            colour, style = (MAIN, "-") if name == strong else next(styles)
            steps = range(1, len(values) + 1)
            width = 2.4 if name == strong else 1.2
            axes.plot(
                steps, values, style, color=colour, linewidth=width, label=name, marker="." if len(values) < 2 else ""
            )
        if log:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_title(title)
        axes.set_xlabel(across)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _legend(axes)
    return found[0]


def timeline(name: str, seconds: Floats, scores: Floats, threshold: float) -> Markup:
    """The anomaly score of a film over time, with the threshold."""
    text = f"anomaly score of {name} from {seconds[0]:.1f} to {seconds[-1]:.1f} s: highest {scores.max():.2f}"
    with drawn(440, 160, text) as (axes, found):
        axes.axhline(threshold, color=OTHER, linewidth=0.9, linestyle=":")
        axes.plot(seconds, scores, color=MAIN, linewidth=1.0)
        axes.set_ylim(0, 1.04)
        axes.margins(x=0.01)
        axes.set_title(shortened(name, 44))
        axes.set_xlabel("seconds")
    return found[0]


def _legend(axes: Axes) -> None:
    """The names of the lines below the axes, where they hide none of them."""
    axes.get_figure(root=True).legend(loc="outside lower left", ncols=2)  # type: ignore[union-attr]


def shortened(name: str, most: int = _LONGEST_NAME) -> str:
    """A name that fits beside a figure."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
