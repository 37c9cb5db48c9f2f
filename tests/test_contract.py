"""The contract of a task, over every task: training, resume, prediction whole, in pieces and live, scores, export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TinyRun, followed, make_film, train_tiny

from vidrnn.batch.batch import Batch, FilmDone
from vidrnn.batch.engines.local import Local
from vidrnn.batch.work import PredictionRequest, output_named
from vidrnn.config import RunConfig
from vidrnn.errors import OutputError
from vidrnn.evaluate.base import Scorer
from vidrnn.evaluate.evaluator import evaluate
from vidrnn.export.exporter import Request, export_model
from vidrnn.live.camera import LiveFrame
from vidrnn.live.watcher import watch
from vidrnn.model.checkpoint import load_model
from vidrnn.outputs import OUTPUTS
from vidrnn.outputs.base import Answered, prediction_json
from vidrnn.predict.predictor import Predictor, open_model
from vidrnn.registry import load_attribute
from vidrnn.runtimes.base import Runtime
from vidrnn.settings import PredictConfig
from vidrnn.tables import Report
from vidrnn.tasks import TASKS
from vidrnn.tasks.base import Task, task_named
from vidrnn.train.lessons.base import Teacher
from vidrnn.values import FilmFailure, FilmPrediction, Now, Part, Segment
from vidrnn.video.reader import open_film

EVERY_TASK = pytest.mark.parametrize("task", [pytest.param(task_named(name), id=name) for name in TASKS])
PIECES = (1, 3, 4, 7, 20)
_TINY: dict[str, Any] = {"context": 4, "horizon": 3, "encoder": "small", "frames": 4, "epochs": 1, "minibatch": 4}
_OF_PICTURES = {"encoder"}
"""Settings that a head which keeps the picture refuses."""


def train(task: Task, data: Path, folder: Path, **more: Any) -> TinyRun:
    """A tiny training of a task, by those of the tiny settings that mean something for it."""
    keeps_picture = task.defaults.get("head.name", "").startswith("conv")
    known = {name for name in _TINY if name in task.settings} - (_OF_PICTURES if keeps_picture else set())
    settings = {name: _TINY[name] for name in known} | {"encoder": "auto" if keeps_picture else "small"}
    if "frames" not in task.settings:
        more = {**more, "frames": RunConfig().frames}
    return train_tiny(data, folder, **{**settings, "task": task.name, **more})


@pytest.fixture(autouse=True, scope="module")
def few_steps() -> Iterator[None]:
    """Epochs of two minibatches, where a lesson says how many there are."""
    with pytest.MonkeyPatch.context() as patch:
        for name in TASKS:
            module = import_module(task_named(name).lesson.partition(":")[0])
            if hasattr(module, "_EPOCH_STEPS"):
                patch.setattr(module, "_EPOCH_STEPS", 2)
        yield


@pytest.fixture(scope="module")
def runs(few_steps: None, class_folders: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, TinyRun]:
    """A tiny run of each task on the same films, with its portable file."""
    root = tmp_path_factory.mktemp("tasks")
    portable = {"portable": True}
    return {name: train(task_named(name), class_folders, root / name / "run", request=portable) for name in TASKS}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 41 frames in which something changes half way."""
    path = tmp_path_factory.mktemp("film") / "film.avi"
    draw = np.random.default_rng(3)
    noise = draw.integers(0, 255, (41, 48, 64, 3), dtype=np.uint8)

    def paint(index: int, size: Any) -> Any:
        pixels = np.full((size.height, size.width, 3), 60, np.uint8)
        pixels[(3 * index) % 40 :][:6] = 240
        return noise[index] if 20 <= index < 26 else pixels

    return make_film(path, frames=41, fps=10.0, paint=paint)


def opened(run: TinyRun, runtime: str = "onnx") -> Runtime:
    return open_model(run.folder, runtime)[0]


# --- what a task states ----------------------------------------------------------------------------------------------


@EVERY_TASK
def test_a_task_names_its_other_halves(task: Task) -> None:
    assert TASKS[task.name].endswith(f":{type(task).__name__}")
    assert issubclass(load_attribute(task.lesson), Teacher)
    assert issubclass(load_attribute(task.scorer), Scorer)


@EVERY_TASK
def test_a_task_names_settings_that_there_are(task: Task) -> None:
    known = {*RunConfig.model_fields, *(field.name for field in fields(PredictConfig))}
    assert task.settings <= known
    assert {name.partition(".")[0] for name in task.defaults} <= task.settings
    completed = RunConfig().with_defaults(task.defaults)
    for name, value in task.defaults.items():
        owner, _, inner = name.partition(".")
        assert getattr(getattr(completed, owner), inner) == value if inner else getattr(completed, owner) == value


# --- training --------------------------------------------------------------------------------------------------------


@EVERY_TASK
def test_a_model_says_what_it_answers(task: Task, runs: dict[str, TinyRun]) -> None:
    model = load_model(runs[task.name].folder)
    header = model.header
    assert header.answer.task == task.name
    assert model.network.outputs == task.outputs
    assert header.scores["part"] in {*map(str, Part)}
    assert [row["name"] for row in header.scores["controls"]][-1] == "this model"
    assert header.summary and all(text.endswith(".") for text in header.summary)
    card = (runs[task.name].model / "README.md").read_text(encoding="utf-8")
    assert header.spec.describe() in card and "model.onnx" in card


@EVERY_TASK
def test_a_training_reports_its_scores_beside_controls(task: Task, runs: dict[str, TinyRun]) -> None:
    reports = [event for event in runs[task.name].events if isinstance(event, Report)]
    assert reports and any(
        "this model" in row[0] for report in reports for table in report.tables for row in table.rows
    )
    lines = (runs[task.name].folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["event"] for line in lines} >= {"Note", "EpochDone", "Report", "Done"}


@EVERY_TASK
def test_a_stopped_training_goes_on_to_the_same_weights(task: Task, class_folders: Path, tmp_path: Path) -> None:
    whole = train(task, class_folders, tmp_path / "whole" / "run", epochs=4, seed=3)
    stopped = train(task, class_folders, tmp_path / "stopped" / "run", epochs=4, seed=3, stop_after=1)
    assert stopped.weights != whole.weights
    again = train(task, class_folders, stopped.folder, epochs=4, seed=3, request={"resume": True})
    assert again.weights == whole.weights


# --- prediction ------------------------------------------------------------------------------------------------------


def _frames(film: Path) -> list[tuple[Any, float]]:
    with open_film(film) as source:
        return [(frame.pixels, frame.seconds) for frame in source.frames()]


def _same_segments(one: tuple[Segment, ...], other: tuple[Segment, ...]) -> None:
    assert [segment.label for segment in one] == [segment.label for segment in other]
    for mine, theirs in zip(one, other, strict=True):
        assert mine.start_seconds == pytest.approx(theirs.start_seconds)
        assert mine.end_seconds == pytest.approx(theirs.end_seconds)
        assert mine.probability == pytest.approx(theirs.probability, abs=1e-5)


@EVERY_TASK
@pytest.mark.parametrize("at_once", PIECES)
def test_a_stream_gives_the_segments_of_the_whole_film(
    task: Task, at_once: int, runs: dict[str, TinyRun], film: Path
) -> None:
    predictor = Predictor(opened(runs[task.name]))
    moments = predictor.read(film)
    stream, ended = predictor.stream(at_once), ()
    for pixels, seconds in _frames(film):
        ended += stream.push(pixels, seconds).ended
    ended += stream.finish(moments.end_seconds).ended  # as they end; those of a film stand as they begin
    _same_segments(tuple(sorted(ended, key=lambda one: one.start_seconds)), moments.segments)


@EVERY_TASK
@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_how_frames_are_cut_into_pieces_changes_nothing(
    task: Task, piece: int, runtime: str, runs: dict[str, TinyRun], film: Path
) -> None:
    model = opened(runs[task.name], runtime)
    rule, spacing, size = model.handling.decision, model.handling.sampling.spacing_seconds, model.handling.size
    with open_film(film) as source:
        frames = np.stack([frame.pixels for frame in source.sampled(spacing, size=size)])

    def read(length: int) -> tuple[Any, Any, Any]:
        reader = task.reader(model, rule)
        pieces = (frames[start : start + length] for start in range(0, len(frames), length))
        parts = [reader.read(reader.prepare(piece, None)) for piece in pieces]
        ending = reader.finish()
        parts.append(ending.moments)
        names = parts[0].measures
        measures = {name: np.concatenate([part.measures[name] for part in parts]) for name in names}
        return np.concatenate([part.probabilities for part in parts]), measures, ending.clip

    whole, cut = read(len(frames)), read(piece)
    assert len(cut[0]) == len(frames), "each frame is one moment"
    np.testing.assert_allclose(cut[0], whole[0], atol=1e-5)
    for name, numbers in whole[1].items():
        np.testing.assert_allclose(cut[1][name], numbers, atol=1e-5, rtol=1e-3)
    assert (cut[2] is None) == (whole[2] is None) == (model.handling.answer.resolution != "clip")
    if whole[2] is not None:
        np.testing.assert_allclose(cut[2], whole[2], atol=1e-5)


@EVERY_TASK
def test_both_runtimes_give_the_same_answer(task: Task, runs: dict[str, TinyRun], film: Path) -> None:
    one, other = (Predictor(opened(runs[task.name], runtime)).read(film) for runtime in ("onnx", "torch"))
    np.testing.assert_allclose(one.timeline.probabilities, other.timeline.probabilities, atol=1e-4)
    np.testing.assert_array_equal(one.timeline.indices, other.timeline.indices)
    _same_segments(one.segments, other.segments)


@EVERY_TASK
def test_the_moments_are_frames_of_the_film(task: Task, runs: dict[str, TinyRun], film: Path) -> None:
    moments = Predictor(opened(runs[task.name])).read(film)
    times = [seconds for _, seconds in _frames(film)]
    assert moments.frames == len(times)
    assert moments.timeline.indices is not None
    assert np.abs(np.asarray(times)[moments.timeline.indices] - moments.timeline.seconds).max() <= 0.1 + 1e-6
    assert moments.end_seconds == pytest.approx(4.1)


@EVERY_TASK
def test_a_bad_film_costs_one_row(task: Task, runs: dict[str, TinyRun], film: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.avi"
    bad.write_bytes(b"no video at all")
    found = list(Predictor(opened(runs[task.name]), threads=2).predict_all([film, bad, film]))
    assert [isinstance(one, FilmFailure) for one in found] == [False, True, False]
    json.dumps(prediction_json("film", found[0]), allow_nan=False)  # type: ignore[arg-type]


@EVERY_TASK
@pytest.mark.parametrize("form", OUTPUTS)
def test_every_form_shows_the_answer_or_says_that_it_cannot(
    task: Task, form: str, runs: dict[str, TinyRun], film: Path, tmp_path: Path
) -> None:
    output = output_named(form)
    prediction = Predictor(opened(runs[task.name])).predict(film)
    file = tmp_path / f"film{output.suffix}"
    try:
        output.write(Answered(film, "film.avi", prediction, "model"), file)
    except OutputError as error:
        assert str(file) in str(error) and not file.exists()
    else:
        assert file.is_file()


# --- folders and live sources ----------------------------------------------------------------------------------------


@EVERY_TASK
def test_a_folder_gets_a_row_for_each_film_and_is_done_once(
    task: Task, runs: dict[str, TinyRun], film: Path, tmp_path: Path
) -> None:
    model = opened(runs[task.name])
    (tmp_path / "bad.avi").write_bytes(b"no video at all")
    request = PredictionRequest(runs[task.name].model, ("jsonl", "steps"), model.handling.decision)
    films = (film, tmp_path / "bad.avi")

    def run() -> Iterator[FilmDone]:
        batch = Batch(request.work(), films, (film.parent, tmp_path), tmp_path / "out")
        return batch.run(Local(1))

    first, second = list(run()), list(run())
    assert [("error" in done.row, done.before) for done in first] == [(False, False), (True, False)]
    assert [done.before for done in second] == [True, True]
    assert [done.row for done in second] == [done.row for done in first]
    alone = prediction_json(first[0].row["path"], Predictor(model).predict(film))
    assert json.loads(json.dumps(alone)) == first[0].row
    summary = (tmp_path / "out" / "summary.csv").read_text(encoding="utf-8")
    assert summary.splitlines()[0] == ",".join(["path", *task.columns, "error"])


class _Played:
    """A live source that plays the frames of a film."""

    def __init__(self, frames: list[LiveFrame], spacing_seconds: float) -> None:
        self._frames, self.spacing_seconds = frames, spacing_seconds

    @property
    def over(self) -> bool:
        return not self._frames

    def take(self, _: float) -> LiveFrame:
        return self._frames.pop(0)


@EVERY_TASK
def test_a_live_source_is_answered_at_each_frame(task: Task, runs: dict[str, TinyRun], film: Path) -> None:
    predictor = Predictor(opened(runs[task.name]))
    spacing = predictor.model.handling.sampling.spacing_seconds
    size = predictor.model.handling.size
    with open_film(film) as source:
        frames = [
            LiveFrame(frame.pixels, frame.seconds, frame.seconds, 1e9 + frame.seconds, life=0)
            for frame in source.sampled(spacing, size=size)
        ]
    count = len(frames)
    answers = [one.answer for one in watch(_Played(frames, spacing), predictor.stream) if isinstance(one, Now)]  # type: ignore[arg-type]
    assert len(answers) == count
    allowed = {*answers[0].classes, "unknown"}
    assert all(answer.label in allowed and 0 <= answer.probability <= 1 for answer in answers)


# --- scores and export -----------------------------------------------------------------------------------------------


@EVERY_TASK
def test_a_model_is_scored_on_films_that_it_has_not_seen(
    task: Task, runs: dict[str, TinyRun], class_folders: Path
) -> None:
    run = runs[task.name]
    predictor = Predictor(opened(run), threads=2)
    found, _ = followed(evaluate(predictor, run.model, class_folders))
    parts = list(predictor.model.header.seen.values())
    assert found.films == parts.count(Part.TEST) and found.seen == len(parts) - found.films
    numbers = json.loads(json.dumps(found.numbers, allow_nan=False))
    assert numbers["task"] == task.name and numbers["skipped"] == 0
    everything, _ = followed(evaluate(predictor, run.model, class_folders, "all"))
    assert everything.films == len(parts)
    assert found.report.tables and found.report.sentences


@pytest.mark.slow  # the training of `runs` writes and checks such a file already
@EVERY_TASK
def test_an_exported_model_answers_as_the_model_does(
    task: Task, runs: dict[str, TinyRun], film: Path, tmp_path: Path
) -> None:
    portable, _ = followed(export_model(Request(runs[task.name].model, "onnx", out=tmp_path / "model.onnx")))
    assert portable.difference <= 1e-4
    model = open_model(portable.file)[0]
    assert model.header == opened(runs[task.name]).header
    mine, theirs = Predictor(model).predict(film), Predictor(opened(runs[task.name], "torch")).predict(film)
    assert isinstance(mine, FilmPrediction) and mine.label == theirs.label
    _same_segments(mine.segments, theirs.segments)
