"""Make a manifest for `vidrnn train` from a laboratory spreadsheet that was saved as CSV.

    python examples/manifest_from_spreadsheet.py [SPREADSHEET.csv] [MANIFEST.csv]

Spreadsheets have their own columns and habits: a semicolon between the columns, spaces around words, `Sit down` in one
row and `sit down` in the next. A manifest has the columns path, label, group and split. Two decisions are yours:

- the group: rows that must stay together. Here it is the animal. If clips of one animal were in training and in test,
  the model could recognise the animal instead of its behaviour, and the test score would be too high;
- the split: here two animals are for validation and two for the test. Leave the column out, and vidrnn divides the
  groups by itself.
"""

from __future__ import annotations

import csv
import os
import random
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
HELD_OUT = 2
"""Animals for validation, and as many for the test."""


def read_spreadsheet(file: Path) -> list[dict[str, str]]:
    """The rows that have both a file and a behaviour, with the spaces around each cell removed."""
    with file.open(encoding="utf-8-sig", newline="") as text:  # utf-8-sig: spreadsheets write a byte order mark
        rows = [
            {column: (cell or "").strip() for column, cell in row.items()}
            for row in csv.DictReader(text, delimiter=";")
        ]
    return [row for row in rows if row["File"] and row["Behaviour"]]


def split_animals(animals: set[str], seed: int = 0) -> dict[str, str]:
    """The part of each animal: train, val or test. The same seed gives the same split."""
    mixed = sorted(animals)
    random.Random(seed).shuffle(mixed)
    parts = ["test"] * HELD_OUT + ["val"] * HELD_OUT + ["train"] * len(mixed)
    return dict(zip(mixed, parts, strict=False))


def main(spreadsheet: Path, manifest: Path) -> None:
    """Write the manifest and say how many clips each part has."""
    rows = read_spreadsheet(spreadsheet)
    part_of = split_animals({row["Animal"] for row in rows})
    with manifest.open("w", encoding="utf-8", newline="") as text:
        table = csv.writer(text)
        table.writerow(["path", "label", "group", "split"])
        for row in rows:
            video = os.path.relpath(spreadsheet.parent / row["File"], manifest.resolve().parent)
            label = row["Behaviour"].lower().replace(" ", "-")
            table.writerow([video, label, row["Animal"], part_of[row["Animal"]]])
    for part in ("train", "val", "test"):
        animals = sorted(animal for animal, its_part in part_of.items() if its_part == part)
        clips = sum(row["Animal"] in animals for row in rows)
        print(f"{part:5}  {clips:3} clips of {len(animals)} animals: {', '.join(animals)}")
    print(f"{manifest}: ready. Next: vidrnn train {manifest}")


if __name__ == "__main__":
    defaults = [str(HERE / "observations.csv"), "manifest.csv"]
    chosen = [*sys.argv[1:], *defaults[len(sys.argv) - 1 :]]
    main(Path(chosen[0]).resolve(), Path(chosen[1]))
