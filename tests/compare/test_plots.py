"""The plots depend on the results, and are complete files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from compare.test_statistics import together, training

from vidrnn.compare.plots import plot_comparison, plot_gradients


@pytest.mark.parametrize("plot", [plot_comparison, plot_gradients])
def test_different_results_give_different_plots(plot: object, tmp_path: Path) -> None:
    for name, factor, right in (("a", 0.5, 20), ("b", 0.9, 39)):
        found = together(training("none", 0, 15, factor=0.0), training("gru", 0, right, factor=factor))
        plot(found, tmp_path / f"{name}.png")  # type: ignore[operator]
    one, other = (cv2.imread(str(tmp_path / f"{name}.png")) for name in "ab")
    assert one is not None and other is not None and min(one.shape[:2]) > 300
    assert one.shape != other.shape or not np.array_equal(one, other)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.png", "b.png"], "nothing half-written is left"
