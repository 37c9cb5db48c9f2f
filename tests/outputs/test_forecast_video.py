"""Pictures of a film beside what was foretold of it: panels, words and the curve of scores."""

from __future__ import annotations

import numpy as np

from vidrnn.outputs.forecast_video import Filmstrip
from vidrnn.tasks.next_frame import Judgement
from vidrnn.timeline.anomaly import FrameError
from vidrnn.values import Pixels, Size

SIZE = Size(24, 32)
FRAME = np.full((24, 32, 3), (200, 100, 50), dtype=np.uint8)
GREEN, RED = (89, 161, 79), (225, 87, 89)


def judged(score: float, shade: float = 0.5, channels: int = 3) -> Judgement:
    painted = np.full((24, 32, channels), shade, np.float32)
    return Judgement(painted, FrameError(0.01, 0.02), np.zeros((24, 32), np.float32), None, score, score)


def panels(picture: Pixels) -> list[tuple[int, ...]]:
    """The colour in the middle of each of the three panels."""
    row, width = 26 + (picture.shape[0] - 86) // 2, picture.shape[1]
    return [tuple(map(int, picture[row, round(width * (2 * place + 1) / 6)])) for place in range(3)]


def has(picture: Pixels, colour: tuple[int, ...], rows: slice) -> bool:
    return bool((picture[rows] == colour).all(-1).any())


def test_film_foretold_and_difference_stand_side_by_side() -> None:
    picture = Filmstrip(SIZE, 3, 0.5).watched(FRAME, judged(0.2), 1.5)
    assert picture.dtype == np.uint8 and min(picture.shape[:2]) > 200
    assert panels(picture) == [(200, 100, 50), (128, 128, 128), (255, 112, 255)], "differences fourfold"


def test_a_frame_that_was_not_judged_has_empty_panels_and_no_curve() -> None:
    first, second, third = panels(Filmstrip(SIZE, 3, 0.5).watched(FRAME, None, 0.0))
    assert first == (200, 100, 50) and second == third == (48, 48, 48)


def test_a_grey_model_shows_the_film_as_it_sees_it() -> None:
    first, second, _ = panels(Filmstrip(SIZE, 1, 0.5).watched(FRAME, judged(0.2, channels=1), 0.0))
    assert len(set(first)) == len(set(second)) == 1 and first[0] == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)


def test_the_curve_grows_by_a_column_a_frame_and_is_red_from_the_threshold_on() -> None:
    strip = Filmstrip(SIZE, 3, 0.5)
    low = strip.watched(FRAME, judged(0.3), 0.0)
    assert has(low, GREEN, slice(-56, None)) and not has(low, RED, slice(-56, None))
    high = strip.watched(FRAME, judged(0.7), 0.1)
    chart = high[-56:]
    assert tuple(chart[-1, 0]) == GREEN and tuple(chart[-1, 1]) == RED
    heights = [(chart[:, column] == colour).all(-1).sum() for column, colour in ((0, GREEN), (1, RED))]
    assert heights[0] < heights[1]
    assert (low[-1, 0] == chart[-1, 0]).all()


def test_all_pictures_of_a_film_are_of_one_size_however_long_it_is() -> None:
    strip, frame = Filmstrip(Size(180, 8), 3, 0.5), np.zeros((180, 8, 3), dtype=np.uint8)
    shapes = {strip.watched(frame, None, step / 10).shape for step in range(50)}
    shapes.add(strip.beyond(np.zeros((180, 8, 3), np.float32), 1).shape)
    assert shapes == {(4 * 180 + 86, 3 * 4 * 8 + 8, 3)}


def test_beyond_the_end_only_what_was_foretold_is_shown() -> None:
    first, second, third = panels(Filmstrip(SIZE, 3, 0.5).beyond(np.full((24, 32, 3), 1.0, np.float32), 2))
    assert second == (255, 255, 255) and first == third == (48, 48, 48)
