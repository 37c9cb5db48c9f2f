"""`--encoder auto`: two candidates get a short trial on the films at hand, and validation judges."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidrnn.config import RunConfig
from vidrnn.errors import UsageError, WeightsError
from vidrnn.events import Note, RunEvent
from vidrnn.nets.encoders import TRAINED_FROM_SCRATCH
from vidrnn.nets.spec import EncoderConfig
from vidrnn.train.fit import Fit
from vidrnn.train.learner import Choice, Learner, Setting, epoch_event
from vidrnn.values import Part, Size

_SMALL_AREA = 112 * 84
_WORLD_AREA = 160 * 214
_WORLD, _OURS = "mobilenet_v2", "small"
_TRAIN_CLIPS, _VAL_CLIPS = 320, 160
"""So many clips at most take part in a trial; a set with no more is learnt whole, and its trial is its training."""
_GOOD_ENOUGH = 0.98
"""A frozen encoder that scores this is taken at once: the other could not be better by more than can be measured."""
_SHARE = 0.35
"""Of the time that is left, where time is bounded."""
_CLIP_SECONDS = 0.4
"""About what a clip costs in a trial."""


@dataclass(frozen=True)
class Chosen:
    """The encoder that was taken, in its learner; its training too, if the trial was all of it."""

    learner: Learner
    fit: Fit | None = None
    found: str = ""
    """What the trial found, in a sentence."""


def choose_encoder(setting: Setting) -> Generator[RunEvent, None, Chosen]:
    """The learner whose encoder was named, or the better of two after a trial."""
    config, usual = setting.config, setting.dataset.median_size
    if config.encoder != "auto":
        return Chosen(Learner(setting, choice_of(config, usual)))
    if config.grey:
        raise UsageError("--grey: only the encoder small can do without colours. Add --encoder small.")
    if config.weights:
        raise UsageError(f"--weights {config.weights}: whose? With --encoder auto it is not known. Name the encoder.")
    named = [config.model_copy(update={"encoder": name}) for name in (_WORLD, _OURS)]
    try:
        world = Learner(setting, choice_of(named[0], usual))
    except WeightsError as error:
        yield Note(f"{error} Going on with the encoder small.", warning=True)
        return Chosen(Learner(setting, choice_of(named[1], usual)))
    trial = _Trial.of(setting)
    yield from trial.of_learner(world)
    if trial.scores[_WORLD] >= _GOOD_ENOUGH or setting.stop.is_set():
        return (yield from trial.decided(world))
    ours = Learner(setting, choice_of(named[1], usual))
    yield from trial.of_learner(ours)
    return (yield from trial.decided(world if trial.scores[_WORLD] >= trial.scores[_OURS] else ours))


@dataclass
class _Trial:
    """The clips of a trial, and what came of it."""

    setting: Setting
    train: Sequence[int]
    val: Sequence[int]
    scores: dict[str, float]
    fits: dict[str, Fit]

    @classmethod
    def of(cls, setting: Setting) -> _Trial:
        train, val = setting.places(Part.TRAIN), setting.places(Part.VAL)
        most = _TRAIN_CLIPS
        if (seconds := setting.clock.share_left(_SHARE)) is not None:
            most = max(len(setting.dataset.classes) * 4, min(most, int(seconds / 2 / _CLIP_SECONDS)))
        return cls(setting, even_part(setting, train, most), even_part(setting, val, _VAL_CLIPS), {}, {})

    def of_learner(self, learner: Learner) -> Generator[RunEvent, None, None]:
        """Train one candidate on the trial's clips."""
        name, setting = learner.choice.encoder.name, self.setting
        yield from learner.prepare(self.train, to_train=True)
        yield from learner.prepare(self.val, to_train=False)
        fit = learner.fit(self.train, self.val, setting.clock.share_left(_SHARE / 2))
        for epoch in fit.run():
            yield epoch_event(epoch, f"trial of {name}", timed=setting.clock.minutes is not None)
        self.scores[name] = fit.best.score if fit.best else 0.0
        self.fits[name] = fit

    def decided(self, winner: Learner) -> Generator[RunEvent, None, Chosen]:
        """Say what was found; the winner starts anew on all clips, unless it has seen them all already."""
        name, setting = winner.choice.encoder.name, self.setting
        found = ", ".join(f"{one} {score:.3f}" for one, score in self.scores.items())
        sentence = f"{name} was chosen by macro-F1 on validation in a trial on {len(self.train)} clips: {found}."
        if len(self.scores) == 1:
            sentence = f"{name} scored {found} in a trial on {len(self.train)} clips; the other encoder was not tried."
        yield Note(sentence)
        whole = len(self.train) == len(setting.places(Part.TRAIN)) and setting.clock.minutes is None
        if whole or setting.stop.is_set():
            return Chosen(winner, self.fits[name], sentence)
        return Chosen(winner.anew(), None, sentence)


def even_part(setting: Setting, places: Sequence[int], most: int) -> Sequence[int]:
    """At most `most` of the clips at `places`, every class by its share and none left out; in their order."""
    return places if len(places) <= most else sorted(setting.evenly(places)[:most])


def choice_of(config: RunConfig, usual: Size) -> Choice:
    """The encoder that was named, and the size of its pictures for films of the `usual` size.

    Raises:
        UsageError: it would be frozen without ever having learnt anything.
    """
    name = config.encoder
    weights = config.weights or ("none" if name in TRAINED_FROM_SCRATCH else "imagenet")
    frozen = name not in TRAINED_FROM_SCRATCH and not config.fine_tune
    if frozen and weights == "none":
        raise UsageError(
            f"--encoder {name} --weights none: a frozen encoder without weights sees nothing. Add --fine-tune."
        )
    if config.grey and name not in TRAINED_FROM_SCRATCH:
        raise UsageError(f"--grey: {name} knows coloured pictures only. Add --encoder small, or leave --grey out.")
    encoder = EncoderConfig(
        name=name,
        frozen=frozen,
        origin=Path(weights).name,
        grey=config.grey,
        differences=config.motion and name in TRAINED_FROM_SCRATCH,
    )
    return Choice(encoder, config.size or picture_size(name, usual), weights)


def picture_size(encoder: str, usual: Size) -> Size:
    """What the encoder is shown of films of the `usual` size: their own shape, at an area that suits the encoder.

    A pretrained encoder knows things at the size that they have in photographs, so small films are enlarged for it;
    one that learns here takes whatever size it is given, so they are not.
    """
    area = usual.height * usual.width
    ours = encoder in TRAINED_FROM_SCRATCH
    scale = min(1.0, (_SMALL_AREA / area) ** 0.5) if ours else (_WORLD_AREA / area) ** 0.5
    return Size(max(8, round(usual.height * scale)), max(8, round(usual.width * scale)))
