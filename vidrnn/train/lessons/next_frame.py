"""The training of models that predict frames: videos without labels, a curriculum of growing horizons, baselines."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from vidrnn.config import RunConfig
from vidrnn.data.cache import Cache, Rendering
from vidrnn.data.dataset import Dataset
from vidrnn.data.splits import Split
from vidrnn.data.usable.stretches import frame_spacing, is_one_group, no_validation
from vidrnn.errors import DataError, UsageError
from vidrnn.evaluate.forecast_scores import score_forecasts
from vidrnn.events import EpochDone, Note, Progress, RunEvent
from vidrnn.model.checkpoint import LoadedModel
from vidrnn.model.metadata import ModelHeader
from vidrnn.model.weights import give_weights
from vidrnn.nets.classifier import refuse_unused, seed_everything
from vidrnn.nets.encoders import ENCODERS, TRAINED_FROM_SCRATCH
from vidrnn.nets.encoders.pretrained import TORCHVISION_WEIGHTS
from vidrnn.nets.frame_predictor import FramePredictor
from vidrnn.nets.heads import HEADS, PICTURE_HEADS
from vidrnn.nets.network import build_network
from vidrnn.nets.spec import EncoderConfig, ForecastConfig, ModelSpec
from vidrnn.report.answers import Answers
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.tasks.next_frame import FrameJudge
from vidrnn.timeline.anomaly import block_map, calibrate
from vidrnn.timeline.segments import ANOMALY, NORMAL
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
    split_sequence,
)
from vidrnn.train.journal import Journal
from vidrnn.train.lessons.base import Appraisal, Job, Outcome, Student, Teacher
from vidrnn.train.lessons.records import record_sequences, sequence_record
from vidrnn.train.shares.minibatches import FrameSampler, Minibatch, Targets
from vidrnn.train.shares.randomness import Randomness
from vidrnn.values import AnomalyCalibration, AnswerSpec, DecisionRule, FilmFailure, Floats, Part, Pixels, Window

_CROP = 64
"""Pixels a side: of larger pictures, training sees parts of this size, if the network keeps the picture."""
_UNITS = 64
"""The default size of a head that keeps the picture."""
_STEPS, _EPOCH_STEPS = 400, 40
"""The default number of minibatches in a training, and the number in an epoch."""
_MINIBATCH = 8
_RATE = 2e-3
_ONE_STEP_SHARE, _GROWING_SHARE = 0.2, 0.5
"""Of training: first one step ahead only; then the horizon grows to its whole length."""
_TRUTH_SHARE = 0.5
"""Of predictions that the truth replaces as inputs at first; it falls to 0 as the horizon grows."""
_SCORED, _VALIDATED, _VALIDATED_AT_ONCE = 64, 16, 4
"""The largest numbers of stretches: for the scores, for the validation of an epoch, and at once in a thread of it."""
_CALIBRATED_FRAMES = 1500
_FAINT = 0.1
"""Brightness below which predictions of mostly black videos become black."""
_SMOOTHING_SECONDS = 0.3
_THRESHOLD, _HYSTERESIS, _SHORTEST_SECONDS = 0.5, 0.1, 0.2
"""Of anomalies: the score that begins a segment, how far below it the segment ends, and its least length."""
_FIT_SHARE = 0.85
_UNBOUNDED = 1_000_000
_PATIENCE = 40


class NextFrameTeacher(Teacher):
    """Videos without labels. The best baseline on them chooses the decoder."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)

    @classmethod
    @override
    def complete(cls, config: RunConfig) -> RunConfig:
        if "size" in config.head.model_fields_set or config.head.name not in PICTURE_HEADS:
            return config
        return config.model_copy(update={"head": config.head.model_copy(update={"size": _UNITS})})

    @property
    def window(self) -> int:
        """Frames in a stretch: a context and a horizon."""
        return self.job.config.context + self.job.config.horizon

    @override
    def refuse_unfit(self) -> None:
        config = self.job.config
        picture = config.head.name in PICTURE_HEADS
        if not picture and config.head.name not in HEADS:
            known = ", ".join([*PICTURE_HEADS, *HEADS])
            raise UsageError(f"--head {config.head.name}: there is none of that name. There are: {known}.")
        refuse_unused(config.head)
        if picture and config.encoder not in ("auto", "pyramid"):
            raise UsageError(
                f"--encoder {config.encoder}: turns frames into vectors, and --head {config.head.name} keeps the "
                "picture. Leave one of them out."
            )
        if picture and (config.fine_tune or config.weights not in (None, "none")):
            raise UsageError(f"--weights, --fine-tune: are for known encoders, and --head {config.head.name} has none.")
        if config.head.bidirectional:
            raise UsageError(
                "--bidirectional: a head that reads in both directions would see the frame that it predicts."
            )
        if not picture and config.encoder not in ("auto", *ENCODERS):
            raise UsageError(
                f"--encoder {config.encoder}: there is none of that name. There are: {', '.join(ENCODERS)}."
            )
        if not picture and config.weights not in (None, "none", *TORCHVISION_WEIGHTS):
            raise UsageError("--weights FILE: is for --task classify only. Use imagenet, imagenet_v2 or none.")

    @override
    def student(
        self, dataset: Dataset, split: Split, journal: Journal, share: float = 1.0
    ) -> Generator[RunEvent, None, Student]:
        sequences = yield from self._decode(dataset, split)
        spec = self._spec(sequences)
        assert spec.forecast is not None
        yield Note(spec.forecast.chosen)
        yield Note(spec.describe())
        return NextFrameStudent(self.job, spec, sequences, dataset)

    def _decode(self, dataset: Dataset, split: Split) -> Generator[RunEvent, None, FrameSequences]:
        """Every video decoded, on the grid and at the size of the model."""
        config, request = self.job.config, self.job.request
        spacing = frame_spacing(dataset, config)
        size = config.size or default_size(dataset.median_size)
        cache = Cache(request.cache, request.jobs)
        grid = Rendering(spacing, size, rate=config.rate)
        workers = self.job.workers
        if workers.size > 1:  # each process decodes some of the videos into the cache, for all of them
            own = dataset.scans[workers.rank :: workers.size]
            for done, _ in enumerate(cache.frames(own, grid), 1):
                yield Progress("decoding", done, len(own))
            workers.agree(None)
        sequences: list[FrameSequence] = []
        frames = 0
        for done, (decoded, part) in enumerate(zip(cache.frames(dataset.scans, grid), split.parts, strict=True), 1):
            if isinstance(decoded, FilmFailure):
                raise DataError(f"{decoded.path}: could be read before, and not now: {decoded.reason}")
            if is_one_group(dataset):
                sequences += [replace(one, place=done - 1) for one in split_sequence(decoded.array, self.window)]
            elif len(decoded.array) >= self.window:
                sequences.append(FrameSequence(decoded.array, part, done - 1))
            frames += len(decoded.array)
            yield Progress("decoding", done, len(dataset.scans), frames)
            if self.job.stop.is_set():
                raise KeyboardInterrupt
        self._refuse_without_validation(sequences)
        grey = config.grey or all(is_colourless(sequence.frames) for sequence in sequences)
        return FrameSequences(tuple(sequences), size, spacing, grey)

    def _refuse_without_validation(self, sequences: Sequence[FrameSequence]) -> None:
        """Refuse films without a part for training or for validation.

        Raises:
            DataError: one of the parts is empty.
        """
        parts = {sequence.part for sequence in sequences}
        if not {Part.TRAIN, Part.VAL} <= parts:
            longest = max((len(sequence.frames) for sequence in sequences), default=0)
            raise no_validation(self.job.request.data, self.window, longest)

    def _spec(self, sequences: FrameSequences) -> ModelSpec:
        """The parts and sizes of the network."""
        config = self.job.config
        picture = config.head.name in PICTURE_HEADS
        decoder, chosen = config.decoder, f"The decoder is {config.decoder}, as the settings say."
        if decoder is None:
            decoder, chosen = choose_decoder(baseline_costs(sequences, config.context, self.window))
        return ModelSpec(
            network="frames",
            forecast=ForecastConfig(
                context=config.context,
                horizon=config.horizon,
                decoder=decoder,
                grey=sequences.grey,
                faint=_FAINT if is_mostly_black(sequences) else 0.0,
                chosen=chosen,
            ),
            encoder=self._encoder(picture, sequences.grey),
            head=config.head.model_copy(update={"size": config.head.units, "dropout": config.head.dropout or 0.0}),
            readout=config.readout_name,
            height=sequences.size.height,
            width=sequences.size.width,
            frames=self.window,
            spacing_seconds=sequences.spacing_seconds,
        )

    def _encoder(self, picture: bool, grey: bool) -> EncoderConfig:
        config = self.job.config
        if picture:
            return EncoderConfig(name="pyramid", frozen=False, origin="none", grey=grey)
        name = "small" if config.encoder == "auto" else config.encoder
        if name in TRAINED_FROM_SCRATCH:
            return EncoderConfig(name=name, frozen=False, origin="none", grey=grey, motion=("difference",))
        origin = config.weights or "imagenet"
        return EncoderConfig(name=name, frozen=not config.fine_tune and origin != "none", origin=origin)


class NextFrameStudent(Student):
    """A network that learns to predict frames."""

    def __init__(self, job: Job, spec: ModelSpec, sequences: FrameSequences, dataset: Dataset) -> None:
        assert spec.forecast is not None
        self._job, self._spec, self._sequences, self._dataset = job, spec, sequences, dataset
        self.choice = spec.forecast.chosen
        self._network = self._build()
        self.fit = self._fit()

    @property
    @override
    def network(self) -> FramePredictor:
        return self._network

    @property
    @override
    def spec(self) -> ModelSpec:
        return self._spec

    @property
    @override
    def answer(self) -> AnswerSpec:
        return AnswerSpec(self._job.task.name, "picture", "frame", (NORMAL, ANOMALY), background=NORMAL)

    @override
    def report_epoch(self, epoch: Epoch) -> EpochDone:
        validation = epoch.validation
        timed = self._job.clock.minutes is not None and self._job.config.epochs is None
        return EpochDone(
            training="model",
            number=epoch.number,
            of=None if timed else epoch.of,
            train_loss=epoch.train_loss,
            loss=validation.loss,
            measures={"one step ahead": validation.shown["first"]},
            best=epoch.best,
            seconds=epoch.seconds,
        )

    @override
    def calibrate(self) -> Generator[RunEvent, None, DecisionRule]:
        yield Progress("calibration", 0, 1)
        rule = DecisionRule(
            threshold=_THRESHOLD, hysteresis=_HYSTERESIS, shortest_seconds=_SHORTEST_SECONDS, reset="never"
        )
        films = [*self._sequences.of(Part.VAL), *self._sequences.of(Part.TRAIN)]
        return replace(rule, anomaly=calibrate_anomalies(self._runtime(rule), films))

    @override
    def run_controls(self) -> Generator[RunEvent, None, Outcome | None]:
        """None: baselines need no training."""
        yield from ()
        return None

    @override
    def appraise(self, decision: DecisionRule, outcome: Outcome | None) -> Generator[RunEvent, None, Appraisal]:
        yield Progress("baselines", 0, 1)
        part = Part.TEST if self._sequences.of(Part.TEST) else Part.VAL
        stretches = self._sequences.stretches(part, self._spec.frames, _SCORED)
        report = score_forecasts(self._runtime(decision), stretches, mean_image(self._sequences), part.value)
        rows = {**report.numbers["baselines"], "this model": report.numbers}
        controls = [
            {"name": name, "val": None, "test": None, "interval": None, part.value: numbers["mse"]}
            for name, numbers in rows.items()
        ]
        numbers = {**report.numbers, "folds": None, "interval": None, "controls": controls}
        shown, card = replace(report, sentences=()), replace(report, title=f"Scores on its {part} part")
        ssim = "" if numbers["ssim"] is None else f", SSIM {numbers['ssim']:.3f}"
        errors = f"{part}: MSE of a pixel {numbers['mse']:.2e}, PSNR {numbers['psnr']:.2f}{ssim}."
        return Appraisal((shown,), (card,), numbers, (errors, *report.sentences))

    @override
    def answers(
        self, decision: DecisionRule, outcome: Outcome | None, folder: Path
    ) -> Generator[RunEvent, None, Answers]:
        scored = Part.TEST if self._sequences.of(Part.TEST) else Part.VAL
        films = [
            (sequence_record(sequence, self._dataset, self._spec.spacing_seconds, folder), sequence.frames)
            for sequence in self._sequences.all
        ]
        return (yield from record_sequences(self._runtime(decision), decision, films, scored))

    @override
    def check_clips(self) -> Sequence[Window]:
        return [Window(self._sequences.of(Part.VAL)[0][: self._spec.frames])]

    def _runtime(self, rule: DecisionRule) -> TorchRuntime:
        """A runtime of the network as it is now."""
        header = ModelHeader(
            vidrnn_version="",
            answer=self.answer,
            decision=rule,
            spec=self._spec,
            seed=self._job.config.seed,
            seen={},
            scores={},
            facts={},
        )
        return TorchRuntime(LoadedModel(self._network.eval(), header, self._job.request.out))

    def _build(self) -> FramePredictor:
        seed_everything(self._job.config.seed)
        network = build_network(self._spec, self.answer)
        assert isinstance(network, FramePredictor)
        encoder = self._spec.encoder
        if encoder.origin != "none":
            give_weights(network.known_encoder, encoder.name, encoder.origin)
        if encoder.frozen:
            network.known_encoder.requires_grad_(False)
        network.mean_image.copy_(torch.from_numpy(mean_image(self._sequences).picture).permute(2, 0, 1))
        return network.to(self._job.request.device).to(memory_format=torch.channels_last)

    def _fit(self) -> Fit:
        config, network = self._job.config, self._network
        films = self._sequences.of(Part.TRAIN)
        sampler = FrameSampler(
            frames=self._spec.frames,
            minibatch=config.minibatch or _MINIBATCH,
            steps=_EPOCH_STEPS,
            seed=config.seed,
            mirror=config.flip is not False,
            crop=_CROP if network.any_size else None,
        )
        scale = copy_error(self._sequences, self._spec.frames)
        curriculum = Curriculum(config.context, config.horizon, scale, drawing=bool(self._spec.head.dropout))
        lesson = Lesson(
            network=network,
            answer=curriculum.answer,
            loss=curriculum.cost,
            minibatches=lambda epoch: sampler.epoch(films, epoch),
            steps=sampler.steps,
            validate=self._validate,
            advance=curriculum.advance,
            device=torch.device(self._job.request.device),
        )
        seconds = self._job.workers.agree(self._job.clock.share_left(_FIT_SHARE))
        assert config.weight_decay is not None  # the task has a default of its own
        timed = seconds is not None and config.epochs is None
        plan = Plan(
            epochs=config.epochs or (_UNBOUNDED if timed else _STEPS // _EPOCH_STEPS),
            learning_rate=config.learning_rate or _RATE,
            weight_decay=config.weight_decay,
            patience=config.patience or _PATIENCE,
            seed=config.seed,
            shares=config.shares,
            seconds=seconds,
        )
        return Fit(lesson, plan, self._job.stop, self._job.workers)

    def _validate(self) -> Validation:
        """The squared error of a pixel on validation stretches, over the horizon after each context."""
        network, context = self._network, self._job.config.context
        stretches = self._sequences.stretches(Part.VAL, self._spec.frames, _VALIDATED)
        device = next(network.parameters()).device

        def errors_from(start: int) -> Tensor:
            """(stretches, steps) of some stretches."""
            with torch.inference_mode():  # a setting of each thread
                shown = np.stack(stretches[start : start + _VALIDATED_AT_ONCE])
                some = network.pictures_of(torch.from_numpy(shown).to(device))
                _, ahead = network.rollout(some[:, :context], self._job.config.horizon)
                errors: Tensor = (network.shown(ahead) - some[:, context:]).square().mean((2, 3, 4))
                return errors.cpu()

        starts = range(0, len(stretches), _VALIDATED_AT_ONCE)
        per_step = torch.cat(self._job.workers.together(errors_from, starts)).mean(0)
        mse = float(per_step.mean())
        return Validation(-mse, mse, {"first": float(per_step[0])})


class Curriculum:
    """The predictions of a minibatch, which become harder: first one step ahead, then further ahead with less truth."""

    def __init__(self, context: int, horizon: int, scale: float, *, drawing: bool) -> None:
        """`scale` is the unit of the loss. `drawing`: whether layers of the network draw random numbers."""
        self.context, self.horizon, self.scale, self.drawing = context, horizon, scale, drawing
        self.progress = 0.0

    def advance(self, progress: float) -> None:
        """Set the share of the training that is done, 0 to 1."""
        self.progress = progress

    @property
    def growth(self) -> float:
        """The growth of the horizon, 0 to 1."""
        return min(1.0, max(0.0, (self.progress - _ONE_STEP_SHARE) / _GROWING_SHARE))

    def answer(self, network: FramePredictor, share: Minibatch, randomness: Randomness) -> tuple[Tensor, Tensor]:
        """The predictions and the truth, (batch, time, ...) each."""
        with randomness.of_layers(needed=self.drawing):
            return self._predicted(network, network.pictures_of(share.inputs), randomness)

    def _predicted(self, network: FramePredictor, pictures: Tensor, randomness: Randomness) -> tuple[Tensor, Tensor]:
        if self.progress < _ONE_STEP_SHARE:
            return network.read(pictures[:, :-1])[0], pictures[:, 1:]
        horizon = max(1, round(self.growth * self.horizon))
        truth = pictures[:, self.context : self.context + horizon]
        drawn = torch.rand(len(pictures), horizon, generator=randomness.generator())
        shown = (drawn < _TRUTH_SHARE * (1 - self.growth)).to(pictures.device)
        near, ahead = network.rollout(pictures[:, : self.context], horizon, truth, shown)
        return torch.cat([near, ahead[:, 1:]], 1), pictures[:, 1 : self.context + horizon]

    def cost(self, answer: tuple[Tensor, Tensor], share: Minibatch, whole: Targets) -> Tensor:
        """The part of a share in the squared error, in units of the error of a copy of the last frame."""
        predicted, truth = answer
        return (predicted - truth).square().mean() / self.scale * (len(share.target) / len(whole.target))


def calibrate_anomalies(runtime: TorchRuntime, films: Sequence[Pixels]) -> AnomalyCalibration | None:
    """The normal errors on films (steps, height, width, 3) without known anomalies; None if they are too short.

    The first frames of the first films are used, up to a limit.
    """
    errors: list[Floats] = []
    motions: list[Floats] = []
    for frames in films:
        judge = FrameJudge(runtime, runtime.handling.decision)
        for pixels in frames[: max(0, _CALIBRATED_FRAMES - len(errors))]:
            if judgement := judge.push(pixels):
                errors.append(block_map(judgement.squared))
                motions += [block_map(judgement.speed)] if judgement.speed is not None else []
    if not errors:
        return None
    smoothing = max(1, round(_SMOOTHING_SECONDS / runtime.handling.sampling.spacing_seconds))
    return calibrate(errors, motions, smoothing)
