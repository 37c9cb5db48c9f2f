"""vidrnn train DATA"""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Annotated, Any

import typer

from vidrnn.cli.options import Device, Jobs, Rate, device_named, jobs_or_cores
from vidrnn.errors import UsageError

_DATA, _MODEL, _TIME, _RUN = "Films", "Model", "Training", "Run"


def train(
    data: Annotated[
        Path | None,
        typer.Argument(help="A folder of class folders, or a CSV manifest: path,label[,group][,split]."),
    ] = None,
    no_test: Annotated[
        bool, typer.Option("--no-test", help="Split into train and val only.", rich_help_panel=_DATA)
    ] = False,
    folds: Annotated[
        int | None, typer.Option(help="Score by K folds, then train on all.", rich_help_panel=_DATA)
    ] = None,
    frames: Annotated[int | None, typer.Option(help="Frames in a window [16].", rich_help_panel=_DATA)] = None,
    spacing: Annotated[
        float | None,
        typer.Option(help="Seconds between frames [a window covers the median clip].", rich_help_panel=_DATA),
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Pictures as WIDTHxHEIGHT [by encoder and films].", rich_help_panel=_DATA)
    ] = None,
    rate: Rate = None,
    flip: Annotated[
        bool | None,
        typer.Option(
            "--flip/--no-flip",
            help="Mirrored films are of the same class [unless a class name says left or right].",
            rich_help_panel=_DATA,
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help="auto, small, or a torchvision network such as mobilenet_v2 [auto].", rich_help_panel=_MODEL),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="imagenet, none, or a file or model to start from.", rich_help_panel=_MODEL)
    ] = None,
    fine_tune: Annotated[
        bool | None,
        typer.Option("--fine-tune", help="Train a pretrained encoder too.", rich_help_panel=_MODEL),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(help="gru, lstm, rnn, mingru, rglru, or none as a control [gru].", rich_help_panel=_MODEL),
    ] = None,
    units: Annotated[int | None, typer.Option(help="Size of the head [128].", rich_help_panel=_MODEL)] = None,
    layers: Annotated[
        int | None, typer.Option(help="Layers of the head [2 for mingru and rglru, else 1].", rich_help_panel=_MODEL)
    ] = None,
    bidirectional: Annotated[
        bool | None,
        typer.Option("--bidirectional", help="Read in both directions; cannot stream.", rich_help_panel=_MODEL),
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(
            help="Units remember 2 to so many frames before they learn [all of them 30].", rich_help_panel=_MODEL
        ),
    ] = None,
    readout: Annotated[
        str | None, typer.Option(help="attention, mean or last [attention].", rich_help_panel=_MODEL)
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="At most so many [by the number of clips].", rich_help_panel=_TIME)
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="At most so long in all.", rich_help_panel=_TIME)] = None,
    minibatch: Annotated[int | None, typer.Option(help="Clips in a minibatch.", rich_help_panel=_TIME)] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of AdamW.", rich_help_panel=_TIME)] = None,
    patience: Annotated[
        int | None, typer.Option(help="Epochs without a better model before it stops.", rich_help_panel=_TIME)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same weights [0].", rich_help_panel=_TIME)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder [runs/DATA-HEAD].", rich_help_panel=_RUN)] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run that stands there.", rich_help_panel=_RUN)
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run where it stopped.", rich_help_panel=_RUN)
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings as TOML; flags go before it.", rich_help_panel=_RUN)
    ] = None,
    terms: Annotated[
        str | None, typer.Option(help="A sentence for the model card on the films' source.", rich_help_panel=_RUN)
    ] = None,
    device: Device = "auto",
    jobs: Jobs = None,
) -> None:
    """Train a model on labelled films, and show what time is worth in them.

    Every film is read whole; no group of clips stands on two sides of the split; controls stand beside every score.
    """
    told = {
        "encoder": encoder,
        "weights": weights,
        "fine_tune": fine_tune,
        "readout": readout,
        "frames": frames,
        "spacing_seconds": spacing,
        "rate": rate,
        "flip": flip,
        "epochs": epochs,
        "minutes": minutes,
        "minibatch": minibatch,
        "learning_rate": learning_rate,
        "patience": patience,
        "seed": seed,
        "folds": folds,
        "jobs": jobs,
        "test": False if no_test else None,
        **_size(size),
    }
    told_head = {
        "name": head,
        "size": units,
        "layers": layers,
        "bidirectional": bidirectional,
        "memory_frames": memory,
    }
    said = {key: value for key, value in told.items() if value is not None}
    said_head = {key: value for key, value in told_head.items() if value is not None}
    if resume and (said or said_head or config or out or data):
        raise UsageError(f"--resume {resume}: goes on with the run as it was begun. Leave the other settings out.")

    from vidrnn.config import RunConfig
    from vidrnn.console import TrainingView
    from vidrnn.scan import cache_folder
    from vidrnn.train import Request
    from vidrnn.train import train as run_training

    base = resume / "config.toml" if resume else config
    settings: dict[str, Any] = RunConfig.read(base).model_dump() if base else {}
    heads = settings.get("head", {}) | said_head
    chosen = RunConfig.of(settings | said | ({"head": heads} if heads else {}), source="vidrnn train")
    chosen = chosen.model_copy(update={"jobs": jobs_or_cores(chosen.jobs)})
    films = data or (Path(chosen.data) if chosen.data else None)
    if films is None:
        raise UsageError("vidrnn train: name a folder of class folders or a CSV manifest: vidrnn train DATA.")
    request = Request(
        data=films,
        config=chosen,
        out=resume or out or _free(Path("runs") / f"{films.resolve().stem}-{chosen.head.name}"),
        cache=cache_folder(),
        jobs=jobs_or_cores(chosen.jobs),
        command=_command(sys.argv[1:]),
        device=device_named(device),
        overwrite=overwrite,
        resume=resume is not None,
        terms=terms,
    )
    stop = Event()
    with _stopping(stop), TrainingView() as view:
        for record in run_training(request, stop):
            view.show(record)
    if stop.is_set():
        raise typer.Exit(130)


def _size(text: str | None) -> dict[str, int]:
    if text is None:
        return {}
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise UsageError(f"--size {text}: wanted WIDTHxHEIGHT in pixels, such as 160x120.")
    return {"width": int(width), "height": int(height)}


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


def _free(folder: Path) -> Path:
    """`folder`, or the first of its name with a number that does not exist yet."""
    free, number = folder, 2
    while free.exists():
        free, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return free


@contextmanager
def _stopping(stop: Event) -> Iterator[None]:
    """The first Ctrl-C sets `stop`, so that the epoch ends cleanly; the second one stops at once."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        typer.echo("\nStopping after this epoch; Ctrl-C again stops at once.", err=True)

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
