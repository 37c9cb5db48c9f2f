"""A model beside baselines: the same stretches, every step, and a sentence that names each baseline as good."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import FRAMES_SIZE, gliding_model, paint_square

from vidrnn.evaluate.baselines import RULES, MeanImage
from vidrnn.evaluate.forecast_scores import THIS_MODEL, forecast_report, score_forecasts, verdict
from vidrnn.evaluate.metrics import FrameScores, StepScores
from vidrnn.tasks.next_frame import as_picture
from vidrnn.values import Pixels


def stretches(count: int, frames: int = 7) -> list[Pixels]:
    paints = [paint_square(seed) for seed in range(count)]
    return [np.stack([paint(index, FRAMES_SIZE) for index in range(frames)]) for paint in paints]


def mean_of(films: list[Pixels]) -> MeanImage:
    mean = MeanImage()
    for film in films:
        mean.add(as_picture(film, 3))
    return mean


def scores(*mses: float, ssims: tuple[float | None, ...] | None = None) -> FrameScores:
    steps = tuple(
        StepScores(mse * 768, mse, mse, mse, 20.0, ssim)
        for mse, ssim in zip(mses, ssims or (0.5,) * len(mses), strict=True)
    )
    return FrameScores(1, (24, 32, 1), steps[0], steps)


def test_a_model_that_knows_is_better_than_every_baseline_on_the_same_stretches() -> None:
    films = stretches(10)
    report = score_forecasts(gliding_model(), films, mean_of(films), "these videos")
    numbers = report.numbers
    assert [*numbers["baselines"]] == [*RULES, "mean image"]
    assert [row[0] for row in report.tables[0].rows] == [*RULES, "mean image", THIS_MODEL]
    assert (numbers["part"], numbers["stretches"]) == ("these videos", 10)
    assert numbers["mse"] < 1e-10 and numbers["ssim"] == pytest.approx(1.0)
    assert report.sentences == ("Better than every baseline at every step, in MSE and SSIM.",)
    copied = numbers["baselines"]["copy of the last frame"]
    expected = np.mean([np.square(as_picture(one[4:], 3) - as_picture(one[3:4], 3)) for one in films])
    assert copied["mse"] == pytest.approx(expected, rel=1e-5)
    assert copied["per_step"][0]["mse"] < copied["per_step"][2]["mse"]
    assert copied["mse_sum"] == pytest.approx(copied["mse"] * 24 * 32 * 3)


def test_grey_models_are_scored_in_brightness() -> None:
    films = [np.stack([paint_square(1, grey=True)(index, FRAMES_SIZE) for index in range(7)])]
    numbers = score_forecasts(gliding_model(grey=True), films, None, "val").numbers
    assert [*numbers["baselines"]] == [*RULES], "without training videos there is no mean image"
    assert numbers["mse"] < 1e-10
    black = numbers["baselines"]["black frame"]
    assert black["mse_sum"] == pytest.approx(black["mse"] * 24 * 32)


def test_numbers_are_defined_beside_the_tables() -> None:
    text = " ".join(score_forecasts(gliding_model(), stretches(1), None, "val").notes)
    for word in ("MSE", "MAE", "PSNR", "SSIM", "sum", "from 0 to 1"):
        assert word in text


def test_the_table_of_many_steps_shows_the_first_and_the_last() -> None:
    many = scores(*(0.1 * step for step in range(1, 31)))
    table = forecast_report({"copy": many, THIS_MODEL: many}, "val", 1).tables[1]
    assert table.columns == ("step ahead", "1", "2", "3", "7", "13", "18", "24", "30")
    assert table.rows[0][1] == f"{0.1 * 768:.1f}" and table.rows[0][-1] == f"{3 * 768:.1f}"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (scores(0.2, 0.2, 0.2), None),
        (scores(0.1, 0.2, 0.2), "copy at step 1."),
        (scores(0.05, 0.05, 0.2), "copy at steps 1 to 2."),
        (scores(0.05, 0.2, 0.05), "copy at steps 1, 3."),
        (scores(0.05, 0.05, 0.05), "copy at every step."),
        (scores(0.2, 0.2, 0.2, ssims=(0.4, 0.4, 0.6)), "copy at step 3."),
        (scores(0.2, 0.2, 0.2, ssims=(None, None, None)), None),
    ],
)
def test_baselines_that_are_as_good_are_named_with_their_steps(other: FrameScores, words: str | None) -> None:
    sentence = verdict({"copy": other, THIS_MODEL: scores(0.1, 0.1, 0.1)})
    if words is None:
        assert sentence.startswith("Better than every baseline")
    else:
        assert sentence == f"These baselines are as good as this model, or better, in MSE or SSIM: {words}"


def test_several_baselines_and_a_single_step_are_named_as_such() -> None:
    sentence = verdict({"copy": scores(0.1), "black": scores(0.01), THIS_MODEL: scores(0.1)})
    assert sentence.endswith("copy at the only step; black at the only step.")
    negative = verdict({"copy": scores(0.2, ssims=(0.0,)), THIS_MODEL: scores(0.1, ssims=(-0.5,))})
    assert "copy at the only step" in negative
