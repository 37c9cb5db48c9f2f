"""Anomalies of a street, found by a model trained on normal films only, beside baselines without learning.

    python benchmarks/street.py [--epochs 14] [--into DIR]

`vidrnn train ped2/training --task next-frame --grey --size 128x128`, then `vidrnn evaluate RUN ped2/frames.csv`.
Some of the training films are held out for validation. The labelled films choose nothing. Needs the footage beside the
repository.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

STREET = Path(__file__).resolve().parents[2] / "shared" / "data" / "ped2"
VIDRNN = (sys.executable, "-c", "from vidrnn.cli import run; run()")


def main(epochs: int = 14, into: Path | None = None) -> None:
    """Train and evaluate."""
    with TemporaryDirectory() as temporary:
        run = (into or Path(temporary)) / "street"
        films = [str(STREET / "training"), "--task", "next-frame", "--grey", "--size", "128x128"]
        arguments = [*films, "--epochs", str(epochs), "--out", str(run), "--overwrite"]
        subprocess.run([*VIDRNN, "train", *arguments], check=True)
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"training: {(spent.ru_utime + spent.ru_stime) / 60:.1f} minutes of processor", flush=True)
        subprocess.run([*VIDRNN, "evaluate", str(run), str(STREET / "frames.csv")], check=True)


if __name__ == "__main__":
    typer.run(main)
