"""Scores of labels at each frame agree with scikit-learn, and unknown truth counts nowhere."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, cohen_kappa_score, f1_score

from vidrnn.evaluate.bouts import ACTIVITYNET_IOUS, TrackBout, bouts_of, edit_score
from vidrnn.evaluate.label_scores import BehaviourScores, LabelScores, label_scores
from vidrnn.evaluate.label_tables import label_report
from vidrnn.evaluate.metrics import grouped_interval95
from vidrnn.evaluate.tracks import FilmTracks
from vidrnn.tables import as_markdown

CLASSES = ("dig", "rear", "rest")
Ints = NDArray[np.int64]


def of_letters(letters: str) -> Ints:
    """One letter for each frame: d dig, r rear, . rest, - unknown."""
    return np.asarray(["dr.".find(letter) for letter in letters], dtype=np.int64)


def certain(answer: Ints) -> NDArray[np.float64]:
    """Probabilities that agree with the answer."""
    shares: NDArray[np.float64] = np.where(answer[:, None] == np.arange(3), 0.8, 0.1)
    return shares


def film(truth: str, answer: str, *others: str, fps: float = 10.0) -> FilmTracks:
    wanted, given = of_letters(truth), of_letters(answer)
    return FilmTracks(
        wanted, given, certain(given), np.arange(len(wanted)) / fps, len(wanted) / fps, tuple(map(of_letters, others))
    )


def one_of(*films: FilmTracks, background: str | None = "rest") -> LabelScores:
    return label_scores(films, CLASSES, background, several=False)


def by_name(scores: LabelScores) -> dict[str, BehaviourScores]:
    return {one.label: one for one in scores.per_class}


def as_json(scores: LabelScores, **more: Any) -> dict[str, Any]:
    report = label_report(scores, scores.interval(["a"] * len(scores.films)), task="label", **more)
    numbers: dict[str, Any] = json.loads(json.dumps(report.numbers, allow_nan=False))
    return numbers


def random_films(seed: int, number: int = 4, *, unknown: bool = True) -> list[FilmTracks]:
    """Films of runs; the answer is the truth with errors."""
    rng = np.random.default_rng(seed)
    films = []
    for _ in range(number):
        frames = int(rng.integers(80, 120))
        truth = np.repeat(rng.integers(-1 if unknown else 0, 3, frames), rng.integers(2, 12, frames))[:frames]
        answer = np.where(rng.random(frames) < 0.25, rng.integers(-1, 3, frames), np.maximum(truth, 0))
        seconds = np.cumsum(rng.uniform(0.02, 0.1, frames))
        films.append(FilmTracks(truth, answer, rng.dirichlet(np.ones(3), frames), seconds, float(seconds[-1] + 0.1)))
    return films


def several_of(films: list[FilmTracks], seed: int = 0) -> list[FilmTracks]:
    """The same lengths with three behaviours at once, some of whose truth is unknown."""
    rng = np.random.default_rng(seed)
    made = []
    for one in films:
        shape = one.probabilities.shape
        truth = np.repeat(rng.integers(0, 2, shape), 5, axis=0)[: shape[0]].astype(np.float64)
        truth[np.repeat(rng.random(shape) < 0.1, 5, axis=0)[: shape[0]]] = np.nan
        answer = np.where(rng.random(shape) < 0.2, rng.random(shape) < 0.5, np.nan_to_num(truth) == 1)
        made.append(FilmTracks(truth, answer, rng.random(shape), one.seconds, one.end_seconds))
    return made


def stretched(one: FilmTracks, place: int, frames: int, answer: Any, truth: Any = -1) -> FilmTracks:
    """The film with further frames before a place, whose truth is unknown, and which last no time of their own."""
    where = [place] * frames
    shares = np.random.default_rng(0).random((frames, one.probabilities.shape[1]))
    return FilmTracks(
        np.insert(one.truth, where, truth, axis=0),
        np.insert(one.answer, where, answer, axis=0),
        np.insert(one.probabilities, where, shares, axis=0),
        np.insert(one.seconds, where, one.seconds[place]),
        one.end_seconds,
    )


@pytest.mark.parametrize("seed", range(3))
def test_scores_of_frames_are_those_of_scikit_learn(seed: int) -> None:
    films = random_films(seed)
    scores = one_of(*films)
    truth, answer = (np.concatenate([getattr(each, name) for each in films]) for name in ("truth", "answer"))
    shares = np.concatenate([each.probabilities for each in films])[truth >= 0]
    truth, answer = truth[truth >= 0], answer[truth >= 0]
    assert scores.frames == len(truth)
    assert scores.frame_accuracy == pytest.approx((truth == answer).mean())
    assert scores.majority == pytest.approx(np.bincount(truth).max() / len(truth))
    assert scores.kappa == pytest.approx(cohen_kappa_score(truth, answer))
    f1 = f1_score(truth, answer, labels=[0, 1], average=None)
    assert [one.f1 for one in scores.per_class] == pytest.approx(f1)
    assert scores.macro_f1 == pytest.approx(f1.mean())
    for place, one in enumerate(scores.per_class):
        assert one.average_precision == pytest.approx(average_precision_score(truth == place, shares[:, place]))
        assert one.kappa == pytest.approx(cohen_kappa_score(truth == place, answer == place))


def test_scores_of_several_behaviours_are_means_of_scikit_learn_s() -> None:
    films = several_of(random_films(5))
    scores = label_scores(films, CLASSES, None, several=True)
    f1, kappa = [], []
    for place, one in enumerate(scores.per_class):
        truth = np.concatenate([each.truth[:, place] for each in films])
        answer, shares = (
            np.concatenate([getattr(each, name)[:, place] for each in films])[~np.isnan(truth)]
            for name in ("answer", "probabilities")
        )
        truth = truth[~np.isnan(truth)]
        f1.append(f1_score(truth, answer))
        kappa.append(cohen_kappa_score(truth, answer))
        assert one.support == truth.sum()
        assert one.average_precision == pytest.approx(average_precision_score(truth, shares))
    assert scores.macro_f1 == pytest.approx(np.mean(f1))
    assert scores.kappa == pytest.approx(np.mean(kappa))
    assert scores.frame_accuracy is None and as_json(scores)["frame_accuracy"] is None


def test_the_background_counts_in_frame_accuracy_and_in_no_bout() -> None:
    scores = one_of(film("..dd..rr..", "..dd..rrr."))
    assert scores.frame_accuracy == 0.9
    assert list(by_name(scores)) == ["dig", "rear"]
    assert scores.edit == 1.0 and scores.f1_at == (1.0, 1.0, 1.0)
    scored = one_of(film("..dd..rr..", "..dd..rrr."), background=None)
    assert list(by_name(scored)) == ["dig", "rear", "rest"]
    assert one_of(film("ddd...", "dd.d..")).edit == 0.5
    assert one_of(film("ddd...", "dd.d.."), background=None).edit == 0.5


def test_unknown_of_the_model_is_wrong_and_no_bout() -> None:
    scores = one_of(film("dddd....", "dd------"))
    assert scores.frame_accuracy == 0.25
    assert by_name(scores)["dig"].recall == 0.5
    assert scores.edit == 1.0


def test_edit_is_a_mean_over_films_and_f1_is_pooled() -> None:
    scores = one_of(film("ddrr", "ddrr"), film("ddrrddrr", "dddddddd"), film("....", "...."))
    assert scores.edit == pytest.approx((1 + 1 / 4 + 1) / 3)
    assert scores.f1_at[0] == pytest.approx(2 * 3 / (2 * 3 + 0 + 3))


def test_several_behaviours_are_means_over_those_that_occur() -> None:
    truth = np.array([[1, 0, 0]] * 4 + [[0, 0, 0]] * 4, dtype=np.float64)
    answer = np.array([[1, 0, 0]] * 2 + [[0, 0, 0]] + [[1, 1, 0]] + [[0, 0, 0]] * 4, dtype=np.bool_)
    given = FilmTracks(truth, answer, answer.astype(np.float64), np.arange(8) / 4, 2.0)
    scores = label_scores([given], CLASSES, None, several=True)
    assert scores.macro_f1 == pytest.approx(6 / 7)  # rear is not in the truth
    assert scores.edit == pytest.approx((1 / 2 + 0) / 2)  # rest is nowhere
    assert scores.f1_at == pytest.approx(((2 / 3 + 0) / 2,) * 3)
    assert by_name(scores)["rest"].f1 is None


@pytest.mark.parametrize("place", [0, 3, 17, 60])
def test_unknown_truth_changes_nothing(place: int) -> None:
    films = random_films(7, unknown=False)
    border = int(np.flatnonzero(np.diff(films[1].truth) * np.diff(films[1].answer))[place // 8] + 1) if place else 0
    changed = [films[0], stretched(films[1], border, 9, np.array([0, 1, 2, -1, 0, 0, 1, 2, 1])), *films[2:]]
    one, other = as_json(one_of(*films)), as_json(one_of(*changed))
    assert one == other


def test_unknown_truth_changes_nothing_where_several_hold() -> None:
    films = several_of(random_films(8))
    more = np.random.default_rng(1).random((6, 3)) < 0.5
    changed = [stretched(films[0], 0, 6, more, np.full(3, np.nan)), *films[1:]]
    both = [as_json(label_scores(each, CLASSES, None, several=True)) for each in (films, changed)]
    assert both[0] == both[1]


def test_bouts_end_where_the_truth_is_unknown_in_truth_and_answer_alike() -> None:
    scores = one_of(film("ddd--ddd", "dddddddd"))
    assert by_name(scores)["dig"].totals("count") == (2, 2)
    assert by_name(scores)["dig"].totals("seconds") == pytest.approx((0.6, 0.6))
    assert scores.edit == 1.0 and scores.f1_at == (1.0,) * 3


def test_a_film_of_another_frame_rate_weighs_its_frames_and_keeps_its_seconds() -> None:
    slow, fast = film("..dd..", "..d...", fps=5.0), film("....dddd....", "....dd......", fps=10.0)
    for one in (slow, fast):
        dig = by_name(one_of(one))["dig"]
        assert dig.totals("seconds") == pytest.approx((0.4, 0.2))
        assert dig.medians("latency_seconds") == pytest.approx((0.4, 0.4))
        assert dig.bouts[0].end is not None and dig.bouts[0].end.median == pytest.approx(0.2)
    assert one_of(slow, fast).frame_accuracy == pytest.approx(15 / 18)


def test_seconds_of_films_with_uneven_clocks() -> None:
    seconds = np.array([0.0, 0.1, 0.2, 2.2, 2.3])
    wanted, given = (
        of_letters(
            ".dd..",
        ),
        of_letters("..dd."),
    )
    dig = by_name(one_of(FilmTracks(wanted, given, certain(given), seconds, 2.4)))["dig"]
    assert dig.totals("seconds") == pytest.approx((2.1, 2.1))
    assert dig.medians("latency_seconds") == pytest.approx((0.1, 0.2))
    assert dig.expected_seconds == pytest.approx(0.8 * 2.1 + 0.1 * 0.3)


def test_films_in_which_nothing_happens_and_answers_that_say_nothing() -> None:
    quiet = one_of(film("....", "...."))
    assert (quiet.frame_accuracy, quiet.edit, quiet.f1_at) == (1.0, 1.0, (1.0,) * 3)
    assert (quiet.macro_f1, quiet.kappa, quiet.map_tiou) == (None, None, None)
    silent = one_of(film("dddd", "...."))
    assert (silent.macro_f1, silent.edit, silent.f1_at) == (0.0, 0.0, (0.0,) * 3)
    assert silent.map_tiou is not None and set(silent.map_tiou) == {0.0}
    false = one_of(film("....", "dddd"))
    assert (false.macro_f1, false.edit, false.f1_at) == (None, 0.0, (0.0,) * 3)
    for scores in (quiet, silent, false, one_of(film("d", "d")), one_of(film("--d", "r-d"))):
        assert "nan" not in json.dumps(as_json(scores)).lower()
        assert label_report(scores, None, task="label").sentences


def test_films_without_known_truth_are_no_films_of_the_mean() -> None:
    scores = one_of(film("dd..", "...."), film("----", "dd.."))
    assert scores.edit == 0.0
    assert by_name(scores)["dig"].films[1] is None
    with pytest.raises(ValueError, match="known truth"):
        one_of(film("----", "dd.."))


def test_tracks_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        label_scores([film("dd", "dd")], CLASSES, None, several=True)


def test_frames_without_probabilities_come_last() -> None:
    one = film("dddd....", "dddd....")
    shares = one.probabilities.copy()
    shares[:4], shares[4:] = 0.0, np.nan
    scores = one_of(FilmTracks(one.truth, one.answer, shares, one.seconds, one.end_seconds))
    assert by_name(scores)["dig"].average_precision == 1.0


def test_map_ranks_bouts_by_their_mean_probability() -> None:
    one = film("dd......", "dd..dd..")
    for right, wrong, expected in ((0.9, 0.6, 1.0), (0.6, 0.9, 0.5)):
        shares = one.probabilities.copy()
        shares[:2, 0], shares[4:6, 0] = right, wrong
        scores = one_of(FilmTracks(one.truth, one.answer, shares, one.seconds, one.end_seconds))
        assert scores.map_over(ACTIVITYNET_IOUS) == pytest.approx(expected)


def test_people_agree_and_the_model_with_each() -> None:
    truth, other, answer = "dddd....rr..", "ddd.....rrr.", "dddd....rrr."
    scores = one_of(film(truth, answer, other), film("dd", "rr"))
    agreement = scores.agreement
    assert agreement is not None
    assert agreement.people == pytest.approx(cohen_kappa_score(of_letters(truth), of_letters(other)))
    assert agreement.model == pytest.approx(
        [cohen_kappa_score(of_letters(x), of_letters(answer)) for x in (truth, other)]
    )
    assert (agreement.films, agreement.frames) == (1, 12)
    text = " ".join(label_report(scores, None, task="label").sentences)
    people, one, two = (f"{value:.2f}" for value in (agreement.people or 0, *(each or 0 for each in agreement.model)))
    assert f"Two people agree to {people}, the model with each to {one} and {two}" in text


def test_people_are_compared_where_all_of_them_know() -> None:
    agreement = one_of(film("dd--dd....", "ddddddddrr", "dd..d..r--")).agreement
    assert agreement is not None and agreement.frames == 6


def test_agreement_of_several_behaviours_is_a_mean_over_behaviours() -> None:
    base = several_of(random_films(3, 2))
    films = [
        FilmTracks(x.truth, x.answer, x.probabilities, x.seconds, x.end_seconds, (x.answer.astype(float),))
        for x in base
    ]
    scores = label_scores(films, CLASSES, None, several=True)
    assert scores.agreement is not None
    assert scores.agreement.people == pytest.approx(scores.kappa)
    assert scores.agreement.model == pytest.approx([scores.kappa, 1.0])


def test_concordance_compares_films() -> None:
    films = [film("d" * n + "." * (12 - n), "d" * (n + 1) + "." * (11 - n)) for n in (1, 3, 5, 9)]
    dig = by_name(one_of(*films))["dig"]
    assert dig.concordance["count"] is None  # one bout in each
    seconds = dig.concordance["seconds"]
    assert seconds is not None and 0.9 < seconds < 1.0


def test_the_numbers_have_the_names_of_the_contract() -> None:
    scores = one_of(*random_films(1))
    numbers = as_json(scores, names=["a.avi", "b.avi", "c.avi", "d.avi"])
    assert {"frame_accuracy", "macro_f1", "edit", "f1_10", "f1_25", "f1_50", "kappa", "per_class"} <= set(numbers)
    assert numbers["films"] == 4 and numbers["background"] == "rest"
    dig = numbers["per_class"]["dig"]
    assert {"f1", "average_precision", "support", "count", "seconds"} <= set(dig)
    assert set(dig["count"]) == set(dig["seconds"]) == {"true", "predicted"}
    assert [one["path"] for one in numbers["per_film"]] == ["a.avi", "b.avi", "c.avi", "d.avi"]
    assert sum(one["frames"] for one in numbers["per_film"]) == numbers["frames"]
    assert sum(one["per_class"]["dig"]["count"]["true"] for one in numbers["per_film"]) == dig["count"]["true"]
    assert "path" not in as_json(scores)["per_film"][0]


def test_the_report_says_which_class_is_the_background() -> None:
    one = film("..dd..rr..", "..dd..rrr.")
    text = "\n".join(as_markdown(label_report(one_of(one), (0.8, 0.95), task="label")))
    assert "The background is rest." in text
    assert "Frame accuracy 0.900 (0.80 to 0.95)" in text
    assert "F1@10/25/50 1.000 / 1.000 / 1.000" in text
    bare = "\n".join(label_report(one_of(one, background=None), None, task="label").notes)
    assert "No class is the background." in bare
    assert "three groups" in bare
    never = label_report(one_of(film("dd..", "dd..")), None, task="label").sentences[0]
    assert never == "The truth never shows rear, so macro-F1 says nothing of it."


def test_an_interval_needs_three_groups_and_holds_the_score() -> None:
    films = random_films(11, 8)
    scores = one_of(*films)
    assert scores.interval(["a"] * 4 + ["b"] * 4) is None
    few, many = scores.interval(list("aabbccdd")), scores.interval(list("abcdefgh"))
    for bounds in (few, many):
        assert bounds is not None and scores.frame_accuracy is not None
        assert 0 <= bounds[0] < scores.frame_accuracy < bounds[1] <= 1
    both = label_scores(several_of(films), CLASSES, None, several=True)
    bounds = both.interval(list("abcdefgh"))
    assert bounds is not None and both.macro_f1 is not None
    assert bounds[0] < both.macro_f1 < bounds[1]
    assert both.interval(list("abcdefgh")) == bounds


def test_a_behaviour_that_never_occurs_is_not_in_the_interval_of_macro_f1() -> None:
    truth = np.array([[1, 0, 0]] * 4, dtype=np.float64)
    film = FilmTracks(truth, truth == 1, truth, np.arange(4) / 4, 1.0)
    scores = label_scores([film] * 4, CLASSES, None, several=True)
    assert (scores.macro_f1, scores.interval(list("abcd"))) == (1.0, (1.0, 1.0))


def test_films_of_a_group_do_not_count_as_independent() -> None:
    rng = np.random.default_rng(0)
    rates = np.repeat(rng.uniform(0.3, 1.0, 6), 5)
    counts = np.stack([rates * 100, np.full(30, 100.0)], 1)

    def width(groups: list[str]) -> float:
        bounds = grouped_interval95(counts, groups, lambda sums: sums[:, 0] / sums[:, 1])
        assert bounds is not None
        return bounds[1] - bounds[0]

    assert width([str(film // 5) for film in range(30)]) > 1.8 * width([str(film) for film in range(30)])


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    for groups, least in ((4, 0.85), (12, 0.88)):
        hits = 0
        for trial in range(60):
            counts = np.stack([rng.beta(6, 2, groups) * 50, np.full(groups, 50.0)], 1)
            bounds = grouped_interval95(
                counts, [str(n) for n in range(groups)], lambda s: s[:, 0] / s[:, 1], seed=trial
            )
            assert bounds is not None
            hits += bounds[0] <= 0.75 <= bounds[1]
        assert hits / 60 >= least


def test_edit_of_a_film_takes_the_bouts_of_all_behaviours_in_order() -> None:
    one = random_films(2, 1, unknown=False)[0]
    sides = [bouts_of(track, left_out=(2,)) for track in (one.truth, one.answer)]
    assert all(isinstance(bout, TrackBout) for bout in sides[0])
    assert one_of(one).edit == pytest.approx(edit_score(*sides))
