"""When must the state start again in a long film? Films joined of clips that the model has not seen, by policy.

    python benchmarks/long_films.py models/moves sample_videos [--part test] [--films 10] [--clips 20]
    python benchmarks/long_films.py runs/ucf9-gru ucf9.csv --part val

Each film joins so many clips; two neighbours never have one class. The clips are joined as frames, so no encoding
changes them. The table shows the share of the film's time in a segment of the right class, and the same as a share of
the accuracy of the single clips. It also shows recall and precision of the boundaries: a boundary counts if another one
is within a second. `relay` is for comparison: two states start again every window, half a window apart, and the older
one answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import typer

import vidrnn
from vidrnn.data.films import content_hash
from vidrnn.data.listing.labelled import read_labelled
from vidrnn.runtimes.base import Features, Runtime, State
from vidrnn.timeline.segments import MarginSegmenter, for_class, softmax
from vidrnn.timeline.windows import feature_reader
from vidrnn.values import DecisionRule, Floats, LabelledFilm, Part, Pixels, Reset
from vidrnn.video.clock import Grid
from vidrnn.video.cuts import CutFinder, SmallPictures, small_pictures
from vidrnn.video.reader import open_film

_NEAR_SECONDS = 1.0
_TICK_SECONDS = 0.02
POLICIES: tuple[Reset | str, ...] = ("cut", "window", "never", "relay")
FIRMNESS = ((0.0, 0.0), (0.1, 0.5))
"""Hysteresis and shortest stretch in seconds."""


@dataclass
class Joined:
    """A film of clips: what the model sees of it, and the truth."""

    features: Features
    small: SmallPictures
    seconds: Floats
    ends: Floats
    """(clips,)"""
    labels: list[str]


def main(model: Path, data: Path, part: Part = Part.TEST, films: int = 10, clips: int = 20) -> None:
    """Join, read by each policy, print the table."""
    runtime = vidrnn.load(model).model
    seen = runtime.header.seen
    known = [film for film in read_labelled(data).films if seen.get(content_hash(film.path)) == part]
    right: list[bool] = []
    joined = []
    for seed in range(films):
        chosen = _chosen(known, min(clips, len(known)), seed)
        joined.append(_joined(runtime, chosen))
        right += [_answer(runtime, film) == film.label for film in chosen]
    alone = float(np.mean(right))
    print(
        f"{model}: {len(known)} {part} clips, {films} films of {min(clips, len(known))}; the clips alone: {alone:.3f}\n"
    )
    print("| reset | hysteresis, shortest | time right | of the clips | recall of boundaries | precision | segments |")
    print("|---|---|---|---|---|---|---|")
    for policy in POLICIES:
        for hysteresis, shortest in FIRMNESS:
            rule = replace(runtime.handling.decision, threshold=0.0, hysteresis=hysteresis, shortest_seconds=shortest)
            results = [_compare(film, _read(runtime, film, policy), runtime, rule) for film in joined]
            right_time, recall, precision, segments = np.mean(results, axis=0)
            print(
                f"| {policy} | {hysteresis}, {shortest} s | {right_time:.3f} | {right_time / alone:.3f} | "
                f"{recall:.2f} | {precision:.2f} | {segments:.2f} a clip |",
                flush=True,
            )


def _chosen(known: Sequence[LabelledFilm], count: int, seed: int) -> list[LabelledFilm]:
    """Clips in random order, no two neighbours of one class."""
    rng = np.random.default_rng(seed)
    chosen = [known[place] for place in rng.choice(len(known), count, replace=False)]
    while alike := [i for i, (one, next_one) in enumerate(pairwise(chosen)) if one.label == next_one.label]:
        other = int(rng.integers(count))
        chosen[alike[0]], chosen[other] = chosen[other], chosen[alike[0]]
    return chosen


def _frames(film: LabelledFilm, runtime: Runtime, grid: Grid, begins: float) -> Iterator[tuple[float, Pixels | None]]:
    """The pictures that the grid asks for, with its times; at last the film's end, without one."""
    with open_film(film.path) as opened:
        first = None
        for frame in opened.frames(size=runtime.handling.size):
            first = frame.seconds if first is None else first
            for at in grid.times_served(begins + frame.seconds - first):
                yield at, frame.pixels
        yield begins + opened.facts().duration_seconds, None


def _joined(runtime: Runtime, films: Sequence[LabelledFilm]) -> Joined:
    grid, ends, seconds = Grid(runtime.handling.sampling.spacing_seconds), [0.0], list[float]()
    pictures: list[Pixels] = []
    for film in films:
        for at, picture in _frames(film, runtime, grid, ends[-1]):
            if picture is None:
                end = at
            else:
                seconds.append(at)
                pictures.append(picture)
        ends.append(end)
    features = runtime.encode(np.stack(pictures))
    labels = [film.label for film in films]
    return Joined(features, small_pictures(pictures), np.asarray(seconds), np.asarray(ends[1:]), labels)


def _answer(runtime: Runtime, film: LabelledFilm) -> str:
    """The model's class of a single clip."""
    grid = Grid(runtime.handling.sampling.spacing_seconds)
    pictures = [picture for _, picture in _frames(film, runtime, grid, 0.0) if picture is not None]
    reader = feature_reader(runtime, "window")
    reader.read(runtime.encode(np.stack(pictures)))
    return runtime.handling.answer.classes[int(reader.finish().clip.argmax())]


def _read(runtime: Runtime, film: Joined, policy: Reset | str) -> Floats:
    """The scores of each step (steps, classes)."""
    if policy == "relay":
        return _relayed(runtime, film.features)
    reader = feature_reader(runtime, policy)  # type: ignore[arg-type]
    steps = reader.read(film.features, CutFinder().find(film.small))
    return np.concatenate([steps, reader.finish().steps])


def _relayed(runtime: Runtime, features: Features) -> Floats:
    window = runtime.handling.sampling.frames
    half, steps = window // 2, []
    states: list[State | None] = [None, None]
    for step, one in enumerate(features):
        answers = []
        for number in range(2):
            if (step + number * half) % window == 0:
                states[number] = None
            outputs, states[number] = runtime.follow(one[None, None], states[number])
            age = (step + number * half) % window if step >= half or number == 0 else -1
            answers.append((age, outputs["steps"][0, 0]))
        steps.append(max(answers, key=lambda answer: answer[0])[1])
    return np.stack(steps)


def _compare(film: Joined, scores: Floats, runtime: Runtime, rule: DecisionRule) -> tuple[float, float, float, float]:
    """The share of time in the right class, recall and precision of the boundaries, and segments a clip."""
    classes = runtime.handling.answer.classes
    temperature = np.asarray([for_class(rule.temperature, name, 1.0) for name in classes])
    segmenter = MarginSegmenter(classes, rule)
    segments = segmenter.push(film.seconds, softmax(scores / temperature, 1.0))
    segments += segmenter.finish(float(film.ends[-1]))
    ticks = np.arange(_TICK_SECONDS, film.ends[-1], 2 * _TICK_SECONDS)
    truth = np.asarray(film.labels)[np.searchsorted(film.ends, ticks, side="right").clip(max=len(film.labels) - 1)]
    starts = np.asarray([segment.start_seconds for segment in segments])
    names = np.asarray([segment.label for segment in segments])
    labels = names[np.searchsorted(starts, ticks, side="right") - 1]
    there, here = film.ends[:-1], starts[1:]
    near = np.abs(there[:, None] - here[None]) <= _NEAR_SECONDS
    return (
        float((truth == labels).mean()),
        float(near.any(1).mean()),
        float(near.any(0).mean()) if len(here) else 1.0,
        len(starts) / len(film.labels),
    )


if __name__ == "__main__":
    typer.run(main)
