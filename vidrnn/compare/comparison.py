"""Comparison of heads on the same films, with the same split, windows and steps, each head with several seeds.

After a frozen encoder all heads read the same features. A trained encoder starts again from the same weights for each
head. The comparison yields events and prints nothing. It saves each training as soon as it ends, so that it can resume.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter

from vidrnn.atomic import write_text
from vidrnn.claims import Claim, claim_folder, holds_nothing
from vidrnn.compare.gradients import classifier_flow
from vidrnn.compare.plots import plot_comparison, plot_gradients
from vidrnn.compare.statistics import Comparison, Cost, Scale, Training, compare_heads
from vidrnn.config import HeadConfig, RunConfig
from vidrnn.data.store import with_notes
from vidrnn.errors import RunError, UsageError
from vidrnn.events import Note, Progress, RunEvent
from vidrnn.model.checkpoint import check_format
from vidrnn.nets.classifier import SequenceModel, count_parameters
from vidrnn.plain_json import json_text
from vidrnn.registry import load_attribute
from vidrnn.sums import read_summed, with_sum
from vidrnn.tasks.base import task_named
from vidrnn.train.encoder_choice import choice_of, encoder_hash
from vidrnn.train.journal import Journal
from vidrnn.train.learner import Clock, Learner, Setting
from vidrnn.train.lessons.base import ComparableTeacher, Job, Teacher
from vidrnn.train.run import Request
from vidrnn.train.search.choice import Found
from vidrnn.train.search.memory import recall_or_search
from vidrnn.train.shares.device import threads_for
from vidrnn.train.shares.workers import Workers
from vidrnn.train.trainer import films_hash
from vidrnn.values import Part

BOTH_WAYS = "-both"
"""The end of the name of a head that reads in both directions: `gru-both`."""
_FORMAT = 2
"""The version of facts.json and trainings.jsonl, from which a comparison resumes."""
_NO_PATIENCE = 1_000_000
"""In epochs: so many that no training stops early, and all heads take the same steps."""
_FLOW_CLIPS = 64
_STREAM_ROUNDS, _STREAM_FRAMES = 5, 200


@dataclass(frozen=True)
class CompareRequest:
    """The heads to compare, the films, and the folder of the results."""

    data: Path
    config: RunConfig
    """The settings that all heads share. Its own head gives size, layers and the other settings of heads."""
    heads: tuple[str, ...]
    """Their names; none for all heads that can learn the task."""
    seeds: int
    out: Path
    cache: Path
    jobs: int
    device: str = "cpu"
    resume: bool = False


@dataclass
class _Folder:
    """The folder of a comparison, with the trainings that have ended."""

    path: Path
    trainings: list[Training] = field(default_factory=list)

    def open(self, request: CompareRequest, films: str) -> None:
        """Create the folder, or read the trainings of an earlier start.

        Raises:
            RunError: the folder holds other files, or has other films, other settings or another format.
            OutputError: the folder cannot be written.
        """
        settings = request.config.located(request.data)
        passing = {"jobs", "cache_size", "checkpoint_minutes", "track", "license"}
        about = {"films": films, "settings": settings.model_dump(mode="json", exclude=passing)}
        facts, lines = self.path / "facts.json", self.path / "trainings.jsonl"
        if request.resume:
            if not facts.is_file():
                raise RunError(f"{self.path}: holds no comparison to resume. Start one without --resume.")
            before = _read_facts(facts)
            check_format(before.pop("format", _FORMAT), _FORMAT, facts)
            if before != about:
                raise RunError(
                    f"{self.path}: its videos or its settings differ from those of this command. Choose another --out."
                )
            self.trainings = list(_read_trainings(lines)) if lines.exists() else []
            return
        if self.path.exists() and not holds_nothing(self.path):
            raise RunError(f"{self.path}: exists already. Choose another --out, or use --resume {self.path}.")
        settings.write(self.path / "config.toml")
        write_text(
            facts, with_sum(json_text({"format": _FORMAT, **about}, ascii_only=True)), advice="Choose another --out."
        )

    def add(self, training: Training) -> None:
        """Save a training that has ended."""
        self.trainings.append(training)
        self.write(
            "trainings.jsonl",
            "".join(with_sum(json_text(asdict(one), ascii_only=True)) + "\n" for one in self.trainings),
        )

    def write(self, name: str, text: str) -> None:
        """Write a file of the comparison.

        Raises:
            OutputError: the file cannot be written.
        """
        write_text(self.path / name, text, advice=f"Free some space, then use --resume {self.path}.")

    def draw(self, comparison: Comparison) -> None:
        """Write the plots.

        Raises:
            OutputError: a file cannot be written.
        """
        plot_comparison(comparison, self.path / "comparison.png")
        plot_gradients(comparison, self.path / "gradients.png")

    def has(self, head: str, seed: int) -> bool:
        """Whether the training of this head with this seed has ended."""
        return any((one.head, one.seed) == (head, seed) for one in self.trainings)


def compare(request: CompareRequest, stop: Event | None = None) -> Generator[RunEvent, None, Comparison]:
    """Train every head with every seed and compare them; yield events, and return the comparison.

    If `stop` is set, the comparison ends after the running step. The folder holds the trainings that have ended and a
    checkpoint of the one that has not, and a request with `resume` goes on there.

    Raises:
        UsageError: the request is impossible.
        DataError: the films cannot be used.
        RunError: the folder cannot be used.
        OutputError: the disk refuses.
        KeyboardInterrupt: `stop` was set.
    """
    claim = _claimed(request)
    try:
        return (yield from with_notes(_compare(request, stop or Event()), request.cache))
    finally:
        claim.release()


def _claimed(request: CompareRequest) -> Claim:
    """The folder of the comparison, for this process alone.

    Raises:
        RunError: another comparison writes to it, or it cannot be made.
    """
    if request.out.exists() and not request.out.is_dir():
        raise RunError(f"{request.out}: exists already and is a file. Choose another --out.")
    try:
        claim = claim_folder(request.out)
    except OSError as error:
        raise RunError(
            f"{request.out}: cannot be made or written ({error.strerror or error}). Choose another --out."
        ) from None
    if claim is None:
        raise RunError(
            f"{request.out}: another comparison is writing to it now. Wait until it has ended, or choose another --out."
        )
    return claim


def _compare(request: CompareRequest, stop: Event) -> Generator[RunEvent, None, Comparison]:
    teacher = open_teacher(request, stop)
    request = replace(request, heads=request.heads or teacher.heads)
    heads = [parse_head(name, request.config.head) for name in request.heads]
    for head in heads:
        open_teacher(replace(request, config=request.config.model_copy(update={"head": head})), Event()).refuse_unfit()
    if request.config.folds or request.config.minutes:
        raise UsageError(
            "vidrnn compare: does not accept folds or minutes. All heads take the same steps on one split."
        )
    folder = _Folder(request.out)
    setting = yield from read_setting(request, teacher)
    films = films_hash(setting.dataset, setting.split)
    folder.open(request, films + encoder_hash(request.config))
    journal = Journal(
        folder=lambda: request.out / "checkpoint",
        resumed=request.resume,
        minutes=request.config.checkpoint_minutes,
        films=films,
    )
    setting = replace(setting, journal=journal)
    found = yield from recall_or_search(journal, setting.config, lambda: teacher.search(setting))
    first = _settled(teacher, setting, found)
    yield from teacher.prepare(first)
    for seed in range(request.seeds):
        for name, head in zip(request.heads, heads, strict=True):
            if not folder.has(name, seed):
                learner = _learner(first, head, seed)
                folder.add((yield from _train(teacher, learner, found, _Trial(journal, name, seed))))
                done = folder.trainings[-1]
                scored = f"{_part(setting)} {teacher.measure(setting)} {done.accuracy:.3f}"
                yield Note(f"{name}, seed {seed}: {scored}, {done.seconds:.0f} s")
    scale = Scale(teacher.measure(setting), teacher.unit)
    comparison = _compare_trainings(request, first, heads, folder.trainings, scale)
    folder.write("comparison.json", json_text(comparison.as_json(), ascii_only=True))
    folder.draw(comparison)
    return comparison


def parse_head(name: str, like: HeadConfig) -> HeadConfig:
    """The settings of the head `name`, with all other settings from `like`. `gru-both` reads in both directions."""
    plain = name.removesuffix(BOTH_WAYS)
    head = like.model_copy(update={"name": plain})
    shared = {setting: getattr(HeadConfig(), setting) for setting in head.unused}  # they are for the other heads
    both = plain != name or (like.bidirectional and "bidirectional" not in shared)
    return head.model_copy(update={**shared, "bidirectional": both})


def open_teacher(request: CompareRequest, stop: Event) -> ComparableTeacher:
    """The teacher of the task, with the settings that all heads share.

    Raises:
        UsageError: the heads of this task cannot be compared.
    """
    task = task_named(request.config.task)
    config = request.config.with_defaults(task.defaults)
    training = Request(request.data, config, request.out, request.cache, request.jobs, "vidrnn compare", request.device)
    workers = Workers(threads_for(request.jobs, request.device))
    teacher: Teacher = load_attribute(task.lesson)(Job(training, task, Clock(None), stop, workers))
    if not isinstance(teacher, ComparableTeacher):
        raise UsageError(
            f"vidrnn compare: does not work for --task {task.name}. Train one model with each head; each "
            "training shows its scores beside those of simple baselines."
        )
    return teacher


def read_setting(request: CompareRequest, teacher: ComparableTeacher) -> Generator[RunEvent, None, Setting]:
    """Read DATA and split it."""
    config = teacher.job.config.model_copy(update={"patience": _NO_PATIENCE})
    dataset = yield from teacher.job.read()
    dataset = yield from teacher.usable(dataset)
    split = teacher.split(dataset, test=config.test)
    yield Note(str(split))
    yield from (Note(text, warning=True) for text in split.notes)
    return teacher.setting(dataset, split, config)


def _settled(teacher: ComparableTeacher, setting: Setting, found: Found) -> Learner:
    """A learner with the settings that fit the films; the heads that are compared are those of the request."""
    dataset, given = setting.dataset, setting.config
    config = found.config.model_copy(update={"head": given.head, "readout": given.readout, "members": given.members})
    return Learner(teacher.setting(dataset, setting.split, config), choice_of(config, dataset.median_size))


def _part(setting: Setting) -> Part:
    return Part.TEST if setting.places(Part.TEST) else Part.VAL


def _learner(first: Learner, head: HeadConfig, seed: int) -> Learner:
    """A learner with the same encoder and clips, and another head and seed."""
    config = first.setting.config
    other = config.model_copy(update={"head": head, "seed": config.seed + seed})
    learner = Learner(replace(first.setting, config=other), first.choice)
    learner.fine, learner.plain = first.fine, first.plain
    return learner


@dataclass(frozen=True)
class _Trial:
    """The training of one head with one seed, and where its checkpoint is kept."""

    journal: Journal
    head: str
    seed: int

    @property
    def name(self) -> str:
        """For people, and in the journal."""
        return f"{self.head}, seed {self.seed}"


def _train(
    teacher: ComparableTeacher, learner: Learner, found: Found, trial: _Trial
) -> Generator[RunEvent, None, Training]:
    setting = learner.setting
    fresh = copy.deepcopy(learner.network.sequence)
    fit = learner.fit(setting.places(Part.TRAIN), setting.places(Part.VAL), None)
    trial.journal.resume(trial.name, fit)
    for epoch in fit.run(trial.journal.keeper(trial.name)):
        yield Progress(trial.name, epoch.number, epoch.of)
    if setting.stop.is_set():
        raise KeyboardInterrupt
    verdict = teacher.student_of(learner, fit, found).verdict(_part(setting))
    return Training(
        head=trial.head,
        seed=trial.seed,
        val_accuracy=next(iter(fit.best.shown.values())) if fit.best else 0.0,
        accuracy=verdict.accuracy,
        macro_f1=verdict.macro_f1,
        interval=verdict.interval,
        hits=verdict.hits,
        seconds=fit.spent_seconds,
        epochs=fit.epoch,
        before=_flow(learner, fresh),
        after=_flow(learner, learner.network.sequence),
    )


def _flow(learner: Learner, sequence: SequenceModel) -> tuple[float, ...]:
    """(time,): the gradient norms over one window of some validation films, with the current encoder."""
    setting = learner.setting
    places = setting.places(Part.VAL)[:_FLOW_CLIPS]
    features, truths = learner.features(places), learner.targets(places)
    length = min(setting.sampling.frames, *(max(2, len(one)) for one in features))
    pairs = [
        (one[:length], truth[length - 1] if truth.ndim else truth)
        for one, truth in zip(features, truths, strict=True)
        if len(one) >= length
    ]
    windows, targets = zip(*pairs, strict=True)
    return tuple(classifier_flow(sequence, torch.from_numpy(np.stack(windows)), np.stack(targets)).norms.tolist())


def _compare_trainings(
    request: CompareRequest,
    first: Learner,
    heads: Sequence[HeadConfig],
    trainings: Sequence[Training],
    scale: Scale,
) -> Comparison:
    setting = first.setting
    learners = [_learner(first, head, 0) for head in heads]
    speeds = stream_microseconds([learner.network.sequence for learner in learners], first.network.encoder.width)
    costs = [
        Cost(count_parameters(learner.network.sequence if learner.frozen else learner.network), microseconds)
        for learner, microseconds in zip(learners, speeds, strict=True)
    ]
    groups = [setting.dataset.groups[place] for place in setting.places(_part(setting))]
    requested = [one for one in trainings if one.seed < request.seeds]
    by_head = dict(zip(request.heads, costs, strict=True))
    return compare_heads(requested, by_head, groups, _described(first, heads), _part(setting), scale)


def stream_microseconds(networks: Sequence[SequenceModel], width: int) -> list[float | None]:
    """Microseconds per frame of each network, with features (1, 1, width) and carried state on one core.

    The networks take turns over several rounds. The fastest round of each counts, because other work on the machine
    only adds time. None for a network that must see whole clips.
    """
    frames = torch.randn(_STREAM_FRAMES, 1, 1, width, generator=torch.Generator().manual_seed(0)).unbind(0)
    readers = [copy.deepcopy(network).cpu().eval() for network in networks]
    rounds = [[_stream_seconds(reader, frames) for reader in readers] for _ in range(_STREAM_ROUNDS)]
    fastest = [1e6 * min(taken) / _STREAM_FRAMES for taken in zip(*rounds, strict=True)]
    return [taken if network.streams else None for taken, network in zip(fastest, networks, strict=True)]


def _stream_seconds(network: SequenceModel, frames: Sequence[torch.Tensor]) -> float:
    if not network.streams:
        return 0.0
    state = None
    started = time.perf_counter()
    with torch.inference_mode():
        for frame in frames:
            _, state = network(frame, state)
    return time.perf_counter() - started


def _described(learner: Learner, heads: Sequence[HeadConfig]) -> str:
    """The parts that all heads share; the readouts, where those of the heads differ."""
    encoder, config, sampling = learner.choice.encoder, learner.setting.config, learner.setting.sampling
    how = "frozen" if encoder.frozen else "trained for each head"
    motion = "change of features > " * learner.head.motion
    head = f"head x{config.members}" if config.members > 1 else "head"
    of_clips = learner.setting.readout is not None
    names = [config.model_copy(update={"head": one}).readout_name if of_clips else "each frame" for one in heads]
    readouts = " or ".join(dict.fromkeys(names))
    return (
        f"{encoder.name} ({how}{encoder.sees}) > {motion}{head} > {readouts}, "
        f"{encoder.input_of(learner.choice.size)}, windows of {sampling.frames} frames, "
        f"{sampling.spacing_seconds:g} s apart"
    )


def _read_facts(file: Path) -> dict[str, Any]:
    """The facts of a comparison.

    Raises:
        RunError: they are damaged.
    """
    try:
        return read_summed(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise RunError(f"{file}: damaged, so the comparison cannot go on. Start one anew with another --out.") from None


def _read_trainings(lines: Path) -> Iterator[Training]:
    """The trainings that have ended. One whose line is damaged is done again."""
    for line in lines.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError):
            yield TypeAdapter(Training).validate_python(read_summed(line))
