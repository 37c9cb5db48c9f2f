"""What a cold `vidrnn predict` of a 5 s film of 320x240 costs with each runtime: seconds and peak memory.

    python benchmarks/cold_start.py [--model models/moves]

The runtimes take turns, each in a process of its own; of each the quickest run counts, since other work on the machine
only ever adds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import typer

MOVES = Path(__file__).resolve().parents[1] / "models" / "moves"
_SECONDS, _FPS, _SIZE = 5, 25, (320, 240)
_PROGRAM = "from vidrnn.cli import run; run()"


def main(model: Path = MOVES, times: int = 9) -> None:
    """Run both in turn and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        film = _film(Path(folder) / "film.mp4")
        found: dict[str, list[tuple[float, float]]] = {"onnx": [], "torch": []}
        for _ in range(times):
            for runtime, measured in found.items():
                measured.append(_measured(film, model, runtime))
    seconds = {runtime: min(one for one, _ in measured) for runtime, measured in found.items()}
    print("| vidrnn predict | seconds, best | median | peak MiB |\n|---|---|---|---|")
    for runtime, measured in found.items():
        middle = sorted(one for one, _ in measured)[len(measured) // 2]
        print(f"| --runtime {runtime} | {seconds[runtime]:.2f} | {middle:.2f} | {max(p for _, p in measured):.0f} |")
    print(f"\nonnx takes {seconds['onnx'] / seconds['torch']:.2f} of torch's time")


def _measured(film: Path, model: Path, runtime: str) -> tuple[float, float]:
    """Seconds, and peak MiB, of one run."""
    command = [sys.executable, "-c", _PROGRAM, "predict", str(film), "--model", str(model), "--runtime", runtime]
    started = time.perf_counter()
    running = subprocess.Popen([*command, "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(running.pid, 0)
    seconds = time.perf_counter() - started
    assert status == 0, f"{command} failed"
    return seconds, usage.ru_maxrss / 1024


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
