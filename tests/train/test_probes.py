"""Linear probes: they are scikit-learn's models, and a clip is answered by models that did not learn from its group."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from typing_extensions import override

from vidrnn.events import RunEvent
from vidrnn.timeline.segments import softmax
from vidrnn.train.search import probes
from vidrnn.train.search.evidence import Evidence, PictureEvidence
from vidrnn.values import Floats, Pixels


def clouds(classes: int, each: int = 30, width: int = 200) -> tuple[Floats, probes.Labels]:
    rng = np.random.default_rng(0)
    middles = rng.normal(0, 0.3, (classes, width))
    labels = np.repeat(np.arange(classes), each)
    return middles[labels] + rng.normal(0, 1, (len(labels), width)), labels


def folds_of(clips: int, count: int = 3) -> probes.Folds:
    return [np.arange(clips) % count == fold for fold in range(count)]


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_regression_in_the_span_of_the_clips_is_that_of_scikit_learn(classes: int) -> None:
    vectors, labels = clouds(classes)
    (ours,) = probes.fit_logistic(vectors, labels, classes, [0.01])
    theirs = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000, tol=1e-8)).fit(vectors, labels)
    np.testing.assert_allclose(softmax(ours(vectors), 1.0), theirs.predict_proba(vectors), atol=2e-3)


def test_the_fit_of_very_many_clips_is_that_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, labels = clouds(3, each=100, width=40)
    (few,) = probes.fit_logistic(vectors, labels, 3, [0.01])
    monkeypatch.setattr(probes, "_MANY_CLIPS", 0)
    (many,) = probes.fit_logistic(vectors, labels, 3, [0.01])
    np.testing.assert_allclose(many(vectors), few(vectors), atol=1e-3)


def test_the_rounding_of_another_runtime_does_not_show_where_all_clips_look_alike() -> None:
    rng = np.random.default_rng(0)
    same, labels = rng.uniform(0.2, 1.0, 300), np.repeat([0, 1], 10)
    vectors = same + 1e-4 * rng.normal(size=(20, 300)) + 2e-3 * labels[:, None] * (np.arange(300) < 5)
    (answer,) = probes.fit_logistic(vectors, labels, 2, [probes.STRENGTHS[-1]])
    assert (answer(vectors).argmax(1) == labels).all()
    rounded = vectors * (1 + 1e-6 * rng.choice([-1, 1], vectors.shape))
    assert np.abs(answer(rounded) - answer(vectors)).max() < 5e-5


def test_vectors_count_by_their_counts() -> None:
    vectors, labels = clouds(2)
    twice = np.concatenate([vectors, vectors])
    (once,) = probes.fit_logistic(vectors, labels, 2, [0.01])
    (half,) = probes.fit_logistic(twice, np.concatenate([labels, labels]), 2, [0.01], np.full(len(twice), 0.5))
    np.testing.assert_allclose(once(vectors), half(vectors), atol=1e-3)


@pytest.mark.parametrize("fit", [probes.fit_logistic, probes.fit_discriminants])
def test_a_class_without_a_clip_to_learn_from_is_never_the_answer(fit: probes.Fit) -> None:
    vectors, labels = clouds(3)
    labels = np.where(labels == 1, 2, labels)
    (answer,) = fit(vectors, labels, 4, [5])
    assert answer(vectors).shape == (len(vectors), 4)
    assert set(answer(vectors).argmax(1)) == {0, 2}


def test_a_clip_is_answered_by_models_that_did_not_learn_from_it() -> None:
    rng = np.random.default_rng(1)
    vectors, labels = rng.normal(0, 1, (60, 400)), rng.integers(0, 2, 60)
    probe = probes.judge(probes.fit_logistic, vectors, labels, 2, [folds_of(60)], [1.0])
    (whole,) = probes.fit_logistic(vectors, labels, 2, [1.0])
    assert (whole(vectors).argmax(1) == labels).all(), "so many numbers tell any clip by heart"
    assert probe.accuracy < 0.75
    assert probe.accuracy_on(vectors, labels) == probe.accuracy


def moving_blobs(directions: dict[int, tuple[int, int]], each: int = 24) -> tuple[list[Pixels], probes.Labels]:
    """Clips (steps, 28, 32, 3) of a blob that moves; the direction (down, across) tells the class."""
    rng = np.random.default_rng(2)
    clips, labels = [], []
    for label, (down, across) in directions.items():
        for _ in range(each):
            clip = np.full((16, 28, 32, 3), 40, dtype=np.uint8)
            top, left = rng.integers(10, 16), rng.integers(12, 18)
            for step in range(16):
                row, column = top + down * (step - 8) // 2, left + across * (step - 8) // 2
                clip[step, row : row + 3, column : column + 3] = 220
            clips.append(clip)
            labels.append(label)
    return clips, np.asarray(labels)


def evidence_of(clips: list[Pixels], labels: probes.Labels) -> PictureEvidence:
    return PictureEvidence(clips, labels, 2, [folds_of(len(labels))])


def mirrored(evidence: PictureEvidence) -> bool:
    steps = evidence.mirrors_tell()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return bool(end.value.mirror)


def test_clips_that_differ_by_their_direction_across_are_not_mirrored() -> None:
    assert not mirrored(evidence_of(*moving_blobs({0: (0, 1), 1: (0, -1)})))


def test_clips_that_differ_by_their_direction_down_are_mirrored() -> None:
    assert mirrored(evidence_of(*moving_blobs({0: (1, 0), 1: (-1, 0)})))


def test_clips_that_nothing_tells_apart_are_not_mirrored() -> None:
    clips, labels = moving_blobs({0: (1, 0), 1: (1, 0)})
    assert not mirrored(evidence_of(clips, labels))


def test_colour_is_kept_where_it_tells_the_class_and_else_left_out() -> None:
    clips, labels = moving_blobs({0: (1, 0), 1: (1, 0)})
    assert evidence_of(clips, labels).grey
    tinted = [clip.copy() for clip in clips]
    for clip, label in zip(tinted, labels, strict=True):
        clip[..., 0 if label else 2] //= 2
        clip[..., 2 if label else 0] += 10
    assert not evidence_of(tinted, labels).grey


class Told(Evidence):
    """Evidence whose accuracies are given."""

    labels = np.arange(100) % 2

    def __init__(self, whole: float, half: float) -> None:
        self._whole, self._half = whole, half

    @property
    @override
    def probe(self) -> probes.Probe:
        return probes.Probe(1.0, np.arange(100)[None] < 100 * self._whole, [], [])

    @override
    def of_halves(self) -> float:
        return self._half

    @override
    def of_mirrors(self) -> Generator[RunEvent, None, tuple[float, float]]:
        yield from ()
        return self._half, self._whole


@pytest.mark.parametrize(("whole", "half", "enough"), [(0.9, 0.85, True), (0.9, 0.7, False), (0.55, 0.55, False)])
def test_half_a_clip_is_enough_where_it_is_answered_as_the_whole(whole: float, half: float, enough: bool) -> None:
    assert Told(whole, half).halves_tell() is enough


def test_with_too_few_clips_a_linear_model_answers_with_the_commonest_class() -> None:
    vectors, labels = np.eye(3), np.array([0, 1, 2])
    for fit in (probes.fit_logistic, probes.fit_discriminants):
        (answer,) = fit(vectors, np.array([1, 1, 1]), 3, [1])
        assert (answer(vectors).argmax(1) == 1).all()
        assert fit(vectors, labels, 3, [1])[0](vectors).shape == (3, 3)
