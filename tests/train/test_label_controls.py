"""The controls beside a score of labels: bounds below and above it, and sentences on memory and on order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
from conftest import TinyRun
from numpy.typing import NDArray

from vidrnn.evaluate.tracks import FilmTracks
from vidrnn.tables import Report
from vidrnn.train.controls import THIS_MODEL
from vidrnn.train.label_controls import (
    LabelOutcome,
    _linear,
    _majority,
    _persisting,
    label_controls_report,
    memory_sentence,
    with_neighbours,
)
from vidrnn.train.learner import Learner
from vidrnn.train.shares.minibatches import Clips
from vidrnn.values import AnswerSpec, Part

CLASSES = ("dig", "rear", "rest")
ROWS = [
    "majority class",
    "previous label persists",
    "linear, features",
    "each frame alone",
    "frames shuffled",
    THIS_MODEL,
]
RUNS = np.repeat([0, 2, 1, 2, 0, 1], [9, 12, 7, 5, 11, 16])
"""The classes of a film of 60 frames."""
Track = NDArray[Any]


def tracks(truth: Track, answer: Track) -> FilmTracks:
    seconds = np.arange(len(truth)) / 10
    return FilmTracks(truth, answer, np.full((len(truth), 3), 1 / 3), seconds, len(truth) / 10)


def several_of(truth: Track) -> Track:
    numbers: Track = (truth[:, None] == np.arange(3)).astype(np.float64)
    numbers[truth < 0] = np.nan
    return numbers


def with_errors(share: float, seed: int, several: bool) -> FilmTracks:
    """A film with an answer that is wrong at a share of its frames."""
    rng = np.random.default_rng(seed)
    answer = np.where(rng.random(60) < share, (RUNS + 1) % 3, RUNS)
    return tracks(several_of(RUNS), several_of(answer) == 1) if several else tracks(RUNS, answer)


def outcome(
    wrong: dict[str, float] | None = None,
    films: int = 12,
    parts: Sequence[Part] = (Part.VAL, Part.TEST),
    *,
    several: bool = False,
) -> LabelOutcome:
    """An outcome in which each row is wrong at a share of its frames, each film being a group of its own."""
    answer = AnswerSpec("label", "several" if several else "one", "frame", CLASSES, None if several else "rest")
    shares = dict.fromkeys(ROWS, 0.4) | (wrong or {})
    rows = {
        name: {part: [with_errors(share, seed, several) for seed in range(films)] for part in parts}
        for name, share in shares.items()
    }
    return LabelOutcome(rows, {part: [f"{part}{n}" for n in range(films)] for part in parts}, answer)


def rows_of(report: Report) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in report.numbers["controls"]}


class TestPersisting:
    def test_it_is_wrong_where_the_label_changes_and_nowhere_else(self) -> None:
        film = _persisting(tracks(RUNS, np.zeros(60, dtype=np.int64)))
        assert np.flatnonzero(film.answer != RUNS).tolist() == [9, 21, 28, 33, 44]
        assert film.answer.dtype == np.int64

    def test_so_it_is_for_several_behaviours(self) -> None:
        film = _persisting(tracks(several_of(RUNS), np.zeros((60, 3), dtype=np.bool_)))
        wrong = (film.answer != (several_of(RUNS) == 1)).any(1)
        assert np.flatnonzero(wrong).tolist() == [9, 21, 28, 33, 44] and film.answer.dtype == np.bool_

    def test_it_is_an_upper_bound_for_what_knows_the_past_only(self) -> None:
        """Labels that are late by more frames are never nearer to the truth."""
        bound = (_persisting(tracks(RUNS, RUNS)).answer == RUNS).mean()
        for late in range(1, 6):
            delayed = np.concatenate([RUNS[:1].repeat(late), RUNS[:-late]])
            assert (delayed == RUNS).mean() <= bound

    def test_where_the_label_before_is_not_known_nothing_is_said(self) -> None:
        truth = RUNS.copy()
        truth[3:6] = -1
        assert _persisting(tracks(truth, RUNS)).answer[4:7].tolist() == [-1, -1, -1]
        assert not _persisting(tracks(several_of(truth), several_of(RUNS) == 1)).answer[4:7].any()


class _Bare:
    """A learner as far as controls of labels look at it."""

    def __init__(self, kind: str) -> None:
        from types import SimpleNamespace

        answer = AnswerSpec("label", cast(Any, kind), "frame", CLASSES, None)
        sampling, config = SimpleNamespace(spacing_seconds=0.5), SimpleNamespace(seed=0)
        self.setting = SimpleNamespace(answer=answer, sampling=sampling, config=config)


def bare(kind: str = "one") -> Learner:
    return cast(Learner, _Bare(kind))


def clips(*truths: Track) -> Clips:
    """Clips with the one-hot truth as features; zeros where it is not known."""
    features = [np.nan_to_num(several_of(one) if one.ndim == 1 else one).astype(np.float32)[None] for one in truths]
    return Clips(features, truths)


class TestMajority:
    def test_the_most_frequent_class_of_training_is_said_everywhere(self) -> None:
        unknown = np.full(500, -1)
        films = {Part.VAL: [tracks(RUNS, RUNS)], Part.TEST: [tracks(RUNS[:20], RUNS[:20])] * 2}
        found = _majority(bare(), films, clips(RUNS, unknown, np.full(9, 1)))
        assert {part: [set(film.answer) for film in each] for part, each in found.items()} == {
            Part.VAL: [{1}],
            Part.TEST: [{1}, {1}],
        }
        assert found[Part.VAL][0].answer.shape == (60,)

    def test_of_several_behaviours_those_are_said_that_hold_most_of_the_time(self) -> None:
        truth = np.asarray([[1, 0, 1], [1, 0, 0], [1, 1, np.nan], [0, 0, 1.0]])
        film = tracks(several_of(RUNS), several_of(RUNS) == 1)
        [found] = _majority(bare("several"), {Part.VAL: [film]}, clips(truth))[Part.VAL]
        assert found.answer.shape == (60, 3) and found.answer.dtype == np.bool_
        assert found.answer.all(0).tolist() == [True, False, True] and not found.answer[:, 1].any()


class TestLinear:
    def test_neighbours_are_the_mean_over_the_time_around_a_step(self) -> None:
        features = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
        found = with_neighbours(features, 2)
        assert found.shape == (9, 4)
        np.testing.assert_array_equal(found[:, :2], features)
        for step in range(9):
            np.testing.assert_allclose(found[step, 2:], features[max(0, step - 2) : step + 3].mean(0), atol=1e-6)

    @pytest.mark.parametrize("kind", ["one", "several"])
    def test_it_learns_what_the_features_tell(self, kind: str) -> None:
        truth = RUNS if kind == "one" else several_of(RUNS)
        learnt = clips(truth, truth)
        [scores] = _linear(bare(kind), learnt, {Part.VAL: [learnt.arrays[0][0]]})[Part.VAL]
        assert scores.shape == (60, 3)
        assert (scores.argmax(1) == RUNS).mean() > 0.95
        for place in range(3):
            shown = scores[place == RUNS, place]
            assert shown.min() > np.quantile(scores[place != RUNS, place], 0.9)

    @pytest.mark.parametrize("kind", ["one", "several"])
    def test_a_behaviour_that_training_never_shows_and_unknown_steps_are_no_burden(self, kind: str) -> None:
        truth = np.where(RUNS == 1, -1, RUNS)
        truth = truth if kind == "one" else several_of(truth)
        learnt = clips(truth)
        [scores] = _linear(bare(kind), learnt, {Part.VAL: [learnt.arrays[0][0]]})[Part.VAL]
        known = RUNS != 1
        assert np.isfinite(scores).all() and (scores.argmax(1) == RUNS)[known].mean() > 0.9


class TestReport:
    @pytest.mark.parametrize("several", [False, True])
    def test_the_rows_stand_in_order_with_the_model_last(self, several: bool) -> None:
        report = label_controls_report(outcome({THIS_MODEL: 0.05}, several=several))
        assert list(rows_of(report)) == ROWS
        [table] = report.tables
        main = ["macro-F1"] if several else ["frame accuracy", "macro-F1"]
        assert table.columns == ("on test", *main, "edit", "F1@50") and table.strong == {5}
        assert all(len(row) == len(table.columns) for row in table.rows)

    @pytest.mark.parametrize("several", [False, True])
    def test_each_control_has_its_numbers(self, several: bool) -> None:
        found = outcome({THIS_MODEL: 0.05}, several=several)
        for row in rows_of(label_controls_report(found)).values():
            scores = found.scores(row["name"], Part.TEST)
            main = scores.macro_f1 if several else scores.frame_accuracy
            assert row["test"] == row["val"] == main, "both parts hold the same films here"
            assert row["macro_f1"] == scores.macro_f1 and row["edit"] == scores.edit
            low, high = row["interval"]
            assert 0 <= low < main < high <= 1

    def test_without_a_test_part_the_scores_are_of_validation(self) -> None:
        report = label_controls_report(outcome({THIS_MODEL: 0.05}, parts=(Part.VAL,)))
        assert report.tables[0].columns[0] == "on val"
        assert all(row["test"] is None and row["val"] is not None for row in rows_of(report).values())

    def test_two_films_have_no_interval(self) -> None:
        assert all(row["interval"] is None for row in rows_of(label_controls_report(outcome(films=2))).values())

    def test_memory_and_order_that_help_are_called_so(self) -> None:
        report = label_controls_report(outcome({THIS_MODEL: 0.05}))
        mine, alone = (rows_of(report)[name]["test"] for name in (THIS_MODEL, "each frame alone"))
        assert report.numbers["memory_points"] == pytest.approx(100 * (mine - alone))
        assert report.numbers["memory_p"] < 0.01 and report.numbers["p"] < 0.01
        memory, order = report.sentences
        assert memory.startswith("Memory helps: the frames around each frame add")
        assert order.startswith("Time helps: order adds")

    def test_a_linear_model_that_is_as_good_is_named(self) -> None:
        level = label_controls_report(outcome({THIS_MODEL: 0.05, "linear, features": 0.05}))
        assert level.sentences[0].startswith("The model is not shown to be better than a linear one: frame accuracy on")
        assert len(label_controls_report(outcome({THIS_MODEL: 0.05}, several=True)).sentences) == 2

    def test_one_film_shows_nothing_for_sure(self) -> None:
        report = label_controls_report(outcome({THIS_MODEL: 0.05}, films=1))
        assert "1 video cannot tell that from chance" in report.sentences[-1]
        assert not any("helps" in sentence for sentence in report.sentences)

    def test_outcomes_of_folds_are_pooled_film_by_film(self) -> None:
        pooled = outcome({THIS_MODEL: 0.0}, films=4).joined(outcome({THIS_MODEL: 1.0}, films=12)).of_folds(2)
        assert len(pooled.tracks[THIS_MODEL][Part.TEST]) == len(pooled.groups[Part.TEST]) == 16
        report = label_controls_report(pooled)
        assert rows_of(report)[THIS_MODEL]["test"] == pytest.approx(4 / 16)
        assert report.notes == ("2 folds: each video is scored by a model that saw no video of its group.",)

    def test_a_film_without_known_truth_changes_no_score(self) -> None:
        plain, blank = outcome({THIS_MODEL: 0.05}), tracks(np.full(30, -1), np.zeros(30, dtype=np.int64))
        for rows in plain.tracks.values():
            for films in rows.values():
                films.append(blank)
        for names in plain.groups.values():
            names.append("blank")
        expected = rows_of(label_controls_report(outcome({THIS_MODEL: 0.05})))
        for name, row in rows_of(label_controls_report(plain)).items():
            assert row["test"] == expected[name]["test"]


@pytest.mark.parametrize(
    ("points", "p", "sentence"),
    [
        (3.94, 0.021, "Memory helps: the frames around each frame add 3.9 points (p = 0.021)."),
        (-5.0, 0.001, "Memory hurts: the frames around each frame take 5.0 points (p = 0.001)."),
        (
            3.94,
            0.3,
            "Memory is not shown to help: +3.9 points over each frame alone, which may be chance (p = 0.3).",
        ),
    ],
)
def test_the_sentence_says_what_memory_adds_and_how_sure_that_is(points: float, p: float, sentence: str) -> None:
    assert memory_sentence(points, p) == sentence


def test_a_training_ends_with_all_rows(tiny_labeller: TinyRun) -> None:
    controls, *_ = [event for event in tiny_labeller.events if isinstance(event, Report)]
    assert list(rows_of(controls)) == ROWS
    assert controls.notes == ("The controls are trained on the features of the trained encoder.",)
