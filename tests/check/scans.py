"""Scans of videos that no test needs to decode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vidrnn.data.dataset import Dataset
from vidrnn.data.grouping.base import Grouping
from vidrnn.values import FilmFacts, FilmScan, Floats, LabelledFilm, Size


def make_scan(name: str = "a.mp4", *, seed: int = 0, seconds: float = 4.0, **other: Any) -> FilmScan:
    """A scan whose thumbnails are noise of the seed; `other` are fields of the facts, or of the scan."""
    of_scan = {key: other.pop(key) for key in ("still", "blank", "thumbnails", "content_hash") if key in other}
    frames = other.pop("frames", round(25 * seconds))
    facts = {
        "path": Path(name),
        "size": Size(120, 160),
        "codec": "h264",
        "frames": frames,
        "first_seconds": 0.0,
        "last_seconds": seconds - seconds / frames,
        "duration_seconds": seconds,
        "rotation_degrees": 0,
        "claimed_frames": frames,
        "claimed_fps": frames / seconds,
        **other,
    }
    noise = np.random.default_rng(seed).integers(0, 256, (8, 12, 16), dtype=np.uint8)
    times: Floats = np.arange(frames) * seconds / frames
    return FilmScan(
        **{"facts": FilmFacts(**facts), "content_hash": name, "thumbnails": noise, "frame_seconds": times, **of_scan}
    )


def make_dataset(labels: list[str], scans: list[FilmScan], groups: list[str] | None = None) -> Dataset:
    """A dataset of whole clips."""
    films = tuple(LabelledFilm(scan.facts.path, label) for label, scan in zip(labels, scans, strict=True))
    names = tuple(groups or [str(place) for place in range(len(scans))])
    return Dataset(films, tuple(scans), Grouping(names, "made"), tuple(sorted(set(labels))), ())
