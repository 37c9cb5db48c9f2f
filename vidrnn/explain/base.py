"""What an explanation holds: for each answer the curve of *when*, and maps of *where*. No networks, no files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from vidrnn.values import FilmPrediction, Floats, Pixels

_DIGITS = 4
"""Decimal places in JSON."""
_ROUNDING = 1e-9
"""Heat that differs by less is the same."""

Unit = Literal["evidence", "surprise"]
"""What the numbers of an explanation are. `evidence`: how much the logarithm of the odds of the answer falls when a
part of the film is hidden. `surprise`: how far a frame is from its prediction; normal frames seldom have 1 or more."""


@dataclass(frozen=True, eq=False)
class Curve:
    """When a film decides an answer: a number for each moment that the model looked at."""

    seconds: Floats
    """(steps,) by the film's own clock."""
    values: Floats
    """(steps,) how much each moment speaks for the answer, below 0 against it; NaN where that is not known."""
    stretch_seconds: float
    """How long the stretches are that were hidden together, so how exact the times are."""
    whole: float = float("nan")
    """The logarithm of the odds of the answer when nothing is hidden."""

    @property
    def peak(self) -> int:
        """The step that decides most."""
        return int(np.nanargmax(self.values)) if not np.isnan(self.values).all() else 0


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a picture. Its sides are shares of the picture's height and width, from 0 to 1."""

    top: float
    left: float
    bottom: float
    right: float


@dataclass(frozen=True, eq=False)
class Places:
    """Where a moment of a film decides an answer."""

    seconds: float
    """Of the frame that is shown."""
    first_seconds: float
    """Of the first frame that the map is of."""
    last_seconds: float
    """Of the last one."""
    frame: int
    """The film's own frame that is shown, counted from 0."""
    boxes: tuple[Box, ...]
    """The parts that were hidden, or judged, one after another. They may overlap."""
    values: Floats
    """(boxes,) how much each part speaks for the answer."""
    picture: Pixels
    """(height, width, 3) the frame that is shown."""

    @property
    def peak(self) -> tuple[float, float]:
        """How far down and how far to the right the middle of the most decisive place is, from 0 to 1.

        It is the place where the mean of all parts that hold it is highest, since a single part may mislead.
        """
        height, width = self.picture.shape[:2]
        heat = self.heat(height, width)
        rows, columns = np.nonzero(heat >= heat.max() - _ROUNDING)
        return float(rows.mean() + 0.5) / height, float(columns.mean() + 0.5) / width

    def heat(self, height: int, width: int) -> Floats:
        """(height, width) the mean of the parts that hold each pixel, as `heat_of` gives it."""
        return heat_of(self.boxes, self.values, height, width)


def heat_of(boxes: Sequence[Box], values: Floats, height: int, width: int) -> Floats:
    """(height, width) the mean of the values of the boxes that hold each pixel; 0 where there is none."""
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for box, value in zip(boxes, values, strict=True):
        rows = slice(round(box.top * height), max(round(box.bottom * height), round(box.top * height) + 1))
        columns = slice(round(box.left * width), max(round(box.right * width), round(box.left * width) + 1))
        total[rows, columns] += value
        count[rows, columns] += 1
    heat: Floats = total / np.maximum(count, 1)
    return heat


@dataclass(frozen=True, eq=False)
class Reason:
    """Why one answer was given: that of the film, or that of a segment."""

    label: str
    probability: float
    start_seconds: float
    end_seconds: float
    curve: Curve
    places: tuple[Places, ...] = ()
    """The most decisive moments, the most decisive one first."""
    frames: tuple[tuple[float, Pixels], ...] = ()
    """Small pictures of the film along the curve, each with its time in seconds."""
    of_film: bool = False
    """Whether it is the answer for the film as a whole."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a model gave the answers for one film."""

    prediction: FilmPrediction
    unit: Unit
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...] = ()
    """What could not be explained, and why."""

    def numbers(self, name: str, model: str) -> dict[str, Any]:
        """All numbers as JSON. `name` is the film's name, `model` the model's."""
        return {
            "path": name,
            "model": model,
            "unit": self.unit,
            "reasons": [_reason(one) for one in self.reasons],
            "notes": list(self.notes),
        }


def _reason(reason: Reason) -> dict[str, Any]:
    curve = reason.curve
    when = {
        "peak_seconds": _rounded(curve.seconds[curve.peak]),
        "stretch_seconds": _rounded(curve.stretch_seconds),
        "seconds": _rounded_all(curve.seconds),
        "values": _rounded_all(curve.values),
    }
    if math.isfinite(curve.whole):
        when["whole"] = _rounded(curve.whole)
    return {
        "label": reason.label,
        "probability": _rounded(reason.probability),
        "of": "film" if reason.of_film else "segment",
        "start_seconds": _rounded(reason.start_seconds),
        "end_seconds": _rounded(reason.end_seconds),
        "when": when,
        "where": [_places(one) for one in reason.places],
    }


def _places(places: Places) -> dict[str, Any]:
    order = np.argsort(-places.values, kind="stable")
    return {
        "seconds": _rounded(places.seconds),
        "first_seconds": _rounded(places.first_seconds),
        "last_seconds": _rounded(places.last_seconds),
        "frame": places.frame,
        "peak": {"down": _rounded(places.peak[0]), "right": _rounded(places.peak[1])},
        "boxes": [_box(places.boxes[place], float(places.values[place])) for place in order],
    }


def _box(box: Box, value: float) -> dict[str, float]:
    sides = {"top": box.top, "left": box.left, "bottom": box.bottom, "right": box.right}
    return {name: _rounded(side) for name, side in sides.items()} | {"value": _rounded(value)}


def _rounded(number: float) -> float:
    return round(float(number), _DIGITS)


def _rounded_all(numbers: Floats) -> list[float]:
    return [_rounded(number) for number in numbers]
