"""An explanation as one picture: for each answer the film along its curve, and the places of its decisive moments."""

from __future__ import annotations

import math

import numpy as np

from vidrnn.explain.base import Explanation, Places, Reason, Unit
from vidrnn.explain.pictures import DIM, FOR, INK, PAPER, Chart, lit_places
from vidrnn.outputs.strips import draw_text, shortened, text_width
from vidrnn.values import Pixels, Size
from vidrnn.video.resizing import resized

_WIDTH, _MARGIN = 960, 16
_INNER = _WIDTH - 2 * _MARGIN
_LETTERS, _SMALL_LETTERS = 20, 14
_LINE, _SMALL_LINE = 34, 22
_CHART, _MARKS = 72, 8
_PANEL, _GAP = 190, 6
"""Pixels: the height of the frames of decisive moments, and what is between two pictures."""
_LEGEND: dict[Unit, str] = {
    "evidence": "Orange speaks for the answer, blue against it. Bright places of a frame decide.",
    "surprise": "Orange: how far each frame is from its prediction. Bright places of a frame surprise most.",
}


def draw_strip(explanation: Explanation, title: str) -> Pixels:
    """(height, 960, 3) RGB: all reasons, one below the other."""
    rows = [_text_line(title, INK, _LETTERS, _LINE), _text_line(_LEGEND[explanation.unit], DIM)]
    rows += [_text_line(note, DIM) for note in explanation.notes]
    for reason in explanation.reasons:
        rows.append(_ground(_GAP * 2))
        rows += _reason_rows(reason)
    return np.concatenate([*rows, _ground(_MARGIN)])


def _reason_rows(reason: Reason) -> list[Pixels]:
    whole = "the whole video" if reason.of_film else f"{_time(reason.start_seconds)} to {_time(reason.end_seconds)}"
    answer = f"{reason.label}  {reason.probability:.2f}   {whole}"
    rows = [_text_line(answer, INK, _LETTERS, _LINE, right=_when(reason))]
    if reason.frames:
        rows.append(_inner(_along(reason)))
        rows.append(_ground(_GAP // 2))
    chart = Chart(reason.curve, (reason.start_seconds, reason.end_seconds), _INNER, _CHART)
    rows += [_inner(chart.picture), _inner(_marks(chart, reason)), _inner(_axis(reason))]
    if reason.places:
        rows += [_ground(_GAP), *_panels(reason.places)]
    return rows


def _when(reason: Reason) -> str:
    values = reason.curve.values
    if not len(values) or np.isnan(values).all() or math.isclose(float(np.nanmax(values)), 0, abs_tol=1e-12):
        return ""
    return f"most at {_time(float(reason.curve.seconds[reason.curve.peak]))}"


def _along(reason: Reason) -> Pixels:
    """Small frames in a row, as wide as the curve below them."""
    count = len(reason.frames)
    edges = [round(_INNER * number / count) for number in range(count + 1)]
    height, width = reason.frames[0][1].shape[:2]
    tall = max(1, min(round((_INNER / count - 2) * height / width), 120))
    row = np.full((tall, _INNER, 3), PAPER, dtype=np.uint8)
    for (_, picture), left, right in zip(reason.frames, edges, edges[1:], strict=False):
        wide = max(1, min(right - left - 2, round(tall * width / height)))
        start = left + (right - left - wide) // 2
        row[:, start : start + wide] = resized(picture, Size(tall, wide))
    return row


def _marks(chart: Chart, reason: Reason) -> Pixels:
    """A mark below the curve for each decisive moment."""
    row = np.full((_MARKS, _INNER, 3), PAPER, dtype=np.uint8)
    for places in reason.places:
        column = min(max(chart.column(places.seconds), 0), _INNER - 1)
        for height in range(_MARKS):
            row[height, max(0, column - height // 2) : column + height // 2 + 1] = FOR
    return row


def _axis(reason: Reason) -> Pixels:
    row = np.full((_SMALL_LINE, _INNER, 3), PAPER, dtype=np.uint8)
    first, last = _time(float(reason.curve.seconds[0])), _time(float(reason.curve.seconds[-1]))
    draw_text(row, first, (0, _SMALL_LETTERS), _SMALL_LETTERS, DIM)
    draw_text(row, last, (_INNER - text_width(last, _SMALL_LETTERS), _SMALL_LETTERS), _SMALL_LETTERS, DIM)
    return row


def _panels(places: tuple[Places, ...]) -> list[Pixels]:
    """The frames of decisive moments side by side: each as it is if there is room, and with its places lit."""
    pairs = [(one, lit_places(one)) for one in sorted(places, key=lambda one: one.seconds)]
    height, width = pairs[0][0].picture.shape[:2]
    each = 2 if (_INNER + _GAP) // (2 * len(pairs)) >= 100 else 1
    count = each * len(pairs)
    tall = max(1, min(_PANEL, round(((_INNER + _GAP) / count - _GAP) * height / width)))
    wide = max(1, round(tall * width / height))
    row = np.full((tall, _INNER, 3), PAPER, dtype=np.uint8)
    words = np.full((_SMALL_LINE, _INNER, 3), PAPER, dtype=np.uint8)
    left = 0
    for one, bright in pairs:
        caption = f"{_time(one.seconds)}   up to {one.values.max():.2f}"
        draw_text(words, caption, (left, _SMALL_LETTERS + 2), _SMALL_LETTERS, DIM)
        for picture in (one.picture, bright)[2 - each :]:
            shown = row[:, left : left + wide]
            shown[:] = resized(picture, Size(tall, wide))[:, : shown.shape[1]]
            left += wide + _GAP
    return [_inner(row), _inner(words)]


def _text_line(
    text: str, colour: tuple[int, int, int], letters: int = _SMALL_LETTERS, height: int = _SMALL_LINE, right: str = ""
) -> Pixels:
    line, used = _ground(height), text_width(right, _SMALL_LETTERS) + 2 * _MARGIN if right else 0
    baseline = height // 2 + letters // 3
    draw_text(line, shortened(text, letters, _INNER - used), (_MARGIN, baseline), letters, colour)
    if right:
        draw_text(line, right, (_WIDTH - used + _MARGIN, baseline), _SMALL_LETTERS, DIM)
    return line


def _ground(height: int) -> Pixels:
    return np.full((height, _WIDTH, 3), PAPER, dtype=np.uint8)


def _inner(row: Pixels) -> Pixels:
    """A row of the inner width with its margins."""
    return np.pad(row, [(0, 0), (_MARGIN, _MARGIN), (0, 0)], constant_values=PAPER[0])


def _time(seconds: float) -> str:
    """Seconds as people write them, to a tenth: 1:23.4."""
    tenths = round(max(0.0, seconds) * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"
