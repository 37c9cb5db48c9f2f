"""An explanation finds the moment and the place that are known to decide, and finds nothing where nothing decides."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import FRAMES_SIZE, gliding_model, make_film, paint_square
from explain.spots import SIDE, SIZE, SPOT, Spots, paint_spot, spot_film

from vidrnn.errors import FilmError
from vidrnn.events import Progress
from vidrnn.explain.base import Box, Explanation, Places, heat_of
from vidrnn.explain.explainer import MOST_REASONS, explain
from vidrnn.explain.moments import MOST_STRETCHES, Question, clip_curve, stretches_of
from vidrnn.explain.places import MOST_FRAMES, hide, moment_of, patches_of, show_alone
from vidrnn.explain.reading import EncodedFilm, encode_film
from vidrnn.predict.predictor import Predictor
from vidrnn.runtimes.base import Features
from vidrnn.tasks.base import task_named
from vidrnn.values import FeatureSpec, Floats, Pixels, Size

MIDDLE = ((SPOT[0] + SIDE / 2) / SIZE.height, (SPOT[1] + SIDE / 2) / SIZE.width)


def explained(model: Any, film: Path) -> Explanation:
    predictor = Predictor(model)
    return ended(explain(predictor, predictor.predict(film)))[0]


def ended(steps: Generator[Progress, None, Any]) -> tuple[Any, list[Progress]]:
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return end.value, seen


def near(point: tuple[float, float], middle: tuple[float, float], by: float = 0.12) -> bool:
    return abs(point[0] - middle[0]) <= by and abs(point[1] - middle[1]) <= by


# When


def test_the_moment_that_decides_is_found(tmp_path: Path) -> None:
    curve = clip_curve(Spots(), spot_film(tmp_path / "a.mkv", when=range(10, 14)), "red")
    assert len(curve.seconds) == 24 and 10 <= curve.peak < 14
    assert curve.values[10:14].min() > 5 * np.abs(curve.values[:9]).max()


def test_the_moment_speaks_against_the_other_class(tmp_path: Path) -> None:
    curve = clip_curve(Spots(), spot_film(tmp_path / "a.mkv", when=range(10, 14)), "green")
    assert curve.values.argmin() in range(10, 14) and curve.values[10:14].max() < 0


def test_a_model_that_sees_nothing_has_no_reasons(tmp_path: Path) -> None:
    reason = explained(Spots(deaf=True), spot_film(tmp_path / "a.mkv")).reasons[0]
    assert not reason.curve.values.any() and reason.places == ()


@pytest.mark.parametrize("steps", [1, 2, 3, 15, 16, 17, 64, 300, 5000])
def test_stretches_hold_every_step_and_are_few(steps: int) -> None:
    stretches = stretches_of(steps, 16)
    assert {step for one in stretches for step in range(one.start, one.stop)} == {*range(steps)}
    assert len(stretches) <= MOST_STRETCHES
    assert len({one.stop - one.start for one in stretches}) == 1


def test_parts_of_a_film_are_those_steps_of_the_whole(tmp_path: Path) -> None:
    film, model = spot_film(tmp_path / "a.mkv", frames=40, when=range(10, 30)), Spots()
    task, rule = task_named("classify"), model.handling.decision
    whole = ended(encode_film(model, task, rule, film))[0]
    some = ended(encode_film(model, task, rule, film, parts=[(0.8, 1.2), (2.05, 3.0)]))[0]
    places = [*range(8, 12), *range(21, 30)]
    assert some.indices == tuple(whole.indices[place] for place in places)
    assert np.array_equal(some.features, whole.features[places])
    assert some.between(2.0, 2.4).indices == whole.indices[21:24]
    with pytest.raises(FilmError, match="no frame in the seconds"):
        ended(encode_film(model, task, rule, film, parts=[(50.0, 60.0)]))


# Where


@pytest.mark.parametrize("colour", [0, 1])
def test_the_place_that_decides_is_found(tmp_path: Path, colour: int) -> None:
    explanation = explained(Spots(), spot_film(tmp_path / "a.mkv", when=range(10, 14), colour=colour))
    reason = explanation.reasons[0]
    assert reason.label == ("red", "green")[colour] and reason.of_film and explanation.unit == "evidence"
    places = reason.places[0]
    assert 10 <= places.frame < 14 and near(places.peak, MIDDLE)
    heat = places.heat(SIZE.height, SIZE.width)
    assert heat[SPOT[0] : SPOT[0] + SIDE, SPOT[1] : SPOT[1] + SIDE].mean() > 5 * np.abs(heat[:8, :10]).max()


@pytest.mark.parametrize("when", [range(10, 11), range(10, 13), range(9, 15)])
@pytest.mark.parametrize("place", [0, -1])
def test_a_moment_holds_all_frames_that_show_what_decides(when: range, place: int) -> None:
    moment = moment_of(redness(lambda red: 5 * (red > 0).any(), when), np.zeros(1), when[place])
    assert moment.step == when[place] and moment.together == when


def test_frames_that_add_little_are_not_of_the_moment() -> None:
    steps = redness(lambda red: 5 * (red[10:12] > 0).any() + 0.1 * red.sum(), range(5, 20))
    assert moment_of(steps, np.zeros(1), 10).together == range(10, 12)
    assert len(moment_of(redness(lambda red: red.sum(), range(24)), np.zeros(1), 20).together) <= MOST_FRAMES


def redness(ask: Callable[[Floats], float], when: range) -> Question:
    """A question to a film of 24 steps, whose one feature is 1 at some of them."""
    features = np.isin(np.arange(24), when).astype(np.float32)[:, None]
    film = EncodedFilm(Path("a.mkv"), features, (), np.arange(24) / 10, tuple(range(24)))
    return Question(film, 0, lambda features: float(ask(features[:, 0])))


@pytest.mark.parametrize("size", [Size(40, 60), Size(84, 112), Size(7, 300), Size(1, 1)])
def test_patches_hold_every_pixel(size: Size) -> None:
    seen = np.zeros((size.height, size.width))
    for patch in patches_of(size):
        seen[patch] += 1
    assert seen.min() >= 1


def test_a_hidden_patch_has_the_mean_colour_and_the_rest_stays() -> None:
    picture = np.zeros((4, 4, 3), dtype=np.uint8)
    picture[0] = 200
    hidden = hide(picture, (slice(0, 1), slice(0, 2)))
    assert (hidden[0, :2] == 50).all() and (hidden[0, 2:] == 200).all() and picture[0, 0, 0] == 200


def test_a_part_that_is_shown_alone_lies_on_the_mean_colour() -> None:
    picture = np.zeros((4, 4, 3), dtype=np.uint8)
    picture[0] = 200
    shown = show_alone(picture, (slice(0, 2), slice(0, 2)))
    assert (shown[0, :2] == 200).all() and (shown[1, :2] == 0).all()
    assert (shown[:, 2:] == 50).all() and (shown[2:] == 50).all()


def test_an_empty_square_that_misleads_is_not_the_place(tmp_path: Path) -> None:
    class Misled(Spots):
        def encode(self, pixels: Pixels, before: Pixels | None = None) -> Features:
            """A square at the left that is a little redder than what is below it looks green."""
            features = super().encode(pixels, before)
            square = (pixels[:, 4:10, 4:10, 0].min((1, 2)) > 22) & (pixels[:, 36, 6, 0] < 22)
            features[square] += (0, 17)
            return features

    reason = explained(Misled(), spot_film(tmp_path / "a.mkv", when=range(10, 14))).reasons[0]
    assert near(reason.places[0].peak, MIDDLE)


def test_the_peak_is_where_parts_agree() -> None:
    boxes = (Box(0, 0, 0.5, 0.5), Box(0, 0, 1, 0.5), Box(0.5, 0.5, 1, 1), Box(0, 0.5, 1, 1))
    places = Places(0, 0, 0, 0, boxes, np.array([5.0, -4, 4, 3]), np.zeros((8, 8, 3), np.uint8))
    assert places.peak == (0.75, 0.75)


def test_heat_is_the_mean_of_the_boxes_that_hold_a_pixel() -> None:
    heat = heat_of([Box(0, 0, 1, 0.5), Box(0, 0.25, 1, 1)], np.array([1.0, 3.0]), 2, 4)
    assert heat.tolist() == [[1, 2, 3, 3], [1, 2, 3, 3]]


# Segments


@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
def test_each_segment_of_a_model_of_labels_has_its_own_reason(tmp_path: Path, several: bool) -> None:
    spots = [paint_spot(range(5, 12), 0), paint_spot(range(20, 30), 1)]

    def paint(index: int, size: Size) -> Pixels:
        return np.maximum(*(one(index, size) for one in spots))

    film = make_film(tmp_path / "a.mkv", frames=40, fps=10.0, size=SIZE, paint=paint)
    model = Spots(task="label", several=several)
    reasons = [one for one in explained(model, film).reasons if one.places]
    assert not any(one.of_film for one in reasons)
    for label, when in {"red": range(5, 12), "green": range(20, 30)}.items():
        middle = (when.start + when.stop) / 20
        reason = next(one for one in reasons if one.label == label and one.start_seconds <= middle < one.end_seconds)
        assert round(reason.curve.seconds[reason.curve.peak] * 10) in when
        assert near(reason.places[0].peak, MIDDLE)


def test_so_many_segments_are_explained_and_the_rest_is_said(tmp_path: Path) -> None:
    model = Spots(task="label", several=True)
    count = MOST_REASONS + 3
    frames = [20 * number + place for number in range(count) for place in range(10)]
    film = make_film(
        tmp_path / "a.mkv",
        frames=20 * count,
        fps=10.0,
        size=SIZE,
        paint=lambda index, size: paint_spot(range(index, index + 1) if index in frames else range(0), 0)(index, size),
    )
    explanation = explained(model, film)
    assert len(explanation.reasons) == MOST_REASONS
    assert f"Only the longest of {count} segments are explained." in explanation.notes


def test_a_film_without_segments_has_no_reason_but_a_note(tmp_path: Path) -> None:
    explanation = explained(Spots(task="label", several=True), spot_film(tmp_path / "a.mkv", when=range(0)))
    assert explanation.reasons == () and "nothing to explain" in explanation.notes[0]


# Features


def test_a_model_of_features_says_when_but_not_where(tmp_path: Path) -> None:
    model = Spots()
    model.handling = replace(model.handling, features=FeatureSpec(2, 10.0))
    model.encode = lambda pixels, before=None: pixels.astype(np.float32)  # type: ignore[method-assign]
    features = np.zeros((20, 2), np.float32)
    features[8:11, 1] = 5
    np.save(tmp_path / "a.npy", features)
    explanation = explained(model, tmp_path / "a.npy")
    assert explanation.reasons[0].label == "green" and explanation.reasons[0].curve.peak in (8, 9, 10)
    assert explanation.reasons[0].places == () and "no places" in explanation.notes[0]


# Anomalies


def test_the_frame_and_the_blocks_of_an_anomaly_are_found(tmp_path: Path) -> None:
    glide = paint_square(3)

    def paint(index: int, size: Size) -> Pixels:
        pixels = glide(index, size)
        if index == 12:
            pixels[16:22, 24:30] = 250
        return pixels

    film = make_film(tmp_path / "a.mkv", frames=25, fps=10.0, size=FRAMES_SIZE, paint=paint)
    explanation = explained(gliding_model(), film)
    reason = explanation.reasons[0]
    assert explanation.unit == "surprise" and 12 <= reason.curve.peak <= 13
    assert near(reason.places[0].peak, (19 / 24, 27 / 32), 0.25)


def test_a_calm_film_shows_its_worst_frame_and_says_so(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.mkv", frames=20, fps=10.0, size=FRAMES_SIZE, paint=paint_square(3))
    explanation = explained(gliding_model(), film)
    assert len(explanation.reasons) == 1 and "No frame is an anomaly." in explanation.notes[0]


def test_progress_says_how_far_each_stage_is(tmp_path: Path) -> None:
    predictor = Predictor(Spots())
    prediction = predictor.predict(spot_film(tmp_path / "a.mkv"))
    _, seen = ended(explain(predictor, prediction))
    assert {one.stage for one in seen} == {"reading the video", "when", "decisive frames", "where"}
    assert all(0 <= one.done <= one.total for one in seen)
