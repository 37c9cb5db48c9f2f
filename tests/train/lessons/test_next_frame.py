"""From films without labels to a model of their next frames, and the films and settings that need special care."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import FRAMES_SIZE, TinyRun, make_film, make_squares, paint_square, train_frames

from vidrnn.config import HeadConfig, RunConfig
from vidrnn.errors import DataError, UsageError
from vidrnn.events import Done, Note
from vidrnn.model.checkpoint import load_model
from vidrnn.model.header import read_header
from vidrnn.model.metadata import ModelHeader
from vidrnn.nets.frame_predictor import FramePredictor
from vidrnn.nets.network import build_network
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.tables import Report
from vidrnn.tasks.next_frame import NextFrame
from vidrnn.train.lessons.next_frame import Curriculum, NextFrameTeacher, calibrate_anomalies
from vidrnn.train.shares.minibatches import Minibatch
from vidrnn.train.shares.randomness import Randomness
from vidrnn.values import Pixels, Size


def frames_of(count: int) -> Pixels:
    paint = paint_square()
    return np.stack([paint(index, FRAMES_SIZE) for index in range(count)])


def header_of(run: TinyRun) -> ModelHeader:
    return read_header(run.model / "model.safetensors")


def scores_of(run: TinyRun) -> Mapping[str, Any]:
    """The numbers of the report at the end of a training."""
    [report] = [event for event in run.events if isinstance(event, Report)]
    return report.numbers


def left_out(run: Path) -> dict[str, str]:
    with (run / "left_out.csv").open() as file:
        return {Path(row["path"]).name: row["reason"] for row in csv.DictReader(file)}


def predictor_of(run: TinyRun) -> FramePredictor:
    network = load_model(run.model).network
    assert isinstance(network, FramePredictor)
    return network


def config_of(**settings: Any) -> RunConfig:
    return RunConfig.of({"task": "next-frame", **settings}, "test")


def complete(config: RunConfig) -> RunConfig:
    return NextFrameTeacher.complete(config.with_defaults(NextFrame.defaults))


# --- a training that goes well ---------------------------------------------------------------------------------------


def test_films_without_labels_become_a_model_with_scores_beside_baselines(tiny_forecaster: TinyRun) -> None:
    scores = scores_of(tiny_forecaster)
    names = ["black frame", "copy of the last frame", "last frame warped by optical flow", "mean image"]
    assert list(scores["baselines"]) == names
    assert all(len(one["per_step"]) == 3 and one["mse"] > 0 for one in (scores, *scores["baselines"].values()))
    assert scores["part"] == "test" and scores["definitions"]
    done = tiny_forecaster.events[-1]
    assert isinstance(done, Done) and done.model == tiny_forecaster.model and not done.stopped
    assert done.sentences[0].startswith("test: MSE of a pixel") and done.sentences[-1] == scores["sentence"]
    controls = header_of(tiny_forecaster).scores["controls"]
    assert [row["name"] for row in controls] == [*names, "this model"]
    assert controls[-1]["test"] == scores["mse"] and controls[-1]["val"] is None


def test_its_header_holds_its_input_its_films_and_the_normal_errors(tiny_forecaster: TinyRun) -> None:
    header = header_of(tiny_forecaster)
    normal = header.decision.anomaly
    assert header.spec.forecast is not None and normal is not None
    assert (header.spec.forecast.context, header.spec.forecast.horizon) == (4, 3)
    assert header.spec.size == FRAMES_SIZE and header.spec.spacing_seconds == pytest.approx(0.1)
    assert sorted(map(str, header.seen.values())) == ["test", "train", "train", "train", "val"]
    assert normal.middle < normal.high
    assert normal.smoothing_frames == 3, "0.3 seconds"
    assert "/" not in json.dumps(header.facts), "no paths of anyone's machine"


def test_its_card_shows_its_scores_beside_the_baselines(tiny_forecaster: TinyRun) -> None:
    card = (tiny_forecaster.model / "README.md").read_text()
    shown = (
        "| copy of the last frame |",
        "| this model |",
        "summed over a frame",
        "Without learning",
        "32x24 pixels",
    )
    for words in shown:
        assert words in card


def test_the_films_choose_the_decoder_and_a_note_gives_the_reason(tiny_forecaster: TinyRun) -> None:
    header = header_of(tiny_forecaster)
    assert header.spec.forecast is not None and header.spec.forecast.decoder == "flow"
    assert any(isinstance(one, Note) and "on the training videos" in one.text for one in tiny_forecaster.events)


def test_the_model_holds_the_mean_image_of_the_training_films(tiny_forecaster: TinyRun) -> None:
    mean = predictor_of(tiny_forecaster).mean_image
    assert mean.shape == (3, 24, 32) and mean.min() >= 16 / 255 and mean.max() < 200 / 255
    assert mean[0].mean() > mean[2].mean(), "the squares are orange"


def test_grey_films_give_a_grey_model_and_the_same_seed_the_same_weights(tmp_path: Path) -> None:
    data = make_squares(tmp_path / "films", 3, grey=True)
    first, second = (train_frames(data, tmp_path / name, seed=3) for name in ("one", "two"))
    assert first.weights == second.weights
    header = header_of(first)
    assert header.spec.forecast is not None and header.spec.forecast.grey
    assert predictor_of(first).channels == 1


def test_a_head_of_vectors_learns_from_a_manifest(tmp_path: Path) -> None:
    make_squares(tmp_path / "films", 3)
    manifest = tmp_path / "films.csv"
    manifest.write_text("path,split\nfilms/film0.mkv,train\nfilms/film1.mkv,train\nfilms/film2.mkv,val\n")
    run = train_frames(manifest, tmp_path / "run", head={"name": "mingru", "size": 8})
    header = header_of(run)
    assert (header.spec.encoder.name, header.spec.head.name) == ("small", "mingru")
    assert sorted(map(str, header.seen.values())) == ["train", "train", "val"]
    assert scores_of(run)["part"] == "val", "there is no test part"


# --- films that are hard ---------------------------------------------------------------------------------------------


def test_black_films_are_calibrated_and_films_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    data = tmp_path / "films"
    for number in range(3):  # of several sizes and lengths
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
    header = header_of(run)
    normal, scores = header.decision.anomaly, scores_of(run)
    assert normal is not None and np.isfinite([normal.middle, normal.high]).all()
    assert all(np.isfinite([one["mse"], one["psnr"]]).all() for one in (scores, *scores["baselines"].values()))
    assert "black frame at every step" in scores["sentence"]
    assert all(tensor.isfinite().all() for tensor in predictor_of(run).state_dict().values())
    reasons = left_out(run.folder)
    assert set(reasons) == {"one.mkv", "six.mkv", "bad.mkv"}
    assert reasons["one.mkv"] == "1 frame 0.1 s apart, and 7 are needed"
    assert "6 frames" in reasons["six.mkv"]


def test_films_that_are_all_too_short_are_refused_in_a_sentence(tmp_path: Path) -> None:
    data = make_squares(tmp_path / "films", 2, frames=4)
    with pytest.raises(DataError, match=r"wanted videos of 7 frames .*--context 4 and --horizon 3.*the longest has 5"):
        train_frames(data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_end_of_a_single_film_is_held_out(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", frames=30, fps=10.0, size=FRAMES_SIZE, paint=paint_square())
    run = train_frames(film, tmp_path / "run", head={"name": "convlstm", "size": 8}, decoder="direct")
    header = header_of(run)
    assert (
        header.spec.forecast is not None
        and header.spec.forecast.chosen == "The decoder is direct, as the settings say."
    )
    assert any(isinstance(one, Note) and one.warning and "last fifth" in one.text for one in run.events)
    assert (scores_of(run)["part"], scores_of(run)["stretches"]) == ("val", 1)


def test_a_single_film_too_short_to_be_cut_is_refused_in_a_sentence(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", frames=10, fps=10.0, size=FRAMES_SIZE, paint=paint_square())
    with pytest.raises(DataError, match="7 frames to learn from and 7 more to validate on; the longest video has 10"):
        train_frames(film, tmp_path / "run")


def test_films_of_two_frames_are_too_short_to_calibrate(tiny_forecaster: TinyRun) -> None:
    runtime = TorchRuntime(load_model(tiny_forecaster.model))
    assert calibrate_anomalies(runtime, [frames_of(2)]) is None
    assert calibrate_anomalies(runtime, [frames_of(2), frames_of(6)]) is not None


# --- choices ---------------------------------------------------------------------------------------------------------


def test_the_curriculum_begins_one_step_ahead_and_ends_with_the_whole_horizon(
    tiny_forecaster: TinyRun,
) -> None:
    header = header_of(tiny_forecaster)
    network = build_network(header.spec, header.answer)
    assert isinstance(network, FramePredictor)
    curriculum = Curriculum(4, 3, 2.0, drawing=False)
    films = torch.from_numpy(np.stack([frames_of(7)] * 2))
    minibatch = Minibatch(films, torch.ones(2, 7, dtype=torch.bool), torch.full((2,), -1))
    lengths = []
    for progress in (0.0, 0.3, 0.99):
        curriculum.advance(progress)
        predicted, truth = curriculum.answer(network, minibatch, Randomness((0,)))
        assert predicted.shape == truth.shape
        assert torch.equal(truth[:, :3], network.pictures_of(films)[:, 1:4])
        lengths.append(truth.shape[1])
        assert float(curriculum.cost((predicted, truth), minibatch, minibatch.targets).detach()) == pytest.approx(
            float((predicted - truth).square().mean().detach()) / 2, rel=1e-5
        )
    assert lengths == [6, 4, 6] and curriculum.growth == 1.0
    predicted, _ = curriculum.answer(network, minibatch, Randomness((0,)))
    near, ahead = network.rollout(network.pictures_of(films)[:, :4], 3)
    torch.testing.assert_close(predicted, torch.cat([near, ahead[:, 1:]], 1))


def test_defaults_fill_open_settings_and_stay_when_they_are_read_back(tmp_path: Path) -> None:
    full = complete(config_of())
    assert (full.head.name, full.head.size, full.weight_decay) == ("convgru", 64, 1e-4)
    full.write(tmp_path / "config.toml")
    assert complete(RunConfig.read(tmp_path / "config.toml")) == full
    assert complete(config_of(head={"name": "gru"})).head == HeadConfig(name="gru")
    assert complete(config_of(head={"size": 9}, weight_decay=0.3)).head.size == 9
    assert complete(config_of(weight_decay=0.3)).weight_decay == 0.3


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"encoder": "mobilenet_v2"}, "--encoder mobilenet_v2: turns frames into vectors"),
        ({"head": {"name": "gru"}, "encoder": "nosuch"}, "--encoder nosuch: there is none"),
        ({"head": {"name": "nosuch"}}, "--head nosuch: there is none of that name. There are: convgru, convlstm,"),
        ({"head": {"name": "convgru", "bidirectional": True}}, "--bidirectional: a head that reads in both directions"),
        ({"head": {"name": "gru", "bidirectional": True}}, "--bidirectional: a head that reads in both directions"),
        ({"fine_tune": True}, "--weights, --fine-tune: are for known encoders"),
        ({"head": {"name": "gru"}, "weights": "mine.pt"}, "--weights FILE"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_data_are_read(
    tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError) as refused:
        train_frames(tmp_path / "no data", tmp_path / "run", **settings)
    assert words in str(refused.value)
