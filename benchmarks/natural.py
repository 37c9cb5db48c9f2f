"""Next frames of natural film: errors of a model and of baselines at each step of the horizon.

    python benchmarks/natural.py [--of ped2] [--of lips] [--of vtest] [--size 64] [--size 128] [--epochs 12]

Each set and size is one `vidrnn train FILMS --task next-frame --grey --size SxS --epochs N`: ped2's training films,
split by film; mouths, 100 films to learn from, 20 to validate, 40 to test; vtest, one film whose last fifth is held
out. `--into DIR` stores the runs there. The minutes are of processor time. Needs the footage beside the repository.
"""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from vidrnn.model.header import find_weights, read_header

FOOTAGE = Path(__file__).resolve().parents[2] / "shared" / "data"
SETS = ("ped2", "lips", "vtest")


def films_of(name: str, folder: Path) -> Path:
    """The training data of a set."""
    if name == "ped2":
        return FOOTAGE / "ped2" / "training"
    if name == "vtest":
        return FOOTAGE / "odd" / "opencv-doc__vtest.avi"
    manifest = folder / "lips.csv"
    with (FOOTAGE / "lips" / "command.csv").open() as listed, manifest.open("w") as out:
        rows = list(csv.DictReader(listed))
        learnt, held_out = ([row["path"] for row in rows if row["split"] == part] for part in ("train", "val"))
        parts = {"train": learnt[:100], "val": learnt[100:120], "test": held_out[:40]}
        out.write("path,split\n")
        out.writelines(f"{FOOTAGE / 'lips' / path},{part}\n" for part, paths in parts.items() for path in paths)
    return manifest


def trained(name: str, size: int, epochs: int, jobs: int, folder: Path) -> tuple[dict[str, Any], float]:
    """The scores of a training, and the minutes of processor that it took."""
    run = folder / f"{name}-{size}"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    data = [str(films_of(name, folder)), "--task", "next-frame", "--grey", "--size", f"{size}x{size}"]
    arguments = [*data, "--epochs", str(epochs), "--jobs", str(jobs), "--out", str(run), "--overwrite"]
    subprocess.run(
        [sys.executable, "-c", "from vidrnn.cli import run; run()", "train", *arguments], check=True, stdout=sys.stderr
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return read_header(find_weights(run)).scores, spent / 60


def lines(name: str, size: int, scores: dict[str, Any], minutes: float) -> Iterator[str]:
    """A row for each step, of the model and the two guesses that are good on natural film."""
    copy, flow = (scores["baselines"][one] for one in ("copy of the last frame", "last frame warped by optical flow"))
    yield f"\n{name}, {size} px, {scores['part']}: {scores['stretches']} stretches, {minutes:.1f} minutes of processor"
    yield "| step | copy MSE | flow MSE | model MSE | copy SSIM | flow SSIM | model SSIM |"
    yield "|---|---|---|---|---|---|---|"
    for step, ours in enumerate(scores["per_step"]):
        others = copy["per_step"][step], flow["per_step"][step]
        mse = " | ".join(f"{one['mse_sum']:.2f}" for one in (*others, ours))
        ssim = " | ".join(f"{one['ssim']:.4f}" for one in (*others, ours))
        yield f"| {step + 1} | {mse} | {ssim} |"
    yield scores["sentence"]


def main(
    of: Annotated[list[str] | None, typer.Option()] = None,
    size: Annotated[list[int] | None, typer.Option()] = None,
    epochs: int = 12,
    jobs: int = 2,
    into: Path | None = None,
) -> None:
    """Train and print."""
    with TemporaryDirectory() as temporary:
        folder = into or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in of or SETS:
            for side in size or (64, 128):
                scores, minutes = trained(name, side, epochs, jobs, folder)
                print("\n".join(lines(name, side, scores, minutes)), flush=True)
                (folder / f"{name}-{side}.json").write_text(json.dumps(scores))


if __name__ == "__main__":
    typer.run(main)
