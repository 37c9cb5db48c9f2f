"""The journey from films without labels to a model of their next frames: read, split, choose how to paint, fit,
calibrate what is unusual, set the baselines beside it, keep.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Sequence
from dataclasses import asdict, replace
from threading import Event

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import vidrnn
from vidrnn.config import CalibrationConfig, EncoderConfig, ForecastConfig, ModelHeader, ModelSpec, RunConfig
from vidrnn.data.cache import Cache, Rendering
from vidrnn.data.dataset import Dataset, read_dataset
from vidrnn.data.films import counted
from vidrnn.data.splits import Split, split_films
from vidrnn.errors import DataError, ExportError, RunError, UsageError
from vidrnn.evaluate.forecast_scores import appraise
from vidrnn.events import ForecasterDone, ForecastScores, FrameEpoch, LeftOut, Note, Progress, RunEvent
from vidrnn.export.frames_export import keep_and_tell
from vidrnn.model.card import forecaster_card
from vidrnn.model.checkpoint import Loaded, TrainingState, load_forecaster, load_training, save_model, save_training
from vidrnn.model.header import PORTABLE_NAME
from vidrnn.model.weights import give_weights
from vidrnn.nets.classifier import count_parameters, seed_everything
from vidrnn.nets.encoders import ENCODERS, TRAINED_FROM_SCRATCH
from vidrnn.nets.frame_predictor import Forecaster, build_forecaster
from vidrnn.nets.heads import HEADS, PICTURE_HEADS
from vidrnn.runtimes.torch import TorchFrames
from vidrnn.tasks.next_frame import Watcher
from vidrnn.timeline.anomaly import block_map, usual_of
from vidrnn.train.fit import Epoch, Fit, Lesson, Plan, Validation
from vidrnn.train.frame_sequences import (
    FrameSequence,
    FrameSequences,
    baseline_costs,
    choose_decoder,
    copy_error,
    default_size,
    is_colourless,
    is_mostly_black,
    mean_image,
    median_spacing,
    split_sequence,
    steps_of,
)
from vidrnn.train.learner import Clock
from vidrnn.train.minibatches import FrameSampler, Minibatch
from vidrnn.train.run import Request, Run
from vidrnn.values import FilmFailure, Part, Pixels

_CROP = 64
"""Pixels a side: of larger pictures, training sees parts of this size, if the model keeps the picture."""
_HEAD, _UNITS = "convgru", 64
"""The head, and the units of one that keeps the picture, where nothing was said."""
_STEPS, _EPOCH_STEPS = 400, 40
"""Minibatches in a training where nothing was said, and in what is called an epoch here."""
_MINIBATCH = 8
_RATE = 2e-3
_WEIGHT_DECAY = 1e-4
_ONE_STEP_SHARE, _GROWING_SHARE = 0.2, 0.5
"""Of training: only one step ahead is asked for; then the horizon grows to its whole length."""
_TRUTH_SHARE = 0.5
"""Of predictions that are replaced by the truth when they are first fed back; it falls to none as the horizon grows."""
_JUDGED, _VALIDATED = 64, 16
"""Stretches at most: that scores are of, that an epoch is judged by."""
_CALIBRATED_FRAMES = 1500
_FAINT = 0.1
"""Of mostly black films: brightness below which nothing is painted."""
_SMOOTHING_SECONDS = 0.3
_FIT_SHARE = 0.85
_UNBOUNDED = 1_000_000
_PATIENCE = 40


class Forecasting:
    """One request for a model of the next frames on its way."""

    def __init__(self, request: Request, stop: Event) -> None:
        self.config = in_full(request.config)
        self.request = replace(request, config=self.config)
        self.stop = stop
        self.clock = Clock(request.config.minutes)
        self.window = self.config.context + self.config.horizon

    def go(self, run: Run) -> Generator[RunEvent, None, None]:
        """From films to the model folder."""
        request, config = self.request, self.config
        refuse_unfit(config)
        torch.set_num_threads(request.jobs)
        dataset = yield from read_dataset(request.data, request.cache, request.jobs, rate=config.rate, labelled=False)
        spacing = config.spacing_seconds or median_spacing(dataset.scans)
        dataset = yield from self._long_enough(dataset, spacing)
        split, cut = split_in_time(dataset) if few(dataset) else (self._split(dataset), False)
        yield Note(str(split))
        yield from (Note(text, warning=True) for text in split.notes)
        sequences = yield from self._sequences(dataset, split, spacing, cut)
        spec = self._spec(sequences)
        assert spec.forecast is not None
        yield Note(spec.forecast.chosen)
        yield Note(described(spec))
        run.open(request)
        network = self._network(spec, sequences)
        fit = self._fit(network, spec, sequences)
        if request.resume:
            yield from self._take_up(fit, dataset, split, run)
        for epoch in fit.run():
            state = fit.state()
            save_training(run.checkpoint, replace(state, facts={**state.facts, "films": films_of(dataset, split)}))
            yield self._told(epoch)
        yield from self._kept(network, fit, spec, sequences, dataset, split, run)

    def _split(self, dataset: Dataset) -> Split:
        return split_films(dataset.films, dataset.grouping, test=self.config.test, seed=self.config.seed)

    def _long_enough(self, dataset: Dataset, spacing: float) -> Generator[RunEvent, None, Dataset]:
        """The films that have a context and a horizon.

        Raises:
            DataError: none has.
        """
        steps = [steps_of(scan, spacing) for scan in dataset.scans]
        short = tuple(
            FilmFailure(scan.facts.path, f"{counted(count, 'frame')} {spacing:g} s apart, and {self.window} are needed")
            for scan, count in zip(dataset.scans, steps, strict=True)
            if count < self.window
        )
        if len(short) == len(steps):
            raise DataError(
                f"{self.request.data}: wanted films of {self.window} frames (--context {self.config.context} and "
                f"--horizon {self.config.horizon}) {spacing:g} s apart; the longest has {max(steps)}. "
                "Say less of them, or a smaller --spacing."
            )
        if not short:
            return dataset
        yield LeftOut(short)
        kept = [place for place, count in enumerate(steps) if count >= self.window]
        grouping = replace(dataset.grouping, groups=tuple(dataset.groups[place] for place in kept))
        films, scans = (tuple(row[place] for place in kept) for row in (dataset.films, dataset.scans))
        return replace(dataset, films=films, scans=scans, grouping=grouping)  # type: ignore[arg-type]

    def _sequences(
        self, dataset: Dataset, split: Split, spacing: float, cut: bool
    ) -> Generator[RunEvent, None, FrameSequences]:
        """Every film decoded, on the grid and at the size of the model."""
        config = self.config
        size = config.size or default_size(dataset.median_size)
        cache = Cache(self.request.cache, self.request.jobs)
        grid = Rendering(spacing, size, rate=config.rate)
        sequences: list[FrameSequence] = []
        frames = 0
        for done, (made, part) in enumerate(zip(cache.frames(dataset.scans, grid), split.parts, strict=True), 1):
            if isinstance(made, FilmFailure):
                raise DataError(f"{made.path}: could be read before, and not now: {made.reason}")
            if cut:
                sequences += split_sequence(made, self.window)
            elif len(made) >= self.window:
                sequences.append(FrameSequence(made, part))
            frames += len(made)
            yield Progress("decoding", done, len(dataset.scans), frames)
            if self.stop.is_set():
                raise KeyboardInterrupt
        self._refuse_nothing_to_validate(sequences)
        grey = config.grey or all(is_colourless(sequence.frames) for sequence in sequences)
        return FrameSequences(tuple(sequences), size, spacing, grey)

    def _refuse_nothing_to_validate(self, sequences: Sequence[FrameSequence]) -> None:
        """See that there is something to learn from and something to validate on.

        Raises:
            DataError: there is not.
        """
        parts = {sequence.part for sequence in sequences}
        if not {Part.TRAIN, Part.VAL} <= parts:
            longest = max((len(sequence.frames) for sequence in sequences), default=0)
            raise DataError(
                f"{self.request.data}: wanted {self.window} frames to learn from and {self.window} more to validate "
                f"on; the longest film has {longest}. Name more films, or say less --context and --horizon."
            )

    def _spec(self, sequences: FrameSequences) -> ModelSpec:
        """What the network is to be."""
        config = self.config
        picture = config.head.name in PICTURE_HEADS
        head = config.head.model_copy(update={"dropout": config.head.dropout or 0.0})
        guesses = baseline_costs(sequences, config.context, self.window)
        paint, chosen = (config.paint, "") if config.paint else choose_decoder(guesses)
        return ModelSpec(
            task="next-frame",
            forecast=ForecastConfig(
                context=config.context,
                horizon=config.horizon,
                paint=paint,
                grey=sequences.grey,
                faint=_FAINT if is_mostly_black(sequences) else 0.0,
                chosen=chosen or f"It paints by {paint}, as was asked.",
            ),
            encoder=self._encoder(picture, sequences.grey),
            head=head,
            readout=config.readout,
            height=sequences.size.height,
            width=sequences.size.width,
            frames=self.window,
            spacing_seconds=sequences.spacing_seconds,
        )

    def _encoder(self, picture: bool, grey: bool) -> EncoderConfig:
        if picture:
            return EncoderConfig(name="pyramid", frozen=False, origin="none", grey=grey)
        name = "small" if self.config.encoder == "auto" else self.config.encoder
        if name in TRAINED_FROM_SCRATCH:
            return EncoderConfig(name=name, frozen=False, origin="none", grey=grey, differences=True)
        origin = "imagenet" if self.config.weights in (None, "imagenet") else "none"
        return EncoderConfig(name=name, frozen=not self.config.fine_tune and origin != "none", origin=origin)

    def _network(self, spec: ModelSpec, sequences: FrameSequences) -> Forecaster:
        seed_everything(self.config.seed)
        network = build_forecaster(spec)
        if spec.encoder.origin != "none":
            give_weights(network.known_encoder, spec.encoder.name, spec.encoder.origin)
        if spec.encoder.frozen:
            network.known_encoder.requires_grad_(False)
        network.mean_image.copy_(torch.from_numpy(mean_image(sequences).picture).permute(2, 0, 1))
        return network.to(self.request.device).to(memory_format=torch.channels_last)

    def _fit(self, network: Forecaster, spec: ModelSpec, sequences: FrameSequences) -> Fit:
        config = self.config
        films = sequences.of(Part.TRAIN)
        draw = FrameSampler(
            frames=self.window,
            minibatch=config.minibatch or _MINIBATCH,
            steps=_EPOCH_STEPS,
            seed=config.seed,
            mirror=config.flip is not False,
            crop=_CROP if network.any_size else None,
        )
        device = torch.device(self.request.device)
        course = Course(network, config.context, config.horizon, copy_error(sequences, self.window))
        lesson = Lesson(
            network=network,
            answer=course.answer,
            loss=lambda answer, target, mask: course.cost(answer),
            minibatches=lambda epoch: (some.on(device) for some in draw.epoch(films, epoch)),
            steps=draw.steps,
            validate=lambda: self._validated(network, sequences),
            advance=course.advance,
        )
        seconds = self.clock.share_left(_FIT_SHARE)
        timed = seconds is not None and config.epochs is None
        plan = Plan(
            epochs=config.epochs or (_UNBOUNDED if timed else _STEPS // _EPOCH_STEPS),
            learning_rate=config.learning_rate or _RATE,
            weight_decay=config.weight_decay,
            patience=config.patience or _PATIENCE,
            seed=config.seed,
            seconds=seconds,
        )
        return Fit(lesson, plan, self.stop)

    def _validated(self, network: Forecaster, sequences: FrameSequences) -> Validation:
        """The squared error of a pixel on validation stretches, going on by itself from each context."""
        stretches = sequences.stretches(Part.VAL, self.window, _VALIDATED)
        device, context = next(network.parameters()).device, self.config.context
        errors = []
        for start in range(0, len(stretches), _MINIBATCH):
            some = network.pictures_of(torch.from_numpy(np.stack(stretches[start : start + _MINIBATCH])).to(device))
            _, ahead = network.rollout(some[:, :context], self.config.horizon)
            errors.append((network.shown(ahead) - some[:, context:]).square().mean((2, 3, 4)))
        per_step = torch.cat(errors).mean(0)
        mse = float(per_step.mean())
        return Validation(-mse, mse, {"first": float(per_step[0])})

    def _told(self, epoch: Epoch) -> FrameEpoch:
        found = epoch.validation
        return FrameEpoch(
            number=epoch.number,
            of=None if self.clock.minutes is not None and self.config.epochs is None else epoch.of,
            train_loss=epoch.train_loss,
            mse=found.loss,
            first_mse=found.shown["first"],
            best=epoch.best,
            seconds=epoch.seconds,
        )

    def _take_up(self, fit: Fit, dataset: Dataset, split: Split, run: Run) -> Generator[RunEvent, None, None]:
        """Go on from a run's checkpoint.

        Raises:
            RunError: the films or their split are not those of the run.
        """
        state: TrainingState | None = load_training(run.checkpoint)
        if state is None:
            yield Note("no epoch had been finished: training starts from the beginning")
            return
        if state.facts.get("films") != films_of(dataset, split):
            raise RunError(
                f"{run.folder}: {self.request.data} is not as it was when this run began: films came, went, changed "
                "or changed sides. Going on would mix what is learnt with what is tested. Train anew."
            )
        fit.take_up(state)
        yield Note(f"going on after epoch {fit.epoch}")

    def _kept(
        self,
        network: Forecaster,
        fit: Fit,
        spec: ModelSpec,
        sequences: FrameSequences,
        dataset: Dataset,
        split: Split,
        run: Run,
    ) -> Generator[RunEvent, None, None]:
        """Calibrate, set the baselines beside the model, and write the model folder."""
        header = ModelHeader(
            vidrnn_version=vidrnn.__version__,
            spec=spec,
            seed=self.config.seed,
            seen={scan.content_hash: part for scan, part in zip(dataset.scans, split.parts, strict=True)},
            scores={},
            facts={
                "command": self.request.command,
                "grouping": dataset.grouping.source,
                "parameters": count_parameters(network),
                "epochs": fit.epoch,
                "best_epoch": fit.best_epoch,
            },
        )
        runtime = TorchFrames(Loaded(network, header, run.model))
        yield Progress("calibration", 0, 1)
        calibration = calibrated(runtime, [*sequences.of(Part.VAL), *sequences.of(Part.TRAIN)])
        part = Part.TEST if sequences.of(Part.TEST) else Part.VAL
        yield Progress("baselines", 0, 1)
        found = appraise(runtime, sequences.stretches(part, self.window, _JUDGED), mean_image(sequences), part.value)
        header = header.model_copy(
            update={
                "calibration": calibration,
                "scores": scores_told(found),
                "facts": {**header.facts, "seconds": self.clock.elapsed_seconds},
            }
        )
        save_model(run.model, network, header, forecaster_card(header, run.folder.name, self.request.terms))
        refused = (yield from self._exported(sequences, run)) if self.request.portable else None
        yield found
        yield ForecasterDone(run.model, self.clock.elapsed_seconds, self.stop.is_set())
        if refused:
            raise refused

    def _exported(self, sequences: FrameSequences, run: Run) -> Generator[RunEvent, None, ExportError | None]:
        """Write the model that was kept as a portable file too; why there is none, if so."""
        model = load_forecaster(run.model)
        yield Progress(f"writing {PORTABLE_NAME}", 0, 1)
        try:
            _, sentence = keep_and_tell(model, run.model / PORTABLE_NAME, [sequences.of(Part.VAL)[0][: self.window]])
        except ExportError as error:
            return error
        yield Note(f"{PORTABLE_NAME}: {sentence}")
        return None


class Course:
    """What a minibatch is asked, which grows harder: one step ahead at first, then further, less and less helped."""

    def __init__(self, network: Forecaster, context: int, horizon: int, scale: float) -> None:
        self.network, self.context, self.horizon, self.scale = network, context, horizon, scale
        self.progress = 0.0

    def advance(self, progress: float) -> None:
        """How much of the training is behind, from 0 to 1."""
        self.progress = progress

    @property
    def grown(self) -> float:
        """How far the horizon has grown, from 0 to 1."""
        return min(1.0, max(0.0, (self.progress - _ONE_STEP_SHARE) / _GROWING_SHARE))

    def answer(self, minibatch: Minibatch) -> tuple[Tensor, Tensor]:
        """What was painted and what is true, (batch, time, ...) each."""
        pictures = self.network.pictures_of(minibatch.inputs)
        if self.progress < _ONE_STEP_SHARE:
            return self.network.read(pictures[:, :-1])[0], pictures[:, 1:]
        horizon = max(1, round(self.grown * self.horizon))
        truth = pictures[:, self.context : self.context + horizon]
        share = _TRUTH_SHARE * (1 - self.grown)
        near, ahead = self.network.rollout(pictures[:, : self.context], horizon, truth, share)
        return torch.cat([near, ahead[:, 1:]], 1), pictures[:, 1 : self.context + horizon]

    def cost(self, answer: tuple[Tensor, Tensor]) -> Tensor:
        """Squared error, beside that of a copy of the last frame one step ahead."""
        painted, truth = answer
        return (painted - truth).square().mean() / self.scale


def in_full(config: RunConfig) -> RunConfig:
    """The settings with what is usual here for what was not said: a run that is taken up again finds them in its file,
    where nothing tells any more what was said.
    """
    head = config.head
    if "name" not in head.model_fields_set:
        head = head.model_copy(update={"name": _HEAD})
    if "size" not in head.model_fields_set and head.name in PICTURE_HEADS:
        head = head.model_copy(update={"size": _UNITS})
    decay = config.weight_decay if "weight_decay" in config.model_fields_set else _WEIGHT_DECAY
    return config.model_copy(update={"head": head, "weight_decay": decay})


def refuse_unfit(config: RunConfig) -> None:
    """Say it early if what was asked for does not go together.

    Raises:
        UsageError: so it is.
    """
    picture = config.head.name in PICTURE_HEADS
    if not picture and config.head.name not in HEADS:
        known = ", ".join([*PICTURE_HEADS, *HEADS])
        raise UsageError(f"--head {config.head.name}: there is none of that name. There are: {known}.")
    if config.folds:
        raise UsageError("--folds: is for classes. A model of the next frames is scored on its test part.")
    if picture and config.encoder not in ("auto", "pyramid"):
        raise UsageError(
            f"--encoder {config.encoder}: turns frames into vectors, and --head {config.head.name} keeps the picture. "
            "Leave one of them out."
        )
    if picture and (config.fine_tune or config.weights not in (None, "none")):
        raise UsageError(f"--weights, --fine-tune: are for known encoders, and --head {config.head.name} has none.")
    if config.head.bidirectional:
        raise UsageError("--bidirectional: a head that reads both ways would see the frame that it is to predict.")
    if not picture and config.encoder not in ("auto", *ENCODERS):
        raise UsageError(f"--encoder {config.encoder}: there is none of that name. There are: {', '.join(ENCODERS)}.")
    if not picture and config.weights not in (None, "imagenet", "none"):
        raise UsageError("--weights FILE: is for classes so far. Say imagenet or none.")


def few(dataset: Dataset) -> bool:
    """Whether there is nothing to hold out but a film's own end: all films belong together, and no split was given."""
    return len(set(dataset.groups)) == 1 and not any(film.part for film in dataset.films)


def split_in_time(dataset: Dataset) -> tuple[Split, bool]:
    """Every film for training, its end held out for validation."""
    remark = (
        "All films belong together, so the last fifth of each is held out to validate on, and nothing to test: "
        "the scores are of what was learnt from."
    )
    return Split(tuple(Part.TRAIN for _ in dataset.films), notes=(remark,)), True


def calibrated(runtime: TorchFrames, films: Sequence[Pixels]) -> CalibrationConfig | None:
    """What is usual, by films in which nothing unusual is known, the first of them first; None if they are too short.

    What moves is told by the same frames; a few thousand are enough.
    """
    errors: list[NDArray[np.float64]] = []
    motions: list[NDArray[np.float64]] = []
    for frames in films:
        watcher = Watcher(runtime)
        for pixels in frames[: max(0, _CALIBRATED_FRAMES - len(errors))]:
            if judged := watcher.push(pixels):
                errors.append(block_map(judged.squared))
                motions += [block_map(judged.speed)] if judged.speed is not None else []
    if not errors:
        return None
    smoothing = max(1, round(_SMOOTHING_SECONDS / runtime.handling.spacing_seconds))
    return CalibrationConfig(**asdict(usual_of(errors, motions, smoothing)))


def scores_told(found: ForecastScores) -> dict[str, object]:
    """The scores as the header keeps them."""
    return {
        "part": found.part,
        "stretches": found.stretches,
        **asdict(found.model.overall),
        "per_step": [asdict(step) for step in found.model.per_step],
        "baselines": {
            row.name: {**asdict(row.overall), "per_step": [asdict(step) for step in row.per_step]}
            for row in found.rows[:-1]
        },
        "sentence": found.sentence,
    }


def described(spec: ModelSpec) -> str:
    """The model in one line."""
    assert spec.forecast is not None
    forecast = spec.forecast
    return (
        f"{spec.encoder.name}{' (frozen)' * spec.encoder.frozen} > {spec.head.name} {spec.head.size} > "
        f"{forecast.paint}, {spec.size} pixels{', grey' * forecast.grey}, {forecast.context} frames seen and "
        f"{forecast.horizon} foretold, {spec.spacing_seconds:g} s apart"
    )


def films_of(dataset: Dataset, split: Split) -> str:
    """A name for the films of a run and their parts: the same films, the same name."""
    rows = sorted((scan.content_hash, part.value) for scan, part in zip(dataset.scans, split.parts, strict=True))
    return hashlib.blake2b(json.dumps(rows).encode(), digest_size=16).hexdigest()
