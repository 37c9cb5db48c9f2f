"""What a cold `vidrnn predict` of a 5 s film of 320x240 costs with each runtime: seconds, processor and peak memory.

    python benchmarks/cold_start.py [--model models/moves]

The runtimes take turns, each in a process of its own; of each the quickest run counts, since other work on the machine
only ever adds. As after an installation, Python finds its bytecode compiled: the first turn does that and does not
count.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import typer

MOVES = Path(__file__).resolve().parents[1] / "models" / "moves"
_SECONDS, _FPS, _SIZE = 5, 25, (320, 240)
Cost = tuple[float, float, float]
"""Seconds, seconds of a processor, peak MiB."""
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
_PROGRAM = "from vidrnn.cli import run; run()"


def main(model: Path = MOVES, times: int = 9) -> None:
    """Run both in turn and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        film = _film(Path(folder) / "film.mp4")
        found: dict[str, list[Cost]] = {"onnx": [], "torch": []}
        for turn in range(times + 1):
            for runtime, measured in found.items():
                cost = _measured(film, model, runtime)
                if turn:
                    measured.append(cost)
    print("| vidrnn predict | seconds, best | median | processor seconds, best | peak MiB |\n|---|---|---|---|---|")
    for runtime, costs in found.items():
        seconds, busy, peak = (list(column) for column in zip(*costs, strict=True))
        shown = f"{min(seconds):.2f} | {median(seconds):.2f} | {min(busy):.2f} | {max(peak):.0f}"
        print(f"| --runtime {runtime} | {shown} |")
    ratio, busy_ratio = (min(c[i] for c in found["onnx"]) / min(c[i] for c in found["torch"]) for i in (0, 1))
    print(f"\nonnx takes {ratio:.2f} of torch's time, and {busy_ratio:.2f} of its processor time")


def _measured(film: Path, model: Path, runtime: str) -> Cost:
    """Of one run."""
    command = [sys.executable, "-c", _PROGRAM, "predict", str(film), "--model", str(model), "--runtime", runtime]
    started = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = subprocess.Popen([*command, "--json"], env=_ENVIRONMENT, **quiet)
    _, status, usage = os.wait4(running.pid, 0)
    seconds = time.perf_counter() - started
    assert status == 0, f"{command} failed"
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def _film(path: Path) -> Path:
    """A film in which a square walks through noise."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), _FPS, _SIZE)
    noise = np.random.default_rng(0).integers(0, 60, (_SIZE[1], _SIZE[0], 3), dtype=np.uint8)
    for index in range(_SECONDS * _FPS):
        picture = noise.copy()
        picture[80:160, 2 * index : 2 * index + 60] = 220
        writer.write(picture)
    writer.release()
    return path


if __name__ == "__main__":
    typer.run(main)
