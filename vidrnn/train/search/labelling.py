"""The search for the settings of labels at each frame: short trainings of all candidates, whole ones of the best.

Candidates are judged on films of held-out groups. Films differ far more than trainings do: on fifteen films, the score
of one candidate differs by 0.2 between folds, and by 0.02 between seeds. So a short training is of one head, and the
time that further heads would take goes to further folds. The budget is counted in minibatches, so the same seed and the
same films give the same choice.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vidrnn.config import LossName, RunConfig
from vidrnn.data.films import counted
from vidrnn.data.splits import hold_out_groups
from vidrnn.errors import WeightsError
from vidrnn.evaluate.metrics import mean_interval95
from vidrnn.events import Note, Progress, RunEvent
from vidrnn.nets.encoders import TRAINED_FROM_SCRATCH
from vidrnn.tables import Report, Table
from vidrnn.train.learner import Learner, Setting
from vidrnn.train.search.candidates import (
    FROZEN,
    KNOWN,
    LITTLE_CHANGE,
    TINY,
    Candidate,
    given_settings,
    named,
    small_size,
    with_settings,
)
from vidrnn.train.search.choice import Found, refuse_unfit
from vidrnn.values import Part

_FOLDS = 3
_MOST_STEPS = 12_000
"""The search reads films of about so many steps."""
_SHORT = 0.4
"""The share of a whole training that a short one takes."""
_LEARNT = 0.56
"""The share of its trainings that an encoder takes here if it learns from the films. They are long, and two of them are
told apart before they have learnt all."""
_HOPELESS, _HOPELESS_LEARNT = 0.1, 0.05
"""A candidate that is so far behind the best on the first fold is tried on no other one. The second number is for an
encoder that learns from the films: its training takes several times as long."""
_LEFT_OUT = 0.03
"""A candidate that is so far behind the best after short trainings is not trained wholly."""
_MOST_WHOLE = 2
"""The most candidates that are trained wholly."""
_LEVEL = 0.005
_SMALL_AREA = 64 * 64
"""In pixels: the pictures of an encoder that learns from the films."""
_HELD_BACK = {"members": 3, "head.dropout": 0.6, "weight_decay": 0.1}
"""The heads behind a known encoder: films are few, and features are many."""
_OTHER_LOSS: LossName = "focal"
"""Where classes exclude each other, the loss that the best candidate is tried with beside the cross-entropy.

The asymmetric loss of several at once is not tried. Its probabilities are no shares of time, so the expected durations
of such a model are wrong.
"""


@dataclass(frozen=True)
class Tried:
    """A candidate and its scores on held-out films."""

    candidate: Candidate
    scores: tuple[float, ...]
    how: str
    further: bool = False
    """Whether it must score clearly higher to be chosen."""

    @property
    def score(self) -> float:
        """The mean over folds."""
        return float(np.mean(self.scores))

    @property
    def rank(self) -> float:
        """The score, less what it must be higher."""
        return self.score - _LEVEL * self.further

    @property
    def encoder(self) -> str | None:
        """The encoder that stays as it is; None for one that learns from the films."""
        return self.candidate.config.encoder if self.candidate.kind == FROZEN else None


def hopeful(tried: Sequence[Tried]) -> list[Tried]:
    """The candidates that are tried on further folds: those that one fold does not show to be far behind.

    None, where all of these learn from the films: whole trainings compare them.
    """
    best = max(one.score for one in tried)
    near = [one for one in tried if one.score >= best - (_HOPELESS if one.encoder else _HOPELESS_LEARNT)]
    return near if any(one.encoder for one in near) else []


def comparable(tried: Sequence[Tried]) -> list[Tried]:
    """The candidates that were tried on the most folds. One fold may be a lucky one."""
    most = max(len(one.scores) for one in tried)
    return [one for one in tried if len(one.scores) == most]


def finalists(tried: Sequence[Tried]) -> list[Tried]:
    """The candidates that are trained wholly, the best first.

    Of those behind one encoder that stays as it is only the best: they learn alike, so short trainings of several folds
    tell them apart, and their heads are many.
    """
    best = max(one.rank for one in tried)
    chosen: list[Tried] = []
    for one in sorted(tried, key=lambda one: -one.rank):
        again = one.encoder is not None and any(one.encoder == other.encoder for other in chosen)
        if one.rank >= best - _LEFT_OUT and not again:
            chosen.append(one)
    return chosen[:_MOST_WHOLE]


class LabelSearch:
    """A search on the films of train and validation."""

    def __init__(self, setting: Setting, learner_of: Callable[[RunConfig], Learner], share: float) -> None:
        """Begin a search.

        Args:
            setting: of the training; its config holds what the user gave, and those settings stay.
            learner_of: builds a learner of the same films from settings.
            share: of the budget of work.
        """
        self._setting, self._learner_of, self._share = setting, learner_of, share

    def run(self) -> Generator[RunEvent, None, Found]:
        """The settings that fit the films best. A named encoder switches the search off.

        Raises:
            UsageError: the settings do not fit a search.
            KeyboardInterrupt: training was stopped.
        """
        config = self._setting.config
        if config.features or not (config.encoder == "auto" or config.search):
            return Found(config, "", Report())
        refuse_unfit(config)
        places = self._places()
        yield Note(f"searching for settings by folds of {len(places)} videos; a named --encoder leaves the search out")
        short: list[Tried] = []
        for candidate in self._candidates():
            tried = yield from self._try(candidate, places, _SHORT, folds=1)
            short += [] if tried is None else [tried]
        for one in hopeful(short):
            again = yield from self._try(one.candidate, places, _SHORT, folds=_FOLDS, first=one.scores)
            short[short.index(one)] = again or one
        judged = comparable(short)
        judged += yield from self._try_loss(max(judged, key=lambda one: one.score), places)
        short += [one for one in judged if one not in short]
        whole = finalists(judged)
        if len(whole) > 1 and self._share > 0.5:
            for place, one in enumerate(whole):
                again = yield from self._try(one.candidate, places, 1.0, folds=_FOLDS)
                whole[place] = again or one
        return self._choose(short, whole)

    def _places(self) -> list[int]:
        """Films of train and validation, in random order, up to a number of steps."""
        setting = self._setting
        places = [*setting.places(Part.TRAIN), *setting.places(Part.VAL)]
        order = np.random.default_rng(setting.config.seed).permutation(places).tolist()
        steps = np.cumsum(setting.dataset.durations_seconds(order)) / setting.sampling.spacing_seconds
        most = _MOST_STEPS * self._share
        return sorted(order[: max(2, int((steps <= most).sum()))])

    def _candidates(self) -> list[Candidate]:
        """A known encoder that stays as it is, and encoders that learn from the films."""
        config = self._setting.config
        size = self._setting.dataset.median_size
        small, learnt = small_size(size, _SMALL_AREA), {"motion": ("difference",)}
        tiny = {**learnt, "encoder": "tiny", "height": small.height, "width": small.width}
        ways: tuple[tuple[int, dict[str, Any]], ...] = (
            (FROZEN, {"encoder": KNOWN, **_HELD_BACK}),
            (FROZEN, {"encoder": KNOWN, "motion": ("change",), **_HELD_BACK}),
            (FROZEN, {"encoder": KNOWN, "motion": ("difference",), **_HELD_BACK}),
            (FROZEN, {"encoder": KNOWN, "motion": ("change", "difference"), **_HELD_BACK}),
            (TINY, {**tiny, "augment": 0.5}),
            (TINY, {**tiny, **LITTLE_CHANGE, "grey": True}),
        )
        chosen = {}
        for kind, way in ways:
            if config.encoder in ("auto", way["encoder"]) and not (config.grey and way["encoder"] == KNOWN):
                one = with_settings(config, way if not config.live else {**way, "head.bidirectional": False})
                chosen[one.model_dump_json()] = Candidate(named(one), kind, one)
        if config.encoder not in ("auto", KNOWN, *TRAINED_FROM_SCRATCH):
            for motion in ((), ("change",), ("difference",), ("change", "difference")):
                one = with_settings(config, {"motion": motion})
                chosen[one.model_dump_json()] = Candidate(named(one), FROZEN, one)
        return list(chosen.values())

    def _try_loss(self, best: Tried, places: Sequence[int]) -> Generator[RunEvent, None, list[Tried]]:
        """The best candidate with another loss, where its encoder stays as it is."""
        setting = self._setting
        if best.encoder is None or setting.answer.kind == "several" or "loss" in given_settings(setting.config):
            return []
        one = best.candidate.config.model_copy(update={"loss": _OTHER_LOSS})
        tried = yield from self._try(Candidate(named(one), FROZEN, one), places, _SHORT, folds=len(best.scores))
        return [] if tried is None else [replace(tried, further=True)]

    def _try(
        self, candidate: Candidate, places: Sequence[int], share: float, *, folds: int, first: tuple[float, ...] = ()
    ) -> Generator[RunEvent, None, Tried | None]:
        """Train a candidate on a part of the films, and score it on the rest; None where it has no weights here.

        Args:
            candidate: it has one head in a short training.
            places: of the films.
            share: of the steps of a whole training.
            folds: how many times, each time with another rest.
            first: the scores of the first folds, which are known.
        """
        setting, heads = self._setting, candidate.config.members if share >= 1 else 1
        share *= 1 if candidate.kind == FROZEN else _LEARNT
        config = candidate.config.model_copy(update={"members": heads})
        try:
            learner = self._learner_of(config)
        except WeightsError as error:
            if setting.config.encoder != "auto":
                raise
            yield Note(f"{error} Going on without {candidate.name}.", warning=True)
            return None
        yield from learner.prepare(places, to_train=False)
        films, groups = [setting.dataset.films[i] for i in places], [setting.dataset.groups[i] for i in places]
        held_out = hold_out_groups(films, groups, _FOLDS, setting.config.seed)[:folds]
        scores, all_places, epochs, journal = list(first), np.asarray(places), 0, setting.journal
        for number, held in enumerate(held_out):
            if number < len(first):
                continue
            piece = f"{candidate.key}, share {share:.2f}, fold {number}"
            done = journal.recall(piece)
            if done is None:
                one = learner.with_fresh_weights(setting.config.seed + number)
                fit = one.fit_blind(all_places[~held].tolist(), share, 10_000)
                journal.resume(piece, fit)
                for epoch in fit.run(journal.keeper(piece)):
                    done_before, total = (number - len(first)) * epoch.of, (len(held_out) - len(first)) * epoch.of
                    yield Progress(f"trying {candidate.name}", done_before + epoch.number, total)
                if setting.stop.is_set():
                    raise KeyboardInterrupt
                test = all_places[held].tolist()
                validation = one.setting.objective.validate(
                    one.setting, one.network.sequence.eval(), one.features(test), one.targets(test)
                )
                done = {"score": validation.score, "epochs": fit.epoch}
                journal.note(piece, done)
            scores.append(done["score"])
            epochs = done["epochs"]
        how = counted(epochs, "epoch") + ", one head" * (heads < candidate.config.members)
        return Tried(candidate, tuple(scores), f"{how}, {len(scores)} of {_FOLDS} folds")

    def _choose(self, short: Sequence[Tried], whole: Sequence[Tried]) -> Found:
        """The best candidate, or a simpler one that is level with it."""
        best = max(whole, key=lambda one: one.score)
        level = [one for one in whole if one.score >= best.score - _LEVEL]
        chosen = min(level, key=lambda one: (one.candidate.kind, -one.score))
        final = [one for one in short if all(one.candidate is not other.candidate for other in whole)] + list(whole)
        measure = "average precision" if self._setting.answer.kind == "several" else "frame accuracy and macro-F1"
        others = [one.score for one in final if one is not chosen and len(one.scores) == len(chosen.scores)]
        beside = f", the best other {max(others):.3f}" if others else ""
        reason = (
            f"The search chose {chosen.candidate.name}: mean of {measure} {chosen.score:.3f} on videos of held-out "
            f"groups{beside}."
        )
        order = sorted(final, key=lambda one: one.score)
        rows = tuple((one.candidate.name, one.how, f"{one.score:.3f}") for one in order)
        tried = [
            {
                "name": one.candidate.name,
                "how": one.how,
                "score": one.score,
                "interval": list(mean_interval95(one.scores)),
            }
            for one in order
        ]
        table = Table(("tried", "training", "score"), rows, strong=frozenset({order.index(chosen)}))
        report = Report("Search for settings", (table,), (reason,), (), {"tried": tried})
        return Found(chosen.candidate.config, reason, report)
