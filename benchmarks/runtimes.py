"""How many frames a second a model's encoder and head read, by onnxruntime and by torch: frame by frame with the state
handed on, a window at once, and 32 windows at once.

    python benchmarks/runtimes.py [--model models/moves]

Both on one thread, in one process, in turn; of each the quickest round counts. `torch` is the network as it was
trained, `folded` with batch normalisation folded into its convolutions, which is what --runtime torch computes with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
import typer

from vidrnn.model.checkpoint import load_model
from vidrnn.nets.classifier import Model
from vidrnn.runtimes.base import Runtime, State
from vidrnn.runtimes.onnx import OnnxRuntime
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.values import Pixels

_TIMES = {(1, False): 16, (1, True): 4, (32, True): 1}
"""How often it is read in one round."""
MOVES = Path(__file__).resolve().parents[1] / "models" / "moves"


def main(model: Path = MOVES, rounds: int = 7) -> None:
    """Time them in turn and print a table."""
    torch.set_num_threads(1)
    loaded = load_model(model)
    folded = Model(loaded.network.encoder.folded(), loaded.network.sequence)
    runtimes = {
        "onnx": OnnxRuntime.open(model / "model.onnx"),
        "torch": TorchRuntime(loaded),
        "folded": TorchRuntime(replace(loaded, network=folded)),
    }
    spec = loaded.spec
    print("| at once | onnx frames/s | torch | folded | onnx / torch | onnx / folded |\n|---|---|---|---|---|---|")
    for batch, time in ((1, 1), (1, spec.frames), (32, spec.frames)):
        shape = (batch, time, spec.height, spec.width, 3)
        frames = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        best = dict.fromkeys(runtimes, float("inf"))
        for _ in range(rounds + 1):
            for name, runtime in runtimes.items():
                best[name] = min(best[name], _seconds(partial(_read, runtime, frames)))
        rates = {name: batch * time * _TIMES[batch, time > 1] / seconds for name, seconds in best.items()}
        shown = " | ".join(f"{rate:,.0f}" for rate in rates.values())
        ratios = f"{rates['onnx'] / rates['torch']:.2f} | {rates['onnx'] / rates['folded']:.2f}"
        print(f"| {batch} x {time} frames | {shown} | {ratios} |")


def _read(runtime: Runtime, frames: Pixels) -> None:
    """Read on and on."""
    state: State | None = None
    for _ in range(_TIMES[len(frames), frames.shape[1] > 1]):
        _, state = runtime.read(frames, state)


def _seconds(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


if __name__ == "__main__":
    typer.run(main)
