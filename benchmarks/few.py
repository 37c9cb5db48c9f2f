"""Few clips behind a frozen encoder: the defaults beside the same head as for many clips, and beside linear models.

    python benchmarks/few.py [--counts 45,100,300] [--draws 8]

Each draw takes three of the groups g08 to g20 of ucf9 for test, two for validation, and so many clips of the others for
training, of every class alike. Validation has two clips of a class, or two fifths of those in training. `--official`
tests on groups g21 to g25, with g18 to g20 for validation.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import typer
from training import FOOTAGE, run

SETTINGS: dict[str, Any] = {"encoder": "mobilenet_v2", "flip": True, "spacing_seconds": 0.315, "report": False}
"""All draws have one spacing, so that each video is encoded once."""
AS_FOR_MANY: dict[str, Any] = {"head": {"size": 128, "dropout": 0.5}, "weight_decay": 0.05, "patience": 22}
FIRST_TEST_GROUP = 21
VAL_SHARE = 0.4


def main(counts: str = "45,100,300", draws: int = 8, official: bool = False) -> None:
    """Train on each draw, and print the table."""
    print("| training clips | defaults | as for many clips | linear, features |\n|---|---|---|---|", flush=True)
    for count in map(int, counts.split(",")):
        results = [_draw(count, seed, official) for seed in range(draws)]
        means = " | ".join(f"{score:.3f}" for score in np.mean(results, axis=0))
        print(f"| {count} | {means} |", flush=True)


def _draw(count: int, seed: int, official: bool) -> tuple[float, float, float]:
    """The accuracies of one draw: the defaults, the head as for many clips, the linear control."""
    with tempfile.TemporaryDirectory() as folder:
        data = _manifest(Path(folder) / "few.csv", count, seed, official)
        few = run(data, Path(folder) / "few", **SETTINGS, seed=seed)
        many = run(data, Path(folder) / "many", **SETTINGS, **AS_FOR_MANY, seed=seed)
    return few.accuracy, many.accuracy, few.control("linear, features")


def _manifest(out: Path, count: int, seed: int, official: bool) -> Path:
    source, rng = FOOTAGE / "ucf9" / "clips.csv", np.random.default_rng(1000 + seed)
    with source.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    groups = rng.permutation(sorted({row["group"] for row in rows if int(row["group"][1:]) < FIRST_TEST_GROUP}))
    test, val, train = set(groups[:3]), set(groups[3:5]), set(groups[5:])
    if official:
        test = {row["group"] for row in rows if int(row["group"][1:]) >= FIRST_TEST_GROUP}
        val, train = {"g18", "g19", "g20"}, {group for group in groups if int(group[1:]) < FIRST_TEST_GROUP - 3}
    classes = sorted({row["label"] for row in rows})
    each = [len(part) for part in np.array_split(np.arange(count), len(classes))]
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "group", "split"])
        for label, most in zip(classes, each, strict=True):
            parts = (("train", train, most), ("val", val, max(2, round(VAL_SHARE * most))), ("test", test, None))
            for part, of_part, wanted in parts:
                mine = [row for row in rows if row["label"] == label and row["group"] in of_part]
                for place in rng.permutation(len(mine))[:wanted].tolist():
                    path = source.parent / mine[place]["path"]
                    writer.writerow([path, label, mine[place]["group"], part])
    return out


if __name__ == "__main__":
    if not FOOTAGE.is_dir():
        raise SystemExit(f"{FOOTAGE} is not there: this benchmark needs the real footage.")
    typer.run(main)
