"""The training of models that label each frame."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score, f1_score
from typing_extensions import override

from vidrnn.config import LossName, RunConfig
from vidrnn.data.cache import Cache
from vidrnn.data.dataset import Dataset
from vidrnn.data.splits import Split
from vidrnn.data.usable.moments import UsableMoments, short_bouts, shortest_bout, step_spacing, usable_moments
from vidrnn.errors import UsageError
from vidrnn.evaluate.label_scores import label_scores
from vidrnn.evaluate.label_tables import label_report
from vidrnn.evaluate.tracks import FilmTracks
from vidrnn.events import Note, RunEvent
from vidrnn.nets.classifier import SequenceModel, refuse_unknown
from vidrnn.nets.heads import HEADS
from vidrnn.nets.scoring import Features, score_steps
from vidrnn.report.answers import Answers
from vidrnn.tables import Report
from vidrnn.timeline.segments import softmax
from vidrnn.train.controls import THIS_MODEL
from vidrnn.train.encoder_choice import choice_of, refuse_unfit_encoder
from vidrnn.train.fit import Fit, Validation
from vidrnn.train.journal import Journal
from vidrnn.train.label_controls import LabelOutcome, label_controls_report, run_label_controls, shares_right
from vidrnn.train.learner import Learner, Setting, spec_of
from vidrnn.train.lessons.base import Appraisal, ComparableTeacher, Job, LearnerStudent, Outcome, Student, Verdict
from vidrnn.train.lessons.records import record_films
from vidrnn.train.loss import LabelLoss
from vidrnn.train.moments import Moments, RuleSearch, Scored
from vidrnn.train.objective import MemberLoss, Objective, Sampler, Truth
from vidrnn.train.recipes import OF_MOMENTS, Recipe
from vidrnn.train.search.choice import Found
from vidrnn.train.search.labelling import LabelSearch
from vidrnn.train.search.memory import recall_or_search
from vidrnn.train.shares.minibatches import Clips, MomentSampler
from vidrnn.values import AnswerSpec, DecisionRule, Floats, Kind, Part, Sampling

_OF_CLIPS = "linear"
"""The head that classifies whole clips only."""
_EPOCH_STEPS = 40
"""Minibatches in an epoch."""
_SOFT_SECONDS = 0.2
_SOFT_SHARE = 0.25
"""Around a boundary targets are soft for so long, but for no more than this share of a short bout."""
_PREPARE_SHARE, _FIT_SHARE = 0.5, 0.75


class LabelTeacher(ComparableTeacher):
    """Films with labels at their moments."""

    unit = "video"
    heads = tuple(name for name in HEADS if name != _OF_CLIPS)
    moments: UsableMoments

    def __init__(self, job: Job) -> None:
        super().__init__(job)

    @classmethod
    @override
    def complete(cls, config: RunConfig) -> RunConfig:
        """A head that remembers reads both ways, unless the model is to answer a camera at once."""
        if config.live or {"bidirectional"} & {*config.head.model_fields_set, *config.head.unused}:
            return config
        return config.model_copy(update={"head": config.head.model_copy(update={"bidirectional": True})})

    @override
    def refuse_unfit(self) -> None:
        config = self.job.config
        refuse_unfit_encoder(config)
        refuse_unknown(config)
        if config.live and config.head.bidirectional:
            raise UsageError(
                "--live --bidirectional: a head that reads both ways cannot answer at once. Leave one out."
            )
        if config.head.name == _OF_CLIPS:
            raise UsageError(
                "--head linear: is a classifier of whole clips. For labels of each frame alone, say --head none."
            )

    @override
    def usable(self, dataset: Dataset) -> Generator[RunEvent, None, Dataset]:
        self.moments = yield from usable_moments(dataset, self.job.config, self.job.request.data)
        refuse_unfit_loss(self.job.config.loss, several=self.moments.behaviours.several)
        return self.moments.dataset

    @override
    def student(
        self, dataset: Dataset, split: Split, journal: Journal, share: float = 1.0
    ) -> Generator[RunEvent, None, Student]:
        budget = 1 / ((self.job.config.folds or 0) + 1)  # the folds and the model itself share one budget
        workers = self.job.workers
        given = replace(self.setting(dataset, split, self.job.config), journal=journal, workers=workers.alone())
        found = yield from recall_or_search(journal, given.config, lambda: self.search(given, budget))
        learner = self._learner(self.setting(dataset, split, found.config))
        setting = learner.setting
        yield Note(spec_of(learner).describe())
        yield from learner.share_out([*setting.places(Part.VAL), *setting.places(Part.TEST)], to_train=False)
        seconds = setting.clock.share_left(share * _PREPARE_SHARE)
        if seconds is None:
            yield from learner.share_out(setting.places(Part.TRAIN), to_train=_mirrors(learner))
        yield from self.prepare(learner, seconds)
        kept = learner.fine if _mirrors(learner) else learner.plain
        ready = workers.agree([place for place in setting.places(Part.TRAIN) if place in kept])
        yield from learner.prepare(ready, to_train=_mirrors(learner))
        if len(ready) < len(setting.places(Part.TRAIN)):
            total = len(setting.places(Part.TRAIN))
            yield Note(f"time allows for {len(ready):,} of {total:,} training videos; give more --minutes", True)
        limit = workers.agree(setting.clock.share_left(share * _FIT_SHARE))
        return LabelStudent(learner, learner.fit(ready, setting.places(Part.VAL), limit), found)

    @override
    def prepare(self, learner: Learner, seconds: float | None = None) -> Generator[RunEvent, None, None]:
        """Read the films of all parts for a learner; those of training for so many seconds, if time is limited."""
        setting = learner.setting
        yield from learner.prepare([*setting.places(Part.VAL), *setting.places(Part.TEST)], to_train=False)
        yield from learner.prepare(setting.places(Part.TRAIN), to_train=_mirrors(learner), seconds=seconds)

    @override
    def search(self, setting: Setting, share: float = 1.0) -> Generator[RunEvent, None, Found]:
        def learner_of(config: RunConfig) -> Learner:
            plain = self.setting(setting.dataset, setting.split, config)
            return self._learner(replace(plain, workers=setting.workers, journal=setting.journal))

        return (yield from LabelSearch(setting, learner_of, share).run())

    @override
    def student_of(self, learner: Learner, fit: Fit, found: Found) -> LabelStudent:
        return LabelStudent(learner, fit, found)

    @override
    def outcome(self, stored: Any) -> LabelOutcome:
        return LabelOutcome.of_plain(stored)

    @override
    def measure(self, setting: Setting) -> str:
        return "macro-F1" if setting.answer.kind == "several" else "frame accuracy"

    def _learner(self, setting: Setting) -> Learner:
        return Learner(setting, choice_of(setting.config, setting.dataset.median_size))

    @override
    def setting(self, dataset: Dataset, split: Split, config: RunConfig) -> Setting:
        job, behaviours = self.job, self.moments.behaviours
        kind: Kind = "several" if behaviours.several else "one"
        train = dataset.at(split.indices(Part.TRAIN))  # the labels of other films decide nothing
        spacing = self.moments.cut_spacing or step_spacing(train, config)
        return Setting(
            task=job.task,
            objective=LabelObjective(),
            answer=AnswerSpec(job.task.name, kind, "frame", behaviours.classes, behaviours.background),
            dataset=dataset,
            split=split,
            config=config,
            sampling=Sampling(config.frames, spacing),
            cache=Cache(job.request.cache, job.request.jobs),
            clock=job.clock,
            stop=job.stop,
            device=torch.device(job.request.device),
            workers=job.workers,
        )


def refuse_unfit_loss(loss: LossName, *, several: bool) -> None:
    """Refuse a loss that is for the other kind of labels.

    Raises:
        UsageError: it is.
    """
    if loss == "focal" and several:
        raise UsageError(
            "--loss focal: is for classes that exclude each other, and here several behaviours may hold at once. Say "
            "--loss asymmetric, or --exclusive."
        )
    if loss == "asymmetric" and not several:
        raise UsageError(
            "--loss asymmetric: is for several behaviours at once, and here they exclude each other. Say --loss focal, "
            "or --several."
        )


def _mirrors(learner: Learner) -> bool:
    """Whether mirrored features are stored for training; an encoder that learns mirrors the pictures itself."""
    return learner.frozen and learner.setting.flip


def trained_bouts(setting: Setting) -> Floats:
    """`short_bouts` of the training films."""
    return short_bouts(setting.dataset.at(setting.places(Part.TRAIN)))


class LabelObjective(Objective):
    """The labels of each step; an epoch is judged by accuracy and macro-F1, or by average precision if several hold."""

    recipes = OF_MOMENTS

    @override
    def minibatch(self, recipe: Recipe, clips: Clips) -> int:
        """Windows in a minibatch: long films give any number of them."""
        return recipe.minibatch

    @override
    def loss(self, setting: Setting, clips: Clips) -> MemberLoss:
        truth = np.concatenate([np.asarray(target) for target in clips.targets])
        classes = len(setting.answer.classes)
        if setting.answer.kind == "several":
            counts, total = np.nansum(truth, 0).tolist(), float((~np.isnan(truth)).all(1).sum())
        else:
            known = truth[truth >= 0].astype(np.int64)
            counts, total = np.bincount(known, minlength=classes).tolist(), float(len(known))
        soft = (
            min(_SOFT_SECONDS, _SOFT_SHARE * shortest_bout(trained_bouts(setting))) / setting.sampling.spacing_seconds
        )
        loss = LabelLoss(
            counts,
            several=setting.answer.kind == "several",
            total=total,
            soft_steps=int(soft),
            smoothing=setting.config.label_smoothing,
            loss=setting.config.loss,
        )
        return loss.to(setting.device)

    @override
    def sampler(self, setting: Setting, minibatch: int, *, phases: int, stretch: float, shuffled: bool) -> Sampler:
        return MomentSampler(
            frames=setting.sampling.frames,
            minibatch=minibatch,
            seed=setting.config.seed,
            steps_per_epoch=_EPOCH_STEPS,
            shuffled=shuffled,
            phases=phases,
            stretch=stretch,
            late_loss=carries(setting),
        )

    @override
    def validate(
        self, setting: Setting, sequence: SequenceModel, features: Sequence[Features], targets: Sequence[Truth]
    ) -> Validation:
        scores = np.concatenate(list(score_steps(sequence, features, setting.sampling.frames, carry=carries(setting))))
        truth = np.concatenate(targets)
        return several_validation(scores, truth) if setting.answer.kind == "several" else one_validation(scores, truth)


def carries(setting: Setting) -> bool:
    """Whether one state goes through the whole of a film, as in a model that answers at once."""
    return not setting.config.head.bidirectional


def one_validation(scores: Floats, truth: Truth) -> Validation:
    """The validation of classes that exclude each other: the mean of frame accuracy and macro-F1."""
    known = truth >= 0
    scores, truth = scores[known], truth[known]
    answers = scores.argmax(1)
    accuracy, f1 = float((answers == truth).mean()), float(f1_score(truth, answers, average="macro", zero_division=0))
    shares = softmax(scores, 1.0)[np.arange(len(truth)), truth]
    return Validation((accuracy + f1) / 2, float(-np.log(shares.clip(1e-12)).mean()), {"accuracy": accuracy, "F1": f1})


def several_validation(scores: Floats, truth: Truth) -> Validation:
    """The validation of behaviours that may hold at once: the mean of their average precisions."""
    precisions, losses = [], []
    for place in range(truth.shape[1]):
        known = ~np.isnan(truth[:, place])
        shown, score = truth[known, place], scores[known, place]
        losses.append(np.logaddexp(0, np.where(shown == 1, -score, score)).mean() if known.any() else 0.0)
        if shown.any():
            precisions.append(average_precision_score(shown, score))
    mean = float(np.mean(precisions)) if precisions else 0.0
    return Validation(mean, float(np.mean(losses)), {"mAP": mean})


class LabelStudent(LearnerStudent):
    """An encoder and a head that learn what happens at each frame."""

    def __init__(self, learner: Learner, fit: Fit, found: Found) -> None:
        super().__init__(learner, fit)
        self.tried, self.choice = found.report, found.reason
        self.moments = Moments(learner.setting)

    @override
    def calibrate(self) -> Generator[RunEvent, None, DecisionRule]:
        yield from ()
        return self._rule(self._scores(Part.VAL))

    def _scores(self, part: Part) -> list[Floats]:
        """The scores of the steps of each film of a part."""
        setting = self.learner.setting
        features = self.learner.features(setting.places(part))
        sequence = self.learner.network.sequence.eval()
        return list(score_steps(sequence, features, setting.sampling.frames, carry=carries(setting)))

    def _rule(self, val: Sequence[Floats]) -> DecisionRule:
        """The rule that fits the validation films best, whose scores are given."""
        setting = self.learner.setting
        causal = carries(setting)
        places = setting.places(Part.VAL)
        search = RuleSearch(
            moments=self.moments,
            films=[Scored(place, scores) for place, scores in zip(places, val, strict=True)],
            targets=self.learner.targets(places),
            first=DecisionRule(reset="never" if causal else "window", direction="causal" if causal else "both"),
            shortest_bouts=trained_bouts(setting),
        )
        return search.best()

    def _answering(self, scores_of: Callable[[Part], list[Floats]]) -> dict[Part, list[FilmTracks]]:
        """The tracks of the films of each part, by the rule that their validation scores give."""
        setting = self.learner.setting
        rule = self._rule(scores_of(Part.VAL))
        found = {}
        for part in (Part.VAL, Part.TEST):
            if places := setting.places(part):
                films = [Scored(place, scores) for place, scores in zip(places, scores_of(part), strict=True)]
                found[part] = self.moments.tracks(films, rule)
        return found

    @override
    def verdict(self, part: Part) -> Verdict:
        setting = self.learner.setting
        tracks, answer = self._answering(self._scores)[part], setting.answer
        scores = label_scores(tracks, answer.classes, answer.background, answer.kind == "several")
        groups = [setting.dataset.groups[place] for place in setting.places(part)]
        accuracy = scores.macro_f1 if scores.frame_accuracy is None else scores.frame_accuracy
        hits = tuple(shares_right(tracks).tolist())
        return Verdict(accuracy or 0.0, scores.macro_f1 or 0.0, hits, scores.interval(groups))

    @override
    def run_controls(self) -> Generator[RunEvent, None, Outcome | None]:
        return (yield from run_label_controls(self.learner, self._answering))

    @override
    def answers(
        self, decision: DecisionRule, outcome: Outcome | None, folder: Path
    ) -> Generator[RunEvent, None, Answers]:
        assert outcome is None or isinstance(outcome, LabelOutcome)
        part = Part.TEST if self.learner.setting.places(Part.TEST) else Part.VAL
        places = self.learner.setting.places(part)
        scored = [Scored(place, scores) for place, scores in zip(places, self._scores(part), strict=True)]
        tracks = self.moments.tracks(scored, decision)
        return (yield from record_films(self.learner, self.moments, decision, tracks, outcome, folder))

    @override
    def appraise(self, decision: DecisionRule, outcome: Outcome | None) -> Generator[RunEvent, None, Appraisal]:
        yield from ()
        assert outcome is None or isinstance(outcome, LabelOutcome)
        setting, answer = self.learner.setting, self.answer
        part = Part.TEST if setting.places(Part.TEST) else Part.VAL
        places = setting.places(part)
        scored = [Scored(place, scores) for place, scores in zip(places, self._scores(part), strict=True)]
        tracks, groups = self.moments.tracks(scored, decision), [setting.dataset.groups[place] for place in places]
        remark = ""
        if outcome and outcome.folds:  # the pooled score comes first: it is of more films
            pooled = outcome.tracks[THIS_MODEL]
            tracks, groups, remark = pooled[outcome.part], outcome.groups[outcome.part], outcome.remark
        scores = label_scores(tracks, answer.classes, answer.background, answer.kind == "several")
        interval = scores.interval(groups)
        title = f"Scores by {outcome.folds} folds" if outcome and outcome.folds else f"Scores on its {part} part"
        report = label_report(scores, interval, task=answer.task, title=title)
        controls = label_controls_report(outcome) if outcome else Report()
        numbers = {
            "part": "folds" if outcome and outcome.folds else part.value,
            "folds": outcome.folds if outcome else None,
            "interval": None if interval is None else list(interval),
            **report.numbers,
            **controls.numbers,
        }
        if self.tried.numbers:
            numbers["search"] = self.tried.numbers["tried"]
        where = "folds" if remark else str(part)
        words = [f"{where}: {text[:1].lower()}{text[1:]}" for text in report.sentences[-1:]]
        shown = (controls,) if outcome else ()
        card = (report, *shown, *((self.tried,) if self.tried.sentences else ()))
        return Appraisal((*shown, report), card, numbers, tuple(words))
