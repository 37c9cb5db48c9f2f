"""An explanation as a video: the film with its decisive places lit, its answers below, and the curve of *when*."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vidrnn.data.listing.own_results import MARK
from vidrnn.explain.anomalies import block_boxes, judged_frames
from vidrnn.explain.base import Explanation, Reason, heat_of
from vidrnn.explain.pictures import Chart, lit
from vidrnn.outputs.strips import strip_for
from vidrnn.outputs.video import NARROWEST, above, even_frames, even_rate, shown_size
from vidrnn.predict.predictor import Predictor
from vidrnn.values import Pixels, Size
from vidrnn.video.reader import open_film
from vidrnn.video.resizing import resized
from vidrnn.video.writer import write_film

_CHART = 48
_SURPRISING = 1.0
"""The surprise from which on a frame is shown with its blocks."""
_SLOWEST_FPS, _FASTEST_FPS = 1.0, 60.0


def write_explained(explanation: Explanation, predictor: Predictor, file: Path) -> None:
    """Write the film of an explanation, whole or not at all. The film is read once more.

    Raises:
        FilmError: the film cannot be read.
        OutputError: the file cannot be written.
    """
    if explanation.unit == "surprise":
        spacing = predictor.model.handling.sampling.spacing_seconds
        fps = float(np.clip(1 / spacing, _SLOWEST_FPS, _FASTEST_FPS))
        write_film(file, _anomalies(explanation, predictor), fps, MARK)
    else:
        fps = even_rate(explanation.prediction)
        write_film(file, _answers(explanation, predictor, fps), fps, MARK)


def _answers(explanation: Explanation, predictor: Predictor, fps: float) -> Iterator[Pixels]:
    prediction = explanation.prediction
    with open_film(prediction.path, rate=predictor.rate_for(prediction.path)) as film:
        size = shown_size(film.size)
        width = max(NARROWEST, size.width)
        strip, charts = strip_for(prediction, width), _Charts(explanation, width)
        spacing = predictor.model.handling.sampling.spacing_seconds
        heats = [(one, one.heat(size.height, size.width)) for reason in explanation.reasons for one in reason.places]
        for pixels, seconds in even_frames(film, fps):
            shown = resized(pixels, size)
            around = (seconds - spacing / 2, seconds + spacing / 2)  # a step stands for the frames around it
            heat = next(
                (heat for one, heat in heats if around[0] < one.last_seconds and one.first_seconds < around[1]), None
            )
            picture = shown if heat is None else lit(shown, heat)
            yield np.concatenate([above(picture, size, strip.at(seconds)), charts.at(seconds)])


def _anomalies(explanation: Explanation, predictor: Predictor) -> Iterator[Pixels]:
    prediction, model = explanation.prediction, predictor.model
    boxes = block_boxes(model.handling.size)
    rate, high = predictor.rate_for(prediction.path), _high(explanation)
    size: Size | None = None
    for judged in judged_frames(model, predictor.options.rule, prediction.path, rate):
        if size is None:
            size = shown_size(Size(*judged.frame.pixels.shape[:2]))
            charts = _Charts(explanation, max(NARROWEST, size.width))
        picture = resized(judged.frame.pixels, size)
        if judged.blocks is not None and judged.blocks.max() >= high:
            picture = lit(picture, heat_of(boxes, judged.blocks.reshape(-1), size.height, size.width))
        yield above(picture, size, charts.at(judged.frame.seconds))


def _high(explanation: Explanation) -> float:
    """The surprise from which on blocks are shown: where nothing is surprising, that of the worst frame."""
    worst = [float(np.nanmax(reason.curve.values)) for reason in explanation.reasons]
    return min([_SURPRISING, *worst])


class _Charts:
    """The curve for each time: that of the segment that holds it, else that of the film."""

    def __init__(self, explanation: Explanation, width: int) -> None:
        reasons = sorted(explanation.reasons, key=lambda one: one.of_film)  # segments first
        self._charts = [(one, self._chart(one, width)) for one in reasons]
        self._nothing = np.full((_CHART, width, 3), 24, dtype=np.uint8)

    @staticmethod
    def _chart(reason: Reason, width: int) -> Chart:
        return Chart(reason.curve, (reason.start_seconds, reason.end_seconds), width, _CHART)

    def at(self, seconds: float) -> Pixels:
        """(height, width, 3) the curve with a line at a time."""
        held = [(one, chart) for one, chart in self._charts if one.start_seconds <= seconds < one.end_seconds]
        near = held or [(one, chart) for one, chart in self._charts if chart.holds(seconds)]
        return near[0][1].at(seconds) if near else self._nothing
