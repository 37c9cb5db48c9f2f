"""`--encoder auto`: a short trial of two encoders; the better one on validation is taken."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidrnn.config import RunConfig
from vidrnn.data.dataset import Dataset
from vidrnn.errors import DataError, UsageError, WeightsError
from vidrnn.events import Note, RunEvent
from vidrnn.model.picture_graph import PictureGraph, read_picture_graph
from vidrnn.model.weights import PRETRAINED
from vidrnn.nets.encoders import TRAINED_FROM_SCRATCH, foreign_kind
from vidrnn.nets.encoders.pretrained import TORCHVISION_WEIGHTS
from vidrnn.nets.encoders.timm_network import TimmFacts, timm_facts
from vidrnn.nets.spec import EncoderConfig
from vidrnn.train.fit import Fit
from vidrnn.train.learner import Choice, Learner, Setting, epoch_event
from vidrnn.values import FeatureSpec, Part, Size

_SMALL_AREA = 112 * 84
_WORLD_AREA = 160 * 214
_WORLD, _OURS = "mobilenet_v2", "small"
_TRAIN_CLIPS, _VAL_CLIPS = 320, 160
"""The largest numbers of clips in a trial. If no more clips exist, the trial is the training."""
_GOOD_ENOUGH = 0.98
"""A frozen encoder with this score is taken at once: a better score could hardly be measured."""
_SHARE = 0.35
"""Of the time that is left, if time is limited."""
_CLIP_SECONDS = 0.4
"""The estimated cost of a clip in a trial."""


@dataclass(frozen=True)
class Chosen:
    """The learner of the chosen encoder, and its training if the trial was on all clips."""

    learner: Learner
    fit: Fit | None = None
    reason: str = ""
    """The result of the trial, in a sentence."""


def choose_encoder(setting: Setting) -> Generator[RunEvent, None, Chosen]:
    """The learner of the encoder in the settings, or of the better one after a trial."""
    config, median = setting.config, setting.dataset.median_size
    if config.encoder != "auto" or config.features:
        return Chosen(Learner(setting, choice_of(config, median)))
    if config.grey:
        raise UsageError("--grey: only the encoder small can do without colours. Add --encoder small.")
    if config.weights:
        raise UsageError(
            f"--weights {config.weights}: --encoder auto does not know which encoder they are for. Name the encoder."
        )
    named = [config.model_copy(update={"encoder": name}) for name in (_WORLD, _OURS)]
    try:
        world = Learner(setting, choice_of(named[0], median))
    except WeightsError as error:
        yield Note(f"{error} Going on with the encoder small.", warning=True)
        return Chosen(Learner(setting, choice_of(named[1], median)))
    trial = _Trial.of(setting)
    yield from trial.train(world)
    if trial.scores[_WORLD] >= _GOOD_ENOUGH or setting.stop.is_set():
        return (yield from trial.conclude(world))
    ours = Learner(setting, choice_of(named[1], median))
    yield from trial.train(ours)
    return (yield from trial.conclude(world if trial.scores[_WORLD] >= trial.scores[_OURS] else ours))


@dataclass
class _Trial:
    """The clips of a trial, and its results."""

    setting: Setting
    clips: Sequence[int]
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

    def train(self, learner: Learner) -> Generator[RunEvent, None, None]:
        """Train one candidate on the trial's clips."""
        name, setting = learner.choice.encoder.name, self.setting
        yield from learner.prepare(self.clips, to_train=True)
        yield from learner.prepare(self.val, to_train=False)
        fit = learner.fit(self.clips, self.val, setting.clock.share_left(_SHARE / 2))
        for epoch in fit.run():
            yield epoch_event(epoch, f"trial of {name}", timed=setting.clock.minutes is not None)
        self.scores[name] = fit.best.score if fit.best else 0.0
        self.fits[name] = fit

    def conclude(self, winner: Learner) -> Generator[RunEvent, None, Chosen]:
        """The result of the trial. The winner starts again on all clips if the trial did not hold them all."""
        name, setting = winner.choice.encoder.name, self.setting
        scores = ", ".join(f"{one} {score:.3f}" for one, score in self.scores.items())
        sentence = f"{name} was chosen by macro-F1 on validation in a trial on {len(self.clips)} clips: {scores}."
        if len(self.scores) == 1:
            sentence = f"{name} scored {scores} in a trial on {len(self.clips)} clips; the other encoder was not tried."
        yield Note(sentence)
        whole = len(self.clips) == len(setting.places(Part.TRAIN)) and setting.clock.minutes is None
        if whole or setting.stop.is_set():
            return Chosen(winner, self.fits[name], sentence)
        return Chosen(winner.with_fresh_weights(), None, sentence)


def even_part(setting: Setting, places: Sequence[int], most: int) -> Sequence[int]:
    """At most `most` of the clips at `places`, in their order; each class has its share."""
    return places if len(places) <= most else sorted(setting.evenly(places)[:most])


def choice_of(config: RunConfig, films: Size) -> Choice:
    """The encoder of the settings, and the size of its pictures.

    `films`: the median size of the films.

    Raises:
        UsageError: it would be frozen without weights, or does not fit `--grey`.
    """
    if config.features:
        assert config.rate is not None  # `refuse_unfit_encoder` has seen to it
        spec = FeatureSpec(films.width, config.rate)
        return Choice(EncoderConfig(name="features", frozen=True, origin="none", features=spec), Size(1, 1), "none")
    name = config.encoder
    if foreign_kind(name) == "onnx":
        return _choice_of_graph(config, films)
    if foreign_kind(name) == "timm":
        return _choice_of_timm(config)
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
    return Choice(encoder, config.size or picture_size(name, films), weights)


def _choice_of_graph(config: RunConfig, films: Size) -> Choice:
    graph = _graph_of(config)
    size = config.size or graph.size or picture_size(config.encoder, films)
    return Choice(graph.config(size), size, config.encoder)


def _choice_of_timm(config: RunConfig) -> Choice:
    facts, weights = _timm_of(config), config.weights or PRETRAINED
    encoder = EncoderConfig(
        name=config.encoder, frozen=not config.fine_tune, origin=Path(weights).name, pixels=facts.pixels
    )
    return Choice(encoder, config.size or facts.size, weights)


def _timm_of(config: RunConfig) -> TimmFacts:
    """The facts of `--encoder timm:NAME`.

    Raises:
        UsageError: there is no such network, or other settings do not fit it.
    """
    name = config.encoder
    if config.weights == "none" and not config.fine_tune:
        raise UsageError(
            f"--encoder {name} --weights none: a frozen encoder without weights sees nothing. Add --fine-tune."
        )
    if config.weights in TORCHVISION_WEIGHTS:
        raise UsageError(f"--weights {config.weights}: is of torchvision. Leave it out: timm has weights of its own.")
    if config.grey:
        raise UsageError(f"--grey: {name} knows coloured pictures only. Add --encoder small, or leave --grey out.")
    facts = timm_facts(name)
    if facts.fixed and config.size not in (None, facts.size):
        raise UsageError(f"--size {config.size}: {name} takes pictures of {facts.size} pixels only. Leave --size out.")
    return facts


def _graph_of(config: RunConfig) -> PictureGraph:
    """The graph of `--encoder FILE.onnx`.

    Raises:
        UsageError: it cannot be an encoder, or other settings do not fit it.
    """
    name = Path(config.encoder).name
    if config.fine_tune:
        raise UsageError(f"--fine-tune: {name} stays as it is, since vidrnn cannot train a graph. Leave it out.")
    if config.weights:
        raise UsageError(f"--weights {config.weights}: {name} holds its own weights. Leave --weights out.")
    if config.grey:
        raise UsageError(f"--grey: {name} itself says which channels it takes. Leave --grey out.")
    return read_picture_graph(Path(config.encoder))


def refuse_unfit_encoder(config: RunConfig) -> None:
    """Refuse an encoder from elsewhere before any film is read.

    Raises:
        UsageError: it cannot be used, or other settings do not fit it.
    """
    if config.features:
        _refuse_beside_features(config)
    elif foreign_kind(config.encoder) == "onnx":
        graph = _graph_of(config)
        if size := config.size or graph.size:
            graph.config(size)
    elif foreign_kind(config.encoder) == "timm":
        _timm_of(config)


def _refuse_beside_features(config: RunConfig) -> None:
    given = {
        f"--encoder {config.encoder}": config.encoder != "auto",
        f"--weights {config.weights}": config.weights is not None,
        "--fine-tune": config.fine_tune,
        "--grey": config.grey,
        f"--size {config.size}": config.size is not None,
        "--flip": config.flip is True,
    }
    if foreign := [flag for flag, is_given in given.items() if is_given]:
        raise UsageError(f"{', '.join(foreign)}: --features is read in place of pictures and an encoder. Leave it out.")
    folder = Path(config.features or "")
    if not folder.is_dir():
        raise UsageError(f"--features {folder}: there is no such folder.")
    if config.rate is None:
        raise UsageError(f"--features {folder}: how many per second is not stated. Give it: --rate R.")


def refuse_uneven_features(dataset: Dataset, config: RunConfig) -> None:
    """Refuse features of several widths.

    Raises:
        DataError: two files differ.
    """
    scans = dataset.scans if config.features else ()
    other = next((scan for scan in scans if scan.facts.size.width != scans[0].facts.size.width), None)
    if other is not None:
        first = scans[0].facts
        raise DataError(
            f"{other.facts.path}: has {other.facts.size.width} numbers at each time, and {first.path} has "
            f"{first.size.width}. All features of a training have the same width."
        )


def picture_size(encoder: str, films: Size) -> Size:
    """The size of the encoder's pictures: the shape of the films, at an area that suits the encoder.

    A pretrained encoder knows things at the size that they have in photographs, so small films are enlarged for it. For
    an encoder trained from scratch they are not.
    """
    area = films.height * films.width
    ours = encoder in TRAINED_FROM_SCRATCH
    scale = min(1.0, (_SMALL_AREA / area) ** 0.5) if ours else (_WORLD_AREA / area) ** 0.5
    return Size(max(8, round(films.height * scale)), max(8, round(films.width * scale)))
