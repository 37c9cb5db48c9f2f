"""The files of an explanation: numbers as JSON, a picture, and a video."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import cv2

from vidrnn.atomic import write_bytes, write_text
from vidrnn.data.listing.own_results import result_file
from vidrnn.events import Progress
from vidrnn.explain.base import Explanation
from vidrnn.explain.explainer import explain
from vidrnn.explain.film import write_explained
from vidrnn.explain.strip import draw_strip
from vidrnn.plain_json import json_text
from vidrnn.predict.predictor import Predictor
from vidrnn.values import FilmPrediction

NUMBERS, PICTURE, FILM = ".explain.json", ".explain.png", ".explain.webm"
"""The ends of the names of the files, after the whole name of the film."""


def write_explanation(
    predictor: Predictor, prediction: FilmPrediction, out: Path, model: str
) -> Generator[Progress, None, list[Path]]:
    """Explain an answer, and write the files into the folder `out`. Gives the files.

    A model that reads features has no video.

    Raises:
        FilmError: the film cannot be read once more.
        ModelError: answers of this kind cannot be explained.
        OutputError: a file cannot be written.
    """
    explanation = yield from explain(predictor, prediction)
    name = prediction.path.name
    numbers, picture, film = (result_file(out, name, suffix) for suffix in (NUMBERS, PICTURE, FILM))
    write_text(numbers, json_text(explanation.numbers(name, model), indent=1) + "\n")
    write_bytes(picture, _png(explanation, f"{name}   {model}"))
    if predictor.model.handling.features is not None:
        return [numbers, picture]
    yield Progress(f"writing {FILM.removeprefix('.')}", 0, 1)
    write_explained(explanation, predictor, film)
    return [numbers, picture, film]


def _png(explanation: Explanation, title: str) -> bytes:
    done, content = cv2.imencode(".png", cv2.cvtColor(draw_strip(explanation, title), cv2.COLOR_RGB2BGR))
    assert done, "OpenCV writes PNG everywhere"
    return content.tobytes()
