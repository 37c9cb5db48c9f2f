"""A causal model of labels on films joined of clips: does one state last for a whole film?

    python benchmarks/joined_labels.py [--clips 20] [--seconds 4] [--head gru] [--out DIR]

The clips of ucf9 are joined to films in random order. A film holds clips of one part only: groups up to g17 train, g18
to g20 validate, g21 to g25 test. Then `vidrnn train FILMS --task label --live --encoder mobilenet_v2` learns from them,
and `vidrnn evaluate --reset WHEN` scores the test films by each policy. `cut` starts the state again at each cut,
`window` at the end of each window, and `never` carries one state from the beginning of a film to its end. With
`--out`, films and model stay there.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import typer
from training import ucf9_split

from vidrnn.values import Pixels
from vidrnn.video.reader import open_film
from vidrnn.video.writer import write_film

_FPS = 25
_WIDTH, _HEIGHT = 214, 160


def main(clips: int = 20, seconds: float = 4.0, head: str = "gru", out: Path | None = None) -> None:
    """Join, train, print a row for each policy."""
    with tempfile.TemporaryDirectory() as folder:
        root = out or Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        films, run = root / "films.csv", root / f"run-{head}"
        if not films.exists():
            _join(ucf9_split(root / "clips.csv"), films, clips, seconds)
        if not run.exists():
            settings = ["--encoder", "mobilenet_v2", "--head", head, "--spacing", "0.2", "--no-report"]
            _vidrnn("train", films, "--task", "label", "--live", *settings, "--out", run)
        print("| reset | frame accuracy | macro-F1 | edit | F1@10/25/50 |\n|---|---|---|---|---|")
        for reset in ("cut", "window", "never"):
            done = _vidrnn("evaluate", run, films, "--split", "test", "--reset", reset, "--json")
            print("|", " | ".join((reset, *_numbers(json.loads(done)))), "|", flush=True)


def _numbers(scores: dict[str, Any]) -> Iterator[str]:
    for name in ("frame_accuracy", "macro_f1", "edit"):
        yield f"{scores[name]:.3f}"
    yield " / ".join(f"{scores[f'f1_{percent}']:.3f}" for percent in (10, 25, 50))


def _vidrnn(*arguments: object) -> str:
    """The standard output of a command; its other output is shown."""
    line = [sys.executable, "-m", "vidrnn", *map(str, arguments)]
    return subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout


def _join(manifest: Path, table: Path, clips: int, seconds: float) -> None:
    """Write films of so many clips, and the table of what they show and when."""
    with manifest.open(encoding="utf-8", newline="") as rows:
        known = list(csv.DictReader(rows))
    lines: list[tuple[object, ...]] = [("path", "start", "end", "label", "split")]
    for part in ("train", "val", "test"):
        mine = _mixed([row for row in known if row["split"] == part])
        for number, first in enumerate(range(0, len(mine), clips)):
            some, name, begins = mine[first : first + clips], f"{part}{number:02d}.mp4", 0
            read = [list(_frames(Path(row["path"]), seconds)) for row in some]
            write_film(table.parent / name, (picture for clip in read for picture in clip), _FPS)
            for row, clip in zip(some, read, strict=True):
                ends = begins + len(clip)
                lines.append((name, begins / _FPS, ends / _FPS, row["label"], part))
                begins = ends
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)


def _mixed(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The clips in random order, no two neighbours of one class."""
    random = np.random.default_rng(0)
    mixed = [rows[place] for place in random.permutation(len(rows))]
    while alike := [place for place, (one, after) in enumerate(pairwise(mixed)) if one["label"] == after["label"]]:
        other = int(random.integers(len(mixed)))
        mixed[alike[0]], mixed[other] = mixed[other], mixed[alike[0]]
    return mixed


def _frames(clip: Path, seconds: float) -> Iterator[Pixels]:
    """The first seconds of a clip, at 25 frames per second and one size."""
    with open_film(clip) as film:
        served = 0
        for frame in film.frames():
            while served / _FPS <= frame.seconds and served < seconds * _FPS:
                yield np.ascontiguousarray(cv2.resize(frame.pixels, (_WIDTH, _HEIGHT)))
                served += 1


if __name__ == "__main__":
    typer.run(main)
