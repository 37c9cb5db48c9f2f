"""A picture of truth, prediction and baseline side by side: what comes after a context, step by step.

    python benchmarks/forecast_picture.py OUT.png MODEL FILM[:SECONDS] [MODEL FILM[:SECONDS] ...]

Each pair has three rows: the film, the model's prediction from the frames before, and the last frame warped by the
optical flow of OpenCV. The horizon begins at SECONDS. From there on the model reads its own predictions.
"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidrnn.evaluate.baselines import RULES
from vidrnn.predict.predictor import open_model
from vidrnn.tasks.next_frame import as_picture, as_pixels, rollouts
from vidrnn.values import Pixels
from vidrnn.video.reader import open_film

STEPS = (1, 2, 3, 5, 7, 10)
SIDE, LABEL, GAP = 110, 96, 3  # pixels: height of a panel, width of the words, between panels
PAPER, INK = 255, (40, 40, 40)
Picture = NDArray[np.uint8]


def panels(model_path: Path, film: Path, seconds: float) -> list[tuple[str, list[Pixels]]]:
    """Three named rows: the last frame seen and the steps ahead."""
    model, _ = open_model(model_path)
    handling, forecast = model.handling, model.handling.forecast
    if forecast is None:
        raise SystemExit(f"{model_path}: predicts no frames. Name a model of --task next-frame.")
    spacing, channels = handling.sampling.spacing_seconds, forecast.channels
    with open_film(film) as opened:
        frames = opened.sampled(spacing, size=handling.size)
        start = max(0, round(seconds / spacing) - forecast.context)
        clip = np.stack([frame.pixels for frame in islice(frames, start, start + forecast.context + forecast.horizon)])
    context, ahead = clip[: forecast.context], as_picture(clip[forecast.context :], channels)
    last = as_pixels(as_picture(context[-1], channels))
    flow = RULES["last frame warped by optical flow"](as_picture(context, channels), forecast.horizon)
    rows = {"video": ahead, "forecast": rollouts(model, context[None], forecast.horizon)[0], "optical flow": flow}
    return [(name, [last, *(as_pixels(row[step - 1]) for step in STEPS)]) for name, row in rows.items()]


def panel_row(name: str, pictures: list[Pixels]) -> Picture:
    """A row of panels with its name before it."""
    height, width = pictures[0].shape[:2]
    size = (round(SIDE * width / height), SIDE)
    large = [cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST) for picture in pictures]
    gap = np.full((SIDE, GAP, 3), PAPER, np.uint8)
    words = np.full((SIDE, LABEL, 3), PAPER, np.uint8)
    cv2.putText(words, name, (2, SIDE // 2 + 4), cv2.FONT_HERSHEY_SIMPLEX, 0.45, INK, 1, cv2.LINE_AA)
    first = large[0] if name == "video" else np.full_like(large[0], PAPER)
    return np.concatenate([words, first, *(part for one in large[1:] for part in (gap, one))], 1)


def head(width: int) -> Picture:
    """The steps above the panels of a row that is so wide."""
    line = np.full((22, width, 3), PAPER, np.uint8)
    each = (width - LABEL) / (len(STEPS) + 1)
    for place, word in enumerate(("last seen", *(f"+{step}" for step in STEPS))):
        x = round(LABEL + each * place) + 4
        cv2.putText(line, word, (x, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)
    return line


def main() -> None:
    """Paint the picture."""
    out, *pairs = sys.argv[1:]
    blocks: list[Picture] = []
    for model, film in zip(pairs[::2], pairs[1::2], strict=True):
        path, _, seconds = film.partition(":")
        rows = [panel_row(*row) for row in panels(Path(model), Path(path), float(seconds or 0))]
        gap = np.full((GAP, rows[0].shape[1], 3), PAPER, np.uint8)
        blocks.append(np.concatenate([head(rows[0].shape[1]), *(part for row in rows for part in (row, gap))]))
    width = max(block.shape[1] for block in blocks)
    wide = [np.pad(block, ((0, 8), (0, width - block.shape[1]), (0, 0)), constant_values=PAPER) for block in blocks]
    cv2.imwrite(out, cv2.cvtColor(np.concatenate(wide), cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
