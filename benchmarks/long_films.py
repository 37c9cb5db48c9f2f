"""When should the state start anew in a long film? Films joined of clips that the model has not seen, by policy.

    python benchmarks/long_films.py models/moves sample_videos [--part test] [--films 10] [--clips 20]
    python benchmarks/long_films.py runs/ucf9-gru ucf9.csv --part val

Each film is that many clips one after another, no two neighbours of one class; they are joined as frames, so that
nothing is lost by writing them. Told are the share of the film's time that stands in a segment of the right class, the
same as a share of the accuracy of the clips each read by itself, and of the boundaries between clips the share that has
a boundary of the timeline within a second; and the other way round. `relay` is for comparison: two states, each begun
anew every window, half a window apart, of which the older one answers at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import typer

import vidrnn
from vidrnn.data.films import content_hash, read_labelled
from vidrnn.predict.stream import reader_of
from vidrnn.runtimes.base import Features, Runtime, State
from vidrnn.timeline.segments import FilmScores, Reading, prediction
from vidrnn.values import Floats, LabelledFilm, Part, Pixels, Reset
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
    print("| reset | hysteresis, shortest | time right | of the clips | boundaries found | found that are | segments |")
    print("|---|---|---|---|---|---|---|")
    for policy in POLICIES:
        for hysteresis, shortest in FIRMNESS:
            handling = runtime.handling
            reading = Reading(handling.classes, handling.temperature, 0.0, hysteresis, shortest)
            found = np.mean([_judged(film, _read(runtime, film, policy), reading) for film in joined], axis=0)
            print(
                f"| {policy} | {hysteresis}, {shortest} s | {found[0]:.3f} | {found[0] / alone:.3f} | {found[1]:.2f} | "
                f"{found[2]:.2f} | {found[3]:.2f} a clip |",
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
    """What the model says of one clip by itself."""
    grid = Grid(runtime.handling.sampling.spacing_seconds)
    pictures = [picture for _, picture in _frames(film, runtime, grid, 0.0) if picture is not None]
    reader = reader_of(runtime, "window")
    reader.read(runtime.encode(np.stack(pictures)))
    return runtime.handling.classes[int(reader.finish().clip.argmax())]


def _read(runtime: Runtime, film: Joined, policy: Reset | str) -> Floats:
    """The scores of each step (steps, classes)."""
    if policy == "relay":
        return _relayed(runtime, film.features)
    reader = reader_of(runtime, policy)  # type: ignore[arg-type]
    steps = reader.read(film.features, CutFinder().find(film.small))
    return np.concatenate([steps, reader.finish().steps])


def _relayed(runtime: Runtime, features: Features) -> Floats:
    window = runtime.handling.sampling.frames
    half, said = window // 2, []
    states: list[State | None] = [None, None]
    for step, one in enumerate(features):
        answers = []
        for number in range(2):
            if (step + number * half) % window == 0:
                states[number] = None
            scores, states[number] = runtime.follow(one[None, None], states[number])
            answers.append(((step + number * half) % window if step >= half or number == 0 else -1, scores.steps[0, 0]))
        said.append(max(answers, key=lambda answer: answer[0])[1])
    return np.stack(said)


def _judged(film: Joined, scores: Floats, reading: Reading) -> tuple[float, float, float, float]:
    """The share of time that is right, of boundaries found, of those found that are there, and segments a clip."""
    whole = scores.mean(0)
    told = FilmScores(Path("joined"), whole, scores, film.seconds, float(film.ends[-1]), len(scores))
    found = prediction(told, reading)
    ticks = np.arange(_TICK_SECONDS, film.ends[-1], 2 * _TICK_SECONDS)
    truth = np.asarray(film.labels)[np.searchsorted(film.ends, ticks, side="right").clip(max=len(film.labels) - 1)]
    starts = np.asarray([segment.start_seconds for segment in found.segments])
    names = np.asarray([segment.label for segment in found.segments])
    said = names[np.searchsorted(starts, ticks, side="right") - 1]
    there, here = film.ends[:-1], starts[1:]
    near = np.abs(there[:, None] - here[None]) <= _NEAR_SECONDS
    return (
        float((truth == said).mean()),
        float(near.any(1).mean()),
        float(near.any(0).mean()) if len(here) else 1.0,
        len(starts) / len(film.labels),
    )


if __name__ == "__main__":
    typer.run(main)
