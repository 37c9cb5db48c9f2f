"""What reading costs in a training whose films are cached: minibatches alone, beside whole epochs.

    python benchmarks/reading.py [DATA] [--encoder small]

Both are timed in turn in one process; the ratio is what counts. The first epoch fills the cache and is left out.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from threading import Event

import torch
import typer

from vidrnn.config import RunConfig
from vidrnn.data.cache import Cache
from vidrnn.data.dataset import Dataset, read_dataset
from vidrnn.data.splits import split_films
from vidrnn.train.encoder_choice import chosen
from vidrnn.train.learner import Clock, Setting
from vidrnn.values import Part, Sampling
from vidrnn.video.sampling import default_spacing

FILMS = Path(__file__).resolve().parents[1] / "sample_videos"


def main(data: Path = FILMS, encoder: str = "small", epochs: int = 5, jobs: int = 2) -> None:
    """Time minibatches and epochs in turn."""
    torch.set_num_threads(1)
    config = RunConfig(encoder=encoder, epochs=epochs + 1)
    with tempfile.TemporaryDirectory() as cache:
        dataset = _last(read_dataset(data, Path(cache), jobs))
        assert isinstance(dataset, Dataset)
        split = split_films(dataset.films, dataset.grouping)
        train, val = split.indices(Part.TRAIN), split.indices(Part.VAL)
        spacing = default_spacing(dataset.durations_seconds(train), config.frames)
        setting = Setting(
            dataset,
            split,
            config,
            Sampling(config.frames, spacing),
            Cache(Path(cache), jobs),
            Clock(None),
            Event(),
            torch.device("cpu"),
        )
        learner = _last(chosen(setting)).learner
        _last(learner.prepare(train, to_train=True))
        _last(learner.prepare(val, to_train=False))
        fit = learner.fit(train, val, None)
        whole, reading = [], []
        for epoch in fit.run():
            started = time.perf_counter()
            for _ in fit.lesson.minibatches(epoch.number):
                pass
            reading.append(time.perf_counter() - started)
            whole.append(epoch.seconds)
    shares = [read / total for read, total in zip(reading[1:], whole[1:], strict=True)]
    print("| clips | epoch s | reading s | share of an epoch |\n|---|---|---|---|")
    print(f"| {len(train)} | {median(whole[1:]):.3f} | {median(reading[1:]):.4f} | {100 * median(shares):.2f} % |")


def _last(journey):  # type: ignore[no-untyped-def]
    """Run a journey to its end and give what it returns."""
    while True:
        try:
            next(journey)
        except StopIteration as end:
            return end.value


if __name__ == "__main__":
    typer.run(main)
