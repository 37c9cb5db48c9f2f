"""Real film: nine UCF-101 classes, groups g21 to g25 unseen, mobilenet_v2 frozen, cold and cached.

    python benchmarks/ucf9.py [--seeds 3]

Cold means an empty cache: reading, features, training and controls. Cached is the same command again. Then twelve
unseen clips, neighbours of different classes, are joined into one film, and the timeline is held against the truth.
"""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import typer
from training import FOOTAGE, run, ucf9_split

import vidrnn
from vidrnn.data.listing.labelled import read_labelled
from vidrnn.evaluate.evaluator import evaluate
from vidrnn.predict.predictor import Predictor
from vidrnn.values import LabelledFilm, Part, Size
from vidrnn.video.reader import open_film

_JOINED_FPS = 25.0
_JOINED_SIZE = Size(160, 214)


def main(seeds: int = 1, films: int = 5) -> None:
    """Run all and print the tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = ucf9_split(folder / "ucf9.csv")
        print("| run | seed | test accuracy | macro-F1 | seconds |\n|---|---|---|---|---|")
        first = None
        for seed in range(seeds):
            for state in ("cold", "cached") if seed == 0 else ("cached",):
                result = run(data, folder / "run", cache=folder / "cache", encoder="mobilenet_v2", seed=seed)
                first = first or result
                print(f"| {state} | {seed} | {result.accuracy:.3f} | {result.macro_f1:.3f} | {result.seconds:.0f} |")
                if seed == 0 and state == "cold" and result.controls:
                    for row in result.controls.numbers["controls"]:
                        print(f"   {row['name']}: val {row['val']:.3f} test {row['test']:.3f}")
                    print("  ", *result.controls.sentences, flush=True)
        predictor = vidrnn.load(folder / "run")
        events = evaluate(predictor, folder / "run", data, "test")
        try:
            while True:
                next(events)
        except StopIteration as end:
            print(f"evaluate, film by film: {end.value.numbers['accuracy']:.3f} in {end.value.seconds:.0f} s")
        unseen = [film for film in read_labelled(data).films if film.part is Part.TEST]
        shares = [_timeline(predictor, unseen, folder / f"joined{number}.avi", number) for number in range(films)]
        print(
            f"timeline, {films} films of twelve unseen clips: {np.mean(shares):.3f} of frames right "
            f"({', '.join(f'{share:.2f}' for share in shares)})"
        )


def _timeline(predictor: Predictor, films: list[LabelledFilm], out: Path, seed: int) -> float:
    """The share of a joined film's frames that stand in a segment of the right class."""
    truth = join(_twelve(films, seed), out)
    segments = predictor.predict(out).segments
    right = 0
    for index, label in enumerate(truth):
        seconds = (index + 0.5) / _JOINED_FPS
        named = next((s.label for s in segments if s.start_seconds <= seconds < s.end_seconds), segments[-1].label)
        right += named == label
    return right / len(truth)


def _twelve(films: list[LabelledFilm], seed: int) -> list[LabelledFilm]:
    """Twelve clips in random order, no two neighbours of one class."""
    rng = np.random.default_rng(seed)
    while True:
        chosen = [films[i] for i in rng.choice(len(films), 12, replace=False)]
        if all(a.label != b.label for a, b in pairwise(chosen)):
            return chosen


def join(films: list[LabelledFilm], out: Path) -> list[str]:
    """Write the films one after another into one; the label of each frame."""
    writer = cv2.VideoWriter(
        str(out), cv2.VideoWriter.fourcc(*"MJPG"), _JOINED_FPS, (_JOINED_SIZE.width, _JOINED_SIZE.height)
    )
    truth = []
    for film in films:
        with open_film(film.path) as opened:
            for frame in opened.sampled(1 / _JOINED_FPS, size=_JOINED_SIZE):
                writer.write(frame.pixels[:, :, ::-1])
                truth.append(film.label)
    writer.release()
    return truth


if __name__ == "__main__":
    if not FOOTAGE.is_dir():
        raise SystemExit(f"{FOOTAGE} is not there: this benchmark needs the real footage.")
    typer.run(main)
