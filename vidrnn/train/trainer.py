"""DATA becomes a run and a model: read, split, choose, fit, calibrate, score beside controls, write, export.

It yields events and prints nothing. A stopped training continues from the run folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from threading import Event
from typing import TypeVar

import vidrnn
from vidrnn.atomic import write_text
from vidrnn.data.dataset import Dataset
from vidrnn.data.splits import Split, fold_films
from vidrnn.data.store import with_notes
from vidrnn.errors import ExportError, RunError, TrainingError, UsageError, VidrnnError
from vidrnn.events import Done, EpochDone, Note, Progress, RunEvent, through
from vidrnn.export.exporter import describe, write_checked
from vidrnn.export.onnx import OnnxExport
from vidrnn.model.card import model_card, with_portable
from vidrnn.model.checkpoint import (
    CARD_NAME,
    load_model,
    save_model,
)
from vidrnn.model.metadata import ModelHeader
from vidrnn.nets.classifier import count_parameters
from vidrnn.plain_json import json_text
from vidrnn.registry import load_attribute
from vidrnn.report.answers import ANSWERS_NAME, PAGE_NAME, folder_of
from vidrnn.tasks.base import task_named
from vidrnn.tracking.base import Ending
from vidrnn.tracking.listener import Listener
from vidrnn.train.fit import Epoch, Fit
from vidrnn.train.journal import Journal
from vidrnn.train.learner import Clock
from vidrnn.train.lessons.base import Appraisal, Job, Outcome, Student, Teacher
from vidrnn.train.run import Request, Run
from vidrnn.train.shares.device import threads_for
from vidrnn.train.shares.workers import Workers
from vidrnn.values import DecisionRule, Part

_STRIP_SECONDS = 15.0
"""The longest time that the strips of frames of the page may take at the end of a training."""


def train(request: Request, stop: Event | None = None, workers: Workers | None = None) -> Iterator[RunEvent]:
    """Train a model; the last event is `Done`.

    Where an error or Ctrl-C ends the training, the last event says how to go on, if that can help.

    Args:
        request: of the training.
        stop: set it to end the training after the running step. The best model so far is written, and the run can be
            resumed.
        workers: this process and those that train together with it; by default this process alone. Only the first
            process has events and writes files.

    Raises:
        VidrnnError: with a sentence. All finished work stays on disk.
        KeyboardInterrupt: stopped before there was a model.
    """
    workers, stop = workers or Workers(threads_for(request.jobs, request.device)), stop or Event()
    if not workers.leads:
        for _ in _Training(request, stop, workers).follow():
            pass
        return
    run = Run(request.out)
    settings = request.config.model_dump(mode="json", exclude={"data", "track"})
    listener = Listener(request.config.track, settings, resumed=request.resume)
    run.claim(request)
    ending: Ending = "failed"
    try:
        for event in with_notes(_Training(request, stop, workers).go(run), request.cache):
            run.log(event)
            yield event
            for note in listener.take(event, None if run.waiting is not None else run.folder, run.tracking):
                run.log(note)
                yield note
        ending = "stopped" if stop is not None and stop.is_set() else "finished"
    except (TrainingError, RunError):
        raise  # to go on would end in the same way
    except (KeyboardInterrupt, VidrnnError):
        if run.resumable:
            yield Note(run.resumable)
        raise
    finally:
        listener.close(ending)
        run.release()


Result = TypeVar("Result")
_MODEL, _OUTCOME = "model", "controls"
"""Pieces of a run: the training of the network, and what it and its controls answer."""


class _Training:
    """The training of one request."""

    def __init__(self, request: Request, stop: Event, workers: Workers) -> None:
        task = task_named(request.config.task)
        teacher: type[Teacher] = load_attribute(task.lesson)
        request = replace(request, config=teacher.complete(request.config.with_defaults(task.defaults)))
        self.job = Job(request, task, Clock(request.config.minutes), stop, workers)
        self.teacher = teacher(self.job)

    def go(self, run: Run) -> Generator[RunEvent, None, None]:
        """From DATA to the model folder."""
        job, config, request = self.job, self.job.config, self.job.request
        if config.minutes:
            yield Note("--minutes: the clock decides how much is learnt, so this run cannot be repeated exactly")
        dataset, split = yield from self._data()
        journal = Journal(
            folder=lambda: run.checkpoint,
            open=lambda: run.open(request) if run.waiting is not None else None,
            resumed=request.resume,
            minutes=config.checkpoint_minutes,
            workers=job.workers,
            films=films_hash(dataset, split),
        )
        outcome = (yield from self._folds(dataset, config.folds, journal)) if config.folds else None
        yield from _notes(split)
        student = yield from self.teacher.student(dataset, split, journal)
        journal.start()
        yield from self._fit(student, journal)
        yield from self._finish(student, dataset, split, outcome or (yield from self._controls(student, journal)), run)

    def follow(self) -> Generator[RunEvent, None, None]:
        """What a process does that is not the first one: it takes part in each training of a network."""
        dataset, split = yield from self._data()
        journal = Journal(workers=self.job.workers)
        if self.job.config.folds:
            yield from self._folds(dataset, self.job.config.folds, journal)
        yield from self._fit((yield from self.teacher.student(dataset, split, journal)), journal)

    def _data(self) -> Generator[RunEvent, None, tuple[Dataset, Split]]:
        """The films that the task can learn from, and their parts."""
        job, config = self.job, self.job.config
        if config.folds and "folds" not in job.task.settings:
            raise UsageError(f"--folds: means nothing for --task {job.task.name}. Leave it out.")
        self.teacher.refuse_unfit()
        dataset = yield from job.workers.led(job.read())
        dataset = yield from self.teacher.usable(dataset)
        return dataset, self.teacher.split(dataset, test=config.test and not config.folds)

    def _folds(self, dataset: Dataset, folds: int, journal: Journal) -> Generator[RunEvent, None, Outcome | None]:
        """Train on each fold; every clip is in one test part. None in a process that is not the first one."""
        pooled: Outcome | None = None
        splits = fold_films(dataset.films, dataset.grouping, folds, seed=self.job.config.seed)
        for number, split in enumerate(splits, 1):
            yield Note(f"fold {number} of {folds}: {split}")
            yield from (Note(text, warning=True) for text in split.notes)
            to_come = folds - number + 2  # this fold, later folds, and the model itself
            fold = self._fold(dataset, split, journal.within(f"fold {number}"), 1 / to_come)
            outcome = yield from through(fold, partial(_named, training=f"fold {number}"))
            if outcome is not None:
                pooled = pooled.joined(outcome) if pooled else outcome
        return pooled and pooled.of_folds(folds)

    def _fold(
        self, dataset: Dataset, split: Split, journal: Journal, share: float
    ) -> Generator[RunEvent, None, Outcome | None]:
        """Train on one fold. None in a process that is not the first one."""
        workers, stored = self.job.workers, journal.recall(_OUTCOME)
        if workers.agree(stored is not None):
            yield Note("this fold was done before the training was stopped")
            return self.teacher.outcome(stored) if workers.leads else None
        student = yield from self.teacher.student(dataset, split, journal, share)
        yield from self._fit(student, journal)
        if not workers.leads:
            return None
        outcome = yield from student.run_controls()
        if outcome is None or self.job.stop.is_set():
            raise KeyboardInterrupt
        journal.note(_OUTCOME, outcome.as_plain())
        return outcome

    def _fit(self, student: Student, journal: Journal) -> Generator[RunEvent, None, None]:
        """Train to the end; the journal has a checkpoint of each moment, at most some minutes old."""
        fit = student.fit
        if student.trained:
            if not self.job.stop.is_set():
                journal.write_checkpoint(_MODEL, fit)
            return
        if journal.resume(_MODEL, fit):
            yield Note(_where(fit))
        elif journal.resumed:
            yield Note("there is no checkpoint of this training: it starts from the beginning")
        yield Progress("epochs", fit.epoch, fit.plan.epochs)
        for event in fit.steps(journal.keeper(_MODEL)):
            if isinstance(event, Epoch):
                yield student.report_epoch(event)
            else:
                yield Progress(f"epoch {event.epoch}", event.step, event.of)
        if not self.job.stop.is_set():
            journal.write_checkpoint(_MODEL, fit)
        if fit.diverged:
            yield Note(fit.remark, warning=True)

    def _controls(self, student: Student, journal: Journal) -> Generator[RunEvent, None, Outcome | None]:
        """The outcome of the controls; None where there are none, one fails, or the training was stopped."""
        if (stored := journal.recall(_OUTCOME)) is not None:
            return self.teacher.outcome(stored)
        if self.job.stop.is_set():
            return None
        try:
            outcome = yield from student.run_controls()
        except TrainingError as error:  # a control that fails must not cost the user the model
            yield Note(f"A control could not be trained, so no score has controls beside it. {error}", warning=True)
            return None
        if outcome is not None and not self.job.stop.is_set():
            journal.note(_OUTCOME, outcome.as_plain())
        return outcome

    def _finish(
        self, student: Student, dataset: Dataset, split: Split, outcome: Outcome | None, run: Run
    ) -> Generator[RunEvent, None, None]:
        """Calibrate, score the model and its controls, and write the model folder and the portable file."""
        request, stop = self.job.request, self.job.stop
        decision = yield from student.calibrate()
        appraisal = yield from student.appraise(decision, outcome)
        header = self._header(student, dataset, split, decision, appraisal)
        card = model_card(header, run.folder.name, appraisal.card, request.terms, request.config.license)
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


def _named(event: RunEvent, training: str) -> Iterator[RunEvent]:
    """The event of a training of this name."""
    yield replace(event, training=training) if isinstance(event, EpochDone) else event


def _where(fit: Fit) -> str:
    """The place where a training goes on."""
    if not fit.step:
        return f"going on after epoch {fit.epoch}"
    return f"going on in epoch {fit.epoch + 1}, after {fit.step} of {fit.lesson.steps} steps"
