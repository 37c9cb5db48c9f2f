"""The cost of checksums, and of waiting for the disk: their share of a training and of a folder run.

    python benchmarks/attack/sums.py [--rounds 3]

Each round trains on the sample videos and predicts all of them, once with checksums and waiting and once without, in
turn in one process. The time inside checksums and waiting is measured too: on a busy machine the share that it gives is
the steadier number.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
import typer

import vidrnn.atomic
import vidrnn.batch.records
import vidrnn.data.cache
import vidrnn.data.scan
import vidrnn.model.checkpoint
import vidrnn.model.whole
import vidrnn.train.fit
from vidrnn.batch.records import Results
from vidrnn.batch.work import PredictionRequest
from vidrnn.config import RunConfig
from vidrnn.train.run import Request
from vidrnn.train.trainer import train
from vidrnn.values import DecisionRule

ROOT = Path(__file__).resolve().parents[2]
FILMS = ROOT / "sample_videos"
COSTS: dict[tuple[Any, str], Any] = {
    (vidrnn.atomic, "bring_to_disk"): None,
    (vidrnn.batch.records, "sum_of_file"): "",
    (vidrnn.batch.records, "with_sum"): lambda text: text,
    (vidrnn.data.cache, "_has_right_sum"): True,
    (vidrnn.data.scan, "has_right_sum"): True,
    (vidrnn.model.checkpoint, "seal"): None,
    (vidrnn.model.checkpoint, "is_whole"): True,
    (vidrnn.model.checkpoint, "all_finite"): True,
    (vidrnn.model.whole, "is_whole"): True,
    (vidrnn.train.fit, "all_finite"): True,
    (vidrnn.data.cache.zlib, "crc32"): 0,
}
"""The functions that cost something, and what takes their place where they are left out."""


@contextmanager
def timed() -> Iterator[dict[str, float]]:
    """Measure the seconds in each of the functions."""
    spent: dict[str, float] = {}
    with_timers = []
    for module, name in COSTS:
        real = getattr(module, name)

        def timer(*given: Any, _real: Callable[..., Any] = real, _name: str = name, **more: Any) -> Any:
            started = time.perf_counter()
            try:
                return _real(*given, **more)
            finally:
                spent[_name] = spent.get(_name, 0.0) + time.perf_counter() - started

        with_timers.append(patch.object(module, name, timer))
    for each in with_timers:
        each.start()
    try:
        yield spent
    finally:
        for each in with_timers:
            each.stop()


@contextmanager
def left_out() -> Iterator[dict[str, float]]:
    """Leave the functions out."""

    def nothing(instead: Any) -> Callable[..., Any]:
        return instead if callable(instead) else lambda *given, **more: instead

    patches = [patch.object(module, name, nothing(instead)) for (module, name), instead in COSTS.items()]
    for each in patches:
        each.start()
    try:
        yield {}
    finally:
        for each in patches:
            each.stop()


def train_once(folder: Path, encoder: str, epochs: int) -> None:
    """Train on the sample videos in a fresh folder, with a fresh cache."""
    config = RunConfig(encoder=encoder, weights="none" if encoder in ("small", "tiny") else None, epochs=epochs)
    for _ in train(Request(FILMS, config, folder / "run", folder / "cache", 1, "vidrnn train sample_videos")):
        pass


def predict_once(folder: Path, model: Path) -> None:
    """Predict all sample videos into a fresh folder, in this process."""
    work = PredictionRequest(model, ("jsonl", "csv"), DecisionRule()).work()
    results, read = Results(work, folder / "out"), work.open_reader()
    for number, film in enumerate(sorted(FILMS.rglob("*.webm"))):
        results.read_film(film, f"{number}.webm", read)


def main(rounds: int = 3, encoder: str = "small", epochs: int = 8) -> None:
    """Print the ratio of both, and the share of each function."""
    torch.set_num_threads(1)
    jobs: dict[str, Callable[[Path], None]] = {
        f"train --encoder {encoder}, {epochs} epochs": lambda folder: train_once(folder, encoder, epochs),
        "predict --out, jsonl and csv": lambda folder: predict_once(folder, ROOT / "models" / "moves"),
    }
    for name, run in jobs.items():
        seconds: dict[str, list[float]] = {"with": [], "without": []}
        shares: dict[str, list[float]] = {}
        for _ in range(rounds):
            for how, context in (("with", timed), ("without", left_out)):
                with tempfile.TemporaryDirectory() as folder, context() as spent:
                    started = time.perf_counter()
                    run(Path(folder))
                    seconds[how].append(time.perf_counter() - started)
                for function, part in spent.items():
                    shares.setdefault(function, []).append(part / seconds["with"][-1])
        ratio = median(seconds["with"]) / median(seconds["without"])
        total = sum(median(part) for part in shares.values())
        print(f"{name}: {median(seconds['with']):.2f} s with, {median(seconds['without']):.2f} s without: {ratio:.3f}")
        print(f"  share of the time: {total:.2%} in all")
        for function, part in sorted(shares.items(), key=lambda one: -median(one[1])):
            print(f"    {function:<16} {median(part):.3%}")


if __name__ == "__main__":
    typer.run(main)
