"""The sections of a model that labels each frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vidrnn.report.blocks import Block, Figures, Rows, Section, Words
from vidrnn.report.counts import Agreement, Behaviour, behaviours
from vidrnn.report.evidence import Evidence
from vidrnn.report.figures import scatter
from vidrnn.report.raster import raster_of
from vidrnn.report.sections import shared
from vidrnn.report.strips import Pictures, Stretch
from vidrnn.report.suspects import Suspect
from vidrnn.report.worst import Mistake
from vidrnn.tables import Table
from vidrnn.timeline.segments import for_class

_MOST_SCATTERS = 6
_FEWEST_FILMS = 3
"""Of a scatter."""


def frame_sections(
    evidence: Evidence, worst: list[Mistake], suspects: list[Suspect], pictures: Mapping[Stretch, Pictures]
) -> Iterator[Section]:
    """The page of a model of frames, in the order of reading."""
    several = evidence.header.answer.kind == "several"
    measure, key = ("macro-F1", "macro_f1") if several else ("frame accuracy", "frame_accuracy")
    interval = shared.interval_of(evidence.scores)
    yield shared.verdict(evidence, shared.score_block(evidence, measure, key, interval))
    yield from shared.controls(evidence, measure)
    yield from _behaviours(evidence)
    if evidence.answers is not None:
        raster = raster_of(evidence.answers.films, evidence.answers.classes, several=several)
        if raster.films:
            words = (
                f"Each video of {evidence.answered}: what its owner says, what the model says, and where they differ."
            )
            yield Section("raster", "Ethograms", [Words((words,), quiet=True), raster])
        yield shared.mistakes(worst, pictures, "The longest wrong stretches", "No stretch is wrong.")
    yield from _counts(evidence)
    yield from shared.curves(
        evidence,
        lambda name: for_class(evidence.header.decision.threshold, name, 0.0) or None,
        _points(evidence),
    )
    yield from shared.suspects(evidence, suspects, pictures)
    yield from shared.training(evidence)
    yield from shared.tried(evidence)
    yield from shared.data(evidence)
    yield shared.run(evidence)


def _per_class(evidence: Evidence) -> dict[str, Mapping[str, object]]:
    found = evidence.scores.get("per_class")
    return found if isinstance(found, dict) else {}


def _points(evidence: Evidence) -> dict[str, tuple[float, float]]:
    """Recall and precision of the answers for each behaviour that is answered."""
    return {
        name: (float(one["recall"]), float(one["precision"]))  # type: ignore[arg-type]
        for name, one in _per_class(evidence).items()
        if one.get("recall") is not None and one.get("precision") is not None
    }


def _behaviours(evidence: Evidence) -> Iterator[Section]:
    rows = tuple(
        (
            name,
            *(_share(one.get(key)) for key in ("precision", "recall", "f1", "average_precision")),
        )
        for name, one in _per_class(evidence).items()
    )
    if rows:
        table = Table(("behaviour", "precision", "recall", "F1", "AP"), rows)
        scores = evidence.scores
        bouts = ", ".join(
            f"{name} {_share(scores.get(key))}"
            for name, key in (("edit", "edit"), ("F1@10", "f1_10"), ("F1@50", "f1_50"))
        )
        yield Section("behaviours", "Each behaviour", [Rows(table), Words((f"Bouts: {bouts}.",), quiet=True)])


def _counts(evidence: Evidence) -> Iterator[Section]:
    """Counts and durations, predicted beside true."""
    if evidence.answers is None:
        return
    found = behaviours(evidence.answers.films, evidence.answers.classes, evidence.header.answer.background)
    if not found:
        return
    films = len(found[0].counts.true)
    blocks: list[Block] = []
    if films >= _FEWEST_FILMS:
        shown = sorted(found, key=lambda one: -one.true_share)[:_MOST_SCATTERS]
        for unit in ("bouts", "seconds"):
            numbers = {one.label: one.counts if unit == "bouts" else one.seconds for one in shown}
            blocks.append(
                Figures(tuple(scatter(name, one.true, one.said, _words(one), unit) for name, one in numbers.items()))
            )
    rows: tuple[tuple[str, ...], ...] = tuple(
        (
            one.label,
            *(_pair(each) for each in (one.counts, one.seconds)),
            *(_two(each.concordance) for each in (one.counts, one.seconds)),
        )
        for one in found
    )
    columns: tuple[str, ...] = ("behaviour", "bouts", "seconds", "ccc", "ccc")
    if films < _FEWEST_FILMS:
        columns, rows = columns[:3], tuple(row[:3] for row in rows)
    blocks += [Rows(Table(columns, rows, "true / predicted, over all videos")), Rows(_budget(found))]
    note = (
        "Slope: of the line through the origin, 1 if predicted numbers are right on the whole. ccc: Lin's concordance "
        "over videos, of bouts and of seconds, 1 if each is right; it needs three videos. Intervals: 95 %, by a "
        "bootstrap over groups, which needs three groups."
    )
    yield Section("counts", "Counts and durations", [*blocks, Words((note,), quiet=True)])


def _budget(found: list[Behaviour]) -> Table:
    rows = tuple(
        (
            one.label,
            _percent(one.true_share, one.true_interval),
            _percent(one.said_share, one.said_interval),
            _points_off(one),
        )
        for one in found
    )
    return Table(
        ("behaviour", "true", "predicted", "difference"), rows, "time budget: percent of the time, with intervals"
    )


def _percent(share: float, interval: tuple[float, float] | None) -> str:
    bounds = "" if interval is None else f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"
    return f"{100 * share:.1f}{bounds}"


def _points_off(one: Behaviour) -> str:
    interval = one.difference_interval
    bounds = "" if interval is None else f" ({100 * interval[0]:+.1f} to {100 * interval[1]:+.1f})"
    return f"{100 * (one.said_share - one.true_share):+.1f}{bounds}"


def _pair(one: Agreement) -> str:
    return f"{one.true.sum():,.0f} / {one.said.sum():,.0f}"


def _words(one: Agreement) -> str:
    return f"slope {_two(one.slope)}, ccc {_two(one.concordance)}"


def _two(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _share(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "-"
