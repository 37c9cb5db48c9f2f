"""A model predicts that everything glides on: what glides is normal, what jumps is an anomaly."""

from __future__ import annotations

from dataclasses import replace
from math import isnan
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import FRAMES_SIZE, GLIDE, TinyRun, gliding_model, make_film, paint_square

from vidrnn.errors import FilmError
from vidrnn.model.checkpoint import load_model
from vidrnn.nets.encoders.base import luma
from vidrnn.nets.frame_predictor import FramePredictor
from vidrnn.predict.predictor import Predictor
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.tasks.next_frame import WARM_FRAMES, FrameJudge, as_picture, as_pixels, rollouts
from vidrnn.values import FilmPrediction, Floats, Pixels, Size

JUMP = 12
"""The frame at which the square of a film that jumps is suddenly elsewhere."""


def frames_of(count: int, seed: int = 0) -> Pixels:
    paint = paint_square(seed)
    return np.stack([paint(index, FRAMES_SIZE) for index in range(count)])


def judge(*, calibrated: bool = True, grey: bool = False) -> FrameJudge:
    model = gliding_model(calibrated=calibrated, grey=grey)
    return FrameJudge(model, model.handling.decision)


def measure(prediction: FilmPrediction, name: str) -> Floats:
    """A number of each moment."""
    assert prediction.timeline is not None
    return prediction.timeline.measures[name]


def paint_jump(index: int, size: Size) -> Pixels:
    return np.roll(paint_square()(index, size), 13 * (index >= JUMP), axis=1)


def test_pictures_are_as_the_network_sees_them_and_become_the_same_pixels_again() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 6, 3), dtype=np.uint8)
    np.testing.assert_array_equal(as_pixels(as_picture(pixels, 3)), pixels)
    grey = as_picture(pixels, 1)
    assert grey.shape == (2, 5, 6, 1) and grey.dtype == np.float32
    np.testing.assert_allclose(grey[..., 0], luma(torch.from_numpy(pixels)).numpy(), atol=1e-6)
    assert as_pixels(grey).shape == pixels.shape and (np.ptp(as_pixels(grey), axis=-1) == 0).all()
    np.testing.assert_array_equal(as_pixels(np.array([[[-1.0, 0.5, 2.0]]], np.float32))[0, 0], [0, 128, 255])


def test_a_rollout_goes_on_with_its_own_predictions() -> None:
    films = np.stack([frames_of(10, seed) for seed in (0, 1)])
    ahead = rollouts(gliding_model(), films[:, :4], 6)
    assert ahead.shape == (2, 6, 24, 32, 3)
    np.testing.assert_allclose(ahead, as_picture(films[:, 4:], 3), atol=1e-6)
    alone = rollouts(gliding_model(), films[1:, :4], 6)
    np.testing.assert_allclose(alone, ahead[1:], atol=1e-6)


def test_a_rollout_by_a_runtime_is_that_of_the_network_but_for_rounding_to_8_bits(
    tiny_forecaster: TinyRun,
) -> None:
    model = load_model(tiny_forecaster.model)
    assert isinstance(model.network, FramePredictor)
    films = np.stack([frames_of(4, seed) for seed in range(3)])
    ours = rollouts(TorchRuntime(model), films, 3)
    with torch.inference_mode():
        _, theirs = model.network.rollout(model.network.pictures_of(torch.from_numpy(films)), 3)
    expected = theirs.clamp(0, 1).permute(0, 1, 3, 4, 2).numpy()
    np.testing.assert_allclose(ours[:, 0], expected[:, 0], atol=1e-5)
    np.testing.assert_allclose(ours, expected, atol=2 / 255)


def test_each_frame_is_judged_by_those_before_it_once_there_are_enough() -> None:
    judging, film = judge(), frames_of(6)
    judged = [judging.push(pixels) for pixels in film]
    assert [each is None for each in judged] == [True] * WARM_FRAMES + [False] * 4
    for each, pixels in zip(judged[WARM_FRAMES:], film[WARM_FRAMES:], strict=True):
        assert each is not None and each.error.mse < 1e-12 and each.score < 0.1
        np.testing.assert_allclose(each.predicted, as_picture(pixels, 3), atol=1e-6)


def test_later_frames_change_no_score() -> None:
    film = frames_of(8)
    other = film.copy()
    other[5:] = 255 - other[5:]
    first, second = judge(), judge()
    pairs = [(first.push(one), second.push(two)) for one, two in zip(film, other, strict=True)]
    scores = [(one.score, two.score) for one, two in pairs if one and two]
    assert all(one == two for one, two in scores[:3])
    assert scores[3][1] > 0.9 > scores[3][0]


def test_a_film_goes_on_beyond_its_end_and_the_judge_stays_where_it_was() -> None:
    judging, film = judge(grey=True), frames_of(9)
    for pixels in film[:5]:
        judging.push(pixels)
    ahead = list(judging.go_on(3))
    np.testing.assert_allclose(ahead, as_picture(film[5:8], 1), atol=0.5 / 255 + 1e-6)
    judged = judging.push(film[5])
    assert judged is not None and judged.error.mse < 1e-12
    assert list(judging.go_on(0)) == []


def test_nothing_goes_on_before_the_first_frame() -> None:
    with pytest.raises(ValueError, match="no frame"):
        next(judge().go_on(1))


def test_a_model_without_calibration_gives_errors_and_no_scores(tmp_path: Path) -> None:
    film = make_film(tmp_path / "jump.mkv", frames=25, fps=10.0, size=FRAMES_SIZE, paint=paint_jump)
    prediction = Predictor(gliding_model(calibrated=False)).predict(film)
    assert not prediction.segments and isnan(prediction.measures["anomaly"])
    assert np.isnan(measure(prediction, "anomaly")).all()
    assert prediction.measures["mse"] > 1e-4 and int(np.nanargmax(measure(prediction, "mse"))) == JUMP


def test_a_jump_is_an_anomaly_where_it_happens_and_nowhere_else(tmp_path: Path) -> None:
    film = make_film(tmp_path / "jump.mkv", frames=25, fps=10.0, size=FRAMES_SIZE, paint=paint_jump)
    model = gliding_model()
    prediction = Predictor(model, replace(model.handling.decision, shortest_seconds=0.1)).predict(film)
    assert prediction.frames == 25 and not prediction.notes and prediction.label is None
    [segment] = prediction.segments
    assert (segment.start_seconds, segment.end_seconds) == pytest.approx((JUMP / 10, JUMP / 10 + 0.1), abs=0.01)
    scores = measure(prediction, "anomaly")
    assert segment.label == "anomaly"
    assert segment.probability == prediction.measures["anomaly"] == scores[JUMP] > 0.9
    assert all(score < 0.3 for place, score in enumerate(scores) if place != JUMP and not isnan(score))
    assert [isnan(score) for score in scores[:3]] == [True, True, False]
    assert prediction.duration_seconds == pytest.approx(2.5, abs=0.01)
    assert prediction.timeline is not None and prediction.timeline.indices is not None
    assert prediction.timeline.indices.tolist() == list(range(25))


def test_a_square_that_doubles_its_speed_is_an_anomaly_from_then_on(tmp_path: Path) -> None:
    def paint(index: int, size: Size) -> Pixels:
        return np.roll(paint_square()(0, size), GLIDE * index + GLIDE * max(0, index - JUMP), axis=1)

    film = make_film(tmp_path / "hurry.mkv", frames=25, fps=10.0, size=FRAMES_SIZE, paint=paint)
    prediction = Predictor(gliding_model()).predict(film)
    [segment] = prediction.segments
    assert (segment.start_seconds, segment.end_seconds) == pytest.approx(((JUMP + 1) / 10, 2.5), abs=0.02)
    assert prediction.measures["mse"] > 1e-3


def test_the_score_of_papers_is_given_when_asked_for(tmp_path: Path) -> None:
    film = make_film(tmp_path / "jump.mkv", frames=25, fps=10.0, size=FRAMES_SIZE, paint=paint_jump)
    predictions = [Predictor(gliding_model(), normalised=asked).predict(film) for asked in (False, True)]
    assert [one.timeline is not None and "anomaly_in_film" in one.timeline.measures for one in predictions] == [
        False,
        True,
    ]
    in_film = measure(predictions[1], "anomaly_in_film")
    assert (np.nanmin(in_film), np.nanmax(in_film), in_film[JUMP]) == (0, 1, 1)


def test_pictures_are_each_frame_beside_its_prediction_and_then_those_beyond_the_end(tmp_path: Path) -> None:
    film = make_film(tmp_path / "glide.mkv", frames=10, fps=10.0, size=FRAMES_SIZE, paint=paint_square())
    prediction = Predictor(gliding_model(), rollout=2).predict(film)
    assert prediction.pictures is not None
    pictures = list(prediction.pictures())
    assert [one.beyond for one in pictures] == [0] * 10 + [1, 2]
    assert [one.predicted is None for one in pictures] == [True, True] + [False] * 10
    assert [one.seconds for one in pictures] == pytest.approx(np.arange(12) / 10, abs=1e-3)
    truth = frames_of(12)
    for place in range(2, 12):
        np.testing.assert_array_equal(pictures[place].predicted, truth[place])
    assert all((one.shown == frame).all() for one, frame in zip(pictures[:10], truth[:10], strict=True))
    assert not pictures[-1].shown.any()


def test_a_grey_model_shows_the_film_as_it_sees_it(tmp_path: Path) -> None:
    film = make_film(tmp_path / "glide.mkv", frames=4, fps=10.0, size=FRAMES_SIZE, paint=paint_square())
    prediction = Predictor(gliding_model(grey=True)).predict(film)
    assert prediction.pictures is not None
    for one, colour in zip(prediction.pictures(), frames_of(4), strict=True):
        assert one.shown.shape == colour.shape and (np.ptp(one.shown, axis=-1) == 0).all()
        np.testing.assert_allclose(one.shown[..., 0], colour @ [0.299, 0.587, 0.114], atol=0.51)


@pytest.mark.parametrize(("frames", "words"), [(1, "Only 1 frame:"), (2, "Only 2 frames:")])
def test_a_film_too_short_to_be_judged_says_so(tmp_path: Path, frames: int, words: str) -> None:
    film = make_film(tmp_path / "short.mkv", frames=frames, fps=10.0, size=FRAMES_SIZE, paint=paint_square())
    prediction = Predictor(gliding_model()).predict(film)
    assert words in prediction.notes[-1] and not prediction.segments
    assert all(isnan(value) for value in prediction.measures.values())


def test_a_file_that_is_no_film_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.mkv").write_bytes(b"no video")
    with pytest.raises(FilmError, match=r"bad\.mkv"):
        Predictor(gliding_model()).predict(tmp_path / "bad.mkv")
