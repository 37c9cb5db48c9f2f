"""Which head, on what: `vidrnn compare` on every set; the default head and whether it sees motion were chosen by this.

    python benchmarks/heads.py [--of samples --of ucf9 ...] [--out FOLDER]

Each set is one command, printed before its table. A comparison that stands in FOLDER already is taken up where it
stopped. All sets but those of `samples` need the real footage. `-motion` shows what changed since the frame before.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from training import FOOTAGE, ucf9_split

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "sample_videos"
_LIPS = "--config lips.toml"


class Comparison(NamedTuple):
    """The settings of one `vidrnn compare`."""

    settings: str
    heads: str
    """An empty string for all."""
    seeds: int


SETS = {
    "samples": Comparison("--encoder tiny --size 64x48", "", 5),
    "samples-motion": Comparison("--encoder tiny --size 64x48 --motion difference", "none gru mingru", 5),
    "ucf9": Comparison("--encoder mobilenet_v2", "", 5),
    "ucf9-motion": Comparison("--encoder mobilenet_v2 --motion change", "none gru mingru", 5),
    "digit": Comparison(f"{_LIPS} --epochs 20", "mingru-both mingru none gru", 2),
    "command": Comparison(f"{_LIPS} --epochs 14", "mingru-both mingru none", 1),
    "colour": Comparison(f"{_LIPS} --epochs 18", "mingru-both mingru none", 1),
}


def main(
    of: Annotated[list[str] | None, typer.Option(help=f"Sets to compare on: {', '.join(SETS)} [all].")] = None,
    out: Annotated[Path, typer.Option(help="Where comparisons are kept.")] = Path("runs/heads"),
    jobs: int = 2,
) -> None:
    """Compare and print the tables."""
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    for name in of or SETS:
        asked, data = SETS[name], _data(name, out)
        heads = [word for head in asked.heads.split() for word in ("--head", head)]
        arguments = [*asked.settings.split(), *heads, "--seeds", str(asked.seeds)]
        print(f"\n## {name}\n\n    vidrnn compare {data.name} {' '.join(arguments)}\n", flush=True)
        if (out / name).exists():
            arguments = ["--resume", str(out / name), *heads, "--seeds", str(asked.seeds)]
        else:
            arguments = [str(data), *arguments, "--out", str(out / name), "--jobs", str(jobs)]
        program = [sys.executable, "-c", "from vidrnn.cli import run; run()", "compare", "--gradients"]
        subprocess.run([*program, *arguments], check=True, cwd=HERE)


def _data(name: str, out: Path) -> Path:
    known = name.removesuffix("-motion")
    if known == "samples":
        return SAMPLES
    if not FOOTAGE.is_dir():
        raise SystemExit(f"{FOOTAGE} is not there: {name} needs the real footage.")
    return ucf9_split(out / "ucf9.csv") if known == "ucf9" else FOOTAGE / "lips" / f"{known}.csv"


if __name__ == "__main__":
    typer.run(main)
