"""How fast a linear recurrence trains beside torch's own cells, and what a frame costs each head when streaming.

    python benchmarks/heads_speed.py [--threads 2] [--rounds 30]

The first table is forward and backward of one layer's projection and recurrence, and nothing else, for 16 clips and 128
units: of a minGRU the linear layer that makes gate and candidate, the gates and the recurrence; of nn.LSTM and nn.GRU
all they do. The three take turns, so that what else the machine does falls on all alike; ratios are of medians. The
second table streams one clip frame by frame through whole heads with the state handed on.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from vidrnn.config import HeadConfig
from vidrnn.nets.classifier import build_sequence
from vidrnn.nets.heads import HEADS
from vidrnn.nets.heads.mingru import MinGru

BATCH, UNITS, WIDTH = 16, 128, 1280
TIMES = (16, 64, 256, 1024)
STREAMED = 200


class Mixing(nn.Module):
    """What a minGRU does over time: projection and recurrence, without the convolution before it."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = MinGru(UNITS)

    def forward(self, inputs: Tensor) -> tuple[Tensor, None]:
        """(time, batch, units) -> the same."""
        return self.cell.run(inputs, torch.zeros_like(inputs[0])), None


def forward_and_backward(layer: nn.Module, inputs: Tensor, given: Tensor) -> float:
    """Seconds."""
    layer.zero_grad()
    inputs.grad = None
    started = time.perf_counter()
    layer(inputs)[0].backward(given)
    return time.perf_counter() - started


def in_turns(work: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The median seconds of each, after three rounds to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for number in range(rounds + 3):
        for name, once in work.items():
            took = once()
            if number >= 3:
                seconds[name].append(took)
    return {name: statistics.median(took) for name, took in seconds.items()}


def training(rounds: int) -> None:
    """The first table."""
    layers = {"mingru": Mixing(), "lstm": nn.LSTM(UNITS, UNITS), "gru": nn.GRU(UNITS, UNITS)}
    print(f"\nforward and backward, {BATCH} clips, {UNITS} units, milliseconds")
    print(f"{'frames':>6} {'mingru':>9} {'lstm':>9} {'gru':>9} {'lstm/mingru':>12} {'gru/mingru':>11}")
    for frames in TIMES:
        inputs = torch.randn(frames, BATCH, UNITS, requires_grad=True)
        given = torch.randn(frames, BATCH, UNITS)
        work = {name: partial(forward_and_backward, layer, inputs, given) for name, layer in layers.items()}
        took = in_turns(work, max(8, rounds * 64 // max(frames, 64)))
        mine, lstm, gru = (1000 * took[name] for name in ("mingru", "lstm", "gru"))
        print(f"{frames:6} {mine:9.2f} {lstm:9.2f} {gru:9.2f} {lstm / mine:12.1f} {gru / mine:11.1f}", flush=True)


@torch.inference_mode()
def streaming(rounds: int) -> None:
    """The second table."""
    frames = torch.randn(STREAMED, 1, 1, WIDTH)
    heads = {name: build_sequence(WIDTH, HeadConfig(name=name), "attention", 6).head.eval() for name in HEADS}

    def stream(name: str) -> float:
        state = None
        started = time.perf_counter()
        for frame in frames:
            _, state = heads[name](frame, state)
        return (time.perf_counter() - started) / STREAMED

    print(f"\none frame at a time, {WIDTH} features, usual layers")
    print(f"{'head':>8} {'parameters':>11} {'us/frame':>9}")
    work = {name: partial(stream, name) for name in HEADS}
    for name, seconds in in_turns(work, max(5, rounds // 3)).items():
        parameters = sum(weight.numel() for weight in heads[name].parameters())
        print(f"{name:>8} {parameters:11,} {seconds * 1e6:9.0f}")


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=30)
    told = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(told.threads)
    print(f"torch {torch.__version__}, {told.threads} thread(s)")
    training(told.rounds)
    streaming(told.rounds)


if __name__ == "__main__":
    main()
