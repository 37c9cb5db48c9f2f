"""Controls: the scores without time, without training and with shuffled frames."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.config import HeadConfig, RunConfig
from vidrnn.data.splits import hold_out_groups
from vidrnn.evaluate.metrics import interval95, paired_p
from vidrnn.events import Progress, RunEvent
from vidrnn.nets.class_scores import Scores
from vidrnn.nets.classifier import SequenceModel, build_sequence, seed_everything
from vidrnn.nets.scoring import Features, score_clips
from vidrnn.tables import Report, Table
from vidrnn.train.fit import Fit, Lesson, Plan, Validation
from vidrnn.train.learner import Learner, validation_of
from vidrnn.train.objective import Sampler
from vidrnn.train.recipes import Recipe, ends_with_last, epochs_for, head_for, minibatch_for, weight_decay_for
from vidrnn.train.search import probes
from vidrnn.train.search.evidence import small_clips
from vidrnn.train.shares.minibatches import Clips, ClipSampler, Minibatch
from vidrnn.train.shares.randomness import Randomness
from vidrnn.values import Floats, Part
from vidrnn.video.sampling import HALVES

_SURE = 0.05
THIS_MODEL = "this model"
_SHUFFLED = "frames shuffled"
_LINEAR, _PICTURES = "linear, features", "linear, pictures"
"""Logistic regression on statistics of the features, and PCA with linear discriminants on a dozen small pictures."""
_FOLDS = 3
_MOST_PROBED = 20_000
_MOTION = "The model sees motion at each step. Shuffling leaves that motion, so order is what comes on top of it."


@dataclass(frozen=True)
class Control:
    """A training without one thing: order, neighbours or recurrence."""

    name: str
    head: HeadConfig
    readout: str
    frames: int
    shuffled: bool = False

    def visible(self, features: Features) -> Features:
        """The part of a clip's features (steps, width) that this control sees."""
        return features[len(features) // 2][None] if self.frames == 1 else features


Hits = dict[Part, NDArray[np.bool_]]
"""For each part, which of its clips have the right answer."""


@dataclass(frozen=True)
class ClipOutcome:
    """The clips that each row of the table answers rightly, and the groups of those clips."""

    hits: dict[str, Hits]
    groups: dict[Part, list[str]]
    remark: str
    folds: int | None = None
    """The number of pooled folds; None for one split."""
    motion: bool = False
    """Whether each step shows motion by itself, so that frames in random order still show it."""
    scores: dict[Part, Floats] = field(default_factory=dict)
    """(clips, classes) the scores of the model, before softmax."""

    def joined(self, other: ClipOutcome) -> ClipOutcome:
        """Both outcomes as one, as for folds, where each clip is in one test part."""
        hits = {
            name: {part: np.concatenate([hit[part], other.hits[name][part]]) for part in hit}
            for name, hit in self.hits.items()
        }
        groups = {part: self.groups[part] + other.groups[part] for part in self.groups}
        scores = {part: np.concatenate([one, other.scores[part]]) for part, one in self.scores.items()}
        return replace(self, hits=hits, groups=groups, motion=self.motion or other.motion, scores=scores)

    def as_plain(self) -> Any:
        """As `Outcome.as_plain`."""
        hits = {name: {part.value: hit for part, hit in of_parts.items()} for name, of_parts in self.hits.items()}
        groups = {part.value: names for part, names in self.groups.items()}
        scores = {part.value: numbers for part, numbers in self.scores.items()}
        return {**vars(self), "hits": hits, "groups": groups, "scores": scores}

    @classmethod
    def of_plain(cls, stored: Any) -> ClipOutcome:
        """The outcome that `as_plain` gave."""
        hits = {name: {Part(part): hit for part, hit in of_parts.items()} for name, of_parts in stored["hits"].items()}
        groups = {Part(part): list(names) for part, names in stored["groups"].items()}
        scores = {Part(part): numbers for part, numbers in stored["scores"].items()}
        return cls(**{**stored, "hits": hits, "groups": groups, "scores": scores})

    def of_folds(self, folds: int) -> ClipOutcome:
        """The outcome of so many folds that were joined."""
        remark = f"{folds} folds: each clip is scored by a model that saw no clip of its group."
        return replace(self, remark=remark, folds=folds)


def train_controls(learner: Learner) -> Generator[RunEvent, None, ClipOutcome | None]:
    """Train the controls on the learner's features; their hits beside the model's.

    None if training was stopped meanwhile.
    """
    config, setting = learner.setting.config, learner.setting
    head = head_for(config, learner.recipe_behind, motion=learner.head.motion)
    none = head.model_copy(update={"name": "none", "motion": False})
    frames = setting.sampling.frames
    controls = [
        Control("one frame", none, "mean", 1),
        Control("mean of frames", none, "mean", frames),
        Control(_SHUFFLED, head, config.readout_name, frames, shuffled=True),
    ]
    parts = [part for part in (Part.VAL, Part.TEST) if setting.places(part)]
    yield from learner.prepare(_ready(learner), to_train=False)
    clips = _Clips(
        learner.feature_clips(_ready(learner)),
        {part: learner.features(setting.places(part)) for part in parts},
    )
    hits = {"majority class": _majority(learner, parts)}
    if not config.features:
        hits[_PICTURES] = yield from _linear_on_pictures(learner, parts)
    hits[_LINEAR] = _linear_on_features(learner, clips.scored)
    for done, control in enumerate(controls):
        yield Progress(f"control: {control.name}", done, len(controls))
        hits[control.name] = _hits(learner, control, clips)
        if setting.stop.is_set():
            return None
    yield Progress("controls", len(controls), len(controls))
    truth = setting.dataset.labels
    scores = {part: learner.scores(setting.places(part)) for part in parts}
    hits[THIS_MODEL] = {part: scores[part].argmax(1) == truth[list(setting.places(part))] for part in parts}
    groups = {part: [setting.dataset.groups[place] for place in setting.places(part)] for part in parts}
    remark = "" if learner.frozen else "The controls are trained on the features of the trained encoder."
    return ClipOutcome(hits, groups, remark, motion=bool(config.motion), scores=scores)


def controls_report(outcome: ClipOutcome) -> Report:
    """The scores of the controls and, last, of the model; the sentence compares it with itself on shuffled frames.

    They are of the test part, or of validation if there is no test.
    """
    part = Part.TEST if Part.TEST in outcome.groups else Part.VAL
    groups = outcome.groups[part]
    controls = [
        {
            "name": name,
            "val": float(hit[Part.VAL].mean()),
            "test": float(hit[Part.TEST].mean()) if Part.TEST in hit else None,
            "interval": list(interval95(hit[part], groups)),
        }
        for name, hit in outcome.hits.items()
    ]
    mine, shuffled = outcome.hits[THIS_MODEL][part], outcome.hits[_SHUFFLED][part]
    points = 100 * float(mine.mean() - shuffled.mean())
    p = paired_p(mine, shuffled, groups)
    numbers: dict[str, Any] = {"controls": controls, "order_points": points, "p": p}
    if outcome.folds:
        numbers |= {"part": "folds", "folds": outcome.folds, "interval": controls[-1]["interval"]}
        numbers |= {"accuracy": controls[-1]["test"]}
    notes = (outcome.remark,) if outcome.remark else ()
    sentences = (*linear_sentences(outcome.hits, part, groups), time_sentence(points, p))
    if outcome.motion:
        sentences = (*sentences, _MOTION)
    return Report("", (_controls_table(controls),), sentences, notes, numbers)


def folds_sentence(outcome: ClipOutcome) -> str:
    """The accuracy of the model on the test parts of all folds together, with its 95 % interval."""
    hits, groups = outcome.hits[THIS_MODEL][Part.TEST], outcome.groups[Part.TEST]
    low, high = interval95(hits, groups)
    return f"{outcome.folds} folds: accuracy {hits.mean():.3f} ({low:.2f} to {high:.2f}), {len(groups):,} clips."


def _controls_table(controls: Sequence[dict[str, Any]]) -> Table:
    tested = controls[0]["test"] is not None
    rows = tuple(
        (
            row["name"],
            f"{row['val']:.3f}",
            *((f"{row['test']:.3f}",) if tested else ()),
            f"{row['interval'][0]:.2f} to {row['interval'][1]:.2f}",
        )
        for row in controls
    )
    columns = ("accuracy", "val", "test", "95 % interval") if tested else ("accuracy", "val", "95 % interval")
    return Table(columns, rows, strong=frozenset({len(rows) - 1}))


@dataclass(frozen=True)
class _Clips:
    train: Clips
    scored: dict[Part, list[Features]]


def _majority(learner: Learner, parts: Sequence[Part]) -> Hits:
    labels, places = learner.setting.dataset.labels, learner.setting.places
    commonest = np.bincount(labels[list(places(Part.TRAIN))]).argmax()
    return {part: labels[list(places(part))] == commonest for part in parts}


def _linear_on_pictures(learner: Learner, parts: Sequence[Part]) -> Generator[RunEvent, None, Hits]:
    setting = learner.setting
    train, scored = _probed(learner), {part: list(setting.places(part)) for part in parts}
    order = [*train, *(place for places in scored.values() for place in places)]
    small = dict(zip(order, (yield from small_clips(setting, order)), strict=True))

    def vectors(places: Sequence[int]) -> Floats:
        return np.stack([probes.small_pictures(small[place]) for place in places])

    fit = (probes.fit_discriminants, probes.COMPONENTS)
    return _linear(learner, fit, vectors(train), {part: vectors(places) for part, places in scored.items()})


def _linear_on_features(learner: Learner, scored: dict[Part, list[Features]]) -> Hits:
    change = learner.head.motion

    def vectors(clips: Sequence[Features]) -> Floats:
        return np.stack([probes.statistics_of(clip, change=change) for clip in clips])

    learnt = vectors(learner.features(_probed(learner)))
    fit = (probes.fit_logistic, probes.STRENGTHS)
    return _linear(learner, fit, learnt, {part: vectors(clips) for part, clips in scored.items()})


def _linear(
    learner: Learner, fit: tuple[probes.Fit, Sequence[float]], learnt: Floats, scored: dict[Part, Floats]
) -> Hits:
    """A linear model of the training clips, its strength chosen by folds of them; the clips that it answers rightly."""
    dataset, train = learner.setting.dataset, _probed(learner)
    films, groups = [dataset.films[place] for place in train], [dataset.groups[place] for place in train]
    folds = hold_out_groups(films, groups, _FOLDS, learner.setting.config.seed)
    labels, classes = dataset.labels[train], len(dataset.classes)
    strength = probes.judge(fit[0], learnt, labels, classes, [folds], fit[1]).setting
    (answer,) = fit[0](learnt, labels, classes, [strength])
    truth = {part: dataset.labels[list(learner.setting.places(part))] for part in scored}
    return {part: answer(vectors).argmax(1) == truth[part] for part, vectors in scored.items()}


def _ready(learner: Learner) -> list[int]:
    """The training clips that are ready."""
    kept = learner.fine or learner.plain
    return [place for place in learner.setting.places(Part.TRAIN) if place in kept]


def _probed(learner: Learner) -> list[int]:
    """The training clips that a linear model learns from: an even part of very many, since more teach it little."""
    ready = _ready(learner)
    return ready if len(ready) <= _MOST_PROBED else sorted(learner.setting.evenly(ready)[:_MOST_PROBED])


def _hits(learner: Learner, control: Control, clips: _Clips) -> Hits:
    """Train one control; the clips that it answers rightly."""
    setting = learner.setting
    seed_everything(setting.config.seed)
    width = clips.train.arrays[0].shape[-1]
    network = build_sequence(width, control.head, control.readout, len(setting.dataset.classes)).to(setting.device)
    shown = {part: [control.visible(one) for one in features] for part, features in clips.scored.items()}

    def scores(part: Part) -> NDArray[np.float64]:
        order = np.random.default_rng(setting.config.seed) if control.shuffled else None
        return score_clips(network, shown[part], control.frames, order)

    truth = {part: setting.dataset.labels[list(setting.places(part))] for part in shown}
    _train(learner, network, control, clips.train, lambda: validation_of(scores(Part.VAL), truth[Part.VAL], setting))
    return {part: scores(part).argmax(1) == truth[part] for part in shown}


def _train(
    learner: Learner,
    network: SequenceModel,
    control: Control,
    clips: Clips,
    validate: Callable[[], Validation],
) -> None:
    config = learner.setting.config
    settings = config if learner.frozen else RunConfig()  # settings of a trained encoder do not fit its features
    recipe = learner.recipe_behind
    draw = ClipSampler(
        frames=control.frames,
        minibatch=settings.minibatch or minibatch_for(recipe, clips),
        seed=config.seed,
        shuffled=control.shuffled,
        cut=config.label_holds == "always",
        phases=HALVES if learner.fine else 1,
    )

    fit_control(learner, network, clips, draw, validate, recipe=recipe)


def fit_control(
    learner: Learner,
    network: SequenceModel,
    clips: Clips,
    draw: Sampler,
    validate: Callable[[], Validation],
    *,
    recipe: Recipe,
) -> None:
    """Train the network of a control on clips of features, by the settings of the learner where they fit.

    Args:
        learner: the model in training that the control is for.
        network: of the control.
        clips: of features.
        draw: draws their windows.
        validate: the validation of an epoch.
        recipe: the defaults.
    """
    setting, config = learner.setting, learner.setting.config
    settings = config if learner.frozen else RunConfig()  # settings of a trained encoder do not fit its features

    def answer(network: SequenceModel, share: Minibatch, randomness: Randomness) -> Scores:
        with randomness.of_layers():
            scores: Scores = network(share.inputs, mask=share.mask)[0]
        return scores

    lesson = Lesson(
        network=network,
        answer=answer,
        loss=setting.objective.loss(setting, clips),
        minibatches=lambda epoch: draw.epoch(clips, epoch),
        steps=draw.steps(clips),
        validate=validate,
        device=setting.device,
    )
    epochs = settings.epochs or epochs_for(recipe, lesson.steps)
    rate, patience = settings.learning_rate or recipe.learning_rate, settings.patience or max(10, epochs // 2)
    seconds = _seconds(learner)
    plan = Plan(
        epochs=epochs,
        learning_rate=rate,
        weight_decay=weight_decay_for(config, recipe),
        patience=patience,
        seed=config.seed,
        shares=config.shares,
        seconds=seconds,
        last_weights=ends_with_last(settings, recipe, timed=seconds is not None),
    )
    for _ in Fit(lesson, plan, setting.stop, setting.workers.alone()).run():
        pass


def _seconds(learner: Learner) -> float | None:
    """The time limit of one control; the time that is left is for three controls and the evaluation."""
    left = learner.setting.clock.share_left(0.3)
    return None if left is None else max(2.0, left)


def linear_sentences(hits: dict[str, Hits], part: Part, groups: Sequence[str]) -> Iterator[str]:
    """Whether a linear control is as good as the model."""
    linear_controls = [name for name in (_LINEAR, _PICTURES) if name in hits]  # features have no pictures
    name = max(linear_controls, key=lambda one: float(hits[one][part].mean()))
    linear, mine = hits[name][part], hits[THIS_MODEL][part]
    if float(mine.mean()) > float(linear.mean()) and paired_p(mine, linear, groups) < _SURE:
        return
    yield linear_sentence(float(mine.mean()), float(linear.mean()), "accuracy", name)


def linear_sentence(mine: float, linear: float, measure: str, name: str) -> str:
    """That a linear control called `name` is as good as the model, by a measure."""
    scores = f"{measure} {mine:.3f} against {linear:.3f} ({name})"
    return f"The model is not shown to be better than a linear one: {scores}."


def time_sentence(points: float, p: float) -> str:
    """Whether time helps, by the points of accuracy that the order of frames adds and their p-value."""
    if p < _SURE and points > 0:
        return f"Time helps: order adds {points:.1f} points here (p = {p:.2g})."
    if p < _SURE:
        return f"Time hurts: with its frames shuffled the head gains {-points:.1f} points here (p = {p:.2g})."
    change = f"adds {points:.1f}" if points >= 0 else f"takes {-points:.1f}"
    return f"Time is not shown to help: order {change} points here, which may be chance (p = {p:.2g})."
