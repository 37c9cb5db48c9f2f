"""What `vidrnn train DATA` finds with defaults, beside its candidates trained fully and beside linear models.

    python benchmarks/learn.py [SETS] [--seeds 3] [--folds 5] [--few 40,100,300] [--candidates]

Sets: samples, phrases, letters, command, colour, digit, ucf9; all of them by default. phrases and letters are scored by
folds of persons with --folds, else on a test part. lips has given parts without test, so its scores are of validation.
ucf9 is tested on groups g21 to g25. `--few` draws so many clips, whole groups first. `--candidates` also trains each
kind of candidate by itself, with its settings named. `data` shows the first linear control, `features` the second.
"""

from __future__ import annotations

import csv
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from training import FOOTAGE, Numbers, run, ucf9_split

from vidrnn.evaluate.metrics import mean_interval95

SAMPLES = Path(__file__).resolve().parents[1] / "sample_videos"
SETS = {
    "samples": SAMPLES,
    "phrases": FOOTAGE / "phrases" / "clips.csv",
    "letters": FOOTAGE / "letters" / "clips.csv",
    "command": FOOTAGE / "lips" / "command.csv",
    "colour": FOOTAGE / "lips" / "colour.csv",
    "digit": FOOTAGE / "lips" / "digit.csv",
    "ucf9": FOOTAGE / "ucf9" / "clips.csv",
}
FOLDED = ("phrases", "letters")
CANDIDATES: dict[str, dict[str, Any]] = {
    "mobilenet_v2, linear": {"encoder": "mobilenet_v2", "motion": "difference", "head": "linear"},
    "mobilenet_v2, gru": {"encoder": "mobilenet_v2", "motion": "difference", "members": 3, "readout": "statistics"},
    "tiny": {"encoder": "tiny", "search": True},
    "small": {"encoder": "small", "search": True},
}


def main(
    sets: Annotated[list[str] | None, typer.Argument()] = None,
    seeds: int = 3,
    folds: int = 0,
    few: str = "",
    candidates: bool = False,
) -> None:
    """Train on each set and print the table."""
    rows: list[tuple[str, ...]] = []
    for name in sets or list(SETS):
        for count in [None, *map(int, filter(None, few.split(",")))]:
            for what, settings in {"defaults": {}, **(CANDIDATES if candidates else {})}.items():
                results = list(_results(name, count, what, settings, seeds, folds))
                rows.append(_row(name, count, what, results))
                print("|", " | ".join(rows[-1]), "|", flush=True)
    columns = ("set", "clips", "settings", "accuracy", "95 % interval", "pictures", "features", "encoder", "seconds")
    print("\n|", " | ".join(columns), "|\n" + "|---" * len(columns) + "|")
    for row in rows:
        print("|", " | ".join(row), "|")


def _results(
    name: str, count: int | None, what: str, settings: dict[str, Any], seeds: int, folds: int
) -> Iterator[Numbers]:
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            data = SETS[name] if count is None else _few(SETS[name], Path(folder) / "few.csv", count, seed)
            if name == "ucf9" and count is None:
                data = ucf9_split(Path(folder) / "ucf9.csv")
            given = {**settings, "seed": seed, **({"folds": folds} if folds and name in FOLDED else {})}
            result = run(data, Path(folder) / "run", **given)
            print(f"   {name} {what} seed {seed}: {result.accuracy:.3f}, {result.seconds:.0f} s", flush=True)
            yield result


def _row(name: str, count: int | None, what: str, results: Sequence[Numbers]) -> tuple[str, ...]:
    scores = [one.accuracy for one in results]
    low, high = mean_interval95(scores) if len(scores) > 1 else results[0].interval
    linear = [np.mean([one.control(label) for one in results]) for label in ("linear, pictures", "linear, features")]
    return (
        name,
        "all" if count is None else str(count),
        what,
        f"{np.mean(scores):.3f}",
        f"{low:.2f} to {high:.2f}",
        *(f"{score:.3f}" for score in linear),
        "/".join(sorted({one.encoder for one in results})),
        f"{np.mean([one.seconds for one in results]):.0f}",
    )


def _few(source: Path, out: Path, count: int, seed: int) -> Path:
    """A manifest of about `count` clips, of every class alike, from as many groups as there are."""
    rows = list(_rows(source))
    order = np.random.default_rng(seed).permutation(len(rows))
    taken: defaultdict[tuple[str, str], int] = defaultdict(int)
    rank = {}
    for place in order.tolist():
        label, group = rows[place]["label"], rows[place].get("group", "")
        rank[place] = (taken[label, group], place)
        taken[label, group] += 1
    chosen = sorted(rank, key=lambda place: rank[place])
    by_class: defaultdict[str, list[int]] = defaultdict(list)
    for place in chosen:
        by_class[rows[place]["label"]].append(place)
    each = max(3, count // len(by_class))
    kept = [rows[place] for places in by_class.values() for place in places[:each]]
    with out.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, [name for name in ("path", "label", "group") if name in rows[0]])
        writer.writeheader()
        for row in kept:
            writer.writerow({name: row[name] for name in writer.fieldnames} | {"path": source.parent / row["path"]})
    return out


def _rows(source: Path) -> Iterator[dict[str, str]]:
    if source.is_dir():
        for film in sorted(source.glob("*/*.webm")):
            yield {"path": str(film.relative_to(source.parent)), "label": film.parent.name}
        return
    with source.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


if __name__ == "__main__":
    if not FOOTAGE.is_dir():
        raise SystemExit(f"{FOOTAGE} is not there: this benchmark needs the real footage.")
    typer.run(main)
