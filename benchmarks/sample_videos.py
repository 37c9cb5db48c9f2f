"""What the head is for: sample_videos with `small`, by head.

    python benchmarks/sample_videos.py [--seeds 3] [--head gru --head lstm --head none]

The films come in pairs that are each other's time reversal, so that `none`, which knows no order, can only guess within
a pair. Training and test show different figures.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from training import run

FILMS = Path(__file__).resolve().parents[1] / "sample_videos"


def main(head: Annotated[list[str] | None, typer.Option()] = None, seeds: int = 1) -> None:
    """Train each head with each seed and print the table."""
    rows = []
    for seed in range(seeds):
        for name in head or ["gru", "lstm", "none"]:
            with tempfile.TemporaryDirectory() as folder:
                result = run(FILMS, Path(folder) / "run", encoder="small", head=name, seed=seed)
            rows.append((name, seed, result))
            print(f"{name} seed {seed}: test {result.accuracy:.3f} in {result.training_seconds:.0f} s", flush=True)
    print("\n| head | seed | test accuracy | validation | epochs | training s | whole command s |")
    print("|---|---|---|---|---|---|---|")
    for name, seed, result in rows:
        print(
            f"| {name} | {seed} | {result.accuracy:.3f} | {result.val_accuracy:.3f} | {result.epochs} | "
            f"{result.training_seconds:.0f} | {result.seconds:.0f} |"
        )


if __name__ == "__main__":
    typer.run(main)
