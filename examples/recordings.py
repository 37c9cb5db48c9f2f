"""Make twelve recordings with labels of their moments, from the sample videos.

    python examples/recordings.py [FOLDER]

FOLDER/figure01.webm shows the clips of one figure in random order, one after another, for about 25 seconds. What
happens when is in FOLDER/labels.csv, as a person would note it down: path,start,end,label in seconds. Walking is not
noted down.
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
NOTED = ("pick-up", "put-down", "sit-down", "stand-up")


def main(folder: Path = Path("recordings"), figures: int = 12) -> None:
    """Write the recordings and their labels."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
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
                rows.append([film.name, f"{start:.2f}", f"{len(frames) / FPS:.2f}", clip.parent.name])
        write_film(film, frames, FPS)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([["path", "start", "end", "label"], *rows])
    print(f"{figures} videos, {len(rows)} labels: {folder}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
