"""From films without labels to a model of their next frames: every way in, and every film that could spoil it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import FRAMES_SIZE, TinyRun, make_film, make_squares, paint_square, train_frames

from vidrnn.config import HeadConfig, RunConfig
from vidrnn.errors import DataError, RunError, UsageError
from vidrnn.events import ForecasterDone, ForecastScores, FrameEpoch, Note
from vidrnn.model.checkpoint import load_forecaster, load_training
from vidrnn.model.header import foretells_frames, read_header
from vidrnn.nets.frame_predictor import build_forecaster
from vidrnn.runtimes.torch import TorchFrames
from vidrnn.train.frame_sequences import (
    FrameSequence,
    FrameSequences,
    baseline_costs,
    choose_decoder,
    copy_error,
    default_size,
    is_colourless,
    split_sequence,
)
from vidrnn.train.lessons.next_frame import (
    Course,
    calibrated,
    in_full,
    refuse_unfit,
)
from vidrnn.values import Part, Pixels, Size


def frames_of(count: int, seed: int = 0, *, size: Size = FRAMES_SIZE) -> Pixels:
    paint = paint_square(seed)
    return np.stack([paint(index, size) for index in range(count)])


def sequences_of(*films: Pixels, grey: bool = False) -> FrameSequences:
    parts = [Part.TRAIN, *[Part.VAL] * (len(films) - 1)]
    return FrameSequences(
        tuple(FrameSequence(film, part) for film, part in zip(films, parts, strict=True)), FRAMES_SIZE, 0.1, grey
    )


def left_out(run: Path) -> dict[str, str]:
    with (run / "left_out.csv").open() as file:
        return {Path(row["path"]).name: row["reason"] for row in csv.DictReader(file)}


def config_of(**settings: Any) -> RunConfig:
    return RunConfig.of({"task": "next-frame", **settings}, "test")


# --- a training that goes well ---------------------------------------------------------------------------------------


def test_films_without_labels_become_a_model_beside_what_needs_no_learning(tiny_forecaster: TinyRun) -> None:
    [found] = [event for event in tiny_forecaster.events if isinstance(event, ForecastScores)]
    assert [row.name for row in found.rows] == [
        "black frame",
        "copy of the last frame",
        "last frame warped by optical flow",
        "mean image",
        "this model",
    ]
    assert all(len(row.per_step) == 3 and row.overall.mse > 0 for row in found.rows)
    assert found.part == "test" and found.sentence and found.definitions
    done = tiny_forecaster.events[-1]
    assert isinstance(done, ForecasterDone) and done.model == tiny_forecaster.model and not done.stopped
    lines = (tiny_forecaster.folder / "metrics.jsonl").read_text().splitlines()
    assert {"FrameEpoch", "ForecastScores", "ForecasterDone", "Note"} == {json.loads(line)["event"] for line in lines}


def test_its_header_says_how_to_feed_it_what_it_saw_and_what_is_usual(tiny_forecaster: TinyRun) -> None:
    header = read_header(tiny_forecaster.model / "model.safetensors")
    assert header.spec.forecast is not None and header.calibration is not None
    assert (header.spec.forecast.context, header.spec.forecast.horizon) == (4, 3)
    assert header.spec.size == FRAMES_SIZE and header.spec.spacing_seconds == pytest.approx(0.1)
    assert sorted(map(str, header.seen.values())) == ["test", "train", "train", "train", "val"]
    assert header.calibration.middle < header.calibration.high
    assert header.calibration.smoothing_frames == 3, "0.3 seconds"
    assert foretells_frames(tiny_forecaster.folder) and foretells_frames(tiny_forecaster.model)
    assert "/" not in json.dumps(header.facts), "no paths of anyone's machine"


def test_its_card_tells_its_scores_beside_the_baselines(tiny_forecaster: TinyRun) -> None:
    card = (tiny_forecaster.model / "README.md").read_text()
    shown = ("| copy of the last frame |", "| this model |", "MSE and MAE are sums", "Without learning", "32x24 pixels")
    for words in shown:
        assert words in card


def test_how_it_paints_is_chosen_by_the_films_and_said(tiny_forecaster: TinyRun) -> None:
    header = read_header(tiny_forecaster.model / "model.safetensors")
    assert header.spec.forecast is not None and header.spec.forecast.paint == "flow"
    assert any(isinstance(one, Note) and "on the training films" in one.text for one in tiny_forecaster.events)


def test_the_mean_image_of_the_training_films_travels_along(tiny_forecaster: TinyRun) -> None:
    mean = load_forecaster(tiny_forecaster.model).network.mean_image
    assert mean.shape == (3, 24, 32) and mean.min() >= 16 / 255 and mean.max() < 200 / 255
    assert mean[0].mean() > mean[2].mean(), "the squares are orange"


def test_grey_films_are_found_grey_and_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    data = make_squares(tmp_path / "films", 3, grey=True)
    first, second = (train_frames(data, tmp_path / name, seed=3) for name in ("one", "two"))
    assert first.weights == second.weights
    header = read_header(first.model / "model.safetensors")
    assert header.spec.forecast is not None and header.spec.forecast.grey
    assert load_forecaster(first.model).network.channels == 1


def test_a_stopped_training_goes_on_to_the_weights_of_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidrnn.train.lessons.next_frame._UNITS", 8)
    data = make_squares(tmp_path / "films", 3)
    asked: dict[str, Any] = {"epochs": 2, "head": {}}
    whole = train_frames(data, tmp_path / "whole", **asked)
    broken = train_frames(data, tmp_path / "broken", stop_after=1, **asked)
    assert isinstance(broken.events[-1], ForecasterDone) and broken.events[-1].stopped
    assert broken.model.is_dir(), "the best so far is kept"
    settings = (broken.folder / "config.toml").read_bytes()
    told = RunConfig.read(broken.folder / "config.toml").model_dump(exclude={"data"})
    resumed = train_frames(data, tmp_path / "broken", request={"resume": True}, **told)
    assert [one.number for one in resumed.events if isinstance(one, FrameEpoch)] == [2]
    assert resumed.weights == whole.weights
    ends = [load_training(run.folder / "checkpoint") for run in (resumed, whole)]
    assert ends[0] and ends[1] and ends[0].facts["epoch"] == ends[1].facts["epoch"] == 2
    assert all(bool((ends[0].tensors[name] == tensor).all()) for name, tensor in ends[1].tensors.items())
    assert (broken.folder / "config.toml").read_bytes() == settings
    make_film(data / "film9.mkv", frames=20, fps=10.0, size=FRAMES_SIZE, paint=paint_square(9))
    with pytest.raises(RunError, match="not as it was when this run began"):
        train_frames(data, tmp_path / "broken", request={"resume": True}, **told)


def test_a_head_of_vectors_learns_from_a_manifest(tmp_path: Path) -> None:
    make_squares(tmp_path / "films", 3)
    manifest = tmp_path / "films.csv"
    manifest.write_text("path,split\nfilms/film0.mkv,train\nfilms/film1.mkv,train\nfilms/film2.mkv,val\n")
    run = train_frames(manifest, tmp_path / "run", head={"name": "mingru", "size": 8})
    header = read_header(run.model / "model.safetensors")
    assert (header.spec.encoder.name, header.spec.head.name) == ("small", "mingru")
    assert sorted(map(str, header.seen.values())) == ["train", "train", "val"]
    [found] = [event for event in run.events if isinstance(event, ForecastScores)]
    assert found.part == "val", "nothing was left to test"


# --- films that are hard ---------------------------------------------------------------------------------------------


def test_black_films_are_learnt_and_calibrated_and_films_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    data = tmp_path / "films"
    for number in range(3):  # of several sizes, lengths and contents that nobody sees
        black = make_film(
            data / f"black{number}.mkv",
            frames=12 + number,
            fps=10.0,
            size=Size(24 + 8 * number, 32),
            paint=lambda _, size: np.zeros((size.height, size.width, 3), dtype=np.uint8),
        )
    make_film(data / "one.mkv", frames=1, fps=10.0, size=FRAMES_SIZE, paint=paint_square())
    make_film(data / "six.mkv", frames=6, fps=10.0, size=FRAMES_SIZE, paint=paint_square())
    (data / "bad.mkv").write_bytes(black.read_bytes()[:100])
    run = train_frames(data, tmp_path / "run")
    header = read_header(run.model / "model.safetensors")
    assert header.calibration is not None and np.isfinite([header.calibration.middle, header.calibration.high]).all()
    [found] = [event for event in run.events if isinstance(event, ForecastScores)]
    assert all(np.isfinite(row.overall.mse) and np.isfinite(row.overall.psnr) for row in found.rows)
    assert "black frame at every step" in found.sentence
    assert all(tensor.isfinite().all() for tensor in load_forecaster(run.model).network.state_dict().values())
    reasons = left_out(run.folder)
    assert set(reasons) == {"one.mkv", "six.mkv", "bad.mkv"}
    assert reasons["one.mkv"] == "1 frame 0.1 s apart, and 7 are needed"
    assert "6 frames" in reasons["six.mkv"]


def test_films_that_are_all_too_short_are_refused_in_a_sentence(tmp_path: Path) -> None:
    data = make_squares(tmp_path / "films", 2, frames=4)
    with pytest.raises(DataError, match=r"wanted films of 7 frames .*--context 4 and --horizon 3.*the longest has 5"):
        train_frames(data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_end_of_a_single_film_is_held_out(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", frames=30, fps=10.0, size=FRAMES_SIZE, paint=paint_square())
    run = train_frames(film, tmp_path / "run", head={"name": "convlstm", "size": 8}, decoder="direct")
    header = read_header(run.model / "model.safetensors")
    assert header.spec.forecast is not None and header.spec.forecast.chosen == "It paints by direct, as was asked."
    assert any(isinstance(one, Note) and one.warning and "last fifth" in one.text for one in run.events)
    [found] = [event for event in run.events if isinstance(event, ForecastScores)]
    assert (found.part, found.stretches) == ("val", 1)


def test_a_single_film_too_short_to_be_cut_is_refused_in_a_sentence(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", frames=10, fps=10.0, size=FRAMES_SIZE, paint=paint_square())
    with pytest.raises(DataError, match="7 frames to learn from and 7 more to validate on; the longest film has 10"):
        train_frames(film, tmp_path / "run")


def test_a_film_is_cut_in_time_and_a_short_one_is_only_learnt_from() -> None:
    first, second = split_sequence(frames_of(50), 7)
    assert (len(first.frames), first.part, len(second.frames), second.part) == (40, Part.TRAIN, 10, Part.VAL)
    first, second = split_sequence(frames_of(15), 7)
    assert (len(first.frames), len(second.frames)) == (8, 7)
    [only] = split_sequence(frames_of(13), 7)
    assert only.part is Part.TRAIN and len(only.frames) == 13


def test_nothing_is_calibrated_by_films_too_short_to_be_judged(tiny_forecaster: TinyRun) -> None:
    runtime = TorchFrames(load_forecaster(tiny_forecaster.model))
    assert calibrated(runtime, [frames_of(2)]) is None
    assert calibrated(runtime, [frames_of(2), frames_of(6)]) is not None


# --- choices ---------------------------------------------------------------------------------------------------------


def test_sparse_films_are_painted_by_kernels_and_natural_ones_by_flow() -> None:
    leaping = np.stack([paint_square(glide=8)(index, FRAMES_SIZE) for index in range(20)])
    sparse = baseline_costs(sequences_of(leaping), context=4, window=7)
    assert choose_decoder(sparse)[0] == "kernel" and "sparse" in choose_decoder(sparse)[1]
    scene = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    still = np.stack([scene] * 9 + [255 - scene] * 11)  # two scenes, in which nothing moves
    natural = baseline_costs(sequences_of(still), context=4, window=7)
    assert min(natural, key=natural.__getitem__) == "the last frame"
    assert choose_decoder(natural)[0] == "flow" and "warps the last frame by its flow" in choose_decoder(natural)[1]


def test_costs_are_measured_by_a_copy_one_step_ahead() -> None:
    still = np.full((20, 24, 32, 3), 7, dtype=np.uint8)
    assert copy_error(sequences_of(still), 7) == pytest.approx(1e-5)
    blinking = np.zeros((20, 24, 32, 3), dtype=np.uint8)
    blinking[::2] = 255
    assert copy_error(sequences_of(blinking), 7) == pytest.approx(1.0)
    assert copy_error(sequences_of(blinking, grey=True), 7) == pytest.approx(1.0)


def test_colour_is_seen_where_there_is_some() -> None:
    assert is_colourless(np.full((9, 8, 8, 3), 90, dtype=np.uint8))
    assert not is_colourless(frames_of(9))


@pytest.mark.parametrize(
    ("films", "model"),
    [(Size(240, 320), Size(64, 85)), (Size(24, 32), Size(24, 32)), (Size(10, 100), Size(16, 100))],
)
def test_a_size_is_brought_down_to_a_short_side_of_64(films: Size, model: Size) -> None:
    assert default_size(films) == model


def test_stretches_do_not_overlap_and_are_evenly_chosen() -> None:
    film = np.arange(40, dtype=np.uint8)[:, None, None, None].repeat(3, 3)
    sequences = sequences_of(film, film)
    assert [int(one[0, 0, 0, 0]) for one in sequences.stretches(Part.TRAIN, 7, 9)] == [0, 7, 14, 21, 28]
    assert [int(one[0, 0, 0, 0]) for one in sequences.stretches(Part.TRAIN, 7, 3)] == [0, 14, 28]
    assert sequences.stretches(Part.TEST, 7, 3) == []


def test_the_course_begins_one_step_ahead_and_ends_alone_over_the_whole_horizon(tiny_forecaster: TinyRun) -> None:
    network = build_forecaster(read_header(tiny_forecaster.model / "model.safetensors").spec)
    course = Course(network, 4, 3, scale=2.0)
    films = torch.from_numpy(np.stack([frames_of(7)] * 2))
    minibatch = type("Minibatch", (), {"inputs": films})()
    asked = []
    for progress in (0.0, 0.3, 0.99):
        course.advance(progress)
        painted, truth = course.answer(minibatch)
        assert painted.shape == truth.shape
        assert torch.equal(truth[:, :3], network.pictures_of(films)[:, 1:4])
        asked.append(truth.shape[1])
        assert float(course.cost((painted, truth)).detach()) == pytest.approx(
            float((painted - truth).square().mean().detach()) / 2, rel=1e-5
        )
    assert asked == [6, 4, 6] and course.grown == 1.0
    painted, _ = course.answer(minibatch)
    near, ahead = network.rollout(network.pictures_of(films)[:, :4], 3)
    torch.testing.assert_close(painted, torch.cat([near, ahead[:, 1:]], 1))


def test_what_was_not_said_is_filled_in_and_stays_when_it_is_read_back(tmp_path: Path) -> None:
    full = in_full(config_of())
    assert (full.head.name, full.head.size, full.weight_decay) == ("convgru", 64, 1e-4)
    full.write(tmp_path / "config.toml")
    assert in_full(RunConfig.read(tmp_path / "config.toml")) == full
    assert in_full(config_of(head={"name": "gru"})).head == HeadConfig(name="gru")
    assert in_full(config_of(head={"size": 9}, weight_decay=0.3)).head.size == 9
    assert in_full(config_of(weight_decay=0.3)).weight_decay == 0.3


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"folds": 3}, "--folds: is for classes"),
        ({"encoder": "mobilenet_v2"}, "--encoder mobilenet_v2: turns frames into vectors"),
        ({"head": {"name": "gru"}, "encoder": "nosuch"}, "--encoder nosuch: there is none"),
        ({"head": {"name": "nosuch"}}, "--head nosuch: there is none of that name. There are: convgru, convlstm,"),
        ({"head": {"name": "convgru", "bidirectional": True}}, "--bidirectional: a head that reads both ways"),
        ({"head": {"name": "gru", "bidirectional": True}}, "--bidirectional: a head that reads both ways"),
        ({"fine_tune": True}, "--weights, --fine-tune: are for known encoders"),
        ({"head": {"name": "gru"}, "weights": "mine.pt"}, "--weights FILE"),
    ],
)
def test_what_does_not_go_together_is_refused_before_a_film_is_opened(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as refused:
        refuse_unfit(in_full(config_of(**settings)))
    assert words in str(refused.value)


def test_a_run_is_refused_where_one_stands(tmp_path: Path, tiny_forecaster: TinyRun) -> None:
    shutil.copytree(tiny_forecaster.folder, tmp_path / "run")
    with pytest.raises(RunError, match="exists already"):
        train_frames(tiny_forecaster.data, tmp_path / "run")
