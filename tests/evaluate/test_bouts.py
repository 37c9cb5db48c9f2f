"""Bouts are compared by the rules of the papers, and films without bouts break nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vidrnn.evaluate.bouts import (
    ACTIVITYNET_IOUS,
    IOUS,
    BoutCounts,
    FilmBouts,
    TrackBout,
    average_precision_at_iou,
    bout_scores,
    bout_times,
    bouts_of,
    concordance,
    edit_score,
    matched,
)

Ints = NDArray[np.int64]


def track(letters: str) -> Ints:
    """One letter for each frame: a is class 0, b class 1, ..., and - is unknown."""
    return np.asarray([-1 if letter == "-" else ord(letter) - ord("a") for letter in letters], dtype=np.int64)


def bouts(letters: str, left_out: tuple[int, ...] = ()) -> tuple[TrackBout, ...]:
    return bouts_of(track(letters), left_out=left_out)


def counts(truth: str, answer: str, iou: float) -> BoutCounts:
    both = FilmBouts(bouts(truth), bouts(answer), np.arange(len(truth) + 1.0))
    return bout_scores([both], iou).counts


def levenshtein(one: str, other: str) -> int:
    """By the definition."""
    if not one or not other:
        return max(len(one), len(other))
    kept = levenshtein(one[1:], other[1:]) + (one[0] != other[0])
    return min(kept, levenshtein(one[1:], other) + 1, levenshtein(one, other[1:]) + 1)


def ms_tcn(truth: Ints, answer: Ints, iou: float) -> tuple[int, int, int]:
    """True positives, false positives and false negatives as the evaluation of MS-TCN counts them, frame by frame."""
    sets = [[set(range(bout.first, bout.end)) for bout in bouts_of(one)] for one in (truth, answer)]
    labels = [[bout.label for bout in bouts_of(one)] for one in (truth, answer)]
    taken, hits = set(), 0
    for frames, label in zip(sets[1], labels[1], strict=True):
        shares = [
            len(frames & other) / len(frames | other) if label == name else 0.0
            for other, name in zip(sets[0], labels[0], strict=True)
        ]
        best = max(range(len(shares)), key=lambda place: shares[place]) if shares else -1
        if best >= 0 and shares[best] >= iou and best not in taken:
            hits += 1
            taken.add(best)
    return hits, len(sets[1]) - hits, len(sets[0]) - hits


def random_track(rng: np.random.Generator, frames: int = 60) -> Ints:
    return np.repeat(rng.integers(0, 3, frames), rng.integers(1, 9, frames))[:frames].astype(np.int64)


def test_a_bout_is_a_run_of_frames_with_one_class() -> None:
    assert bouts("aabbbac") == (TrackBout(0, 0, 2), TrackBout(1, 2, 5), TrackBout(0, 5, 6), TrackBout(2, 6, 7))
    assert bouts("aabbba", left_out=(0,)) == (TrackBout(1, 2, 5),)
    assert bouts("") == bouts("--") == bouts("aa", left_out=(0,)) == ()


def test_a_bout_ends_at_unknown_frames() -> None:
    known = np.array([True, True, False, False, True])
    assert bouts_of(track("aaaaa"), known) == (TrackBout(0, 0, 2), TrackBout(0, 4, 5))
    assert bouts("aa--a") == (TrackBout(0, 0, 2), TrackBout(0, 4, 5))


@pytest.mark.parametrize(
    ("truth", "answer", "score"),
    [
        ("aabbcc", "abbbbc", 1.0),
        ("aabbcc", "aacccc", 2 / 3),
        ("aaaa", "abab", 1 / 4),
        ("ab", "cd", 0.0),
        ("", "", 1.0),
        ("aa", "", 0.0),
        ("", "ab", 0.0),
        ("a", "a", 1.0),
    ],
)
def test_edit_scores_worked_by_hand(truth: str, answer: str, score: float) -> None:
    assert edit_score(bouts(truth), bouts(answer)) == pytest.approx(score)


def test_edit_scores_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        one, other = ("".join(rng.choice(list("abc"), rng.integers(0, 6))) for _ in range(2))
        sides = [[TrackBout(ord(letter), 0, 1) for letter in each] for each in (one, other)]
        longer = max(len(one), len(other))
        assert edit_score(*sides) == pytest.approx(1 - levenshtein(one, other) / longer if longer else 1.0)


@pytest.mark.parametrize(
    ("truth", "answer", "iou", "expected"),
    [
        ("aaaabbbb", "aaaaabbb", 0.5, (2, 0, 0)),
        ("aaaabbbb", "bbbbaaaa", 0.1, (0, 2, 2)),
        ("aaaaaaaaaa", "aaaaabbbbb", 0.5, (1, 1, 0)),  # an overlap of exactly k is enough
        ("aaaaaaaaaa", "aaaabbbbbb", 0.5, (0, 2, 1)),
        ("aaaaaaaaaa", "aaaabbaaaa", 0.25, (1, 2, 0)),  # the second piece finds its bout taken
        ("", "", 0.5, (0, 0, 0)),
        ("", "aa", 0.5, (0, 1, 0)),
        ("aa", "", 0.5, (0, 0, 1)),
        ("a", "a", 0.5, (1, 0, 0)),
        ("--", "--", 0.1, (0, 0, 0)),
    ],
)
def test_matches_worked_by_hand(truth: str, answer: str, iou: float, expected: tuple[int, int, int]) -> None:
    both = FilmBouts(bouts(truth), bouts(answer), np.arange(11.0))
    assert bout_scores([both], iou).counts == BoutCounts(*expected)


def test_a_bout_whose_best_one_is_taken_does_not_get_the_next_best() -> None:
    truth = (TrackBout(0, 0, 10), TrackBout(0, 11, 13))
    answer = (TrackBout(0, 0, 5), TrackBout(0, 6, 13))
    assert matched(truth, answer, 0.1) == ((0, 0),)


def test_matches_are_those_of_the_rule_of_ms_tcn() -> None:
    rng = np.random.default_rng(1)
    for _ in range(40):
        truth, answer = random_track(rng), random_track(rng)
        both = FilmBouts(bouts_of(truth), bouts_of(answer), np.arange(61.0))
        for iou in IOUS:
            assert bout_scores([both], iou).counts == BoutCounts(*ms_tcn(truth, answer, iou))


def test_counts_are_pooled_over_films() -> None:
    films = [
        FilmBouts(bouts(one), bouts(other), np.arange(len(one) + 1.0))
        for one, other in (("aabb", "aabb"), ("ab", "ba"), ("aaaa", "----"))
    ]
    pooled = bout_scores(films, 0.5).counts
    assert pooled == BoutCounts(2, 2, 3)
    assert pooled.f1 == pytest.approx(4 / 9)
    assert (pooled.precision, pooled.recall) == (0.5, 0.4)


def test_nothing_to_find_and_nothing_found_is_right() -> None:
    assert BoutCounts().f1 == 1.0
    assert (BoutCounts().precision, BoutCounts().recall) == (None, None)
    assert BoutCounts(extra=1).f1 == BoutCounts(missed=1).f1 == 0.0


def test_errors_of_borders_are_in_seconds_of_the_film() -> None:
    borders = np.array([0.0, 0.1, 0.2, 1.0, 1.1, 3.0, 3.1])  # the third and the fifth frame stand longer
    scores = bout_scores([FilmBouts(bouts("caaacc"), bouts("ccaaac"), borders)], 0.25)
    assert scores.counts.found == 3
    film = FilmBouts((TrackBout(0, 1, 4),), (TrackBout(0, 2, 5),), borders)
    one = bout_scores([film], 0.25)
    assert one.start is not None and one.end is not None
    assert (one.start.median, one.end.median) == pytest.approx((0.1, 1.9))
    assert bout_scores([film], 0.9).start is None


def test_nine_in_ten_errors_are_at_most_the_high_one() -> None:
    films = [FilmBouts((TrackBout(0, 0, 100),), (TrackBout(0, late, 100),), np.arange(101.0)) for late in range(11)]
    start = bout_scores(films, 0.5).start
    assert start is not None
    assert (start.median, start.high) == (5.0, 9.0)


def test_times_of_bouts_go_by_the_clock_of_the_film() -> None:
    borders = np.array([2.0, 2.5, 3.0, 7.0, 7.5])
    times = bout_times((TrackBout(0, 1, 2), TrackBout(0, 2, 4)), borders)
    assert (times.count, times.seconds, times.mean_seconds, times.latency_seconds) == (2, 5.0, 2.5, 0.5)
    assert bout_times((), borders).latency_seconds is None


def test_concordance_is_that_of_lin() -> None:
    truth, answer = [1.0, 2.0, 3.0, 4.0], [1.5, 2.5, 3.5, 4.5]
    assert concordance(truth, truth) == pytest.approx(1.0)
    assert concordance(truth, answer) == pytest.approx(2 * 1.25 / (1.25 + 1.25 + 0.25))
    assert concordance(truth, [-one for one in answer]) == pytest.approx(-2 * 1.25 / (2.5 + 5.5**2))
    assert concordance([1.0, 2.0], [1.0, 2.0]) is None
    assert concordance([1.0] * 4, [1.0] * 4) is None


def detections(rows: list[dict[str, Any]], label: str) -> NDArray[np.float64]:
    some = [[*row["segment"], row["score"]] for row in rows if row["label"] == label]
    return np.asarray(some, dtype=np.float64).reshape(-1, 3)


def by_hand(truth: list[NDArray[np.float64]], answer: list[NDArray[np.float64]], iou: float) -> float:
    """Average precision, with plain lists: area under the best precision at each recall or a higher one."""
    rows = sorted(
        ((score, film, start, end) for film, each in enumerate(answer) for start, end, score in each.tolist()),
        reverse=True,
    )
    taken: set[tuple[int, int]] = set()
    points, hits = [], 0
    for rank, (_, film, start, end) in enumerate(rows, 1):
        best, chosen = iou, None
        for place, (first, last) in enumerate(truth[film].tolist()):
            common = max(0.0, min(end, last) - max(start, first))
            share = common / (end - start + last - first - common)
            if share >= best and (film, place) not in taken:
                best, chosen = share, (film, place)
        if chosen:
            taken.add(chosen)
            hits += 1
        points.append((hits / sum(map(len, truth)), hits / rank))
    area, before = 0.0, 0.0
    for recall, _ in points:
        area += (recall - before) * max((p for r, p in points if r >= recall), default=0.0)
        before = recall
    return area


@pytest.mark.footage
def test_map_at_temporal_iou_is_that_of_mmaction2(footage: Path) -> None:
    """The expected numbers are those of MMAction2's own test of these files."""
    files = footage / "lab" / "mmaction2"
    gold = json.loads((files / "gt.json").read_text())
    given = json.loads((files / "result.json").read_text())["results"]
    films = sorted(gold)
    rows = []
    for label in ("Wakeboarding", "Cleaning shoes"):
        spans = [[one["segment"] for one in gold[film]["annotations"] if one["label"] == label] for film in films]
        truth = [np.asarray(one, dtype=np.float64).reshape(-1, 2) for one in spans]
        answer = [detections(given[film.removeprefix("v_")], label) for film in films]
        rows.append(average_precision_at_iou(truth, answer, ACTIVITYNET_IOUS))
        assert rows[-1] == pytest.approx([by_hand(truth, answer, iou) for iou in ACTIVITYNET_IOUS])
    wanted = [0.71428571, 0.71428571, 0.71428571, 0.6875, 0.6875, 0.59722222, 0.52083333, 0.52083333, 0.52083333, 0.5]
    assert np.mean(rows, axis=0) == pytest.approx(wanted)
    assert np.mean(rows) == pytest.approx(0.6177579365079365)


def test_map_at_temporal_iou_is_that_of_plain_lists() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        truth, answer = [], []
        for _ in range(3):
            starts = rng.uniform(0, 50, (2, 5))
            truth.append(np.stack([starts[0], starts[0] + rng.uniform(1, 20, 5)], 1)[: rng.integers(0, 6)])
            ends = starts[1] + rng.uniform(1, 20, 5)
            answer.append(np.stack([starts[1], ends, rng.uniform(0, 1, 5)], 1)[: rng.integers(0, 6)])
        if sum(map(len, truth)):
            got = average_precision_at_iou(truth, answer, (0.1, 0.3, 0.5))
            assert got == pytest.approx([by_hand(truth, answer, iou) for iou in (0.1, 0.3, 0.5)])


def test_average_precision_needs_a_true_bout_and_no_answer() -> None:
    nothing = [np.empty((0, 2))]
    assert np.isnan(average_precision_at_iou(nothing, [np.array([[0.0, 1.0, 0.5]])], (0.5,))).all()
    assert average_precision_at_iou([np.array([[0.0, 1.0]])], [np.empty((0, 3))], (0.5,)) == pytest.approx([0.0])
