"""Does an encoder that has seen films without labels learn more from few labelled clips?

    python benchmarks/pretraining.py [--counts 40,100] [--seeds 3] [--epochs 20]

The films are the lips of one speaker. All training clips are shown without labels to the encoder `tiny`: of two
changed copies of a minibatch, each clip is to find its own other copy (Chen et al., "A simple framework for contrastive
learning of visual representations", ICML 2020). Then a few labelled clips train it, from these weights or from random
ones, and unseen clips score it. `pictures` and `features` are the linear controls of the training.
"""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import numpy as np
import torch
import typer
from safetensors.torch import save_file
from torch import Tensor, nn
from training import FOOTAGE, run

from vidrnn.compare.comparison import CompareRequest, open_teacher, read_setting
from vidrnn.config import RunConfig
from vidrnn.data.store import open_cache
from vidrnn.train.augment import draw_augmentation
from vidrnn.train.encoder_choice import choice_of
from vidrnn.train.learner import Learner
from vidrnn.train.shares.encoding import encode_share
from vidrnn.train.shares.minibatches import Minibatch
from vidrnn.values import Part

DATA = FOOTAGE / "lips" / "command.csv"
SETTINGS: dict[str, Any] = {
    "encoder": "tiny",
    "grey": True,
    "motion": "difference",
    "height": 48,
    "width": 64,
    "frames": 38,
    "spacing_seconds": 0.08,
    "label_holds": "somewhere",
    "flip": False,
}
TRAINING: dict[str, Any] = {"label_smoothing": 0.0, "weight_decay": 0.01, "augment": 0.2}
HEAD: dict[str, Any] = {"name": "mingru", "bidirectional": True, "dropout": 0.0}
_SIZE, _TEMPERATURE, _RATE = 128, 0.2, 1e-3
Result = TypeVar("Result")


def main(counts: str = "40,100", seeds: int = 3, epochs: int = 20) -> None:
    """Pretrain, train on few clips, and print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = time.monotonic()
        weights = pretrain(folder / "encoder.safetensors", epochs)
        print(f"pretraining: {epochs} epochs, {time.monotonic() - started:.0f} s", flush=True)
        print("| labelled clips | weights | accuracy | each seed | pictures | features |\n|---|---|---|---|---|---|")
        for count in map(int, counts.split(",")):
            for origin, given in (("random", "none"), ("without labels", str(weights))):
                results = []
                for seed in range(seeds):
                    data = few(folder / f"few{seed}.csv", count, seed)
                    how = {**SETTINGS, **TRAINING, "head": HEAD, "weights": given, "seed": seed}
                    results.append(run(data, folder / "run", **how))
                scores = [one.accuracy for one in results]
                each = " ".join(f"{score:.2f}" for score in scores)
                linear = [
                    np.mean([one.control(f"linear, {what}") for one in results]) for what in ("pictures", "features")
                ]
                row = (str(count), origin, f"{np.mean(scores):.3f}", each, *(f"{score:.3f}" for score in linear))
                print("|", " | ".join(row), "|", flush=True)


def pretrain(file: Path, epochs: int) -> Path:
    """Weights of an encoder that learnt from the films of training without their labels."""
    config = RunConfig.of({**SETTINGS, "augment": 1.0, "minibatch": 32}, source="benchmark")
    request = CompareRequest(DATA, config, ("gru",), 1, file.parent / "none", open_cache(None), 2)
    teacher = open_teacher(request, Event())
    setting = ended(read_setting(request, teacher))
    learner = Learner(setting, choice_of(config, setting.dataset.median_size))
    ended(teacher.prepare(learner))
    clips = learner.clips(setting.places(Part.TRAIN))
    encoder = learner.network.encoder
    memory = nn.GRU(encoder.width, _SIZE, batch_first=True)
    project = nn.Sequential(nn.Linear(_SIZE, _SIZE), nn.ReLU(), nn.Linear(_SIZE, 64))
    weights = [*encoder.parameters(), *memory.parameters(), *project.parameters()]
    optimizer = torch.optim.AdamW(weights, _RATE, weight_decay=0.01)
    draw = setting.objective.sampler(setting, 32, phases=learner.phases, stretch=0.2, shuffled=False)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3 * _RATE, total_steps=epochs * draw.steps(clips) + 1)
    draws = torch.Generator().manual_seed(0)
    encoder.train()
    for epoch in range(epochs):
        losses = []
        for minibatch in draw.epoch(clips, epoch):
            twice = Minibatch(*(torch.cat([one, one]) for one in minibatch.read().tensors))
            change = draw_augmentation(len(twice.mask), flip=False, strength=1.5, generator=draws)
            steps, _ = memory(encode_share(encoder, twice, change))
            real = twice.mask.unsqueeze(-1)
            mean = (steps * real).sum(1) / real.sum(1).clamp(min=1)
            loss = contrastive(nn.functional.normalize(project(mean), dim=-1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"   epoch {epoch + 1}: loss {np.mean(losses):.3f}", flush=True)
    save_file({f"encoder.{key}": value.contiguous() for key, value in encoder.state_dict().items()}, file)
    return file


def contrastive(both: Tensor) -> Tensor:
    """The loss of finding the other copy of each clip by its direction: (2 batch, size), all first copies first."""
    likeness = (both @ both.T / _TEMPERATURE).fill_diagonal_(-torch.inf)
    partner = torch.arange(len(both)).roll(len(both) // 2)
    return nn.functional.cross_entropy(likeness, partner)


def few(out: Path, count: int, seed: int) -> Path:
    """A manifest: `count` labelled clips of the training part, a quarter of them for validation; the rest scores."""
    with DATA.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    rng = np.random.default_rng(seed)
    labels = sorted({row["label"] for row in rows})
    with out.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["path", "label", "split"])
        for row in rows:
            if row["split"] == "val":
                writer.writerow([DATA.parent / row["path"], row["label"], "test"])
        for label in labels:
            mine = [row for row in rows if row["label"] == label and row["split"] == "train"]
            chosen = rng.permutation(len(mine))[: count // len(labels)].tolist()
            for place, index in enumerate(chosen):
                part = "val" if place % 4 == 0 else "train"
                writer.writerow([DATA.parent / mine[index]["path"], label, part])
    return out


def ended(events: Generator[Any, None, Result]) -> Result:
    """The result of a generator of events."""
    while True:
        try:
            next(events)
        except StopIteration as end:
            result: Result = end.value
            return result


if __name__ == "__main__":
    if not FOOTAGE.is_dir():
        raise SystemExit(f"{FOOTAGE} is not there: this benchmark needs the real footage.")
    typer.run(main)
