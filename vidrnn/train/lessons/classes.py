"""The training of models that name the class of a clip."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from typing_extensions import override

from vidrnn.config import RunConfig
from vidrnn.data.cache import Cache
from vidrnn.data.dataset import Dataset
from vidrnn.data.splits import Split
from vidrnn.evaluate.classes import class_report, most_confused
from vidrnn.evaluate.metrics import classify_scores, fit_temperature, interval95
from vidrnn.events import Note, RunEvent
from vidrnn.nets.classifier import SequenceModel, refuse_unknown
from vidrnn.nets.scoring import Features, score_clips
from vidrnn.report.answers import Answers
from vidrnn.tables import Report
from vidrnn.tasks.classify import HYSTERESIS, SHORTEST_SECONDS
from vidrnn.timeline.segments import softmax
from vidrnn.train.controls import ClipOutcome, controls_report, folds_sentence, train_controls
from vidrnn.train.encoder_choice import choice_of, refuse_unfit_encoder
from vidrnn.train.fit import Fit, Validation
from vidrnn.train.journal import Journal
from vidrnn.train.learner import (
    Learner,
    Setting,
    loss_of,
    sampling_of,
    spec_of,
    validation_of,
)
from vidrnn.train.lessons.base import Appraisal, ComparableTeacher, Job, LearnerStudent, Outcome, Student, Verdict
from vidrnn.train.lessons.records import record_clips
from vidrnn.train.linear_fit import fit_linear, is_linear
from vidrnn.train.objective import MemberLoss, Objective, Truth
from vidrnn.train.search.choice import Found, settle
from vidrnn.train.search.memory import recall_or_search
from vidrnn.train.shares.minibatches import Clips
from vidrnn.values import AnswerSpec, DecisionRule, Part

_PREPARE_SHARE, _FIT_SHARE = 0.5, 0.75
"""Of the time that is left, if time is limited; the rest is for controls and scores."""


class ClassTeacher(ComparableTeacher):
    """Clips with a class each. `--encoder auto` searches for settings; the controls lack time, order or training."""

    unit = "clip"

    def __init__(self, job: Job) -> None:
        super().__init__(job)

    @override
    def refuse_unfit(self) -> None:
        refuse_unfit_encoder(self.job.config)
        refuse_unknown(self.job.config)

    @override
    def student(
        self, dataset: Dataset, split: Split, journal: Journal, share: float = 1.0
    ) -> Generator[RunEvent, None, Student]:
        budget = 1 / ((self.job.config.folds or 0) + 1)  # the folds and the model itself share one budget
        workers = self.job.workers
        given = replace(self.setting(dataset, split, self.job.config), journal=journal, workers=workers.alone())
        found = yield from recall_or_search(journal, given.config, lambda: self.search(given, budget))
        setting = self.setting(dataset, split, found.config)
        learner = Learner(setting, choice_of(found.config, dataset.median_size))
        yield Note(spec_of(learner).describe())
        if learner.few:
            yield Note(learner.few)
        linear = is_linear(learner)
        val = setting.places(Part.VAL)
        train = setting.evenly(setting.places(Part.TRAIN))
        scored = [*val, *setting.places(Part.TEST)]
        yield from learner.share_out(scored, to_train=False)
        yield from learner.prepare(scored, to_train=False)
        seconds = setting.clock.share_left(share * _PREPARE_SHARE)
        if seconds is None:
            yield from learner.share_out(train, to_train=not linear)
        yield from learner.prepare(train, to_train=not linear, seconds=seconds)
        kept = learner.plain if linear else learner.fine
        ready = workers.agree([place for place in setting.places(Part.TRAIN) if place in kept])
        yield from learner.prepare(ready, to_train=not linear)
        if len(ready) < len(train):
            yield Note(f"time allows for {len(ready):,} of {len(train):,} training clips; give more --minutes", True)
        if linear:
            return ClassStudent(learner, fit_linear(learner, ready, val), found, trained=True)
        fit = learner.fit(ready, val, workers.agree(setting.clock.share_left(share * _FIT_SHARE)))
        return ClassStudent(learner, fit, found, trained=False)

    @override
    def setting(self, dataset: Dataset, split: Split, config: RunConfig) -> Setting:
        job = self.job
        return Setting(
            task=job.task,
            objective=ClassObjective(),
            answer=AnswerSpec(job.task.name, "one", "clip", dataset.classes),
            dataset=dataset,
            split=split,
            config=config,
            sampling=sampling_of(dataset, split, config),
            cache=Cache(job.request.cache, job.request.jobs),
            clock=job.clock,
            stop=job.stop,
            device=torch.device(job.request.device),
            workers=job.workers,
        )

    @override
    def search(self, setting: Setting, share: float = 1.0) -> Generator[RunEvent, None, Found]:
        return (yield from settle(setting, share))

    @override
    def prepare(self, learner: Learner) -> Generator[RunEvent, None, None]:
        setting = learner.setting
        yield from learner.prepare([*setting.places(Part.VAL), *setting.places(Part.TEST)], to_train=False)
        yield from learner.prepare(setting.evenly(setting.places(Part.TRAIN)), to_train=True)

    @override
    def student_of(self, learner: Learner, fit: Fit, found: Found) -> ClassStudent:
        return ClassStudent(learner, fit, found, trained=False)

    @override
    def outcome(self, stored: Any) -> ClipOutcome:
        return ClipOutcome.of_plain(stored)

    @override
    def measure(self, setting: Setting) -> str:
        return "accuracy"


class ClassObjective(Objective):
    """The class of each clip, and of each of its steps; an epoch is judged by macro-F1."""

    @override
    def loss(self, setting: Setting, clips: Clips) -> MemberLoss:
        return loss_of(setting, clips)

    @override
    def validate(
        self, setting: Setting, sequence: SequenceModel, features: Sequence[Features], targets: Sequence[Truth]
    ) -> Validation:
        scores = score_clips(sequence, features, setting.sampling.frames)
        return validation_of(scores, np.asarray(targets, dtype=np.int64), setting)


class ClassStudent(LearnerStudent):
    """An encoder and a head that learn the classes of clips."""

    def __init__(self, learner: Learner, fit: Fit, found: Found, *, trained: bool) -> None:
        super().__init__(learner, fit)
        self.found, self.trained = found, trained
        self.choice = " ".join(filter(None, (found.reason, learner.few)))

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
    def verdict(self, part: Part) -> Verdict:
        setting, places = self.learner.setting, self.learner.ready(part)
        scores, truth = self.learner.scores(places), setting.dataset.labels[places]
        scored = classify_scores(softmax(scores, 1.0), truth, setting.dataset.classes)
        hits = scores.argmax(1) == truth
        interval = interval95(hits, [setting.dataset.groups[place] for place in places])
        return Verdict(scored.accuracy, scored.macro_f1, tuple(hits.astype(float).tolist()), interval)

    @override
    def run_controls(self) -> Generator[RunEvent, None, ClipOutcome | None]:
        return (yield from train_controls(self.learner))

    @override
    def answers(
        self, decision: DecisionRule, outcome: Outcome | None, folder: Path
    ) -> Generator[RunEvent, None, Answers]:
        assert outcome is None or isinstance(outcome, ClipOutcome)
        return (yield from record_clips(self.learner, decision, outcome, folder))

    @override
    def appraise(self, decision: DecisionRule, outcome: Outcome | None) -> Generator[RunEvent, None, Appraisal]:
        yield from ()
        assert outcome is None or isinstance(outcome, ClipOutcome)
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
        tried = self.found.report
        if tried.numbers:
            numbers["search"] = tried.numbers["tried"]
        card = (report, *shown, *((tried,) if tried.sentences else ()))
        return Appraisal(shown, card, numbers, tuple(word for word in words if word))
