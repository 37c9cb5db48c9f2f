"""Features in place of films: whether a training can use them."""

from __future__ import annotations

from vidrnn.config import RunConfig
from vidrnn.data.dataset import Dataset
from vidrnn.errors import DataError


def refuse_uneven_features(dataset: Dataset, config: RunConfig) -> None:
    """Refuse features of several widths.

    Raises:
        DataError: two files differ.
    """
    scans = dataset.scans if config.features else ()
    other = next((scan for scan in scans if scan.facts.size.width != scans[0].facts.size.width), None)
    if other is not None:
        first = scans[0].facts
        raise DataError(
            f"{other.facts.path}: has {other.facts.size.width} numbers at each time, and {first.path} has "
            f"{first.size.width}. All features of a training have the same width."
        )
