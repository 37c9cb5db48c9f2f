"""`--encoder auto` beside its two candidates, each trained fully: does the trial end with the better one?

python benchmarks/auto.py sample_videos ucf9 lips [--skip-candidates]
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from training import FOOTAGE, run, ucf9_split

FILMS = Path(__file__).resolve().parents[1] / "sample_videos"
_NAMES = ("auto", "mobilenet_v2", "small")


def main(sets: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Train auto and both candidates on each set and print the table."""
    rows = []
    for name in sets or ["sample_videos", "ucf9", "lips"]:
        for encoder in _NAMES:
            with tempfile.TemporaryDirectory() as folder:
                result = run(_data(name, Path(folder)), Path(folder) / "run", encoder=encoder)
            rows.append((name, encoder, result))
            print(f"{name} {encoder}: {result.accuracy:.3f}, {result.seconds:.0f} s", flush=True)
    print("\n| films | encoder | accuracy | macro-F1 | seconds |\n|---|---|---|---|---|")
    for name, encoder, result in rows:
        print(f"| {name} | {encoder} | {result.accuracy:.3f} | {result.macro_f1:.3f} | {result.seconds:.0f} |")


def _data(name: str, folder: Path) -> Path:
    if name == "ucf9":
        return ucf9_split(folder / "ucf9.csv")
    return FILMS if name == "sample_videos" else FOOTAGE / "lips" / "colour.csv"


if __name__ == "__main__":
    typer.run(main)
