"""Matplotlib's figures as SVG for a page: its letters are text, and its colours are those of the page, light or dark.

Only this module knows how a figure becomes part of a page.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, LINE, MAIN, OTHER, BAD = (f"#1010{number}" for number in range(11, 17))
"""Colours that stand for those of the page; no figure has other ones but those of `class_colour`."""
_ROLES = {INK: "ink", MUTED: "muted", LINE: "line", MAIN: "main", OTHER: "other", BAD: "bad"}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "vidrnn",
    "text.parse_math": False,  # a class may be called $x$
    "font.size": 11.0,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 11.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 10.0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}
_FONT = re.compile(r"font(-family)?: ?([^;\"]*?)'DejaVu Sans'[^;\"]*")
_IDS = re.compile(r' id="([^"]*)"')
_TAG = re.compile(r"<[^>]*>")
_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
_INCH = 72.0


@contextmanager
def drawn(width: int, height: int, text: str) -> Iterator[tuple[Axes, list[Markup]]]:
    """Axes to draw on, and a list that holds the SVG when the block has ended.

    Args:
        width: in pixels of the page.
        height: in pixels of the page.
        text: what the figure shows, for people who do not see it.
    """
    found: list[Markup] = []
    with rc_context(_STYLE):
        figure = Figure(figsize=(width / _INCH, height / _INCH), dpi=_INCH, layout="constrained")
        yield figure.subplots(), found
        found.append(_svg(figure, text))


def _svg(figure: Figure, text: str) -> Markup:
    """A figure as an element of a page."""
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    opening, _, body = svg.partition(">")
    box = re.search(r'viewBox="([^"]*)"', opening)
    assert box is not None
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)  # names of classes as they are
    used = set(re.findall(r"#([\w-]+)", body))
    body = _IDS.sub(lambda found: found[0] if found[1] in used else "", body)
    body = _FONT.sub(r"font\1: \2system-ui, sans-serif", body)
    body = _TAG.sub(lambda tag: _NUMBER.sub(r"\1", tag[0]), body)
    for colour, role in _ROLES.items():
        body = body.replace(colour, f"var(--{role})")
    width = float(box[1].split()[2])
    head = Markup('<svg class="plot" role="img" aria-label="{}" viewBox="{}" style="max-width:{:.0f}px">')
    return head.format(text, box[1], width) + Markup(body)


def class_colour(place: int) -> str:
    """The colour of a class by its place, that shows on light and on dark ground."""
    known = (
        "#4c7fc4",
        "#d9822b",
        "#3a9a5b",
        "#c0504d",
        "#8a63b8",
        "#a07a52",
        "#2f9fb0",
        "#9a9a2f",
        "#c2649a",
        "#76838f",
    )
    return known[place] if place < len(known) else f"hsl({place * 137.5 % 360:.0f} 45% 52%)"
