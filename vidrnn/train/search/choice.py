"""`--encoder auto`: a search for the settings that fit the films.

It starts with what is cheap. Linear probes read small pictures, and features of a pretrained encoder. They also tell
whether colour matters, whether a class shows all the time, and whether mirrored clips are of the same class. Then a few
networks are trained three times, each time without a third of the groups, and answer for the clips of that third. Those
that promise little get little training. All clips of train and validation take part, and those of test do not.

The budget is counted work, multiplications and not seconds, so the same seed gives the same choice.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from vidrnn.config import LabelHolds, RunConfig
from vidrnn.data.splits import hold_out_groups
from vidrnn.errors import UsageError, WeightsError
from vidrnn.evaluate.metrics import interval95
from vidrnn.events import Note, Progress, RunEvent
from vidrnn.nets.encoders import TRAINED_FROM_SCRATCH
from vidrnn.tables import Report, Table
from vidrnn.train.encoder_choice import choice_of
from vidrnn.train.learner import Learner, Setting, sampling_of
from vidrnn.train.search import probes
from vidrnn.train.search.candidates import (
    KNOWN,
    Candidate,
    Clips,
    given_settings,
    known_candidate,
    learnt_candidates,
    with_settings,
)
from vidrnn.train.search.evidence import LEVEL, MOTIONS, FeatureEvidence, PictureEvidence
from vidrnn.train.search.work import training_work
from vidrnn.values import Part

_NOT_LINEAR = frozenset({"readout", "members", "head.name", "head.layers", "head.bidirectional", "head.memory_frames"})
"""Who gives one of these settings wants a recurrent head."""
_DRAWS = 3
"""Every candidate is judged so often, each time with other folds or other first weights."""
_FOLDS = 3
"""Of every draw, so that linear and trained candidates learn from as many clips."""
_BUDGET = 20_000.0
"""In thousand millions of multiplications: about ten minutes on two cores."""
_SHORT_SHARE, _WHOLE_SHARE = 0.15, 0.35
"""Of the budget, for one encoder that learns from the films: a short training, and a whole one."""
_SHORT = 3
"""A short training has so many times fewer epochs than a whole one."""
_LEFT_AFTER_SHORT = 0.4
"""A whole training leaves at least so much of the errors of a short one."""
_FEWEST_EPOCHS = 3
"""A short training of fewer epochs tells nothing, so it is left out."""
_CLEARLY = 0.03
"""Who is ahead by more than this after a short training needs no whole one to be chosen."""
_MINUTES = 10.0
_CLOCK_SHARE, _CLIP_SECONDS = 0.35, 0.4
"""Where the user limits the time: the share of it that is for the search, and the least cost of a clip in a search."""


@dataclass(frozen=True)
class Tried:
    """A candidate and what it came to."""

    candidate: Candidate
    hits: NDArray[np.bool_]
    """(answers,): whether each is right, over all draws."""
    groups: Sequence[str]
    """The group of the clip of each answer."""
    how: str
    """How it was trained."""

    @property
    def accuracy(self) -> float:
        """The mean over the draws."""
        return float(self.hits.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy."""
        return interval95(self.hits, self.groups)


@dataclass(frozen=True)
class Found:
    """The settings that were chosen."""

    config: RunConfig
    reason: str
    """The choice, in a sentence."""
    report: Report
    """What was tried, and what it came to."""

    def as_json(self) -> dict[str, Any]:
        """As plain values, for the checkpoint of a run."""
        return {
            "config": self.config.model_dump(mode="json", exclude_none=True),
            "reason": self.reason,
            "report": TypeAdapter(Report).dump_python(self.report, mode="json"),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], source: str) -> Found:
        """From the values that `as_json` gave; `source` names them in errors.

        Raises:
            UsageError: a setting does not exist in this version.
        """
        report = TypeAdapter(Report).validate_python(stored["report"])
        return cls(RunConfig.of(stored["config"], source), stored["reason"], report)


def settle(setting: Setting, share: float = 1.0) -> Generator[RunEvent, None, Found]:
    """The settings of a training: found by a search, or those of the named encoder.

    A named encoder switches the search off, unless the settings ask for it. Then only the mirror images are decided,
    if the user said nothing of them. Features from elsewhere leave nothing to decide: they cannot be mirrored.

    Raises:
        UsageError: the settings do not fit a search.
    """
    config = setting.config
    if config.features:
        return Found(config.model_copy(update={"flip": False}), "", Report())
    if config.encoder == "auto" or config.search:
        refuse_unfit(config)
        return (yield from search_settings(setting, share))
    if config.flip is not None:
        return Found(config, "", Report())
    places = sorted([*setting.places(Part.TRAIN), *setting.places(Part.VAL)])
    dataset = setting.dataset
    folds = hold_out_groups(
        [dataset.films[i] for i in places], [dataset.groups[i] for i in places], _FOLDS, config.seed
    )
    mirrors = yield from (yield from PictureEvidence.gather(setting, places, [folds])).mirrors_tell()
    yield Note(mirrors.sentence)
    return Found(config.model_copy(update={"flip": mirrors.mirror}), "", Report("", (), (mirrors.sentence,)))


def refuse_unfit(config: RunConfig) -> None:
    """Refuse settings that name an encoder's weights, or its training, where the search chooses the encoder.

    Raises:
        UsageError: there are such settings.
    """
    if config.encoder == "auto" and config.weights:
        raise UsageError(
            f"--weights {config.weights}: --encoder auto does not know which encoder they are for. Name the encoder."
        )
    if config.fine_tune:
        raise UsageError("--fine-tune: the search compares frozen encoders. Name the encoder, and leave out --search.")


def search_settings(setting: Setting, share: float = 1.0) -> Generator[RunEvent, None, Found]:
    """Search for the settings that fit the clips of train and validation.

    Args:
        setting: of the training; its config holds what the user gave, and those settings stay.
        share: of the budget of work.

    Raises:
        DataError: a film cannot be read any more.
        KeyboardInterrupt: the training was stopped.
    """
    return (yield from _Search(setting, share).run())


@dataclass
class _Search:
    setting: Setting
    share: float
    tried: list[Tried] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        dataset = self.setting.dataset
        self.places = self._places()
        self.labels = dataset.labels[self.places]
        self.groups = [dataset.groups[place] for place in self.places]
        self.clips = Clips.of(dataset, self.places)

    def _places(self) -> list[int]:
        """The clips of train and validation; some of them, evenly chosen, if the user's time is short."""
        places = [*self.setting.places(Part.TRAIN), *self.setting.places(Part.VAL)]
        seconds = self.setting.clock.share_left(_CLOCK_SHARE)
        if seconds is not None:
            most = max(8 * len(self.setting.dataset.classes), int(seconds / _CLIP_SECONDS))
            self.share = min(self.share, seconds / 60 / _MINUTES)
            places = self.setting.evenly(places)[:most]
        return sorted(places)

    @cached_property
    def draws(self) -> list[probes.Folds]:
        """The folds of each draw of a probe."""
        return [self._folds(_FOLDS, draw) for draw in range(_DRAWS)]

    @cached_property
    def thirds(self) -> probes.Folds:
        """The folds of trained candidates: each has its own first weights, and so is a draw."""
        return self._folds(_DRAWS, 0)

    def _folds(self, count: int, draw: int) -> probes.Folds:
        films = [self.setting.dataset.films[place] for place in self.places]
        return hold_out_groups(films, self.groups, count, self.setting.config.seed + draw)

    def run(self) -> Generator[RunEvent, None, Found]:
        """Evidence first, then the candidates."""
        minutes = max(1, round(_MINUTES * self.share * min(1.0, len(self.places) / 700)))
        yield Note(
            f"searching for settings by folds of {len(self.places):,} clips, about {minutes} min on two free cores; "
            "a named --encoder leaves the search out"
        )
        pictures = yield from PictureEvidence.gather(self.setting, self.places, self.draws)
        features = yield from self._known_features()
        linear = self.setting.config.head.name == "linear" or not given_settings(self.setting.config) & _NOT_LINEAR
        if features is not None and linear:
            for motion, probe in features.probes.items():
                candidate = known_candidate(self.setting.config, self.clips, motion, linear=True)
                self._add(candidate, probe.hits.ravel(), list(self.groups) * _DRAWS, "probe")
        shared = yield from self._shared_settings(pictures, features)
        if features is not None:
            yield from self._try_known(features, shared)
        yield from self._try_learnt(pictures.grey, shared)
        return self._choose(shared)

    def _known_features(self) -> Generator[RunEvent, None, FeatureEvidence | None]:
        """Features of a known encoder; None where it does not fit what the user gave, or has no weights here."""
        config = self.setting.config
        if config.grey or config.encoder in TRAINED_FROM_SCRATCH:
            return None
        seen = known_candidate(config, self.clips, ("difference",), linear=True)
        try:
            learner = self._learner(seen.config)
        except WeightsError as error:
            if config.encoder != "auto":
                raise
            yield Note(f"{error} Going on without {KNOWN}.", warning=True)
            return None
        motions = MOTIONS if "motion" not in given_settings(config) else (config.motion,)
        return (yield from FeatureEvidence.gather(learner, self.places, self.draws, motions))

    def _shared_settings(
        self, pictures: PictureEvidence, features: FeatureEvidence | None
    ) -> Generator[RunEvent, None, dict[str, object]]:
        """Settings that do not depend on the encoder: whether a class shows all the time, and mirror images."""
        evidence = pictures if features is None or pictures.accuracy > features.accuracy else features
        holds: LabelHolds = "always" if evidence.halves_tell() else "somewhere"
        flip = yield from evidence.mirrors_tell()
        given = given_settings(self.setting.config)
        if "flip" not in given:
            self.sentences.append(flip.sentence)
        if "label_holds" not in given:
            part = "also half a clip shows its class" if holds == "always" else "half a clip is not shown to be enough"
            self.sentences.append(f"--label-holds {holds}: {part}.")
        yield from (Note(sentence) for sentence in self.sentences)
        return {"flip": flip.mirror, "label_holds": holds}

    def _try_known(self, features: FeatureEvidence, shared: dict[str, object]) -> Generator[RunEvent, None, None]:
        """A recurrent head behind the known encoder, with the motion that the linear probe likes best."""
        if self.setting.config.head.name == "linear":
            return
        motion = features.best_motion
        candidate = known_candidate(self.setting.config, self.clips, motion, linear=False)
        candidate = replace(candidate, config=with_settings(candidate.config, {**shared, "flip": False}))
        yield from self._train(candidate, 1.0)

    def _try_learnt(self, grey: bool, shared: dict[str, object]) -> Generator[RunEvent, None, None]:
        """Encoders that learn from the films: all of them shortly, the best of them wholly if it can still win."""
        config = self.setting.config
        if config.encoder not in ("auto", *TRAINED_FROM_SCRATCH) or config.head.name == "linear":
            return
        candidates = learnt_candidates(config, self.clips, grey=grey, shared=shared)
        if config.encoder != "auto":
            candidates = [one for one in candidates if one.config.encoder == config.encoder]
        best_known = max((one.accuracy for one in self.tried), default=0.0)
        short: list[Tried] = []
        for candidate in candidates:
            clips = len(self.places) - len(self.places) // _DRAWS
            if short and self._epochs_in_budget(self._learner(candidate.config), clips, 1 / _SHORT) < _FEWEST_EPOCHS:
                continue
            short += [(yield from self._train(candidate, 1 / _SHORT))]
        for one in self._worth_more(short, best_known):
            yield from self._train(one.candidate, 1.0)

    def _worth_more(self, short: Sequence[Tried], best_known: float) -> list[Tried]:
        """The short trainings to repeat at full length.

        Strong augmentation learns slowly and ends higher, so a short training does not tell which of two encoders that
        both learn is the better one. It tells which does not learn at all, and which cannot reach the known encoder.
        """
        best = max((one.accuracy for one in short), default=0.0)
        chance = float(np.bincount(self.labels).max() / len(self.labels))
        learning = [one for one in short if one.accuracy - chance >= (best - chance) / 2]
        open_ones = [one for one in learning if 1 - _LEFT_AFTER_SHORT * (1 - one.accuracy) >= best_known]
        alone = len(open_ones) == 1 and best >= best_known + _CLEARLY and bool(self.tried)
        return [] if alone and len(short) > 1 else open_ones

    def _train(self, candidate: Candidate, share: float) -> Generator[RunEvent, None, Tried]:
        """Train a candidate on two thirds, three times; the clips of the third that it answers rightly."""
        learner, journal = self._learner(candidate.config), self.setting.journal
        if not learner.frozen:
            yield from learner.prepare(self.places, to_train=True)
        yield from learner.prepare(self.places, to_train=False)
        hits, places, epochs = np.zeros(len(self.places), dtype=bool), np.asarray(self.places), 0
        for number, held in enumerate(self.thirds):
            piece = f"{candidate.key}, {len(places)} clips, share {share:.2f}, third {number}"
            done = journal.recall(piece)
            if done is None:
                one = learner.with_fresh_weights(self.setting.config.seed + number)
                train = places[~held].tolist()
                fit = one.fit_blind(train, share, self._epochs_in_budget(one, len(train), share))
                journal.resume(piece, fit)
                for epoch in fit.run(journal.keeper(piece)):
                    total = epoch.of * len(self.thirds)
                    yield Progress(f"trying {candidate.name}", number * epoch.of + epoch.number, total)
                if self.setting.stop.is_set():
                    raise KeyboardInterrupt
                right = one.scores(places[held].tolist()).argmax(1) == self.labels[held]
                done = {"right": right, "epochs": fit.epoch}
                journal.note(piece, done)
            hits[held], epochs = done["right"], done["epochs"]
        how = f"{epochs} epochs" if epochs > 1 else "1 epoch"
        return self._add(candidate, hits, self.groups, how)

    def _epochs_in_budget(self, learner: Learner, clips: int, share: float) -> int:
        """The most epochs of one fold; at least one."""
        budget = self.share * _BUDGET * (_SHORT_SHARE if share < 1 else _WHOLE_SHARE) / len(self.thirds)
        return max(1, int(budget / training_work(learner, clips)))

    def _learner(self, config: RunConfig) -> Learner:
        dataset = self.setting.dataset
        setting = replace(self.setting, config=config, sampling=sampling_of(dataset, self.setting.split, config))
        return Learner(setting, choice_of(config, dataset.median_size))

    def _add(self, candidate: Candidate, hits: NDArray[np.bool_], groups: Sequence[str], how: str) -> Tried:
        """Remember a candidate; a whole training takes the place of the short one."""
        tried = Tried(candidate, hits, groups, how)
        self.tried = [one for one in self.tried if one.candidate is not candidate] + [tried]
        return tried

    def _choose(self, shared: dict[str, object]) -> Found:
        """The best candidate, or a simpler one that is level with it."""
        best = max(self.tried, key=lambda one: one.accuracy)
        level = [one for one in self.tried if one.accuracy >= best.accuracy - LEVEL]
        chosen = min(level, key=lambda one: (one.candidate.kind, -one.accuracy))
        others = [one.accuracy for one in self.tried if one is not chosen]
        beside = f", the best other {max(others):.3f}" if others else ""
        reason = (
            f"The search chose {chosen.candidate.name}: accuracy {chosen.accuracy:.3f} on clips of held-out groups"
            f"{beside}."
        )
        config = with_settings(chosen.candidate.config, shared)
        return Found(config, reason, self._report(chosen, reason))

    def _report(self, chosen: Tried, reason: str) -> Report:
        order = sorted(self.tried, key=lambda one: one.accuracy)
        rows, numbers = [], []
        for one in order:
            low, high = one.interval
            rows.append((one.candidate.name, one.how, f"{one.accuracy:.3f}", f"{low:.2f} to {high:.2f}"))
            numbers.append(
                {"name": one.candidate.name, "how": one.how, "accuracy": one.accuracy, "interval": [low, high]}
            )
        table = Table(
            ("tried", "training", "accuracy", "95 % interval"), tuple(rows), strong=frozenset({order.index(chosen)})
        )
        return Report("Search for settings", (table,), (*self.sentences, reason), (), {"tried": numbers})
