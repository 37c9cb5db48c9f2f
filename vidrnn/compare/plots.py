"""The plots of a comparison, as PNG files. Only this module imports matplotlib."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vidrnn.atomic import write_file
from vidrnn.compare.statistics import CONTROL, Comparison, HeadRow

_COLOURS = ("#3b6fb6", "#d9822b", "#3a9a5b", "#c0504d", "#7d5ba6", "#8c6d4f", "#4bacc6", "#9a9a2f")
_GREY = "#777777"
_DPI = 150
_SMALLEST_SHARE = 1e-12


def plot_comparison(comparison: Comparison, file: Path) -> None:
    """Write the plot of accuracy by head: a dot for each seed, the mean with its 95 % interval, the control as a line.

    Raises:
        OutputError: the file cannot be written.
    """
    figure, axes = _figure(8.0, 1.6 + 0.55 * len(comparison.rows))
    for place, row in enumerate(comparison.rows):
        _accuracy(axes, place, row, bold=row.head == comparison.best)
    control = next((row for row in comparison.rows if row.head == CONTROL), None)
    if control:
        axes.axvline(control.accuracy.mean, color=_GREY, linestyle=":", linewidth=1, zorder=0)
    axes.set_yticks(range(len(comparison.rows)), [row.head for row in comparison.rows])
    axes.set_ylim(len(comparison.rows) - 0.5, -0.7)
    axes.set_xlabel(
        f"{comparison.measure} on {comparison.part} ({comparison.clips} {comparison.unit}s), "
        f"mean of {_seeds(comparison.seeds)} with 95 % interval"
    )
    axes.set_title(comparison.sentence, loc="left", fontsize=9, wrap=True)
    _save(figure, file)


def plot_gradients(comparison: Comparison, file: Path) -> None:
    """Write the plot of the gradient of the last frame's loss at each earlier frame, before and after training.

    Raises:
        OutputError: the file cannot be written.
    """
    figure, before, after = _pair(10.0, 4.2)
    for axes, when, name in ((before, "before", "before training"), (after, "after", "after training")):
        for place, row in enumerate(comparison.rows):
            norms = np.asarray(getattr(row, when).norms)[::-1]
            shares = norms / norms[0] if norms[0] > 0 else norms
            shown = np.where(shares > _SMALLEST_SHARE, shares, np.nan)  # NaN: vanished norms are not drawn
            axes.semilogy(shown, color=_COLOURS[place % len(_COLOURS)], marker=".", label=row.head)
        axes.set_title(name, loc="left", fontsize=10)
        axes.set_xlabel("frames back from the last")
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    before.set_ylabel("gradient of the last frame's loss,\nas a share of its value at the last frame")
    after.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    _save(figure, file)


def _accuracy(axes: Axes, place: int, row: HeadRow, *, bold: bool) -> None:
    colour = _COLOURS[0] if bold else _GREY
    low, high = row.accuracy.interval or (row.accuracy.mean,) * 2
    axes.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="round", zorder=2)
    axes.scatter(row.accuracy.each, [place] * len(row.accuracy.each), color=colour, alpha=0.35, s=16, zorder=3)
    axes.scatter([row.accuracy.mean], [place], color=colour, s=70, zorder=4)
    axes.annotate(
        f"{row.accuracy.mean:.3f}",
        (row.accuracy.mean, place),
        textcoords="offset points",
        xytext=(0, 8),
        ha="center",
        fontsize=9,
        fontweight="bold" if bold else "normal",
    )


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"{count} seeds"


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    _plain(axes)
    return figure, axes


def _pair(width: float, height: float) -> tuple[Figure, Axes, Axes]:
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _plain(left)
    _plain(right)
    return figure, left, right


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def _save(figure: Figure, file: Path) -> None:
    with write_file(file, advice="Free some space, then go on with --resume.") as beside:
        figure.savefig(beside, format="png")
