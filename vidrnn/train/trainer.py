"""DATA becomes a run and a model: read, split, choose, fit, calibrate, score beside controls, write, export.

It yields events and prints nothing. A stopped training continues from the run folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from threading import Event

import vidrnn
from vidrnn.atomic import write_text
from vidrnn.data.dataset import Dataset, read_dataset
from vidrnn.data.splits import Split, fold_films
from vidrnn.data.store import with_notes
from vidrnn.errors import ExportError, RunError, TrainingError, UsageError, VidrnnError
from vidrnn.events import Done, Note, Progress, RunEvent
from vidrnn.export.exporter import describe, write_checked
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
from vidrnn.model.metadata import ModelHeader
from vidrnn.nets.classifier import count_parameters
from vidrnn.plain_json import json_text
from vidrnn.registry import load_attribute
from vidrnn.report.answers import ANSWERS_NAME, PAGE_NAME, folder_of
from vidrnn.tasks.base import task_named
from vidrnn.train.fit import Fit
from vidrnn.train.learner import Clock
from vidrnn.train.lessons.base import Appraisal, Job, Outcome, Student, Teacher
from vidrnn.train.run import Request, Run
from vidrnn.values import DecisionRule, Part

_STRIP_SECONDS = 15.0
"""The longest time that the strips of frames of the page may take at the end of a training."""


def train(request: Request, stop: Event | None = None) -> Iterator[RunEvent]:
    """Train a model; the last event is `Done`.

    `stop`: set it to end the running epoch cleanly. The best model so far is written, and the run can be resumed.
    Where an error or Ctrl-C ends the training, the last event says how to go on, if that can help.

    Raises:
        VidrnnError: with a sentence. All finished work stays on disk.
        KeyboardInterrupt: stopped before there was a model.
    """
    run = Run(request.out)
    run.claim(request)
    try:
        for event in with_notes(_Training(request, stop or Event()).go(run), request.cache):
            run.log(event)
            yield event
    except (TrainingError, RunError):
        raise  # to go on would end in the same way
    except (KeyboardInterrupt, VidrnnError):
        if run.resumable:
            yield Note(run.resumable)
        raise
    finally:
        run.release()


class _Training:
    """The training of one request."""

    def __init__(self, request: Request, stop: Event) -> None:
        task = task_named(request.config.task)
        teacher: type[Teacher] = load_attribute(task.lesson)
        request = replace(request, config=teacher.complete(request.config.with_defaults(task.defaults)))
        self.job = Job(request, task, Clock(request.config.minutes), stop)
        self.teacher = teacher(self.job)

    def go(self, run: Run) -> Generator[RunEvent, None, None]:
        """From DATA to the model folder."""
        job, config = self.job, self.job.config
        if config.minutes:
            yield Note("--minutes: the clock decides how much is learnt, so this run cannot be repeated exactly")
        if config.folds and "folds" not in job.task.settings:
            raise UsageError(f"--folds: means nothing for --task {job.task.name}. Leave it out.")
        self.teacher.refuse_unfit()
        named = job.task.read(job.request.data, to_train=True, features=config.features_folder, labels=config.labels)
        dataset = yield from read_dataset(
            named,
            job.request.data,
            job.request.cache,
            job.request.jobs,
            rate=config.rate,
            labelled=job.task.labelled,
        )
        dataset = yield from self.teacher.usable(dataset)
        outcome = (yield from self._folds(dataset, config.folds)) if config.folds else None
        split = self.teacher.split(dataset, test=config.test and not outcome)
        yield from _notes(split)
        student = yield from self.teacher.student(dataset, split, run)
        yield from self._fit(student, dataset, split, run)
        yield from self._finish(student, dataset, split, outcome, run)

    def _folds(self, dataset: Dataset, folds: int) -> Generator[RunEvent, None, Outcome | None]:
        """Train on each fold; every clip is in one test part."""
        pooled: Outcome | None = None
        splits = fold_films(dataset.films, dataset.grouping, folds, seed=self.job.config.seed)
        for number, split in enumerate(splits, 1):
            yield Note(f"fold {number} of {folds}: {split}")
            yield from (Note(text, warning=True) for text in split.notes)
            to_come = folds - number + 2  # this fold, later folds, and the model itself
            student = yield from self.teacher.student(dataset, split, None, 1 / to_come)
            yield from self._fit(student, dataset, split, None)
            outcome = yield from student.run_controls()
            if outcome is None or self.job.stop.is_set():
                raise KeyboardInterrupt
            pooled = pooled.joined(outcome) if pooled else outcome
        return pooled and pooled.of_folds(folds)

    def _fit(
        self, student: Student, dataset: Dataset, split: Split, run: Run | None
    ) -> Generator[RunEvent, None, None]:
        """Train to the end; a run's checkpoint is written at the end of each epoch."""
        fit, films = student.fit, films_hash(dataset, split)
        if student.trained:
            if run and not self.job.stop.is_set():
                save_training(run.checkpoint, _checkpoint(fit, films))
            return
        if run and self.job.request.resume:
            yield self._resume(fit, films, run)
        for epoch in fit.run():
            if run:
                save_training(run.checkpoint, _checkpoint(fit, films))
            yield student.report_epoch(epoch)
        if fit.diverged:
            yield Note(fit.remark, warning=True)

    def _resume(self, fit: Fit, films: str, run: Run) -> Note:
        """Continue from a run's checkpoint.

        Raises:
            RunError: the films or their split are not those of the run.
        """
        state = load_training(run.checkpoint)
        if state is None:
            return Note("no epoch had been finished: training starts from the beginning")
        if state.facts.get("films") != films:
            raise RunError(
                f"{run.folder}: {self.job.request.data} is not as it was when this run began: videos were added, "
                "removed, changed or moved to another part. Going on would mix training with test. Train anew."
            )
        fit.resume(state)
        return Note(f"going on after epoch {fit.epoch}")

    def _finish(
        self, student: Student, dataset: Dataset, split: Split, outcome: Outcome | None, run: Run
    ) -> Generator[RunEvent, None, None]:
        """Calibrate, score the model and its controls, and write the model folder and the portable file."""
        request, stop = self.job.request, self.job.stop
        stopped = stop.is_set()
        decision = yield from student.calibrate()
        if outcome is None and not stopped:
            try:
                outcome = yield from student.run_controls()
            except TrainingError as error:  # a control that fails must not cost the user the model
                yield Note(f"A control could not be trained, so no score has controls beside it. {error}", warning=True)
        appraisal = yield from student.appraise(decision, outcome)
        header = self._header(student, dataset, split, decision, appraisal)
        card = model_card(header, run.folder.name, appraisal.card, request.terms)
        save_model(run.model, student.network, header, card)
        refused = (yield from self._export(student, run)) if request.portable else None
        yield from appraisal.shown
        if self.job.config.report and not stop.is_set():
            yield from self._report(student, decision, outcome, run)
        yield Done(run.model, appraisal.sentences, self.job.clock.elapsed_seconds, stop.is_set())
        if refused:
            raise refused

    def _export(self, student: Student, run: Run) -> Generator[RunEvent, None, ExportError | None]:
        """Write the model as a portable file too; the reason if that failed."""
        export, model = OnnxExport(), load_model(run.model)
        yield Progress(f"writing {export.file_name}", 0, 1)
        try:
            difference = write_checked(export, model, run.model / export.file_name, films=student.check_clips())
        except ExportError as error:
            return error
        sentence = describe(model, "fp32", difference)
        card = run.model / CARD_NAME
        write_text(card, with_portable(card.read_text(encoding="utf-8"), export.file_name, sentence))
        yield Note(f"{export.file_name}: {sentence}")
        return None

    def _report(
        self, student: Student, decision: DecisionRule, outcome: Outcome | None, run: Run
    ) -> Generator[RunEvent, None, None]:
        """Write the answers and the page of the run. A page that cannot be written must not cost the user the model."""
        from vidrnn.report.reporter import PageRequest, write_page  # here, since Matplotlib takes half a second to load

        try:
            answers = yield from student.answers(decision, outcome, folder_of(self.job.request.data))
            answers.write(run.training / ANSWERS_NAME)
            wanted = PageRequest(run.folder, files=run.training, data=self.job.request.data, seconds=_STRIP_SECONDS)
            yield from write_page(wanted)
        except (VidrnnError, OSError, MemoryError) as error:
            yield Note(f"The page of the run could not be written. {error} Write it: vidrnn report {run.folder}", True)
            return
        yield Note(f"report: {run.folder / PAGE_NAME}")

    def _header(
        self, student: Student, dataset: Dataset, split: Split, decision: DecisionRule, appraisal: Appraisal
    ) -> ModelHeader:
        hashes = [scan.content_hash for scan in dataset.scans]
        return ModelHeader(
            vidrnn_version=vidrnn.__version__,
            answer=student.answer,
            decision=decision,
            spec=student.spec,
            seed=self.job.config.seed,
            seen=_parts_seen(hashes, split.parts),
            scores=dict(appraisal.scores),
            summary=appraisal.sentences,
            facts={
                "command": self.job.request.command,
                "grouping": dataset.grouping.source,
                "parameters": count_parameters(student.network),
                "epochs": student.fit.epoch,
                "best_epoch": student.fit.best_epoch,
                "seconds": self.job.clock.elapsed_seconds,
                "choice": student.choice,
            },
        )


def _parts_seen(hashes: Sequence[str], parts: Sequence[Part]) -> dict[str, Part]:
    """The part of each film by its hash. A film whose excerpts a given split divides counts as learnt from."""
    order, seen = list(Part), dict[str, Part]()
    for film, part in zip(hashes, parts, strict=True):
        seen[film] = min(part, seen.get(film, part), key=order.index)
    return seen


def films_hash(dataset: Dataset, split: Split) -> str:
    """A hash of the films of a run with their truth and parts."""
    rows = sorted(
        (
            *(scan.content_hash, film.label, part.value, *(film.frames or ()), repr(film.annotation)),
            *(repr(each) for each in (film.excerpt, film.rate) if each is not None),
        )
        for scan, film, part in zip(dataset.scans, dataset.films, split.parts, strict=True)
    )
    return hashlib.blake2b(json_text(rows, ascii_only=True).encode(), digest_size=16).hexdigest()


def _notes(split: Split) -> Iterator[Note]:
    yield Note(str(split))
    yield from (Note(text, warning=True) for text in split.notes)


def _checkpoint(fit: Fit, films: str) -> TrainingState:
    """A checkpoint with the hash of its films."""
    state = fit.state()
    return replace(state, facts={**state.facts, "films": films})
