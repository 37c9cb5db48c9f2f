"""What an epoch of labels at each frame shows, and which films decide the settings."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from vidrnn.data.dataset import Dataset
from vidrnn.data.grouping.base import Grouping
from vidrnn.train.lessons.labels import one_validation, several_validation, trained_bouts
from vidrnn.values import Annotation, Bout, FilmFacts, FilmScan, LabelledFilm, Part, Size


def test_an_epoch_of_classes_that_exclude_each_other_shows_accuracy_and_macro_f1() -> None:
    scores = np.random.default_rng(0).normal(size=(30, 3))
    truth = np.append(np.arange(29) % 3, -1)
    validation = one_validation(scores, truth)
    answers = scores[:29].argmax(1)
    assert validation.shown == {
        "accuracy": pytest.approx((answers == truth[:29]).mean()),
        "F1": pytest.approx(f1_score(truth[:29], answers, average="macro")),
    }
    assert validation.score == pytest.approx(sum(validation.shown.values()) / 2)


def test_an_epoch_of_several_behaviours_shows_the_mean_average_precision() -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.normal(size=(30, 2)), rng.integers(0, 2, (30, 2)).astype(float)
    truth[:5, 0] = np.nan
    validation = several_validation(scores, truth)
    each = [average_precision_score(truth[5:, 0], scores[5:, 0]), average_precision_score(truth[:, 1], scores[:, 1])]
    assert validation.shown == {"mAP": pytest.approx(np.mean(each))} and validation.score == validation.shown["mAP"]


def test_the_bouts_of_test_videos_decide_nothing() -> None:
    facts = FilmFacts(Path("a.avi"), Size(24, 32), "", 100, 0.0, 9.9, 10.0, 0, 100, 10.0)
    scan = FilmScan(facts, "a", np.zeros((1, 12, 16), np.uint8), np.arange(100) / 10)
    films = tuple(
        LabelledFilm(Path(name), annotation=Annotation((Bout(0.0, end, "dig"),), None, "frames"))
        for name, end in (("train.avi", 40.0), ("test.avi", 2.0))
    )
    dataset = Dataset(films, (scan, scan), Grouping(("1", "2"), "test"), ("dig",), ())
    setting = SimpleNamespace(dataset=dataset, places={Part.TRAIN: (0,), Part.TEST: (1,)}.__getitem__)
    assert trained_bouts(setting).tolist() == [4.0]  # type: ignore[arg-type]
