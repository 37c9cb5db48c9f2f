"""vidrnn train DATA"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection
from pathlib import Path
from threading import Event
from typing import Annotated, Literal

import typer

from vidrnn.cli.options import (
    DATA,
    MODEL,
    RUN,
    TIME,
    Augment,
    Bidirectional,
    Config,
    Data,
    Device,
    Encoder,
    Epochs,
    FineTune,
    Flip,
    Frames,
    Grey,
    Jobs,
    LabelHolds,
    Layers,
    LearningRate,
    Memory,
    Minibatch,
    Motion,
    NoTest,
    PictureSize,
    Rate,
    Readout,
    Seed,
    Spacing,
    Units,
    Weights,
    device_named,
    films_named,
    free_folder,
    settings_of,
    settings_said,
    stopping,
)
from vidrnn.errors import UsageError

_FLAGS_OF_OTHERS = {
    "classify": {"context": "--context", "horizon": "--horizon", "paint": "--paint"},
    "next-frame": {
        "frames": "--frames",
        "readout": "--readout",
        "augment": "--augment",
        "label_holds": "--label-holds",
        "motion": "--motion",
    },
}
"""Settings that a task knows nothing of, and the flags that say them."""


def train(
    data: Data = None,
    task: Annotated[
        Literal["classify", "next-frame"] | None,
        typer.Option(help="Name classes, or foretell frames and tell unusual ones [classify].", rich_help_panel=MODEL),
    ] = None,
    no_test: NoTest = False,
    folds: Annotated[
        int | None, typer.Option(help="Score by K folds, then train on all.", rich_help_panel=DATA)
    ] = None,
    frames: Frames = None,
    context: Annotated[
        int | None, typer.Option(help="next-frame: frames seen before it goes on by itself [10].", rich_help_panel=DATA)
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(help="next-frame: frames that it goes on for [10].", rich_help_panel=DATA)
    ] = None,
    spacing: Spacing = None,
    size: PictureSize = None,
    rate: Rate = None,
    flip: Flip = None,
    augment: Augment = None,
    label_holds: LabelHolds = None,
    encoder: Encoder = None,
    weights: Weights = None,
    fine_tune: FineTune = None,
    grey: Grey = None,
    motion: Motion = None,
    head: Annotated[
        str | None,
        typer.Option(
            help="gru, lstm, rnn, mingru, rglru, or none as a control [gru]; for next-frame also convgru [convgru] "
            "and convlstm, which keep the picture.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    paint: Annotated[
        Literal["direct", "flow", "kernel"] | None,
        typer.Option(
            help="next-frame: paint anew, warp on by the flow, or move patches [by what guesses the films best].",
            rich_help_panel=MODEL,
        ),
    ] = None,
    units: Units = None,
    layers: Layers = None,
    bidirectional: Bidirectional = None,
    memory: Memory = None,
    readout: Readout = None,
    epochs: Epochs = None,
    minutes: Annotated[float | None, typer.Option(help="At most so long in all.", rich_help_panel=TIME)] = None,
    minibatch: Minibatch = None,
    learning_rate: LearningRate = None,
    patience: Annotated[
        int | None, typer.Option(help="Epochs without a better model before it stops.", rich_help_panel=TIME)
    ] = None,
    seed: Seed = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder [runs/DATA-HEAD].", rich_help_panel=RUN)] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run that stands there.", rich_help_panel=RUN)
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run where it stopped.", rich_help_panel=RUN)
    ] = None,
    config: Config = None,
    terms: Annotated[
        str | None, typer.Option(help="A sentence for the model card on the films' source.", rich_help_panel=RUN)
    ] = None,
    device: Device = "auto",
    jobs: Jobs = None,
) -> None:
    """Train a model on labelled films, and show what time is worth in them; or, on any films, one of their next frames.

    Every film is read whole; no group of clips stands on two sides of the split; controls stand beside every score.
    """
    said = settings_said(
        encoder=encoder,
        weights=weights,
        fine_tune=fine_tune,
        grey=grey,
        motion=motion,
        augment=augment,
        label_holds=label_holds,
        head=head,
        units=units,
        layers=layers,
        bidirectional=bidirectional,
        memory=memory,
        readout=readout,
        frames=frames,
        spacing=spacing,
        size=size,
        rate=rate,
        flip=flip,
        epochs=epochs,
        minutes=minutes,
        minibatch=minibatch,
        learning_rate=learning_rate,
        patience=patience,
        seed=seed,
        folds=folds,
        jobs=jobs,
        no_test=no_test or None,
        task=task,
        context=context,
        horizon=horizon,
        paint=paint,
    )
    if resume and (said or config or out or data):
        raise UsageError(f"--resume {resume}: goes on with the run as it was begun. Leave the other settings out.")

    from vidrnn.cli.views.training import TrainingView
    from vidrnn.data.scan import cache_folder
    from vidrnn.train.run import Request, settings_file
    from vidrnn.train.trainer import train as run_training

    chosen = settings_of(settings_file(resume) if resume else config, said, "vidrnn train")
    _refuse_of_another_task(chosen.task, said)
    if chosen.task == "next-frame":
        from vidrnn.train.lessons.next_frame import in_full

        chosen = in_full(chosen)
    films = films_named(data, chosen.data, "vidrnn train")
    request = Request(
        data=films,
        config=chosen,
        out=resume or out or free_folder(Path("runs") / f"{films.resolve().stem}-{chosen.head.name}"),
        cache=cache_folder(),
        jobs=chosen.jobs or 1,
        command=_command(sys.argv[1:]),
        device=device_named(device),
        overwrite=overwrite,
        resume=resume is not None,
        terms=terms,
        settings_file=config,
    )
    stop = Event()
    with stopping(stop), TrainingView() as view:
        for event in run_training(request, stop):
            view.show(event)
    if stop.is_set():
        raise typer.Exit(130)


def _refuse_of_another_task(task: str, said: Collection[str]) -> None:
    """Refuse settings that were said and mean nothing for the task.

    Raises:
        UsageError: there are some.
    """
    foreign = [flag for setting, flag in _FLAGS_OF_OTHERS[task].items() if setting in said]
    if foreign:
        raise UsageError(f"{', '.join(foreign)}: means nothing for --task {task}. Leave it out.")


def _command(arguments: list[str]) -> str:
    """The command as the model card shows it: what made the model, and nothing of this machine."""
    kept = [word for word in arguments if word != "--overwrite" and not word.startswith("--terms=")]
    if "--terms" in kept:
        place = kept.index("--terms")
        del kept[place : place + 2]
    return shlex.join(["vidrnn", *(_portable(word) for word in kept)])


def _portable(argument: str) -> str:
    """A word of the command as it may stand in a model card: of a path on this machine, what others can know."""
    flag, equals, value = argument.partition("=")
    if equals and flag.startswith("--"):
        return f"{flag}={_portable(value)}"
    path = Path(argument)
    if path.is_absolute():
        return path.name
    return str(Path(*(part for part in path.parts if part != ".."))) if ".." in path.parts else argument
