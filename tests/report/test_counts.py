"""Counts and durations: predicted beside true, with slope, concordance and intervals."""

from __future__ import annotations

import pytest

from vidrnn.report.answers import FilmAnswers, StoredBout
from vidrnn.report.counts import behaviours
from vidrnn.values import Part


def film(group: str, true: tuple[StoredBout, ...], said: tuple[StoredBout, ...], known: float = 10.0) -> FilmAnswers:
    return FilmAnswers(
        path=f"{group}.mp4",
        part=Part.TEST,
        group=group,
        start_seconds=0,
        end_seconds=10,
        frames=100,
        true_bouts=true,
        answer_bouts=said,
        known=((0.0, known),),
    )


FILMS = [
    film("a", ((0, 0.0, 1.0),), ((0, 0.0, 2.0),)),
    film("b", ((0, 0.0, 2.0), (0, 5.0, 6.0)), ((0, 0.0, 6.0),)),
    film("c", ((0, 0.0, 2.0),), ((0, 1.0, 5.0),)),
]


def test_seconds_that_are_twice_the_true_ones_have_slope_two() -> None:
    (one,) = behaviours(FILMS, ("dig",), None)
    assert one.seconds.slope == pytest.approx(2.0)
    assert (one.true_share, one.said_share) == (pytest.approx(0.2), pytest.approx(0.4))
    assert one.counts.true.tolist() == [1, 2, 1] and one.counts.said.tolist() == [1, 1, 1]
    assert one.seconds.concordance is not None and one.seconds.concordance < 1
    assert one.difference_interval is not None
    assert one.difference_interval[0] < 0.2 < one.difference_interval[1]


def test_time_whose_truth_is_not_known_counts_nowhere() -> None:
    (one,) = behaviours([film("a", ((0, 0.0, 1.0),), ((0, 0.0, 1.0), (0, 6.0, 9.0)), known=5.0)], ("dig",), None)
    assert one.seconds.said.tolist() == [1.0] and one.said_share == pytest.approx(0.2)
    assert one.true_interval is None, "one group of videos tells nothing of others"


def test_the_background_is_no_behaviour() -> None:
    assert behaviours(FILMS, ("dig",), "dig") == []
