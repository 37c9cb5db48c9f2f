"""The cost of reading in a training with cached films: minibatches alone, beside whole epochs.

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
from vidrnn.data.dataset import Dataset, read_dataset
from vidrnn.data.splits import split_films
from vidrnn.tasks.classify import Classify
from vidrnn.train.encoder_choice import choice_of
from vidrnn.train.learner import Clock, Learner
from vidrnn.train.lessons.base import Job
from vidrnn.train.lessons.classes import ClassTeacher
from vidrnn.train.run import Request
from vidrnn.train.shares.workers import Workers
from vidrnn.values import Part

FILMS = Path(__file__).resolve().parents[1] / "sample_videos"


def main(data: Path = FILMS, encoder: str = "small", epochs: int = 5, jobs: int = 2) -> None:
    """Time minibatches and epochs in turn."""
    torch.set_num_threads(1)
    config = RunConfig(encoder=encoder, epochs=epochs + 1)
    with tempfile.TemporaryDirectory() as cache:
        task = Classify()
        dataset = _last(read_dataset(task.read(data, to_train=True), data, Path(cache), jobs))
        assert isinstance(dataset, Dataset)
        split = split_films(dataset.films, dataset.grouping)
        train, val = split.indices(Part.TRAIN), split.indices(Part.VAL)
        request = Request(data, config, Path(cache) / "run", Path(cache), jobs, "")
        job = Job(request, task, Clock(None), Event(), Workers(jobs))
        setting = ClassTeacher(job).setting(dataset, split, config)
        learner = Learner(setting, choice_of(config, dataset.median_size))
        _last(learner.prepare(train, to_train=True))
        _last(learner.prepare(val, to_train=False))
        fit = learner.fit(train, val, None)
        whole, reading = [], []
        for epoch in fit.run():
            started = time.perf_counter()
            for drawn in fit.lesson.minibatches(epoch.number):
                drawn.read()
            reading.append(time.perf_counter() - started)
            whole.append(epoch.seconds)
    shares = [read / total for read, total in zip(reading[1:], whole[1:], strict=True)]
    print("| clips | epoch s | reading s | share of an epoch |\n|---|---|---|---|")
    print(f"| {len(train)} | {median(whole[1:]):.3f} | {median(reading[1:]):.4f} | {100 * median(shares):.2f} % |")


def _last(events):  # type: ignore[no-untyped-def]
    """The result at the end of events."""
    while True:
        try:
            next(events)
        except StopIteration as end:
            return end.value


if __name__ == "__main__":
    typer.run(main)
