"""Labels that were made wrong on purpose: how many of the first suspects are they?

    python benchmarks/suspects.py [--seeds 3] [--share 0.05]

ucf9: clips of nine UCF-101 classes, and one label in twenty is another class. falls: recordings of a ceiling camera
with ten actions, and one bout in twenty is another action. The list of suspects is that of `vidrnn report --suspects`.
The precision of its first half, of all of it, and the share of the wrong labels that it holds are printed. A suspect
bout counts as right if a bout that was made wrong covers most of it. The lists without any change are printed, too: in
them are true mistakes of the owners, and mistakes of the method.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import numpy as np
import torch
import typer
from training import FOOTAGE

from vidrnn.config import RunConfig
from vidrnn.data.dataset import Dataset, read_dataset
from vidrnn.data.store import open_cache
from vidrnn.report.answers import Answers, rounded
from vidrnn.report.recording import film_record, with_guess
from vidrnn.report.suspects import Suspect, find_suspects
from vidrnn.tasks.base import task_named
from vidrnn.train.encoder_choice import choice_of
from vidrnn.train.learner import Clock, Learner
from vidrnn.train.lessons.base import Job
from vidrnn.train.lessons.classes import ClassTeacher
from vidrnn.train.lessons.guesses import guess_clips, guess_films
from vidrnn.train.lessons.labels import LabelTeacher
from vidrnn.train.moments import Moments
from vidrnn.train.run import Request
from vidrnn.values import Annotation, DecisionRule, LabelledFilm, Part

Result = TypeVar("Result")
_COVERS = 0.5


def main(seeds: int = 3, share: float = 0.05, only: str = "") -> None:
    """Print the table."""
    print("| data | seed | wrong labels | suspects | precision, first half | precision, all | found |")
    print("|---|---|---|---|---|---|---|")
    torch.set_num_threads(1)
    if only in ("", "ucf9"):
        _clips(FOOTAGE / "ucf9", seeds, share)
    if only in ("", "falls"):
        _films(FOOTAGE / "falls" / "frames.csv", seeds, share)


def _clips(data: Path, seeds: int, share: float) -> None:
    teacher, dataset = _read(data, "classify", ClassTeacher)
    split = teacher.split(dataset, test=True)
    learner = Learner(
        teacher.setting(dataset, split, teacher.job.config), choice_of(teacher.job.config, dataset.median_size)
    )
    _end(learner.prepare(range(len(dataset.films)), to_train=False))
    for seed in [None, *range(seeds)]:
        wrong = set() if seed is None else _some(len(dataset.films), share, seed)
        films = tuple(
            replace(film, label=_other(film.label, dataset.classes, seed or 0, place)) if place in wrong else film
            for place, film in enumerate(dataset.films)
        )
        learner.setting = replace(learner.setting, dataset=replace(dataset, films=films))
        rows, how = _end(guess_clips(learner))
        records = [
            film_record(film, scan, Part.TRAIN, group, data).model_copy(
                update={"truth": dataset.classes.index(film.label), "guess": rounded(row), "path": str(place)}
            )
            for place, (film, scan, group, row) in enumerate(
                zip(films, dataset.scans, dataset.groups, rows, strict=True)
            )
        ]
        answers = Answers(scored="test", classes=dataset.classes, films=tuple(records), guessed_by=how)
        found = find_suspects(answers)
        right = [int(one.film.path) in wrong for one in found]
        _print(
            "ucf9", seed, len(wrong), right, len({one.film.path for one, hit in zip(found, right, strict=True) if hit})
        )


def _films(data: Path, seeds: int, share: float) -> None:
    teacher, dataset = _read(data, "label", LabelTeacher)
    dataset = _end(teacher.usable(dataset))
    split = teacher.split(dataset, test=True)
    config = teacher.job.config
    learner = Learner(teacher.setting(dataset, split, config), choice_of(config, dataset.median_size))
    _end(learner.prepare(range(len(dataset.films)), to_train=False))
    answer, rule = learner.setting.answer, DecisionRule(direction="both", smoothing_seconds=0.5)
    bouts = [(place, number) for place, film in enumerate(dataset.films) for number in range(len(_marks(film).bouts))]
    for seed in [None, *range(seeds)]:
        chosen = set() if seed is None else {bouts[one] for one in _some(len(bouts), share, seed)}
        films = tuple(
            _spoilt(film, place, chosen, answer.classes, seed or 0) for place, film in enumerate(dataset.films)
        )
        setting = learner.setting = replace(learner.setting, dataset=replace(dataset, films=films))
        tracks, how = _end(guess_films(learner, Moments(setting), rule))
        records = [
            with_guess(film_record(film, scan, Part.TRAIN, group, data.parent), track, answer)
            for film, scan, group, track in zip(films, dataset.scans, dataset.groups, tracks, strict=True)
        ]
        answers = Answers(scored="test", classes=answer.classes, films=tuple(records), guessed_by=how)
        found = [one for one in find_suspects(answers) if one.fault in ("not seen", "nobody marked")]
        spans = [(records[place].path, _seconds(dataset, place, number)) for place, number in sorted(chosen)]
        hits = [
            {place for place, (path, span) in enumerate(spans) if path == one.film.path and _covers(span, one)}
            for one in found
        ]
        _print("falls", seed, len(chosen), [bool(hit) for hit in hits], len(set().union(*hits)))


def _read(data: Path, task: str, teacher_of: Any) -> tuple[Any, Dataset]:
    config = teacher_of.complete(RunConfig(task=task, encoder="mobilenet_v2").with_defaults(task_named(task).defaults))
    request = Request(data, config, Path("unused"), open_cache(None), 1, "")
    teacher = teacher_of(Job(request, task_named(task), Clock(None), Event()))
    named = teacher.job.task.read(data, to_train=True, labels=config.labels)
    return teacher, _end(read_dataset(named, data, request.cache, 1))


def _end(events: Any) -> Any:
    """What a generator of events ends with."""
    if not isinstance(events, Generator):
        for _ in events:
            pass
        return None
    while True:
        try:
            next(events)
        except StopIteration as end:
            return end.value


def _some(count: int, share: float, seed: int) -> set[int]:
    return set(np.random.default_rng(seed).permutation(count)[: round(share * count)].tolist())


def _other(label: str, classes: tuple[str, ...], seed: int, place: int) -> str:
    others = [name for name in classes if name != label]
    return others[int(np.random.default_rng([seed, place]).integers(len(others)))]


def _marks(film: LabelledFilm) -> Annotation:
    assert film.annotation is not None
    return film.annotation


def _spoilt(
    film: LabelledFilm, place: int, chosen: set[tuple[int, int]], classes: tuple[str, ...], seed: int
) -> LabelledFilm:
    """The film with other labels for the chosen ones of its bouts."""
    marks = _marks(film)
    bouts = tuple(
        replace(bout, label=_other(bout.label, classes, seed, number)) if (place, number) in chosen else bout
        for number, bout in enumerate(marks.bouts)
    )
    return replace(film, annotation=replace(marks, bouts=bouts))


def _seconds(dataset: Dataset, place: int, number: int) -> tuple[float, float]:
    """The start and the end of a bout, whose annotation is in frames."""
    bout, scan = _marks(dataset.films[place]).bouts[number], dataset.scans[place]
    times = np.append(scan.frame_seconds, scan.facts.first_seconds + scan.facts.duration_seconds)
    return float(times[int(bout.start)]), float(times[min(int(bout.end), len(times) - 1)])


def _covers(span: tuple[float, float], suspect: Suspect) -> bool:
    common = min(span[1], suspect.end_seconds) - max(span[0], suspect.start_seconds)
    return common > _COVERS * (suspect.end_seconds - suspect.start_seconds)


def _print(data: str, seed: int | None, wrong: int, right: list[bool], found: int) -> None:
    half = right[: (len(right) + 1) // 2]
    shares = [f"{np.mean(one):.2f}" if one else "-" for one in (half, right)]
    name = "none" if seed is None else str(seed)
    print(
        f"| {data} | {name} | {wrong} | {len(right)} | {shares[0]} | {shares[1]} | {found / max(1, wrong):.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    typer.run(main)
