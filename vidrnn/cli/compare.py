"""vidrnn compare DATA"""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from vidrnn.cli.options import (
    MODEL,
    RUN,
    TIME,
    Augment,
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
    Json,
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


def compare(
    data: Data = None,
    head: Annotated[
        list[str] | None,
        typer.Option(help="A head to compare, again for each; NAME-both reads both ways [all].", rich_help_panel=MODEL),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each head.", rich_help_panel=TIME)] = 3,
    gradients: Annotated[
        bool, typer.Option("--gradients", help="Show how far back each head learns, before and after.")
    ] = False,
    no_test: NoTest = False,
    frames: Frames = None,
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
    units: Units = None,
    layers: Layers = None,
    memory: Memory = None,
    readout: Readout = None,
    epochs: Epochs = None,
    minibatch: Minibatch = None,
    learning_rate: LearningRate = None,
    seed: Seed = None,
    out: Annotated[
        Path | None, typer.Option(help="Where table and plots are kept [runs/DATA-compare].", rich_help_panel=RUN)
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this comparison where it stopped.", rich_help_panel=RUN)
    ] = None,
    config: Config = None,
    device: Device = "auto",
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Train several heads on the same films in the same way, and show what each is worth and what it costs."""
    said = settings_said(
        encoder=encoder,
        weights=weights,
        fine_tune=fine_tune,
        grey=grey,
        motion=motion,
        augment=augment,
        label_holds=label_holds,
        units=units,
        layers=layers,
        memory=memory,
        readout=readout,
        frames=frames,
        spacing=spacing,
        size=size,
        rate=rate,
        flip=flip,
        epochs=epochs,
        minibatch=minibatch,
        learning_rate=learning_rate,
        seed=seed,
        jobs=jobs,
        no_test=no_test or None,
    )
    if resume and (said or config or out or data):
        raise UsageError(
            f"--resume {resume}: goes on with the same films and settings; only --head and --seeds may be others."
        )

    from vidrnn.cli.views.scores import ComparisonView
    from vidrnn.compare.comparison import CompareRequest
    from vidrnn.compare.comparison import compare as run_comparison
    from vidrnn.data.scan import cache_folder
    from vidrnn.nets.heads import HEADS

    chosen = settings_of(resume / "config.toml" if resume else config, said, "vidrnn compare")
    films = films_named(data, chosen.data, "vidrnn compare")
    request = CompareRequest(
        data=films,
        config=chosen,
        heads=tuple(dict.fromkeys(head or HEADS)),
        seeds=seeds,
        out=resume or out or free_folder(Path("runs") / f"{films.resolve().stem}-compare"),
        cache=cache_folder(),
        jobs=chosen.jobs or 1,
        device=device_named(device),
        resume=resume is not None,
    )
    stop = Event()
    with stopping(stop), ComparisonView(as_json=json, gradients=gradients) as view:
        view.follow(run_comparison(request, stop))
        view.kept_in(request.out)
