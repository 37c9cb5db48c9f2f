"""The report on anomalies: areas, intervals, and a verdict that follows from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from vidrnn.errors import DataError
from vidrnn.evaluate.anomaly_metrics import DetectionReport, Detector, detection_report
from vidrnn.evaluate.metrics import roc_auc
from vidrnn.timeline.anomaly import normalised_in_film

NAN = float("nan")


def street(films: int = 12, frames: int = 100, seed: int = 0) -> list[NDArray[np.bool_]]:
    """Labels: each film is normal but for a stretch."""
    rng = np.random.default_rng(seed)
    starts = rng.integers(10, 60, films)
    return [(np.arange(frames) >= start) & (np.arange(frames) < start + 30) for start in starts]


def method(name: str, truth: list[NDArray[np.bool_]], skill: float, seed: int = 1) -> Detector:
    """Scores that are `skill` higher at anomalies, with noise."""
    rng = np.random.default_rng(seed)
    return Detector(name, tuple(labels * skill + rng.normal(size=len(labels)) for labels in truth))


def report(skill: float, other: float = 1.0, **how: int) -> DetectionReport:
    truth = street(how.pop("films", 12))
    names = [f"{number}.mp4" for number in range(len(truth))]
    baselines = [method("frame difference", truth, other, 2), method("flow", truth, other / 3, 3)]
    return detection_report(names, truth, method("model", truth, skill), baselines, **how)


def test_areas_are_over_all_films_together_and_in_each_film() -> None:
    truth = street(3)
    truth[2][:] = False
    model = method("model", truth, 1.0)
    found = detection_report(["a", "b", "c"], truth, model, [method("other", truth, 0.0, 5)])
    assert found.model.auc == pytest.approx(roc_auc(np.concatenate(model.scores), np.concatenate(truth)))
    assert found.model.per_film[:2] == pytest.approx([roc_auc(model.scores[i], truth[i]) for i in range(2)])
    assert found.model.per_film[2] is None, "one kind of frame only"
    assert (found.frames, found.anomalies, found.left_out) == (300, 60, 0)


def test_the_interval_of_all_films_drawn_once_is_the_area_itself() -> None:
    from vidrnn.evaluate.anomaly_metrics import _areas, _units

    truth = street(5)
    truth[0][:] = True
    scores = [np.round(each, 1) for each in method("ties", truth, 0.7).scores]
    for labels, given in ((truth, scores), (truth[1:2], scores[1:2])):
        units = _units(labels)
        area = _areas(given, units, np.ones((1, units.count)))[0]
        assert area == pytest.approx(roc_auc(np.concatenate(given), np.concatenate(labels)), abs=1e-6)


def test_fewer_films_have_a_wider_interval() -> None:
    few, many = report(1.0, films=4), report(1.0, films=60)
    assert few.model.interval[0] < few.model.auc < few.model.interval[1]
    assert many.model.interval[1] - many.model.interval[0] < few.model.interval[1] - few.model.interval[0]


@pytest.mark.parametrize(
    ("skill", "other", "sentence"),
    [
        (3.0, 1.0, "This model is better than every baseline without learning: AUC 0.98"),
        (0.97, 1.0, "As far as these videos can tell, frame difference is as good as this model, without any learning"),
        (0.5, 1.0, "Frame difference is as good as this model, without any learning: AUC 0.7"),
        (-1.0, 3.0, "The model is of no use here."),
    ],
)
def test_the_verdict_is_what_the_numbers_say(skill: float, other: float, sentence: str) -> None:
    found = report(skill, other)
    assert sentence in found.sentences[2]
    assert found.ahead == pytest.approx(found.model.auc - found.baselines[0].auc)
    assert found.ahead_interval[0] < found.ahead < found.ahead_interval[1]
    assert [row.name for row in found.baselines] == ["frame difference", "flow"], "the best first"


def test_a_baseline_that_is_the_model_is_as_good() -> None:
    truth = street()
    same = method("model", truth, 2.0)
    found = detection_report([str(i) for i in range(12)], truth, same, [replace(same, name="twin")])
    assert found.sentences[2].startswith("Twin is as good as this model") and found.ahead_interval == (0, 0)


def test_frames_without_a_score_are_left_out_for_everyone() -> None:
    truth = street(4)
    model, other = method("model", truth, 1.0), method("other", truth, 1.0, 2)
    late = Detector("late", tuple(np.concatenate([np.full(7, NAN), scores[7:]]) for scores in other.scores))
    found = detection_report(list("abcd"), truth, model, [late])
    assert (found.frames, found.left_out) == (372, 28)
    cut = detection_report(
        list("abcd"),
        [labels[7:] for labels in truth],
        Detector("model", tuple(scores[7:] for scores in model.scores)),
        [Detector("late", tuple(scores[7:] for scores in late.scores))],
    )
    assert (found.model.auc, found.baselines[0].auc) == (cut.model.auc, cut.baselines[0].auc)
    assert "28 left out, with too few frames before them" in found.sentences[0]


def test_smoothing_is_reported_and_the_same_for_all() -> None:
    plain, smooth = report(0.7, 0.7), report(0.7, 0.7, smoothing_frames=9)
    assert plain.sentences[1] == "No score is smoothed."
    assert "of the model and of the baselines is the mean over 9 frames" in smooth.sentences[1]
    for before, after in zip((plain.model, *plain.baselines), (smooth.model, *smooth.baselines), strict=True):
        assert after.auc > before.auc, "noise is averaged out"


def test_the_papers_figure_comes_from_errors_where_there_are_some() -> None:
    truth = street(3)
    errors = tuple(np.exp(scores) for scores in method("model", truth, 1.0).scores)
    model = Detector("model", tuple(np.tanh(each) for each in errors), errors)
    found = detection_report(list("abc"), truth, model, [method("other", truth, 0.5, 4)])
    stretched = np.concatenate([normalised_in_film(each) for each in errors])
    assert found.model.auc_normalised == pytest.approx(roc_auc(stretched, np.concatenate(truth)))
    assert "they mean little" in found.sentences[3]


@pytest.mark.parametrize("build", [np.ones_like, np.zeros_like])
def test_frames_of_one_kind_cannot_be_told_apart(build: Callable[..., NDArray[np.bool_]]) -> None:
    truth = [build(labels) for labels in street(2)]
    with pytest.raises(DataError, match="AUC needs normal frames and anomalies"):
        detection_report(["a", "b"], truth, method("m", truth, 1), [method("b", truth, 1)])


def test_a_single_film_has_an_interval() -> None:
    truth = [np.arange(400) % 100 < 30]
    found = detection_report(["a"], truth, method("m", truth, 1.0), [method("b", truth, 0.2, 2)])
    assert found.model.interval[0] < found.model.auc < found.model.interval[1]


def test_scores_and_films_that_do_not_fit_are_refused() -> None:
    truth = street(2)
    model = method("model", truth, 1)
    with pytest.raises(ValueError, match="one baseline or more"):
        detection_report(["a", "b"], truth, model, [])
    with pytest.raises(ValueError, match=r"short has scores of \[99, 99\] frames, the truth of \[100, 100\]"):
        detection_report(["a", "b"], truth, model, [Detector("short", tuple(scores[1:] for scores in model.scores))])


def test_numbers_are_plain_json_and_the_same_every_time() -> None:
    found = report(1.5)
    given = json.loads(json.dumps(found.numbers, allow_nan=False))
    assert given["auc"] == found.model.auc and given["per_film"]["0.mp4"] == found.model.per_film[0]
    assert [row["name"] for row in given["anomaly_baselines"]] == ["frame difference", "flow"]
    assert {"eer", "auc_normalised", "ahead_interval", "smoothing_frames", "sentences"} <= given.keys()
    assert report(1.5) == found
