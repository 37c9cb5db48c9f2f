"""The training of models that name the class of a clip."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from threading import Event

import torch
from torch import Tensor
from typing_extensions import override

from vidrnn.atomic import write_text
from vidrnn.config import RunConfig
from vidrnn.data.cache import Cache
from vidrnn.data.dataset import Dataset
from vidrnn.data.splits import Split, split_films
from vidrnn.errors import FilmError, RunError
from vidrnn.evaluate.classes import class_report, most_confused
from vidrnn.evaluate.metrics import classify_scores, fit_temperature, interval95
from vidrnn.events import EpochDone, Note, RunEvent
from vidrnn.model.checkpoint import CHECKPOINT_FORMAT, check_format
from vidrnn.nets.class_scores import Scores
from vidrnn.nets.classifier import SequenceModel, refuse_unknown
from vidrnn.nets.network import Network
from vidrnn.nets.scoring import Features, score_clips
from vidrnn.nets.spec import ModelSpec
from vidrnn.tables import Report
from vidrnn.tasks.base import Task
from vidrnn.tasks.classify import HYSTERESIS, SHORTEST_SECONDS
from vidrnn.timeline.segments import softmax
from vidrnn.train.controls import Outcome, controls_report, folds_sentence, train_controls
from vidrnn.train.encoder_choice import Chosen, choice_of, choose_encoder, refuse_uneven_features, refuse_unfit_encoder
from vidrnn.train.fit import Epoch, Fit, Validation
from vidrnn.train.learner import Choice, Clock, Learner, Setting, epoch_event, loss_of, sampling_of, validation_of
from vidrnn.train.lessons.base import Appraisal, Job, Student, Teacher, checkpoint_choice
from vidrnn.train.minibatches import Clips
from vidrnn.train.objective import Objective
from vidrnn.train.run import Run
from vidrnn.values import AnswerSpec, DecisionRule, Part, Pixels
from vidrnn.video.reader import first_frames

_PREPARE_SHARE, _FIT_SHARE = 0.5, 0.75
"""Of the time that is left, if time is limited; the rest is for controls and scores."""


class ClassTeacher(Teacher):
    """Clips with a class each. `--encoder auto` holds a trial; the controls lack time, order or training."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        torch.set_num_threads(1)  # the cores work on shares of a minibatch and on films side by side

    @override
    def refuse_unfit(self) -> None:
        refuse_unknown(self.job.config)
        refuse_unfit_encoder(self.job.config)

    @override
    def usable(self, dataset: Dataset) -> Generator[RunEvent, None, Dataset]:
        yield from ()
        refuse_uneven_features(dataset, self.job.config)
        return dataset

    @override
    def split(self, dataset: Dataset, *, test: bool) -> Split:
        return split_films(dataset.films, dataset.grouping, test=test, seed=self.job.config.seed)

    @override
    def student(
        self, dataset: Dataset, split: Split, run: Run | None, share: float = 1.0
    ) -> Generator[RunEvent, None, Student]:
        setting = self._setting(dataset, split)
        choice = yield from self._choose(setting, run)
        learner = choice.learner
        yield Note(spec_of(learner).describe())
        if choice.fit and setting.stop.is_set():
            return ClassStudent(learner, choice.fit, choice.reason, trained=True)
        yield from learner.prepare([*setting.places(Part.VAL), *setting.places(Part.TEST)], to_train=False)
        train = setting.evenly(setting.places(Part.TRAIN))
        yield from learner.prepare(train, to_train=True, seconds=setting.clock.share_left(share * _PREPARE_SHARE))
        ready = [place for place in setting.places(Part.TRAIN) if place in learner.fine]
        if len(ready) < len(train):
            yield Note(f"time allows for {len(ready):,} of {len(train):,} training clips; give more --minutes", True)
        if choice.fit:
            return ClassStudent(learner, choice.fit, choice.reason, trained=True)
        fit = learner.fit(ready, setting.places(Part.VAL), setting.clock.share_left(share * _FIT_SHARE))
        return ClassStudent(learner, fit, choice.reason, trained=False)

    def _setting(self, dataset: Dataset, split: Split) -> Setting:
        job = self.job
        cache = Cache(job.request.cache, job.request.jobs)
        device = torch.device(job.request.device)
        return class_setting(job.task, dataset, split, job.config, cache, job.clock, job.stop, device)

    def _choose(self, setting: Setting, run: Run | None) -> Generator[RunEvent, None, Chosen]:
        """The encoder of the run. A resumed run does not repeat a trial that has ended."""
        memory = checkpoint_choice(run) if run else None
        if run and memory and self.job.request.resume and memory.exists():
            run.open(self.job.request)
            before = json.loads(memory.read_text(encoding="utf-8"))
            check_format(before.get("format", CHECKPOINT_FORMAT), CHECKPOINT_FORMAT, memory)
            named = setting.config
            if named.encoder == "auto":
                named = named.model_copy(update={"encoder": before["encoder"]})
            choice_before = choice_of(named, setting.dataset.median_size)
            _refuse_another_graph(choice_before, before.get("graph"), run.folder)
            return Chosen(Learner(setting, choice_before), None, before["reason"])
        choice = yield from choose_encoder(setting)
        if run:
            run.open(self.job.request)
        if memory and not setting.stop.is_set():
            encoder = choice.learner.choice.encoder
            stored = {"format": CHECKPOINT_FORMAT, "encoder": encoder.name, "reason": choice.reason}
            if encoder.graph is not None:
                stored["graph"] = encoder.graph.hash
            write_text(memory, json.dumps(stored))
        return choice


def _refuse_another_graph(choice: Choice, before: str | None, run: Path) -> None:
    """Refuse to go on with another graph than that of the run.

    Raises:
        RunError: the file of `--encoder` has changed.
    """
    if choice.encoder.graph is not None and choice.encoder.graph.hash != before:
        raise RunError(
            f"{run}: {choice.encoder.origin} is not the encoder that this run began with. Bring that file back, or "
            "train anew."
        )


class ClassObjective(Objective):
    """The class of each clip, and of each of its steps; an epoch is judged by macro-F1."""

    @override
    def loss(self, setting: Setting, clips: Clips) -> Callable[[Scores, Tensor, Tensor], Tensor]:
        return loss_of(setting, clips)

    @override
    def validate(
        self, setting: Setting, sequence: SequenceModel, features: Sequence[Features], places: Sequence[int]
    ) -> Validation:
        scores = score_clips(sequence, features, setting.sampling.frames)
        return validation_of(scores, setting.dataset.labels[list(places)], setting)


def class_setting(
    task: Task,
    dataset: Dataset,
    split: Split,
    config: RunConfig,
    cache: Cache,
    clock: Clock,
    stop: Event,
    device: torch.device,
) -> Setting:
    """The setting of a training with a class for each clip; the films decide how they are sampled."""
    return Setting(
        task=task,
        objective=ClassObjective(),
        dataset=dataset,
        split=split,
        config=config,
        sampling=sampling_of(dataset, split, config),
        cache=cache,
        clock=clock,
        stop=stop,
        device=device,
    )


class ClassStudent(Student):
    """An encoder and a head that learn the classes of clips."""

    def __init__(self, learner: Learner, fit: Fit, choice: str, *, trained: bool) -> None:
        self.learner, self.fit, self.choice, self.trained = learner, fit, choice, trained

    @property
    @override
    def network(self) -> Network:
        return self.learner.network

    @property
    @override
    def spec(self) -> ModelSpec:
        return spec_of(self.learner)

    @property
    @override
    def answer(self) -> AnswerSpec:
        return AnswerSpec(self.learner.setting.task.name, "one", "clip", self.learner.setting.dataset.classes)

    @override
    def report_epoch(self, epoch: Epoch) -> EpochDone:
        return epoch_event(epoch, "model", timed=self.learner.setting.clock.minutes is not None)

    @override
    def calibrate(self) -> Generator[RunEvent, None, DecisionRule]:
        yield from ()
        val = self.learner.ready(Part.VAL)
        temperature = fit_temperature(self.learner.scores(val), self.learner.setting.dataset.labels[val])
        return DecisionRule(
            temperature=temperature,
            hysteresis=HYSTERESIS,
            shortest_seconds=SHORTEST_SECONDS,
            reset="window" if self.learner.choice.encoder.features else "cut",  # features show no cuts
        )

    @override
    def run_controls(self) -> Generator[RunEvent, None, Outcome | None]:
        return (yield from train_controls(self.learner))

    @override
    def appraise(self, decision: DecisionRule, outcome: Outcome | None) -> Generator[RunEvent, None, Appraisal]:
        yield from ()
        learner, setting = self.learner, self.learner.setting
        part = Part.TEST if learner.ready(Part.TEST) else Part.VAL
        places = learner.ready(part)
        assert isinstance(decision.temperature, float)
        probabilities, truth = softmax(learner.scores(places), decision.temperature), setting.dataset.labels[places]
        scores = classify_scores(probabilities, truth, setting.dataset.classes)
        groups = [setting.dataset.groups[place] for place in places]
        interval = interval95(probabilities.argmax(1) == truth, groups)
        report = class_report(scores, interval, task=setting.task.name, title=f"Scores on its {part} part")
        controls = controls_report(outcome) if outcome else Report()
        numbers = {"part": part.value, "folds": None, "interval": list(interval), **report.numbers, **controls.numbers}
        if outcome and outcome.folds:  # pooled scores do not mix with those of one part, which have the same names
            shared = {name: report.numbers[name] for name in ("task", "classes")}
            numbers = {**shared, **controls.numbers, part.value: report.numbers}
        words = [f"{part}: {report.sentences[0][:1].lower()}{report.sentences[0][1:]}", most_confused(scores)]
        if outcome and outcome.folds:  # the pooled score comes first: it is of more clips
            words.insert(0, folds_sentence(outcome))
        shown = (controls,) if outcome else ()
        return Appraisal(shown, (report, *shown), numbers, tuple(word for word in words if word))

    @override
    def check_clips(self) -> Sequence[Pixels]:
        setting = self.learner.setting
        path = setting.dataset.scans[setting.places(Part.VAL)[0]].facts.path
        try:
            return [first_frames(path, setting.sampling, self.learner.choice.size, setting.config.rate)]
        except FilmError:
            return []


def spec_of(learner: Learner) -> ModelSpec:
    """The parts and sizes of a learner's network."""
    size, sampling = learner.choice.size, learner.setting.sampling
    return ModelSpec(
        network="scores",
        encoder=learner.choice.encoder,
        head=learner.head,
        readout=learner.setting.config.readout,
        height=size.height,
        width=size.width,
        frames=sampling.frames,
        spacing_seconds=sampling.spacing_seconds,
    )
