"""What threads, processes and checkpoints cost in a training: whole trainings in turn, ratios of their epochs.

    python benchmarks/processes.py [--rounds 3] [--encoder small] [--epochs 6]

Each round trains with two threads, with two processes of one thread, and with two threads and a checkpoint after each
step. All read the same cache and end in the same weights, which is checked. The first epoch of each is left out.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import typer
from safetensors.numpy import load_file

FILMS = Path(__file__).resolve().parents[1] / "sample_videos"
WAYS = {
    "two threads": ["--jobs", "2"],
    "two processes of one thread": ["--processes", "2", "--jobs", "1"],
    "one thread": ["--jobs", "1"],
    "two threads, a checkpoint after each step": ["--jobs", "2", "--checkpoint-minutes", "0.0001"],
}


def main(rounds: int = 3, encoder: str = "small", epochs: int = 6, data: Path = FILMS, seed: int = 0) -> None:
    """Print the median seconds of an epoch of each way, and the ratio to two threads in the same round."""
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    sums = set()
    with tempfile.TemporaryDirectory() as place:
        for number in range(rounds + 1):  # the first round fills the cache
            for way, flags in WAYS.items():
                run = Path(place) / f"{number}-{len(found[way])}-{list(WAYS).index(way)}"
                fixed = ["--encoder", encoder, "--epochs", str(epochs), "--seed", str(seed), "--no-flip"]
                command = [sys.executable, "-m", "vidrnn", "train", str(data), *fixed, *flags, "--out", str(run)]
                environment = {**os.environ, "VIDRNN_CACHE": str(Path(place) / "cache")}
                subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
                sums.add(weights_of(run))
                if number:
                    found[way].append(epoch_seconds(run))
    if len(sums) > 1:
        raise SystemExit("the ways do not end in the same weights")
    print("| way | s an epoch | ratio to two threads |\n|---|---|---|")
    for way, seconds in found.items():
        ratios = [one / two for one, two in zip(seconds, found["two threads"], strict=True)]
        print(f"| {way} | {median(seconds):.2f} | {median(ratios):.3f} |")


def epoch_seconds(run: Path) -> float:
    """The median seconds of an epoch of a run, without the first."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return median([line["seconds"] for line in lines if line["event"] == "EpochDone"][1:])


def weights_of(run: Path) -> str:
    """The sum of the tensors of a run's model."""
    whole = hashlib.sha256()
    for name, tensor in sorted(load_file(run / "model" / "model.safetensors").items()):
        whole.update(name.encode() + tensor.tobytes())
    return whole.hexdigest()


if __name__ == "__main__":
    typer.run(main)
