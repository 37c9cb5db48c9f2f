"""A training run from its request to its numbers, for the other scripts."""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass
from pathlib import Path

from vidrnn.config import RunConfig
from vidrnn.data.store import open_cache
from vidrnn.events import Done, EpochDone, Note, Progress
from vidrnn.model.checkpoint import load_model
from vidrnn.tables import Report
from vidrnn.train.run import Request
from vidrnn.train.trainer import train

FOOTAGE = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass
class Numbers:
    """The results of a training."""

    accuracy: float
    macro_f1: float
    seconds: float
    """From the first line to the model folder."""
    training_seconds: float
    """Of the epochs of the model itself."""
    epochs: int
    val_accuracy: float
    encoder: str
    controls: Report | None
    model: Path
    interval: tuple[float, float]
    """The 95 % interval of the accuracy."""

    def control(self, name: str) -> float:
        """The accuracy of a control on the part that the model is scored on; not a number if there is none."""
        rows = self.controls.numbers.get("controls", []) if self.controls else []
        found = next((row for row in rows if row["name"] == name), None)
        if found is None:
            return float("nan")
        return float(found["val"] if found["test"] is None else found["test"])


def run(data: Path, out: Path, *, cache: Path | None = None, jobs: int = 2, **settings: object) -> Numbers:
    """Train as `vidrnn train` would; `head` may be a name alone, every other setting is as in RunConfig."""
    head = {"head": {"name": settings.pop("head")}} if isinstance(settings.get("head"), str) else {}
    config = RunConfig.of({**settings, **head}, source="benchmark")
    request = Request(data, config, out, cache or open_cache(None), jobs, "benchmark", overwrite=True)
    started = time.monotonic()
    epochs: list[EpochDone] = []
    controls: Report | None = None
    for event in train(request):
        if isinstance(event, EpochDone):
            epochs.append(event)
        elif isinstance(event, Report) and "controls" in event.numbers:
            controls = event
        elif isinstance(event, Done):
            done = event
        elif isinstance(event, Note):
            print("  ", event.text, flush=True)
        elif isinstance(event, Progress) and event.done == event.total and event.frames:
            print(f"   {event.stage}: {event.frames:,} frames, {time.monotonic() - started:.0f} s in", flush=True)
    header = load_model(done.model).header
    mine = [epoch for epoch in epochs if epoch.training == "model"]
    return Numbers(
        accuracy=header.scores["accuracy"],
        macro_f1=header.scores.get("macro_f1", float("nan")),
        seconds=time.monotonic() - started,
        training_seconds=sum(epoch.seconds for epoch in mine),
        epochs=len(mine),
        val_accuracy=mine[mine[-1].best - 1].measures["accuracy"] if mine else float("nan"),
        encoder=header.spec.encoder.name,
        controls=controls,
        model=done.model,
        interval=tuple(header.scores["interval"]),
    )


def ucf9_split(out: Path, val_from: int = 18, test_from: int = 21) -> Path:
    """A manifest of ucf9 with the groups before `val_from` in train, those from `test_from` in test."""
    source = FOOTAGE / "ucf9" / "clips.csv"
    with source.open(encoding="utf-8", newline="") as rows, out.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["path", "label", "group", "split"])
        for row in csv.DictReader(rows):
            number = int(row["group"][1:])
            part = "test" if number >= test_from else "val" if number >= val_from else "train"
            writer.writerow([source.parent / row["path"], row["label"], row["group"], part])
    return out
