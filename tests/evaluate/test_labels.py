"""A scorer takes films whose labels fit the model, refuses others in a sentence, and names wrong stretches."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from vidrnn.data.films import LabelledData
from vidrnn.errors import DataError, FilmError
from vidrnn.evaluate.base import ScoredFilm
from vidrnn.evaluate.labels import LabelScorer
from vidrnn.runtimes.base import Runtime
from vidrnn.values import (
    Annotation,
    AnswerSpec,
    Bout,
    DecisionRule,
    FilmMoments,
    Kind,
    LabelledFilm,
    Segment,
    Timeline,
)

CLASSES = ("dig", "rear", "rest")
DATA = Path("data")


def scorer(kind: Kind = "one", background: str | None = "rest") -> LabelScorer:
    answer = AnswerSpec("label", kind, "frame", CLASSES, background)
    handling = SimpleNamespace(answer=answer, decision=DecisionRule(direction="causal"))
    return LabelScorer(cast(Runtime, SimpleNamespace(handling=handling)), Path("model"))


def labelled(name: str, *bouts: tuple[float, float, str], **more: Any) -> LabelledFilm:
    return LabelledFilm(Path(name), annotation=Annotation(tuple(Bout(*one) for one in bouts), **more))


def moments(name: str, *segments: tuple[float, float, str], frames: int = 100) -> FilmMoments:
    """A film of 10 frames a second whose every second frame was looked at."""
    seconds = np.arange(frames) / 10
    along = Timeline(CLASSES, seconds[::2], np.full((len(seconds[::2]), 3), 1 / 3, dtype=np.float32))
    parts = tuple(Segment(start, end, label, 0.9) for start, end, label in segments)
    return FilmMoments(Path(name), None, along, parts, frames / 10, frames, (), seconds)


def usable(one: LabelScorer, *films: LabelledFilm) -> list[str]:
    return [film.path.name for film in one.usable(LabelledData(films), DATA).films]


def report(one: LabelScorer, *films: tuple[LabelledFilm, FilmMoments]) -> Any:
    steps = one.report([ScoredFilm(*both) for both in films])
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_films_of_the_models_behaviours_are_scored_and_silent_ones_where_silence_counts() -> None:
    films = [labelled("a.avi", (1, 2, "dig")), labelled("b.avi"), LabelledFilm(Path("c.avi"), label="dig")]
    films.append(labelled("d.avi", known=()))
    assert usable(scorer(), *films) == ["a.avi", "b.avi"]
    assert usable(scorer("several", None), *films) == ["a.avi", "b.avi"]
    assert usable(scorer(background=None), *films) == ["a.avi"]


def test_films_without_labels_of_the_model_are_refused_with_both_lists() -> None:
    with pytest.raises(DataError, match=r"its behaviours \(swim\) are none of the model's \(dig, rear, rest\)"):
        usable(scorer(), labelled("a.avi", (1, 2, "swim")))
    with pytest.raises(DataError, match="labels at the moments of its 1 video, found none"):
        usable(scorer(), LabelledFilm(Path("a.avi"), label="dig"))
    with pytest.raises(DataError, match="found no label in its 1 video, and this model has no background"):
        usable(scorer(background=None), labelled("a.avi"))


def test_a_film_is_refused_if_none_of_its_labels_lies_in_it() -> None:
    late = labelled("a.avi", (250.0, 260.0, "dig"), (300.0, 312.5, "rear"))
    with pytest.raises(FilmError, match=r"a.avi: its labels lie between 250 and 312.5, outside .* ends at 10 seconds"):
        scorer().check(late, moments("a.avi"))
    with pytest.raises(FilmError, match="ends at 100 frames"):
        scorer().check(labelled("a.avi", (250, 260, "dig"), unit="frames"), moments("a.avi"))
    with pytest.raises(FilmError, match="none of its 100 frames has a label"):
        scorer(background=None).check(labelled("a.avi", (1, 2, "swim")), moments("a.avi"))
    with pytest.raises(FilmError, match="none of its 100 frames has a label"):
        scorer("several").check(labelled("a.avi", known=((20.0, 30.0),)), moments("a.avi"))
    scorer().check(labelled("a.avi"), moments("a.avi"))
    scorer().check(labelled("a.avi", (9.9, 20.0, "dig")), moments("a.avi"))


def test_the_report_scores_each_frame_and_names_the_longest_wrong_stretches() -> None:
    one = labelled("films/a.avi", (1, 3, "dig"), (5, 6, "rear"))
    two = labelled("films/b.avi", (2, 4, "dig"))
    given = report(
        scorer(),
        (one, moments("films/a.avi", (1, 3, "dig"), (5, 5.4, "rear"), (5.4, 6, "dig"))),
        (two, moments("films/b.avi", (2, 2.8, "dig"), (2.8, 4, "unknown"), (8, 8.2, "rear"))),
    )
    numbers = json.loads(json.dumps(given.numbers, allow_nan=False))
    assert (numbers["task"], numbers["films"], numbers["frames"]) == ("label", 2, 200)
    assert numbers["frame_accuracy"] == pytest.approx(1 - (6 + 12 + 2) / 200)
    assert numbers["frame_accuracy_interval"] is None
    rows = [(row["path"], row["start_seconds"], row["truth"], row["answer"]) for row in numbers["worst"]]
    assert rows == [
        ("films/b.avi", 2.8, "dig", "unknown"),
        ("films/a.avi", 5.4, "rear", "dig"),
        ("films/b.avi", 8.0, "rest", "rear"),
    ]
    worst = given.tables[-1]
    assert worst.rows[0] == ("b.avi", "2.80-4.00", "dig", "unknown")
    assert not worst.in_card


def test_wrong_stretches_of_several_behaviours_are_of_one_behaviour_each() -> None:
    film = labelled("a.avi", (1, 3, "dig"), (2, 4, "rear"))
    given = report(scorer("several"), (film, moments("a.avi", (1, 2, "dig"), (2, 5, "rear"))))
    rows = [(row["start_seconds"], row["end_seconds"], row["truth"], row["answer"]) for row in given.numbers["worst"]]
    assert rows == [(2.0, 3.0, "dig", "not dig"), (4.0, 5.0, "not rear", "rear")]
    assert given.numbers["frame_accuracy"] is None


def test_at_most_ten_wrong_stretches_are_named() -> None:
    bouts = [(start, start + 0.2 + start / 50, "dig") for start in np.arange(0.0, 9.0, 0.6).tolist()]
    rows = report(scorer(), (labelled("a.avi", *bouts), moments("a.avi"))).numbers["worst"]
    lengths = [row["end_seconds"] - row["start_seconds"] for row in rows]
    assert len(rows) == 10
    assert lengths == sorted(lengths, reverse=True)


def test_a_perfect_answer_has_no_wrong_stretch() -> None:
    given = report(scorer(), (labelled("a.avi", (1, 3, "dig")), moments("a.avi", (1, 3, "dig"))))
    assert given.numbers["worst"] == []
    assert given.numbers["frame_accuracy"] == given.numbers["macro_f1"] == given.numbers["edit"] == 1.0


def test_intervals_take_films_of_one_group_together() -> None:
    films = []
    for number in range(6):
        name = f"{number}.avi"
        film = labelled(name, (1, 3, "dig"))
        bad = 0.2 * number
        films.append(
            (
                LabelledFilm(film.path, group=str(number // 2), annotation=film.annotation),
                moments(name, (1, 3 + bad, "dig")),
            )
        )
    low, high = report(scorer(), *films).numbers["frame_accuracy_interval"]
    assert (low, high) == pytest.approx((0.91, 0.99), abs=0.005)  # with three groups, from the worst to the best
    assert report(scorer(), *films[:4]).numbers["frame_accuracy_interval"] is None
