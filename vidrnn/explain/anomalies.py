"""Which blocks made a frame an anomaly, for models that predict pictures."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidrnn.events import Progress
from vidrnn.explain.base import Box, Curve, Places
from vidrnn.explain.reading import FRAMES_ALONG, size_to_show, small, steps_along
from vidrnn.runtimes.base import Runtime
from vidrnn.tasks.next_frame import FrameJudge
from vidrnn.timeline.anomaly import Surprise, block_map, block_spans
from vidrnn.timeline.segments import ANOMALY
from vidrnn.values import DecisionRule, FilmPrediction, Floats, Frame, Pixels, Segment, Size
from vidrnn.video.reader import open_film
from vidrnn.video.resizing import resized

STAGE = "blocks"


@dataclass(frozen=True, eq=False)
class JudgedFrame:
    """A frame, and how surprising each of its blocks is."""

    frame: Frame
    """At the film's own size."""
    blocks: Floats | None
    """(rows, columns); None for the first frames, which have no prediction."""


def judged_frames(model: Runtime, rule: DecisionRule, path: Path, rate: float | None) -> Iterator[JudgedFrame]:
    """The frames of a film on the model's grid, each judged by its prediction.

    A block's number is its surprise; for a model that does not know what is normal, the root of its squared error.

    Raises:
        FilmError: the film cannot be read.
    """
    handling, judge = model.handling, FrameJudge(model, rule)
    surprise = Surprise(rule.anomaly) if rule.anomaly else None
    with open_film(path, rate=rate) as film:
        for frame in film.sampled(handling.sampling.spacing_seconds):
            judged = judge.push(resized(frame.pixels, handling.size))
            if judged is None:
                yield JudgedFrame(frame, None)
            elif surprise is None:
                yield JudgedFrame(frame, np.sqrt(block_map(judged.squared)))
            else:
                yield JudgedFrame(frame, surprise.places(judged.squared, judged.speed))


def anomaly_stretches(prediction: FilmPrediction) -> tuple[Segment, ...]:
    """The segments that are anomalies; without any, the whole film, whose worst frame is shown all the same."""
    found = tuple(one for one in prediction.segments if one.label == ANOMALY)
    if found or prediction.timeline is None:
        return found
    start, score = float(prediction.timeline.seconds[0]), prediction.measures.get("anomaly", float("nan"))
    return (Segment(start, start + prediction.duration_seconds, ANOMALY, float(np.nan_to_num(score))),)


def find_blocks(
    model: Runtime, rule: DecisionRule, prediction: FilmPrediction, stretches: tuple[Segment, ...], rate: float | None
) -> Generator[Progress, None, tuple[Curve, list[Places | None], tuple[tuple[float, Pixels], ...]]]:
    """The surprise of each frame of a film, and the blocks of the worst frame of each stretch.

    Returns:
        the curve over the whole film; for each stretch its worst frame, None where it has no judged frame; and small
        frames along the curve with their times.
    """
    timeline, size = prediction.timeline, model.handling.size
    steps = 0 if timeline is None else len(timeline.seconds)
    along = {*steps_along(steps, FRAMES_ALONG)}
    seconds, worst = list[float](), list[float]()
    frames: list[tuple[float, Pixels]] = []
    found: list[tuple[float, Places] | None] = [None] * len(stretches)
    for judged in judged_frames(model, rule, prediction.path, rate):
        at = judged.frame.seconds
        if len(seconds) in along:
            frames.append((at, small(judged.frame.pixels)))
        seconds.append(at)
        worst.append(float("nan") if judged.blocks is None else float(judged.blocks.max()))
        for number, stretch in enumerate(stretches):
            best = found[number]
            inside = judged.blocks is not None and stretch.start_seconds <= at < stretch.end_seconds
            if inside and (best is None or worst[-1] > best[0]):
                found[number] = (worst[-1], _places(judged, size))
        yield Progress(STAGE, len(seconds), max(steps, len(seconds)))
    curve = Curve(np.asarray(seconds), np.asarray(worst), model.handling.sampling.spacing_seconds)
    return curve, [one and one[1] for one in found], tuple(frames)


def _places(judged: JudgedFrame, size: Size) -> Places:
    assert judged.blocks is not None
    frame, at = judged.frame, judged.frame.seconds
    shown = resized(frame.pixels, size_to_show(Size(*frame.pixels.shape[:2])))
    return Places(at, at, at, frame.index, block_boxes(size), judged.blocks.reshape(-1), np.array(shown))


def block_boxes(size: Size) -> tuple[Box, ...]:
    """The blocks of a picture of the model's size, row by row."""
    return tuple(
        Box(top / size.height, left / size.width, bottom / size.height, right / size.width)
        for top, bottom in block_spans(size.height)
        for left, right in block_spans(size.width)
    )
