"""The sections that pages share; those of one kind of answer come from a module for each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import tomli_w

from vidrnn.data.films import counted
from vidrnn.report.answers import Answers, FilmAnswers
from vidrnn.report.blocks import Block, Figures, Listing, Rows, Score, Section, Strip, Strips, Words
from vidrnn.report.evidence import Evidence
from vidrnn.report.figures import dots, precision_recall, reliability, training_curves
from vidrnn.report.strips import Pictures, Stretch
from vidrnn.report.suspects import Suspect
from vidrnn.report.when import when_of
from vidrnn.report.worst import Mistake
from vidrnn.tables import Table
from vidrnn.values import Part

THIS_MODEL = "this model"
_MOST_CURVES = 12
"""Classes with a curve of their own; the most frequent ones."""
SHOWN_SUSPECTS = 12
_TRUSTED = 0.7
"""The least share of labels that the guesses agree with, if their disagreement is to mean anything."""
_ORDER = "order_points"
_HOW_TO_READ = (
    "The curve under the pictures shows when: orange moments speak for the class that it names, blue ones against it. "
    "Where it is longer than the pictures, their time is grey."
)

Interval = tuple[float, float] | None


def score_block(evidence: Evidence, name: str, key: str, interval: Interval) -> list[Block]:
    """The number that counts; nothing where the model has none."""
    value = evidence.scores.get(key)
    if not isinstance(value, int | float):
        return []
    return [Score(name, float(value), interval, evidence.where)]


def interval_of(numbers: Mapping[str, Any], key: str = "interval") -> Interval:
    """An interval among numbers; None where there is none."""
    pair = numbers.get(key)
    return (float(pair[0]), float(pair[1])) if isinstance(pair, Sequence) and len(pair) == 2 else None


def verdict(evidence: Evidence, blocks: Sequence[Block]) -> Section:
    """What the model is worth, first of all."""
    words = evidence.header.summary or ("This model holds no scores.",)
    return Section("verdict", "Verdict", [*blocks, Words(tuple(words))])


def controls(evidence: Evidence, measure: str) -> Iterator[Section]:
    """Whether time helps: the scores of the controls beside that of the model."""
    rows = evidence.scores.get("controls")
    if not isinstance(rows, list) or not rows:
        return
    shown = [
        (str(row["name"]), float(value), interval_of(row))
        for row in rows
        if isinstance(value := row.get("test") if row.get("test") is not None else row.get("val"), int | float)
    ]
    blocks: list[Block] = [Words(evidence.sentences(_ORDER))]
    if shown:
        blocks.append(Figures((dots(shown, f"{measure} on {evidence.where}", THIS_MODEL),)))
    words = "Each control is a training without one thing. A model that is no better than its controls needs no memory."
    yield Section("controls", "Does time help?", [*blocks, Words((words,), quiet=True)])


def curves(
    evidence: Evidence, thresholds: Callable[[str], float | None], points: Mapping[str, Any]
) -> Iterator[Section]:
    """Precision and recall of the most frequent classes, and the reliability of the probabilities.

    `points`: recall and precision of the answers, by class.
    """
    shares = {name: one for name, one in evidence.shares.items() if sum(one.right)}
    if not shares:
        return
    order = sorted(shares, key=lambda name: -sum(shares[name].right))[:_MOST_CURVES]
    pictures = tuple(precision_recall(name, shares[name], thresholds(name), points.get(name)) for name in order)
    left = f" The {len(order)} most frequent of {len(shares)} classes are shown." if len(order) < len(shares) else ""
    caption = f"The dot is where the answers of the model lie; the dotted line is the share of the class.{left}"
    yield Section("precision", "Precision and recall", [Figures(pictures, caption)])
    from vidrnn.report.answers import summed

    sure, what = evidence.sure, "of its answer"
    if sure is None:
        sure, what = summed(shares), "of each behaviour"
    if sum(sure.right) + sum(sure.wrong):
        caption = "On the dotted line, of all answers that are said with 80 % four in five are right."
        yield Section("reliability", "Are its probabilities right?", [Figures((reliability(sure, what),), caption)])


def mistakes(found: Sequence[Mistake], pictures: Mapping[Stretch, Pictures], title: str, empty: str) -> Section:
    """The worst clips or stretches as strips of frames."""
    strips = tuple(
        Strip(
            film_name(one.stretch.film, one.stretch.start_seconds, one.stretch.end_seconds),
            (f"said: {one.said}", f"true: {one.true}") if one.true else (one.said,),
            pictures.get(one.stretch, ()),
            when_of(one),
        )
        for one in found
    )
    blocks: list[Block] = [Strips(strips)] if strips else [Words((empty,))]
    if strips and not any(strip.pictures for strip in strips):
        blocks.append(
            Words(("The videos were not at hand, so there are no pictures. Name them with --data.",), quiet=True)
        )
    if any(one.curve is not None and one.label for one in found):
        blocks.insert(0, Words((_HOW_TO_READ,), quiet=True))
    return Section("worst", title, blocks)


def suspects(evidence: Evidence, found: Sequence[Suspect], pictures: Mapping[Stretch, Pictures]) -> Iterator[Section]:
    """The labels that are probably wrong."""
    answers = evidence.answers
    if answers is None or not answers.guessed_by:
        return
    if not answers.has_guesses:
        yield Section("suspects", "Suspect labels", [Words((answers.guessed_by,))])
        return
    strips = tuple(
        Strip(
            film_name(one.film, one.start_seconds, one.end_seconds),
            (f"{one.claim}.", f"doubt {one.doubt:.2f}"),
            pictures.get(stretch_of(one), ()),
        )
        for one in found[:SHOWN_SUSPECTS]
    )
    many = f"{counted(len(found), 'label')} of {counted(len(answers.films), 'video')} may be wrong."
    more = " The first ones are shown; all of them: vidrnn report RUN --suspects." if len(found) > len(strips) else ""
    words = Words((f"{many}{more}" if found else "No label looks wrong.",))
    how = Words((how_guessed(answers), "A suspect may still be right: look at it."), quiet=True)
    yield Section("suspects", "Suspect labels", [words, how, *([Strips(strips)] if strips else [])])


def how_guessed(answers: Answers) -> str:
    """Which model the suspects are of, and how far it can be trusted."""
    right = answers.guessed_right
    if right is None:
        return answers.guessed_by
    trust = "" if right >= _TRUSTED else ", so the list means little"
    of = "of the clips" if any(film.guess for film in answers.films) else "of the marked time"
    return f"{answers.guessed_by} It agrees with the labels in {100 * right:.0f} % {of}{trust}."


def stretch_of(suspect: Suspect) -> Stretch:
    """What is to be seen of a suspect; a stretch of no length gets some."""
    start, end = suspect.start_seconds, suspect.end_seconds
    return Stretch(suspect.film, start, end if end > start else start + 0.1)


def film_name(film: FilmAnswers, start: float, end: float) -> str:
    """The name of a film, and the part of it unless that is the whole film."""
    path = PurePosixPath(film.path)
    name = "/".join(path.parts[-2:])
    if not film.excerpt and start <= film.start_seconds and end >= film.end_seconds:
        return name
    return f"{name}, {start:.1f} to {end:.1f} s"


def training(evidence: Evidence) -> Iterator[Section]:
    """The curves of the training."""
    epochs = evidence.epochs
    if len(epochs) > 1:
        yield Section("training", "Training", [Figures(training_curves(epochs))])


def tried(evidence: Evidence) -> Iterator[Section]:
    """What the search for settings tried."""
    rows = evidence.scores.get("search")
    choice = str(evidence.header.facts.get("choice") or "")
    if not isinstance(rows, list) or not rows:
        return
    cells = tuple(
        (
            str(row.get("name", "")),
            str(row.get("how", "")),
            "-" if row.get("score") is None else f"{row['score']:.3f}",
            "-" if interval_of(row) is None else "{:.2f} to {:.2f}".format(*interval_of(row)),  # type: ignore[misc]
        )
        for row in rows
    )
    table = Table(("settings", "how", "score", "95 % interval"), cells)
    yield Section("tried", "What the search tried", [*([Words((choice,))] if choice else []), Rows(table)])


def data(evidence: Evidence) -> Iterator[Section]:
    """The facts of the data."""
    blocks: list[Block] = []
    if evidence.answers is not None:
        blocks += _tables_of_data(evidence)
    notes = [note for note in evidence.notes if not note.startswith(("searching", "fold "))]
    if notes:
        blocks.append(Words(tuple(notes), quiet=True))
    if blocks:
        yield Section("data", "The videos", blocks)


def _tables_of_data(evidence: Evidence) -> Iterator[Block]:
    answers = evidence.answers
    assert answers is not None
    films = answers.films
    parts = [part for part in Part if any(film.part is part for film in films)]
    rows: list[tuple[str, ...]] = []
    for part in parts:
        mine = [film for film in films if film.part is part]
        minutes = sum(film.end_seconds - film.start_seconds for film in mine) / 60
        groups = len({film.group for film in mine})
        rows.append(
            (part.value, f"{len(mine):,}", f"{groups:,}", f"{sum(film.frames for film in mine):,}", f"{minutes:,.1f}")
        )
    yield Rows(Table(("part", "videos or clips", "groups", "frames", "minutes"), tuple(rows)))
    if any(film.truth is not None for film in films):
        counts = Counter((film.truth, film.part) for film in films)
        rows = [(name, *(f"{counts[place, part]:,}" for part in parts)) for place, name in enumerate(answers.classes)]
        yield Rows(Table(("clips of class", *(part.value for part in parts)), tuple(rows)))
    elif any(film.true_bouts for film in films):
        rows = []
        for place, name in enumerate(answers.classes):
            bouts = [bout for film in films for bout in film.true_bouts or () if bout[0] == place]
            rows.append((name, f"{len(bouts):,}", f"{sum(bout[2] - bout[1] for bout in bouts):,.1f}"))
        yield Rows(Table(("behaviour", "bouts", "seconds"), tuple(rows)))
    sizes = Counter(f"{film.width}x{film.height}" for film in films).most_common(4)
    shown = ", ".join(f"{size} ({count:,})" for size, count in sizes)
    yield Words((f"Pictures of {shown} pixels.",), quiet=True)


def run(evidence: Evidence) -> Section:
    """What was run, so that it can be run again."""
    header, facts = evidence.header, evidence.header.facts
    rows = {
        "vidrnn": header.vidrnn_version,
        "network": header.spec.describe(),
        "parameters": f"{facts['parameters']:,}" if isinstance(facts.get("parameters"), int) else "",
        "epochs": f"{facts['epochs']}, the best was {facts['best_epoch']}" if "best_epoch" in facts else "",
        "seconds": f"{facts['seconds']:.0f}" if isinstance(facts.get("seconds"), int | float) else "",
        "seed": str(header.seed),
        "groups": str(facts.get("grouping", "")),
    }
    table = Table(("", ""), tuple((name, value) for name, value in rows.items() if value))
    blocks: list[Block] = [Listing(str(facts.get("command", ""))), Rows(table)]
    if evidence.settings:
        blocks.append(Listing(tomli_w.dumps(dict(evidence.settings)), "config.toml"))
    blocks.append(Words(("These scores hold for videos like those it was trained on, not for others.",), quiet=True))
    return Section("run", "What was run", blocks)
