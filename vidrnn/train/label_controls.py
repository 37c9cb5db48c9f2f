"""Controls of labels at each frame: the scores without time, without order, without training, and of a linear model."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from vidrnn.config import HeadConfig
from vidrnn.data.films import counted
from vidrnn.evaluate.label_scores import LabelScores, label_scores
from vidrnn.evaluate.metrics import paired_p
from vidrnn.evaluate.tracks import FilmTracks
from vidrnn.events import Progress, RunEvent
from vidrnn.nets.classifier import SequenceModel, build_sequence, seed_everything
from vidrnn.nets.scoring import Features, score_steps
from vidrnn.tables import Report, Table
from vidrnn.train.controls import THIS_MODEL, fit_control, linear_sentence, time_sentence
from vidrnn.train.fit import Validation
from vidrnn.train.learner import Learner
from vidrnn.train.recipes import head_for
from vidrnn.train.search import probes
from vidrnn.train.shares.minibatches import Clips
from vidrnn.values import AnswerSpec, Floats, Part

_ALONE, _SHUFFLED = "each frame alone", "frames shuffled"
_LINEAR, _PERSISTS = "linear, features", "previous label persists"
_SURE = 0.05
_FEWEST_GROUPS = 6
"""With fewer groups of films, no difference can reach a p-value of 0.05 in a test of signs."""
_LINEAR_STEPS = 1500
"""The most steps that the linear control learns from."""
_NEAR_SECONDS = 1.0
"""The linear control sees the mean of the features over so much time on both sides."""


@dataclass(frozen=True)
class LabelOutcome:
    """The films at each of their frames, as each row of the table answers them."""

    tracks: dict[str, dict[Part, list[FilmTracks]]]
    groups: dict[Part, list[str]]
    """Of the films."""
    answer: AnswerSpec
    remark: str = ""
    folds: int | None = None

    def joined(self, other: LabelOutcome) -> LabelOutcome:
        """Both outcomes as one, as for folds, where each film is in one test part."""
        tracks = {
            name: {part: films + other.tracks[name].get(part, []) for part, films in rows.items()}
            for name, rows in self.tracks.items()
        }
        groups = {part: names + other.groups.get(part, []) for part, names in self.groups.items()}
        return replace(self, tracks=tracks, groups=groups)

    def as_plain(self) -> Any:
        """As `Outcome.as_plain`."""
        tracks = {
            name: {part.value: [vars(film) for film in films] for part, films in rows.items()}
            for name, rows in self.tracks.items()
        }
        answer = TypeAdapter(AnswerSpec).dump_python(self.answer, mode="json")
        groups = {part.value: names for part, names in self.groups.items()}
        return {"tracks": tracks, "groups": groups, "answer": answer, "remark": self.remark, "folds": self.folds}

    @classmethod
    def of_plain(cls, stored: Any) -> LabelOutcome:
        """The outcome that `as_plain` gave."""
        tracks = {
            name: {
                Part(part): [FilmTracks(**{**film, "others": tuple(film["others"])}) for film in films]
                for part, films in rows.items()
            }
            for name, rows in stored["tracks"].items()
        }
        answer = TypeAdapter(AnswerSpec).validate_python(stored["answer"])
        groups = {Part(part): list(names) for part, names in stored["groups"].items()}
        return cls(tracks, groups, answer, stored["remark"], stored["folds"])

    def of_folds(self, folds: int) -> LabelOutcome:
        """The outcome of so many folds that were joined."""
        remark = f"{folds} folds: each video is scored by a model that saw no video of its group."
        return replace(self, remark=remark, folds=folds)

    @property
    def part(self) -> Part:
        """The part whose scores count: test, else validation."""
        return Part.TEST if self.groups.get(Part.TEST) else Part.VAL

    def scores(self, name: str, part: Part) -> LabelScores:
        """The scores of a row on a part."""
        answer = self.answer
        return label_scores(self.tracks[name][part], answer.classes, answer.background, answer.kind == "several")


Answering = Callable[[Callable[[Part], list[Floats]]], dict[Part, list[FilmTracks]]]
"""From the scores of the films of each part to their tracks: the rule is chosen on validation, as for the model."""


def run_label_controls(learner: Learner, answering: Answering) -> Generator[RunEvent, None, LabelOutcome | None]:
    """Train the controls on the learner's features; their answers beside the model's. None if training was stopped."""
    setting = learner.setting
    parts = [part for part in (Part.VAL, Part.TEST) if setting.places(part)]
    train = list(setting.places(Part.TRAIN))
    yield from learner.prepare(train, to_train=False)
    clips = learner.feature_clips(train)
    features = {part: learner.features(setting.places(part)) for part in parts}
    carry = not learner.head.bidirectional

    def of_network(network: SequenceModel, shuffle: bool) -> dict[Part, list[Floats]]:
        rng = np.random.default_rng(setting.config.seed) if shuffle else None
        frames = setting.sampling.frames
        return {part: list(score_steps(network, features[part], frames, carry=carry, shuffle=rng)) for part in parts}

    mine = answering(of_network(learner.network.sequence.eval(), shuffle=False).__getitem__)
    tracks = {
        "majority class": _majority(learner, mine, clips),
        _PERSISTS: {part: [_persisting(film) for film in films] for part, films in mine.items()},
    }
    yield Progress(f"control: {_LINEAR}", 0, 3)
    linear = _linear(learner, clips, features)
    tracks[_LINEAR] = answering(linear.__getitem__)
    head = head_for(setting.config, setting.objective.recipes.frozen, motion=learner.head.motion)
    none = head.model_copy(update={"name": "none", "motion": learner.head.motion, "bidirectional": False})
    for done, (name, one, shuffled) in enumerate([(_ALONE, none, False), (_SHUFFLED, head, True)], 1):
        yield Progress(f"control: {name}", done, 3)
        network = _train(learner, one, clips, features[Part.VAL], shuffled=shuffled)
        tracks[name] = answering(of_network(network, shuffled).__getitem__)
        if setting.stop.is_set():
            return None
    yield Progress("controls", 3, 3)
    tracks[THIS_MODEL] = mine
    groups = {part: [setting.dataset.groups[place] for place in setting.places(part)] for part in parts}
    remark = "" if learner.frozen else "The controls are trained on the features of the trained encoder."
    return LabelOutcome(tracks, groups, setting.answer, remark)


def label_controls_report(outcome: LabelOutcome) -> Report:
    """The scores of the controls and, last, of the model. They are of the test part, else of validation."""
    part, several = outcome.part, outcome.answer.kind == "several"
    found = {name: outcome.scores(name, part) for name in outcome.tracks}
    main = "macro-F1" if several else "frame accuracy"
    rows, controls = [], []
    for name, scores in found.items():
        val = _main(outcome.scores(name, Part.VAL))
        test = _main(scores) if part is Part.TEST else None
        interval = scores.interval(outcome.groups[part])
        controls.append(
            {
                "name": name,
                "val": val,
                "test": test,
                "interval": None if interval is None else list(interval),
                "macro_f1": scores.macro_f1,
                "edit": scores.edit,
                "f1_50": scores.f1_at[-1],
            }
        )
        numbers = (_main(scores), scores.macro_f1, scores.edit, scores.f1_at[-1])
        rows.append((name, *("-" if number is None else f"{number:.3f}" for number in numbers[several:])))
    columns = (f"on {part}", main, *(() if several else ("macro-F1",)), "edit", "F1@50")
    table = Table(columns, tuple(rows), strong=frozenset({len(rows) - 1}))
    order = _difference(outcome, part, _SHUFFLED)
    memory = _difference(outcome, part, _ALONE)
    if len(set(outcome.groups[part])) < _FEWEST_GROUPS:
        sentences = [few_videos_sentence(memory[0], order[0], len(outcome.groups[part]))]
    else:
        sentences = [memory_sentence(*memory), time_sentence(*order)]
    if linear := _linear_sentence(outcome, found, part, main):
        sentences.insert(0, linear)
    numbers_of: dict[str, Any] = {
        "controls": controls,
        "order_points": order[0],
        "p": order[1],
        "memory_points": memory[0],
        "memory_p": memory[1],
    }
    return Report("", (table,), tuple(sentences), (outcome.remark,) if outcome.remark else (), numbers_of)


def few_videos_sentence(memory: float, order: float, films: int) -> str:
    """What memory and order add on so few films that no test can tell it from chance."""
    added = f"Memory adds {memory:+.1f} points over each frame alone, and order {order:+.1f}"
    return f"{added}; {counted(films, 'video')} cannot tell that from chance. --folds scores every video."


def memory_sentence(points: float, p: float) -> str:
    """Whether the frames around a frame help, by the points that they add and their p-value."""
    if p >= _SURE:
        ahead = f"{points:+.1f} points over each frame alone"
        return f"Memory is not shown to help: {ahead}, which may be chance (p = {p:.2g})."
    if points > 0:
        return f"Memory helps: the frames around each frame add {points:.1f} points (p = {p:.2g})."
    return f"Memory hurts: the frames around each frame take {-points:.1f} points (p = {p:.2g})."


def _main(scores: LabelScores) -> float | None:
    return scores.macro_f1 if scores.frame_accuracy is None else scores.frame_accuracy


def shares_right(films: Sequence[FilmTracks]) -> Floats:
    """(films,) the share of known truths that are answered rightly, in each film."""
    return np.asarray([_share_right(film) for film in films])


def _share_right(film: FilmTracks) -> float:
    known = film.truth >= 0 if film.truth.ndim == 1 else ~np.isnan(film.truth)
    return float((film.truth == film.answer)[known].mean()) if known.any() else 1.0


def _difference(outcome: LabelOutcome, part: Part, name: str) -> tuple[float, float]:
    """How many points the model is ahead of a control, and the p-value over films."""
    mine, other = (outcome.tracks[one][part] for one in (THIS_MODEL, name))
    ahead = (_main(outcome.scores(THIS_MODEL, part)) or 0.0) - (_main(outcome.scores(name, part)) or 0.0)
    return 100 * ahead, paired_p(shares_right(mine), shares_right(other), outcome.groups[part])


def _linear_sentence(outcome: LabelOutcome, found: dict[str, LabelScores], part: Part, main: str) -> str:
    """A sentence where a linear model is as good; empty where the model is better."""
    points, p = _difference(outcome, part, _LINEAR)
    if points > 0 and (p < _SURE or len(set(outcome.groups[part])) < _FEWEST_GROUPS):
        return ""
    mine, linear = _main(found[THIS_MODEL]) or 0.0, _main(found[_LINEAR]) or 0.0
    return linear_sentence(mine, linear, f"{main} on {part}", _LINEAR)


def _majority(learner: Learner, films: dict[Part, list[FilmTracks]], clips: Clips) -> dict[Part, list[FilmTracks]]:
    """The most frequent class of training everywhere; where several may hold, each that holds most of the time."""
    several = learner.setting.answer.kind == "several"
    if several:
        often = np.nanmean(np.concatenate([np.asarray(target) for target in clips.targets]), 0) > 0.5
    else:
        known = np.concatenate([np.asarray(target)[np.asarray(target) >= 0] for target in clips.targets])
        often = np.bincount(known, minlength=len(learner.setting.answer.classes)).argmax()

    def constant(film: FilmTracks) -> FilmTracks:
        return replace(film, answer=np.broadcast_to(often, film.answer.shape).astype(film.answer.dtype))

    return {part: [constant(film) for film in each] for part, each in films.items()}


def _persisting(film: FilmTracks) -> FilmTracks:
    """The true label of the frame before as the answer: an upper bound for what does not change."""
    truth = film.truth if film.truth.ndim == 1 else np.nan_to_num(film.truth)
    before = np.concatenate([truth[:1], truth[:-1]])
    return replace(film, answer=before.astype(film.answer.dtype))


def _linear(learner: Learner, clips: Clips, features: dict[Part, list[Features]]) -> dict[Part, list[Floats]]:
    """Scores of logistic regression on each step's features and their mean over the time around it."""
    setting = learner.setting
    near = max(1, round(_NEAR_SECONDS / setting.sampling.spacing_seconds))
    answer, rng = setting.answer, np.random.default_rng(setting.config.seed)
    learnt = np.concatenate([with_neighbours(clip[0], near) for clip in clips.arrays])
    truth = np.concatenate([np.asarray(target) for target in clips.targets])

    def fit(labels: Any, classes: int) -> Callable[[Floats], Floats]:
        known = np.flatnonzero(labels >= 0)
        some = np.sort(rng.permutation(known)[:_LINEAR_STEPS])
        (found,) = probes.fit_logistic(learnt[some], labels[some], classes, [probes.STRENGTHS[1]])
        return found

    if answer.kind == "several":
        fits = [
            fit(np.where(np.isnan(truth[:, place]), -1, truth[:, place]).astype(np.int64), 2)
            for place in range(len(answer.classes))
        ]

        def scores(vectors: Floats) -> Floats:
            pairs = [one(vectors) for one in fits]
            return np.stack([pair[:, 1] - pair[:, 0] for pair in pairs], 1)

        found: Callable[[Floats], Floats] = scores
    else:
        found = fit(truth.astype(np.int64), len(answer.classes))
    return {part: [found(with_neighbours(clip, near)) for clip in each] for part, each in features.items()}


def with_neighbours(features: Features, near: int) -> Floats:
    """(steps, 2 * width): the features of each step, and their mean over `near` steps before and after it."""
    sums = np.concatenate([np.zeros((1, features.shape[1])), features.cumsum(0, dtype=np.float64)])
    steps = np.arange(len(features))
    first, end = np.maximum(steps - near, 0), np.minimum(steps + near + 1, len(features))
    return np.concatenate([features, (sums[end] - sums[first]) / (end - first)[:, None]], 1)


def _train(learner: Learner, head: HeadConfig, clips: Clips, val: list[Features], *, shuffled: bool) -> SequenceModel:
    """A network of one head that has learnt the clips of features."""
    setting, recipe = learner.setting, learner.setting.objective.recipes.frozen
    given = setting.config.minibatch if learner.frozen else None  # that of a trained encoder is for pictures
    seed_everything(setting.config.seed)
    width = clips.arrays[0].shape[-1]
    network = build_sequence(width, head, None, len(setting.answer.classes), kind=setting.answer.kind)
    network = network.to(setting.device)
    draw = setting.objective.sampler(
        setting, given or recipe.minibatch, phases=learner.phases, stretch=0.0, shuffled=shuffled
    )
    truth = learner.targets(setting.places(Part.VAL))

    def validate() -> Validation:
        return setting.objective.validate(setting, network, val, truth)

    fit_control(learner, network, clips, draw, validate, recipe=recipe)
    return network
