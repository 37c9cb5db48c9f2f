"""A film is watched by a model that has everything glide on: what glides is usual, what jumps is not."""

from __future__ import annotations

from math import isnan
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import FRAMES_SIZE, GLIDE, TinyRun, gliding_model, make_film, paint_square
from numpy.typing import NDArray

from vidrnn.errors import FilmError
from vidrnn.model.checkpoint import load_forecaster
from vidrnn.nets.encoders.base import luma
from vidrnn.runtimes.base import FrameRuntime, State
from vidrnn.runtimes.torch import TorchFrames
from vidrnn.tasks.next_frame import WARM_FRAMES, FilmErrors, Showing, Watcher, as_painted, as_shown, rollouts
from vidrnn.timeline.anomaly import Alarm
from vidrnn.values import Frame, FramesHandling, Pixels, Size

JUMP = 12
"""The frame at which the square of a film that jumps is suddenly elsewhere."""


def frames_of(count: int, seed: int = 0) -> Pixels:
    paint = paint_square(seed)
    return np.stack([paint(index, FRAMES_SIZE) for index in range(count)])


def paint_jump(index: int, size: Size) -> Pixels:
    return np.roll(paint_square()(index, size), 13 * (index >= JUMP), axis=1)


def test_pixels_are_painted_as_the_network_sees_them_and_shown_as_they_were() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 6, 3), dtype=np.uint8)
    np.testing.assert_array_equal(as_shown(as_painted(pixels, 3)), pixels)
    grey = as_painted(pixels, 1)
    assert grey.shape == (2, 5, 6, 1) and grey.dtype == np.float32
    np.testing.assert_allclose(grey[..., 0], luma(torch.from_numpy(pixels)).numpy(), atol=1e-6)
    assert as_shown(grey).shape == pixels.shape and (np.ptp(as_shown(grey), axis=-1) == 0).all()
    np.testing.assert_array_equal(as_shown(np.array([[[-1.0, 0.5, 2.0]]], np.float32))[0, 0], [0, 128, 255])


def test_a_rollout_goes_on_with_what_it_foretold() -> None:
    films = np.stack([frames_of(10, seed) for seed in (0, 1)])
    ahead = rollouts(gliding_model(), films[:, :4], 6)
    assert ahead.shape == (2, 6, 24, 32, 3)
    np.testing.assert_allclose(ahead, as_painted(films[:, 4:], 3), atol=1e-6)
    alone = rollouts(gliding_model(), films[1:, :4], 6)
    np.testing.assert_allclose(alone, ahead[1:], atol=1e-6)


def test_a_rollout_by_a_runtime_is_that_of_the_network_but_for_the_rounding_of_what_is_fed(
    tiny_forecaster: TinyRun,
) -> None:
    model = load_forecaster(tiny_forecaster.model)
    films = np.stack([frames_of(4, seed) for seed in range(3)])
    ours = rollouts(TorchFrames(model), films, 3)
    with torch.inference_mode():
        _, theirs = model.network.rollout(model.network.pictures_of(torch.from_numpy(films)), 3)
    expected = theirs.clamp(0, 1).permute(0, 1, 3, 4, 2).numpy()
    np.testing.assert_allclose(ours[:, 0], expected[:, 0], atol=1e-5)
    np.testing.assert_allclose(ours, expected, atol=2 / 255)


def test_a_watcher_judges_each_frame_by_those_before_it_once_it_has_seen_enough() -> None:
    watcher, film = Watcher(gliding_model()), frames_of(6)
    judged = [watcher.push(pixels) for pixels in film]
    assert [each is None for each in judged] == [True] * WARM_FRAMES + [False] * 4
    for each, pixels in zip(judged[WARM_FRAMES:], film[WARM_FRAMES:], strict=True):
        assert each is not None and each.error.mse < 1e-12 and each.score < 0.1
        np.testing.assert_allclose(each.foretold, as_painted(pixels, 3), atol=1e-6)


def test_what_comes_later_changes_no_score() -> None:
    film = frames_of(8)
    other = film.copy()
    other[5:] = 255 - other[5:]
    first, second = Watcher(gliding_model()), Watcher(gliding_model())
    pairs = [(first.push(one), second.push(two)) for one, two in zip(film, other, strict=True)]
    scores = [(one.score, two.score) for one, two in pairs if one and two]
    assert all(one == two for one, two in scores[:3])
    assert scores[3][1] > 0.9 > scores[3][0]


def test_a_film_goes_on_beyond_its_end_and_the_watcher_stays_where_it_was() -> None:
    watcher, film = Watcher(gliding_model(grey=True)), frames_of(9)
    for pixels in film[:5]:
        watcher.push(pixels)
    ahead = list(watcher.go_on(3))
    np.testing.assert_allclose(ahead, as_painted(film[5:8], 1), atol=0.5 / 255 + 1e-6)
    judged = watcher.push(film[5])
    assert judged is not None and judged.error.mse < 1e-12
    assert list(watcher.go_on(0)) == []


def test_nothing_can_be_gone_on_from_before_a_frame_was_seen() -> None:
    with pytest.raises(ValueError, match="no frame"):
        next(Watcher(gliding_model()).go_on(1))


def test_a_model_without_calibration_tells_errors_and_no_scores() -> None:
    watcher = Watcher(gliding_model(calibrated=False))
    judged = [watcher.push(pixels) for pixels in frames_of(4)][-1]
    assert judged is not None and isnan(judged.score) and judged.error.mse < 1e-12


def test_a_jump_is_unusual_where_it_happens_and_nowhere_else(tmp_path: Path) -> None:
    film = make_film(tmp_path / "jump.mkv", frames=25, fps=10.0, size=FRAMES_SIZE, paint=paint_jump)
    showing = Showing(gliding_model(), film, alarm=Alarm(least_seconds=0.1))
    shown = list(showing.frames())
    found = showing.found
    assert found is not None and len(shown) == found.frames == 25
    [segment] = found.segments
    assert (segment.start_seconds, segment.end_seconds) == pytest.approx((JUMP / 10, JUMP / 10 + 0.1), abs=0.01)
    assert segment.probability == found.most_unusual == found.errors.score[JUMP] > 0.9
    assert all(score < 0.3 for place, score in enumerate(found.errors.score) if place != JUMP and not isnan(score))
    assert [isnan(score) for score in found.errors.score[:3]] == [True, True, False]
    assert found.duration_seconds == pytest.approx(2.5, abs=0.01) and not found.notes


def test_a_square_that_doubles_its_speed_is_unusual_from_then_on(tmp_path: Path) -> None:
    def paint(index: int, size: Size) -> Pixels:
        return np.roll(paint_square()(0, size), GLIDE * index + GLIDE * max(0, index - JUMP), axis=1)

    film = make_film(tmp_path / "hurry.mkv", frames=25, fps=10.0, size=FRAMES_SIZE, paint=paint)
    showing = Showing(gliding_model(), film)
    for _ in showing.frames():
        pass
    assert showing.found is not None
    [segment] = showing.found.segments
    assert (segment.start_seconds, segment.end_seconds) == pytest.approx(((JUMP + 1) / 10, 2.5), abs=0.02)
    assert showing.found.mean_mse > 1e-3


@pytest.mark.parametrize(("frames", "words"), [(1, "Only 1 frame:"), (2, "Only 2 frames:")])
def test_a_film_too_short_to_be_judged_says_so(tmp_path: Path, frames: int, words: str) -> None:
    film = make_film(tmp_path / "short.mkv", frames=frames, fps=10.0, size=FRAMES_SIZE, paint=paint_square())
    showing = Showing(gliding_model(), film)
    assert [judged for _, judged in showing.frames()] == [None] * frames
    found = showing.found
    assert found is not None and words in found.notes[-1]
    assert isnan(found.most_unusual) and isnan(found.mean_mse) and not found.segments


def test_a_film_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.mkv").write_bytes(b"no film")
    with pytest.raises(FilmError, match=r"bad\.mkv"):
        list(Showing(gliding_model(), tmp_path / "bad.mkv").frames())


def test_errors_are_of_the_films_own_frames() -> None:
    errors = FilmErrors()
    errors.add(Frame(3, 0.3, frames_of(1)[0]), None)
    assert errors.indices == [3] and errors.seconds == [0.3]
    assert isnan(errors.mse[0]) and isnan(errors.worst_block[0]) and isnan(errors.score[0])


class Counting(FrameRuntime):
    """Foretells a frame as bright as the number of frames that its state has seen."""

    name = "counting"
    handling = FramesHandling(Size(16, 16), 0.1, 1, 4, 3, None)

    def foretell(self, frames: Pixels, state: State | None = None) -> tuple[NDArray[np.float32], State]:
        seen = (state["seen"] if state else np.zeros(1)) + 1
        return np.full((len(frames), 16, 16, 1), seen[0] / 255, np.float32), {"seen": seen}


def test_a_watched_film_hands_its_state_on() -> None:
    watcher = Watcher(Counting())
    judged = [watcher.push(np.full((16, 16, 3), number, np.uint8)) for number in range(9)]
    assert [one is None for one in judged] == [True, True, *[False] * 7]
    assert max(one.error.mse for one in judged if one) < 1e-9
