"""Scores of steps become answers: at the times of prediction, and by the rule that fits validation best."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from conftest import make_film, make_uneven
from numpy.typing import NDArray

from vidrnn.train.learner import Setting
from vidrnn.train.moments import Moments, RuleSearch, Scored, probabilities_of, step_seconds
from vidrnn.values import Annotation, AnswerSpec, Bout, DecisionRule, FilmFacts, FilmScan, Floats, LabelledFilm, Size
from vidrnn.video.reader import open_film

CLASSES = ("dig", "rear", "rest")
SPACING = 0.1
Truth = NDArray[Any]


def scan_of(frames: int, fps: float = 10.0) -> FilmScan:
    times = np.arange(frames) / fps
    facts = FilmFacts(Path("a"), Size(24, 32), "x", frames, 0.0, float(times[-1]), frames / fps, 0, frames, fps)
    return FilmScan(facts, "", np.zeros((1, 12, 16), np.uint8), times)


def annotated(truth: Truth, classes: tuple[str, ...] = CLASSES) -> LabelledFilm:
    """A film whose frames have these classes, or numbers of each class."""
    tracks = truth if truth.ndim == 2 else (truth[:, None] == np.arange(len(classes))).astype(float)
    bouts = [
        Bout(float(at), float(at + 1), name)
        for place, name in enumerate(classes)
        for at in np.flatnonzero(tracks[:, place] == 1)
    ]
    known = np.isfinite(tracks).all(1) if truth.ndim == 2 else truth >= 0
    spans = tuple((float(at), float(at + 1)) for at in np.flatnonzero(known))
    in_order = tuple(sorted(bouts, key=lambda one: one.start))
    return LabelledFilm(Path("a"), annotation=Annotation(in_order, spans, "frames"))


def moments_of(*truths: Truth, kind: str = "one", background: str | None = "rest") -> Moments:
    """Moments of films of ten frames a second, each of which is a step."""
    dataset = SimpleNamespace(scans=[scan_of(len(one)) for one in truths], films=[annotated(one) for one in truths])
    answer = AnswerSpec("label", cast(Any, kind), "frame", CLASSES, background)
    sampling = SimpleNamespace(spacing_seconds=SPACING)
    return Moments(cast(Setting, SimpleNamespace(dataset=dataset, answer=answer, sampling=sampling)))


def search(
    scores: list[Floats],
    truths: list[Truth],
    *,
    kind: str = "one",
    shortest: tuple[float, float, float] = (0.4, 0.4, 0.4),
    **first: Any,
) -> RuleSearch:
    return RuleSearch(
        moments=moments_of(*truths, kind=kind, background="rest" if kind == "one" else None),
        films=[Scored(place, one) for place, one in enumerate(scores)],
        targets=truths,
        first=DecisionRule(**{"reset": "window", "direction": "causal", **first}),
        shortest_bouts=np.asarray(shortest),
    )


def sure_of(truth: Truth, by: float = 6.0) -> Floats:
    """Scores that agree with classes; those of steps that are not known say nothing."""
    scores: Floats = by * (truth[:, None] == np.arange(3)).astype(np.float64)
    return scores


RUNS = np.repeat([0, 2, 1, 2, 0, 1], [9, 12, 7, 5, 11, 16])
"""The classes of a film: bouts of dig, rest and rear."""


class TestTimes:
    @pytest.mark.parametrize("spacing", [0.02, 0.04, 0.07, 0.1, 0.25, 3.0])
    @pytest.mark.parametrize(
        "durations",
        [[40] * 20, [100, 30, 30, 500, 20, 20, 20, 900, 40], [100, 100, 12_000, 100, 100, 11_000, 40, 40]],
        ids=["steady", "uneven", "gaps of over 10 s"],
    )
    def test_the_steps_of_a_film_have_the_times_that_reading_gives(
        self, tmp_path: Path, durations: list[int], spacing: float
    ) -> None:
        film = make_uneven(tmp_path / "film.webp", durations)
        with open_film(film) as read:
            times = np.asarray([frame.seconds for frame in read.frames()])
        with open_film(film) as read:
            expected = [frame.seconds for frame in read.sampled(spacing)]
        np.testing.assert_allclose(step_seconds(times, spacing), expected, atol=1e-9)
        assert len(expected) == 1 or spacing < 3.0 or max(durations) > 10_000

    def test_a_film_that_begins_late_has_steps_from_its_first_frame_on(self) -> None:
        assert step_seconds(np.asarray([5.0, 5.1, 5.2]), 0.2).tolist() == pytest.approx([5.0, 5.2])

    def test_so_does_a_film_file(self, tmp_path: Path) -> None:
        film = make_film(tmp_path / "film.mp4", frames=40, fps=29.97)
        with open_film(film) as read:
            times = np.asarray([frame.seconds for frame in read.frames()])
        with open_film(film) as read:
            expected = [frame.seconds for frame in read.sampled(1 / 15)]
        np.testing.assert_allclose(step_seconds(times, 1 / 15), expected, atol=1e-9)


class TestTracks:
    def test_sure_scores_give_back_the_truth(self) -> None:
        [track] = moments_of(RUNS).tracks([Scored(0, sure_of(RUNS))], DecisionRule(direction="both"))
        np.testing.assert_array_equal(track.answer, RUNS)
        np.testing.assert_array_equal(track.truth, RUNS)
        assert track.probabilities.sum(1) == pytest.approx(np.ones(60))

    def test_each_film_takes_its_own_times_and_labels(self) -> None:
        others = RUNS[:40]
        tracks = moments_of(RUNS, others).tracks(
            [Scored(1, sure_of(others)), Scored(0, sure_of(RUNS))], DecisionRule(direction="both")
        )
        assert [len(track.truth) for track in tracks] == [40, 60]

    def test_probabilities_follow_the_kind_and_the_temperature(self) -> None:
        scores, rule = np.asarray([[2.0, 0.0, -2.0]]), DecisionRule(temperature=2.0)
        one, several = (AnswerSpec("label", cast(Any, kind), "frame", CLASSES, None) for kind in ("one", "several"))
        assert probabilities_of(scores, one, rule)[0] == pytest.approx(np.exp([1, 0, -1]) / np.exp([1, 0, -1]).sum())
        assert probabilities_of(scores, several, rule)[0] == pytest.approx(1 / (1 + np.exp([-1, 0, 1])))


class TestSearch:
    def test_the_simplest_rule_is_taken_where_all_are_equal(self) -> None:
        rule = search([sure_of(RUNS)], [RUNS]).best()
        assert rule.hysteresis == 0.0 and set(cast(dict[str, float], rule.shortest_seconds).values()) == {0.0}

    @pytest.mark.parametrize(("reset", "direction"), [("never", "causal"), ("window", "both")])
    def test_reset_and_direction_stay(self, reset: str, direction: str) -> None:
        rule = search([sure_of(RUNS)], [RUNS], reset=reset, direction=direction).best()
        assert (rule.reset, rule.direction) == (reset, direction)

    def test_answers_that_flicker_are_steadied(self) -> None:
        scores = sure_of(RUNS, 2.0)
        flicker = np.arange(3, 60, 7)
        scores[flicker] = sure_of((RUNS[flicker] + 1) % 3, 2.0)
        rule = search([scores], [RUNS], shortest=(0.5, 0.5, 0.5)).best()
        tracks = moments_of(RUNS)
        [before] = tracks.tracks([Scored(0, scores)], replace(rule, hysteresis=0.0, shortest_seconds=0.0))
        [after] = tracks.tracks([Scored(0, scores)], rule)
        assert rule.hysteresis or any(cast(dict[str, float], rule.shortest_seconds).values())
        assert (np.diff(after.answer) != 0).sum() < (np.diff(before.answer) != 0).sum()
        assert (after.answer == RUNS).mean() > (before.answer == RUNS).mean()

    def test_scores_that_jump_from_step_to_step_are_smoothed_where_the_model_reads_both_ways(self) -> None:
        truth = np.repeat([0, 1, 2, 0], 20)
        rng = np.random.default_rng(0)
        noisy = 2.0 * np.eye(3)[truth] + 1.5 * rng.normal(size=(len(truth), 3))
        both = search([noisy], [truth], shortest=(2.0, 2.0, 2.0), direction="both").best()
        causal = search([noisy], [truth], shortest=(2.0, 2.0, 2.0), direction="causal").best()
        assert both.smoothing_seconds > 0 == causal.smoothing_seconds

    @pytest.mark.parametrize("shortest", [1 / 24, 0.0416, 0.5, 1 / 3, 0.0004])
    def test_the_shortest_segment_is_never_longer_than_a_short_bout(self, shortest: float) -> None:
        scores = sure_of(RUNS, 2.0)
        scores[3::7] = sure_of((RUNS[3::7] + 1) % 3, 2.0)
        one = search([scores], [RUNS], shortest=(shortest, 2 * shortest, float("nan")))
        for share in (0.0, 0.25, 0.5, 1.0):
            lengths = one._shortest(share)
            assert 0 <= lengths["dig"] <= share * shortest + 1e-9 and lengths["rear"] <= 2 * share * shortest + 1e-9
            assert lengths["rest"] == 0.0 and lengths["dig"] >= share * shortest - 0.001
        best = cast(dict[str, float], one.best().shortest_seconds)
        assert best["dig"] <= shortest and best["rear"] <= 2 * shortest

    def test_scores_that_are_too_sure_get_a_high_temperature(self) -> None:
        rng = np.random.default_rng(0)
        wrong = np.where(rng.random(60) < 0.4, rng.integers(0, 3, 60), RUNS)
        over, right = (search([sure_of(answer, 9.0)], [RUNS]).best().temperature for answer in (wrong, RUNS))
        assert over == pytest.approx(5.0, abs=2.5) and cast(float, right) < cast(float, over)

    def test_steps_that_are_not_known_decide_nothing(self) -> None:
        truth, rng = RUNS.copy(), np.random.default_rng(0)
        truth[20:40] = -1
        one, other = sure_of(RUNS, 2.0), sure_of(RUNS, 2.0)
        other[22:38] = sure_of(rng.integers(0, 3, 16), 9.0)
        assert search([one], [truth]).best().temperature == search([other], [truth]).best().temperature


def several_truth(seed: int = 0, frames: int = 300) -> Truth:
    rng = np.random.default_rng(seed)
    return np.repeat(rng.random((frames // 10, 3)) < (0.5, 0.2, 0.05), 10, axis=0).astype(np.float64)


def f1_at(shares: Floats, shown: NDArray[np.bool_], threshold: float) -> float:
    said = shares >= threshold
    return float(2 * (said & shown).sum() / max(said.sum() + shown.sum(), 1))


class TestThresholds:
    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("shift", [-2.0, 0.0, 1.5])
    def test_each_behaviour_has_the_threshold_with_the_best_f1(self, seed: int, shift: float) -> None:
        truth, rng = several_truth(seed), np.random.default_rng(seed)
        truth[0:10] = 1.0
        scores = shift + 3 * truth - 1.5 + rng.normal(size=truth.shape)
        rule = search([scores[:100], scores[100:]], [truth[:100], truth[100:]], kind="several").best()
        thresholds, shares = cast(dict[str, float], rule.threshold), 1 / (1 + np.exp(-scores))
        assert rule.temperature == 1.0
        for place, name in enumerate(CLASSES):
            shown = truth[:, place] == 1
            possible = max(f1_at(shares[:, place], shown, at) for at in np.linspace(0.02, 0.98, 400))
            assert f1_at(shares[:, place], shown, thresholds[name]) >= possible - 0.01

    def test_it_lies_in_the_middle_between_the_probabilities_of_both(self) -> None:
        truth = several_truth()
        scores = np.where(truth == 1, 1.0, -3.0)
        truth[:, 2], scores[:, 2] = 0.0, -3.0
        rule = search([scores], [truth], kind="several").best()
        thresholds = cast(dict[str, float], rule.threshold)
        low, high = 1 / (1 + np.exp(3.0)), 1 / (1 + np.exp(-1.0))
        assert low + 0.1 < thresholds["dig"] < high - 0.1
        assert thresholds["rest"] == 0.5, "a behaviour that validation never shows keeps one half"

    def test_unknown_truth_decides_nothing(self) -> None:
        truth = several_truth()
        truth[:10] = 1.0
        rng = np.random.default_rng(3)
        scores = 2 * truth - 1 + rng.normal(size=truth.shape)
        part = truth.copy()
        part[100:200] = np.nan
        other = scores.copy()
        other[100:200] = 30.0
        one, same = (search([each], [part], kind="several").best().threshold for each in (scores, other))
        assert one == same
