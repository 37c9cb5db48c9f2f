"""Baselines on films whose next frame is known, and on a real street."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from vidrnn.data.frame_labels import read_frame_labels
from vidrnn.evaluate.baselines import RULES, SIGNS, MeanImage, Signs, flow_warped, last_frame, optical_flow, signs_of
from vidrnn.evaluate.metrics import roc_auc
from vidrnn.timeline.anomaly import spread_in_film
from vidrnn.values import Size
from vidrnn.video.reader import open_film

STEP = 2  # pixels a frame


def sliding(frames: int = 8, *, height: int = 48, width: int = 64, channels: int = 1, step: float = STEP) -> np.ndarray:
    """A texture that slides to the right (frames, height, width, channels)."""
    rng = np.random.default_rng(0)
    cloth = cv2.GaussianBlur(rng.random((height, width + 64)).astype(np.float32), (0, 0), 2.0)
    cloth = (cloth - cloth.min()) / (cloth.max() - cloth.min())
    film = [cloth[:, 32 - round(step * t) :][:, :width] for t in range(frames)]
    return np.repeat(np.stack(film)[..., None], channels, axis=3)


def mse(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a - b) ** 2).mean())


@pytest.mark.parametrize("channels", [1, 3])
def test_a_warped_frame_goes_on_as_it_moved(channels: int) -> None:
    film = sliding(channels=channels)
    context, future = film[:3], film[3:]
    predicted = flow_warped(context, len(future))
    assert predicted.shape == future.shape and predicted.dtype == np.float32
    assert predicted.min() >= 0 and predicted.max() <= 1
    inside = np.s_[:, 8:-8, 16:-8]
    for step in range(len(future)):
        here = np.s_[step : step + 1]
        copied = mse(last_frame(context, 5)[here][inside], future[here][inside])
        assert mse(predicted[here][inside], future[here][inside]) < 0.05 * copied


@pytest.mark.parametrize("name", RULES)
def test_only_the_context_is_looked_at_and_only_its_end(name: str) -> None:
    film = sliding(8)
    before = RULES[name](film[:4], 3)
    assert before.shape == (3, *film.shape[1:])
    assert (RULES[name](film[2:4].copy(), 3) == before).all(), "two frames are all that any of them needs"


@pytest.mark.parametrize("name", RULES)
def test_contexts_of_one_frame_tiny_frames_and_black_ones_are_predicted_too(name: str) -> None:
    film = sliding(4)
    expected = np.zeros_like(film[:2]) if name == "black frame" else np.repeat(film[:1], 2, axis=0)
    assert RULES[name](film[:1], 2) == pytest.approx(expected), "nothing is known of how it moves"
    assert RULES[name](film[:2, :1, :1], 2).shape == (2, 1, 1, 1)
    assert (RULES[name](np.zeros_like(film), 2) == 0).all()


def test_flow_points_where_things_go() -> None:
    film = sliding(2)
    found = optical_flow(film[0], film[1])[8:-8, 16:-8]
    assert np.median(found[..., 0]) == pytest.approx(STEP, abs=0.2)
    assert np.median(found[..., 1]) == pytest.approx(0, abs=0.2)


def test_the_mean_image_is_that_of_all_frames_however_they_come() -> None:
    film = sliding(6)
    mean = MeanImage()
    with pytest.raises(ValueError, match="one frame or more"):
        mean.predict(film, 1)
    for part in (film[:1], film[1:4], film[4:]):
        mean.add(part)
    predicted = mean.predict(film[:2], 3)
    assert predicted == pytest.approx(np.repeat(film.mean(0)[None], 3, axis=0), abs=1e-6)
    assert predicted.dtype == np.float32


def test_signs_are_of_the_past_only_and_the_first_frame_has_none() -> None:
    film = sliding(7)
    found = signs_of(film)
    assert tuple(found) == SIGNS and {len(values) for values in found.values()} == {7}
    changed = film.copy()
    changed[4:] = film[4:, ::-1]
    again = signs_of(changed)
    for name in SIGNS:
        assert np.isnan(found[name][0]) and not np.isnan(found[name][1:]).any()
        assert (found[name][1:4] == again[name][1:4]).all()
        assert found[name][4] != again[name][4]


def test_signs_are_what_they_are_called() -> None:
    film = sliding(4)
    film[3, 16:32, 16:32] = 1 - film[3, 16:32, 16:32]
    found = {name: values[1:] for name, values in signs_of(film).items()}
    assert found["frame difference"] == pytest.approx([mse(a, b) for a, b in pairwise(film)])
    assert found["frame difference, worst block"][2] == pytest.approx(mse(film[2, 16:32, 16:32], film[3, 16:32, 16:32]))
    assert found["flow warp error"][1] < 0.3 * found["frame difference"][1], "what slides on is predicted"
    assert found["flow warp error"][0] == found["frame difference"][0], "after one frame nothing is known of motion"
    assert found["flow magnitude"][:2] == pytest.approx([STEP, STEP], rel=0.2)
    assert (found["flow magnitude, worst block"] >= found["flow magnitude"]).all()


@pytest.mark.parametrize("shape", [(1, 1, 1), (10, 10, 3), (48, 64, 1)])
def test_a_film_in_which_nothing_moves_has_signs_of_zero(shape: tuple[int, ...]) -> None:
    still = signs_of([np.full(shape, 0.0, np.float32)] * 3)
    assert all(values[1:] == pytest.approx([0, 0], abs=1e-4) for values in still.values())
    assert all(len(values) == 0 for values in signs_of([]).values())
    assert len(Signs().push(np.zeros(shape, np.float32))) == len(SIGNS)


@pytest.mark.slow
@pytest.mark.footage
def test_anomalies_of_a_street_are_separated_as_well_as_is_known(footage: Path) -> None:
    films = read_frame_labels(footage / "ped2" / "frames.csv").films
    found, truth = [], []
    for film in films:
        with open_film(film.path) as opened:
            pictures = [frame.pixels[..., 1:2].astype(np.float32) / 255 for frame in opened.frames(size=Size(128, 128))]
        film.check_length(len(pictures))
        found.append({name: values[1:] for name, values in signs_of(pictures).items()})
        truth.append(film.anomalous[1:])
    anomalies = np.concatenate(truth)
    for name, expected in (
        ("frame difference", 0.799),
        ("frame difference, worst block", 0.840),
        ("flow magnitude, worst block", 0.893),
    ):
        joined = np.concatenate([each[name] for each in found])
        assert roc_auc(joined, anomalies) == pytest.approx(expected, abs=0.005)
    spread = np.concatenate([spread_in_film(each["frame difference"]) for each in found])
    assert roc_auc(spread, anomalies) == pytest.approx(0.925, abs=0.01)
