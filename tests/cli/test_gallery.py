"""Tables about models of the next frames: every method, every step that fits, and what the numbers are."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from vidrnn.cli.views.gallery import clock, show_foretold, show_watched

from vidrnn.events import ForecastScores, MethodScores, StepNumbers


def printed(show: object, told: object) -> str:
    text = io.StringIO()
    show(told, Console(file=text, width=120, highlight=False))  # type: ignore[operator]
    return text.getvalue()


def method(name: str, steps: int, ssim: float | None = 0.5) -> MethodScores:
    per_step = tuple(StepNumbers(100.0 + step, 50.0, 1e-3, 1e-2, 30.0, ssim) for step in range(1, steps + 1))
    return MethodScores(name, per_step[0], per_step)


def foretold(steps: int, ssim: float | None = 0.5) -> ForecastScores:
    rows = (method("copy [last]", steps, ssim), method("this model", steps, ssim))
    return ForecastScores("test", 7, rows, "Better [everywhere].", ("MSE: a sum.",))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0, "0:00.0"), (83.44, "1:23.4"), (59.96, "1:00.0"), (7384.5, "2:03:04.5"), (-1.0, "0:00.0")],
)
def test_seconds_are_written_as_people_do(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


@pytest.mark.parametrize(
    ("steps", "shown"), [(1, "1"), (8, "1 2 3 4 5 6 7 8"), (10, "1 2 3 5 6 8 10"), (100, "1 2 3 21 41 60 80 100")]
)
def test_steps_that_fit_into_a_line_are_shown_the_last_always(steps: int, shown: str) -> None:
    [line] = [line for line in printed(show_foretold, foretold(steps)).splitlines() if "step ahead  " in line]
    assert " ".join(line.split()[2:]) == shown


def test_scores_stand_beside_their_definitions_and_the_verdict() -> None:
    text = printed(show_foretold, foretold(3))
    for words in ("test: 7 stretches", "copy [last]", "this model", "MSE: a sum.", "Better [everywhere].", "0.500"):
        assert words in text
    assert "0.500" not in printed(show_foretold, foretold(3, None))


def test_a_film_is_told_of_with_its_notes_and_stretches() -> None:
    row = {
        "path": "a[1].mkv",
        "most_unusual": 0.912,
        "mean_mse": 0.00123,
        "duration_seconds": 83.4,
        "frames": 1234,
        "notes": ["cut [short]"],
        "segments": [{"start_seconds": 1.0, "end_seconds": 2.5, "label": "unusual", "probability": 0.912}],
    }
    text = printed(show_watched, row)
    for words in ("a[1].mkv", "1:23.4", "1,234 frames", "1.23e-03", "0.91", "cut [short]", "0:01.0 to   0:02.5"):
        assert words in text
    nothing = printed(show_watched, {**row, "most_unusual": None, "mean_mse": None, "segments": []})
    assert "most unusual" not in nothing and "MSE" not in nothing
