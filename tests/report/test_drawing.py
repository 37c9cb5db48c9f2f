"""Figures as part of a page: text that is text, and the colours of the page."""

from __future__ import annotations

from vidrnn.report.answers import Histograms
from vidrnn.report.drawing import BAD, INK, MAIN
from vidrnn.report.figures import area_of, curve_of, dots, precision_recall


def shares(right: dict[int, int], wrong: dict[int, int]) -> Histograms:
    return Histograms(
        **{  # type: ignore[arg-type]
            name: tuple(side.get(place, 0) for place in range(100))
            for name, side in (("right", right), ("wrong", wrong))
        }
    )


def test_a_figure_has_the_colours_of_the_page_and_no_others() -> None:
    svg = dots([("one frame", 0.5, (0.4, 0.6)), ("this model", 0.7, None)], "accuracy", "this model")
    assert "var(--main)" in svg and "var(--muted)" in svg
    assert not any(colour in svg for colour in (INK, MAIN, BAD)) and "#000000" not in svg
    assert svg.startswith("<svg") and "<metadata" not in svg and "http" not in svg.replace("http://www.w3.org", "")


def test_names_in_a_figure_are_text() -> None:
    svg = precision_recall("<script>$x$", shares({90: 3}, {10: 2}), 0.5, (1.0, 1.0))
    assert "<script" not in svg and "&lt;script&gt;$x$" in svg


def test_a_figure_is_the_same_each_time() -> None:
    assert dots([("a", 0.5, None)], "accuracy", "a") == dots([("a", 0.5, None)], "accuracy", "a")


def test_precision_and_recall_come_from_counts() -> None:
    recall, precision, base = curve_of(shares({90: 1, 50: 1}, {70: 2}))
    assert recall.tolist() == [0.0, 0.5, 0.5, 1.0] and precision.tolist() == [1.0, 1.0, 1 / 3, 0.5]
    assert base == 0.5 and area_of(recall, precision) == 0.75
