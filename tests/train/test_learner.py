"""The defaults of training: sizes, lengths and mirrored films; and the truth at the frames of each clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch
from conftest import frame_number, make_film
from numpy.typing import NDArray

from vidrnn.config import FEW_CLIPS, RunConfig
from vidrnn.data.cache import Cache
from vidrnn.data.dataset import Dataset
from vidrnn.data.grouping.base import Grouping
from vidrnn.data.scan import scan_film
from vidrnn.data.splits import Split
from vidrnn.nets.spec import EncoderConfig
from vidrnn.tasks.classify import Classify
from vidrnn.train.encoder_choice import choice_of, picture_size
from vidrnn.train.learner import Choice, Clock, Learner, Setting, loss_of, validation_of
from vidrnn.train.lessons.classes import ClassObjective
from vidrnn.train.recipes import FROZEN, TRAINED, epochs_for, minibatch_for
from vidrnn.train.shares.minibatches import Clips, ClipSampler, Drawn
from vidrnn.train.shares.workers import Workers
from vidrnn.values import AnswerSpec, LabelledFilm, Part, Sampling, Size


def setting_of(labels: list[str], tmp_path: Path, **config: Any) -> Setting:
    """A setting with a film for each label, all of them to train on."""
    films = tuple(LabelledFilm(Path(f"{i}.mp4"), label) for i, label in enumerate(labels))
    classes = tuple(sorted(set(labels)))
    groups = tuple(str(i) for i in range(len(films)))
    return Setting(
        task=Classify(),
        objective=ClassObjective(),
        answer=AnswerSpec("classify", "one", "clip", classes),
        dataset=Dataset(films, (), Grouping(groups, "test"), classes, ()),
        split=Split((Part.TRAIN,) * len(films)),
        config=RunConfig.of(config, source="test"),
        sampling=Sampling(4, 0.1),
        cache=Cache(tmp_path),
        clock=Clock(None),
        stop=Event(),
        device=torch.device("cpu"),
        workers=Workers(),
    )


def test_films_are_mirrored_only_where_the_settings_say_so(tmp_path: Path) -> None:
    assert not setting_of(["sit", "stand"], tmp_path).flip
    assert setting_of(["left", "right"], tmp_path, flip=True).flip


def test_clips_in_even_order_begin_with_every_class_by_its_share(tmp_path: Path) -> None:
    labels = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    setting = setting_of(labels, tmp_path)
    order = setting.evenly(range(100))
    assert sorted(order) == list(range(100))
    assert {labels[i] for i in order[:3]} == {"a", "b", "c"}
    first = [labels[i] for i in order[:50]]
    assert [first.count(label) for label in "abc"] == pytest.approx([30, 15, 5], abs=1)
    assert order == setting.evenly(range(100))
    assert order != replace(setting, config=RunConfig(seed=1)).evenly(range(100))


def test_time_that_is_not_bounded_has_no_share() -> None:
    assert Clock(None).share_left(0.5) is None


def test_a_share_of_the_time_is_of_what_is_left() -> None:
    clock = Clock(minutes=1.0)
    clock.started -= 20
    assert clock.elapsed_seconds == pytest.approx(20, abs=1)
    assert clock.share_left(0.5) == pytest.approx(20, abs=1)
    clock.started -= 100
    assert clock.share_left(0.5) == 0.0


@pytest.mark.parametrize(("clips", "wanted"), [(4, 8), (120, 10), (600, 50), (5000, 64)])
def test_a_minibatch_is_smaller_where_clips_are_few(clips: int, wanted: int) -> None:
    some = Clips([np.zeros((1, 2, 3))] * clips, np.zeros(clips, dtype=np.int64))
    assert minibatch_for(FROZEN, some) == wanted


def test_few_clips_are_passed_over_more_often_but_not_without_end() -> None:
    passes = [epochs_for(TRAINED, steps) for steps in (1, 6, 10, 1000)]
    assert passes == sorted(passes, reverse=True)
    assert passes[0] <= 60
    assert passes[-1] == TRAINED.fewest_epochs


def test_validation_is_macro_f1_and_the_loss_where_that_is_level(tmp_path: Path) -> None:
    setting = setting_of(["a", "b"], tmp_path)
    truth = np.array([0, 0, 0, 1])
    sure, unsure = (np.array([[k, 0], [k, 0], [k, 0], [0, k]], dtype=np.float64) for k in (4.0, 1.0))
    always_a = np.array([[1.0, 0]] * 4)
    found = validation_of(always_a, truth, setting)
    assert found.shown["accuracy"] == 0.75
    assert found.score == pytest.approx((6 / 7) / 2)
    assert validation_of(sure, truth, setting).score == validation_of(unsure, truth, setting).score == 1.0
    assert validation_of(sure, truth, setting).better_than(validation_of(unsure, truth, setting))
    assert validation_of(unsure, truth, setting).better_than(found)


def learner_of(count: int, tmp_path: Path, *, frozen: bool = True, **config: Any) -> Learner:
    """A learner with so many training clips."""
    encoder = EncoderConfig(name="resnet18" if frozen else "small", frozen=frozen, origin="none")
    return Learner(setting_of(["a", "b"] * (count // 2), tmp_path, **config), Choice(encoder, Size(24, 32), "none"))


def strength(learner: Learner) -> tuple[int, float | None, float, bool]:
    plan = learner.planned(steps=4, seconds=None)
    return learner.head.units, learner.head.dropout, plan.weight_decay, plan.last_weights


def test_a_head_behind_a_frozen_encoder_is_held_back_more_where_clips_are_few(tmp_path: Path) -> None:
    few, many = (learner_of(count, tmp_path) for count in (FEW_CLIPS - 2, FEW_CLIPS))
    assert strength(few) == (64, 0.6, 0.1, True) and strength(many) == (128, 0.5, 0.05, False)
    assert few.few.startswith(
        f"{FEW_CLIPS - 2} training clips are few: the head has 64 units, dropout 0.6 and weight decay 0.1."
    )
    assert few.few.endswith("weights of its last epoch.") and not many.few
    trained = learner_of(FEW_CLIPS - 2, tmp_path, frozen=False)
    assert strength(trained) == (128, 0.1, 0.05, False) and not trained.few


def test_settings_that_were_given_stay_where_clips_are_few(tmp_path: Path) -> None:
    given = {"head": {"size": 9, "dropout": 0.0}, "weight_decay": 0.0, "patience": 3}
    assert strength(learner_of(10, tmp_path, **given)) == (9, 0.0, 0.0, False)


def test_the_best_weights_count_where_time_is_limited(tmp_path: Path) -> None:
    learner = learner_of(10, tmp_path)
    assert not learner.planned(steps=4, seconds=60.0).last_weights
    timed = replace(learner.setting, clock=Clock(minutes=1.0))
    assert "last epoch" not in Learner(timed, learner.choice).few


@pytest.mark.parametrize(("patience", "last"), [(59, False), (1_000_000, True)])
def test_a_patience_that_ends_nothing_leaves_the_last_weights(patience: int, last: bool, tmp_path: Path) -> None:
    assert learner_of(10, tmp_path, patience=patience).planned(steps=4, seconds=None).last_weights == last


@pytest.mark.parametrize("encoder", ["small", "mobilenet_v2"])
def test_pictures_keep_the_films_shape(encoder: str) -> None:
    size = picture_size(encoder, Size(240, 320))
    assert size.width / size.height == pytest.approx(320 / 240, rel=0.02)


def test_small_films_are_enlarged_for_the_world_and_not_for_the_small_encoder() -> None:
    assert picture_size("small", Size(24, 32)) == Size(24, 32)
    world = picture_size("mobilenet_v2", Size(24, 32))
    assert world.height > 100


def test_a_film_like_a_ribbon_is_still_a_picture() -> None:
    assert picture_size("small", Size(8, 4000)).height >= 8


def test_the_size_that_was_asked_for_goes_first() -> None:
    config = RunConfig(encoder="small", height=50, width=60)
    assert choice_of(config, Size(240, 320)).size == Size(50, 60)


def test_known_encoders_are_frozen_unless_they_are_to_be_tuned() -> None:
    usual = Size(240, 320)
    frozen = choice_of(RunConfig(encoder="resnet18"), usual).encoder
    assert (frozen.frozen, frozen.origin) == (True, "imagenet")
    assert not choice_of(RunConfig(encoder="resnet18", fine_tune=True), usual).encoder.frozen
    small = choice_of(RunConfig(encoder="small"), usual).encoder
    assert (small.frozen, small.origin) == (False, "none")


class FrameNumbers(Classify):
    """A task whose truth at a frame is the number of the frame in its film."""

    def target(self, film: LabelledFilm, classes: Sequence[str], frames: NDArray[np.int64]) -> NDArray[np.int64]:
        return frames


def learner_of_numbers(folder: Path, *, frozen: bool) -> Learner:
    """Two films whose pictures are their frame numbers, in a learner that looks at about every second frame."""
    paths = [
        make_film(folder / "rise.mkv", frames=25, fps=25.0),
        make_film(folder / "fall.mkv", frames=9, fps=10.0),
    ]
    setting = setting_of([path.stem for path in paths], folder, flip=True)
    films = tuple(LabelledFilm(path, path.stem) for path in paths)
    scans = tuple(scan_film(path) for path in paths)
    dataset = replace(setting.dataset, films=films, scans=scans, classes=("fall", "rise"))
    setting = replace(setting, task=FrameNumbers(), dataset=dataset, sampling=Sampling(4, 0.16))
    encoder = EncoderConfig(name="resnet18" if frozen else "small", frozen=frozen, origin="none")
    learner = Learner(setting, Choice(encoder, Size(24, 32), "none"))
    list(learner.prepare((0, 1), to_train=True))
    return learner


def test_the_frame_of_each_step_reaches_the_truth_and_its_window(tmp_path: Path) -> None:
    clips = learner_of_numbers(tmp_path, frozen=False).clips((0, 1))
    for array, target in zip(clips.arrays, clips.targets, strict=True):
        assert [frame_number(pixels) for pixels in array[0]] == target.tolist()
    assert len(clips.targets[0]) == 13 and clips.targets[0].tolist() == list(range(0, 25, 2))
    [batch] = map(Drawn.read, ClipSampler(4, 2, seed=0).epoch(clips, 0))
    assert [frame_number(one.numpy()) for one in batch.inputs[batch.mask]] == batch.target[batch.mask].tolist()


def test_the_truth_is_the_same_for_features_and_for_frames(tmp_path: Path) -> None:
    trained = learner_of_numbers(tmp_path / "trained", frozen=False)
    frozen = learner_of_numbers(tmp_path / "frozen", frozen=True)
    of_frames = trained.clips((0, 1))
    for copies, clips in ((2, frozen.clips((0, 1))), (1, trained.feature_clips((0, 1)))):
        assert [target.tolist() for target in clips.targets] == [target.tolist() for target in of_frames.targets]
        assert [array.shape[:2] for array in clips.arrays] == [(copies, len(target)) for target in of_frames.targets]


def test_clips_of_an_unknown_class_do_not_weigh_classes(tmp_path: Path) -> None:
    setting = setting_of(["a", "b"], tmp_path)
    arrays = [np.zeros((1, 2, 3))] * 6
    weights = [
        loss_of(setting, Clips(arrays[: len(labels)], np.array(labels))).weights
        for labels in ([0, 0, 0, 0, 1], [0, 0, 0, 0, 1, -1])
    ]
    assert weights[0] is not None and weights[1] is not None and torch.equal(weights[0], weights[1])
