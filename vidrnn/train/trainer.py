"""The whole journey from DATA to a model folder: read, split, fit, calibrate, set controls beside it, score, keep.

Yields records and prints nothing; the run folder holds what can be taken up again.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from dataclasses import asdict, replace
from threading import Event

import numpy as np
import torch

import vidrnn
from vidrnn.atomic import write_text
from vidrnn.config import ModelHeader, ModelSpec
from vidrnn.data.cache import Cache
from vidrnn.data.dataset import Material, gather
from vidrnn.data.splits import Split, fold_films, split_films
from vidrnn.errors import ExportError, FilmError, RunError
from vidrnn.evaluate.metrics import ClassifyScores, classify_scores, fit_temperature
from vidrnn.events import Controls, Done, Note, Progress, Record
from vidrnn.export.exporter import kept, told_of
from vidrnn.export.onnx import OnnxExport
from vidrnn.model.card import model_card, with_portable
from vidrnn.model.checkpoint import (
    CARD_NAME,
    TrainingState,
    load_model,
    load_training,
    save_model,
    save_training,
)
from vidrnn.nets.classifier import count_parameters, refuse_unknown
from vidrnn.timeline.segments import probabilities
from vidrnn.train.controls import Outcome, controls_of, controls_table
from vidrnn.train.encoder_choice import Chosen, choice_of, chosen
from vidrnn.train.fit import Fit
from vidrnn.train.learner import Clock, Learner, Setting, films_of, sampling_of, told
from vidrnn.train.lessons.next_frame import Forecasting
from vidrnn.train.run import Request, Run
from vidrnn.values import Part, Pixels
from vidrnn.video.reader import first_frames

_PREPARE_SHARE, _FIT_SHARE = 0.5, 0.75
"""Of the time that is left, where it is bounded; the rest is for controls and scores."""


def train(request: Request, stop: Event | None = None) -> Iterator[Record]:
    """Train a model; the last record is `Done`.

    Setting `stop` ends the running epoch cleanly: the best model so far is kept, and the run can be resumed.

    Raises:
        VidrnnError: with a sentence, before anything was written or with all that was finished kept.
        KeyboardInterrupt: stopped before there was a model to keep.
    """
    run = Run(request.out)
    run.claim(request)
    stop = stop or Event()
    learns_frames = request.config.task == "next-frame"
    for record in (Forecasting(request, stop) if learns_frames else _Journey(request, stop)).go(run):
        run.log(record)
        yield record


class _Journey:
    """One request on its way."""

    def __init__(self, request: Request, stop: Event) -> None:
        self.request = request
        self.config = request.config
        self.stop = stop
        self.clock = Clock(request.config.minutes)
        torch.set_num_threads(1)  # cores are kept busy by shards and by films side by side

    def go(self, run: Run) -> Generator[Record, None, None]:
        """From DATA to the model folder."""
        request, config = self.request, self.config
        refuse_unknown(config)
        material = yield from gather(request.data, request.cache, request.jobs, rate=config.rate)
        outcome = None
        if config.folds:
            outcome = yield from self._folds(material, config.folds)
        split = split_films(material.films, material.grouping, test=config.test and not outcome, seed=config.seed)
        yield Note(str(split))
        yield from (Note(text, warning=True) for text in split.notes)
        setting = self._setting(material, split)
        learner, fit, found = yield from self._learnt(setting, run)
        yield from self._kept(learner, fit, found, outcome, run)

    def _folds(self, material: Material, folds: int) -> Generator[Record, None, Outcome | None]:
        """Train on each fold; every clip is in a test part once."""
        pooled: Outcome | None = None
        for number, split in enumerate(fold_films(material.films, material.grouping, folds, seed=self.config.seed), 1):
            yield Note(f"fold {number} of {folds}: {split}")
            yield from (Note(text, warning=True) for text in split.notes)
            to_come = folds - number + 2  # this fold, those after it, and the model itself
            learner, _, _ = yield from self._learnt(self._setting(material, split), None, 1 / to_come)
            outcome = yield from controls_of(learner)
            if outcome is None or self.stop.is_set():
                raise KeyboardInterrupt
            pooled = pooled.joined(outcome) if pooled else outcome
        return pooled and replace(pooled, remark=f"{folds} folds: each clip by a model that saw nothing of its group.")

    def _setting(self, material: Material, split: Split) -> Setting:
        return Setting(
            material=material,
            split=split,
            config=self.config,
            sampling=sampling_of(material, split, self.config),
            cache=Cache(self.request.cache, self.request.jobs),
            clock=self.clock,
            stop=self.stop,
            device=torch.device(self.request.device),
        )

    def _learnt(
        self, setting: Setting, run: Run | None, share: float = 1.0
    ) -> Generator[Record, None, tuple[Learner, Fit, str]]:
        """Choose an encoder, prepare the clips and fit; a run's checkpoint is kept at the end of each epoch.

        `share` is of the time that is left, where it is bounded.
        """
        choice = yield from self._chosen(setting, run)
        learner = choice.learner
        yield Note(described(learner))
        if choice.fit and self.stop.is_set():
            return learner, choice.fit, choice.found
        yield from learner.prepare([*setting.places(Part.VAL), *setting.places(Part.TEST)], to_train=False)
        train = setting.evenly(setting.places(Part.TRAIN))
        yield from learner.prepare(train, to_train=True, seconds=setting.clock.share_left(share * _PREPARE_SHARE))
        ready = [place for place in setting.places(Part.TRAIN) if place in learner.fine]
        if len(ready) < len(train):
            yield Note(f"time allows for {len(ready):,} of {len(train):,} training clips; give more --minutes", True)
        if choice.fit:
            if run:
                save_training(run.checkpoint, self._state(choice.fit, setting))
            return learner, choice.fit, choice.found
        fit = learner.fit(ready, setting.places(Part.VAL), setting.clock.share_left(share * _FIT_SHARE))
        if run and self.request.resume:
            yield from self._take_up(fit, setting, run)
        for epoch in fit.run():
            if run:
                save_training(run.checkpoint, self._state(fit, setting))
            yield told(epoch, "model", timed=setting.clock.minutes is not None)
        return learner, fit, choice.found

    def _chosen(self, setting: Setting, run: Run | None) -> Generator[Record, None, Chosen]:
        """The encoder to go on with; a trial that was held before a run was stopped is not held again."""
        memory = run.checkpoint / "choice.json" if run else None
        if run and memory and self.request.resume and memory.exists():
            run.open(self.request)
            told_before = json.loads(memory.read_text(encoding="utf-8"))
            named = self.config.model_copy(update={"encoder": told_before["encoder"]})
            return Chosen(Learner(setting, choice_of(named, setting.material.usual_size)), None, told_before["found"])
        choice = yield from chosen(setting)
        if run:
            run.open(self.request)
        if memory and not self.stop.is_set():
            memory.parent.mkdir(exist_ok=True)
            name = choice.learner.choice.encoder.name
            write_text(memory, json.dumps({"encoder": name, "found": choice.found}))
        return choice

    def _state(self, fit: Fit, setting: Setting) -> TrainingState:
        """A checkpoint, and what films it is of."""
        state = fit.state()
        return replace(state, facts={**state.facts, "films": films_of(setting)})

    def _take_up(self, fit: Fit, setting: Setting, run: Run) -> Generator[Record, None, None]:
        """Go on from a run's checkpoint.

        Raises:
            RunError: the films or their split are not those of the run.
        """
        state = load_training(run.checkpoint)
        if state is None:
            yield Note("no epoch had been finished: training starts from the beginning")
            return
        if state.facts.get("films") != films_of(setting):
            raise RunError(
                f"{run.folder}: {self.request.data} is not as it was when this run began: films came, went, changed "
                "or changed sides. Going on would mix what is learnt with what is tested. Train anew."
            )
        fit.take_up(state)
        yield Note(f"going on after epoch {fit.epoch}")

    def _kept(
        self, learner: Learner, fit: Fit, found: str, outcome: Outcome | None, run: Run
    ) -> Generator[Record, None, None]:
        """Calibrate, set the controls beside the model, score it, and write the model folder."""
        stopped = self.stop.is_set()
        temperature = _temperature(learner)
        if outcome is None and not stopped:
            outcome = yield from controls_of(learner)
        table = controls_table(outcome) if outcome else None
        part = Part.TEST if learner.ready(Part.TEST) else Part.VAL
        scores = _scored(learner, part, temperature)
        header = self._header(learner, fit, found, temperature, scores, part, table)
        save_model(run.model, learner.network, header, model_card(header, run.folder.name, self.request.terms))
        refused = (yield from self._exported(learner, run)) if self.request.portable else None
        if table:
            yield table
        yield Done(
            model=run.model,
            accuracy=scores.accuracy,
            macro_f1=scores.macro_f1,
            ece=scores.ece,
            part=part.value,
            confused=most_confused(scores),
            seconds=self.clock.elapsed_seconds,
            stopped=self.stop.is_set(),
        )
        if refused:
            raise refused

    def _exported(self, learner: Learner, run: Run) -> Generator[Record, None, ExportError | None]:
        """Write the model that was kept as a portable file too; why there is none, if so."""
        export, model = OnnxExport(), load_model(run.model)
        yield Progress(f"writing {export.file_name}", 0, 1)
        try:
            difference = kept(export, model, run.model / export.file_name, films=self._frames(learner))
        except ExportError as error:
            return error
        sentence = told_of(model, "fp32", difference)
        card = run.model / CARD_NAME
        write_text(card, with_portable(card.read_text(encoding="utf-8"), export.file_name, sentence))
        yield Note(f"{export.file_name}: {sentence}")
        return None

    def _frames(self, learner: Learner) -> list[Pixels]:
        """The beginning of a film that the model was chosen on, to check with."""
        setting = learner.setting
        place = setting.places(Part.VAL)[0]
        path = setting.material.scans[place].facts.path
        try:
            return [first_frames(path, setting.sampling, learner.choice.size, setting.config.rate)]
        except FilmError:
            return []

    def _header(
        self,
        learner: Learner,
        fit: Fit,
        found: str,
        temperature: float,
        scores: ClassifyScores,
        part: Part,
        table: Controls | None,
    ) -> ModelHeader:
        setting, config = learner.setting, self.config
        spec = ModelSpec(
            task=config.task,
            classes=setting.material.classes,
            encoder=learner.choice.encoder,
            head=learner.head,
            readout=config.readout,
            height=learner.choice.size.height,
            width=learner.choice.size.width,
            frames=setting.sampling.frames,
            spacing_seconds=setting.sampling.spacing_seconds,
        )
        hashes = [scan.content_hash for scan in setting.material.scans]
        return ModelHeader(
            vidrnn_version=vidrnn.__version__,
            spec=spec,
            temperature=temperature,
            seed=config.seed,
            seen=dict(zip(hashes, setting.split.parts, strict=True)),
            scores={"part": part.value, **asdict(scores), "controls": asdict(table) if table else None},
            facts={
                "command": self.request.command,
                "grouping": setting.material.grouping.source,
                "parameters": count_parameters(learner.network),
                "epochs": fit.epoch,
                "best_epoch": fit.best_epoch,
                "seconds": self.clock.elapsed_seconds,
                "trial": found,
            },
        )


def described(learner: Learner) -> str:
    """The model in one line: `mobilenet_v2 (imagenet, frozen) > gru 128 > attention, windows of 16 frames, 0.4 s`."""
    encoder, config, sampling = learner.choice.encoder, learner.setting.config, learner.setting.sampling
    how = "frozen" if encoder.frozen else "trained"
    motion = "change of features > " * learner.head.motion
    origin = f"{encoder.origin}, " if encoder.origin != "none" else ""
    return (
        f"{encoder.name} ({origin}{how}{encoder.sees}) > {motion}{config.head.name} {config.head.size} > "
        f"{config.readout}, {learner.choice.size} pixels, "
        f"windows of {sampling.frames} frames, {sampling.spacing_seconds:g} s apart"
    )


def most_confused(scores: ClassifyScores) -> str:
    """The pair of classes most often taken for one another; nothing if none was."""
    table = np.asarray(scores.confusion)
    np.fill_diagonal(table, 0)
    if not table.any():
        return ""
    truth, answer = np.unravel_index(int(table.argmax()), table.shape)
    names = [one.label for one in scores.per_class]
    return f"{names[truth]} with {names[answer]}"


def _temperature(learner: Learner) -> float:
    val = learner.ready(Part.VAL)
    return fit_temperature(learner.scores(val), learner.setting.material.labels[val])


def _scored(learner: Learner, part: Part, temperature: float) -> ClassifyScores:
    places = learner.ready(part)
    given = probabilities(learner.scores(places), temperature)
    return classify_scores(given, learner.setting.material.labels[places], learner.setting.material.classes)
