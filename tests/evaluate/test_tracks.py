"""Truth and answer come to each frame of a film, whatever its clock and whatever times the model looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from vidrnn.evaluate.tracks import FilmTracks, tracks_of
from vidrnn.values import (
    Annotation,
    AnswerSpec,
    Bout,
    DecisionRule,
    FilmMoments,
    Floats,
    Kind,
    LabelledFilm,
    Segment,
    Timeline,
)

CLASSES = ("dig", "rear", "rest")


def moments(
    frames: Floats, steps: Floats, segments: list[tuple[float, float, str]], end: float, shares: Floats | None = None
) -> FilmMoments:
    given = np.zeros((len(steps), 3)) if shares is None else shares
    along = Timeline(CLASSES, steps, given.astype(np.float32))
    parts = tuple(Segment(start, stop, label, 0.9) for start, stop, label in segments)
    return FilmMoments(Path("a.avi"), None, along, parts, end, len(frames), (), frames)


def tracks(
    annotation: Annotation,
    film: FilmMoments,
    *,
    kind: Kind = "one",
    background: str | None = None,
    direction: Literal["causal", "both"] = "both",
    others: tuple[Annotation, ...] = (),
) -> FilmTracks:
    labelled = LabelledFilm(Path("a.avi"), annotation=annotation, others=others)
    answer = AnswerSpec("label", kind, "frame", CLASSES, background)
    return tracks_of(labelled, film, answer, DecisionRule(direction=direction))


ALL_DIG = Annotation((Bout(0.0, 100.0, "dig"),))


def test_a_frame_takes_the_nearest_step_and_a_causal_model_the_last_one() -> None:
    frames, steps = np.arange(12) / 20, np.arange(3) / 5  # steps at 0, 0.2 and 0.4 s
    film = moments(frames, steps, [(0.0, 0.2, "dig"), (0.2, 0.4, "rear"), (0.4, 0.6, "rest")], 0.6)
    assert tracks(ALL_DIG, film).answer.tolist() == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2]
    assert tracks(ALL_DIG, film, direction="causal").answer.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]


def test_probabilities_come_from_the_same_steps() -> None:
    frames, steps = np.arange(4) / 10, np.array([0.0, 0.3])
    film = moments(frames, steps, [], 0.4, np.array([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]))
    assert tracks(ALL_DIG, film).probabilities[:, 0] == pytest.approx([0.1, 0.1, 0.5, 0.5])
    assert tracks(ALL_DIG, film, direction="causal").probabilities[:, 0] == pytest.approx([0.1, 0.1, 0.1, 0.5])


def test_a_causal_model_may_be_two_milliseconds_late_and_no_later() -> None:
    frames = np.array([0.0, 0.1, 0.2])
    late = moments(frames, np.array([0.0, 0.1015, 0.2035]), [(0.0, 0.1, "dig"), (0.1, 9.0, "rear")], 0.3)
    assert tracks(ALL_DIG, late, direction="causal").answer.tolist() == [0, 1, 1]
    later = moments(frames, np.array([0.0, 0.1035]), [(0.0, 0.1, "dig"), (0.1, 0.25, "rear")], 0.3)
    assert tracks(ALL_DIG, later, direction="causal").answer.tolist() == [0, 0, 1]


def test_a_causal_model_says_nothing_of_frames_before_its_first_step() -> None:
    film = moments(np.arange(3) / 10, np.array([0.1, 0.2]), [(0.1, 0.3, "rear")], 0.3)
    given = tracks(ALL_DIG, film, direction="causal")
    assert given.answer.tolist() == [-1, 1, 1]
    assert np.isnan(given.probabilities[0]).all()


def test_frames_that_stand_for_unequal_times() -> None:
    frames = np.array([0.0, 0.05, 0.1, 0.9, 1.0, 2.0])
    steps = np.array([0.0, 0.5, 1.0, 1.5])
    film = moments(frames, steps, [(0.0, 0.5, "dig"), (0.5, 1.5, "rear"), (1.5, 2.5, "rest")], 2.5)
    given = tracks(Annotation((Bout(0.0, 0.12, "dig"), Bout(0.92, 2.5, "rear"))), film)
    assert given.answer.tolist() == [0, 0, 0, 1, 1, 2]
    assert given.truth.tolist() == [0, 0, -1, 1, 1, 1]  # the third frame stands from 0.1 to 0.9 s


@pytest.mark.parametrize(("background", "silence"), [("rest", 2), (None, -1)])
def test_steps_without_a_segment_and_silent_truth(background: str | None, silence: int) -> None:
    film = moments(np.arange(6) / 10, np.arange(6) / 10, [(0.1, 0.2, "dig"), (0.3, 0.4, "unknown")], 0.6)
    given = tracks(Annotation((Bout(0.0, 0.2, "dig"),)), film, background=background)
    assert given.answer.tolist() == [silence, 0, silence, -1, silence, silence]
    assert given.truth.tolist() == [0, 0, *[silence] * 4]


def test_the_last_segment_holds_a_step_at_the_end_of_the_film() -> None:
    film = moments(np.array([0.0]), np.array([0.0]), [(0.0, 0.0, "rear")], 0.0)
    assert tracks(Annotation((Bout(0, 1, "dig"),), unit="frames"), film).answer.tolist() == [1]


def test_truth_of_a_class_that_the_model_does_not_know_is_unknown() -> None:
    film = moments(np.arange(4) / 10, np.arange(4) / 10, [], 0.4)
    annotation = Annotation((Bout(0, 2, "dig"), Bout(2, 3, "swim")), unit="frames")
    assert tracks(annotation, film, background="rest").truth.tolist() == [0, 0, -1, 2]
    assert tracks(annotation, film, kind="several").truth[:, 0].tolist() == [1, 1, 0, 0]


def test_several_behaviours_hold_at_once() -> None:
    film = moments(np.arange(4) / 10, np.arange(4) / 10, [(0.0, 0.3, "dig"), (0.1, 0.2, "rear")], 0.4)
    annotation = Annotation((Bout(0.0, 0.2, "dig"), Bout(0.1, 0.4, "rear")), known=((0.0, 0.3),))
    given = tracks(annotation, film, kind="several", background="rest")
    assert given.answer.tolist() == [
        [True, False, False],
        [True, True, False],
        [True, False, False],
        [False, False, True],
    ]
    assert given.truth[:3, :2].tolist() == [[1, 0], [1, 1], [0, 1]]
    assert np.isnan(given.truth[3, 0])


def test_other_annotators_come_to_the_same_frames() -> None:
    film = moments(np.arange(3) / 10, np.arange(3) / 10, [], 0.3)
    given = tracks(ALL_DIG, film, others=(Annotation((Bout(0.1, 0.2, "rear"),)),))
    assert [one.tolist() for one in given.others] == [[-1, 1, -1]]


def test_a_film_without_annotation_or_times_is_refused() -> None:
    film = moments(np.arange(3) / 10, np.arange(3) / 10, [], 0.3)
    with pytest.raises(ValueError, match="annotation"):
        tracks_of(LabelledFilm(Path("a.avi")), film, AnswerSpec("label", "one", "frame", CLASSES), DecisionRule())
