"""The curve of *when* of a mistake becomes columns for the page. No film is read here."""

from __future__ import annotations

import numpy as np

from vidrnn.explain.base import Curve
from vidrnn.report.blocks import When
from vidrnn.report.worst import Mistake
from vidrnn.values import Floats

_WIDTH, _HEIGHT = 1000, 100
_MOST_COLUMNS = 400
"""Of neighbours the one that says most is shown."""
_LEAST_HIGH = 0.1
"""The curve is as high as its canvas from this number on, so that a curve that says nothing is flat."""
_SAME = 0.02
"""Seconds; curve and pictures that begin and end so near to each other are of the same time."""


def when_of(mistake: Mistake) -> When | None:
    """The curve of a mistake; None where it has none."""
    curve = mistake.curve
    if curve is None or not len(curve.seconds):
        return None
    edges, values = _columns(curve)
    first, last = float(edges[0]), float(edges[-1])
    places = _WIDTH * (edges - first) / max(last - first, 1e-9)
    high, low = max(float(values.max()), _LEAST_HIGH), min(float(values.min()), 0.0)
    rows = _HEIGHT * (high - values) / (high - low)
    zero = _HEIGHT * high / (high - low)
    span = (max(first, mistake.stretch.start_seconds), min(last, mistake.stretch.end_seconds))
    same = span[0] - first <= _SAME + edges[1] - edges[0] and last - span[1] <= _SAME + edges[-1] - edges[-2]
    left, right = (_WIDTH * (edge - first) / max(last - first, 1e-9) for edge in span)
    return When(
        text=_text(mistake, curve, first, last),
        caption=_caption(mistake, curve),
        first=f"{first:.1f} s",
        last=f"{last:.1f} s",
        speaking=_path(places, np.minimum(rows, zero), zero),
        against=_path(places, np.maximum(rows, zero), zero) if low < 0 else "",
        zero=zero,
        shown=None if same else (left, max(2.0, right - left)),
    )


def _columns(curve: Curve) -> tuple[Floats, Floats]:
    """(columns + 1,) the borders of the columns in seconds, and (columns,) their values."""
    values, seconds = np.nan_to_num(curve.values), curve.seconds
    apart = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 1.0
    each = -(-len(values) // _MOST_COLUMNS)
    starts = range(0, len(values), each)
    most = [values[start : start + each][np.abs(values[start : start + each]).argmax()] for start in starts]
    return np.append(seconds[::each], seconds[-1] + apart), np.asarray(most)


def _path(places: Floats, rows: Floats, zero: float) -> str:
    """Columns from the middle line to their rows; columns of no height are left out."""
    parts, drawing = list[str](), False
    for left, right, row in zip(places, places[1:], rows, strict=False):
        if abs(row - zero) >= 0.1:
            parts.append(f"{'' if drawing else f'M{left:.1f} {zero:.1f}'}V{row:.1f}H{right:.1f}")
            drawing = True
        elif drawing:
            parts.append(f"V{zero:.1f}Z")
            drawing = False
    return "".join(parts) + (f"V{zero:.1f}Z" if drawing else "")


def _caption(mistake: Mistake, curve: Curve) -> str:
    if not mistake.label:
        return f"anomaly score, up to {np.nanmax(curve.values):.2f}"
    return f"what speaks for {mistake.label}, up to {max(0.0, float(np.nanmax(curve.values))):.2f}"


def _text(mistake: Mistake, curve: Curve, first: float, last: float) -> str:
    high, low = int(np.nanargmax(curve.values)), int(np.nanargmin(curve.values))
    span = f"from {first:.1f} to {last:.1f} s"
    peak = f"{curve.values[high]:.2f} at {curve.seconds[high]:.1f} s"
    if not mistake.label:
        return f"anomaly score {span}: highest {peak}"
    against = (
        f"; most against it {-curve.values[low]:.2f} at {curve.seconds[low]:.1f} s" if curve.values[low] < 0 else ""
    )
    most = f"most {peak}" if curve.values[high] > 0 else "no moment does"
    return f"how much each moment speaks for {mistake.label}, {span}: {most}{against}"
