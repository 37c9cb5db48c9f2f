"""A small example file of each label format, written from one truth. The contract tests read them back.

A new format joins with one function here: it writes the truth as the labelling tool would, and gives the path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vidrnn.values import Bout


@dataclass(frozen=True)
class Truth:
    """Two behaviours in one film. All times are whole frames at 25 frames per second."""

    film: str = "a.mp4"
    rate: float = 25.0
    frames: int = 100
    bouts: tuple[Bout, ...] = (Bout(0.4, 1.2, "dig", "one"), Bout(2.0, 3.0, "rear", "one"))
    """In seconds, half open: frames 10 to 29, and frames 50 to 74."""

    @property
    def seconds(self) -> float:
        """The length of the film."""
        return self.frames / self.rate

    @property
    def in_frames(self) -> tuple[tuple[int, int, str], ...]:
        """The first frame, the frame after the last one, and the behaviour of each bout."""
        return tuple((round(one.start * self.rate), round(one.end * self.rate), one.label) for one in self.bouts)

    @property
    def labels(self) -> list[str]:
        """The behaviour at each frame, empty where there is none."""
        labels = [""] * self.frames
        for first, end, label in self.in_frames:
            labels[first:end] = [label] * (end - first)
        return labels


Example = Callable[[Path, Truth], Path]
"""Writes the truth into a folder, and gives the path that is to be read."""


def frames(folder: Path, truth: Truth) -> Path:
    """path,frame,label"""
    rows = [f"{truth.film},{number},{label}" for number, label in enumerate(truth.labels)]
    return written(folder / "frames.csv", "path,frame,label", *rows)


def intervals(folder: Path, truth: Truth) -> Path:
    """path,start,end,label"""
    rows = [f"{truth.film},{one.start},{one.end},{one.label},{one.subject}" for one in truth.bouts]
    return written(folder / "labels.csv", "path,start,end,label,subject", *rows)


def written(file: Path, *lines: str) -> Path:
    """The lines as a text file."""
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return file


EXAMPLES: dict[str, Example] = {"frames": frames, "csv": intervals}
"""By the name of the format, as in LABEL_FORMATS."""
