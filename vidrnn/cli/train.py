"""vidrnn train DATA"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from vidrnn.cli.flags import Settings, refuse_foreign, with_flags
from vidrnn.cli.options import (
    Config,
    chosen_settings,
    device_named,
    films_named,
    own_device,
    started_together,
    stopping,
)
from vidrnn.config import RunConfig
from vidrnn.errors import ProcessError, UsageError, VidrnnError
from vidrnn.file_names import portable_name
from vidrnn.settings import COMPUTING, RUN, PredictConfig

if TYPE_CHECKING:
    from vidrnn.events import RunEvent
    from vidrnn.tasks.base import Task
    from vidrnn.train.run import Request

FIRST = ("task", "out", "head", "encoder", "frames", "spacing", "epochs", "minutes", "folds", "resume")
"""The flags that people use most."""
_ALONE_SECONDS = 10.0
"""A process that is still there so long after its error is the only one that met it."""


@with_flags("train", RunConfig, PredictConfig, first=FIRST)
def train(
    *,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The run's folder [runs/DATA-HEAD].")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Continue this run where it stopped.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in the folder.", rich_help_panel=RUN)
    ] = False,
    config: Config = None,
    processes: Annotated[
        int, typer.Option(min=1, metavar="N", help="Train in so many processes.", rich_help_panel=COMPUTING)
    ] = 1,
    terms: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="A sentence for the model card: where the videos come from.", rich_help_panel=RUN
        ),
    ] = None,
    settings: Settings,
) -> None:
    """Train a model on labelled videos, or a model that predicts the next frames of any videos.

    Training reads every video to its end. All clips of a group stay on one side of the split. Each score is shown
    beside the scores of controls, which tell what the order of the frames is worth.
    """
    with _shown_once(os.environ):
        request = _request(settings, resume, config, out, overwrite=overwrite, terms=terms)
        if processes > 1 and not started_together(os.environ):
            from vidrnn.train.run import refuse_folder
            from vidrnn.train.shares.launch import launch_training

            refuse_folder(request)
            raise typer.Exit(launch_training(processes, sys.argv[2:]))
        _train(request)


def _train(request: Request) -> None:
    """Train, and show what happens, or take part in a training that another process leads."""
    from vidrnn.cli.views.training import TrainingView
    from vidrnn.train.shares.workers import join_workers
    from vidrnn.train.trainer import train as run_training

    workers, stop = join_workers(request.jobs, request.device), Event()
    if not workers.leads:
        _follow(run_training(request, stop, workers))
        return
    with stopping(stop, "step"), TrainingView() as view:
        for event in run_training(request, stop, workers):
            view.show(event)
    if stop.is_set():
        raise typer.Exit(130)


def _request(
    settings: Settings,
    resume: Path | None,
    config: Path | None,
    out: Path | None,
    *,
    overwrite: bool,
    terms: str | None,
) -> Request:
    """The request for a training, from the flags and the files of settings."""
    device, data = settings.pop("device", "auto"), settings.pop("data", None)
    jobs = settings.pop("jobs", None) if resume else None
    films_folder = _moved_films(resume, settings, config or out) if resume else None

    from vidrnn.data.store import open_cache
    from vidrnn.tasks.base import task_named
    from vidrnn.train.run import Request, find_data, settings_file

    chosen = chosen_settings(settings_file(resume) if resume else config, settings, "vidrnn train")
    task = task_named(chosen.task)
    refuse_foreign(task.name, RunConfig, settings, task.settings)
    if config:
        _refuse_foreign_in(config, chosen, task)
    chosen = chosen.with_defaults(task.defaults)
    if jobs is not None:
        chosen = chosen.model_copy(update={"jobs": jobs})
    if films_folder is not None and "labels" not in task.settings:
        data = data or films_folder  # DATA is the videos themselves
    elif films_folder is not None:
        chosen = chosen.model_copy(update={"labels": chosen.labels.model_copy(update={"films": films_folder})})
    stored = find_data(resume, chosen.data) if resume and chosen.data and not data else chosen.data
    films = films_named(data, str(stored or ""), "vidrnn train")
    return Request(
        data=films,
        config=chosen,
        out=resume or out or Path("runs") / portable_name(f"{films.resolve().stem}-{chosen.head.name}"),
        numbered=not (resume or out),
        cache=open_cache(chosen.cache_size),
        jobs=chosen.jobs or 1,
        command=_command(sys.argv[1:]),
        device=own_device(device_named(device), os.environ),
        overwrite=overwrite,
        resume=resume is not None,
        terms=terms,
        settings_file=config,
    )


def _follow(events: Iterator[RunEvent]) -> None:
    """Take part in a training that another process leads. That one shows what happens, and hears Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for _ in events:
        pass


@contextmanager
def _shown_once(environment: Mapping[str, str]) -> Iterator[None]:
    """Have one process show an error that all of them meet: the first one, whose end then ends the others."""
    try:
        yield
    except VidrnnError as error:
        if not started_together(environment) or environment["RANK"] == "0":
            raise
        if not isinstance(error, ProcessError):  # else another process says why it ended
            time.sleep(_ALONE_SECONDS)
            raise


def _moved_films(run: Path, settings: Settings, given: Path | None) -> str | None:
    """The folder of `--films` beside `--resume`, which is taken out of `settings`; None where it was not given.

    `given`: another flag that means nothing beside `--resume`.

    Raises:
        UsageError: more was given than where the videos are now.
    """
    labels = settings.pop("labels", {})
    films: str | None = labels.pop("films", None)
    if settings or labels or given:
        raise UsageError(
            f"--resume {run}: continues the run with its own settings. Leave the other settings out. Only DATA and "
            "--films may be named, where the videos were moved."
        )
    return films


def _refuse_foreign_in(file: Path, chosen: RunConfig, task: Task) -> None:
    """Refuse a file that changes a setting which means nothing for the task.

    Those with their default value pass, since runs of earlier versions do not tell which were given.

    Raises:
        UsageError: it changes some.
    """
    default = RunConfig(head=chosen.head)
    default = default.model_copy(update={"readout": default.readout_name})
    given = sorted(chosen.model_fields_set - task.settings)
    if foreign := [name for name in given if getattr(chosen, name) != getattr(default, name)]:
        has, them = ("has", "it") if len(foreign) == 1 else ("have", "them")
        raise UsageError(f"{file}: {', '.join(foreign)}: {has} no meaning for --task {task.name}. Leave {them} out.")


def _command(arguments: list[str]) -> str:
    """The command as the model card shows it, without names of this machine."""
    shown = [word for word in arguments if word != "--overwrite" and not word.startswith("--terms=")]
    if "--terms" in shown:
        place = shown.index("--terms")
        del shown[place : place + 2]
    return shlex.join(["vidrnn", *(_portable(word) for word in shown)])


def _portable(argument: str) -> str:
    """A word of the command for a model card: of a path on this machine only the last part."""
    flag, equals, value = argument.partition("=")
    if equals and flag.startswith("--"):
        return f"{flag}={_portable(value)}"
    path = Path(argument)
    if path.is_absolute():
        return path.name
    return str(Path(*(part for part in path.parts if part != ".."))) if ".." in path.parts else argument
