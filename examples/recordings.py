"""Make twelve recordings with labels of their moments, from the sample videos.

    python examples/recordings.py [FOLDER]

FOLDER/figure01.webm shows the clips of one figure in random order, one after another, for about 25 seconds. What
happens when is in FOLDER/labels.csv, as a person would note it down: path,start,end,label in seconds. Walking is not
noted down. FOLDER/overlapping.csv has the same moments under names that overlap: a figure that stands up from a chair
is labelled both `chair` and `rise`.
"""

from __future__ import annotations

import csv
import random
import sys
from itertools import pairwise
from pathlib import Path

from vidrnn.values import Pixels
from vidrnn.video.reader import open_film
from vidrnn.video.writer import write_film

CLIPS = Path(__file__).resolve().parents[1] / "sample_videos"
FPS = 12.5
NOTED = {"pick-up": ("object", "rise"), "put-down": ("object",), "sit-down": ("chair",), "stand-up": ("chair", "rise")}
"""What is noted down, and the names in the table of overlapping labels."""


def main(folder: Path = Path("recordings"), figures: int = 12) -> None:
    """Write the recordings and their labels."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, overlapping = [], []
    for number in range(1, figures + 1):
        clips = sorted(CLIPS.glob(f"*/figure{number:02d}_*.webm"))
        rng = random.Random(number)
        while any(one.parent == other.parent for one, other in pairwise(clips)):  # two bouts would look like one
            rng.shuffle(clips)
        frames: list[Pixels] = []
        film = folder / f"figure{number:02d}.webm"
        for clip in clips:
            start = len(frames) / FPS
            with open_film(clip) as opened:
                frames += [frame.pixels for frame in opened.sampled(1 / FPS)]
            if clip.parent.name in NOTED:
                moment = [film.name, f"{start:.2f}", f"{len(frames) / FPS:.2f}"]
                rows.append([*moment, clip.parent.name])
                overlapping += [[*moment, label] for label in NOTED[clip.parent.name]]
        write_film(film, frames, FPS)
    for name, table in (("labels.csv", rows), ("overlapping.csv", overlapping)):
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([["path", "start", "end", "label"], *table])
    print(f"{figures} videos, {len(rows)} labels: {folder}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
