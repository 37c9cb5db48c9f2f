"""Frames of a film beside their predictions: panels, words and the curve of anomaly scores."""

from __future__ import annotations

import numpy as np

from vidrnn.outputs.forecast_video import ForecastStrip
from vidrnn.values import ForecastFrame, Pixels, Size

SIZE = Size(24, 32)
NAN = float("nan")
FRAME = np.full((24, 32, 3), (200, 100, 50), dtype=np.uint8)
GREEN, RED = (89, 161, 79), (225, 87, 89)


def frame(score: float, seconds: float = 0.0, shade: int = 128) -> ForecastFrame:
    return ForecastFrame(seconds, FRAME, np.full_like(FRAME, shade), score)


def panels(picture: Pixels) -> list[tuple[int, ...]]:
    """The colour in the middle of each of the three panels."""
    row, width = 26 + (picture.shape[0] - 86) // 2, picture.shape[1]
    return [tuple(map(int, picture[row, round(width * (2 * place + 1) / 6)])) for place in range(3)]


def has(picture: Pixels, colour: tuple[int, ...], rows: slice) -> bool:
    return bool((picture[rows] == colour).all(-1).any())


def test_video_prediction_and_difference_stand_side_by_side() -> None:
    picture = ForecastStrip(SIZE, 0.5).paint(frame(0.2, 1.5))
    assert picture.dtype == np.uint8 and min(picture.shape[:2]) > 200
    assert panels(picture) == [(200, 100, 50), (128, 128, 128), (255, 112, 255)], "differences fourfold"


def test_a_frame_without_a_prediction_has_empty_panels_and_no_curve() -> None:
    picture = ForecastStrip(SIZE, 0.5).paint(ForecastFrame(0.0, FRAME, None, NAN))
    first, second, third = panels(picture)
    assert first == (200, 100, 50) and second == third == (48, 48, 48)
    assert not has(picture, GREEN, slice(-56, None)) and not has(picture, RED, slice(-56, None))


def test_the_curve_grows_by_a_column_a_frame_and_is_red_from_the_threshold_on() -> None:
    strip = ForecastStrip(SIZE, 0.5)
    low = strip.paint(frame(0.3))
    assert has(low, GREEN, slice(-56, None)) and not has(low, RED, slice(-56, None))
    chart = strip.paint(frame(0.7, 0.1))[-56:]
    assert tuple(chart[-1, 0]) == GREEN and tuple(chart[-1, 1]) == RED
    heights = [(chart[:, column] == colour).all(-1).sum() for column, colour in ((0, GREEN), (1, RED))]
    assert heights[0] < heights[1]
    assert (low[-1, 0] == chart[-1, 0]).all()


def test_all_pictures_of_a_film_are_of_one_size_however_long_it_is() -> None:
    strip, black = ForecastStrip(Size(180, 8), 0.5), np.zeros((180, 8, 3), dtype=np.uint8)
    shapes = {strip.paint(ForecastFrame(step / 10, black, None, NAN)).shape for step in range(50)}
    shapes.add(strip.paint(ForecastFrame(5.0, black, black, NAN, beyond=1)).shape)
    assert shapes == {(4 * 180 + 86, 3 * 4 * 8 + 8, 3)}


def test_beyond_the_end_only_the_prediction_is_shown() -> None:
    beyond = ForecastFrame(2.0, np.zeros_like(FRAME), np.full_like(FRAME, 255), NAN, beyond=2)
    first, second, third = panels(ForecastStrip(SIZE, 0.5).paint(beyond))
    assert second == (255, 255, 255) and first == third == (48, 48, 48)
