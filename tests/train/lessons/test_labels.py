"""Trainings of labels at each frame end in models that say what happens when, in seconds and in time budgets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ACTS, FRAMES_SIZE, TinyRun, act_tracks, followed, make_acts, make_film, paint_acts, train_acts

from vidrnn.config import LabelsConfig
from vidrnn.errors import DataError, UsageError
from vidrnn.evaluate.evaluator import SplitName, evaluate
from vidrnn.events import EpochDone, LeftOut, Note
from vidrnn.model.metadata import ModelHeader
from vidrnn.predict.predictor import Predictor
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.train.lessons.labels import one_validation, several_validation
from vidrnn.values import FilmPrediction
from vidrnn.video.reader import open_film

COUNTS: dict[str, Any] = {"unlabelled": "none"}
"""Moments without a label count."""


def predictor_of(run: TinyRun) -> Predictor:
    return Predictor(TorchRuntime.open(run.model))


def header_of(run: TinyRun) -> ModelHeader:
    return predictor_of(run).model.header


def notes_of(run: TinyRun) -> list[str]:
    return [event.text for event in run.events if isinstance(event, Note)]


def scored(run: TinyRun, split: SplitName | None = "all", **options: Any) -> dict[str, Any]:
    """The numbers of an evaluation, as JSON."""
    steps = evaluate(predictor_of(run), run.model, run.data, split, LabelsConfig(**options))
    numbers: dict[str, Any] = json.loads(json.dumps(followed(steps)[0].numbers, allow_nan=False))
    return numbers


def predicted(run: TinyRun, film: str) -> FilmPrediction:
    prediction = predictor_of(run).predict(run.data.parent / film)
    assert isinstance(prediction, FilmPrediction)
    return prediction


class TestOneAtATime:
    def test_a_film_has_segments_without_gaps_a_budget_and_no_label(self, tiny_labeller: TinyRun) -> None:
        prediction = predicted(tiny_labeller, "film0.mkv")
        assert prediction.label is None and prediction.frames == 60
        edges = [(one.start_seconds, one.end_seconds) for one in prediction.segments]
        assert edges[0][0] == 0.0 and edges[-1][1] == pytest.approx(6.0)
        assert [end for _, end in edges[:-1]] == [start for start, _ in edges[1:]]
        assert {one.label for one in prediction.segments} <= {*ACTS, "(unlabelled)"}
        assert set(prediction.budget) == set(ACTS), "the background has no budget"
        for act in ACTS:
            lengths = [one.end_seconds - one.start_seconds for one in prediction.segments if one.label == act]
            assert prediction.budget[act].occurrences == len(lengths)
            assert prediction.budget[act].total_seconds == pytest.approx(sum(lengths))
            assert prediction.budget[act].share == pytest.approx(sum(lengths) / 6.0)

    def test_it_learns_what_the_films_show(self, tiny_labeller: TinyRun) -> None:
        numbers = scored(tiny_labeller, **COUNTS)
        assert (numbers["task"], numbers["films"], numbers["frames"]) == ("label", 6, 360)
        assert 0.8 < numbers["frame_accuracy"] <= 1.0
        for name in ("macro_f1", "edit", "f1_10", "f1_25", "f1_50", "kappa"):
            assert 0.5 < numbers[name] <= 1.0, name
        assert set(numbers["per_class"]) == set(ACTS), "the background counts in frame accuracy only"
        for one in numbers["per_class"].values():
            assert {"f1", "average_precision", "support", "count", "seconds"} <= set(one)

    def test_smoothed_scores_are_the_same_in_a_stream_and_in_a_whole_film(self, tiny_labeller: TinyRun) -> None:
        plain, film = predictor_of(tiny_labeller), tiny_labeller.data.parent / "film0.mkv"
        smooth = replace(plain, rule=replace(plain.options.rule, smoothing_seconds=0.5, direction="both"))
        whole = smooth.read(film)
        assert whole.timeline.probabilities.shape == plain.read(film).timeline.probabilities.shape
        assert np.abs(whole.timeline.probabilities - plain.read(film).timeline.probabilities).max() > 0.01
        stream, segments = smooth.stream(), []
        with open_film(film) as frames:
            for frame in frames.frames():
                segments += stream.push(frame.pixels, frame.seconds).ended
        segments += stream.finish(whole.end_seconds).ended
        assert [(one.label, one.start_seconds) for one in segments] == [
            (one.label, one.start_seconds) for one in whole.segments
        ]
        assert [one.probability for one in segments] == pytest.approx([one.probability for one in whole.segments])

    def test_films_that_it_learnt_from_are_left_out(self, tiny_labeller: TinyRun) -> None:
        seen = scored(tiny_labeller, None, **COUNTS)
        assert (seen["films"], seen["seen"]) == (1, 5)

    def test_its_scores_are_those_of_an_evaluation_of_its_test_part(self, tiny_labeller: TinyRun) -> None:
        """Training scores features; the evaluation reads the film file again, by the rule of the header."""
        scores, again = header_of(tiny_labeller).scores, scored(tiny_labeller, "test", **COUNTS)
        for name in ("frame_accuracy", "macro_f1", "edit", "f1_50", "kappa"):
            assert scores[name] == pytest.approx(again[name], abs=1e-6), name

    def test_the_header_says_how_films_are_read_and_answered(self, tiny_labeller: TinyRun) -> None:
        header = header_of(tiny_labeller)
        answer, rule = header.answer, header.decision
        assert (answer.task, answer.kind, answer.resolution) == ("label", "one", "frame")
        assert (answer.classes, answer.background) == (("(unlabelled)", *ACTS), "(unlabelled)")
        assert (rule.direction, rule.reset) == ("both", "window") and header.spec.head.bidirectional
        assert header.spec.spacing_seconds == pytest.approx(0.1), "no finer than the frames of the films"
        assert sorted(map(str, header.seen.values())) == ["test", *["train"] * 4, "val"]
        assert "/" not in json.dumps([header.facts, header.scores]), "no paths of anyone's machine"

    def test_the_controls_stand_beside_the_score(self, tiny_labeller: TinyRun) -> None:
        scores = header_of(tiny_labeller).scores
        controls = {row["name"]: row for row in scores["controls"]}
        assert scores["part"] == "test" and list(controls)[-1] == "this model"
        assert controls["this model"]["test"] == scores["frame_accuracy"]
        assert controls["majority class"]["test"] < controls["previous label persists"]["test"]
        assert all({"name", "val", "test", "interval"} <= set(row) for row in controls.values())
        assert "| previous label persists |" in (tiny_labeller.model / "README.md").read_text()

    def test_epochs_show_the_f1_and_the_accuracy_that_they_name(self, tiny_labeller: TinyRun) -> None:
        epochs = [event for event in tiny_labeller.events if isinstance(event, EpochDone)]
        assert len(epochs) == 4
        assert all(set(epoch.measures) == {"accuracy", "F1"} for epoch in epochs)


def test_a_validation_names_each_of_its_numbers() -> None:
    truth = np.asarray([0, 0, 0, 1, -1])
    one = one_validation(np.eye(2)[[0, 0, 0, 0, 1]] * 3.0, truth)
    assert one.shown == pytest.approx({"accuracy": 0.75, "F1": (6 / 7) / 2})
    assert one.score == pytest.approx((0.75 + 3 / 7) / 2)
    nothing = float("nan")
    numbers = np.asarray([[1, 0], [0, 0], [1, nothing], [nothing, nothing]])
    several = several_validation(np.asarray([[3.0, 9], [1, 9], [2, 9], [9, 9]]), numbers)
    assert several.score == 1.0 and several.shown == {"mAP": 1.0}


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    data = make_acts(tmp_path / "films", 3)
    first, second = (train_acts(data, tmp_path / name, steps=3, epochs=1, labels=COUNTS) for name in ("one", "two"))
    assert first.weights == second.weights


def test_several_behaviours_at_once(tmp_path: Path) -> None:
    run = train_acts(make_acts(tmp_path / "films", 6, several=True), tmp_path / "run", epochs=4, labels=COUNTS)
    header = header_of(run)
    assert (header.answer.kind, header.answer.classes, header.answer.background) == ("several", ACTS, None)
    assert isinstance(header.decision.threshold, dict) and set(header.decision.threshold) == set(ACTS)
    assert any("several behaviours may hold at once: labels overlap" in note for note in notes_of(run))
    numbers = scored(run, **COUNTS)
    assert numbers["frame_accuracy"] is None and numbers["macro_f1"] > 0.5
    prediction = predicted(run, "film0.mkv")
    assert set(prediction.budget) == set(ACTS) and prediction.segments
    again = scored(run, "test", **COUNTS)
    for name in ("macro_f1", "edit", "f1_50"):
        assert header.scores[name] == pytest.approx(again[name], abs=1e-6), name
    controls = [row["name"] for row in header.scores["controls"]]
    assert controls[:2] == ["majority class", "previous label persists"] and controls[-1] == "this model"


def test_moments_without_a_label_teach_nothing_and_count_nowhere(tmp_path: Path) -> None:
    data = make_acts(tmp_path / "films", 4, columns="path,frame,label")
    labelled = sum(int(act_tracks(60, number).any(1).sum()) for number in range(4))
    assert labelled < 240
    run = train_acts(data, tmp_path / "run", epochs=1, labels={"unlabelled": "ignore"})
    header = header_of(run)
    assert (header.answer.classes, header.answer.background) == (ACTS, None)
    numbers = scored(run, unlabelled="ignore")
    assert numbers["frames"] == labelled
    assert sum(one["support"] for one in numbers["per_class"].values()) == labelled


def test_a_model_that_answers_at_once_carries_its_state(tmp_path: Path) -> None:
    run = train_acts(make_acts(tmp_path / "films", 3), tmp_path / "run", epochs=1, live=True, labels=COUNTS)
    header = header_of(run)
    assert not header.spec.head.bidirectional
    assert (header.decision.reset, header.decision.direction) == ("never", "causal")
    again = scored(run, "test", **COUNTS)
    assert header.scores["frame_accuracy"] == pytest.approx(again["frame_accuracy"], abs=1e-6)


def test_a_head_without_memory_labels_each_frame_alone(tmp_path: Path) -> None:
    run = train_acts(
        make_acts(tmp_path / "films", 3), tmp_path / "run", steps=3, epochs=1, head={"name": "none"}, labels=COUNTS
    )
    header = header_of(run)
    assert header.spec.head.name == "none"
    assert header.scores["frame_accuracy"] == pytest.approx(scored(run, "test", **COUNTS)["frame_accuracy"], abs=1e-6)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A training on one film."""
    root = tmp_path_factory.mktemp("single")
    return train_acts(make_acts(root / "films", 1, frames=200), root / "run", epochs=2, labels=COUNTS)


class TestASingleFilm:
    def test_it_is_cut_in_time_and_has_no_test_number(self, single: TinyRun) -> None:
        scores = header_of(single).scores
        assert scores["part"] == "val" and all(row["test"] is None for row in scores["controls"])
        assert scores["interval"] is None
        assert any(
            "its beginning trains and its end validates, with a gap between" in note for note in notes_of(single)
        )

    def test_only_its_end_is_scored(self, single: TinyRun) -> None:
        assert 30 <= header_of(single).scores["frames"] <= 40

    def test_it_reads_films(self, single: TinyRun) -> None:
        assert predicted(single, "film0.mkv").duration_seconds == pytest.approx(20.0)

    def test_a_behaviour_that_only_its_end_shows_is_said_not_to_be_learnt(self, tmp_path: Path) -> None:
        film = tmp_path / "film.mkv"
        tracks = np.zeros((200, 2), dtype=np.bool_)
        tracks[20:80, 0], tracks[185:195, 1] = True, True
        make_film(film, frames=200, fps=10.0, size=FRAMES_SIZE, paint=paint_acts(tracks))
        table = tmp_path / "labels.csv"
        table.write_text("path,start,end,label\nfilm.mkv,2,8,dig\nfilm.mkv,18.5,19.5,rear\n")
        run = train_acts(table, tmp_path / "run", steps=2, epochs=1, labels=COUNTS)
        assert "no train video shows rear: it is not learnt" in notes_of(run)
        assert "no val video shows dig: there is no number of val for it" in notes_of(run)

    def test_the_gap_is_one_window_of_the_model(self, tmp_path: Path) -> None:
        """The one short bout lies in the gap. It decides the time between two steps all the same."""
        tracks = np.zeros((400, 2), dtype=np.bool_)
        rows = [(20, 60, 0), (100, 140, 1), (200, 240, 0), (318, 320, 0), (340, 380, 1)]
        for start, end, act in rows:
            tracks[start:end, act] = True
        make_film(tmp_path / "film.mkv", frames=400, fps=10.0, size=FRAMES_SIZE, paint=paint_acts(tracks))
        table = tmp_path / "labels.csv"
        lines = [f"film.mkv,{start / 10},{end / 10},{ACTS[act]}" for start, end, act in rows]
        table.write_text("\n".join(["path,start,end,label", *lines]) + "\n")
        header = header_of(train_acts(table, tmp_path / "run", steps=2, epochs=1, labels=COUNTS))
        window = 8 * header.spec.spacing_seconds
        assert header.spec.spacing_seconds == pytest.approx(0.12)
        assert 80 - header.scores["frames"] >= round(10 * window / 2) - 1, "half of the gap is of the last fifth"

    def test_a_film_that_is_too_short_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"60 labelled frames, too few .* a gap of 7[0-9] frames"):
            train_acts(make_acts(tmp_path / "films", 1), tmp_path / "run", frames=64, labels=COUNTS)

    def test_folds_of_one_film_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="--folds: there is one video"):
            train_acts(make_acts(tmp_path / "films", 1), tmp_path / "run", folds=3, labels=COUNTS)


def test_a_film_without_a_known_moment_is_left_out(tmp_path: Path) -> None:
    data = make_acts(tmp_path / "films", 4)
    late = [line.replace("film3.mkv,", "film3.mkv,1000") for line in data.read_text().splitlines()]
    data.write_text("\n".join(line if line.count("1000") == 0 else "film3.mkv,1000,1001,dig" for line in late) + "\n")
    run = train_acts(data, tmp_path / "run", steps=2, epochs=1)
    lost = [failure for event in run.events if isinstance(event, LeftOut) for failure in event.failures]
    assert [(one.path.name, one.reason) for one in lost] == [("film3.mkv", "none of its moments has a known label")]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"live": True, "head": {"bidirectional": True}}, "--live --bidirectional: a head that reads both ways"),
        ({"head": {"name": "linear"}}, "--head linear: is a classifier of whole clips"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        train_acts(tmp_path / "no data", tmp_path / "run", **settings)


@pytest.mark.parametrize(("several", "loss"), [(True, "focal"), (False, "asymmetric")])
def test_a_loss_for_the_other_kind_of_labels_is_refused(tmp_path: Path, several: bool, loss: str) -> None:
    with pytest.raises(UsageError, match=f"--loss {loss}: is for"):
        train_acts(
            make_acts(tmp_path / "films", 4, several=several), tmp_path / "run", loss=loss, labels={"several": several}
        )
