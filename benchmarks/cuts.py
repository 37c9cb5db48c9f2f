"""How often is a cut seen where none is? Films of one shot each, looked at as often as models do.

    python benchmarks/cuts.py FOLDER... [--spacing 0.04 --spacing 0.132 --spacing 0.315]

A false cut costs the timeline what the model remembers at that moment, as if the film began there; see
benchmarks/long_films.py for how many true ones are found.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from vidrnn.data.films import find_films
from vidrnn.values import Size
from vidrnn.video.cuts import CutFinder, small_pictures
from vidrnn.video.reader import open_film

_SIZE = Size(112, 112)
_SPACINGS = [0.04, 0.132, 0.315]


def main(folders: list[Path], spacing: Annotated[list[float] | None, typer.Option(help="Seconds.")] = None) -> None:
    """Look for cuts, print how many were seen."""
    print("| films | seconds between frames | frames | minutes | cuts seen | films with any |")
    print("|---|---|---|---|---|---|")
    for folder in folders:
        films = find_films([str(folder)])
        for apart in spacing or _SPACINGS:
            found = [_looked_at(film, apart) for film in films]
            frames, seconds, cuts = np.sum([found], axis=1)[0]
            some = sum(film[2] > 0 for film in found)
            name, minutes = f"{len(films)} in {folder.name}", seconds / 60
            print(f"| {name} | {apart} | {frames:,.0f} | {minutes:.1f} | {cuts:.0f} | {some} |", flush=True)


def _looked_at(film: Path, apart: float) -> tuple[int, float, int]:
    """Frames looked at, the film's seconds, and cuts seen."""
    with open_film(film) as opened:
        pictures = [frame.pixels for frame in opened.sampled(apart, size=_SIZE)]
    return len(pictures), len(pictures) * apart, len(CutFinder().find(small_pictures(pictures)))


if __name__ == "__main__":
    typer.run(main)
