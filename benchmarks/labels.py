"""Labels at each frame: what `vidrnn train DATA --task label` finds with defaults, and what reading costs.

    python benchmarks/labels.py [falls] [lips] [mice] [mice-several] [--folds K] [--seed 0] [--encoder NAME]
    python benchmarks/labels.py --rows 100000
    python benchmarks/labels.py --minutes 60 [--rounds 3]

The first prints a table of scores: of the test part that vidrnn chose (falls), or of the validation films that the data
name (lips, mice). `--folds` scores every film once instead. `each frame alone` is the control without memory. The
second reads a table of so many intervals. The third makes a film of so many minutes at 25 frames per second, and lets a
model of labels and a model of classes with the same encoder read it in turns; it prints the ratio of their times, and
the memory that the first one takes beyond that of a film of one minute.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from training import FOOTAGE

from vidrnn.config import LabelsConfig, RunConfig
from vidrnn.data.labelled_frames import read_frame_labelled
from vidrnn.data.store import open_cache
from vidrnn.events import Done, Note
from vidrnn.model.checkpoint import load_model
from vidrnn.train.run import Request
from vidrnn.train.trainer import train
from vidrnn.values import Pixels
from vidrnn.video.writer import write_film

SETS = {
    "falls": FOOTAGE / "falls" / "frames.csv",
    "lips": FOOTAGE / "lips" / "frames.csv",
    "mice": FOOTAGE / "synthetic_mice" / "labels_singlelabel.json",
    "mice-several": FOOTAGE / "synthetic_mice" / "labels_multilabel.json",
}
SAMPLES = Path(__file__).resolve().parents[1] / "sample_videos"
_FPS = 25


def main(
    sets: Annotated[list[str] | None, typer.Argument()] = None,
    folds: int = 0,
    seed: int = 0,
    encoder: str = "auto",
    rows: int = 0,
    minutes: int = 0,
    rounds: int = 3,
) -> None:
    """Print one of the tables."""
    if rows:
        _time_import(rows)
    elif minutes:
        _compare_speed(minutes, rounds)
    else:
        _score(sets or list(SETS), folds, seed, encoder)


def _score(sets: list[str], folds: int, seed: int, encoder: str) -> None:
    columns = ("set", "part", "frames", "accuracy", "macro-F1", "edit", "F1@10/25/50", "alone", "seconds", "chosen")
    print("|", " | ".join(columns), "|\n" + "|---" * len(columns) + "|")
    for name in sets:
        with tempfile.TemporaryDirectory() as folder:
            settings: dict[str, Any] = {"task": "label", "seed": seed, "encoder": encoder}
            config = RunConfig.of({**settings, **({"folds": folds} if folds else {})}, source="benchmark")
            request = Request(SETS[name], config, Path(folder) / "run", open_cache(None), 2, "benchmark")
            started = time.monotonic()
            for event in train(request):
                if isinstance(event, Note):
                    print("  ", event.text, flush=True)
                elif isinstance(event, Done):
                    done = event
            header = load_model(done.model).header
        scores = header.scores
        alone = next(row for row in scores["controls"] if row["name"] == "each frame alone")
        print("|", " | ".join(_row(name, scores, alone, time.monotonic() - started, header.spec.describe())), "|")


def _row(name: str, scores: dict[str, Any], alone: dict[str, Any], seconds: float, chosen: str) -> tuple[str, ...]:
    f1 = " / ".join(f"{scores[f'f1_{percent}']:.3f}" for percent in (10, 25, 50))
    accuracy = "-" if scores["frame_accuracy"] is None else f"{scores['frame_accuracy']:.3f}"
    control = alone["val"] if alone["test"] is None else alone["test"]
    numbers = (accuracy, f"{scores['macro_f1']:.3f}", f"{scores['edit']:.3f}", f1, f"{control:.3f}", f"{seconds:.0f}")
    return name, scores["part"], f"{scores['frames']:,}", *numbers, chosen.partition(" > each")[0]


def _time_import(rows: int) -> None:
    """The time to read a table of intervals, films matched."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        names = [f"film{number:03d}.mp4" for number in range(100)]
        for name in names:
            (root / name).touch()
        lines = ["path,start,end,label"]
        lines += [f"{names[i % 100]},{i // 100}.25,{i // 100}.75,{'dig' if i % 3 else 'rear'}" for i in range(rows)]
        (root / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
        started = time.monotonic()
        labelled = read_frame_labelled(root / "labels.csv", LabelsConfig())
        seconds = time.monotonic() - started
    bouts = sum(len(film.annotation.bouts) for film in labelled.films if film.annotation)
    print(f"{rows:,} rows, {len(labelled.films)} films, {bouts:,} bouts: {seconds:.2f} s")


def _compare_speed(minutes: int, rounds: int) -> None:
    """Times of a model of labels and of one of classes on one long film, and memory."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        long, short = _film(root / "long.webm", minutes), _film(root / "short.webm", 1)
        models = {}
        for task in ("label", "classify"):
            settings = {"task": task, "encoder": "small", "epochs": 1, "frames": 32, "spacing_seconds": 0.08}
            out = root / task
            request = Request(SAMPLES, RunConfig.of(settings, source="b"), out, open_cache(None), 2, "b")
            for _ in train(request):
                pass
            models[task] = out
        ratios = []
        for _ in range(rounds):
            label, classify = (_predict(models[task], long)[0] for task in ("label", "classify"))
            ratios.append(classify / label)
            print(f"   label {label:.1f} s, classify {classify:.1f} s, speed {ratios[-1]:.2f}", flush=True)
        grown = _predict(models["label"], long)[1] - _predict(models["label"], short)[1]
        median = float(np.median(ratios))
        print(f"{minutes} min: labels at {median:.2f} of the speed of classes; {grown:+.1f} MB beyond a film of 1 min")


def _film(path: Path, minutes: int) -> Path:
    """A film of so many minutes in which a bright block moves over a ground that changes every 20 seconds."""

    def frames() -> Iterator[Pixels]:
        for index in range(minutes * 60 * _FPS):
            pixels = np.full((120, 160, 3), 60 + 40 * (index // 500 % 3), np.uint8)
            left = index % 120
            pixels[40:80, left : left + 30] = 200
            yield pixels

    write_film(path, frames(), _FPS)
    return path


def _predict(model: Path, film: Path) -> tuple[float, float]:
    """Seconds and peak memory in MB of `vidrnn predict` in a process of its own, on Linux."""
    code = (
        "import sys;from vidrnn.cli import run\n"
        "try:\n    run()\nexcept SystemExit:\n    pass\n"
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print(peak.split()[1], file=sys.stderr)"  # the peak of getrusage holds that of the parent too
    )
    command = [sys.executable, "-c", code, "predict", str(film), "--model", str(model), "--json"]
    started = time.monotonic()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.monotonic() - started, int(done.stderr.split()[-1]) * 1024 / 1e6


if __name__ == "__main__":
    typer.run(main)
